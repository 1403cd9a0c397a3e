"""The resource commands: one script, once over the store of a home and once over a server; what
they say when something is wrong; logins, profiles and experiments that run elsewhere."""
import json
import os
import re
import subprocess
import time

import support
from test_serve import EMAIL, PASSWORD, ServeTest

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT[0-9:.]+Z")


def wait_for(condition, what, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"this did not happen: {what}")
        time.sleep(0.02)


class ApiTest(ServeTest):
    """A home of somebody who talks to servers, beside the homes of the servers."""

    def setUp(self):
        super().setUp()
        (self.folder / "client").mkdir()
        self.client = support.Home(self.folder / "client")

    def user_named(self, server, email=EMAIL, role="Admin"):
        made = subprocess.run(
            [str(support.BINARY), "admin", "create-user", "--email", email, "--role", role, "-o", "json"],
            input=PASSWORD, text=True, capture_output=True, env=server.home.environment(**server.env), check=False,
        )
        self.assertEqual(made.returncode, 0, made.stderr)
        return json.loads(made.stdout)["id"]

    def key(self, server, scope="*", email=EMAIL):
        made = subprocess.run(
            [str(support.BINARY), "admin", "create-key", "--email", email, "--name", f"key {scope}", "--scope", scope,
             "-o", "json"],
            text=True, capture_output=True, env=server.home.environment(**server.env), check=False,
        )
        self.assertEqual(made.returncode, 0, made.stderr)
        found = [value for value in json.loads(made.stdout).values() if str(value).startswith("llm-research_")]
        return found[0]

    def remote(self, server, key):
        return {"LLM_RESEARCH_API_URL": f"http://127.0.0.1:{server.port}", "LLM_RESEARCH_API_KEY": key}


class Script:
    """Carries commands out and keeps what they printed, with ids and times made equal."""

    def __init__(self, test, env):
        self.test, self.env, self.said = test, env, []

    def run(self, *arguments, code=support.PASSED, **options):
        done = self.test.client.run(*arguments, env=self.env, **options)
        self.test.assertEqual(done.code, code, f"{arguments}: {done}")
        self.said.append((self.plain(" ".join(map(str, arguments))), self.plain(done.out), self.plain(done.err)))
        return done

    def made(self, *arguments):
        return self.run(*arguments, "-o", "json").json()["id"]

    def plain(self, text):
        text = re.sub(r'"owner_id": (null|"[^"]*")', '"owner_id": <owner>', text)
        text = re.sub(r'"created_by": (null|"[^"]*")', '"created_by": <owner>', text)
        text = re.sub(r"((owner_id|created_by):?) +\S+", r"\1 <owner>", text)
        text = UUID.sub("<id>", text)
        text = TIME.sub("<time>", text)
        text = re.sub(r"looked for (\S+) in .*", r"looked for \1", text)
        text = re.sub(r"(the server|the store) [^\s?]+", "<place>", text)
        text = re.sub(r"  request id: .*\n", "", text)
        return text.replace(str(self.test.folder), "<folder>")


