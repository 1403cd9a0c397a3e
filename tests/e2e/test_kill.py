"""Kills the program at random moments, resumes it until the run is complete, and holds what is left
to the books of the endpoint: nothing lost, nothing stored or paid twice, no cent over the budget,
the same results as without any kill.

LAB_KILLS: how many kills (default 20). LAB_SEED: replays the moments of an earlier run.
"""
import os
import random
import signal
import subprocess
import time
import unittest
import zlib
from decimal import Decimal

import mock_llm
import support

KILLS = int(os.environ.get("LAB_KILLS", "20"))
SEED = int(os.environ.get("LAB_SEED", "0")) or random.SystemRandom().randrange(1, 10**9)

ROWS, CONCURRENCY = 200, 16
TEMPLATES = ["Question: {{question}}\nAnswer:", "{{question}} Be brief."]
SAMPLES = ROWS * len(TEMPLATES)
KILLS_PER_RUN = 8


def answer(prompt):
    # Two prompts to one item often get different answers, so that there is something to compare.
    return f"The answer is {zlib.crc32(prompt.encode()) % 3}"


def sample_of(prompt):
    """Number of the sample that this prompt belongs to: variant * items + item."""
    number = int(prompt.split("item ")[1].split("?")[0])
    return number if prompt.startswith("Question: ") else ROWS + number


def fail_some(request):
    """Every twenty-fifth distinct prompt fails its first attempt: kills fall into retries too."""
    return mock_llm.Status(500) if request.attempt == 0 and request.number % 25 == 24 else None


def latency(request):
    return 0.003 + (zlib.crc32(request.key) % 1000) / 1000 * 0.012


class Killer:
    """Ends a process at a moment drawn beforehand: after a time, or exactly when the endpoint has
    received or answered the n-th request of the process."""

    def __init__(self, chance, endpoint):
        self.endpoint = endpoint
        self.kind = chance.choice(["time", "arrived", "answered"])
        self.seconds = chance.uniform(0.0, 0.45)
        self.count = chance.randint(1, 160)
        self.in_flight = None
        self.at = None
        self.process = None

    def __str__(self):
        return f"after {self.seconds:.3f} s" if self.kind == "time" else f"{self.kind} {self.count}"

    def on_event(self, kind, _):
        if kind == self.kind and self.process is not None and self.in_flight is None:
            self.count -= 1
            if self.count == 0:
                self.kill()

    def kill(self):
        self.in_flight = self.endpoint.in_flight
        self.at = time.monotonic()
        self.process.send_signal(signal.SIGKILL)

    def watch(self, process):
        """Gives the exit code; -9 when it was killed."""
        self.process = process
        if self.kind == "time":
            try:
                return process.wait(self.seconds)
            except subprocess.TimeoutExpired:
                self.kill()
        return process.wait(60)


