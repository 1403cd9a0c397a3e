#!/usr/bin/env python3
"""Holds the running program against its own OpenAPI document with schemathesis, all checks on.

Usage: run.py [REQUESTS]     (default 2000; LLM_RESEARCH: the program; SEED: repeats a run)
Generates at least so many requests, as somebody whom no limit slows down. Ends with "N passed,
N failed": the operations without and with a finding, and one more for a line of ERROR in the log.
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import time

import server

HERE = pathlib.Path(__file__).resolve().parent
VENV = server.ROOT / "build/venv-contract"
MINUTES_MAX = 60
# Fewest requests that the examples and the coverage of the document take for each operation.
FUZZ_MIN = 1


def count_requests(api):
    """Answers of the server so far, as its metrics tell."""
    lines = api.call("GET", "/metrics").decode().splitlines()
    return sum(int(float(line.rsplit(" ", 1)[1])) for line in lines if line.startswith("http_requests_total{"))


def run_phases(api, phases, examples, seed, report):
    command = [
        VENV / "bin/schemathesis", "--config-file", HERE / "schemathesis.toml", "run", api.url + "/openapi.json",
        "--phases", phases, "--max-examples", str(examples), "--continue-on-failure", "--warnings", "off",
        "--seed", str(seed), "--report", "ndjson", "--report-ndjson-path", report, "--no-color",
    ]
    environment = {**os.environ, "CONTRACT_API_KEY": api.make_key(), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(list(map(str, command)), cwd=api.folder.name, env=environment, timeout=60 * MINUTES_MAX,
                          stdin=subprocess.DEVNULL).returncode


def main(requests):
    seed = int(os.environ.get("SEED") or time.time_ns() % 2**31)
    started = time.monotonic()
    failed_runs = rounds = 0
    with server.Server() as api:
        operations = sum(len(item) for item in api.call("GET", "/openapi.json")["paths"].values())
        report = pathlib.Path(api.folder.name) / "report.ndjson"
        print(f"{operations} operations, at least {requests:,} requests, SEED={seed}", flush=True)
        failed_runs += run_phases(api, "examples,coverage", FUZZ_MIN, seed, report) != 0
        # The rest is chance: single requests, and chains along the links of the document.
        few = max(2, (requests - count_requests(api)) // (operations * 2))
        while rounds == 0 or count_requests(api) < requests:
            rounds += 1
            failed_runs += run_phases(api, "fuzzing,stateful", few, seed + rounds, report) != 0
        done = count_requests(api)
        errors = api.errors
    for line in errors[:20]:
        print(line)
    failed = failed_runs + bool(errors)
    print(f"{done:,} requests in {time.monotonic() - started:.0f} s")
    print(f"{max(0, operations - failed)} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    if len(sys.argv) > 2 or not re.fullmatch(r"[0-9]{1,7}", (sys.argv + ["2000"])[1]):
        sys.exit(__doc__)
    sys.exit(main(int((sys.argv + ["2000"])[1])))
