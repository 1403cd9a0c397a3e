"""What the end-to-end tests share: the program with a home of its own, experiment files, and the
reading of its reports and its store, which stands here and nowhere else."""
import json
import os
import pathlib
import shutil
import sqlite3
import subprocess
import tempfile
import unittest
from decimal import Decimal

import mock_llm

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("LLM_RESEARCH", ROOT / "build/release/llm-research")).resolve()

PASSED, OTHER, BAD_INPUT, GATE_FAILED, INTERRUPTED = 0, 1, 2, 100, 130

# USD per million tokens in every experiment made here.
INPUT_PRICE, OUTPUT_PRICE = Decimal("0.15"), Decimal("0.60")


class Done:
    """How a command ended: exit code (negative: a signal), stdout and stderr as text."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    def json(self):
        return json.loads(self.out)

    def __str__(self):
        return f"exit code {self.code}\n--- stdout\n{self.out[-3000:]}\n--- stderr\n{self.err[-3000:]}"


class Home:
    """The program with a store of its own."""

    def __init__(self, folder, program=BINARY):
        self.folder, self.program = pathlib.Path(folder), program
        self.path = self.folder / "home"

    def environment(self, **more):
        # Nothing of the caller's settings, keys or proxies reaches the program.
        keep = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "TMPDIR", "TZ") if name in os.environ}
        keep.update(
            LLM_RESEARCH_HOME=str(self.path), HOME=str(self.folder), XDG_CONFIG_HOME=str(self.folder / "config")
        )
        keep.update(more)
        return keep

    def start(self, *arguments, env=None, **options):
        """Starts the program; give stdout and stderr as Popen takes them."""
        options.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.Popen(
            [str(self.program), *map(str, arguments)], env=self.environment(**(env or {})), cwd=self.folder, **options
        )

    def run(self, *arguments, env=None, timeout=120, **options):
        """Runs the program to its end."""
        options.setdefault("stdout", subprocess.PIPE)
        options.setdefault("stderr", subprocess.PIPE)
        process = self.start(*arguments, env=env, **options)
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            raise AssertionError(f"{arguments} did not end within {timeout} s\n{Done(None, _text(out), _text(err))}")
        return Done(process.returncode, _text(out), _text(err))

    def report_bytes(self, run="last"):
        """The JSON report of a run, as it was written."""
        path = self.folder / "saved-report.json"
        path.unlink(missing_ok=True)
        done = self.run("report", run, "--save", path)
        if not path.exists():
            raise AssertionError(f"no report was saved: {done}")
        return path.read_bytes()

    def report(self, run="last"):
        return Report(self.report_bytes(run))

    def store(self):
        return Store(self.path)

    def run_states(self):
        done = self.run("runs", "list", "-o", "json")
        if done.code != PASSED:
            raise AssertionError(str(done))
        return [row["state"] for row in done.json()]


def _text(data):
    return data.decode("utf-8", "replace") if isinstance(data, bytes) else (data or "")


def member_bytes(document, name):
    """The bytes of a member of a JSON object, exactly as they stand in its text."""
    text = document.decode("utf-8")
    decoder = json.JSONDecoder()
    at = _skip(text, 0)
    if text[at] != "{":
        raise ValueError("not a JSON object")
    at = _skip(text, at + 1)
    while text[at] != "}":
        key, at = decoder.raw_decode(text, at)
        at = _skip(text, _skip(text, at) + 1)
        _, end = decoder.raw_decode(text, at)
        if key == name:
            return text[at:end].encode()
        at = _skip(text, end)
        if text[at] == ",":
            at = _skip(text, at + 1)
    raise KeyError(name)


def _skip(text, at):
    while text[at] in " \t\r\n":
        at += 1
    return at


class Report:
    """The JSON report: its layout is known here only."""

    def __init__(self, data):
        self.data = data
        self.value = json.loads(data)
        self.totals = self.value["totals"]
        self.results = self.value["results"]

    @property
    def results_bytes(self):
        return member_bytes(self.data, "results")

    @property
    def state(self):
        return self.value["run"]["state"]

    def total(self, name):
        return self.totals[name]

    def cost(self):
        return Decimal(str(self.totals["cost_usd"]))

    def uncertain_cost(self):
        return Decimal(str(self.totals["uncertain_cost_usd"]))

    def items(self):
        """id -> samples, each with output and state."""
        return {item["id"]: item["samples"] for item in self.results["items"]}

    def outputs(self):
        """id -> output of its only sample; None without one."""
        found = {}
        for item, samples in self.items().items():
            if len(samples) != 1:
                raise AssertionError(f"item {item} has {len(samples)} samples")
            found[item] = samples[0].get("output")
        return found

    def metrics(self, variant=0):
        return self.results["variants"][variant]["metrics"]

    def figures(self, variant=0):
        """What differs from run to run: usage, cost, latency."""
        return self.value["variants_runtime"][variant]

    def mean(self, variant=0):
        """Value of the first metric."""
        return next(iter(self.metrics(variant).values()))["value"]


class Store:
    """The store's database, read from a copy, so that looking changes nothing."""

    def __init__(self, home):
        self.copy = pathlib.Path(tempfile.mkdtemp(prefix="lab-store-"))
        for name in ("lab.db", "lab.db-wal"):
            if (pathlib.Path(home) / name).exists():
                shutil.copy(pathlib.Path(home) / name, self.copy / name)
        self.exists = (self.copy / "lab.db").exists()
        self.db = sqlite3.connect(self.copy / "lab.db")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.db.close()
        shutil.rmtree(self.copy, ignore_errors=True)

    def problems(self):
        """What SQLite finds wrong; empty when the store is intact."""
        found = [row[0] for row in self.db.execute("PRAGMA integrity_check") if row[0] != "ok"]
        return found + [str(row) for row in self.db.execute("PRAGMA foreign_key_check")]

    def rows(self, table, columns):
        """All rows of a table; none when the program did not come so far as to make it."""
        made = self.db.execute("SELECT count(*) FROM sqlite_master WHERE name = ?", (table,)).fetchone()[0]
        return self.db.execute(f"SELECT {columns} FROM {table}").fetchall() if made else []

    def last_state(self):
        """State of the newest run; None when there is none."""
        runs = self.rows("runs", "key, state")
        return max(runs)[1] if runs else None

    def of_newest_run(self, table, columns):
        run = max(self.rows("runs", "key"), default=(None,))[0]
        return [row[1:] for row in self.rows(table, "run, " + columns) if row[0] == run]

    def stored(self):
        """Numbers of the newest run's samples with an output; twice when stored twice."""
        return [sample for sample, state in self.of_newest_run("samples", "sample, state") if state == 1]

    def intents(self):
        """Numbers of the newest run's samples whose call may be on the wire."""
        return [sample for sample, in self.of_newest_run("intents", "sample")]

    def uncertain(self):
        """Numbers of the newest run's samples whose call was on the wire when a process died."""
        return [sample for sample, in self.of_newest_run("uncertain", "sample")]

    def stored_logprobs(self):
        return [text for text, in self.of_newest_run("samples", "logprobs") if text]