class Trial:
    """One run from start to completion, with kills on the way."""

    def __init__(self, test, chance, kills_max, budget):
        self.test, self.chance, self.kills_max = test, chance, kills_max
        self.folder = test.folder / f"trial-{test.trials}"
        test.trials += 1
        self.folder.mkdir()
        self.home = support.Home(self.folder)
        self.endpoint = test.endpoint(
            latency=latency, script=fail_some, answer=answer, on_event=self.on_event
        )
        self.killer = None
        self.lost = set()
        self.kills = 0  # that hit a process
        self.in_flight_seen = 0  # at the endpoint, at those kills
        self.intents_seen = 0  # in the store, by all kills so far: open or uncertain
        self.oldest_lost_s = 0.0  # oldest answer, at a kill, whose result was not stored yet
        with open(self.folder / "rows.jsonl", "w") as out:
            for i in range(ROWS):
                out.write(f'{{"id": "r{i:05d}", "question": "What is item {i}?", "answer": "The answer is {i % 3}"}}\n')
        value = support.spec(
            self.endpoint.base_url,
            prompts=[{"id": f"p{n}", "template": text} for n, text in enumerate(TEMPLATES)],
            scorers=[
                {"type": "exact_match", "reference": "{{answer}}"},
                {"type": "chrf", "reference": "{{answer}}"},
            ],
            run={
                "concurrency": CONCURRENCY, "seed": 11, "budget": {"max_cost_usd": str(budget)},
                "retry": {"initial": "5ms", "maximum": "20ms"},
            },
        )
        self.file = self.folder / "experiment.yaml"
        self.file.write_text(support.json.dumps(value))

    def on_event(self, kind, request):
        if self.killer is not None:
            self.killer.on_event(kind, request)

    def go(self):
        """Runs and resumes until a process ends by itself; gives its exit code."""
        while True:
            with self.home.store() as store:
                self.test.assertEqual(store.problems(), [], f"the store is broken after kill {self.kills}")
                state = store.last_state()
                # A kill right after a resume has turned intents into uncertain calls.
                stored, in_flight = store.stored(), set(store.intents() + store.uncertain())
                self.test.assertEqual(len(stored), len(set(stored)), "a result is stored twice")
            if state == "completed":
                return support.PASSED
            arguments = ["resume", "last"] if state else ["run", self.file]
            asked_before = len(self.endpoint.requests)
            kill = self.kills < self.kills_max
            killer = Killer(self.chance, self.endpoint)
            self.killer = killer if kill else None
            with open(self.folder / "stderr", "a") as err:
                process = self.home.start(*arguments, stdout=subprocess.DEVNULL, stderr=err)
                code = killer.watch(process) if kill else process.wait(60)
            self.endpoint.settle()
            self.check_asked(asked_before, set(stored), in_flight, killer)
            if code != -signal.SIGKILL:
                return code
            self.kills += 1
            self.in_flight_seen += killer.in_flight
            with self.home.store() as store:
                # Not a sum: a process killed early leaves the intents of the one before it.
                self.intents_seen = len(store.intents()) + len(store.uncertain())
                self.note_lost(set(store.stored()), killer.at)

    def note_lost(self, stored, killed_at):
        for request in self.endpoint.requests:
            sample = sample_of(request.prompt)
            if request.status == 200 and (request.answered_at or killed_at) < killed_at and sample not in stored \
                    and sample not in self.lost:
                self.lost.add(sample)
                self.oldest_lost_s = max(self.oldest_lost_s, killed_at - request.answered_at)

    def check_asked(self, since, stored, in_flight, killer):
        """What a process asked: never what was stored already; again only what was in flight."""
        requests = self.endpoint.requests
        before = {sample_of(r.prompt) for r in requests[:since]}
        faulted = {sample_of(r.prompt) for r in requests[:since] if r.fault is not None}
        asked = {sample_of(r.prompt) for r in requests[since:]}
        self.test.assertEqual(asked & stored, set(), f"paid again after a kill {killer}")
        self.test.assertLessEqual((asked & before) - faulted, in_flight, f"sent again without having been in flight, after a kill {killer}")

    def resent(self):
        e = self.endpoint
        return len(e.requests) - len(e.distinct) - e.faults()

    def bill(self):
        return support.bill_usd(self.endpoint.billed_tokens())

    def said(self):
        return (self.folder / "stderr").read_text()[-3000:]