class OneScript(ApiTest):
    ROWS = 12

    def write(self, name, rows):
        path = self.folder / "client" / name
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    def script(self, env, follow):
        """From nothing to a report; every kind of answer once."""
        s = Script(self, env)
        rows = [{"id": f"q{i}", "question": f"{i} + {i}?", "answer": str(2 * i)} for i in range(self.ROWS)]
        outputs = [{"id": f"q{i}", "output": str(2 * i + (i % 4 == 0))} for i in range(self.ROWS)]
        sums = s.made("datasets", "create", "-n", "sums", "--format", "jsonl", "--tags", "small,numbers")
        s.run("datasets", "upload", sums, "--filename", self.write("sums.jsonl", rows), "-o", "json")
        answers = s.made("data", "create", "-n", "outputs")
        s.run("data", "upload", answers, "--filename", self.write("outputs.jsonl", outputs))
        s.run("datasets", "list", "--tags", "numbers")
        s.run("datasets", "versions", sums)
        got = s.run("datasets", "download", sums)
        self.assertEqual([json.loads(line) for line in got.out.splitlines()], rows)
        s.run("datasets", "download", sums, "-O", "rows.jsonl")
        self.assertEqual((self.folder / "client/rows.jsonl").read_text(), got.out)
        model = s.made("models", "create", "-n", "weak", "--provider", "custom", "--model", "weak", "--config",
                       json.dumps({"replay_dataset": answers}))
        s.run("models", "list", "-o", "compact")
        s.run("models", "get", model, "-o", "yaml")
        s.run("models", "update", model, "-d", "recorded")
        s.run("models", "providers", "-o", "compact")
        prompt = s.made("prompts", "create", "-n", "sum", "-t", "{{question}}", "--system", "Be short.")
        s.run("prompts", "create-version", prompt, "-t", "Say {{question}}", "--changelog", "says")
        s.run("prompts", "versions", prompt, "-o", "csv")
        rendered = s.run("prompts", "render", prompt, "--vars", '{"question": "1 + 1?"}', "-o", "json").json()
        self.assertEqual(rendered["rendered"], "Say 1 + 1?")
        s.run("prompts", "validate", "--template", "{{broken", code=support.BAD_INPUT)
        (self.folder / "client/config.json").write_text(json.dumps(
            {"scorers": [{"type": "numeric", "id": "accuracy", "reference": "{{answer}}"}]}))
        experiment = s.made("experiments", "create", "-n", "adding", "--config", "@config.json", "--models", model,
                            "--datasets", sums)
        s.run("exp", "update", experiment, "--tags", "nightly", "--prompts", prompt)
        shown = s.run("exp", "get", experiment, "-o", "json").json()
        self.assertEqual(shown["config"]["dataset_ids"], [sums])
        self.assertEqual(shown["config"]["prompt_template_ids"], [prompt])
        # A server starts and answers; without one the command carries the run out.
        self.client.run("experiments", "start", experiment, env=env)
        if follow:
            self.client.run("experiments", "follow", experiment, env=env)
        s.run("experiments", "list", "-s", "completed", "-o", "compact")
        run = s.run("experiments", "runs", experiment, "-o", "json").json()["data"][0]
        self.assertEqual((run["status"], run["totals"]["successful_samples"]), ("completed", self.ROWS))
        metrics = s.run("experiments", "metrics", experiment, "-o", "json").json()
        self.assertAlmostEqual(metrics["accuracy"], 9 / 12)
        self.assertIn("weak", s.run("experiments", "report", experiment).out)
        copy = s.made("experiments", "clone", experiment, "-n", "adding again")
        s.run("experiments", "pause", copy, code=support.OTHER)
        s.run("experiments", "delete", copy, code=support.BAD_INPUT)  # nobody can be asked
        s.run("experiments", "delete", copy, "-f")
        s.run("experiments", "get", copy, code=support.BAD_INPUT)
        s.run("models", "delete", model, "-f", code=support.OTHER)  # in use
        s.run("models", "get", "no-id", code=support.BAD_INPUT)
        s.run("prompts", "create", "-n", "sum", "-t", "x", code=support.OTHER)
        s.run("models", "create", "-n", "x", "--provider", "nobody", "--model", "m", code=support.BAD_INPUT)
        return s.said

    def test_a_server_and_this_process_answer_alike(self):
        server = self.server()
        self.user_named(server)
        here = self.script({}, follow=False)
        there = self.script(self.remote(server, self.key(server)), follow=True)
        for one, other in zip(here, there):
            self.assertEqual(one, other)
        self.assertEqual(len(here), len(there))


class Mistakes(ApiTest):
    def test_an_unknown_id_says_what_was_looked_for_and_where(self):
        unknown = "00000000-0000-4000-8000-000000000000"
        done = self.client.run("experiments", "get", unknown)
        self.assert_code(done, support.BAD_INPUT)
        self.assertIn(f"looked for /experiments/{unknown} in the store {self.client.path}", done.err)

    def test_a_server_that_is_not_there_is_named(self):
        done = self.client.run("models", "list", "--api-url", "http://127.0.0.1:9", env={"LLM_RESEARCH_MAX_RETRIES": "0"})
        self.assert_code(done, support.OTHER)
        self.assertIn("cannot reach the server http://127.0.0.1:9", done.err)

    def test_who_is_not_logged_in_is_told_how(self):
        server = self.server()
        done = self.client.run("models", "list", "--api-url", f"http://127.0.0.1:{server.port}")
        self.assert_code(done, support.OTHER)
        self.assertIn("llm-research auth login", done.err)
        self.assertIn("request id", done.err)

    def test_broken_options_are_named_before_anything_is_opened(self):
        for arguments in (["models", "create", "-n", "x", "--provider", "openai", "--model", "m", "--config", "{"],
                          ["prompts", "create", "-n", "x", "-t", "@absent.txt"],
                          ["models", "list", "--api-url", "ftp://x"], ["models", "update", "x"]):
            done = self.client.run(*arguments)
            self.assert_code(done, support.BAD_INPUT)
            self.assertTrue(done.err.startswith("error: "), done.err)

    def test_a_key_is_never_shown(self):
        server = self.server()
        self.user_named(server)
        key = self.key(server)
        done = self.client.run("models", "list", "-v", env=self.remote(server, key))
        self.assert_code(done, support.PASSED)
        self.assertIn("GET /models -> 200", done.err)
        self.assertNotIn(key, done.out + done.err)
        checked = self.client.run("config", "check", "-v", env=self.remote(server, key))
        self.assertNotIn(key, checked.out + checked.err)
