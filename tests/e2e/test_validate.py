"""`validate`: every mistake of a file in one answer, and nothing left behind, whatever the home is like."""
import contextlib
import ctypes
import os
import pathlib
import unittest

import support

BAD = support.ROOT / "tests/data/bad"
MS_RDONLY, MS_REMOUNT = 1, 32


@contextlib.contextmanager
def read_only(folder):
    """Makes a folder of the context's choice read-only: yields a function that does it, or None when
    nobody here may. Root writes where modes forbid it, but not on a read-only file system."""
    folder.mkdir()
    libc = ctypes.CDLL(None, use_errno=True)
    disk = str(folder).encode()
    mounted = os.geteuid() == 0 and libc.mount(b"lab", disk, b"tmpfs", 0, b"size=16m") == 0

    def close():
        if mounted:
            assert libc.mount(b"lab", disk, b"tmpfs", MS_REMOUNT | MS_RDONLY, b"size=16m") == 0
        else:
            for path in [folder, *folder.rglob("*")]:
                path.chmod(0o500 if path.is_dir() else 0o400)

    try:
        yield close if mounted or os.geteuid() != 0 else None
    finally:
        if mounted:
            libc.umount2(disk, 2)
        else:
            for path in [folder, *folder.rglob("*")]:
                path.chmod(0o700)


class Validate(support.LabTest):
    def setUp(self):
        super().setUp()
        self.temporary = self.folder / "temporary"
        self.temporary.mkdir()
        self.before = {}

    def validate(self, file, home=None):
        """Runs it in a world that must not change."""
        self.before = self.world()
        done = (home or self.home).run("validate", file, env={"TMPDIR": str(self.temporary)})
        self.assertEqual(self.world(), self.before)
        return done

    def world(self):
        return {
            str(path): path.read_bytes() if path.is_file() else None
            for path in self.folder.rglob("*") if "__pycache__" not in path.parts
        }

    def lines_of(self, done, folder):
        """What was said about a file, without its path."""
        said = done.err.replace(str(folder) + os.sep, "").split("\n")
        return [line.strip() for line in said if line.startswith("  ")]

    def test_all_kinds_of_mistakes_come_in_one_answer(self):
        file = BAD / "whole/all_at_once.yaml"
        done = self.validate(file)
        self.assert_code(done, support.BAD_INPUT)
        self.assertEqual(done.out, "")
        expected = file.with_suffix(".expected").read_text(encoding="utf-8").splitlines()
        said = self.lines_of(done, file.parent)
        self.assertEqual([line.removeprefix(f"{file.name}:") for line in said], expected)
        self.assert_says(done, f"{len(expected)} problems")

    def test_a_file_is_told_its_own_mistakes_and_no_more(self):
        for file in sorted(BAD.glob("*.yaml")):
            with self.subTest(file=file.name):
                done = self.validate(file)
                self.assert_code(done, support.BAD_INPUT)
                said = [line.removeprefix(f"{file.name}:") for line in self.lines_of(done, BAD)]
                expected = file.with_suffix(".expected").read_text(encoding="utf-8").splitlines()
                self.assertEqual(sorted(said), sorted(expected))

    def test_run_says_the_same_as_validate(self):
        for file in [BAD / "whole/all_at_once.yaml", BAD / "unknown_names.yaml"]:
            validated = self.validate(file)
            ran = self.home.run("run", file, env={"OPENAI_API_KEY": "x", "TMPDIR": str(self.temporary)})
            self.assert_code(ran, support.BAD_INPUT)
            self.assertEqual(ran.err, validated.err)
        self.assertFalse(self.home.path.exists(), "a run that is refused imports nothing")

    def test_nothing_is_left_and_no_home_is_made(self):
        self.rows(20)
        file = self.write_spec(support.spec("http://127.0.0.1:9/v1"))
        for home in (self.home.path, pathlib.Path("/nonexistent/home"), pathlib.Path("/dev/null/home")):
            with self.subTest(home=home):
                self.home.path = home
                done = self.validate(file)
                self.assert_code(done, support.PASSED)
                self.assert_says(done, "is valid", "20 items of")
        self.home.path = self.folder / "home"

    def test_a_home_that_may_only_be_read_is_read(self):
        self.rows(20)
        by_path = self.write_spec(support.spec("http://127.0.0.1:9/v1"))
        by_name = self.write_spec(support.spec("http://127.0.0.1:9/v1"), name="by_name.json")
        by_name.write_text(by_name.read_text().replace('"path": "rows.jsonl"', '"ref": "kept"'))
        done = self.validate(by_name)
        self.assert_code(done, support.BAD_INPUT)
        self.assert_says(done, "by_name.json:", "nothing was imported")
        home = support.Home(self.folder)
        with read_only(self.folder / "disk") as close:
            if close is None:
                print("  no right to mount a file system: a read-only home is not tested")
                return
            home.path = self.folder / "disk/home"
            self.assert_code(home.run("datasets", "import", "rows.jsonl", "--name", "kept"), support.PASSED)
            close()
            for file, words in ((by_path, "20 items of"), (by_name, "20 items of kept@1")):
                done = self.validate(file, home)
                self.assert_code(done, support.PASSED)
                self.assert_says(done, words)


if __name__ == "__main__":
    unittest.main()
