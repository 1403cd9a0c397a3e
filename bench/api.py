#!/usr/bin/env python3
"""Measures the API beside its yardsticks: GET /health beside a bare Boost.Beast responder, and
GET /experiments?limit=1 with a bearer token beside axum + sqlx on the same SQLite file.

Usage: api.py [--binary PATH] [--runs N] [--seconds S] [--connections C] [--strict]
Runs are interleaved; every figure is a median, a ratio is the median over neighbours.
"""
import argparse
import json
import statistics
import urllib.request

import api_parts as parts

LIST = "/experiments?limit=1"


def median(runs, name):
    return statistics.median(run[name] for run in runs)


def ratio(ours, theirs, name):
    return statistics.median(a[name] / b[name] for a, b in zip(ours, theirs))


def check_same(service, yardstick):
    """The yardstick does the work that it is compared by: the same page, links and counts."""
    def page(port):
        request = urllib.request.Request(f"http://127.0.0.1:{port}{LIST}")
        request.add_header("Authorization", f"Bearer {service.token}")
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)
    ours, theirs = page(service.port), page(yardstick.port)
    for block in ("pagination", "meta"):
        ours[block].pop("next_cursor", None)
        theirs[block].pop("next_cursor", None)
        if ours[block] != theirs[block]:
            raise SystemExit(f"the yardstick answers something else: {ours[block]} {theirs[block]}")
    if ours["data"][0]["id"] != theirs["data"][0]["id"]:
        raise SystemExit("the yardstick shows another experiment")


def compare(bars, title, ours, theirs, peer, least):
    for name, runs in (("ours", ours), (peer, theirs)):
        bars.line(
            f"{title}, {name}",
            f"{median(runs, 'rate'):,.0f} a second, p50 {median(runs, 'p50'):.2f} ms, p99 {median(runs, 'p99'):.2f} ms",
        )
    rate = ratio(ours, theirs, "rate")
    bars.line(f"{title}, requests a second, ours to {peer}", f"{rate:.2f}", f">= {least}", rate >= least)
    if any(run["good"] < run["rate"] for run in ours + theirs):
        raise SystemExit(f"{title}: some answers were no success")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", default=parts.ROOT / "build/release/llm-research")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--strict", action="store_true")
    wanted = parser.parse_args()
    parts.open_files()
    service = parts.Service(parts.binary_of(wanted.binary))
    # Each as it is fastest on two processors.
    beast = parts.Yardstick([parts.build_beast(), 1])
    axum = parts.Yardstick([parts.build_axum(), service.database, 0, 2], JWT_SECRET=parts.SECRET)
    try:
        check_same(service, axum)
        health, bare, ours, theirs = [], [], [], []
        plan = [
            (health, service.port, "/health", None), (bare, beast.port, "/health", None),
            (ours, service.port, LIST, service.token), (theirs, axum.port, LIST, service.token),
        ]
        for runs, port, path, token in plan:  # warm
            parts.wrk(f"http://127.0.0.1:{port}{path}", 1, wanted.connections, token)
        for _ in range(wanted.runs):
            for runs, port, path, token in plan:
                url = f"http://127.0.0.1:{port}{path}"
                runs.append(parts.wrk(url, wanted.seconds, wanted.connections, token))
        bars = parts.Bars("api")
        compare(bars, "GET /health", health, bare, "Beast", 0.9)
        compare(bars, "GET /experiments?limit=1", ours, theirs, "axum + sqlx", 1.0)
        p99 = ratio(ours, theirs, "p99")
        bars.line("GET /experiments?limit=1, p99, ours to axum + sqlx", f"{p99:.2f}", "<= 1.0", p99 <= 1.0)
        return bars.end(wanted.strict)
    finally:
        for one in (beast, axum, service):
            one.close()


if __name__ == "__main__":
    raise SystemExit(main())
