"""Evaluations over HTTP: records in batches, definitions that are run over recorded outputs, scores
that people report, comparisons; the figures are computed here once more."""
import math
import time
import unittest

import test_serve

ROWS = 60
WRONG = {"good": 12, "weak": 3}  # every so many-th answer is wrong


def is_right(name, i):
    return i % WRONG[name] != 0


def mcnemar_midp(b, c):
    """Of b and c discordant pairs, two-sided."""
    n, k = b + c, min(b, c)
    tail = sum(math.comb(n, j) for j in range(k + 1)) / 2**n
    return min(1.0, 2 * tail - math.comb(n, k) / 2**n)


def mean_and_sd(values):
    mean = sum(values) / len(values)
    return mean, math.sqrt(sum((v - mean) ** 2 for v in values) / (len(values) - 1))


class EvaluationTest(test_serve.ServeTest):
    def uploaded(self, server, token, name, rows):
        return test_serve.Experiments.upload(self, server, token, name, rows)

    def prepared(self, server, token):
        """(dataset, {name: model}) with recorded outputs."""
        questions = self.uploaded(server, token, "sums", [
            {"id": f"q{i:02d}", "question": f"What is {i} + {i}?", "answer": f"{2 * i}"} for i in range(ROWS)
        ])
        models = {}
        for name in WRONG:
            recorded = self.uploaded(server, token, f"outputs of {name}", [
                {"id": f"q{i:02d}", "output": f"It is {2 * i + (0 if is_right(name, i) else 1)}."} for i in range(ROWS)
            ])
            models[name] = self.made(server, token, "/models", {
                "name": name, "provider": "custom", "model_identifier": name, "config": {"replay_dataset": recorded},
            })["id"]
        return questions, models

    def definition(self, server, token, name, models, questions, kind="automated", **config):
        return self.made(server, token, "/evaluations", {
            "name": name, "evaluation_type": kind, "config": {
                "metrics": [{"name": "accuracy", "metric_type": "numeric"}], "reference_field": "answer",
                "dataset_id": questions, "model_ids": models, **config,
            },
        })["id"]

    def ran(self, server, token, evaluation, body=None):
        """A run that was waited for."""
        status, _, run = server.call("POST", f"/evaluations/{evaluation}/run", body, token)
        self.assertEqual((status, run.get("status")), (200, "completed"), run)
        return run["id"]


