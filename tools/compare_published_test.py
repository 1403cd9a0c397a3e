"""compare_published.py on reports made from the expected figures themselves: all agree; with one
figure changed, that one is named and the exit code is 1.
"""
import contextlib
import copy
import io
import json
import pathlib
import tempfile
import unittest

from tools import compare_published as cp


def gsm8k():
    expected = cp.expected_of("gsm8k")
    models = expected["per_model"]
    flags = {m: {r["id"]: r["is_correct"]
                 for r in cp.jsonl(cp.ROOT / f"examples/gsm8k/outputs/{m}.jsonl")} for m in models}
    return {"results": {
        "variants": [{"id": f"{m}/question", "metrics": {"numeric": {
            "value": e["accuracy"], "se": e["se_clt"], "interval": e["wilson95"], "n": e["n"]}}}
            for m, e in models.items()],
        "comparisons": [{
            "metric": "numeric", "a": pair.split(" - ")[0] + "/question",
            "b": pair.split(" - ")[1] + "/question", "difference": e["diff"], "se": e["se_paired"],
            "interval": e["ci95_t"], "p": e["mcnemar_exact"], "p_adjusted": holm}
            for (pair, e), holm in zip(expected["pairs"].items(),
                                       expected["holm_on_mcnemar_exact"])],
        "items": [{"id": item, "samples": [
            {"variant": f"{m}/question", "repetition": 0,
             "scores": {"numeric": float(flags[m][item])}} for m in models]}
            for item in flags["6b_finetuning"]],
    }}


def run(name, report):
    """Exit code, standard output and standard error."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / f"{name}.json"
        path.write_text(json.dumps(report), encoding="utf-8")
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = cp.main([str(path)])
        return code, out.getvalue(), err.getvalue()


class ComparePublished(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.good = gsm8k()

    def changed(self):
        return copy.deepcopy(self.good)

    def test_equal_figures_agree(self):
        code, out, err = run("gsm8k", self.good)
        self.assertEqual(code, 0, err)
        # Four models x (correct, accuracy, se, two bounds, flags), six pairs x (difference, se,
        # two bounds, p, Holm).
        self.assertIn("60 figures agree", out)
        self.assertEqual(out.count("✓"), 60)

    def test_a_pair_the_other_way_round_is_turned(self):
        report = self.changed()
        row = report["results"]["comparisons"][0]
        row["a"], row["b"] = row["b"], row["a"]
        row["difference"] = -row["difference"]
        row["interval"] = [-row["interval"][1], -row["interval"][0]]
        self.assertEqual(run("gsm8k", report)[0], 0)

    def test_one_wrong_figure_is_named(self):
        report = self.changed()
        report["results"]["comparisons"][2]["p_adjusted"] *= 1 + 1e-6
        code, out, err = run("gsm8k", report)
        self.assertEqual(code, 1)
        self.assertIn("59 figures agree", out)
        self.assertIn("175b_verification - 6b_finetuning Holm", err)

    def test_one_wrong_flag_is_found_even_when_the_count_is_right(self):
        report = self.changed()
        items = report["results"]["items"]
        cell = [i["samples"][0]["scores"] for i in items]  # 6b_finetuning comes first
        right = next(c for c in cell if c["numeric"] == 1)
        wrong = next(c for c in cell if c["numeric"] == 0)
        right["numeric"], wrong["numeric"] = 0.0, 1.0
        code, _, err = run("gsm8k", report)
        self.assertEqual(code, 1)
        self.assertIn("6b_finetuning flags: 1317, expected 1319", err)
        self.assertNotIn("correct", err)

    def test_a_figure_that_is_not_there_differs(self):
        report = self.changed()
        report["results"]["variants"][0]["metrics"]["numeric"]["se"] = None
        code, out, err = run("gsm8k", report)
        self.assertEqual(code, 1)
        self.assertIn("nan", out)
        self.assertIn("6b_finetuning se", err)

    def test_a_sample_without_an_output_equals_no_flag(self):
        report = self.changed()
        del report["results"]["items"][7]["samples"][0]["scores"]
        code, _, err = run("gsm8k", report)
        self.assertEqual(code, 1)
        self.assertIn("6b_finetuning flags: 1318, expected 1319", err)

    def test_a_missing_comparison_is_a_failure(self):
        report = self.changed()
        del report["results"]["comparisons"][5]
        code, _, err = run("gsm8k", report)
        self.assertEqual(code, 1)
        self.assertIn("no comparison of 6b_verification", err)

    def test_a_variant_that_cannot_be_told_is_a_failure(self):
        report = self.changed()
        report["results"]["variants"][1]["id"] = "6b_finetuning/other"
        self.assertEqual(run("gsm8k", report)[0], 1)

    def test_a_file_it_does_not_know(self):
        self.assertEqual(run("elsewhere", self.good)[0], 2)

    def test_printed_digits(self):
        table = cp.Table()
        self.assertIn("✓", table.printed("bleu", 33.4488, 33.4, 1))
        self.assertIn("✗", table.printed("bleu", 33.4512, 33.4, 1))
        self.assertEqual(table.agree, 1)


if __name__ == "__main__":
    unittest.main()
