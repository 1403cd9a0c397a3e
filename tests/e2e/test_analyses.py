"""The analyses over HTTP: figures as scipy 1.17.1 and statsmodels 0.15.0 give them on the same values."""
import json
import unittest

from test_serve import ServeTest

A = [5.1, 4.9, 6.2, 5.8, 6.0, 5.5, 5.3, 6.7, 5.9, 6.1, 5.4, 5.6]
B = [4.1, 5.0, 4.4, 4.9, 5.2, 4.6, 4.3, 5.1, 4.8, 4.7]
HYPOTHESIS = {"name": "a beats b", "statement": "The mean score of a is higher.", "type": "comparative"}


def observations(**groups):
    return [{"values": {"score": x}, "group": name} for name, values in groups.items() for x in values]


def hypothesis(config=None, **groups):
    return {
        "request_id": "req-7", "hypothesis": dict(HYPOTHESIS),
        "experimental_data": {"source_id": "run 1", "observations": observations(**groups)}, "config": config or {},
    }


class Analyses(ServeTest):
    def setUp(self):
        super().setUp()
        self.http = self.server()
        self.token = self.user(self.http)

    def post(self, path, body, status=200):
        got, _, answer = self.http.call("POST", path, body, self.token)
        self.assertEqual(got, status, answer)
        return answer

    def near(self, got, want):
        self.assertAlmostEqual(got, want, delta=1e-9 * abs(want) + 1e-15)

    def test_a_hypothesis_is_tested_on_both_paths_and_always_the_same(self):
        answer = self.post("/api/v1/agents/hypothesis", hypothesis(a=A, b=B))
        self.assertEqual((answer["request_id"], answer["status"]), ("req-7", "accepted"))
        self.assertEqual(answer["test_method"], "welch_t_test")
        self.near(answer["test_statistic"], 5.369130917893267)
        self.near(answer["p_value"], 3.184155643048314e-05)
        self.near(answer["degrees_of_freedom"][0], 19.563510208685873)
        self.near(answer["confidence_interval"]["lower"], 0.6099148865135613)
        self.near(answer["effect_size"]["value"], 2.2272891248588738)
        self.near(answer["achieved_power"], 0.9985545346371506)
        self.assertEqual(answer["sample_adequacy"], "inadequate")
        self.assertEqual(self.post("/v1/research-lab/hypothesis", hypothesis(a=A, b=B)), answer)

    def test_named_methods_and_seeds_are_honoured(self):
        for method, p in (("t_test", 4.329328336106815e-05), ("mann_whitney_u", 0.00032357708055903185)):
            answer = self.post("/api/v1/agents/hypothesis", hypothesis({"test_method": method}, a=A, b=B))
            self.near(answer["p_value"], p)
        config = {"test_method": "bootstrap", "bootstrap_iterations": 1000, "random_seed": 3}
        first = self.post("/api/v1/agents/hypothesis", hypothesis(config, a=A, b=B))
        self.assertEqual(self.post("/api/v1/agents/hypothesis", hypothesis(config, a=A, b=B)), first)

    def test_metrics_are_computed_and_rounded(self):
        body = {
            "metrics": [
                {"name": "level", "type": "central_tendency", "variables": ["score"]},
                {"type": "percentile", "variables": ["score"], "parameters": {"percentiles": [95]}},
            ],
            "data": {"observations": observations(a=[2, 4, 4, 4, 5, 5, 7, 9, 12, 1.5])},
            "config": {"precision": 3},
        }
        answer = self.post("/api/v1/agents/metric", body)
        self.assertEqual(answer["metrics"][0]["values"]["mean"], 5.35)
        self.assertEqual(answer["metrics"][0]["values"]["mean_confidence_interval"]["lower"], 3.063)
        self.assertEqual(answer["metrics"][1]["values"], {"p95": 10.65})
        again = self.post("/v1/research-lab/metrics", {**body, "request_id": answer["request_id"]})
        self.assertEqual(again, answer)

    def test_what_is_wrong_is_named_with_its_place(self):
        body = hypothesis({"bootstrap_iterations": 5, "correction": "holm"}, a=A, b=["x"])
        body["hypothesis"] = {**HYPOTHESIS, "name": "n" * 256, "significance_level": 1.5}
        fields = {d["field"] for d in self.post("/api/v1/agents/hypothesis", body, 422)["error"]["details"]}
        self.assertEqual(fields, {
            "hypothesis.name", "hypothesis.significance_level", "config.bootstrap_iterations", "config.correction"})
        body = hypothesis({"test_method": "t_test"}, a=A, b=B, c=A)
        details = self.post("/api/v1/agents/hypothesis", body, 422)["error"]["details"]
        self.assertEqual(details[0]["field"], "config.test_method")
        wrong = [{"value": 1}] * 1000
        body["experimental_data"]["observations"] = wrong
        self.assertEqual(len(self.post("/api/v1/agents/hypothesis", body, 422)["error"]["details"]), 100)

    def test_the_largest_bodies_are_taken_and_larger_ones_refused(self):
        many = [{"values": {"score": i % 17 + (i % 2) / 8}, "group": "ab"[i % 2]} for i in range(100_000)]
        body = hypothesis()
        body["experimental_data"]["observations"] = many
        answer = self.post("/api/v1/agents/hypothesis", body)
        self.assertEqual(answer["sample"]["used"], 100_000)
        self.assertEqual(answer["sample_adequacy"], "adequate")
        body["experimental_data"]["observations"] = many + many[:1]
        self.assertEqual(
            self.post("/api/v1/agents/hypothesis", body, 422)["error"]["details"][0]["field"],
            "experimental_data.observations")
        body["config"] = {"padding": "x" * (16 << 20)}
        self.assertEqual(
            self.http.call("POST", "/api/v1/agents/hypothesis", body, self.token)[0], 413)

    def test_agents_say_what_they_take_to_whom_may_read_metrics(self):
        for path in ("/api/v1/agents", "/v1/research-lab/health"):
            self.assertEqual(self.http.call("GET", path)[0], 401)
            status, _, agents = self.http.call("GET", path, token=self.token)
            self.assertEqual((status, [one["id"] for one in agents["agents"]]), (200, ["hypothesis", "metric"]))
        status, _, agent = self.http.call("GET", "/api/v1/agents/hypothesis", token=self.token)
        self.assertIn("kruskal_wallis", [method["name"] for method in agent["methods"]])
        self.assertEqual(agent["limits"]["observations"], 100_000)
        document = json.loads(json.dumps(self.http.call("GET", "/openapi.json")[2]))
        self.assertIn("/api/v1/agents/metric", document["paths"])


if __name__ == "__main__":
    unittest.main()
