"""Analytics: what ClickHouse holds is what the store says, each fact once, also after ClickHouse was away; and
the figures of the API are the same from either."""
import importlib.util
import json
import pathlib
import time
import unittest
import urllib.request

import mock_llm
import support
import test_migrate
import test_postgres
import test_serve

TOOL = pathlib.Path(__file__).resolve().parents[2] / "tools" / "clickhouse.py"
SPEC = importlib.util.spec_from_file_location("lab_clickhouse", TOOL)
clickhouse = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(clickhouse)

DATABASE = "llm_metrics"
ROWS = 120
FAILING = "q7."  # the question whose calls fail


class AnalyticsTest(test_serve.ServeTest):
    def setUp(self):
        super().setUp()
        if not clickhouse.is_installed():
            self.skipTest("no ClickHouse: tools/clickhouse.py --build installs one")
        self.clickhouse = self.enterContext(clickhouse.Server())
        self.endpoint = self.enterContext(mock_llm.MockLLM())
        self.pause = 0
        self.endpoint.script = self.answer

    def answer(self, request):
        if request.prompt == FAILING:
            return mock_llm.Status(400)
        return mock_llm.Slow(self.pause) if self.pause else None

    def lab(self, **more):
        return self.server(
            CLICKHOUSE_URL=self.clickhouse.url, CLICKHOUSE_USER=self.clickhouse.user,
            CLICKHOUSE_PASSWORD=self.clickhouse.password, HEALTH_CHECK_INTERVAL="1s", **more)

    def until(self, what, seconds=40):
        """Waits until `what()` is true; gives what it was last."""
        end = time.monotonic() + seconds
        while not (last := what()) and time.monotonic() < end:
            time.sleep(0.05)
        return last

    def analytics(self, lab):
        return lab.call("GET", "/health/ready")[2]["components"]["analytics"]["status"]

    def metric(self, lab, name):
        with urllib.request.urlopen(f"http://127.0.0.1:{lab.metrics_port}/metrics", timeout=20) as answer:
            for line in answer.read().decode().splitlines():
                if line.startswith(f"{name} "):
                    return float(line.split()[1])
        return None

    def waiting(self):
        with support.Store(self.lab_home) as store:
            return len(store.rows("outbox", "key"))

    def drained(self, lab, seconds=40):
        self.lab_home = lab.home.path
        self.assertTrue(self.until(lambda: self.waiting() == 0, seconds), [line for line in lab.log if line["target"].endswith("clickhouse")])

    def experiment(self, lab, token, rows=ROWS):
        """The path of an experiment with one model."""
        lines = [{"id": str(i), "q": f"q{i}.", "reference": mock_llm.default_answer(f"q{i}.") if i % 3 else "x"}
                 for i in range(rows)]
        dataset = test_serve.Experiments.upload(self, lab, token, "rows", lines)
        model = self.made(lab, token, "/models", {
            "name": "m", "provider": "custom", "model_identifier": "mock-1",
            "config": {"base_url": self.endpoint.base_url, "pricing": {"input_per_million": "1", "output_per_million": "1"}},
        })
        prompt = self.made(lab, token, "/prompts", {"name": "p", "template": "{{q}}"})
        made = self.made(lab, token, "/experiments", {"name": "sums", "config": {
            "model_ids": [model["id"]], "dataset_ids": [dataset], "prompt_template_ids": [prompt["id"]],
            "scorers": [{"type": "exact_match", "id": "accuracy"}],
            "run": {"concurrency": 8, "max_error_share": 1},
        }})
        return f"/experiments/{made['id']}"

    def start(self, lab, token, path):
        status, _, started = lab.call("POST", f"{path}/start", token=token)
        self.assertEqual(status, 200, started)

    def run_of(self, lab, token, path):
        return lab.call("GET", f"{path}/runs", token=token)[2]["data"][0]

    def ended(self, lab, token, path, seconds=60):
        self.until(lambda: self.run_of(lab, token, path)["status"] not in ("pending", "queued", "running"), seconds)
        run = self.run_of(lab, token, path)
        self.assertEqual(run["status"], "completed", run)
        return run

    def assert_same_rows(self, lab):
        """ClickHouse and the store, fact by fact."""
        with support.Store(lab.home.path) as store:
            ids = dict(store.rows("runs", "key, id"))
            stored = sorted(
                (ids[run], sample, "done" if state == 1 else "failed", attempts, cost, tokens, took)
                for run, sample, state, attempts, cost, tokens, took in store.rows(
                    "samples", "run, sample, state, attempts, cost_pico, input_tokens, latency_ns"))
            scores = sorted(
                (ids[run], sample, json.loads(text)["v"][0])
                for run, sample, text in store.rows("samples", "run, sample, scores") if text)
        told = sorted(
            (run, int(sample), state, int(attempts), None if cost == "\\N" else int(cost), int(tokens), int(took))
            for run, sample, state, attempts, cost, tokens, took in self.clickhouse.rows(
                "SELECT run_id, sample, state, attempts, cost_pico, input_tokens, latency_ns "
                "FROM experiment_calls FINAL WHERE sample >= 0", DATABASE))
        self.assertEqual(told, stored)
        values = sorted(float(value) for value, in self.clickhouse.rows(
            "SELECT metric_value FROM experiment_metrics FINAL WHERE metric_name = 'accuracy'", DATABASE))
        self.assertEqual(values, sorted(value for _, _, value in scores))
        return stored

    def figures(self, lab, token, path):
        """Every answer, without where it comes from."""
        window = "from=2026-01-01T00:00:00Z&to=2100-01-01T00:00:00Z"
        out, sources = [], set()
        for query in (
            f"{path}/metrics/series?metric=accuracy&step=hour&{window}", f"{path}/metrics/trend?metric=accuracy&{window}",
            f"/analytics/latency?{window}", f"/analytics/costs?by=owner&{window}", f"/analytics/costs?by=model&{window}",
            f"/analytics/costs?by=experiment&experiment_id={path.rsplit('/', 1)[1]}&{window}",
        ):
            status, _, found = lab.call("GET", query, token=token)
            self.assertEqual(status, 200, found)
            sources.add(found.pop("source"))
            found.pop("behind_seconds")
            out.append(found)
        return sources, out


