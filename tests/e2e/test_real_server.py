"""The same experiment against a server that is not ours: llama.cpp with a tiny random model.

llama/setup.sh installs it once into build/venv-llama (PyPI). Without a network and without that
folder the test is skipped with the reason, and fails when LAB_REQUIRE_BACKENDS=1.
"""
import json
import os
import pathlib
import subprocess
import unittest

import support

HERE = pathlib.Path(__file__).parent
VENV = pathlib.Path(os.environ.get("LAB_LLAMA_VENV", support.ROOT / "build/venv-llama"))
ROWS = 24

EXPERIMENT = """\
name: real-server
description: A tiny random model behind the llama.cpp server says nonsense, completely.
dataset: {{path: rows.jsonl}}
prompts:
  - id: short
    template: "Question: {{{{question}}}}\\nAnswer:"
  - id: polite
    {polite}
models:
  - id: tiny
    provider: openai
    model: tiny
    base_url: "{url}"
    api: {api}
    stream: {stream}
    parameters: {{max_tokens: 16, temperature: 0, seed: 7, {logprobs}}}
    pricing: {{input_per_million: "0.15", output_per_million: "0.60"}}
scorers:
  - {{type: exact_match, reference: "{{{{answer}}}}"}}
  - {{type: chrf, reference: "{{{{answer}}}}"}}
run: {{concurrency: 4, seed: 3, timeout: 60s}}
report: [report.html]
"""


def install():
    """Why the server cannot be had; None when it is there."""
    done = subprocess.run([str(HERE / "llama/setup.sh"), str(VENV)], capture_output=True, text=True)
    return None if done.returncode == 0 else (done.stderr or done.stdout).strip()[-500:]


class RealServer(support.LabTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        problem = install()
        if problem:
            if os.environ.get("LAB_REQUIRE_BACKENDS") == "1":
                raise AssertionError(f"the model server could not be installed: {problem}")
            raise unittest.SkipTest(f"the model server could not be installed: {problem}")
        cls.log = open(VENV / "server.log", "w")
        cls.server = subprocess.Popen(
            [str(VENV / "bin/python"), str(HERE / "llama/serve.py"), str(VENV / "tiny.gguf")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=cls.log, text=True,
        )
        cls.address = cls.server.stdout.readline().strip()
        if not cls.address:
            cls.tearDownClass()
            raise AssertionError(f"the server did not start: {(VENV / 'server.log').read_text()[-2000:]}")

    @classmethod
    def tearDownClass(cls):
        cls.server.stdin.close()
        try:
            cls.server.wait(10)
        except subprocess.TimeoutExpired:
            cls.server.kill()
            cls.server.wait()
        cls.server.stdout.close()
        cls.log.close()

    def go(self, api, stream):
        self.rows(ROWS)
        chat = api == "chat"
        file = self.write_spec(EXPERIMENT.format(
            url=self.address + "/v1", api=api, stream="true" if stream else "false",
            logprobs="logprobs: true, top_logprobs: 2" if chat else "logprobs: 2",
            polite='messages: [{role: system, content: "Be brief."}, {role: user, content: "{{question}}"}]'
            if chat else 'template: "Be brief. {{question}}"',
        ))
        validated = self.home.run("validate", file)
        self.assert_code(validated, support.PASSED)
        done = self.home.run("run", file, "--save", self.folder / "saved.json")
        self.assert_code(done, support.PASSED)
        page = (self.folder / "report.html").read_text(encoding="utf-8")
        self.assertIn("real-server", page)
        self.assertIn("</html>", page)
        return support.Report((self.folder / "saved.json").read_bytes())

    def check(self, report, stream):
        samples = 2 * ROWS
        self.assertEqual(report.state, "completed")
        self.assertEqual((report.total("done"), report.total("missing")), (samples, 0))
        # Greedy decoding without an end token runs into the limit: 16 tokens each.
        usage = report.total("usage")
        self.assertEqual(usage["output"], 16 * samples)
        self.assertGreater(usage["input"] + usage["cache_read"], 5 * samples)
        self.assertFalse(usage.get("estimated", False))
        self.assertGreater(report.cost(), 0)
        for samples_of_item in report.items().values():
            for sample in samples_of_item:
                self.assertTrue(sample["output"])
        with self.home.store() as store:
            kept = store.stored_logprobs()
            self.assertEqual(len(kept), samples)
            for text in kept:
                tokens = json.loads(text)
                self.assertEqual(len(tokens), 16)
                for token in tokens:
                    self.assertLessEqual(token["logprob"], 0)
            times = [t for t, in store.of_newest_run("samples", "first_token_ns")]
        if stream:
            self.assertTrue(all(t is not None and t > 0 for t in times), times)
        else:
            self.assertEqual(set(times), {None})

    def test_chat_with_streaming_logprobs_and_usage(self):
        self.check(self.go("chat", True), True)

    def test_chat_in_one_piece_says_the_same_as_in_a_stream(self):
        streamed = self.go("chat", True)
        whole = self.go("chat", False)
        self.check(whole, False)
        self.assertEqual(outputs(whole), outputs(streamed))

    def test_completions_with_streaming_logprobs_and_usage(self):
        self.check(self.go("completions", True), True)

    def test_completions_in_one_piece(self):
        self.check(self.go("completions", False), False)

    def test_a_prompt_beyond_the_context_is_refused_once_with_the_servers_words(self):
        path = self.folder / "rows.jsonl"
        rows = [{"id": "short", "question": "a", "answer": "x"}, {"id": "long", "question": "word " * 3000, "answer": "x"}]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        value = support.spec(self.address + "/v1", model={"model": "tiny"}, run={"max_error_share": 1})
        self.assert_code(self.home.run("run", self.write_spec(value)), support.PASSED)
        report = self.home.report()
        self.assertEqual((report.total("done"), report.total("missing"), report.total("retries")), (1, 1, 0))
        self.assertIn("context", json.dumps(report.value["errors"]))


def outputs(report):
    return {item: [sample["output"] for sample in samples] for item, samples in report.items().items()}


if __name__ == "__main__":
    unittest.main()
