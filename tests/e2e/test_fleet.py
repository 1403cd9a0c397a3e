"""Several processes over one PostgreSQL: who works on a run, what becomes of it when that one dies, sleeps
or is told to go, and what the others hear of it."""
import signal
import time
import unittest
import urllib.request

import mock_llm
import test_migrate
import test_postgres
import test_serve

ROWS = 60
LEASE = 2  # seconds
IN_FLIGHT = 8  # what a run has at once: run.concurrency


class Worker(test_serve.Server):
    """`llm-research worker`: it has a port for probes and metrics alone."""
    COMMAND = ("worker",)
    READY = "working"

    def runs(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=20) as answer:
            lines = answer.read().decode().splitlines()
        return int(next(float(line.split()[1]) for line in lines if line.startswith("experiments_running ")))


class Processes(test_postgres.OnPostgres, test_serve.ServeTest):
    """A model that takes its time, and what becomes of a run over it."""

    def setUp(self):
        super().setUp()
        self.endpoint = self.enterContext(mock_llm.MockLLM())
        self.endpoint.script = lambda request: mock_llm.Slow(0.1)

    def fleet(self, workers=2, **env):
        """A server that serves alone, and workers."""
        self.workers = []
        self.at = self.server(arguments=("--no-worker",), **env)
        self.token = self.user(self.at)
        for _ in range(workers):
            self.workers.append(self.worker())
        return self.at

    def worker(self, **env):
        return self.server(kind=Worker, WORKER_LEASE=f"{LEASE}s", **env)

    def call(self, method, path, body=None, at=None):
        return (at or self.at).call(method, path, body, self.token)[2]

    def until(self, condition, seconds=60):
        end = time.monotonic() + seconds
        while not condition():
            self.assertLess(time.monotonic(), end, "it does not come")
            time.sleep(0.02)

    def started(self, rows=ROWS):
        """The path of an experiment that was started, and that of its run."""
        dataset = test_serve.Experiments.upload(
            self, self.at, self.token, "rows", [{"id": str(i), "q": f"q{i}", "reference": "x"} for i in range(rows)]
        )
        model = self.made(self.at, self.token, "/models", {
            "name": "m", "provider": "custom", "model_identifier": "m",
            "config": {"base_url": self.endpoint.base_url, "pricing": {"input_per_million": "1", "output_per_million": "1"}},
        })
        prompt = self.made(self.at, self.token, "/prompts", {"name": "p", "template": "{{q}}"})
        config = {
            "dataset_ids": [dataset], "model_ids": [model["id"]], "prompt_template_ids": [prompt["id"]],
            "evaluation_metrics": ["exact_match"], "run": {"concurrency": IN_FLIGHT},
        }
        experiment = self.made(self.at, self.token, "/experiments", {"name": "shared", "config": config})["id"]
        path = f"/experiments/{experiment}"
        self.call("POST", f"{path}/start")
        run = self.call("GET", f"{path}/runs")["data"][0]["id"]
        return path, f"{path}/runs/{run}"

    def answered(self):
        return sum(1 for request in list(self.endpoint.requests) if request.answered_at is not None)

    def who_works(self):
        """The worker that carries the run out, and the other."""
        self.until(lambda: any(worker.runs() for worker in self.workers))
        return sorted(self.workers, key=lambda worker: -worker.runs())

    def check_whole(self, run, rows=ROWS):
        shown = self.call("GET", run)
        self.assertEqual(shown["status"], "completed", shown)
        stored = test_migrate.sql(self.url, "SELECT COUNT(*), COUNT(DISTINCT item_id) FROM samples WHERE state = 1")
        self.assertEqual(stored, f"{rows}|{rows}")
        self.assertEqual(test_migrate.sql(self.url, "SELECT COUNT(*) FROM intents"), "0")
        return shown