class Analytics(AnalyticsTest):
    def test_clickhouse_holds_what_the_store_says_and_both_give_the_same_figures(self):
        lab = self.lab()
        token = self.user(lab)
        path = self.experiment(lab, token)
        for _ in range(3):
            self.start(lab, token, path)
            self.ended(lab, token, path)
        self.drained(lab)
        self.assertTrue(self.until(lambda: self.analytics(lab) == "healthy"))
        stored = self.assert_same_rows(lab)
        self.assertEqual(len(stored), 3 * ROWS)
        self.assertEqual(sum(state == "failed" for _, _, state, *_ in stored), 3)
        kinds = [kind for kind, in self.clickhouse.rows(
            "SELECT event_type FROM experiment_events FINAL ORDER BY timestamp", DATABASE)]
        self.assertEqual([kind for kind in kinds if kind.endswith("_completed")], ["run_completed", "experiment_completed"] * 3)
        self.assertEqual(kinds.count("run_started"), 3)
        self.assertTrue(self.until(lambda: self.metric(lab, "analytics_outbox_rows") == 0))

        sources, asked = self.figures(lab, token, path)
        self.assertEqual(sources, {"clickhouse"})
        series, trend, latency, owners, models, _ = asked
        self.assertEqual(sum(point["count"] for point in series["points"]), 3 * (ROWS - 1))
        self.assertEqual([run["run_number"] for run in trend["runs"]], [1, 2, 3])
        self.assertEqual(trend["trend"]["slope"], 0)
        self.assertEqual(sum(row["failed"] for row in latency["rows"]), 3)
        me = lab.call("GET", "/auth/me", token=token)[2]
        self.assertEqual([row["key"] for row in owners["rows"]], [me["id"]])
        self.assertEqual([row["key"] for row in models["rows"]], ["mock-1"])
        self.assertEqual(owners["total"]["samples"], 3 * ROWS)
        # Without it the store answers, number by number the same.
        self.clickhouse.end()
        again = self.figures(lab, token, path)
        self.assertEqual(again, ({"store"}, asked))

    def test_what_happens_while_clickhouse_is_away_is_told_once(self):
        lab = self.lab()
        token = self.user(lab)
        path = self.experiment(lab, token, rows=400)
        self.pause = 0.05
        self.start(lab, token, path)
        self.assertTrue(self.until(lambda: self.metric(lab, "analytics_rows_sent_total")))
        port = self.clickhouse.port
        for _ in range(2):
            self.clickhouse.end()
            self.assertTrue(self.until(lambda: self.analytics(lab) == "degraded"))
            self.assertEqual(lab.call("GET", "/health/ready")[0], 200)
            self.assertEqual(lab.call("GET", path, token=token)[0], 200)
            self.assertTrue(self.clickhouse.start(port))
        self.clickhouse.end()
        self.ended(lab, token, path)
        self.lab_home = lab.home.path
        self.assertGreater(self.waiting(), 0)
        # Nor does the death of who tells it matter.
        lab.process.kill()
        lab.process.wait()
        self.assertTrue(self.clickhouse.start(port))
        lab = self.lab()
        self.drained(lab, 60)
        self.assertEqual(len(self.assert_same_rows(lab)), 400)
        self.assertTrue(self.until(lambda: self.analytics(lab) == "healthy"))
        # A database that was lost is made again, with everything in it.
        self.clickhouse.ask(f"DROP DATABASE {DATABASE}")
        self.made(lab, token, "/experiments", {"name": "another"})
        self.assertTrue(self.until(lambda: self.tables() == 3))
        self.drained(lab, 60)
        self.assertEqual(len(self.assert_same_rows(lab)), 400)

    def tables(self):
        return int(self.clickhouse.ask(f"SELECT count() FROM system.tables WHERE database = '{DATABASE}'"))

    def test_who_may_not_see_an_experiment_sees_nothing_of_its_figures(self):
        lab = self.lab()
        token = self.user(lab)
        path = self.experiment(lab, token, rows=20)
        self.assertEqual(lab.call("PUT", path, {"visibility": "private"}, token)[0], 200)
        self.start(lab, token, path)
        self.ended(lab, token, path)
        self.drained(lab)
        other = self.user(lab, "bob@example.org", role="Researcher")
        self.assertEqual(lab.call("GET", f"{path}/metrics/series?metric=accuracy", token=other)[0], 404)
        self.assertEqual(lab.call("GET", f"{path}/metrics/trend?metric=accuracy", token=other)[0], 404)
        self.assertEqual(lab.call("GET", "/analytics/latency", token=other)[2]["rows"], [])
        self.assertEqual(lab.call("GET", "/analytics/costs", token=other)[2]["total"]["samples"], 0)
        self.assertEqual(lab.call("GET", "/analytics/costs", token=token)[2]["total"]["samples"], 20)
        for query in ("/analytics/costs?by=team", "/analytics/latency?from=yesterday",
                      f"{path}/metrics/series", f"{path}/metrics/series?metric=accuracy&step=year"):
            self.assertIn(lab.call("GET", query, token=token)[0], (400, 422), query)
        lab.stop()
        lab.reader.join(5)
        self.assertNotIn(self.clickhouse.password, json.dumps(lab.log))


