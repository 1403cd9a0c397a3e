"""Tests of duckdb.py: what is not the pinned file is not used."""
import io
import pathlib
import tarfile
import tempfile
import unittest
from unittest import mock

from tools import duckdb as tool


def package(content):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        entry = tarfile.TarInfo("package/libduckdb.so")
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


class Fetch(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = pathlib.Path(scratch.name) / "duckdb"

    def pinned(self, data, library):
        return mock.patch.multiple(tool, PACKAGE_SHA256=tool.sha256(data), LIBRARY_SHA256=tool.sha256(library))

    def test_the_pinned_file_is_kept_and_not_fetched_twice(self):
        data = package(b"library")
        with self.pinned(data, b"library"), mock.patch.object(tool, "download", return_value=data) as download:
            self.assertEqual(tool.fetch(self.folder).read_bytes(), b"library")
            tool.fetch(self.folder)
            self.assertEqual(download.call_count, 1)
            (self.folder / "libduckdb.so").write_bytes(b"damaged")
            self.assertEqual(tool.fetch(self.folder).read_bytes(), b"library")

    def test_another_file_is_refused(self):
        data = package(b"library")
        with self.pinned(package(b"other"), b"library"), mock.patch.object(tool, "download", return_value=data):
            self.assertRaises(ValueError, tool.fetch, self.folder)
        with self.pinned(data, b"other"), mock.patch.object(tool, "download", return_value=data):
            self.assertRaises(ValueError, tool.fetch, self.folder)
        self.assertFalse((self.folder / "libduckdb.so").exists())


if __name__ == "__main__":
    unittest.main()
