#!/usr/bin/env python3
"""Runs the fuzz targets of tests/fuzz; `make fuzz-smoke` builds them and calls it.

Usage: fuzz.py [--seconds N] [TARGET...]      default: FUZZ_SECONDS, else 120; all targets
A table with a line a target: inputs tried and how many a second, edges of the code that were reached
(by what was kept before, in the end, and how many there are), inputs that are worth keeping, time. A
finding is named behind the table, with the input that shows it and the command that runs it again,
and makes the exit code 1; its log lies beside the input in build/fuzz/findings/. New inputs are kept
in build/fuzz/corpus/ for the next time; tests/fuzz/corpus/ is only read. JOBS targets run side by
side.
"""
import argparse
import concurrent.futures
import dataclasses
import os
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "fuzz"
SOURCES = ROOT / "tests" / "fuzz"

# The longest input worth trying, where 4 KiB is not it.
LENGTHS = {
    "accept_encoding": 512, "client_address": 1024, "command_line": 512, "config_file": 1024, "credentials": 256,
    "cursor": 512, "http_head": 6000, "id_token": 2048, "jwt": 1024, "log_filter": 1024, "oidc_provider": 2048,
    "parquet_rows": 1024, "provider_stream": 8192, "redact": 1024, "schema_ledger": 256, "server_settings": 2048,
    "signed_address": 1024, "url_query": 2048,
}
SECONDS_AN_INPUT = 10
MEMORY_MB = 2048

STATISTIC = re.compile(r"^stat::(\w+):\s+(\d+)", re.MULTILINE)
EDGES = re.compile(r"^INFO: Loaded \d+ modules? .*\((\d+) inline 8-bit counters\)", re.MULTILINE)
STATE = re.compile(r"^#\d+\s+(\w+)\s+cov: (\d+) ft: \d+ corp: (\d+)/", re.MULTILINE)
# What libFuzzer, a sanitizer or fuzz.h say of a finding, in the order in which they are worth telling.
WHY = (re.compile(r"^fuzz: this does not hold: .*", re.MULTILINE), re.compile(r"^.*: runtime error: .*", re.MULTILINE),
       re.compile(r"^==\d+==\s*ERROR: .*", re.MULTILINE))

HEAD = (f"{'target':<18}{'inputs':>11}{'a second':>10}{'edges: begin':>14}{'end':>9}{'of':>8}{'corpus':>8}"
        f"{'time':>7}  findings")


@dataclasses.dataclass
class Outcome:
    target: str
    runs: int = 0
    runs_a_second: int = 0
    edges_at_begin: int = 0
    edges: int = 0
    edges_there_are: int = 0
    corpus: int = 0
    seconds: float = 0
    findings: list = dataclasses.field(default_factory=list)  # texts for people
    log: pathlib.Path | None = None

    def line(self):
        return (f"{self.target:<18}{self.runs:>11}{self.runs_a_second:>10}{self.edges_at_begin:>14}{self.edges:>9}"
                f"{self.edges_there_are:>8}{self.corpus:>8}{self.seconds:>6.0f}s  {len(self.findings)}")


def targets():
    return sorted(path.stem for path in SOURCES.glob("*.cpp") if not path.stem.endswith("_test"))


def program_of(target):
    return BUILD / "tests" / "fuzz" / f"fuzz_{target}"


def read_log(target, log, code, kept):
    """What a run came to; `kept`: files of findings. A run that breaks without one has failed too."""
    found = {name: int(value) for name, value in STATISTIC.findall(log)}
    outcome = Outcome(target, found.get("number_of_executed_units", 0), found.get("average_exec_per_sec", 0))
    if edges := EDGES.search(log):
        outcome.edges_there_are = int(edges.group(1))
    for name, edges, corpus in STATE.findall(log):
        outcome.edges, outcome.corpus = int(edges), int(corpus)
        if name == "INITED":
            outcome.edges_at_begin = int(edges)
    said = next((hit.group() for pattern in WHY if (hit := pattern.search(log))), "")
    for file in kept:
        outcome.findings.append(f"{said or 'a finding'}\n  input: {file}\n  again: {program_of(target)} {file}")
    if code != 0 and not kept:
        outcome.findings.append(said or f"ended with {code} and kept no input")
    elif code == 0 and outcome.runs == 0:
        outcome.findings.append("nothing was run")
    return outcome


def run(target, seconds):
    program = program_of(target)
    if not program.exists():
        return Outcome(target, findings=["is not built: make fuzz-smoke"])
    corpus = BUILD / "corpus" / target
    findings = BUILD / "findings" / target
    corpus.mkdir(parents=True, exist_ok=True)
    findings.mkdir(parents=True, exist_ok=True)
    before = set(findings.iterdir())
    command = [
        str(program), f"-max_total_time={seconds}", f"-timeout={SECONDS_AN_INPUT}", f"-rss_limit_mb={MEMORY_MB}",
        f"-max_len={LENGTHS.get(target, 4096)}", "-print_final_stats=1", f"-artifact_prefix={findings}/",
        str(corpus), str(SOURCES / "corpus" / target),
    ]
    environment = {
        "ASAN_OPTIONS": "detect_stack_use_after_return=1", "UBSAN_OPTIONS": "print_stacktrace=1",
        "ASAN_SYMBOLIZER_PATH": "/usr/bin/llvm-symbolizer-19", **os.environ,
    }
    log = findings / "log"
    started = time.monotonic()
    with open(log, "wb") as out:
        try:
            code = subprocess.run(
                command, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=environment,
                timeout=seconds + 120, check=False).returncode
        except subprocess.TimeoutExpired:
            code = -1
    kept = sorted(set(findings.iterdir()) - before - {log})
    outcome = read_log(target, log.read_text(encoding="utf-8", errors="replace"), code, kept)
    outcome.seconds = time.monotonic() - started
    outcome.log = log
    return outcome


def main():
    parser = argparse.ArgumentParser(description="Runs the fuzz targets.")
    parser.add_argument("--seconds", type=int, default=int(os.environ.get("FUZZ_SECONDS", "120")))
    parser.add_argument("targets", nargs="*")
    arguments = parser.parse_args()
    wanted = arguments.targets or targets()
    if unknown := sorted(set(wanted) - set(targets())):
        sys.exit(f"there is no target {unknown[0]}; there are: {', '.join(targets())}")
    if arguments.seconds < 1:
        sys.exit("a target runs for one second at least")
    print(HEAD, flush=True)
    bad = []
    with concurrent.futures.ThreadPoolExecutor(int(os.environ.get("JOBS", "1"))) as pool:
        for outcome in pool.map(lambda target: run(target, arguments.seconds), wanted):
            print(outcome.line(), flush=True)
            if outcome.findings:
                bad.append(outcome)
    for outcome in bad:
        for finding in outcome.findings:
            print(f"{outcome.target}: {finding}\n  log: {outcome.log}", flush=True)
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
