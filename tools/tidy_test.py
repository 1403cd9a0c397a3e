"""What tidy.py checks again: a source taken for clean by mistake would hide a finding."""
import json
import pathlib
import tempfile
import unittest
from unittest import mock

from tools import tidy

CONFIG = """\
Checks: '-*,bugprone-integer-division'
WarningsAsErrors: '*'
HeaderFilterRegex: '.*/src/.*'
"""
CLEAN = '#include "a room/a.h"\ndouble third(int n) { return n / 3.0; }\n'
FINDING = '#include "a room/a.h"\ndouble third(int n) { return n / 3; }\n'


class Checking(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name).resolve()
        self.write(".clang-tidy", CONFIG)
        self.write("src/a room/a.h", "#pragma once\ninline double half(int n) { return n / 2.0; }\n")
        self.source = self.write("src/a room/a.cpp", CLEAN)
        self.test = self.write("src/a room/a_test.cpp", FINDING)
        self.compile_with("")

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def compile_with(self, flags):
        self.write("build/compile_commands.json", json.dumps([
            {"directory": str(self.root / "build"), "file": str(path),
             "command": f"clang++-19 -I{self.root}/src {flags} -o x.o -c '{path}'"}
            for path in (self.source, self.test)]))

    def check(self):
        checked = tidy.Tidy(self.root, self.root / "build")
        [entry] = checked.sources(["src"])
        return checked.check(entry)

    def test_what_was_clean_is_not_checked_again(self):
        self.assertEqual([self.check(), self.check()], ["clean", "unchanged"])

    def test_a_finding_is_found_again_and_again(self):
        self.write("src/a room/a.cpp", FINDING)
        for _ in range(2):
            self.assertIn("a.cpp:2:30: error: ", self.check())

    def test_a_change_of_anything_is_seen(self):
        self.check()
        changes = {
            "the source": lambda: self.write("src/a room/a.cpp", CLEAN + "// more\n"),
            "a header": lambda: self.write("src/a room/a.h", "inline int one() { return 1; }\n"),
            "the checks": lambda: self.write(".clang-tidy", CONFIG + "FormatStyle: none\n"),
            "the command": lambda: self.compile_with("-DMORE"),
            # It is found before the header of that name in src.
            "a header that hides another": lambda: self.write("src/a room/a room/a.h", ""),
        }
        for what, change in changes.items():
            change()
            self.assertEqual([self.check(), self.check()], ["clean", "unchanged"], what)

    def test_a_finding_in_a_header_is_one(self):
        self.check()
        self.write("src/a room/a.h", "inline double half(int n) { return n / 2; }\n")
        self.assertIn("a.h:1:", self.check())

    def test_what_changes_while_it_is_checked_is_not_taken_for_clean(self):
        class Slow(tidy.Tidy):
            def key(checked, entry):
                key = super().key(entry)
                self.write("src/a room/a.cpp", CLEAN)
                return key

        self.write("src/a room/a.cpp", FINDING)
        checked = Slow(self.root, self.root / "build")
        [entry] = checked.sources(["src"])
        self.assertEqual(checked.check(entry), "clean")
        self.write("src/a room/a.cpp", FINDING)
        self.assertIn("error: ", self.check())

    def test_a_source_that_does_not_compile_has_failed(self):
        self.write("src/a room/a.cpp", '#include "gone.h"\n')
        for _ in range(2):
            self.assertIn("'gone.h' file not found", self.check())

    def test_findings_fail_the_run_and_tests_are_left_out(self):
        with mock.patch("builtins.print") as said:
            self.assertEqual(tidy.Tidy(self.root, self.root / "build").run(["src"], 2), 0)
            self.write("src/a room/a.cpp", FINDING)
            self.assertEqual(tidy.Tidy(self.root, self.root / "build").run(["src"], 2), 1)
        self.assertIn("bugprone-integer-division", said.call_args_list[-2].args[0])
        self.assertIn("1 with findings", said.call_args_list[-1].args[0])

    def together(self, **texts):
        """What is said of sources with these texts, checked as one run checks them; and by how many calls."""
        paths = [self.write(f"src/a room/{name}.cpp", text) for name, text in texts.items()]
        self.write("build/compile_commands.json", json.dumps([
            {"directory": str(self.root / "build"), "file": str(path),
             "command": f"clang++-19 -I{self.root}/src -o x.o -c '{path}'"} for path in paths]))
        checked = tidy.Tidy(self.root, self.root / "build")
        alone = []
        with mock.patch.object(checked, "check", side_effect=lambda e: alone.append(e) or tidy.Tidy.check(checked, e)):
            said = [one for group in checked.groups(checked.sources(["src"]))
                    for one in checked.check_together(group)]
        self.assertEqual([checked.is_unchanged(e) for e in checked.sources(["src"])], [one == "clean" for one in said])
        return said, len(alone)

    def test_clean_sources_of_a_folder_are_checked_at_once(self):
        other = CLEAN.replace("third", "tierce")
        self.assertEqual(self.together(a=CLEAN, b=other), (["clean", "clean"], 0))

    def test_of_several_the_one_with_a_finding_is_named(self):
        (first, second), alone = self.together(a=CLEAN, b=FINDING.replace("third", "tierce"))
        self.assertEqual((first, alone), ("clean", 2))
        self.assertIn("b.cpp:2:31: error: ", second)

    def test_sources_that_cannot_stand_together_are_checked_apart(self):
        self.assertEqual(self.together(a=CLEAN, b=CLEAN), (["clean", "clean"], 2))

    def test_a_folder_without_sources_is_a_mistake(self):
        with self.assertRaises(SystemExit):
            tidy.Tidy(self.root, self.root / "build").sources(["src", "src/rom"])


if __name__ == "__main__":
    unittest.main()
