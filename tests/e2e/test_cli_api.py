"""The resource commands: one script, once over the store of a home and once over a server; what
they say when something is wrong; logins, profiles and experiments that run elsewhere."""
import json
import os
import re
import subprocess
import threading
import time

import mock_llm
import support
from test_analyses import A, B, hypothesis
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
        text = re.sub(r'"[0-9a-f-]{1,35}\.\.\.', '"<cut>...', text)  # where a long member ends
        text = re.sub(r'"(\w+_m?s)": [0-9.e+-]+', r'"\1": <duration>', text)
        text = re.sub(r"\b[0-9.]+ (ms|s|min)\b", "<duration>", text)
        # Of a spec, in which recorded outputs stand with their path.
        text = re.sub(r'"(\w*sha256)": "[0-9a-f]{64}"', r'"\1": <hash>', text)
        text = TIME.sub("<time>", text)
        text = re.sub(r"looked for (\S+) in .*", r"looked for \1", text)
        text = re.sub(r"(the server|the store) [^\s?]+", "<place>", text)
        text = re.sub(r"  request id: .*\n", "", text)
        return text.replace(str(self.test.folder), "<folder>")


class LargeFiles(ApiTest):
    """What an upload holds in memory does not grow with the file."""
    ROWS, BYTES = 20_000, 2_000

    def peak_mb(self, *arguments, env):
        process = self.client.start(*arguments, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        with process.stdout:
            said = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.assertEqual(process.returncode, 0, said)
        return used.ru_maxrss / 1024

    def test_a_file_is_sent_as_it_is_read(self):
        file = self.folder / "client" / "large.jsonl"
        with open(file, "w", encoding="ascii") as out:
            for number in range(self.ROWS):
                out.write(json.dumps({"n": number, "q": "x" * self.BYTES}) + "\n")
        megabytes = file.stat().st_size / 2**20
        server = self.server()
        self.user_named(server)
        for env in (self.remote(server, self.key(server)), {}):
            made = self.client.run("datasets", "create", "-n", "large", "-o", "json", env=env).json()["id"]
            idle = self.peak_mb("datasets", "get", made, env=env)
            taken = self.peak_mb("datasets", "upload", made, "--filename", file, env=env)
            self.assertLess(taken - idle, megabytes / 2, env)
            done = self.client.run("datasets", "get", made, "-o", "json", env=env).json()
            self.assertEqual(done["row_count"], self.ROWS)


class OneScript(ApiTest):
    ROWS = 12
    maxDiff = None

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
        check = s.made("evaluations", "create", "-n", "check", "-t", "automated", "--dataset", sums, "--models", model,
                       "--prompt", prompt, "--metrics", "accuracy:numeric", "--tags", "nightly")
        s.run("evaluations", "update", check, "--reference", "answer")
        s.run("eval", "list", "--type", "automated")
        run = self.client.run("evaluations", "run", check, "-o", "json", env=env).json()
        self.assertEqual(run["status"], "completed", run)
        results = self.client.run("evaluations", "results", check, run["id"], "-o", "json", env=env).json()
        self.assertAlmostEqual(results["metrics"]["accuracy"]["mean"], 9 / 12)
        shown = self.client.run("evaluations", "results", check, run["id"], env=env)
        self.assertRegex(shown.out, r"weak +accuracy +0\.75 +\S+ to \S+ +12 +0")
        self.assertIn("-o json", shown.err)
        again = self.client.run("evaluations", "run", check, env=env)
        self.assertRegex(again.out, r"manifest +\{.*\.\.\.\n")
        self.assertIn("-o json", again.err)
        second = self.client.run("evaluations", "runs", check, "-o", "json", env=env).json()["data"][0]["id"]
        beside = self.client.run("evaluations", "compare", "--runs", f"{run['id']},{second}", env=env).out
        self.assertRegex(beside, rf"accuracy +{second} +{run['id']} +0 ")
        s.run("evaluations", "runs", check, "-o", "csv")
        s.run("evaluations", "metric-types", "-o", "compact")
        s.run("evaluations", "delete", check, "-f")
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


class Pipes(ApiTest):
    """Texts and rows as other programs give and take them."""

    def made(self, *arguments):
        return self.client.run(*arguments, "-o", "json").json()["id"]

    def test_a_rendered_prompt_is_shown_as_it_is(self):
        text = "Rows:\n\t{{rows}}\n\n  end  \u00e9"
        prompt = self.made("prompts", "create", "-n", "p", "-t", text, "--system", "Be\nshort.")
        done = self.client.run("prompts", "render", prompt, "--vars", '{"rows": "a\\nb"}')
        self.assert_code(done, support.PASSED)
        self.assertEqual(done.out, "system:\nBe\nshort.\n\nuser:\nRows:\n\ta\nb\n\n  end  \u00e9\n")
        shown = self.client.run("prompts", "get", prompt).out.splitlines()
        self.assertEqual([line.split() for line in shown if "short." in line], [["short."]], "lines stay lines")

    def test_rows_come_from_a_pipe_too(self):
        data = self.made("datasets", "create", "-n", "piped")
        rows = "".join(json.dumps({"id": i, "text": "x" * 1000}) + "\n" for i in range(3000)).encode()
        (self.folder / "tmp").mkdir()
        env = {"TMPDIR": str(self.folder / "tmp")}
        for path in ("-", "/dev/stdin"):
            process = self.client.start("datasets", "upload", data, "--filename", path, "-o", "json", env=env,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            out, err = process.communicate(rows, timeout=60)
            self.assertEqual(process.returncode, support.PASSED, err)
            self.assertEqual(json.loads(out)["sample_count"], 3000)
        fifo = self.folder / "client/rows"
        os.mkfifo(fifo)
        writer = threading.Thread(target=lambda: fifo.write_bytes(rows[: rows.index(b"\n") + 1]))
        writer.start()
        done = self.client.run("datasets", "upload", data, "--filename", fifo, "-o", "json", env=env)
        writer.join()
        self.assert_code(done, support.PASSED)
        self.assertEqual(done.json()["sample_count"], 1)
        self.assertEqual(os.listdir(self.folder / "tmp"), [], "nothing is left")
        gone = self.client.run("datasets", "upload", data, "--filename", "not-there.jsonl")
        self.assert_code(gone, support.BAD_INPUT)
        self.assertIn("not-there.jsonl", gone.err)


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


class Logins(ApiTest):
    def credentials(self):
        return self.folder / "client/config/llm-research/credentials.json"

    def kept(self):
        return next(iter(json.loads(self.credentials().read_text()).values()))

    def logged_in(self, **server_env):
        server = self.server(**server_env)
        self.user_named(server)
        self.env = {"LLM_RESEARCH_API_URL": f"http://127.0.0.1:{server.port}"}
        done = self.as_typed(PASSWORD + "\n", "auth", "login", "--email", EMAIL)
        self.assert_code(done, support.PASSED)
        self.assertIn(f"as {EMAIL}", done.err)
        return server

    def as_typed(self, text, *arguments):
        process = self.client.start(
            *arguments, env=self.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        out, err = process.communicate(text.encode(), timeout=60)
        return support.Done(process.returncode, out.decode(), err.decode())

    def test_a_login_is_kept_for_its_owner_alone_and_ends_with_logout(self):
        self.logged_in()
        self.assertEqual(os.stat(self.credentials()).st_mode & 0o777, 0o600)
        self.assertNotIn(PASSWORD, self.credentials().read_text())
        who = self.client.run("auth", "test", "-o", "json", env=self.env)
        self.assertEqual(who.json()["email"], EMAIL)
        status = self.client.run("auth", "status", env=self.env)
        self.assertIn(EMAIL, status.out)
        for secret in ("access_token", "refresh_token"):
            self.assertNotIn(self.kept()[secret], status.out + who.out)
        programs = self.client.run("auth", "status", "-o", "json", env=self.env).json()[0]
        self.assertLessEqual(3000, programs["renewed_in"], programs)
        self.assertRegex(programs["expires_at"], TIME)
        self.assertIsNone(programs["profile"])
        token = self.kept()["access_token"]
        self.assert_code(self.client.run("models", "list", env=self.env), support.PASSED)
        self.assert_code(self.client.run("auth", "logout", env=self.env), support.PASSED)
        self.assertNotIn(token, self.credentials().read_text())
        done = self.client.run("models", "list", env=self.env)
        self.assert_code(done, support.OTHER)
        self.assertIn("auth login", done.err)

    def test_a_wrong_password_keeps_nothing(self):
        self.logged_in()
        before = self.credentials().read_text()
        done = self.as_typed("wrong\n", "auth", "login", "--email", EMAIL)
        self.assert_code(done, support.OTHER)
        self.assertEqual(self.credentials().read_text(), before)

    def test_tokens_are_renewed_and_the_new_refresh_token_is_kept(self):
        self.logged_in()
        kept = self.kept()
        # As if its time were over: the next command renews it first.
        text = json.loads(self.credentials().read_text())
        for entry in text.values():
            entry["expires_at"] = 1
        self.credentials().write_text(json.dumps(text))
        processes = [self.client.start("models", "list", env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
                     for _ in range(3)]
        for process in processes:
            _, err = process.communicate(timeout=60)
            self.assertEqual(process.returncode, 0, err)
        renewed = self.kept()
        self.assertNotEqual(renewed["refresh_token"], kept["refresh_token"])
        self.assertGreater(renewed["expires_at"], time.time())
        self.assertEqual(os.stat(self.credentials()).st_mode & 0o777, 0o600)
        self.assert_code(self.client.run("auth", "test", env=self.env), support.PASSED)

    def test_a_key_is_tried_before_it_is_kept_and_belongs_to_its_server(self):
        server = self.server()
        self.user_named(server)
        url = f"http://127.0.0.1:{server.port}"
        done = self.client.run("auth", "login", "--api-url", url, env={"LLM_RESEARCH_API_KEY": "llm-research_nothing"})
        self.assert_code(done, support.OTHER)
        self.assertFalse(self.credentials().exists())
        key = self.key(server)
        done = self.client.run("auth", "login", "--api-url", url, env={"LLM_RESEARCH_API_KEY": key})
        self.assert_code(done, support.PASSED)
        self.assert_code(self.client.run("models", "list", "--api-url", url + "/"), support.PASSED)
        other = self.client.run("models", "list", "--api-url", url.replace("127.0.0.1", "localhost"))
        self.assert_code(other, support.OTHER)
        self.assert_code(self.client.run("auth", "logout", "--all"), support.PASSED)
        self.assertNotIn(key, self.credentials().read_text())

    def test_without_a_keyring_or_a_server_it_is_said(self):
        server = self.server()
        self.user_named(server)
        env = self.remote(server, self.key(server))
        done = self.client.run("auth", "login", "--use-keyring", env=env)
        self.assert_code(done, support.OTHER)
        self.assertIn("without --use-keyring", done.err)
        self.assert_code(self.client.run("auth", "login", "--email", EMAIL), support.BAD_INPUT)


class Profiles(ApiTest):
    def config(self, *arguments, code=support.PASSED):
        done = self.client.run("config", *arguments)
        self.assert_code(done, code)
        return done.out.strip()

    def test_profiles_are_made_used_changed_and_deleted(self):
        path = self.folder / "client/config/llm-research/config.toml"
        self.assertEqual(self.config("path"), str(path))
        self.config("set", "timeout_secs", "9")
        self.config("create-profile", "lab", "--api-url", "http://127.0.0.1:9")
        self.config("create-profile", "ci", "--from", "lab")
        self.config("set", "output", "json", "--profile", "ci")
        self.config("use-profile", "ci")
        self.assertEqual(self.config("get", "api_url"), "http://127.0.0.1:9")
        self.assertEqual(self.config("get", "timeout_secs"), "9")
        rows = json.loads(self.config("profiles"))
        self.assertEqual({row["profile"]: row["in_use"] for row in rows}, {"ci": "yes", "lab": ""})
        self.assertEqual(self.config("get", "output", "-p", "lab"), "table")
        self.config("delete-profile", "ci", code=support.BAD_INPUT)
        self.config("delete-profile", "ci", "-f")
        self.config("use-profile", "ci", code=support.BAD_INPUT)
        self.config("set", "outptu", "json", code=support.BAD_INPUT)
        self.config("set", "max_retries", "many", code=support.BAD_INPUT)
        self.config("reset", "--force")
        self.assertEqual(self.config("get", "timeout_secs"), "30")

    def test_option_goes_before_environment_before_profile(self):
        self.config("create-profile", "lab", "--api-url", "http://127.0.0.1:1")
        self.config("use-profile", "lab")
        env = {"LLM_RESEARCH_API_URL": "http://127.0.0.1:2"}
        self.assertEqual(self.config("get", "api_url"), "http://127.0.0.1:1")
        self.assertEqual(self.client.run("config", "get", "api_url", env=env).out.strip(), "http://127.0.0.1:2")
        done = self.client.run("config", "get", "api_url", "--api-url", "http://127.0.0.1:3", env=env)
        self.assertEqual(done.out.strip(), "http://127.0.0.1:3")


class Remote(ApiTest):
    ROWS = 20

    def spec(self, **sections):
        folder = self.folder / "client"
        for name, wrong in (("good", 10), ("weak", 2)):
            (folder / f"{name}.jsonl").write_text("".join(
                json.dumps({"id": f"q{i}", "output": f"It is {2 * i + (i % wrong == 0)}."}) + "\n" for i in range(self.ROWS)))
        (folder / "sums.jsonl").write_text("".join(
            json.dumps({"id": f"q{i}", "question": f"{i} + {i}?", "answer": str(2 * i)}) + "\n" for i in range(self.ROWS)))
        value = {
            "name": "sums", "dataset": {"path": "sums.jsonl"},
            "prompts": [{"id": "p", "template": "{{question}}"}],
            "models": [{"id": name, "provider": "replay", "model": name, "replay": {"path": f"{name}.jsonl"}}
                       for name in ("good", "weak")],
            "scorers": [{"type": "numeric", "id": "accuracy", "reference": "{{answer}}"}],
            "gate": [{"metric": "accuracy", "variant": "good", "min": 0.85}],
            "report": [{"path": "report.html"}],
            **sections,
        }
        path = folder / "experiment.json"
        path.write_text(json.dumps(value))
        return path

    def figures(self, done):
        return {v["id"]: v["metrics"]["accuracy"]["value"] for v in done.json()["results"]["variants"]}

    def test_a_file_gives_at_a_server_what_it_gives_here(self):
        server = self.server()
        self.user_named(server)
        env = self.remote(server, self.key(server))
        path = self.spec()
        here = self.client.run("run", path, "-o", "json")
        self.assert_code(here, support.PASSED)
        (self.folder / "client/report.html").unlink()
        there = self.client.run("run", path, "--remote", "-o", "json", "--save", "saved.csv", env=env)
        self.assert_code(there, support.PASSED)
        self.assertEqual(self.figures(there), self.figures(here))
        self.assertEqual(there.err.count("uploading"), 3, there.err)
        self.assertIn("<!doctype html>", (self.folder / "client/report.html").read_text().lower())
        self.assertIn("good", (self.folder / "client/saved.csv").read_text())
        # Again: everything is there, the experiment is the same one.
        again = self.client.run("run", path, "-r", env=env)
        self.assert_code(again, support.PASSED)
        self.assertNotIn("uploading", again.err)
        self.assertIn("sums #2", again.err)
        self.assertIn("accuracy", again.out)
        # Another gate is another config: its own experiment, and its gate decides.
        path = self.spec(gate=[{"metric": "accuracy", "min": 0.85}])
        failed = self.client.run("run", path, "-r", env=env)
        self.assert_code(failed, support.GATE_FAILED)
        names = [e["name"] for e in self.client.run("experiments", "list", "-o", "json", env=env).json()["data"]]
        self.assertEqual(len(names), 2, names)
        self.assertIn("sums", names)

    def test_detached_it_says_ids_and_can_be_followed(self):
        server = self.server()
        self.user_named(server)
        env = self.remote(server, self.key(server))
        ids = self.client.run("run", self.spec(), "-r", "--detach", "-o", "json", env=env)
        self.assert_code(ids, support.PASSED)
        done = self.client.run("experiments", "follow", ids.json()["experiment_id"], "-o", "json", env=env)
        self.assert_code(done, support.PASSED)
        self.assertEqual((done.json()["id"], done.json()["status"]), (ids.json()["run_id"], "completed"))

    def test_failures_are_told_with_their_reason(self):
        endpoint = self.endpoint(script=lambda request: mock_llm.Status(400, "no such model here"))
        server = self.server(OPENAI_API_KEY="x")
        self.user_named(server)
        env = self.remote(server, self.key(server))
        support.write_rows(self.folder / "client/rows.jsonl", 20)
        value = support.spec(endpoint.base_url, run={"concurrency": 1, "max_error_share": 1})
        (self.folder / "client/bad.json").write_text(json.dumps(value))
        done = self.client.run("run", "bad.json", "--remote", env={**env, "OPENAI_API_KEY": "x"})
        self.assertNotEqual(done.code, support.PASSED)
        told = [line for line in done.err.splitlines() if "no such model here" in line]
        self.assertEqual(len([line for line in told if line.startswith("failed: item ")]), 1, "one reason, once\n" + done.err)
        self.assertEqual(len([line for line in told if line.startswith("  item ")]), 3, done.err)
        self.assertIn("10 of 20 samples have failed", done.err)

    def test_mistakes_are_said_here_before_anything_is_sent(self):
        server = self.server()
        self.user_named(server)
        env = self.remote(server, self.key(server))
        bad = self.spec(scorers=[{"type": "numreic", "reference": "{{answer}}"}])
        local = self.client.run("validate", bad)
        remote = self.client.run("run", bad, "-r", env=env)
        self.assert_code(remote, support.BAD_INPUT)
        self.assertEqual(remote.err, local.err)
        self.assertEqual(self.client.run("datasets", "list", "-o", "json", env=env).json()["data"], [])
        self.assert_code(self.client.run("run", self.spec(), "-r"), support.BAD_INPUT)

    def test_a_server_takes_no_paths_keys_or_unregistered_models(self):
        server = self.server()
        token = self.user(server)
        config = {"spec": {
            "dataset": {"path": "/etc/passwd"}, "scorers": [{"type": "exact_match", "reference": "x"}],
            "models": [{"id": "m", "provider": "openai", "model": "x", "api_key_env": "JWT_SECRET"}],
            "report": [{"path": "/tmp/x.html"}],
        }}
        made = self.made(server, token, "/experiments", {"name": "bad", "config": config})
        status, _, refused = server.call("POST", f"/experiments/{made['id']}/start", token=token)
        self.assertEqual(status, 422, refused)
        fields = {one["field"] for one in refused["error"]["details"]}
        self.assertLessEqual({"config.spec.dataset.path", "config.spec.models[0].api_key_env", "config.spec.report",
                              "config.spec.models[0].model_id", "config.dataset_ids"}, fields)

    def test_who_follows_outlives_the_server_and_its_restart(self):
        endpoint = self.endpoint(latency=0.05)
        server = self.server(OPENAI_API_KEY="x")
        self.user_named(server)
        env = self.remote(server, self.key(server))
        support.write_rows(self.folder / "client/rows.jsonl", 150)
        value = support.spec(endpoint.base_url, run={"concurrency": 2})
        (self.folder / "client/slow.json").write_text(json.dumps(value))
        client = self.client.start("run", "slow.json", "--remote", "-o", "json", env={**env, "OPENAI_API_KEY": "x"},
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(lambda: client.poll() is None and client.kill())
        wait_for(lambda: len(endpoint.requests) > 20, "calls")
        server.process.kill()
        server.process.wait()
        again = server.home.start("serve", "--port", server.port, env=server.env, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL)
        self.addCleanup(lambda: again.poll() is None and (again.kill(), again.wait()))
        out, err = client.communicate(timeout=120)
        self.assertEqual(client.returncode, support.PASSED, err.decode())
        self.assertIn(b"lost the server", err)
        self.assertEqual(json.loads(out)["totals"]["done"], 150, out.decode()[:2000])


class Upkeep(ApiTest):
    def test_a_store_is_migrated_and_settings_are_checked_without_a_server(self):
        for _ in range(2):
            done = self.client.run("admin", "migrate", "-o", "json", env={"LLM_RESEARCH_API_URL": "http://127.0.0.1:9"})
            self.assert_code(done, support.PASSED)
            self.assertEqual(done.json()["store"], f"the store {self.client.path}")
        self.assertTrue((self.client.path / "lab.db").exists())
        done = self.client.run("admin", "check-config", env={"ADMIN_KEY": "hidden-admin-key-of-some-length"})
        self.assert_code(done, support.PASSED)
        self.assertIn("ADMIN_KEY", done.out)
        self.assertNotIn("hidden-admin", done.out + done.err)


class Analyses(ApiTest):
    def test_data_of_ones_own_are_analysed_without_a_server(self):
        request = hypothesis(a=A, b=B)
        (self.folder / "client/request.json").write_text(json.dumps(request))
        done = self.client.run("agents", "hypothesis", "evaluate", "-i", "request.json", "-o", "json")
        self.assert_code(done, support.PASSED)
        self.assertEqual(done.json()["status"], "accepted")
        checked = self.client.run("agents", "hypothesis", "validate", "-i", "request.json")
        self.assert_code(checked, support.PASSED)
        request["hypothesis"]["significance_level"] = 1.5
        (self.folder / "client/request.json").write_text(json.dumps(request))
        for deed in ("validate", "evaluate"):
            refused = self.client.run("agents", "hypothesis", deed, "-i", "request.json")
            self.assert_code(refused, support.BAD_INPUT)
            self.assertIn("hypothesis.significance_level", refused.err)
        self.assertEqual(len(self.client.run("agents", "list", "-o", "compact").out.splitlines()), 2)
        first = self.client.run("agents", "list", "-o", "compact").out.split()[0]
        self.assert_code(self.client.run("agents", "info", first), support.PASSED)
        self.assert_code(self.client.run("agents", "info", "nothing"), support.BAD_INPUT)
        self.assert_code(self.client.run("agents", "metric", "compute"), support.BAD_INPUT)