class Kill(support.LabTest):
    def setUp(self):
        super().setUp()
        self.trials = 0
        print(f"\n  {KILLS} kills, LAB_SEED={SEED}", flush=True)

    def trial(self, chance, kills_max, budget):
        return Trial(self, chance, kills_max, Decimal(budget))

    def test_killed_runs_lose_nothing_repeat_nothing_and_end_with_the_same_results(self):
        chance = random.Random(SEED)
        budget = "1.0"
        plain = self.trial(chance, 0, budget)
        self.assertEqual(plain.go(), support.PASSED, plain.said())
        expected = plain.home.report()
        self.assertEqual(plain.resent(), 0)
        self.assertEqual(expected.total("done"), SAMPLES)
        self.assertEqual(expected.cost(), plain.bill())
        kills = trials = resent = in_flight = intents = uncertain = oldest = 0
        while kills < KILLS:
            trial = self.trial(chance, min(KILLS_PER_RUN, KILLS - kills), budget)
            self.assertLess(trials, 10 * KILLS, "the kills come too late")
            self.assertEqual(trial.go(), support.PASSED, trial.said())
            self.check_complete(trial, expected)
            trials += 1
            kills += trial.kills
            resent += trial.resent()
            in_flight += trial.in_flight_seen
            intents += trial.intents_seen
            uncertain += trial.home.report().total("uncertain")
            oldest = max(oldest, trial.oldest_lost_s)
        print(
            f"  {kills} kills in {trials} runs of {SAMPLES} samples: {resent} calls sent again; in flight at the "
            f"kills: {in_flight} at the endpoint, {intents} by the journal; {uncertain} reported as uncertain; the "
            f"oldest answer whose result was not stored yet came {1000 * oldest:.0f} ms before its kill",
            flush=True,
        )
        # In flight: sent, and the result not yet written. The journal knows each one, and an answer holds
        # its slot until it is written, so a kill never finds more of them than there are slots.
        self.assertLessEqual(resent, intents)
        self.assertLessEqual(resent, kills * CONCURRENCY)
        self.assertLess(oldest, 5)

    def check_complete(self, trial, expected):
        report = trial.home.report()
        self.assertEqual(report.state, "completed")
        self.assertEqual((report.total("done"), report.total("missing")), (SAMPLES, 0))
        with trial.home.store() as store:
            self.assertEqual(sorted(store.stored()), list(range(SAMPLES)))
            self.assertEqual(store.intents(), [])
        self.assertEqual(report.total("uncertain"), trial.intents_seen)
        self.assertLessEqual(trial.resent(), report.total("uncertain"))
        bill = trial.bill()
        self.assertLessEqual(report.cost(), bill)
        self.assertLessEqual(bill, report.cost() + report.uncertain_cost())
        if report.results_bytes != expected.results_bytes:
            self.fail(f"the results differ from those of an uninterrupted run: {first_difference(report, expected)}")

    def test_killed_runs_never_pass_the_budget(self):
        chance = random.Random(SEED + 1)
        full = SAMPLES * support.bill_usd(mock_llm.default_usage("Question: What is item 100?\nAnswer:", answer("")))
        kills, wanted, trials = 0, max(4, KILLS // 4), 0
        while kills < wanted:
            # Room for a part of the run and for the reservations that kills leave uncertain.
            budget = (full * Decimal(chance.uniform(0.5, 3.0))).quantize(Decimal("1e-9"))
            trial = self.trial(chance, min(KILLS_PER_RUN, wanted - kills), budget)
            code = trial.go()
            bill = trial.bill()
            self.assertLessEqual(bill, budget)
            report = trial.home.report()
            self.assertLessEqual(report.cost() + report.uncertain_cost(), budget)
            self.assertLessEqual(bill, report.cost() + report.uncertain_cost())
            if code == support.PASSED:
                self.assertEqual(report.total("done"), SAMPLES)
            else:
                self.assertEqual(code, support.OTHER, trial.said())
                self.assertEqual(report.state, "budget_exhausted")
                self.assertIn("budget", trial.said())
                with trial.home.store() as store:
                    self.assertEqual(len(store.stored()), report.total("done"))
            kills += trial.kills
            trials += 1
        print(f"  {kills} kills in {trials} runs with a small budget", flush=True)


def first_difference(report, expected):
    a, b = report.results_bytes, expected.results_bytes
    at = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
    return f"at byte {at}: ...{a[max(0, at - 200):at + 80]!r}, expected ...{b[max(0, at - 80):at + 80]!r}"


if __name__ == "__main__":
    unittest.main()
