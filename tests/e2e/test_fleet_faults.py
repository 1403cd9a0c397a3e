"""Three workers on the runs of one PostgreSQL, of which one after the other is killed, put to sleep for longer
than its lease, or cut off from the database: what was paid for is stored once, what was in flight is all that is
sent again, and no budget is passed.

LAB_FLEET_FAULTS: how many faults (default 60; make test-fleet has 2,000). LAB_SEED: replays the choices of
an earlier run.
"""
import collections
import logging
import os
import random
import signal
import time
import unittest

import mock_llm
import test_fleet
import test_migrate
from fault_proxy import FaultProxy

FAULTS = int(os.environ.get("LAB_FLEET_FAULTS", "60"))
SEED = int(os.environ.get("LAB_SEED", str(random.randrange(1 << 30))))
WORKERS = 3
LEASE = 2  # seconds
SLOTS = 4  # what a worker has at once
ROWS = 200
LATENCY = 0.1
ANSWER_MAX = 20  # tokens
WORST = ANSWER_MAX + 40  # of a call
# Of a hundred faults so many are of this kind.
SHARES = {"kill -9": 95, "asleep": 3, "cut off": 2}


class Member:
    """A worker with its own way to the database."""

    def __init__(self, test):
        self.test = test
        self.worker, self.proxy = None, None
        self.back_at, self.trouble = None, None
        self.start()

    def start(self):
        port = int(self.test.url.split(":")[-1].split("/")[0])
        if self.proxy is None:
            self.proxy = FaultProxy(port)
            self.test.addCleanup(self.proxy.close)
        self.worker = test_fleet.Worker(self.test, (), **{
            **self.test.given, "DATABASE_URL": self.test.url.replace(f":{port}/", f":{self.proxy.port}/"),
            "WORKER_LEASE": f"{LEASE}s", "WORKER_RUNS": "1"})

    def close(self):
        process = self.worker.process
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.kill()
        process.wait()
        self.worker.reader.join(5)
        process.stdout.close()
        process.stderr.close()

    def strike(self, kind):
        if kind == "kill -9":
            self.close()
            self.start()
            return
        self.trouble, self.back_at = kind, time.monotonic() + 3 * LEASE
        if kind == "asleep":
            self.worker.process.send_signal(signal.SIGSTOP)
        else:
            self.proxy.fault = "refuse"

    def recover(self, now):
        if self.back_at is not None and self.back_at <= now:
            if self.trouble == "asleep":
                self.worker.process.send_signal(signal.SIGCONT)
            self.proxy.fault = None
            self.trouble = self.back_at = None


