"""Runs that clients carry out and report, and what becomes of experiments meanwhile; figures are
computed again here."""
import statistics
import threading
import time
import unittest

import mock_llm
import test_serve


class ClientRuns(test_serve.ServeTest):
    def begun(self, name="training", **config):
        self.at = self.server()
        self.token = self.user(self.at)
        self.path = f"/experiments/{self.made(self.at, self.token, '/experiments', {'name': name, 'config': config})['id']}"
        return f"{self.path}/runs/{self.made(self.at, self.token, f'{self.path}/runs', {})['id']}"

    def call(self, method, path, body=None, headers=None):
        return self.at.call(method, path, body, self.token, headers)

    def test_what_is_reported_is_added_up(self):
        run = self.begun()
        samples = [
            {
                "id": f"s{i}",
                "output": "x",
                "scores": {"accuracy": i % 3 == 0, "f1": i / 200, "judge": None},
                "latency_ms": 10 + i,
                "cost": "0.010000000001",
                "usage": {"input_tokens": 3, "output_tokens": i},
            }
            for i in range(200)
        ]
        samples.append({"id": "bad", "status": "failed", "error": {"message": "boom"}, "cost": "0.5"})
        for _ in range(2):  # what is sent again counts once
            self.assertEqual(self.call("POST", f"{run}/samples", samples[:150])[0], 201)
        self.assertEqual(self.call("POST", f"{run}/samples", samples[100:])[2], {"received": 101, "added": 51})
        totals = {
            "successful_samples": 200,
            "failed_samples": 1,
            "total_tokens": sum(3 + i for i in range(200)),
            "total_cost": "2.5000000002",
        }
        self.assertEqual(self.call("GET", run)[2]["totals"], totals)
        self.call("POST", f"{run}/complete")
        self.assertEqual(self.call("GET", run)[2]["totals"], totals)
        metrics = self.call("GET", f"{self.path}/metrics")[2]
        self.assertEqual((metrics["total_samples"], metrics["total_tokens"], metrics["total_cost"]), (201, totals["total_tokens"], totals["total_cost"]))
        self.assertAlmostEqual(metrics["avg_latency_ms"], 10 + 199 / 2)
        right = [float(i % 3 == 0) for i in range(200)]
        found = metrics["aggregated_metrics"]["accuracy"]
        self.assertAlmostEqual(metrics["accuracy"], statistics.mean(right))
        self.assertAlmostEqual(found["std"], statistics.stdev(right))
        self.assertEqual((found["count"], found["min"], found["max"]), (200, 0, 1))
        self.assertAlmostEqual(metrics["runs"][0]["metrics"]["f1"], statistics.mean(i / 200 for i in range(200)))
        self.assertEqual(len(self.call("GET", f"{run}/samples?status=failed")[2]["data"]), 1)
        self.assertEqual(len(self.call("GET", f"{run}/samples?status=done&limit=100")[2]["data"]), 100)

    def test_it_has_a_report_like_any_other(self):
        run = self.begun()
        right = [i % 4 > 0 for i in range(40)]
        samples = [
            {"id": f"s{i}", "input": f"q{i}", "output": "<b>x</b>", "expected_output": "y", "variant": "ab"[i % 2],
             "scores": {"accuracy": right[i], "f1": i / 40}, "latency_ms": 100 + i, "cost": "0.01",
             "usage": {"input_tokens": 3, "output_tokens": 2}}
            for i in range(40)
        ]
        samples.append({"id": "bad", "variant": "a", "status": "failed", "error": {"message": "boom"}})
        self.assertEqual(self.call("POST", f"{run}/samples", samples)[0], 201)
        self.assertEqual(self.call("POST", f"{run}/metrics", [{"name": "loss", "value": v, "step": s} for s, v in enumerate((2, 1.5))])[0], 201)
        self.assertEqual(self.call("POST", f"{run}/complete")[0], 200)
        status, _, found = self.call("GET", f"{run}/report")
        self.assertEqual(status, 200, found)
        self.assertEqual(self.call("GET", f"{self.path}/report")[2], found, "it is the latest one")
        self.assertEqual({k: found["totals"][k] for k in ("planned", "done", "failed")}, {"planned": 41, "done": 40, "failed": 1})
        by_id = {one["id"]: one for one in found["results"]["variants"]}
        self.assertEqual(set(by_id), {"a", "b"})
        for name, first in (("a", 0), ("b", 1)):
            metrics = by_id[name]["metrics"]
            self.assertAlmostEqual(metrics["accuracy"]["value"], statistics.mean(right[first::2]))
            self.assertAlmostEqual(metrics["f1"]["value"], statistics.mean(i / 40 for i in range(first, 40, 2)))
            self.assertLess(metrics["f1"]["interval"][0], metrics["f1"]["value"])
        self.assertEqual(by_id["a"]["metrics"]["loss"]["value"], 1.5)
        self.assertEqual(len(found["results"]["items"]), 41)
        page = self.call("GET", f"{run}/report?format=html")
        self.assertEqual(page[0], 200)
        self.assertNotIn("<b>x</b>", page[2])
        for format in ("csv", "md", "junit", "text", "compact", "yaml", "items-csv", "comparisons-csv"):
            self.assertEqual(self.call("GET", f"{run}/report?format={format}")[0], 200, format)
        other = self.made(self.at, self.token, f"{self.path}/runs", {})["id"]
        empty = self.call("GET", f"{self.path}/runs/{other}/report")
        self.assertEqual((empty[0], empty[2]["totals"]["done"]), (200, 0), empty)
        status, _, answer = self.call("GET", f"{run}/report?compare={other}")
        self.assertEqual((status, answer["error"]["details"][0]["field"]), (422, "compare"), answer)

    def test_points_without_a_time_are_sent_again_without_harm(self):
        run = self.begun()
        points = [{"name": "loss", "value": 1 / (i + 1), "step": i} for i in range(10)]
        self.assertEqual(self.call("POST", f"{run}/metrics", points)[2]["added"], 10)
        self.assertEqual(self.call("POST", f"{run}/metrics", points)[2]["added"], 0)
        self.assertEqual(self.call("POST", f"{run}/metrics", [{"name": "loss", "value": 0.5, "step": 2}])[2]["added"], 1)

    def test_several_who_report_at_once_lose_nothing(self):
        run = self.begun()
        answers = []

        def report(who):
            for part in range(5):
                samples = [{"id": f"{part}-{i}", "cost": "0.01"} if i < 5 else {"id": f"{who}-{part}-{i}", "cost": "0.01"} for i in range(10)]
                answers.append(self.call("POST", f"{run}/samples", samples)[0])

        threads = [threading.Thread(target=report, args=(who,)) for who in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(set(answers), {201})
        shown = self.call("GET", run)[2]
        # 25 ids that all six reported, and 25 of each of them
        self.assertEqual(shown["totals"]["successful_samples"], 25 + 6 * 25)
        self.assertEqual(shown["totals"]["total_cost"], "1.75")

    def test_of_several_who_end_a_run_at_once_one_decides(self):
        run = self.begun()
        answers = {}

        def end(who):
            answers[who] = self.call("POST", f"{run}/complete") if who % 2 else self.call("POST", f"{run}/fail", {"error": "no"})

        threads = [threading.Thread(target=end, args=(who,)) for who in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        shown = self.call("GET", run)[2]
        completed = shown["status"] == "completed"
        for who, (status, _, answer) in answers.items():
            wins = (who % 2 == 1) == completed
            self.assertEqual((status, answer.get("status") or answer["error"]["code"]), (200, shown["status"]) if wins else (400, "INVALID_STATE"), answer)
        self.assertEqual(shown["error"], None if completed else "no")
        _, headers, another = self.call("POST", f"{self.path}/runs", {})
        self.assertEqual(headers["Location"], f"{self.path}/runs/{another['id']}")

    def test_what_cannot_be_is_refused_with_its_place(self):
        run = self.begun()
        for sample, field in [
            ({"id": "a", "scores": {"f1": "high"}}, "[1].scores.f1"),
            ({"id": "a", "usage": {"input_tokens": -5}}, "[1].usage.input_tokens"),
            ({"id": "a", "latency_ms": -1}, "[1].latency_ms"),
        ]:
            status, _, answer = self.call("POST", f"{run}/samples", [{"id": "fine"}, sample])
            self.assertEqual((status, answer["error"]["details"][0]["field"]), (422, field), answer)
        self.assertEqual(self.call("GET", run)[2]["totals"]["successful_samples"], 0)
        point = {"name": "loss", "value": 1, "timestamp": "2026-99-01T00:00:00Z"}
        status, _, answer = self.call("POST", f"{run}/metrics", [point])
        self.assertEqual((status, answer["error"]["details"][0]["field"]), (422, "[0].timestamp"), answer)
        status, _, answer = self.call("POST", f"{self.path}/runs", {"parent_run_id": "11111111-1111-4111-8111-111111111111"})
        self.assertEqual((status, answer["error"]["details"][0]["field"]), (422, "parent_run_id"), answer)

    def test_an_experiment_is_not_removed_while_a_client_reports(self):
        run = self.begun()
        self.assertEqual(self.call("POST", f"{run}/samples", [{"id": "a"}])[0], 201)
        status, _, answer = self.call("DELETE", self.path)
        self.assertEqual((status, answer["error"]["code"], answer["error"]["current"]), (400, "INVALID_STATE", "running"), answer)
        self.assertEqual(self.call("POST", f"{run}/complete")[0], 200)
        self.assertEqual(self.call("DELETE", self.path)[0], 204)

    def test_a_clients_run_does_not_hide_the_one_of_the_engine(self):
        with mock_llm.MockLLM(latency=0.2) as endpoint:
            path = self.engine_experiment(endpoint, 400)
            self.assertEqual(self.call("POST", f"{path}/start")[0], 200)
            engine = self.call("GET", f"{path}/runs")[2]["data"][0]["id"]
            self.made(self.at, self.token, f"{path}/runs", {})  # a client begins one of its own meanwhile
            self.assertEqual(self.call("POST", f"{path}/cancel")[2]["status"], "cancelled")
            self.assertEqual(self.call("GET", f"{path}/runs/{engine}")[2]["status"], "cancelled")
            self.at.stop()  # connections are kept as long as it runs
            endpoint.settle()

    def test_an_experiment_that_is_paused_over_its_last_answers_can_end(self):
        with mock_llm.MockLLM(latency=1.0) as endpoint:
            path = self.engine_experiment(endpoint, 3)
            self.assertEqual(self.call("POST", f"{path}/start")[0], 200)
            run = f"{path}/runs/{self.call('GET', f'{path}/runs')[2]['data'][0]['id']}"
            self.wait(lambda: len(endpoint.requests) == 3)  # nothing is left to be sent
            self.assertEqual(self.call("POST", f"{path}/pause")[2]["status"], "paused")
            self.wait(lambda: self.call("GET", run)[2]["status"] == "completed")
            self.assertEqual(self.call("GET", path)[2]["status"], "paused")
            self.assertEqual(self.call("POST", f"{path}/resume")[2]["status"], "completed")
            self.at.stop()

    def test_figures_of_the_engine_are_those_of_its_samples(self):
        right = lambda prompt: "x" if int(prompt) % 4 else "no"
        with mock_llm.MockLLM(answer=right) as endpoint:
            path = self.engine_experiment(endpoint, 40)
            self.assertEqual(self.call("POST", f"{path}/start")[0], 200)
            self.wait(lambda: self.call("GET", path)[2]["status"] == "completed")
            metrics = self.call("GET", f"{path}/metrics")[2]
            self.at.stop()
        scores = [1.0 if i % 4 else 0.0 for i in range(40)]
        found = metrics["aggregated_metrics"]["exact_match"]
        self.assertAlmostEqual(found["std"], statistics.stdev(scores))
        self.assertEqual([found[name] for name in ("count", "mean", "min", "max", "p50")], [40, 0.75, 0, 1, 1])
        self.assertEqual(metrics["accuracy"], 0.75)

    def wait(self, condition, seconds=20):
        end = time.monotonic() + seconds
        while not condition():
            self.assertLess(time.monotonic(), end, "it does not come")
            time.sleep(0.02)

    def engine_experiment(self, endpoint, rows):
        if not hasattr(self, "at"):
            self.at = self.server()
            self.token = self.user(self.at)
        dataset = test_serve.Experiments.upload(
            self, self.at, self.token, "rows", [{"id": str(i), "q": str(i), "reference": "x"} for i in range(rows)]
        )
        config = {"base_url": endpoint.base_url, "pricing": {"input_per_million": "1", "output_per_million": "1"}}
        model = self.made(self.at, self.token, "/models", {"name": "m", "provider": "custom", "model_identifier": "m", "config": config})
        prompt = self.made(self.at, self.token, "/prompts", {"name": "p", "template": "{{q}}"})
        config = {
            "dataset_ids": [dataset], "model_ids": [model["id"]], "prompt_template_ids": [prompt["id"]],
            "evaluation_metrics": ["exact_match"],
        }
        return f"/experiments/{self.made(self.at, self.token, '/experiments', {'name': 'live', 'config': config})['id']}"


if __name__ == "__main__":
    unittest.main()
