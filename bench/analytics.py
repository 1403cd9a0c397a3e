#!/usr/bin/env python3
"""How fast facts come to ClickHouse: a run of recorded outputs is stored while ClickHouse is away, then it is
started, and the outbox is told. Prints rows a second and checks that every row is there once.

Usage: analytics.py [--binary build/release/llm-research] [--samples 200000]

The engine is that of tools/clickhouse.py, behind a front in Python, on the same processors. One sample is two
rows: a call and a score.
"""
import argparse
import json
import os
import pathlib
import sys
import time
import unittest
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[1]
BAR = 200_000


class Bench:
    """Set up as a test is, so that whatever happens is taken down."""

    def __init__(self, test, samples):
        self.test, self.samples = test, samples
        test.setUp()
        self.port = test.clickhouse.port
        test.clickhouse.end()
        self.lab = test.lab(OVERLOAD_CPU_RATIO="1", OVERLOAD_MEMORY_RATIO="1")
        self.token = test.user(self.lab)

    def send(self, name, row):
        dataset = self.test.made(self.lab, self.token, "/datasets", {"name": name})["id"]
        data = "".join(json.dumps(row(n)) + "\n" for n in range(self.samples)).encode()
        request = urllib.request.Request(self.lab.url(f"/datasets/{dataset}/import"), data=data, method="POST")
        request.add_header("Content-Type", "application/x-ndjson")
        request.add_header("Authorization", f"Bearer {self.token}")
        with urllib.request.urlopen(request, timeout=600) as answer:
            answer.read()
        return dataset

    def fill(self):
        rows = self.send("rows", lambda n: {"id": str(n), "q": f"q{n}", "answer": str(n % 2)})
        outputs = self.send("outputs", lambda n: {"id": str(n), "output": "1"})
        model = self.test.made(self.lab, self.token, "/models", {
            "name": "m", "provider": "custom", "model_identifier": "m", "config": {"replay_dataset": outputs}})
        made = self.test.made(self.lab, self.token, "/experiments", {"name": "e", "config": {
            "model_ids": [model["id"]], "dataset_ids": [rows],
            "scorers": [{"type": "exact_match", "id": "accuracy", "reference": "{{answer}}"}]}})
        path = f"/experiments/{made['id']}"
        self.test.start(self.lab, self.token, path)
        self.test.ended(self.lab, self.token, path, 1800)

    def sent(self):
        return self.test.metric(self.lab, "analytics_rows_sent_total") or 0

    def drain(self):
        """Rows a second, from the first rows that arrived to the last."""
        if not self.test.clickhouse.start(self.port):
            raise RuntimeError("ClickHouse did not start")
        self.test.until(self.sent, 120)
        begun, first = time.monotonic(), self.sent()
        # Each look costs the server a page of metrics: a few a second, so that it is not that which is measured.
        while self.test.metric(self.lab, "analytics_outbox_rows") != 0:
            time.sleep(0.2)
        return (self.sent() - first) / (time.monotonic() - begun)


def main():
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--binary", default=ROOT / "build/release/llm-research")
    words.add_argument("--samples", type=int, default=200_000)
    given = words.parse_args()
    os.environ["LLM_RESEARCH"] = str(given.binary)
    sys.path.insert(0, str(ROOT / "tests" / "e2e"))
    import test_analytics

    class Told(test_analytics.AnalyticsTest):
        def runTest(self):
            bench = Bench(self, given.samples)
            bench.fill()
            rate = bench.drain()
            rows = {table: int(self.clickhouse.ask(f"SELECT count() FROM {table} FINAL", test_analytics.DATABASE))
                    for table in ("experiment_calls", "experiment_metrics")}
            self.assertEqual(rows, {"experiment_calls": given.samples, "experiment_metrics": given.samples})
            print(f"{2 * given.samples} rows: {rate:,.0f} rows/s (bar: {BAR:,})")

        def setUp(self):  # once, by Bench
            if not hasattr(self, "clickhouse"):
                super().setUp()

    result = unittest.TextTestRunner().run(Told())
    return 0 if result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
