#!/usr/bin/env python3
"""Runs every test there is, stage by stage; `make test` calls it.

Usage: test.py [STAGE...]     stages: lint tidy unit tsan e2e contract sdk deploy (default: all, in this order)
One line a stage; its output is in build/logs/. The last line is "N passed, N failed": the tests of
gtest, unittest and pytest, and one failure for a stage that breaks without naming a test. With
LAB_REQUIRE_BACKENDS=1 (as in .ci/run) a skipped test has failed.
"""
import dataclasses
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
LOGS = ROOT / "build" / "logs"
JOBS = os.environ.get("JOBS") or subprocess.check_output([ROOT / "tools/jobs.sh"], text=True).strip()

SANITIZER_OPTIONS = {
    "ASAN_OPTIONS": "detect_stack_use_after_return=1:strict_string_checks=1",
    "UBSAN_OPTIONS": "print_stacktrace=1",
    "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1",
    "ASAN_SYMBOLIZER_PATH": "/usr/bin/llvm-symbolizer-19",
    "TSAN_SYMBOLIZER_PATH": "/usr/bin/llvm-symbolizer-19",
}

# A line of gtest for each test; a test's own output may stand before it.
GTEST = re.compile(r"\[(       OK |  FAILED  |  SKIPPED )\] (\S+?),? .*\(\d+ ms\)")
GTEST_RUN = re.compile(r"\[ RUN      \] (\S+)")
# Why a test was skipped, as gtest and unittest print it.
SKIP_REASON = re.compile(r": Skipped\n(.+)|\.\.\. skipped ['\"](.*)['\"]")
# The end of a unittest run.
UNITTEST_RAN = re.compile(r"^Ran (\d+) tests? in ", re.MULTILINE)
UNITTEST_END = re.compile(r"^(?:OK|FAILED)(?: \(([^)]*)\))?$", re.MULTILINE)


