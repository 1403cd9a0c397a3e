"""What somebody meets who uses the command line for the first time: prompts, words, codes, files."""
import fcntl
import os
import pty
import signal
import stat
import subprocess
import termios

import support
import test_cli_api
from test_serve import EMAIL, PASSWORD


class Words(test_cli_api.ApiTest):
    ROWS = test_cli_api.Remote.ROWS
    spec = test_cli_api.Remote.spec

    def typed(self, text):
        """What standard input holds."""
        path = self.folder / "typed.txt"
        path.write_text(text)
        file = path.open("rb")
        self.addCleanup(file.close)
        return file

    def test_a_password_prompt_that_is_interrupted_gives_the_terminal_back(self):
        terminal, line = pty.openpty()
        self.addCleanup(os.close, terminal)
        self.addCleanup(os.close, line)

        def own_terminal():
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        def echo():
            return bool(termios.tcgetattr(line)[3] & termios.ECHO)
        self.assertTrue(echo())
        asked = subprocess.Popen(
            [str(support.BINARY), "auth", "login", "--api-url", "http://127.0.0.1:1", "--email", EMAIL],
            stdin=line, stdout=line, stderr=line, env=self.client.environment(), preexec_fn=own_terminal,
        )
        try:
            test_cli_api.wait_for(lambda: not echo(), "the prompt hides what is typed")
            os.write(terminal, b"\x03")
            self.assertEqual(asked.wait(30), -signal.SIGINT)
        finally:
            asked.kill()
            asked.wait()
        self.assertTrue(echo())

    def test_a_login_that_is_refused_does_not_advise_to_log_in(self):
        server = self.server()
        self.user_named(server)
        env = {"LLM_RESEARCH_API_URL": f"http://127.0.0.1:{server.port}"}
        done = self.client.run("auth", "login", "--email", EMAIL, env=env, stdin=self.typed("wrong\n"))
        self.assert_code(done, support.OTHER)
        self.assertEqual(done.err, "error: the server does not take this e-mail address with this password\n")
        done = self.client.run("auth", "login", env={**env, "LLM_RESEARCH_API_KEY": "llm-research_wrong"})
        self.assert_code(done, support.OTHER)
        self.assertIn("this API key", done.err)
        # Elsewhere the advice is whole: with the profile that the login has to be made for.
        self.client.run("config", "create-profile", "lab", "--api-url", env["LLM_RESEARCH_API_URL"])
        done = self.client.run("models", "list", "-p", "lab")
        self.assertIn("`llm-research auth login -p lab`", done.err)
        login = self.client.run("auth", "login", "--email", EMAIL, env=env, stdin=self.typed(PASSWORD + "\n"))
        self.assert_code(login, support.PASSED)
        self.assertIn("--all", self.client.run("auth", "logout").err)

    def test_a_user_without_a_password_is_told_of(self):
        made = self.client.run("admin", "create-user", "--email", EMAIL, "--role", "Viewer", "-o", "yaml", stdin=self.typed(""))
        self.assert_code(made, support.PASSED)
        self.assertIn("no password was given", made.err)
        self.assertIn(f'email: "{EMAIL}"\n', made.out)
        self.assertIn('roles:\n  - "Viewer"\n', made.out)
        for what in ("on", "off", "status"):
            said = self.client.run("admin", "maintenance", what, "--help").out
            self.assertIn(f"llm-research admin maintenance {what}", said.split("Examples:")[1])

    def test_a_report_from_the_api_is_printed_as_asked_and_saved(self):
        server = self.server()
        self.user_named(server)
        env = self.remote(server, self.key(server))
        path = self.spec(gate=[{"metric": "accuracy", "min": 0.85}])
        ids = self.client.run("run", path, "-r", "--detach", "-o", "json", env=env).json()
        followed = self.client.run("experiments", "follow", ids["experiment_id"], env=env)
        self.assert_code(followed, support.GATE_FAILED)  # as `run --remote` would have ended
        table = self.client.run("experiments", "report", ids["experiment_id"], "--save", "late.html", env=env)
        self.assert_code(table, support.PASSED)
        self.assertIn("┌", table.out)
        self.assertNotIn("\\_", table.out)
        self.assertIn("<!doctype html>", (self.folder / "client/late.html").read_text().lower())
        compact = self.client.run("experiments", "report", ids["experiment_id"], "-o", "compact", env=env)
        self.assertIn("gate FAILED", compact.out)
        markdown = self.client.run("experiments", "report", ids["experiment_id"], "--format", "md", env=env)
        self.assertTrue(markdown.out.startswith("## sums"), markdown.out)
        both = self.client.run("run", path, "-r", "--detach", "--save", "never.html", env=env)
        self.assert_code(both, support.BAD_INPUT)
        nowhere = self.client.run("experiments", "report", ids["experiment_id"], "--save", "no/r.html", env=env)
        self.assert_code(nowhere, support.BAD_INPUT)

    def test_what_is_missing_or_misspelt_is_named(self):
        for arguments, words in (
            (("evaluations", "compare"), "run_ids"),
            (("expermients", "list"), 'there is no command "expermients"'),
            (("admin", "maintenance"), "a command is needed: on, off, status"),
            (("config", "set", "api_url", "lab.example.org"), "is not the address of a server"),
            (("config", "create-profile", "a", "--api-url", "lab"), "is not the address of a server"),
            (("experiments", "create", "-n", "x", "--hypothesis", "@nowhere"), "error: --hypothesis: cannot read"),
            (("experiments", "create", "-n", "x", "--config", "{"), "error: --config: it is not JSON: unexpected"),
        ):
            done = self.client.run(*arguments)
            self.assert_code(done, support.BAD_INPUT)
            self.assertIn(words, done.err)
            self.assertNotIn("body is not JSON", done.err)
        self.assert_code(self.client.run("agent", "list"), support.PASSED)
        types = self.client.run("evaluations", "metric-types", "-o", "compact").out
        self.assertIn("exact_match\texact_match\taccuracy\t", types)
        self.assertIn("rouge\trougeL\t", types)
        made = self.client.run("prompts", "create", "-n", "p", "-t", "{{a}}", "-o", "json").json()
        done = self.client.run("prompts", "render", made["id"], "--vars", '{"a": "x"}', "-o", "csv")
        self.assertIn("rendered_system_prompt,\n", done.out)
        done = self.client.run("prompts", "get", made["id"], "-o", "yaml")
        self.assertIn('name: "p"\n', done.out)

    def test_a_folder_that_cannot_be_made_is_named_with_the_reason(self):
        (self.folder / "client/file").write_text("")
        env = {"XDG_CONFIG_HOME": str(self.folder / "client/file")}
        done = self.client.run("config", "set", "output", "json", env=env)
        self.assert_code(done, support.OTHER)
        self.assertIn("cannot make the folder", done.err)
        self.assertIn("Not a directory", done.err)

    def test_rows_go_into_a_pipe_and_not_in_its_place(self):
        made = self.client.run("datasets", "create", "-n", "d", "-o", "json").json()
        rows = self.folder / "client/rows.jsonl"
        rows.write_text('{"id": 1}\n')
        self.assert_code(self.client.run("datasets", "upload", made["id"], "--filename", "rows.jsonl"), support.PASSED)
        pipe = self.folder / "client/pipe"
        os.mkfifo(pipe)
        reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        self.assert_code(self.client.run("datasets", "download", made["id"], "-O", "pipe"), support.PASSED)
        self.assertTrue(stat.S_ISFIFO(pipe.lstat().st_mode))
        self.assertEqual(os.read(reader, 100), b'{"id":1}\n')