class Records(EvaluationTest):
    def test_records_come_one_by_one_and_in_batches(self):
        server = self.server()
        token = self.user(server)
        experiment = self.made(server, token, "/experiments", {"name": "x"})["id"]
        run = self.made(server, token, f"/experiments/{experiment}/runs", {})["id"]
        sample = {
            "experiment_id": experiment, "sample_id": "s1", "input": "2+2?", "output": "4",
            "latency_ms": 12.5, "token_count": 7, "cost": "0.0012", "metrics": {"accuracy": 1},
        }
        made = self.made(server, token, "/evaluations", sample)
        self.assertEqual((made["kind"], made["status"], made["cost"]), ("sample", "completed", "0.0012"))
        self.assertNotIn("name", made)
        self.made(server, token, "/evaluations", {"experiment_id": experiment, "run_id": run, "metrics": {"bleu": 31.5}})
        batch = [{**sample, "sample_id": f"s{i}", "tags": ["batch"]} for i in range(1000)]
        answer = self.made(server, token, "/evaluations", batch)
        self.assertEqual([one["sample_id"] for one in answer], [f"s{i}" for i in range(1000)])
        bad = [dict(one) for one in batch[:5]]
        bad[3]["output"] = ""
        status, _, refused = server.call("POST", "/evaluations", bad, token)
        self.assertEqual((status, refused["error"]["details"][0]["field"]), (422, "[3].output"), refused)
        status, _, _ = server.call("POST", "/evaluations", batch + batch[:1], token)
        self.assertEqual(status, 422)

        def total(query):
            status, _, found = server.call("GET", f"/evaluations?{query}", token=token)
            self.assertEqual(status, 200, found)
            return found["meta"]["total_count"]
        self.assertEqual(total("limit=1"), 1002)
        self.assertEqual(total("kind=run_summary"), 1)
        self.assertEqual(total(f"run_id={run}"), 1)
        self.assertEqual(total(f"experiment_id={experiment}&tags=batch"), 1000)
        self.assertEqual(total("evaluation_type=human"), 0)
        self.assertEqual(server.call("GET", "/evaluations?status=ready", token=token)[0], 400)
        # Every page once, by cursors, in the order of names that records have not.
        seen, query = set(), "sort=name&limit=100"
        while query:
            page = server.call("GET", f"/evaluations?{query}", token=token)[2]
            seen.update(one["id"] for one in page["data"])
            cursor = page["pagination"]["next_cursor"]
            query = cursor and f"sort=name&limit=100&cursor={cursor}"
        self.assertEqual(len(seen), 1002)

        path = f"/evaluations/{made['id']}"
        _, headers, _ = server.call("GET", path, token=token)
        status, headers, changed = server.call("PUT", path, {"expected_output": "4"}, token, {"If-Match": headers["ETag"]})
        self.assertEqual((status, changed["expected_output"], changed["input"]), (200, "4", "2+2?"))
        self.assertEqual(server.call("PUT", path, {"output": "5"}, token, {"If-Match": '"1"'})[0], 412)
        self.assertEqual(server.call("DELETE", path, token=token)[0], 204)
        self.assertEqual(server.call("GET", path, token=token)[0], 404)

    def test_who_may_not_write_or_see_does_not(self):
        server = self.server()
        admin = self.user(server)
        viewer = self.user(server, "bob@example.org", "Viewer")
        researcher = self.user(server, "cat@example.org", "Researcher")
        hidden = self.made(server, admin, "/experiments", {"name": "x", "visibility": "private"})["id"]
        sample = {
            "experiment_id": hidden, "sample_id": "s", "input": "i", "output": "o", "latency_ms": 1, "token_count": 1,
        }
        status, _, refused = server.call("POST", "/evaluations", sample, viewer)
        self.assertEqual((status, refused["error"]["required_permission"]), (403, "experiments:execute"))
        # What is hidden and what does not exist are refused in the same words.
        status, _, refused = server.call("POST", "/evaluations", sample, researcher)
        nothing = "00000000-0000-4000-8000-000000000000"
        _, _, unknown = server.call("POST", "/evaluations", {**sample, "experiment_id": nothing}, researcher)
        self.assertEqual(status, 422)
        self.assertEqual(refused["error"]["details"], unknown["error"]["details"])
        self.assertEqual(refused["error"]["details"][0]["field"], "experiment_id")
        made = self.made(server, admin, "/evaluations", sample)
        self.assertEqual(made["visibility"], "private")
        self.assertEqual(server.call("GET", f"/evaluations/{made['id']}", token=researcher)[0], 404)
        self.assertEqual(server.call("GET", "/evaluations", token=viewer)[2]["data"], [])


