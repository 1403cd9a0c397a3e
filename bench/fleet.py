#!/usr/bin/env python3
"""How much faster three workers finish a run than one, when only the slots of each worker bind: calls of a
fifth of a second, eight at once. Over a real PostgreSQL; LLM_RESEARCH is the program.

Usage: fleet.py [ROWS]      default 1,600
"""
import pathlib
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests/e2e")]
import mock_llm  # noqa: E402
import test_fleet  # noqa: E402

ROWS = int(sys.argv.pop(1)) if len(sys.argv) > 1 and sys.argv[1].isdigit() else 1600
LATENCY = 0.2
TOOK = {}


class Bench(test_fleet.Fleet):
    def measure(self, workers):
        self.endpoint.script = lambda request: mock_llm.Slow(LATENCY)
        self.fleet(workers=workers)
        _, run = self.started(rows=ROWS)
        self.until(lambda: self.call("GET", run)["status"] == "completed", seconds=600)
        self.check_whole(run, rows=ROWS)
        requests = self.endpoint.requests
        took = max(r.answered_at for r in requests) - min(r.arrived_at for r in requests)
        ideal = ROWS * LATENCY / test_fleet.IN_FLIGHT / workers
        TOOK[workers] = took
        print(f"{workers} worker(s): {ROWS} calls in {took:.2f} s, {100 * ideal / took:.1f} % of the ideal rate", flush=True)

    def test_1(self):
        self.measure(1)

    def test_3(self):
        self.measure(3)


for name in [name for name in dir(test_fleet.Fleet) if name.startswith("test_")]:
    setattr(Bench, name, None)

if __name__ == "__main__":
    program = unittest.main(exit=False, verbosity=0)
    if len(TOOK) == 2:
        print(f"three are {TOOK[1] / TOOK[3]:.2f} times as fast as one (bar 2.7)")
    sys.exit(not program.result.wasSuccessful())