class FleetFaults(test_fleet.Fleet):
    def setUp(self):
        super().setUp()
        logging.getLogger("asyncio").setLevel(logging.ERROR)  # that clients go is what this is about
        self.endpoint.script = lambda request: mock_llm.Slow(LATENCY)
        self.random = random.Random(SEED)
        self.given = {
            "DATABASE_URL": self.url, "ENVIRONMENT": "development", "SERVER_HOST": "127.0.0.1",
            "JWT_SECRET": "a secret of at least thirty-two bytes"}
        self.done = collections.Counter()
        self.most_lost = 0  # calls that were in flight at the faults
        self.runs = collections.Counter()

    def test_faults(self):
        self.at = self.server(arguments=("--no-worker",))
        self.token = self.user(self.at)
        self.members = [Member(self) for _ in range(WORKERS)]
        for member in self.members:
            self.addCleanup(lambda m=member: m.close())
        self.prepare()
        began = time.monotonic()
        while sum(self.done.values()) < FAULTS:
            self.one_run()
        for member in self.members:
            self.until(lambda m=member: m.recover(time.monotonic()) or m.trouble is None)
        for member in self.members:
            self.assertEqual(member.worker.stop()[0], 0)
        self.check_calls()
        self.report(time.monotonic() - began)

    def prepare(self):
        self.dataset = test_fleet.test_serve.Experiments.upload(
            self, self.at, self.token, "rows",
            [{"id": str(i), "q": f"q{i}", "reference": "x"} for i in range(ROWS)])
        self.model = self.made(self.at, self.token, "/models", {
            "name": "m", "provider": "custom", "model_identifier": "m",
            "config": {"base_url": self.endpoint.base_url, "pricing": {"input_per_million": "1", "output_per_million": "1"}},
        })["id"]
        self.prompt = self.made(self.at, self.token, "/prompts", {"name": "p", "template": "{{q}} of {{id}}"})["id"]

    def start_run(self, budget):
        config = {
            "dataset_ids": [self.dataset], "model_ids": [self.model], "prompt_template_ids": [self.prompt],
            "evaluation_metrics": ["exact_match"], "parameters": {"max_tokens": ANSWER_MAX},
            "run": {"concurrency": SLOTS, "cache": "off", "max_error_share": 1, **budget},
        }
        experiment = self.made(self.at, self.token, "/experiments", {
            "name": f"run {sum(self.runs.values())}", "config": config})["id"]
        self.call("POST", f"/experiments/{experiment}/start")
        path = f"/experiments/{experiment}/runs"
        return f"{path}/{self.call('GET', path)['data'][0]['id']}"

    def one_run(self):
        """Every third has a budget that it cannot end with."""
        billed = sum(self.endpoint.billed_tokens())
        tight = sum(self.runs.values()) % 3 == 2
        tokens = ROWS * 6 if tight else 10_000_000
        run = self.start_run({"budget": {"max_tokens": tokens}})
        deadline = time.monotonic() + 240
        while True:
            state = self.call("GET", run)["status"]
            if state not in ("queued", "pending", "running"):
                break
            self.assertLess(time.monotonic(), deadline, f"the run does not end (LAB_SEED={SEED})")
            now = time.monotonic()
            for member in self.members:
                member.recover(now)
            if sum(self.done.values()) < FAULTS:
                self.fault()
            time.sleep(self.random.random() * 0.3)
        self.check_run(run, tight, tokens, sum(self.endpoint.billed_tokens()) - billed)

    def fault(self):
        awake = [member for member in self.members if member.trouble is None]
        kind = self.random.choices(list(SHARES), SHARES.values())[0]
        if kind != "kill -9" and len(awake) < WORKERS:
            kind = "kill -9"  # somebody is to go on
        member = self.random.choice(awake)
        self.most_lost += min(SLOTS, self.endpoint.in_flight)
        member.strike(kind)
        self.done[kind] += 1

    def check_run(self, run, tight, tokens, billed):
        key = test_migrate.sql(self.url, f"SELECT key FROM runs WHERE id = '{run.split('/')[-1]}'")
        count, distinct, used = map(int, test_migrate.sql(
            self.url, "SELECT COUNT(*), COUNT(DISTINCT item_id), COALESCE(SUM(input_tokens + output_tokens), 0)::bigint "
            f"FROM samples WHERE state = 1 AND run = {key}").split("|"))
        doubt = int(test_migrate.sql(self.url, f"SELECT COALESCE(SUM(tokens), 0)::bigint FROM uncertain WHERE run = {key}"))
        state, why = test_migrate.sql(self.url, f"SELECT state, stop_reason FROM runs WHERE key = {key}").split("|")
        words = f"LAB_SEED={SEED}, {run} ended as {state}: {count} stored, {used} tokens, {doubt} in doubt, {billed} billed; {why}"
        self.assertEqual(count, distinct, words)
        self.assertLessEqual(used + doubt, tokens, words)
        self.assertLessEqual(billed, used + doubt, words)
        self.assertEqual(test_migrate.sql(self.url, f"SELECT COUNT(*) FROM intents WHERE run = {key}"), "0", words)
        self.runs[state] += 1
        if state == "budget_exhausted":
            self.assertTrue(tight, words)
            self.assertGreater(used + doubt + WORST, tokens, words)  # no other call could have been paid for
        else:
            self.assertEqual((state, count), ("completed", ROWS), words)

    def check_calls(self):
        self.endpoint.settle()
        stored = int(test_migrate.sql(self.url, "SELECT COUNT(*) FROM samples WHERE state = 1"))
        self.again = len(self.endpoint.requests) - stored
        self.assertLessEqual(self.again, self.most_lost, f"LAB_SEED={SEED}")

    def report(self, seconds):
        print(f"\n  LAB_SEED={SEED}: {sum(self.done.values())} faults in {seconds:.0f} s: "
              + ", ".join(f"{count} x {kind}" for kind, count in sorted(self.done.items())))
        print("  runs: " + ", ".join(f"{count} {state}" for state, count in sorted(self.runs.items())))
        print(f"  lost 0, stored twice 0, calls sent again {self.again} (in flight at the faults: {self.most_lost}), "
              "no budget passed", flush=True)


# Its own tests are in test_fleet.
for name in [name for name in dir(test_fleet.Fleet) if name.startswith("test_")]:
    setattr(FleetFaults, name, None)

if __name__ == "__main__":
    unittest.main()