class Definitions(EvaluationTest):
    def test_a_definition_is_run_and_its_results_are_right(self):
        server = self.server()
        token = self.user(server)
        questions, models = self.prepared(server, token)
        made = self.definition(server, token, "nightly", list(models.values()), questions, "comparison", metrics=[
            {"name": "accuracy", "metric_type": "numeric", "threshold": {"above": 0.9}, "weight": 1},
        ])
        path = f"/evaluations/{made}"
        run = self.ran(server, token, made)
        shown = server.call("GET", path, token=token)[2]
        self.assertEqual((shown["status"], shown["run_count"]), ("completed", 1), shown)
        self.assertTrue(shown["last_run_at"])
        status, _, results = server.call("GET", f"{path}/runs/{run}/results?limit=100", token=token)
        self.assertEqual(status, 200, results)

        by_model = {one["model"]: one["metrics"]["accuracy"] for one in results["by_model"]}
        scores = {name: [1.0 if is_right(name, i) else 0.0 for i in range(ROWS)] for name in WRONG}
        for name, figures in by_model.items():
            self.assertAlmostEqual(figures["mean"], sum(scores[name]) / ROWS, places=12)
            self.assertEqual((figures["n"], figures["missing"], figures["passed"]), (ROWS, 0, name == "good"))
            interval = figures["confidence_interval"]
            self.assertTrue(0 <= interval["low"] < figures["mean"] < interval["high"] <= 1, interval)
        both = [(g + w) / 2 for g, w in zip(scores["good"], scores["weak"])]
        mean, sd = mean_and_sd(both)
        self.assertAlmostEqual(results["metrics"]["accuracy"]["mean"], mean, places=12)
        self.assertAlmostEqual(results["metrics"]["accuracy"]["std"], sd, places=12)
        self.assertAlmostEqual(results["overall_score"], mean, places=12)

        (pair,) = results["comparisons"]
        self.assertEqual((pair["metric"], pair["variant_a"].split("/")[0]), ("accuracy", "weak"))
        differences = [w - g for g, w in zip(scores["good"], scores["weak"])]
        mean, sd = mean_and_sd(differences)
        midp = mcnemar_midp(sum(d > 0 for d in differences), sum(d < 0 for d in differences))
        self.assertTrue(pair["paired"] and pair["significant"])
        self.assertAlmostEqual(pair["difference"], mean, places=12)
        self.assertAlmostEqual(pair["p_value"], midp, delta=1e-9)
        self.assertAlmostEqual(pair["effect_size"], mean / sd, places=9)

        samples = results["samples"]
        self.assertEqual(len(samples["data"]), 100)
        rest = server.call("GET", f"{path}/runs/{run}/results?limit=100&cursor={samples['pagination']['next_cursor']}", token=token)[2]
        self.assertEqual(len(rest["samples"]["data"]), 2 * ROWS - 100)
        # The experiment that carries the runs is the service's own.
        self.assertEqual(server.call("GET", "/experiments", token=token)[2]["data"], [])

        # Overrides are for one run; without waiting it is told at once.
        status, headers, later = server.call(
            "POST", f"{path}/run", {"async_execution": True, "config_overrides": {"sample_size": 10, "random_seed": 3}}, token)
        self.assertEqual((status, later["run_number"], later["config"]["sample_size"]), (202, 2, 10), later)
        self.wait_for(lambda: server.call("GET", headers["Location"], token=token)[2]["status"] == "completed")
        few = server.call("GET", headers["Location"] + "/results", token=token)[2]
        self.assertEqual(few["items"], 10)
        runs = server.call("GET", f"{path}/runs", token=token)[2]
        self.assertEqual([one["run_number"] for one in runs["data"]], [2, 1])
        self.assertNotIn("sample_size", server.call("GET", path, token=token)[2]["config"])
        self.assertEqual(server.call("DELETE", path, token=token)[0], 204)
        self.assertEqual(server.call("GET", f"{path}/runs", token=token)[0], 404)

    def wait_for(self, is_so, seconds=20):
        end = time.monotonic() + seconds
        while not is_so():
            self.assertLess(time.monotonic(), end, "it did not come to pass")
            time.sleep(0.02)

    def test_what_cannot_be_run_says_why(self):
        server = self.server()
        token = self.user(server)
        questions, models = self.prepared(server, token)
        good = [models["good"]]

        def refused(kind, **config):
            made = self.definition(server, token, f"{kind} {config}", good, questions, kind, **config)
            status, _, answer = server.call("POST", f"/evaluations/{made}/run", {}, token)
            self.assertEqual(status, 422, answer)
            return [one["field"] for one in answer["error"]["details"]]
        self.assertEqual(refused("automated", metrics=["acuracy"])[0], "config.metrics[0]")
        self.assertEqual(refused("automated", metrics=[]), ["config.metrics"])
        self.assertIn("config.model_ids", refused("automated", model_ids=[]))
        self.assertEqual(refused("automated", reference_field="solution")[0], "config.metrics[0].reference")
        self.assertEqual(refused("llm_judge"), ["config.judge_config"])
        status, _, answer = server.call("POST", "/evaluations", {
            "name": "one", "evaluation_type": "comparison", "config": {"model_ids": good},
        }, token)
        self.assertEqual((status, answer["error"]["details"][0]["field"]), (422, "config.model_ids"))
        experiment = self.made(server, token, "/experiments", {"name": "x"})["id"]
        sample = self.made(server, token, "/evaluations", {
            "experiment_id": experiment, "sample_id": "s", "input": "i", "output": "o", "latency_ms": 1, "token_count": 1,
        })["id"]
        for path in (f"/evaluations/{sample}/runs", f"/evaluations/{sample}/run"):
            method = "GET" if path.endswith("runs") else "POST"
            status, _, answer = server.call(method, path, None if method == "GET" else {}, token)
            self.assertEqual((status, answer["error"]["code"]), (400, "INVALID_STATE"), answer)

    def test_people_report_their_scores(self):
        server = self.server()
        token = self.user(server)
        made = self.made(server, token, "/evaluations", {
            "name": "panel", "evaluation_type": "human",
            "config": {"sample_size": 3, "metrics": [{"name": "fluency", "weight": 3}, {"name": "effort", "higher_is_better": False}]},
        })["id"]
        status, _, run = server.call("POST", f"/evaluations/{made}/run", {}, token)
        self.assertEqual((status, run["status"], run["origin"]), (200, "pending", "client"), run)
        path = f"/evaluations/{made}/runs/{run['id']}"
        # Two raters, whose scores of an item are averaged: 3 and 5 are one 4.
        first = [
            {"item_id": "a", "rater": "ann", "metrics": {"fluency": 3, "effort": 2}},
            {"item_id": "a", "rater": "bob", "metrics": {"fluency": 5, "effort": 2}},
            {"item_id": "b", "rater": "ann", "metrics": {"fluency": 1, "effort": 4}},
        ]
        for added in (3, 0):  # what is sent again changes nothing
            status, _, said = server.call("POST", f"{path}/metrics", first, token)
            self.assertEqual((status, said["added"], said["run"]["status"]), (201, added, "running"), said)
        status, _, bad = server.call("POST", f"{path}/metrics", [{"item_id": "a"}], token)
        self.assertEqual((status, bad["error"]["details"][0]["field"]), (422, "scores[0].metrics"))
        # The third item is the last that was expected.
        status, _, said = server.call("POST", f"{path}/metrics", [{"item_id": "c", "name": "fluency", "value": 4}], token)
        self.assertEqual((status, said["run"]["status"]), (201, "completed"), said)
        results = server.call("GET", f"{path}/results", token=token)[2]
        mean, sd = mean_and_sd([4, 1, 4])
        self.assertAlmostEqual(results["metrics"]["fluency"]["mean"], mean, places=12)
        self.assertAlmostEqual(results["metrics"]["fluency"]["std"], sd, places=12)
        self.assertEqual((results["metrics"]["effort"]["mean"], results["metrics"]["effort"]["n"]), (3, 2))
        self.assertFalse(results["metrics"]["effort"]["higher_is_better"])
        self.assertAlmostEqual(results["overall_score"], mean, places=12)
        self.assertEqual(server.call("POST", f"{path}/metrics", first, token)[0], 400)
        self.assertEqual(server.call("GET", f"/evaluations/{made}", token=token)[2]["status"], "completed")
        # Without an expected number the client says when it is over.
        status, _, run = server.call("POST", f"/evaluations/{made}/run", {"config_overrides": {"sample_size": 100}}, token)
        status, _, said = server.call(
            "POST", f"/evaluations/{made}/runs/{run['id']}/metrics", {"scores": first, "complete": True}, token)
        self.assertEqual((status, said["run"]["status"]), (201, "completed"), said)


