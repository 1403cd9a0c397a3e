"""Broken experiment files and data sets: each ends before any call, with a message that names the
place, and leaves the store intact (checked after every test)."""
import json
import os
import unittest

import support


class BadFiles(support.LabTest):
    def refused(self, done, endpoint, *words):
        """Bad input, said so, and nobody was asked."""
        self.assert_code(done, support.BAD_INPUT)
        self.assert_says(done, *words)
        self.assertEqual(done.out, "")
        if endpoint is not None:
            self.assertEqual(endpoint.requests, [])

    def run_with_rows(self, data, *words, name="rows.jsonl", **sections):
        endpoint = self.endpoint()
        path = self.folder / name
        if isinstance(data, bytes):
            path.write_bytes(data)
        file = self.write_spec(support.spec(endpoint.base_url, dataset=name, **sections))
        self.refused(self.home.run("run", file), endpoint, *words)

    def test_truncated_yaml_names_the_place(self):
        endpoint = self.endpoint()
        self.rows(5)
        text = (
            "name: cut\ndataset: {path: rows.jsonl}\nprompts: [{id: p, template: \"Question: {{question}}\"}]\n"
            f"models:\n  - {{id: mock, provider: openai, model: mock, base_url: \"{endpoint.base_url}\"}}\n"
            "scorers: [{type: exact_match, reference: \"{{ans"
        )
        file = self.write_spec(text)
        for command in ("run", "validate"):
            self.refused(self.home.run(command, file), endpoint, "experiment.yaml:6:")

    def test_every_truncation_of_a_good_file_is_refused_or_is_a_good_file(self):
        self.rows(2)
        text = (
            "name: cut\ndataset:\n  path: rows.jsonl\nprompts:\n- id: p\n  template: '{{question}}'\nmodels:\n- id: m\n"
            "  provider: openai\n  model: x\n  base_url: http://127.0.0.1:9/v1\nscorers:\n- type: exact_match\n"
            "  reference: '{{answer}}'\n"
        )
        for end in range(0, len(text), 11):
            file = self.write_spec(text[:end])
            done = self.home.run("validate", file)
            self.assertIn(done.code, (support.PASSED, support.BAD_INPUT), f"cut at {end}: {done}")
            if done.code == support.BAD_INPUT:
                self.assert_says(done, "experiment.yaml")
        self.assert_code(self.home.run("validate", self.write_spec(text)), support.PASSED)

    def test_a_line_of_one_gigabyte_is_refused_with_its_number(self):
        # A hole in a file reads as zeros and takes no space: the line has one gigabyte all the same.
        path = self.folder / "rows.jsonl"
        with open(path, "wb") as out:
            out.write(b'{"id": "a", "question": "q", "answer": "x"}\n{"id": "b", "question": "')
            out.truncate(1 << 30)
            out.seek(0, os.SEEK_END)
            out.write(b'"}\n{"id": "c", "question": "q", "answer": "x"}\n')
        self.run_with_rows(None, "rows.jsonl", "2")

    def test_a_long_line_of_text_is_refused_with_its_number(self):
        row = b'{"id": "b", "question": "' + b"x" * (64 << 20) + b'", "answer": "x"}\n'
        self.run_with_rows(b'{"id": "a", "question": "q", "answer": "x"}\n' + row, "rows.jsonl", "2")

    def test_invalid_utf8_in_the_data_is_refused_with_its_line(self):
        rows = [b'{"id": "a", "question": "q", "answer": "x"}', b'{"id": "b", "question": "caf\xe9", "answer": "x"}']
        self.run_with_rows(b"\n".join(rows) + b"\n", "rows.jsonl", "2", "UTF-8")

    def test_invalid_utf8_in_the_experiment_is_refused(self):
        self.rows(2)
        path = self.folder / "experiment.yaml"
        path.write_bytes(b"name: caf\xe9\ndataset: {path: rows.jsonl}\n")
        self.refused(self.home.run("run", path), None, "experiment.yaml", "UTF-8")

    def test_duplicate_ids_in_the_data_are_refused_with_the_id(self):
        rows = b"".join(b'{"id": "%s", "question": "q", "answer": "x"}\n' % name for name in (b"a", b"twin", b"b", b"twin"))
        self.run_with_rows(rows, "twin", "4")

    def test_duplicate_ids_in_the_experiment_are_refused_with_their_place(self):
        endpoint = self.endpoint()
        self.rows(2)
        value = support.spec(
            endpoint.base_url, prompts=[{"id": "same", "template": "{{question}}"}, {"id": "same", "template": "{{question}}?"}]
        )
        self.refused(self.home.run("run", self.write_spec(value)), endpoint, "experiment.yaml:", "same")

    def test_a_variable_missing_in_row_7312_is_found_before_any_call(self):
        endpoint = self.endpoint()
        with open(self.folder / "rows.jsonl", "w") as out:
            for i in range(1, 10_001):
                row = {"id": f"r{i}", "question": f"q{i}", "answer": "x"}
                if i == 7_312:
                    del row["question"]
                out.write(json.dumps(row) + "\n")
        file = self.write_spec(support.spec(endpoint.base_url))
        for command in ("run", "validate"):
            done = self.home.run(command, file)
            self.refused(done, endpoint, "question")
            self.assertRegex(done.err, r"7,?312")

    def test_a_broken_row_is_refused_and_nothing_is_imported(self):
        rows = b'{"id": "a", "question": "q", "answer": "x"}\n' * 1 + b'{"id": "b", "question": \n'
        path = self.folder / "broken.jsonl"
        path.write_bytes(rows)
        done = self.home.run("datasets", "import", path)
        self.refused(done, None, "2")
        listed = self.home.run("datasets", "imported", "-o", "json")
        self.assert_code(listed, support.PASSED)
        self.assertEqual(listed.json(), [])

    def test_every_mistake_is_reported_at_once_with_the_nearest_name(self):
        endpoint = self.endpoint()
        self.rows(2)
        text = (
            "name: many\ndataset: {path: rows.jsonl}\nprompts: [{id: p, template: \"{{qestion}}\"}]\n"
            f"models: [{{id: m, provider: opnai, model: x, base_url: \"{endpoint.base_url}\"}}]\n"
            "scorers: [{type: exact_mach, reference: \"{{answer}}\"}]\nrun: {concurency: 3}\n"
        )
        done = self.home.run("validate", self.write_spec(text))
        self.refused(done, endpoint, "experiment.yaml:4:", "openai", "experiment.yaml:5:", "exact_match", "experiment.yaml:6:", "concurrency")

    def test_a_missing_file_is_named(self):
        self.refused(self.home.run("run", self.folder / "nowhere.yaml"), None, "nowhere.yaml")
        file = self.write_spec(support.spec("http://127.0.0.1:9/v1", dataset="nothing.jsonl"))
        self.refused(self.home.run("run", file), None, "nothing.jsonl")


if __name__ == "__main__":
    unittest.main()
