"""Judging by a model: outputs in a dataset, outputs of a finished run, and outputs of models that are run first.
The judge is a scripted endpoint that rates by a rule, so that every figure is computed here once more."""
import re
import statistics
import time
import unittest

import mock_llm
import test_evaluations

ITEMS = 24


def rating(text):
    """What the judge thinks of an output: that it ends in its number, modulo 5, plus 1."""
    return int(re.findall(r"\d+", text)[-1]) % 5 + 1


def judged(prompt):
    return re.search(r"<answer>\n(.*)\n</answer>", prompt, re.S)[1]


def verdict(prompt):
    score = rating(judged(prompt))
    return f'It could be {{better}}.\n{{"correctness": {score}, "style": {6 - score}}}'


CRITERIA = [{"name": "correctness", "description": "is it right", "weight": 3}, {"name": "style"}]


def overall(score):
    return (3 * score + 6 - score) / 4


class Judges(test_evaluations.EvaluationTest):
    def setUp(self):
        super().setUp()
        self.at = self.server()
        self.token = self.user(self.at)

    def call(self, method, path, body=None):
        return self.at.call(method, path, body, self.token)

    def model(self, endpoint, name, key="judge"):
        return self.made(self.at, self.token, "/models", {
            "name": name, "provider": "custom", "model_identifier": key,
            "config": {"base_url": endpoint.base_url, "pricing": {"input_per_million": "1", "output_per_million": "1"}},
        })["id"]

    def define(self, name, model, **config):
        more = config.pop("judge", {})
        return self.made(self.at, self.token, "/evaluations", {
            "name": name, "evaluation_type": "llm_judge",
            "config": {**config, "judge_config": {"model_id": model, "criteria": CRITERIA, **more}},
        })["id"]

    def wait(self, condition, seconds=20):
        end = time.monotonic() + seconds
        while not condition():
            self.assertLess(time.monotonic(), end, "it does not come")
            time.sleep(0.02)

    def results(self, evaluation, run, query="limit=100"):
        status, _, found = self.call("GET", f"/evaluations/{evaluation}/runs/{run}/results?{query}")
        self.assertEqual(status, 200, found)
        return found

    def check(self, figure, values):
        self.assertEqual((figure["n"], figure["missing"]), (len(values), 0))
        self.assertAlmostEqual(figure["mean"], statistics.fmean(values), places=12)
        self.assertAlmostEqual(figure["std"], statistics.stdev(values), places=12)

    def test_outputs_in_a_dataset_are_rated(self):
        rows = [{"id": f"q{i}", "question": f"What is {i}?", "a": f"It is {i}", "b": f"It is {i + 1}"} for i in range(ITEMS)]
        dataset = self.uploaded(self.at, self.token, "answers", rows)
        with mock_llm.MockLLM(answer=verdict) as endpoint:
            evaluation = self.define(
                "rated", self.model(endpoint, "judge"), dataset_id=dataset, parameters={"output_fields": ["a", "b"]},
                metrics=[{"name": "overall", "threshold": {"above": 1}}],
                judge={"scale": {"min": 1, "max": 5, "labels": {"5": "flawless"}}, "parameters": {"temperature": 0}},
            )
            run = self.ran(self.at, self.token, evaluation)
            sent = [request.body for request in endpoint.requests]
        self.assertEqual(len(sent), 2 * ITEMS)
        self.assertEqual({body["temperature"] for body in sent}, {0})
        text = sent[0]["messages"][-1]["content"]
        self.assertIn("<task>\nWhat is ", text)
        self.assertNotIn("reference", text)
        self.assertIn("from 1 (worst) to 5 (best); 5 = flawless", text)
        self.assertIn("- correctness: is it right\n- style\n", text)
        self.assertIn('{"correctness": <1 to 5>, "style": <1 to 5>}', text)
        found = self.results(evaluation, run)
        scores = {field: [rating(row[field]) for row in rows] for field in "ab"}
        for one in found["by_model"]:
            values = scores[one["variant"]]
            self.check(one["metrics"]["correctness"], values)
            self.check(one["metrics"]["style"], [6 - v for v in values])
            self.check(one["metrics"]["overall"], [overall(v) for v in values])
            self.assertAlmostEqual(one["overall_score"], statistics.fmean(overall(v) for v in values), places=12)
            self.assertEqual((one["model"], one["unparsed"]), (None, 0))
        self.assertTrue(found["metrics"]["overall"]["passed"])
        self.assertEqual((found["metrics"]["style"]["minimum"], found["metrics"]["style"]["maximum"]), (1, 5))
        [pair] = [one for one in found["comparisons"] if one["metric"] == "correctness"]
        self.assertEqual((pair["paired"], pair["n"], pair["variant_a"], pair["variant_b"]), (True, ITEMS, "b", "a"))
        self.assertAlmostEqual(
            pair["difference"], statistics.fmean(b - a for a, b in zip(scores["a"], scores["b"])), places=12)
        # The whole verdict is kept.
        self.assertIn("It could be {better}.", found["samples"]["data"][0]["output"])
        judge = found["run"]["judge"]
        self.assertEqual((judge["model"], judge["dataset_id"], judge["notes"]), ("judge", dataset, []))
        self.assertRegex(judge["prompt_sha256"], "^[0-9a-f]{64}$")

    def experiment(self, models, rows, **config):
        dataset = self.uploaded(self.at, self.token, "sums", rows)
        prompt = self.made(self.at, self.token, "/prompts", {"name": "p", "system_prompt": "Add.", "template": "{{q}}"})["id"]
        return dataset, prompt, self.made(self.at, self.token, "/experiments", {"name": "e", "config": {
            "dataset_ids": [dataset], "model_ids": models, "prompt_template_ids": [prompt],
            "evaluation_metrics": ["exact_match"], "reference_field": "right", **config,
        }})["id"]

    def test_outputs_of_a_run_are_rated_and_items_without_one_left_out(self):
        rows = [{"id": f"q{i}", "q": f"item {i}", "right": f"right {i}"} for i in range(ITEMS)]
        broken = mock_llm.Status(400, "no")

        def script(request):
            return broken if request.prompt.endswith("item 7") and request.body["model"] == "two" else None
        with mock_llm.MockLLM(answer=lambda prompt: "say " + re.findall(r"\d+", prompt)[-1]) as models, \
                mock_llm.MockLLM(answer=verdict) as endpoint:
            models.script = script
            ids = [self.model(models, name, name) for name in ("one", "two")]
            _, _, experiment = self.experiment(ids, rows, run={"repetitions": 2, "max_error_share": 0.5})
            self.assertEqual(self.call("POST", f"/experiments/{experiment}/start")[0], 200)
            self.wait(lambda: self.call("GET", f"/experiments/{experiment}")[2]["status"] == "completed", 30)
            source = self.call("GET", f"/experiments/{experiment}/runs")[2]["data"][0]["id"]
            judge = self.model(endpoint, "judge", "one")
            evaluation = self.define("of a run", judge, parameters={"run_id": source})
            run = self.ran(self.at, self.token, evaluation)
            again = self.ran(self.at, self.token, evaluation)
            sent = endpoint.requests[0].body["messages"][-1]["content"]
        self.assertIn("<task>\n[system]\nAdd.\n\n[user]\nitem ", sent)
        self.assertIn("<reference_answer>\nright ", sent)
        found = self.results(evaluation, run)
        judge = found["run"]["judge"]
        self.assertEqual((judge["source_run_id"], judge["rows"], judge["dropped_items"]), (source, 2 * ITEMS - 2, 2))
        self.assertIn("one of the models it judges", judge["notes"][0])
        kept = [i for i in range(ITEMS) if i != 7 for _ in range(2)]
        self.assertEqual([one["model"] for one in found["by_model"]], ["one", "two"])
        for one in found["by_model"]:
            self.assertEqual(one["completed"], 2 * ITEMS - 2)
            self.check(one["metrics"]["correctness"], [i % 5 + 1 for i in kept])
        # Two repetitions of an item are not two items.
        error = found["by_model"][0]["metrics"]["correctness"]["standard_error"]
        values = [i % 5 + 1 for i in range(ITEMS) if i != 7]
        mean, n = statistics.fmean(values), len(values)
        cluster = (sum((2 * (v - mean)) ** 2 for v in values) * n / (n - 1)) ** 0.5 / (2 * n)
        self.assertAlmostEqual(error, cluster, places=12)
        # Judged twice: the same items, held against each other one by one.
        status, _, compared = self.call("POST", "/evaluations/compare", {"run_ids": [run, again]})
        self.assertEqual(status, 200, compared)
        test = compared["metrics"]["correctness"]["tests"][0]
        self.assertEqual((test["paired"], test["n"], test["difference"]), (True, 2 * ITEMS - 2, 0))
        # What was judged is a dataset of the caller's.
        self.assertEqual(self.call("GET", f"/datasets/{judge['dataset_id']}")[2]["name"], f"outputs of run {source}")

    def test_models_are_run_first_within_one_budget(self):
        rows = [{"id": f"q{i}", "q": f"item {i}", "right": f"right {i}"} for i in range(ITEMS)]
        dataset = self.uploaded(self.at, self.token, "sums", rows)
        prompt = self.made(self.at, self.token, "/prompts", {"name": "p", "template": "{{q}}"})["id"]
        rubric = self.made(self.at, self.token, "/prompts", {
            "name": "rubric", "template": "{{q}} ({{right}})\n<answer>\n{{output}}\n</answer>\n{{criteria}} {{format}} {{{{x}}",
        })["id"]
        with mock_llm.MockLLM(answer=lambda prompt: "say " + re.findall(r"\d+", prompt)[-1]) as models, \
                mock_llm.MockLLM(answer=verdict) as endpoint:
            judge = self.model(endpoint, "judge")
            config = {
                "dataset_id": dataset, "prompt_template_id": prompt, "reference_field": "right",
                "model_ids": [self.model(models, "m", "m")], "budget": {"max_calls": 2 * ITEMS},
                "judge": {"prompt_template_id": rubric}, "metrics": ["accuracy", {"name": "style"}],
            }
            evaluation = self.define("chain", judge, **config)
            run = self.ran(self.at, self.token, evaluation)
            self.assertIn(" {{x}}", endpoint.requests[0].body["messages"][-1]["content"])
            self.assertRegex(endpoint.requests[0].body["messages"][-1]["content"], r"^item (\d+) \(right \1\)")
            runs = self.call("GET", f"/evaluations/{evaluation}/runs")[2]["data"]
            self.assertEqual([(one["id"] == run, one.get("stage")) for one in runs], [(True, None), (False, "outputs")])
            self.assertEqual(runs[0]["judge"]["source_run_id"], runs[1]["id"])
            found = self.results(evaluation, run)
            self.check(found["metrics"]["correctness"], [i % 5 + 1 for i in range(ITEMS)])
            first = self.results(evaluation, runs[1]["id"])
            self.assertEqual((list(first["metrics"]), first["metrics"]["accuracy"]["mean"]), (["accuracy"], 0))
            # One call short of what both need.
            evaluation = self.define("short", judge, **{**config, "budget": {"max_calls": 2 * ITEMS - 1}})
            self.assertEqual(self.call("POST", f"/evaluations/{evaluation}/run")[2]["status"], "failed")
            runs = self.call("GET", f"/evaluations/{evaluation}/runs")[2]["data"]
            self.assertEqual([one["totals"]["successful_samples"] for one in runs], [ITEMS - 1, ITEMS])
            evaluation = self.define("spent", judge, **{**config, "budget": {"max_calls": ITEMS}})
            spent = self.call("POST", f"/evaluations/{evaluation}/run")[2]
            self.assertIn("used the budget up (max_calls)", spent["error"])
            self.assertEqual(self.call("GET", f"/evaluations/{evaluation}")[2]["status"], "failed")

    def test_a_judge_that_waits_is_cancelled_with_its_models(self):
        rows = [{"id": f"q{i}", "q": f"item {i}"} for i in range(200)]
        dataset = self.uploaded(self.at, self.token, "sums", rows)
        prompt = self.made(self.at, self.token, "/prompts", {"name": "p", "template": "{{q}}"})["id"]
        with mock_llm.MockLLM(latency=0.2) as models, mock_llm.MockLLM(answer=verdict) as endpoint:
            ids = [self.model(models, "m", "m")]
            config = {"dataset_id": dataset, "prompt_template_id": prompt, "model_ids": ids}
            evaluation = self.define("slow", self.model(endpoint, "judge"), **config)
            status, _, run = self.call("POST", f"/evaluations/{evaluation}/run", {"async_execution": True})
            self.assertEqual((status, run.get("status")), (202, "queued"), run)
            waiting = self.results(evaluation, run["id"])
            self.assertEqual((waiting["items"], waiting["by_model"], waiting["samples"]["data"]), (0, [], []))
            path = f"/evaluations/{evaluation}/runs"
            self.assertEqual(self.call("POST", f"{path}/{run['id']}/cancel")[2]["status"], "cancelled")
            self.wait(lambda: {one["status"] for one in self.call("GET", path)[2]["data"]} == {"cancelled"}, 15)
            models.settle()
            self.assertEqual(endpoint.requests, [])
            self.assertEqual(self.call("GET", f"/evaluations/{evaluation}")[2]["status"], "cancelled")
            # Without the models' run there is nothing to judge.
            status, _, run = self.call("POST", f"/evaluations/{evaluation}/run", {"async_execution": True})
            other = run["judge"]["source_run_id"]
            self.assertEqual(self.call("POST", f"{path}/{other}/cancel")[0], 200)
            self.wait(lambda: self.call("GET", f"{path}/{run['id']}")[2]["status"] == "failed", 15)
            self.assertIn(f"run of the models {other} is cancelled", self.call("GET", f"{path}/{run['id']}")[2]["error"])
            models.settle()

    def test_verdicts_that_cannot_be_read_are_missing(self):
        dataset = self.uploaded(self.at, self.token, "answers", [{"id": str(i), "output": f"o {i}"} for i in range(10)])

        def answer(prompt):
            return "I cannot say." if rating(judged(prompt)) == 1 else verdict(prompt)
        with mock_llm.MockLLM(answer=answer) as endpoint:
            evaluation = self.define("partly", self.model(endpoint, "judge"), dataset_id=dataset)
            run = self.ran(self.at, self.token, evaluation)
        found = self.results(evaluation, run)
        figure = found["by_model"][0]["metrics"]["overall"]
        self.assertEqual((figure["n"], figure["missing"], found["by_model"][0]["unparsed"]), (8, 2, 2))
        self.assertAlmostEqual(figure["mean"], statistics.fmean(overall(s) for s in [2, 3, 4, 5] * 2), places=12)
        outcomes = [one["outcome"] for one in found["samples"]["data"]]
        self.assertEqual((outcomes.count("unparsed"), outcomes.count("scored")), (2, 8))

    def test_what_cannot_be_judged_is_refused_with_its_place(self):
        dataset = self.uploaded(self.at, self.token, "answers", [{"id": "1", "output": "o", "why": "w"}])
        nothing = "00000000-0000-4000-8000-000000000000"
        with mock_llm.MockLLM() as endpoint:
            judge = self.model(endpoint, "judge")
            blind = self.made(self.at, self.token, "/prompts", {"name": "blind", "template": "{{why}}"})["id"]
            asks = self.made(self.at, self.token, "/prompts", {"name": "asks", "template": "{{input}} {{output}}"})["id"]
            other = self.made(self.at, self.token, "/prompts", {"name": "other", "template": "{{whi}} {{output}}"})["id"]
            run = self.made(self.at, self.token, f"/experiments/{self.made(self.at, self.token, '/experiments', {'name': 'x'})['id']}/runs", {})["id"]
            for n, (config, field, words) in enumerate([
                ({}, "config.dataset_id", "nothing to judge"),
                ({"dataset_id": dataset, "parameters": {"output_fields": ["answer"]}}, "config.parameters.output_fields",
                 'no field "answer"; their fields are id, output, why'),
                ({"dataset_id": dataset, "parameters": {"output_fields": []}}, "config.parameters.output_fields", "1 to 100"),
                ({"dataset_id": dataset, "parameters": {"input_field": "q"}}, "config.parameters.input_field", 'no field "q"'),
                ({"dataset_id": dataset, "parameters": {"temperature": 0}}, "config.parameters.temperature", "judge_config.parameters"),
                ({"dataset_id": dataset, "metrics": ["bleu"]}, "config.metrics[0]", "overall, correctness, style"),
                ({"dataset_id": dataset, "prompt_template_id": asks}, "config.prompt_template_id", "judge_config"),
                ({"dataset_id": dataset, "judge": {"prompt_template_id": blind}}, "config.judge_config.prompt_template_id",
                 "put {{output}} into it"),
                ({"dataset_id": dataset, "judge": {"prompt_template_id": asks}}, "config.judge_config.prompt_template_id", "input_field"),
                ({"dataset_id": dataset, "judge": {"prompt_template_id": other}}, "config.judge_config.prompt_template_id",
                 'no field "whi", did you mean "why"?'),
                ({"dataset_id": dataset, "judge": {"criteria": [{"name": "a"}, {"name": "overall"}]}},
                 "config.judge_config.criteria[1].name", "weighted mean"),
                ({"dataset_id": dataset, "judge": {"scale": {"min": 0, "max": 1, "labels": {"7": "good"}}}},
                 "config.judge_config.scale.labels", "not on the scale"),
                ({"parameters": {"run_id": nothing}}, "config.parameters.run_id", "no run"),
                ({"parameters": {"run_id": run}}, "config.parameters.run_id", "a client carried this run out"),
                ({"parameters": {"run_id": nothing}, "dataset_id": dataset}, "config.dataset_id", "not together"),
            ]):
                status, _, refused = self.call("POST", f"/evaluations/{self.define(f'd{n}', judge, **config)}/run")
                self.assertEqual(status, 422, (config, refused))
                details = {one["field"]: one["message"] for one in refused["error"]["details"]}
                self.assertIn(words, details.get(field, ""), (config, refused))
            self.assertEqual(endpoint.requests, [])


if __name__ == "__main__":
    unittest.main()