class Comparisons(EvaluationTest):
    def test_runs_of_evaluations_and_experiments_are_compared(self):
        server = self.server()
        token = self.user(server)
        questions, models = self.prepared(server, token)
        weak = self.ran(server, token, self.definition(server, token, "w", [models["weak"]], questions))
        experiment = self.made(server, token, "/experiments", {"name": "x", "config": {
            "model_ids": [models["good"]], "dataset_ids": [questions],
            "scorers": [{"type": "numeric", "id": "accuracy", "reference": "{{answer}}"}],
        }})["id"]
        self.assertEqual(server.call("POST", f"/experiments/{experiment}/start", token=token)[0], 200)
        good = server.call("GET", f"/experiments/{experiment}/runs", token=token)[2]["data"][0]["id"]
        test_serve.Experiments.events(self, server, token, f"/experiments/{experiment}/runs/{good}/events")

        status, _, found = server.call("POST", "/evaluations/compare", {"run_ids": [weak, good]}, token)
        self.assertEqual(status, 200, found)
        line = found["metrics"]["accuracy"]
        right = {weak: 40 / 60, good: 55 / 60}
        for run, value in right.items():
            self.assertAlmostEqual(line["values"][run], value, places=12)
        self.assertEqual((line["best_run_id"], line["winner"], found["winner"]), (good, good, good))
        self.assertAlmostEqual(line["improvement"]["absolute"], 15 / 60, places=12)
        self.assertAlmostEqual(line["improvement"]["relative"], 15 / 40, places=12)
        (test,) = line["tests"]
        self.assertEqual((test["run_a"], test["run_b"], test["paired"], test["n"]), (good, weak, True, ROWS))
        self.assertAlmostEqual(test["p_value"], mcnemar_midp(0, 15), delta=1e-9)
        self.assertEqual((test["significant"], test["verdict"]), (True, "better"))
        self.assertGreater(test["confidence_interval"]["low"], 0)

        # A few of the rows: not enough to tell a winner.
        few = self.ran(server, token, self.definition(server, token, "f", [models["good"]], questions, sample_size=4))
        status, _, found = server.call("POST", "/evaluations/compare", {"run_ids": [weak, few]}, token)
        self.assertEqual((status, found["winner"]), (200, None), found)
        # Without tests there is no winner either.
        found = server.call("POST", "/evaluations/compare", {"run_ids": [weak, good], "statistical_tests": False}, token)[2]
        self.assertEqual((found["metrics"]["accuracy"]["tests"], found["winner"]), ([], None))

        for body, field in (
            ({"run_ids": [weak]}, "run_ids"),
            ({"run_ids": [weak, weak]}, "run_ids[1]"),
            ({"run_ids": [weak, questions]}, "run_ids[1]"),
            ({"run_ids": [weak, good], "metrics": ["bleu"]}, "metrics[0]"),
        ):
            status, _, answer = server.call("POST", "/evaluations/compare", body, token)
            self.assertEqual((status, answer["error"]["details"][0]["field"]), (422, field), answer)

        # Whoever may not see a definition knows nothing of its runs.
        researcher = self.user(server, "cat@example.org", "Researcher")
        hidden = self.made(server, token, "/evaluations", {
            "name": "h", "evaluation_type": "automated", "visibility": "private", "config": {
                "metrics": [{"name": "accuracy", "metric_type": "numeric"}], "reference_field": "answer",
                "dataset_id": questions, "model_ids": [models["good"]],
            },
        })["id"]
        secret = self.ran(server, token, hidden)
        for path in ("", "/runs", f"/runs/{secret}", f"/runs/{secret}/results"):
            self.assertEqual(server.call("GET", f"/evaluations/{hidden}{path}", token=researcher)[0], 404)
        status, _, answer = server.call("POST", "/evaluations/compare", {"run_ids": [weak, secret]}, researcher)
        self.assertEqual((status, answer["error"]["details"][0]["field"]), (422, "run_ids[1]"))

    def test_every_metric_is_told(self):
        server = self.server()
        status, _, types = server.call("GET", "/evaluations/metric-types", token=self.user(server, role="Viewer"))
        self.assertEqual(status, 200)
        names = {one["name"] for one in types}
        self.assertLessEqual({"exact_match", "contains", "regex", "numeric", "choice", "f1", "bleu", "chrf", "rouge"}, names)
        bleu = next(one for one in types if one["name"] == "bleu")
        self.assertEqual((bleu["kind"], bleu["direction"], bleu["minimum"], bleu["maximum"]), ("corpus", "higher_is_better", 0, 100))
        for one in types:
            self.assertEqual(one["parameters"]["type"], "object")
            self.assertTrue(one["description"])


if __name__ == "__main__":
    unittest.main()
