"""What a report says, seen from outside: missing outputs, claims, notes, and how it is delivered."""
import csv
import io
import json
import os
import signal
import subprocess
import unittest

import mock_llm
import support


class Replayed(support.LabTest):
    """Recorded outputs: no server, every answer is known."""

    def spec_of(self, outputs, *, references=None, scorer=None, name="replayed", **sections):
        """outputs: {variant: [output of each item]}."""
        count = len(next(iter(outputs.values())))
        references = references or ["yes"] * count
        with open(self.folder / f"{name}.jsonl", "w", encoding="utf-8") as rows:
            for i, reference in enumerate(references):
                rows.write(json.dumps({"id": f"q{i}", "reference": reference}) + "\n")
        models = []
        for variant, texts in outputs.items():
            with open(self.folder / f"{name}-{variant}.jsonl", "w", encoding="utf-8") as recorded:
                for i, text in enumerate(texts):
                    if text is not None:
                        recorded.write(json.dumps({"id": f"q{i}", "output": text}) + "\n")
            models.append({"id": variant, "provider": "replay", "replay": {"path": f"{name}-{variant}.jsonl"}})
        return self.write_spec({
            "name": name, "dataset": {"path": f"{name}.jsonl"}, "models": models,
            "scorers": [scorer or {"type": "exact_match"}], **sections,
        }, f"{name}.json")

    def ran(self, *arguments, code=support.PASSED):
        done = self.home.run("run", *arguments)
        self.assert_code(done, code)
        return done


class Answers(Replayed):
    def test_references_that_cannot_be_used_are_refused_before_the_run(self):
        file = self.spec_of(
            {"a": ["4"] * 20}, references=["four", "4"] * 10, scorer={"type": "numeric"}
        )
        for command in ("validate", "run"):
            done = self.home.run(command, file)
            self.assert_code(done, support.BAD_INPUT)
            self.assert_says(done, 'row 1 of the dataset: no number in the reference "four"', "10 of 20 rows")
        file = self.spec_of({"a": ["A"] * 3}, references=["A", ["A", "B"], "C"])
        done = self.home.run("run", file)
        self.assert_code(done, support.BAD_INPUT)
        self.assert_says(done, "row 2 of the dataset", "reference_list: reference")
        self.assertEqual(self.home.run("runs", "list", "-o", "json").json(), [])

    def test_a_claim_is_answered_in_one_line(self):
        outputs = {"a": ["yes"] * 10 + ["no"] * 20, "b": ["yes"] * 30, "c": ["yes"] * 11 + ["no"] * 19}
        file = self.spec_of(outputs, hypothesis={"metric": "exact_match", "baseline": "a"})
        report = self.ran(file, "-o", "json").json()
        self.assertEqual(
            report["answer"],
            "Declared before the run: exact_match greater than with a: shown in part (1 of 2 comparisons).",
        )
        self.assertIn("Best exact_match: b", report["hypothesis"])

    def test_missing_outputs_that_could_change_a_verdict_are_warned_of(self):
        # The items that a failed on are those it would have been wrong on.
        outputs = {"b": ["yes"] * 40 + ["no"] * 60, "a": ["yes"] * 55 + ["no"] * 5 + [None] * 40}
        outputs["b"][60:80] = ["yes"] * 20
        file = self.spec_of(outputs, run={"max_error_share": 1})
        report = self.ran(file, "-o", "json").json()
        comparison = report["results"]["comparisons"][0]
        self.assertEqual((comparison["verdict"], comparison["lost"]), ("better", 40))
        self.assertEqual(comparison["missing_lowest"]["verdict"], "no_difference_shown")
        self.assertAlmostEqual(comparison["missing_lowest"]["difference"], -0.05)
        self.assertTrue(any("a against b" in w and "40 samples failed" in w for w in report["warnings"]), report["warnings"])
        self.assertTrue(any("40 samples failed" in note for note in comparison["notes"]))

    def test_runs_of_two_experiments_have_names_of_their_own(self):
        for name in ("first", "second"):
            self.ran(self.spec_of({"a": ["yes", "no"]}, name=name, run={"seed": 1}))
            # The same rows: only then can they be compared.
        ids = [row["id"] for row in self.home.run("runs", "list", "-o", "json").json()]
        report = self.home.run("compare", *reversed(ids), "-o", "json").json()
        self.assertEqual([v["id"] for v in report["results"]["variants"]], ["first #1 a", "second #1 a"])
        self.assertNotIn("Declared", report["answer"] + report["hypothesis"])

    def test_notes_stand_on_the_terminal_and_in_the_page(self):
        file = self.spec_of({"a": ["yes"] * 40, "b": ["yes"] * 37 + ["no"] * 3})
        done = self.ran(file, "--save", self.folder / "r.html")
        note = "only 3 items differ: the interval is rough"
        self.assertIn(note, done.out)
        page = (self.folder / "r.html").read_text(encoding="utf-8")
        at = page.index(note)
        self.assertGreaterEqual(page.rfind("</details>", 0, at), page.rfind("<details", 0, at))

    def test_comparisons_have_a_table_of_their_own(self):
        file = self.spec_of({"a": ["yes"] * 40, "b": ["no"] * 20 + ["yes"] * 20})
        self.ran(file, "--save", self.folder / "r.csv", "--save", self.folder / "r.comparisons.csv")
        rows = list(csv.DictReader(io.StringIO((self.folder / "r.comparisons.csv").read_text(encoding="utf-8"))))
        self.assertEqual(len(rows), 1)
        self.assertEqual((rows[0]["variant"], rows[0]["against"], rows[0]["verdict"]), ("b", "a", "worse"))
        self.assertEqual((float(rows[0]["difference"]), rows[0]["only_against"]), (-0.5, "20"))


