"""The command line as a person and a script meet it: help, exit codes, formats, signals."""
import contextlib
import csv
import io
import json
import os
import pty
import re
import shutil
import signal
import statistics
import subprocess
import time
import unittest
import xml.etree.ElementTree

import support

COMMANDS = [
    [], ["run"], ["resume"], ["validate"], ["report"], ["compare"], ["runs"], ["runs", "list"], ["runs", "get"],
    ["runs", "cancel"], ["datasets"], ["datasets", "import"], ["datasets", "list"], ["datasets", "get"], ["datasets", "imported"],
    ["datasets", "upload"], ["datasets", "download"], ["experiments"], ["experiments", "create"], ["experiments", "start"],
    ["models"], ["models", "delete"], ["prompts"], ["prompts", "render"], ["evaluations", "compare"],
    ["agents", "hypothesis", "evaluate"], ["auth", "login"], ["config", "set"], ["schema"],
    ["config"], ["config", "check"], ["doctor"], ["version"], ["completion"],
]
BAD = support.ROOT / "tests/data/bad"
ESCAPE = "\x1b["


def wait_for(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("what was waited for did not happen")
        time.sleep(0.002)


class Help(support.LabTest):
    def test_every_command_has_examples_and_needs_no_home(self):
        for command in COMMANDS:
            with self.subTest(command=command):
                done = self.home.run(*command, "--help")
                self.assert_code(done, support.PASSED)
                self.assertEqual(done.err, "")
                self.assertIn("Examples:", done.out)
                example = done.out.split("Examples:")[1].strip().split("\n")[0].split()
                self.assertEqual(example[: 1 + len(command)], ["llm-research", *command], done.out)
        self.assertFalse(self.home.path.exists())

    def test_help_answers_at_once(self):
        walls = []
        for _ in range(9):
            started = time.monotonic()
            self.home.run("--help")
            walls.append(time.monotonic() - started)
        # The figure is measured by the benchmarks; this finds what would be felt.
        self.assertLess(statistics.median(walls), 0.25)

    def test_an_unknown_command_or_option_is_answered_with_the_nearest(self):
        for arguments, near in ((["rnu", "x.yaml"], "run"), (["run", "x.yaml", "--sve", "r.html"], "--save"),
                                (["runs", "lits"], "list"), (["datasets", "improt", "x"], "import")):
            with self.subTest(arguments=arguments):
                done = self.home.run(*arguments)
                self.assert_code(done, support.BAD_INPUT)
                self.assert_says(done, f'"{near}"')
                self.assertEqual(done.out, "")

    def test_help_and_errors_name_the_whole_command(self):
        for arguments, path in ((["runs", "list", "-l", "0"], "runs list"), (["datasets", "import"], "datasets import"),
                                (["resume"], "resume")):
            with self.subTest(arguments=arguments):
                self.assert_says(self.home.run(*arguments), f"see: llm-research {path} --help")
                usage = self.home.run(*path.split(" "), "--help").out
                self.assertIn(f"Usage: llm-research {path} ", usage)
                self.assertIn("Options of all commands: llm-research --help", usage)

    def test_a_report_that_cannot_be_written_is_refused_before_the_run(self):
        example = support.ROOT / "examples/gsm8k/experiment.yaml"
        done = self.home.run("run", str(example), "--save", "report.pdf")
        self.assert_code(done, support.BAD_INPUT)
        self.assert_says(done, "report.pdf")
        self.assertEqual(self.home.run("runs", "list", "-o", "json").json(), [])

    def test_a_name_does_not_steer_the_terminal_or_become_a_formula(self):
        folder = self.home.folder
        (folder / "d.jsonl").write_text('{"id": "1", "reference": "a"}\n', encoding="utf-8")
        (folder / "o.jsonl").write_text('{"id": "1", "output": "a"}\n', encoding="utf-8")
        for name in ("=1+1", "red" + ESCAPE + "[31m"):
            (folder / "e.json").write_text(json.dumps({
                "name": name, "dataset": {"path": "d.jsonl"}, "scorers": ["exact_match"],
                "models": [{"id": "m", "provider": "replay", "replay": {"path": "o.jsonl"}}],
            }), encoding="utf-8")
            done = self.home.run("run", str(folder / "e.json"))
            self.assert_code(done, support.PASSED)
            self.assertNotIn(ESCAPE, done.err + done.out)
        for form in ("table", "compact"):
            self.assertNotIn(ESCAPE, self.home.run("runs", "list", "-o", form).out)
        rows = list(csv.DictReader(io.StringIO(self.home.run("runs", "list", "-o", "csv").out)))
        self.assertEqual(rows[1]["experiment"], "'=1+1")
        listed = self.home.run("runs", "list", "-o", "json").json()
        self.assertEqual(listed[1]["experiment"], "=1+1")
        self.assertEqual([row["samples"] for row in listed], [1, 1])
        got = self.home.run("runs", "get", "last", "-o", "json").json()
        self.assertEqual(got["id"], listed[0]["id"])
        self.assertEqual(got["manifest"]["dataset"]["rows"], 1)

    def test_nothing_to_do_is_bad_input(self):
        self.assert_code(self.home.run(), support.BAD_INPUT)
        self.assert_code(self.home.run("run"), support.BAD_INPUT)
        self.assert_code(self.home.run("version", "-o", "papyrus"), support.BAD_INPUT)

    def test_completion_scripts_are_scripts(self):
        for shell, check in (("bash", ["bash", "-n"]), ("zsh", ["zsh", "-n"]), ("fish", ["fish", "-n"])):
            with self.subTest(shell=shell):
                done = self.home.run("completion", shell)
                self.assert_code(done, support.PASSED)
                self.assertIn("validate", done.out)
                path = self.folder / f"script.{shell}"
                path.write_text(done.out)
                if shutil.which(shell):
                    checked = subprocess.run([*check, str(path)], capture_output=True, text=True)
                    self.assertEqual((checked.returncode, checked.stderr), (0, ""))

    def test_bash_completes_commands_and_options(self):
        path = self.folder / "script.bash"
        path.write_text(self.home.run("completion", "bash").out)
        for words, expected in ((["llm-research", "va"], "validate"), (["llm-research", "runs", "li"], "list"),
                                (["llm-research", "exp", "cr"], "create"), (["llm-research", "auth", "lo"], "login"),
                                (["llm-research", "report", "last", "--sa"], "--save")):
            script = (
                f'source {path}; COMP_WORDS=({" ".join(words)}); COMP_CWORD={len(words) - 1}; '
                'COMP_LINE="${COMP_WORDS[*]}"; COMP_POINT=${#COMP_LINE}; '
                'f=$(complete -p llm-research | sed "s/.*-F \\([^ ]*\\).*/\\1/"); "$f"; printf "%s\\n" "${COMPREPLY[@]}"'
            )
            done = subprocess.run(["bash", "-c", script], capture_output=True, text=True)
            self.assertIn(expected, done.stdout.split("\n"), done.stderr)


class Formats(support.LabTest):
    def setUp(self):
        super().setUp()
        self.rows(12)
        self.endpoint_ = self.endpoint()
        self.file = self.write_spec(support.spec(self.endpoint_.base_url))

    def ran(self, *more):
        done = self.home.run("run", self.file, *more)
        self.assert_code(done, support.PASSED)
        return done

    def test_data_goes_to_stdout_and_messages_to_stderr(self):
        done = self.ran("-o", "json")
        report = done.json()
        self.assertEqual(report["totals"]["done"], 12)
        self.assertTrue(done.err)
        self.assertNotIn(ESCAPE, done.out + done.err)

    def test_global_options_stand_before_or_after(self):
        self.ran()
        before = self.home.run("-o", "json", "runs", "list")
        after = self.home.run("runs", "list", "--output", "json")
        self.assert_code(before, support.PASSED)
        self.assertEqual(before.json(), after.json())
        by_environment = self.home.run("runs", "list", env={"LLM_RESEARCH_OUTPUT": "json"})
        self.assertEqual(before.json(), by_environment.json())

    def test_every_format_of_a_report_can_be_read(self):
        names = ["r.json", "r.csv", "r.xml", "r.md", "r.html", "r.yaml"]
        self.ran(*(part for name in names for part in ("--save", self.folder / name)))
        text = {name: (self.folder / name).read_text(encoding="utf-8") for name in names}
        self.assertEqual(json.loads(text["r.json"])["totals"]["done"], 12)
        table = list(csv.reader(io.StringIO(text["r.csv"])))
        self.assertGreaterEqual(len(table), 2)
        self.assertEqual({len(row) for row in table}, {len(table[0])})
        root = xml.etree.ElementTree.fromstring(text["r.xml"])
        self.assertIn(root.tag, ("testsuites", "testsuite"))
        self.assertRegex(text["r.md"], r"(?m)^\|[-: |]+\|$")
        self.assertTrue(text["r.html"].lstrip().lower().startswith("<!doctype html>"))
        # Self-contained: nothing is fetched.
        self.assertNotRegex(text["r.html"], r"""(?i)<(script|link|img|iframe)[^>]+(src|href)\s*=\s*["']?(https?:)?//""")
        for name in names:
            self.assertNotIn(ESCAPE, text[name])

    def test_printed_formats_agree_with_each_other(self):
        self.ran()
        report = self.home.run("report", "last", "-o", "json").json()
        self.assertEqual(report["results"], self.home.report().results)
        for command in (["runs", "list"], ["datasets", "imported"], ["report", "last"]):
            with self.subTest(command=command):
                as_csv = self.home.run(*command, "-o", "csv")
                self.assert_code(as_csv, support.PASSED)
                table = list(csv.reader(io.StringIO(as_csv.out)))
                self.assertGreaterEqual(len(table), 2, as_csv.out)
                self.assertEqual({len(row) for row in table}, {len(table[0])})
                for form in ("table", "compact", "yaml"):
                    done = self.home.run(*command, "-o", form)
                    self.assert_code(done, support.PASSED)
                    self.assertTrue(done.out.strip())

    def test_yaml_says_what_json_says(self):
        python = support.ROOT / "build/venv-llama/bin/python"
        if not python.exists() or subprocess.run([python, "-c", "import yaml"], capture_output=True).returncode:
            self.skipTest("no independent YAML reader (it comes with the model server's environment)")
        self.ran()
        for command in (["runs", "list"], ["report", "last"]):
            done = self.home.run(*command, "-o", "yaml")
            program = "import json, sys, yaml; json.dump(yaml.load(sys.stdin, yaml.BaseLoader), sys.stdout)"
            read = subprocess.run([python, "-c", program], input=done.out, capture_output=True, text=True)
            self.assertEqual(read.returncode, 0, read.stderr[-500:])
            value = self.home.run(*command, "-o", "json").json()
            if command[0] == "report":
                del value["results"]["items"]  # YAML is for people: no items
            self.assertEqual(shape(json.loads(read.stdout)), shape(value))

    def test_colour_only_on_a_terminal_and_never_against_the_users_wish(self):
        self.ran()
        self.assertIn(ESCAPE, self.on_terminal(["report", "last"]))
        self.assertNotIn("\x1b[1m", self.on_terminal(["report", "last"], NO_COLOR="1"))
        self.assertNotIn("\x1b[1m", self.on_terminal(["report", "last", "--no-color"]))
        self.assertNotIn(ESCAPE, self.home.run("report", "last").out)

    def on_terminal(self, arguments, **env):
        master, slave = pty.openpty()
        process = self.home.start(
            *arguments, env={"TERM": "xterm-256color", **env}, stdin=slave, stdout=slave, stderr=slave
        )
        os.close(slave)
        out = b""
        while True:
            try:
                data = os.read(master, 65536)
            except OSError:
                break
            if not data:
                break
            out += data
        os.close(master)
        self.assertEqual(process.wait(30), support.PASSED, out)
        return out.decode("utf-8", "replace")

    def test_a_reader_that_leaves_early_does_no_harm(self):
        self.ran()
        process = self.home.start("report", "last", "-o", "json", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        process.stdout.close()
        err = process.stderr.read()
        process.stderr.close()
        self.assertIn(process.wait(30), (support.PASSED, support.OTHER, -signal.SIGPIPE, 128 + signal.SIGPIPE))
        self.assertNotIn(b"this is a bug", err)

    def test_the_schema_is_json_and_describes_every_section(self):
        schema = self.home.run("schema", "experiment").json()
        for section in ("name", "dataset", "prompts", "models", "variants", "scorers", "analysis", "run", "gate", "report"):
            self.assertTrue(schema["properties"][section].get("description"), section)

    def test_config_check_and_doctor_pass_on_a_fresh_home(self):
        for command in (["config", "check"], ["doctor"]):
            done = self.home.run(*command, "-o", "json")
            self.assertIn(done.code, (support.PASSED, support.OTHER) if command == ["doctor"] else (support.PASSED,), str(done))
            self.assertIn(str(self.home.path), done.out)

    def test_version_is_the_repositorys(self):
        version = (support.ROOT / "VERSION").read_text().strip()
        self.assertEqual(self.home.run("version").out.strip(), f"llm-research {version}")
        self.assertEqual(self.home.run("--version").out.strip(), f"llm-research {version}")


def shape(value):
    """Keys, lengths and texts; numbers and nulls as their text would differ in notation only."""
    if isinstance(value, dict):
        return {key: shape(member) for key, member in value.items()}
    if isinstance(value, list):
        return [shape(member) for member in value]
    if isinstance(value, str) and not re.fullmatch(r"-?[0-9.eE+-]*|true|false|null|~|\.nan|\.inf", value):
        return value
    return "scalar"


class ExitCodes(support.LabTest):
    def run_with(self, rows=20, **sections):
        self.rows(rows)
        endpoint = self.endpoint()
        return endpoint, self.home.run("run", self.write_spec(support.spec(endpoint.base_url, **sections)))

    def test_a_gate_that_holds_passes_and_one_that_fails_is_100(self):
        # Fifteen of twenty rows are right.
        _, done = self.run_with(gate=[{"metric": "exact_match", "min": 0.75}])
        self.assert_code(done, support.PASSED)
        junit = self.folder / "r.xml"
        endpoint = self.endpoint()
        file = self.write_spec(support.spec(endpoint.base_url, gate=[{"metric": "exact_match", "min": 0.76}]))
        done = self.home.run("run", file, "--save", junit)
        self.assert_code(done, support.GATE_FAILED)
        self.assertIn("0.75", done.out + done.err)
        failures = [e for e in xml.etree.ElementTree.parse(junit).iter() if e.tag == "failure"]
        self.assertGreaterEqual(len(failures), 1)
        self.assert_code(self.home.run("report", "last"), support.GATE_FAILED)

    def test_a_budget_that_is_too_small_stops_the_run_and_keeps_its_results(self):
        endpoint, done = self.run_with(rows=100, run={"budget": {"max_calls": 30}, "concurrency": 4})
        self.assert_code(done, support.OTHER)
        self.assert_says(done, "budget")
        report = self.home.report()
        self.assertEqual(report.state, "budget_exhausted")
        self.assertEqual((report.total("done"), len(endpoint.requests)), (30, 30))

    def test_too_many_errors_fail_the_run(self):
        self.rows(20)
        endpoint = self.endpoint(script=lambda r: support.mock_llm.Status(400, "no such thing") if r.number % 2 else None)
        done = self.home.run("run", self.write_spec(support.spec(endpoint.base_url)))
        self.assert_code(done, support.OTHER)
        self.assert_says(done, "failed")

    def test_an_unknown_run_is_bad_input(self):
        for command in (["report", "last"], ["resume", "last"], ["runs", "get", "abcd"]):
            self.assert_code(self.home.run(*command), support.BAD_INPUT)

    def test_a_complete_run_cannot_be_resumed(self):
        _, done = self.run_with()
        self.assert_code(done, support.PASSED)
        done = self.home.run("resume", "last")
        self.assert_code(done, support.OTHER)
        self.assert_says(done, "complete")

    def test_broken_files_are_answered_as_written_down(self):
        files = sorted(BAD.glob("*.yaml"))
        self.assertGreaterEqual(len(files), 10, f"too few files in {BAD}")
        for file in files:
            with self.subTest(file=file.name):
                expected = file.with_suffix(".expected").read_text(encoding="utf-8").strip().split("\n")
                done = self.home.run("validate", file)
                self.assert_code(done, support.BAD_INPUT)
                self.assertEqual(done.out, "")
                said = done.err.replace(f"{BAD}{os.sep}", "")
                for line in expected:
                    self.assertIn(line.strip(), said, str(done))
                self.assertRegex(said, rf"{re.escape(file.name)}:\d+:\d+")


class Signals(support.LabTest):
    ROWS = 200

    def begin(self, latency, *arguments):
        self.rows(self.ROWS)
        self.server = self.endpoint(latency=lambda r: latency())
        file = self.write_spec(support.spec(self.server.base_url, run={"concurrency": 8}))
        process = self.home.start("run", file, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        wait_for(lambda: len(self.server.requests) >= 20)
        return process

    def resume_to_the_end(self):
        done = self.home.run("resume", "last")
        self.assert_code(done, support.PASSED)
        report = self.home.report()
        self.assertEqual((report.total("done"), report.total("missing")), (self.ROWS, 0))
        self.assertEqual(report.mean(), support.correct_of(self.ROWS) / self.ROWS)
        return report

    def test_once_finishes_what_is_in_flight_and_saves_it(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(signal=number.name):
                process = self.begin(lambda: 0.05)
                process.send_signal(number)
                out, err = process.communicate(timeout=30)
                self.assertEqual(process.returncode, support.INTERRUPTED, err.decode())
                self.assertIn(b"resume", err)
                asked = len(self.server.requests)
                self.assertLess(asked, self.ROWS)
                with self.home.store() as store:
                    self.assertEqual(len(store.stored()), asked)
                    self.assertEqual(store.intents(), [])
                    self.assertEqual(store.last_state(), "interrupted")
                report = self.resume_to_the_end()
                self.assertEqual(len(self.server.requests), self.ROWS)
                self.assertEqual(report.total("uncertain"), 0)
                self.assertEqual(report.cost(), support.bill_usd(self.server.billed_tokens()))

    def send_until_it_ends(self, process, number):
        deadline = time.monotonic() + 30
        while process.poll() is None:
            self.assertLess(time.monotonic(), deadline, "the process does not end")
            process.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0.001)

    def under_hangup(self, action):
        """What the program inherits for SIGHUP, however these tests were started."""
        before = signal.signal(signal.SIGHUP, action)
        self.addCleanup(signal.signal, signal.SIGHUP, before)

    def test_a_terminal_that_closes_is_an_interruption_however_often_it_says_so(self):
        self.under_hangup(signal.SIG_DFL)
        slow = {"seconds": 0.02}
        process = self.begin(lambda: slow["seconds"])
        slow["seconds"] = 0.5
        count = len(self.server.requests)
        wait_for(lambda: self.server.in_flight == 8 and len(self.server.requests) >= count + 8)
        process.send_signal(signal.SIGHUP)
        wait_for(lambda: self.server.in_flight < 8)  # the first is heard: nothing new is sent
        self.send_until_it_ends(process, signal.SIGHUP)  # and at every later moment
        _, err = process.communicate(timeout=30)
        self.assertEqual(process.returncode, support.INTERRUPTED, err.decode())
        with self.home.store() as store:
            self.assertEqual(store.intents(), [], "a call in flight was cut short")
            self.assertEqual(len(store.stored()), len(self.server.requests))
        slow["seconds"] = 0
        self.resume_to_the_end()

    def test_under_nohup_a_run_outlives_its_terminal(self):
        self.under_hangup(signal.SIG_IGN)
        process = self.begin(lambda: 0.01)
        process.send_signal(signal.SIGHUP)
        _, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, support.PASSED, err.decode())

    def test_twice_stops_now_and_what_was_in_flight_is_uncertain(self):
        slow = {"seconds": 0.02}
        process = self.begin(lambda: slow["seconds"])
        slow["seconds"] = 30
        count = len(self.server.requests)
        wait_for(lambda: self.server.in_flight == 8 and len(self.server.requests) >= count + 8)
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        time.sleep(0.2)
        self.assertIsNone(process.poll(), "the first signal did not wait for what is in flight")
        started = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
        self.assertLess(time.monotonic() - started, 3)
        self.assertEqual(process.returncode, support.INTERRUPTED, err.decode())
        slow["seconds"] = 0
        report = self.resume_to_the_end()
        self.assertEqual(report.total("uncertain"), 8)
        self.assertEqual(len(self.server.requests), self.ROWS + 8)


class Pipeline(support.LabTest):
    """What a whole run must get right besides not failing."""

    def test_calls_retries_tokens_and_cost_are_those_of_the_endpoint(self):
        self.rows(60)
        for stream in (True, False):
            with self.subTest(stream=stream):
                refuse = support.mock_llm.Status(500)
                endpoint = self.endpoint(script=lambda r: refuse if r.attempt == 0 and r.number % 10 == 9 else None)
                value = support.spec(endpoint.base_url, stream=stream, run={"retry": {"initial": "5ms"}})
                self.assert_code(self.home.run("run", self.write_spec(value)), support.PASSED)
                report = self.home.report()
                self.assertEqual(report.total("calls"), len(endpoint.requests))
                self.assertEqual((report.total("retries"), endpoint.faults()), (6, 6))
                self.assertEqual(report.cost(), support.bill_usd(endpoint.billed_tokens()))
                usage = report.total("usage")
                self.assertEqual((usage["input"], usage["output"]), endpoint.billed_tokens())
                self.assertEqual(report.mean(), support.correct_of(60) / 60)
                for i, (item, output) in enumerate(sorted(report.outputs().items())):
                    self.assertEqual((item, output), (f"r{i:05d}", support.mock_llm.default_answer(support.prompt_of(i))))

    def test_a_cached_answer_costs_nothing_and_asks_nobody(self):
        self.rows(30)
        endpoint = self.endpoint()
        value = support.spec(endpoint.base_url, run={"cache": "read_write"})
        file = self.write_spec(value)
        self.assert_code(self.home.run("run", file), support.PASSED)
        first = self.home.report()
        self.assert_code(self.home.run("run", file), support.PASSED)
        second = self.home.report()
        self.assertEqual(len(endpoint.requests), 30)
        self.assertEqual((second.total("cached"), second.total("calls"), second.cost()), (30, 0, 0))
        self.assertEqual(first.outputs(), second.outputs())

    def test_requests_per_minute_are_kept(self):
        self.rows(25)
        endpoint = self.endpoint()
        value = support.spec(endpoint.base_url, model={"limits": {"requests_per_minute": 600}}, run={"concurrency": 25})
        started = time.monotonic()
        self.assert_code(self.home.run("run", self.write_spec(value)), support.PASSED)
        times = sorted(r.arrived_at for r in endpoint.requests)
        # Ten a second: whatever is let through at once at first, no second sees many more.
        for i, begin in enumerate(times):
            self.assertLessEqual(sum(1 for t in times[i:] if t < begin + 1.0), 21)
        self.assertGreater(time.monotonic() - started, 1.0)

    def test_two_runs_with_one_seed_are_one_result(self):
        self.rows(40)
        endpoint = self.endpoint()
        file = self.write_spec(support.spec(endpoint.base_url, run={"seed": 5}))
        reports = []
        for _ in range(2):
            self.assert_code(self.home.run("run", file), support.PASSED)
            reports.append(self.home.report())
        self.assertEqual(reports[0].results_bytes, reports[1].results_bytes)
        compared = self.home.run("compare", "last", self.run_ids()[1], "-o", "json")
        self.assert_code(compared, support.PASSED)

    def run_ids(self):
        return [row["id"] for row in self.home.run("runs", "list", "-o", "json").json()]


if __name__ == "__main__":
    unittest.main()
