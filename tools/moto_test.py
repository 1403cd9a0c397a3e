"""Tests of moto.py without its server."""
import contextlib
import io
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

from tools import moto

TOOL = pathlib.Path(moto.__file__)


class WithoutAServer(unittest.TestCase):
    def setUp(self):
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.enterContext(mock.patch.object(moto, "VENV", folder / "moto"))
        self.enterContext(mock.patch.object(moto, "STAMP", folder / "moto" / ".installed"))
        self.enterContext(mock.patch.object(moto, "ATTEMPTS", 1))
        self.enterContext(mock.patch.object(moto.subprocess, "run", side_effect=OSError))
        self.enterContext(mock.patch.dict(os.environ))
        os.environ.pop("LAB_REQUIRE_BACKENDS", None)
        self.said = self.enterContext(contextlib.redirect_stderr(io.StringIO()))

    def test_what_cannot_be_installed_is_a_failure_only_where_it_must_be_there(self):
        self.assertFalse(moto.is_built())
        self.assertEqual(moto.build(), 0)
        self.assertIn("skipped", self.said.getvalue())
        os.environ["LAB_REQUIRE_BACKENDS"] = "1"
        self.assertEqual(moto.build(), 1)


class Command(unittest.TestCase):
    def test_without_a_command_it_says_how_it_is_used(self):
        done = subprocess.run([sys.executable, TOOL], check=False, timeout=60, capture_output=True)
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"Usage: moto.py", done.stderr)


if __name__ == "__main__":
    unittest.main()
