"""Tests of s3.py without its server."""
import contextlib
import io
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

from tools import s3

TOOL = pathlib.Path(s3.__file__)


class WithoutAServer(unittest.TestCase):
    def setUp(self):
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.enterContext(mock.patch.object(s3, "PROGRAM", folder / "s3" / "versitygw"))
        self.enterContext(mock.patch.object(s3, "go_of_pypi", return_value=None))
        self.enterContext(mock.patch.dict(os.environ, {"PATH": "/nowhere"}))
        os.environ.pop("LAB_REQUIRE_BACKENDS", None)
        self.said = self.enterContext(contextlib.redirect_stderr(io.StringIO()))

    def test_what_cannot_be_built_is_a_failure_only_where_it_must_be_there(self):
        self.assertEqual(s3.build(), 0)
        self.assertIn("needs Go", self.said.getvalue())
        self.assertIn("skipped", self.said.getvalue())
        os.environ["LAB_REQUIRE_BACKENDS"] = "1"
        self.assertEqual(s3.build(), 1)

    def test_the_command_runs_without(self):
        with s3.Server() as server:
            self.assertEqual(server.env, {})
            self.assertIsNone(server.process)


class Command(unittest.TestCase):
    def test_its_status_is_the_commands(self):
        done = subprocess.run([sys.executable, TOOL, "sh", "-c", "exit 7"], check=False, timeout=120)
        self.assertEqual(done.returncode, 7)

    def test_without_a_command_it_says_how_it_is_used(self):
        done = subprocess.run([sys.executable, TOOL], check=False, timeout=60, capture_output=True)
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"Usage: s3.py", done.stderr)