@dataclasses.dataclass
class Outcome:
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __iadd__(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        return self


def read_gtest(log):
    count = {"       OK ": 0, "  FAILED  ": 0, "  SKIPPED ": 0}
    for hit in GTEST.finditer(log):
        count[hit.group(1)] += 1
    return Outcome(*count.values())


def read_unittest(log):
    outcome = Outcome()
    for ran in UNITTEST_RAN.finditer(log):
        end = UNITTEST_END.search(log, ran.end())
        counts = dict(part.split("=") for part in (end.group(1) or "").split(", ") if part) \
            if end else {}
        bad = sum(int(counts.get(k, 0)) for k in ("failures", "errors", "unexpected successes"))
        skipped = int(counts.get("skipped", 0))
        # A broken setUpClass is an error without a test that ran.
        outcome += Outcome(max(0, int(ran.group(1)) - bad - skipped), bad, skipped)
    return outcome


# How the contract's run ends, and pytest: "1 failed, 39 passed, 2 skipped in 12.3s".
CONTRACT_END = re.compile(r"^(\d+) passed, (\d+) failed$", re.MULTILINE)
PYTEST_END = re.compile(r"^=* ?((?:\d+ \w+(?:, )?)+) in [\d.]+s", re.MULTILINE)


def read_contract(log):
    ends = CONTRACT_END.findall(log)
    return Outcome(*map(int, ends[-1])) if ends else Outcome()


def read_pytest(log):
    outcome = Outcome()
    for end in PYTEST_END.findall(log):
        counts = {word.rstrip("s"): int(count) for count, word in re.findall(r"(\d+) (\w+)", end)}
        outcome += Outcome(counts.get("passed", 0), counts.get("failed", 0) + counts.get("error", 0),
                           counts.get("skipped", 0))
    return outcome


def no_tests(_):
    return Outcome()


@dataclasses.dataclass
class Part:
    """A command of a stage. Several that start together are shards of one set of tests."""
    name: str
    commands: list
    read: callable = no_tests
    minutes: float = 45
    env: dict = dataclasses.field(default_factory=dict)
    must_have_tests: bool = False


def run(part):
    """Runs the part's commands side by side; gives the outcome and whether to go on."""
    started = time.monotonic()
    if sys.stdout.isatty():
        print(f"{part.name:<22} ...", end="\r", flush=True)
    running = []
    for i, (command, extra) in enumerate(part.commands):
        suffix = f"-{i + 1}" if len(part.commands) > 1 else ""
        path = LOGS / (re.sub(r"[^a-z0-9]+", "-", part.name.lower()) + f"{suffix}.log")
        with open(path, "wb") as log:
            process = subprocess.Popen(
                command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                env={**os.environ, **SANITIZER_OPTIONS, **part.env, **extra},
                start_new_session=True)
        running.append((process, path))
    outcome, troubles = Outcome(), []
    for process, path in running:
        late = False
        try:
            process.wait(max(0.1, started + 60 * part.minutes - time.monotonic()))
        except subprocess.TimeoutExpired:
            late = True
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        text = path.read_text(encoding="utf-8", errors="replace")
        found = part.read(text)
        troubles += ["skipped: " + (a or b) for a, b in SKIP_REASON.findall(text)]
        if (process.returncode != 0 or late) and found.failed == 0:
            found.failed = 1
            begun = GTEST_RUN.findall(text)
            why = f"stopped after {part.minutes:.0f} minutes" if late \
                else f"ended with {process.returncode}"
            troubles.append(f"{path.relative_to(ROOT)}: {why}"
                            + (f", in {begun[-1]}" if begun else ""))
        if found.failed:
            troubles.append(excerpt(text, path))
        outcome += found
    if part.must_have_tests and outcome.passed + outcome.failed == 0:
        outcome.failed += 1
        troubles.append("no test was found")
    if outcome.skipped and os.environ.get("LAB_REQUIRE_BACKENDS") == "1":
        outcome.failed += outcome.skipped
        troubles.append(f"{outcome.skipped} skipped tests: nothing may be skipped here")
        outcome.skipped = 0
    report(part, outcome, time.monotonic() - started)
    for trouble in troubles:
        print("    " + trouble.rstrip().replace("\n", "\n    "), flush=True)
    return outcome


def report(part, outcome, seconds):
    words = "FAILED" if outcome.failed else "ok"
    if part.read is not no_tests:
        words += f", {outcome.passed:,} passed, {outcome.failed:,} failed"
        if outcome.skipped:
            words += f", {outcome.skipped:,} skipped"
    print(f"{part.name:<22} {words} ({int(seconds // 60)} min {seconds % 60:.0f} s)", flush=True)


def excerpt(text, path, lines=60):
    """What a person needs first: the words around failures, else the end."""
    rows = text.split("\n")
    marks = [i for i, row in enumerate(rows)
             if re.search(r": Failure$|^(FAIL|ERROR): |ERROR: \w+Sanitizer|WARNING: ThreadSanitizer"
                          r"|runtime error: |: (fatal )?error: ", row)]
    if not marks:
        shown = rows[-lines:]
    else:
        wanted = sorted({j for i in marks[:6] for j in range(i, min(i + 14, len(rows)))})
        shown = [rows[j] for j in wanted][:lines * 2]
    return f"--- {path.relative_to(ROOT)}\n" + "\n".join(shown)


def build(preset, target):
    """Configures on first use; afterwards Ninja does it when a list of sources changes."""
    configure = f"test -f build/{preset}/build.ninja || cmake --preset {preset}"
    return Part(f"build {preset}",
                [(["bash", "-c", f"({configure}) && cmake --build build/{preset} -j {JOBS} "
                                 f"--target {target}"], {})])


def sharded(name, binary, minutes):
    """All tests of a gtest binary, on every core, each shard beside servers of its own."""
    shards = os.cpu_count() or 1
    beside = [arg for tool in ("postgres", "redis", "s3", "clickhouse") for arg in (sys.executable, f"tools/{tool}.py")]
    return Part(name, [([*beside, binary, "--gtest_brief=0",
                         "--gtest_color=no"],
                        {"GTEST_TOTAL_SHARDS": str(shards), "GTEST_SHARD_INDEX": str(i)})
                       for i in range(shards)],
                read_gtest, minutes, must_have_tests=True)


def end_to_end(env):
    """Each core takes files; those that are long by tradition are large, too."""
    shards = os.cpu_count() or 1
    files = sorted((ROOT / "tests/e2e").glob("test_*.py"), key=lambda path: -path.stat().st_size)
    return Part("end to end",
                [([sys.executable, "-m", "unittest", "-v", *(path.stem for path in files[i::shards])],
                  {"PYTHONPATH": str(ROOT / "tests/e2e")}) for i in range(shards)],
                read_unittest, 30, env, must_have_tests=True)


def stages():
    e2e_env = {
        "LLM_RESEARCH": str(ROOT / "build/release/llm-research"),
        "LAB_KILLS": os.environ.get("LAB_KILLS", "20"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return {
        "lint": [Part("lint", [(["tools/lint.sh"], {})], read_unittest, 10, must_have_tests=True)],
        "tidy": [Part("tidy", [(["tools/tidy.py"], {"JOBS": JOBS})], minutes=30)],
        "unit": [build("asan", "unit_tests"),
                 Part("DuckDB's library", [(["tools/duckdb.py"], {})], minutes=10),
                 Part("S3 server", [(["tools/s3.py", "--build"], {})], minutes=20),
                 Part("ClickHouse", [(["tools/clickhouse.py", "--build"], {})], minutes=20),
                 sharded("unit tests, asan", "build/asan/tests/unit_tests", 20)],
        "tsan": [build("tsan", "tsan_tests"),
                 Part("S3 server", [(["tools/s3.py", "--build"], {})], minutes=20),
                 Part("ClickHouse", [(["tools/clickhouse.py", "--build"], {})], minutes=20),
                 sharded("unit tests, tsan", "build/tsan/tests/tsan_tests", 20)],
        "e2e": [build("release", "llm-research"),
                Part("S3 server", [(["tools/s3.py", "--build"], {})], minutes=20),  # gets Go
                Part("servers and libraries", [(command, {}) for command in (
                    ["tools/duckdb.py"], ["tests/e2e/llama/setup.sh"], ["tools/otel_collector.py", "--build"],
                    ["tools/clickhouse.py", "--build"], ["tests/e2e/otlp/setup.sh"],
                    ["tests/e2e/oidc/setup.sh"], ["tools/moto.py", "--build"],
                )], minutes=25),
                end_to_end(e2e_env)],
        "contract": [build("release", "llm-research"),
                     Part("schemathesis", [(["tests/contract/setup.sh"], {})], minutes=10),
                     Part("contract", [([sys.executable, "tests/contract/run.py", "2000"], {})],
                          read_contract, 15, e2e_env, must_have_tests=True)],
        "sdk": [build("release", "llm-research"),
                Part("client's environment", [(["sdk/python/tools/setup.sh"], {})], minutes=10),
                Part("python client", [(["sdk/python/tools/test.sh"], {})],
                     read_pytest, 15, e2e_env, must_have_tests=True)],
        "deploy": [build("release", "llm-research"),
                   Part("S3 server", [(["tools/s3.py", "--build"], {})], minutes=20),  # gets Go
                   Part("tools of deployment", [(["tools/deploy_tools.py", "--build"], {}), (["tests/deploy/setup.sh"], {})],
                        minutes=30),
                   Part("deployment", [(["build/deploy/venv/bin/python", "-m", "unittest", "discover", "-v",
                                         "-s", "tests/deploy"], {})], read_unittest, 20, e2e_env, must_have_tests=True)],
    }


def main(names):
    known = stages()
    unknown = [name for name in names if name not in known]
    if unknown:
        print(__doc__, file=sys.stderr)
        return 2
    LOGS.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    total = Outcome()
    for name in names or known:
        for part in known[name]:
            outcome = run(part)
            total += outcome
            # What was not built cannot be run.
            if outcome.failed and part.name.startswith("build"):
                break
    seconds = time.monotonic() - started
    print(f"all stages in {int(seconds // 60)} min {seconds % 60:.0f} s"
          + (f", {total.skipped} tests skipped" if total.skipped else ""))
    print(f"{total.passed} passed, {total.failed} failed", flush=True)
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
