"""How test.py counts: a wrong count would hide a failure."""
import os
import pathlib
import re
import sys
import tempfile
import unittest
from unittest import mock

from tools import test as runner

GTEST_LOG = """\
[==========] Running 4 tests from 1 test suite.
[ RUN      ] Money.Adds
[       OK ] Money.Adds (0 ms)
[ RUN      ] Money.Prints
money_test.cpp:3: Failure
[  FAILED  ] Money.Prints (1 ms)
[ RUN      ] Bleu.Agrees/case_2
noise without a newline[       OK ] Bleu.Agrees/case_2 (12 ms)
[ RUN      ] Bleu.Fails/1
[  FAILED  ] Bleu.Fails/1, where GetParam() = 7 (3 ms)
[ RUN      ] Store.NeedsServer
[  SKIPPED ] Store.NeedsServer (0 ms)
[  PASSED  ] 2 tests.
[  FAILED  ] 2 tests, listed below:
[  FAILED  ] Money.Prints
[  FAILED  ] Bleu.Fails/1, where GetParam() = 7
"""


class Counting(unittest.TestCase):
    def test_gtest(self):
        self.assertEqual(runner.read_gtest(GTEST_LOG), runner.Outcome(2, 2, 1))

    def test_unittest(self):
        ok = "Ran 7 tests in 0.1s\n\nOK\n"
        bad = "Ran 5 tests in 1.2s\n\nFAILED (failures=1, errors=1, skipped=1)\n"
        broken_class = "Ran 0 tests in 0.0s\n\nFAILED (errors=1)\n"
        self.assertEqual(runner.read_unittest(ok), runner.Outcome(7, 0, 0))
        self.assertEqual(runner.read_unittest(ok + bad), runner.Outcome(9, 2, 1))
        self.assertEqual(runner.read_unittest(broken_class), runner.Outcome(0, 1, 0))

    def test_the_contract_and_pytest(self):
        self.assertEqual(runner.read_contract("1 passed, 1 failed\n84 passed, 2 failed\n"),
                         runner.Outcome(84, 2, 0))
        self.assertEqual(runner.read_contract("Traceback"), runner.Outcome())
        self.assertEqual(runner.read_pytest("31 passed in 13.31s\n"), runner.Outcome(31, 0, 0))
        self.assertEqual(
            runner.read_pytest("== 1 failed, 3 passed, 2 skipped, 2 errors in 1.5s (0:00:01) ==\n"),
            runner.Outcome(3, 3, 2))


class Running(unittest.TestCase):
    def run_script(self, script, read=runner.read_gtest, **options):
        with tempfile.TemporaryDirectory(dir=runner.ROOT) as logs:
            with mock.patch.object(runner, "LOGS", pathlib.Path(logs)), mock.patch("builtins.print"):
                return runner.run(runner.Part(
                    "try", [([sys.executable, "-c", script], {})], read, **options))

    def test_a_crash_is_one_failure(self):
        script = "import os; print('[       OK ] A.B (0 ms)', flush=True); os.abort()"
        self.assertEqual(self.run_script(script), runner.Outcome(1, 1, 0))

    def test_a_hang_is_one_failure(self):
        self.assertEqual(self.run_script("import time; time.sleep(60)", minutes=0.01),
                         runner.Outcome(0, 1, 0))

    def test_no_tests_at_all_is_a_failure(self):
        self.assertEqual(self.run_script("", must_have_tests=True), runner.Outcome(0, 1, 0))

    def test_a_stage_without_tests_fails_when_its_command_does(self):
        self.assertEqual(self.run_script("raise SystemExit(1)", runner.no_tests),
                         runner.Outcome(0, 1, 0))
        self.assertEqual(self.run_script("", runner.no_tests), runner.Outcome())

    def test_a_skip_is_a_failure_where_everything_must_run(self):
        script = "print('a_test.cpp:1: Skipped\\nno server\\n[  SKIPPED ] A.B (0 ms)')"
        with mock.patch.dict(os.environ, {"LAB_REQUIRE_BACKENDS": "1"}):
            self.assertEqual(self.run_script(script), runner.Outcome(0, 1, 0))
        with mock.patch.dict(os.environ, {"LAB_REQUIRE_BACKENDS": ""}):
            self.assertEqual(self.run_script(script), runner.Outcome(0, 0, 1))


class Stages(unittest.TestCase):
    def test_the_usage_and_the_contributors_guide_name_them_all(self):
        names = " ".join(runner.stages())
        self.assertEqual(re.search(r"stages: ([a-z0-9 ]+) \(", runner.__doc__).group(1), names)
        self.assertIn(f"`tools/test.py {names}`",
                      (runner.ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))


if __name__ == "__main__":
    unittest.main()