class Delivery(Replayed):
    def test_a_report_into_a_folder_that_is_not_there_is_refused_before_the_run(self):
        file = self.spec_of({"a": ["yes"]})
        (self.folder / "taken.html").mkdir()
        for path, why in ((self.folder / "nowhere" / "r.html", "there is no folder"),
                          (self.folder / "taken.html", "it is a folder")):
            done = self.home.run("run", file, "--save", path)
            self.assert_code(done, support.BAD_INPUT)
            self.assert_says(done, str(path), why)
        file = self.spec_of({"a": ["yes"]}, report=["nowhere/r.html"])
        done = self.home.run("run", file)
        self.assert_code(done, support.BAD_INPUT)
        self.assert_says(done, "nowhere")
        self.assertEqual(self.home.run("runs", "list", "-o", "json").json(), [])

    def test_a_report_that_cannot_be_saved_hides_neither_the_table_nor_the_others(self):
        file = self.spec_of({"a": ["yes"]})
        # The page is written beside its place first, where a folder is in the way.
        (self.folder / "r.html.tmp").mkdir()
        done = self.home.run("run", file, "--save", self.folder / "r.html", "--save", self.folder / "r.json")
        self.assert_code(done, support.OTHER)
        self.assert_says(done, "cannot write", "r.html")
        self.assertIn("exact_match", done.out)
        self.assertEqual(json.loads((self.folder / "r.json").read_text())["totals"]["done"], 1)

    def test_a_pipe_is_written_into_and_stays_a_pipe(self):
        pipe = self.folder / "r.json"
        os.mkfifo(pipe)
        process = self.home.start(
            "run", self.spec_of({"a": ["yes"]}), "--save", pipe, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self.assertEqual(json.loads(pipe.read_text())["totals"]["done"], 1)
        _, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0, err)
        self.assertTrue(pipe.is_fifo())

    def test_a_reader_that_has_left_is_not_an_error(self):
        self.ran(self.spec_of({"a": ["yes"] * 2000}))
        process = self.home.start("report", "last", "-o", "json", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        process.stdout.close()
        self.assertEqual(process.stderr.read(), b"")
        process.stderr.close()
        self.assertEqual(process.wait(30), 128 + signal.SIGPIPE)

    def test_a_run_that_fails_is_an_object_too(self):
        self.rows(5)
        endpoint = self.endpoint(script=lambda request: mock_llm.Status(401))
        file = self.write_spec(support.spec(endpoint.base_url))
        done = self.home.run("run", file, "-o", "json")
        self.assert_code(done, support.OTHER)
        report = done.json()
        self.assertEqual(report["run"]["state"], "failed")
        self.assertIn("401", report["run"]["error"])
        self.assertEqual(report["totals"]["done"], 0)

    def test_a_spent_budget_names_the_command_that_goes_on(self):
        self.rows(20)
        endpoint = self.endpoint()
        file = self.write_spec(support.spec(endpoint.base_url, run={"budget": {"max_calls": 5}, "concurrency": 1}))
        done = self.home.run("run", file)
        self.assert_code(done, support.OTHER)
        self.assertRegex(done.err, r"llm-research resume [0-9a-f]{8} --max-calls N")
        command = done.err[done.err.index("llm-research resume"):].split()[1:4]
        self.assert_code(self.home.run(*command, "20"), support.PASSED)


if __name__ == "__main__":
    unittest.main()