def assert_intact(test, home):
    """The store may be absent (nothing was begun), but never broken."""
    with Store(home.path) as store:
        if store.exists:
            test.assertEqual(store.problems(), [])


def bill_usd(tokens):
    """Exact cost of (input, output) tokens at the prices of the experiments made here."""
    return (tokens[0] * INPUT_PRICE + tokens[1] * OUTPUT_PRICE) / 1_000_000


def question(i):
    return f"What is item {i}?"


def prompt_of(i):
    return f"Question: {question(i)}\nAnswer:"


def right(i):
    """Whether the generated row i holds the endpoint's own answer: three of four do."""
    return i % 4 != 0


def write_rows(path, rows, answer=mock_llm.default_answer):
    with open(path, "w", encoding="utf-8") as out:
        for i in range(rows):
            expected = answer(prompt_of(i)) if right(i) else "something else"
            out.write(json.dumps({"id": f"r{i:05d}", "question": question(i), "answer": expected}) + "\n")
    return path


def correct_of(rows):
    return sum(1 for i in range(rows) if right(i))


def spec(base_url, *, dataset="rows.jsonl", stream=True, model=None, **sections):
    """An experiment as a dictionary; sections replace or add top-level members."""
    value = {
        "name": "e2e",
        "dataset": {"path": str(dataset)},
        "prompts": [{"id": "p", "template": "Question: {{question}}\nAnswer:"}],
        "models": [{
            "id": "mock", "provider": "openai", "model": "mock", "base_url": base_url, "stream": stream,
            "parameters": {"max_tokens": 64},
            "pricing": {"input_per_million": str(INPUT_PRICE), "output_per_million": str(OUTPUT_PRICE)},
            **(model or {}),
        }],
        "scorers": [{"type": "exact_match", "reference": "{{answer}}"}],
    }
    value.update(sections)
    return value


class LabTest(unittest.TestCase):
    """A folder and a home for each test; the store is checked at the end of every one."""

    @classmethod
    def setUpClass(cls):
        if not os.access(BINARY, os.X_OK):
            raise AssertionError(f"{BINARY} is not there: build it, or set LLM_RESEARCH")

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="lab-e2e-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.home = Home(self.folder)
        self.addCleanup(assert_intact, self, self.home)

    def endpoint(self, **options):
        endpoint = mock_llm.MockLLM(**options)
        endpoint.__enter__()
        self.addCleanup(endpoint.__exit__, None, None, None)
        return endpoint

    def write_spec(self, value, name="experiment.yaml"):
        """A dictionary is written as JSON, which is YAML too; text as it is."""
        path = self.folder / name
        path.write_text(value if isinstance(value, str) else json.dumps(value, indent=1), encoding="utf-8")
        return path

    def rows(self, count, name="rows.jsonl"):
        return write_rows(self.folder / name, count)

    def assert_code(self, done, code):
        self.assertEqual(done.code, code, str(done))

    def assert_says(self, done, *words):
        """Every word stands on stderr, and stderr shows no sign of a crash."""
        for word in words:
            self.assertIn(word, done.err, str(done))
        for sign in ("this is a bug", "Sanitizer", "terminate called", "Segmentation"):
            self.assertNotIn(sign, done.err)