class Fleet(Processes):
    def test_a_server_without_workers_queues_and_workers_carry_out(self):
        self.fleet()
        path, run = self.started()
        # Followed at a process that does none of the work.
        heard = test_serve.Experiments.events(self, self.at, self.token, f"{run}/events")
        kinds = [kind for kind, _ in heard]
        self.assertEqual((kinds[0], kinds[-1]), ("state", "done"))
        self.assertIn("progress", kinds)
        self.assertEqual(heard[-1][1]["status"], "completed")
        self.check_whole(run)
        self.assertEqual(self.call("GET", path)["status"], "completed")
        self.assertEqual(len(self.endpoint.requests), ROWS)
        self.assertEqual([worker.stop()[0] for worker in self.workers], [0, 0])

    def test_what_a_dead_worker_left_another_goes_on_with(self):
        self.fleet()
        _, run = self.started()
        first, second = self.who_works()
        self.until(lambda: self.answered() >= ROWS // 4)
        first.process.kill()
        self.until(lambda: self.call("GET", run)["status"] == "completed")
        self.check_whole(run)
        self.assertEqual(second.stop()[0], 0)
        self.endpoint.settle()
        self.assertLessEqual(len(self.endpoint.requests) - ROWS, IN_FLIGHT)

    def test_a_worker_that_is_told_to_go_hands_over(self):
        self.fleet()
        _, run = self.started()
        first, _ = self.who_works()
        self.until(lambda: self.answered() >= ROWS // 4)
        self.assertEqual(first.stop()[0], 0)
        gone = time.monotonic()
        before = self.answered()
        self.until(lambda: self.answered() > before)
        self.assertLess(time.monotonic() - gone, 5)
        self.until(lambda: self.call("GET", run)["status"] == "completed")
        self.check_whole(run)
        self.assertEqual(len(self.endpoint.requests), ROWS)  # nothing was cut short

    def test_a_worker_that_slept_too_long_stores_nothing_more(self):
        self.fleet()
        _, run = self.started()
        first, second = self.who_works()
        self.until(lambda: self.answered() >= ROWS // 4)
        first.process.send_signal(signal.SIGSTOP)
        try:
            self.until(second.runs)  # its time is over
        finally:
            first.process.send_signal(signal.SIGCONT)
        self.until(lambda: self.call("GET", run)["status"] == "completed")
        self.until(lambda: first.runs() == 0)
        self.check_whole(run)
        self.assertLessEqual(len(self.endpoint.requests) - ROWS, 2 * IN_FLIGHT)
        # It is as good as new.
        self.assertEqual(second.stop()[0], 0)
        path, again = self.started_again(run)
        self.until(lambda: self.call("GET", again)["status"] == "completed")

    def started_again(self, run):
        path = run.split("/runs/")[0]
        clone = self.call("POST", f"{path}/clone", {"name": "again"})
        path = f"/experiments/{clone['id']}"
        self.call("POST", f"{path}/start")
        return path, f"{path}/runs/{self.call('GET', f'{path}/runs')['data'][0]['id']}"

    def test_cancelling_reaches_the_worker(self):
        self.endpoint.script = lambda request: mock_llm.Slow(0.5)
        self.fleet(workers=1)
        path, run = self.started(rows=400)
        self.who_works()
        self.until(lambda: self.answered() >= IN_FLIGHT)
        self.call("POST", f"{path}/cancel")
        asked = time.monotonic()
        self.until(lambda: self.workers[0].runs() == 0)
        self.assertLess(max(request.arrived_at for request in self.endpoint.requests) - asked, 2)
        self.assertEqual(self.call("GET", run)["status"], "cancelled")

    def test_pausing_reaches_the_worker_and_resuming_any(self):
        self.fleet()
        path, run = self.started()
        self.who_works()
        self.until(lambda: self.answered() >= IN_FLIGHT)
        self.call("POST", f"{path}/pause")
        self.until(lambda: not any(worker.runs() for worker in self.workers))
        self.assertLess(self.answered(), ROWS)
        self.call("POST", f"{path}/resume")
        self.until(lambda: self.call("GET", run)["status"] == "completed")
        self.check_whole(run)
        self.assertEqual(len(self.endpoint.requests), ROWS)


if __name__ == "__main__":
    unittest.main()
