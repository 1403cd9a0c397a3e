#!/usr/bin/env python3
"""Tests of fuzz.py: what it makes of the logs of libFuzzer, and what it says of a finding."""
import contextlib
import io
import os
import pathlib
import tempfile
import unittest
from unittest import mock

from tools import fuzz

LOG = """INFO: Running with entropic power schedule (0xFF, 100).
INFO: Loaded 1 modules   (4567 inline 8-bit counters): 4567 [0x1, 0x2),
#9\tINITED cov: 90 ft: 91 corp: 7/81b exec/s: 0 rss: 41Mb
#51200\tNEW    cov: 120 ft: 160 corp: 24/1Kb lim: 4 exec/s: 25600 rss: 44Mb L: 4/4 MS: 1 ChangeBit-
#51234\tDONE   cov: 121 ft: 161 corp: 25/1Kb lim: 4 exec/s: 25617 rss: 44Mb
stat::number_of_executed_units: 51234
stat::average_exec_per_sec:     25617
stat::new_units_added:          17
stat::slowest_unit_time_sec:    0
"""


class ReadLog(unittest.TestCase):
    def test_a_clean_run_has_its_figures_and_no_findings(self):
        outcome = fuzz.read_log("json", LOG, 0, [])
        self.assertEqual((outcome.runs, outcome.runs_a_second, outcome.corpus), (51234, 25617, 25))
        self.assertEqual((outcome.edges_at_begin, outcome.edges, outcome.edges_there_are), (90, 121, 4567))
        self.assertEqual(outcome.findings, [])

    def test_kept_inputs_are_findings(self):
        log = LOG + "fuzz: this does not hold: one text for hashes\n==1== ERROR: libFuzzer: deadly signal\n"
        outcome = fuzz.read_log("json", log, 77, [pathlib.Path("f/crash-1"), pathlib.Path("f/crash-2")])
        self.assertEqual(len(outcome.findings), 2)
        for part in ("one text for hashes", "f/crash-1", "tests/fuzz/fuzz_json f/crash-1"):
            self.assertIn(part, outcome.findings[0])
        self.assertTrue(outcome.line().endswith(" 2"))

    def test_a_run_that_breaks_or_does_nothing_has_failed(self):
        self.assertEqual(len(fuzz.read_log("json", "", 1, []).findings), 1)
        self.assertEqual(len(fuzz.read_log("json", "", 0, []).findings), 1)


class Command(unittest.TestCase):
    """The whole of it over a program that behaves like a target."""

    def run_with(self, script):
        with tempfile.TemporaryDirectory() as folder:
            build = pathlib.Path(folder)
            (build / "tests" / "fuzz").mkdir(parents=True)
            program = build / "tests" / "fuzz" / "fuzz_json"
            program.write_text("#!/bin/sh\n" + script, encoding="utf-8")
            program.chmod(0o755)
            out = io.StringIO()
            with mock.patch.object(fuzz, "BUILD", build), mock.patch("sys.argv", ["fuzz.py", "--seconds", "1", "json"]), \
                    mock.patch.dict(os.environ, {"JOBS": "1"}), contextlib.redirect_stdout(out), \
                    self.assertRaises(SystemExit) as end:
                fuzz.main()
            return end.exception.code, out.getvalue()

    def test_a_clean_target_ends_well(self):
        code, text = self.run_with(f"cat <<'END'\n{LOG}END\n")
        self.assertEqual(code, 0)
        self.assertRegex(text, r"json +51234 +25617 +90 +121 +4567 +25 .* 0\n")

    def test_a_finding_ends_badly_and_says_how_to_see_it_again(self):
        code, text = self.run_with(
            'for a; do case $a in -artifact_prefix=*) echo x >"${a#-artifact_prefix=}crash-7";; esac; done\n'
            "echo '==1==ERROR: AddressSanitizer: heap-use-after-free'\nexit 77\n")
        self.assertEqual(code, 1)
        self.assertIn("json: ==1==ERROR: AddressSanitizer: heap-use-after-free", text)
        self.assertRegex(text, r"again: \S+/fuzz_json \S+/findings/json/crash-7\n")
        self.assertRegex(text, r"log: \S+/log")


class Targets(unittest.TestCase):
    def test_every_target_is_built_and_has_a_corpus(self):
        listed = (fuzz.SOURCES / "CMakeLists.txt").read_text(encoding="utf-8")
        self.assertTrue(fuzz.targets())
        for target in fuzz.targets():
            self.assertIn(f"fuzz_target({target}.cpp", listed)
            self.assertTrue(list((fuzz.SOURCES / "corpus" / target).iterdir()), target)
        self.assertLessEqual(set(fuzz.LENGTHS), set(fuzz.targets()))


if __name__ == "__main__":
    unittest.main()
