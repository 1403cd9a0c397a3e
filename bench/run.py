#!/usr/bin/env python3
"""Measures llm-research against its bars and, where there is one, against its peer, in one run.

Usage: run.py [--binary PATH] [--runs N] [--only 1,5] [--scale F] [--strict]
Every figure is the median of interleaved runs. Writes build/bench/bench.json and bench.md.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

import harness as h

# USD per million tokens of the generated experiments.
INPUT_PRICE, OUTPUT_PRICE = 0.15, 0.60


class Bench:
    def __init__(self, binary, binaries, runs, scale):
        self.binary, self.binaries, self.runs, self.scale = binary, binaries, runs, scale
        self.lines = []  # of the table
        self.raw = {}  # every single run, for the JSON file

    def rows(self, full):
        return max(200, int(full * self.scale))

    def line(self, scenario, figure, ours, unit, peer=None, bar=None, note=""):
        """Adds a line. bar: (text, predicate over the median of ours, or over the ratio)."""
        middle = statistics.median(ours)
        entry = {
            "scenario": scenario, "figure": figure, "unit": unit, "ours": middle,
            "ours_min": min(ours), "ours_max": max(ours), "runs": len(ours), "note": note,
        }
        if peer:
            entry["peer"] = statistics.median(peer)
            # Of pairs that ran next to each other: what the machine did meanwhile hits both.
            entry["ratio"] = statistics.median(a / b for a, b in zip(ours, peer))
        if bar:
            entry["bar"], entry["met"] = bar[0], bool(bar[1](entry))
        self.lines.append(entry)
        print(f"  {figure}: {show(middle)} {unit}"
              + (f"; peer {show(entry['peer'])}, ratio {entry['ratio']:.2f}" if peer else "")
              + (f"; bar {bar[0]}: {'met' if entry['met'] else 'MISSED'}" if bar else ""), flush=True)

    def ours(self, rows, stream, concurrency, *mock_options):
        path, _ = h.dataset(rows)
        with h.Mock(self.binaries, *mock_options) as mock, h.Home() as home:
            file = h.experiment(
                home.folder, path, base_url=mock.url, stream=stream, concurrency=concurrency
            )
            used = h.run_ours(self.binary, self.binaries, home, file)
            used["mock"] = mock.stats()
            used["report"] = h.read_report(self.binary, home)
        h.check_complete(used["report"], rows)
        stats = used["mock"]
        if stats["distinct"] != rows or stats["requests"] != used["report"]["calls"]:
            raise h.BenchError(f"calls reported {used['report']['calls']}, endpoint: {stats}")
        billed = (stats["prompt_tokens"] * INPUT_PRICE + stats["completion_tokens"] * OUTPUT_PRICE) / 1e6
        if abs(billed - float(used["report"]["cost_usd"])) > 1e-6:
            raise h.BenchError(f"cost {used['report']['cost_usd']}, billed {billed}")
        return used

    def peer(self, rows, stream, concurrency, *mock_options):
        path, _ = h.dataset(rows)
        with h.Mock(self.binaries, *mock_options) as mock, h.Home() as home:
            used = h.run_peer(self.binaries, home, path, mock.url, concurrency, stream)
            used["mock"] = mock.stats()
        said = used["said"]
        if said["failed"] or said["rows"] != rows or said["correct"] != h.correct_of(rows):
            raise h.BenchError(f"the loop says {said}")
        return used

    def interleaved(self, name, *subjects):
        """Runs each subject once a round, in turns first; gives one list of runs a subject."""
        results = [[] for _ in subjects]
        for turn in range(self.runs):
            order = range(len(subjects))
            for which in order if turn % 2 == 0 else reversed(order):
                results[which].append(subjects[which]())
        keep = ("wall_s", "user_s", "system_s", "cpu_s", "peak_rss_kib", "mock", "report", "said")
        self.raw[name] = [
            [{key: run[key] for key in keep if key in run} for run in runs] for runs in results
        ]
        return results


def cpu_per_row(bench):
    rows = bench.rows(10_000)
    for stream in (False, True):
        name = "streaming" if stream else "whole answers"
        ours, peer = bench.interleaved(
            f"1 {name}", lambda: bench.ours(rows, stream, 64), lambda: bench.peer(rows, stream, 64)
        )
        scenario = f"{rows:,} rows, no latency, concurrency 64, {name}"
        figures = [[1e3 * run["cpu_s"] / rows for run in runs] for runs in (ours, peer)]
        bench.line(scenario, f"CPU per sample ({name})", figures[0], "ms", figures[1],
                   ("<= 0.10 ms and <= 2x", lambda e: e["ours"] <= 0.10 and e["ratio"] <= 2))
        memory = [[run["peak_rss_kib"] / 1024 for run in runs] for runs in (ours, peer)]
        bench.line(scenario, f"peak memory ({name})", memory[0], "MB", memory[1],
                   ("<= 40 MB", lambda e: e["ours"] <= 40))
        rate = [[rows / run["wall_s"] for run in runs] for runs in (ours, peer)]
        bench.line(scenario, f"rate ({name})", rate[0], "rows/s", rate[1])


def rate_at_latency(bench):
    rows = bench.rows(5_000)
    ideal = 64 / 0.050
    ours, peer = bench.interleaved(
        "2", lambda: bench.ours(rows, False, 64, "-latency", "50ms"),
        lambda: bench.peer(rows, False, 64, "-latency", "50ms"),
    )
    scenario = f"{rows:,} rows, 50 ms, concurrency 64"
    held = statistics.median(run["mock"]["mean_service_ms"] for run in ours)

    def calling_s(run):
        return (run["mock"]["last_answer_at_unix_ns"] - run["mock"]["first_request_at_unix_ns"]) / 1e9

    shares = [[100 * rows / calling_s(run) / ideal for run in runs] for runs in (ours, peer)]
    bench.line(scenario, "of the ideal rate, first request to last answer", shares[0], "%", shares[1],
               (">= 95 %", lambda e: e["ours"] >= 95), f"the endpoint held an answer {held:.2f} ms")
    whole = [[100 * rows / run["wall_s"] / ideal for run in runs] for runs in (ours, peer)]
    bench.line(scenario, "of the ideal rate, whole process", whole[0], "%", whole[1], None,
               "start, import and report included")


def many_in_flight(bench):
    rows, concurrency = bench.rows(20_000), min(5_000, bench.rows(20_000))
    if h.raise_file_limit() < concurrency + 100:
        raise h.BenchError(f"{concurrency} connections need a higher limit of open files")
    ours, = bench.interleaved("3", lambda: bench.ours(
        rows, False, concurrency, "-latency", "200ms", "-gather", str(concurrency)
    ))
    scenario = f"{rows:,} rows, 200 ms, concurrency {concurrency:,}"
    for run in ours:
        if run["mock"]["max_in_flight"] < concurrency:
            raise h.BenchError(f"only {run['mock']['max_in_flight']:,} calls were in flight at once")
    bench.line(scenario, "peak memory", [run["peak_rss_kib"] / 1024 for run in ours], "MB",
               None, ("<= 250 MB", lambda e: e["ours"] <= 250),
               "all of them in flight at once: the first answers wait until every call has arrived")
    bench.line(scenario, "rate", [rows / run["wall_s"] for run in ours], "rows/s")


def replayed(bench):
    rows = bench.rows(1_000_000)
    path, outputs = h.dataset(rows, with_outputs=True)

    def once():
        with h.Home() as home:
            file = h.experiment(home.folder, path, outputs=outputs)
            return h.run_ours(bench.binary, bench.binaries, home, file)

    ours, = bench.interleaved("4", once)
    scenario = f"{rows:,} replayed samples"
    bench.line(scenario, "samples per second", [rows / run["wall_s"] for run in ours], "/s",
               None, (">= 20,000/s", lambda e: e["ours"] >= 20_000),
               "start, import of the data set, scoring, commit and analysis included")
    bench.line(scenario, "peak memory", [run["peak_rss_kib"] / 1024 for run in ours], "MB",
               None, ("< 200 MB", lambda e: e["ours"] < 200))


def scripted_faults(bench):
    rows = bench.rows(1_000)
    ours, = bench.interleaved(
        "5", lambda: bench.ours(rows, False, 64, "-latency", "50ms", "-fault", "every10")
    )
    for run in ours:
        stats, report = run["mock"], run["report"]
        if stats["faults"] != rows // 10 or report["retries"] != stats["duplicates"] \
                or stats["unanswered"] or stats["answered_twice"]:
            raise h.BenchError(f"retries reported {report['retries']}, endpoint: {stats}")
    scenario = f"{rows:,} rows, 50 ms, every tenth fails once (429 or 500)"
    bench.line(scenario, "wall time", [run["wall_s"] for run in ours], "s",
               None, ("<= 3.0 s", lambda e: e["ours"] <= 3.0),
               "every row answered; retries as counted by the endpoint: "
               f"{ours[0]['report']['retries']}")


def cpu_to_first_request(bench):
    path, _ = h.dataset(1_000)

    def once():
        with h.Mock(bench.binaries) as mock, h.Home() as home:
            file = h.experiment(home.folder, path, base_url=mock.url)
            wait, go = os.pipe()
            pid = os.fork()
            if pid == 0:
                # Waits until the endpoint knows whose time to take at the first request.
                os.read(wait, 1)
                quiet = os.open(os.devnull, os.O_RDWR)
                for descriptor in (0, 1, 2):
                    os.dup2(quiet, descriptor)
                os.closerange(3, 64)
                os.execve(bench.binary, [str(bench.binary), "run", str(file)], home.env)
            mock.get(f"/watch?pid={pid}")
            started = time.time_ns()
            os.write(go, b".")
            _, status, _ = os.wait4(pid, 0)
            os.close(wait)
            os.close(go)
            stats = mock.stats()
            if status != 0 or stats["requests"] != 1_000 or stats["first_request_cpu_ms"] <= 0:
                raise h.BenchError(f"the run ended with {status}; endpoint: {stats}")
            return {
                "cpu_s": stats["first_request_cpu_ms"] / 1e3,
                "wall_s": (stats["first_request_at_unix_ns"] - started) / 1e9,
            }

    ours, = bench.interleaved("6", once)
    scenario = "1,000 rows, from start to the first request"
    bench.line(scenario, "CPU", [1e3 * run["cpu_s"] for run in ours], "ms",
               None, ("<= 50 ms", lambda e: e["ours"] <= 50))
    bench.line(scenario, "wall", [1e3 * run["wall_s"] for run in ours], "ms")


def help_answers(bench):
    walls = []
    for _ in range(max(50, bench.runs)):
        started = time.perf_counter()
        done = subprocess.run([str(bench.binary), "--help"], capture_output=True)
        walls.append(1e3 * (time.perf_counter() - started))
        if done.returncode != 0 or b"run" not in done.stdout:
            raise h.BenchError("--help does not help")
    bench.raw["7"] = walls
    bench.line("llm-research --help", "wall", walls, "ms", None, ("< 20 ms", lambda e: e["ours"] < 20),
               "spawning included")


SCENARIOS = {
    "1": cpu_per_row, "2": rate_at_latency, "3": many_in_flight, "4": replayed,
    "5": scripted_faults, "6": cpu_to_first_request, "7": help_answers,
}


def show(number):
    if number >= 1000:
        return f"{number:,.0f}"
    return f"{number:.3f}" if number < 1 else f"{number:.1f}"


def markdown(machine, lines):
    out = ["# Measurements", ""]
    out += [f"- {key}: {text}" for key, text in machine.items()]
    out += ["", "Medians of interleaved runs (smallest to largest); the peer is a bare request loop in "
            "Go on the same data set and endpoint; a ratio is the median of the pairs' ratios.", "",
            "| scenario | figure | ours | range | runs | peer | ratio | bar | |",
            "|---|---|---|---|---|---|---|---|---|"]
    for e in lines:
        out.append(
            f"| {e['scenario']} | {e['figure']} | {show(e['ours'])} {e['unit']} "
            f"| {show(e['ours_min'])} to {show(e['ours_max'])} | {e['runs']} "
            f"| {show(e['peer']) if 'peer' in e else ''} "
            f"| {format(e['ratio'], '.2f') if 'ratio' in e else ''} "
            f"| {e.get('bar', '')} | {'' if 'met' not in e else 'met' if e['met'] else 'missed'} |"
        )
    notes = [f"- {e['scenario']}, {e['figure']}: {e['note']}" for e in lines if e["note"]]
    return "\n".join(out + ([""] + notes if notes else [])) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--binary", default=str(h.ROOT / "build/release/llm-research"))
    parser.add_argument("--runs", type=int, default=5, help="runs of every subject")
    parser.add_argument("--only", default=",".join(SCENARIOS), help="numbers of scenarios")
    parser.add_argument("--scale", type=float, default=1, help="share of the rows, for a quick look")
    parser.add_argument("--strict", action="store_true", help="exit 1 when a bar is missed")
    options = parser.parse_args()
    binary = pathlib.Path(options.binary).resolve()
    if not os.access(binary, os.X_OK):
        sys.exit(f"bench: {binary} is not there; run 'make build' first")
    h.WORK.mkdir(parents=True, exist_ok=True)
    machine = h.machine(binary)
    for key, text in machine.items():
        print(f"{key}: {text}")
    bench = Bench(binary, h.build_helpers(), options.runs, options.scale)
    broken = 0
    for name in options.only.split(","):
        print(f"{name}. {SCENARIOS[name].__name__.replace('_', ' ')}", flush=True)
        try:
            SCENARIOS[name](bench)
        except h.BenchError as error:
            broken += 1
            print(f"  BROKEN: {error}", flush=True)
    table = markdown(machine, bench.lines)
    (h.WORK / "bench.md").write_text(table)
    (h.WORK / "bench.json").write_text(
        json.dumps({"machine": machine, "figures": bench.lines, "runs": bench.raw}, indent=1) + "\n"
    )
    print("\n" + table + f"\nWritten: {h.WORK / 'bench.md'}, {h.WORK / 'bench.json'}")
    missed = sum(1 for e in bench.lines if e.get("met") is False)
    sys.exit(1 if broken or (options.strict and missed) else 0)


if __name__ == "__main__":
    main()