@unittest.skipUnless((test_postgres.postgres.BIN / "initdb").exists(), "PostgreSQL is not installed")
class Replicas(test_postgres.OnPostgres, AnalyticsTest):
    def test_of_several_processes_one_tells_and_another_goes_on(self):
        lab, second = self.lab(), self.lab()
        token = self.user(lab)
        path = self.experiment(lab, token)
        self.pause = 0.02
        self.start(lab, token, path)
        self.assertTrue(self.until(lambda: any(self.metric(one, "analytics_rows_sent_total") for one in (lab, second))))
        self.ended(lab, token, path)
        teller = max((lab, second), key=lambda one: self.metric(one, "analytics_rows_sent_total"))
        rest = second if teller is lab else lab
        teller.process.kill()
        teller.process.wait()
        self.start(rest, token, path)
        self.ended(rest, token, path)
        stored = "SELECT COUNT(*), SUM(attempts), SUM(latency_ns) FROM samples"
        facts = "SELECT count(), sum(attempts), sum(latency_ns) FROM experiment_calls FINAL"
        self.assertTrue(self.until(lambda: test_migrate.sql(self.url, "SELECT COUNT(*) FROM outbox") == "0"))
        self.assertEqual(test_migrate.sql(self.url, stored).split("|"), self.clickhouse.rows(facts, DATABASE)[0])
        sources, asked = self.figures(rest, token, path)
        self.assertEqual(sources, {"clickhouse"})
        self.clickhouse.end()
        self.assertEqual(self.figures(rest, token, path), ({"store"}, asked))


if __name__ == "__main__":
    unittest.main()
