#!/usr/bin/env python3
"""Measures the service over PostgreSQL: rows a second that it writes, beside libpq's COPY, and
GET /experiments?limit=1 with a bearer token, beside axum with tokio-postgres, from a pool of deadpool and
on one shared connection.

Usage: stack.py [--binary PATH] [--ingest PATH] [--runs N] [--seconds S] [--connections C] [--rows N] [--strict]
Starts a PostgreSQL of its own (tools/postgres.py: without fsync, so that the processor counts and not the
disk). Runs are interleaved; every figure is a median, a ratio is the median over neighbours.
"""
import argparse
import http.client
import json
import pathlib
import statistics
import subprocess
import sys
import time

import api
import api_parts as parts

sys.path.insert(0, str(parts.ROOT))
from tools import postgres  # noqa: E402

BATCH = 1000  # rows a transaction, and samples a request


def database(servers, name):
    """The URL of a new, empty database."""
    url = servers.env["LAB_TEST_POSTGRES_URL"]
    subprocess.run(["psql", "-q", url, "-c", f"CREATE DATABASE {name}"], check=True)
    return url.rsplit("/", 1)[0] + "/" + name


def service(binary, url):
    return parts.Service(binary, DATABASE_URL=url, ENVIRONMENT="development", SERVER_HOST="127.0.0.1")


def ingest(bars, servers, wanted):
    """What the engine's journal writes, beside COPY of the same rows."""
    runs = []
    for number in range(wanted.runs):
        command = [wanted.ingest, database(servers, f"ingest{number}"), str(wanted.rows), str(BATCH)]
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=600)
        runs.append(json.loads(done.stdout))
    for figure, words in (("copy", "COPY of libpq"), ("journal", "the journal"), ("paid", "with intents before them")):
        bars.line(f"samples into PostgreSQL, {words}", f"{statistics.median(run[figure] for run in runs):,.0f} rows/s")
    rate = statistics.median(run["journal"] for run in runs)
    bars.line("samples into PostgreSQL", f"{rate:,.0f} rows/s", ">= 50,000 rows/s", rate >= 50_000)
    share = statistics.median(run["journal"] / run["copy"] for run in runs)
    bars.line("samples into PostgreSQL, ours to COPY", f"{share:.2f}")


def report_samples(bars, at, wanted):
    """POST of what a client measured itself, a thousand a request."""
    experiment = at.call("POST", "/experiments", {"name": "reported"})["id"]
    run = at.call("POST", f"/experiments/{experiment}/runs", {})["id"]
    path = f"/experiments/{experiment}/runs/{run}/samples"
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {at.token}"}
    bodies = [
        json.dumps([{"id": f"s{first + i}", "output": "x" * 200, "scores": {"exact_match": 1}} for i in range(BATCH)])
        for first in range(0, wanted.rows // 2, BATCH)
    ]
    connection = http.client.HTTPConnection("127.0.0.1", at.port, timeout=60)
    started = time.monotonic()
    for body in bodies:
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        told = json.loads(answer.read())
        if answer.status >= 300 or told["added"] != BATCH:
            raise SystemExit(f"POST {path}: {answer.status} {told}")
    rate = len(bodies) * BATCH / (time.monotonic() - started)
    connection.close()
    bars.line("POST of samples, one client", f"{rate:,.0f} rows/s")


def lists(bars, at, url, wanted):
    program = parts.build_axum("axum_postgres")
    pool = parts.Yardstick([program, url, 0, 2, "pool"], JWT_SECRET=parts.SECRET)
    one = parts.Yardstick([program, url, 0, 2, "one"], JWT_SECRET=parts.SECRET)
    try:
        subjects = {"ours": at.port, "tokio-postgres, deadpool": pool.port, "tokio-postgres, one connection": one.port}
        for peer in (pool, one):
            api.check_same(at, peer)
        runs = {name: [] for name in subjects}
        for round_ in range(wanted.runs + 1):
            for name, port in subjects.items():
                found = parts.wrk(f"http://127.0.0.1:{port}{api.LIST}", wanted.seconds, wanted.connections, at.token)
                if round_:  # the first warms
                    runs[name].append(found)
    finally:
        for peer in (pool, one):
            peer.close()
    ours = runs.pop("ours")
    title = f"GET {api.LIST} over PostgreSQL"
    for name, theirs in runs.items():
        api.compare(bars, title, ours, theirs, f"axum + {name}", 1.0)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", default=parts.ROOT / "build/release/llm-research")
    parser.add_argument("--ingest", default=parts.ROOT / "build/release/bench_ingest", type=pathlib.Path)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--only", choices=("ingest", "lists"))
    parser.add_argument("--strict", action="store_true")
    wanted = parser.parse_args()
    parts.open_files()
    bars = parts.Bars("stack")
    with postgres.Servers() as servers:
        if not servers.env:
            raise SystemExit("PostgreSQL is not installed: apt-get install postgresql-15")
        if wanted.only != "lists":
            ingest(bars, servers, wanted)
        url = database(servers, "served")
        at = service(parts.binary_of(wanted.binary), url)
        try:
            if wanted.only != "lists":
                report_samples(bars, at, wanted)
            if wanted.only != "ingest":
                lists(bars, at, url, wanted)
        finally:
            at.close()
    return bars.end(wanted.strict)


if __name__ == "__main__":
    raise SystemExit(main())
