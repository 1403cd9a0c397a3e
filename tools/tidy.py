#!/usr/bin/env python3
"""clang-tidy with the checks of .clang-tidy over our sources; each finding is an error.

Usage: tidy.py [FOLDER...]     default: src
Tests are left out: an optional that ASSERT_TRUE has looked at counts as unchecked there. A source
that was clean is checked again when anything that it is made of has changed. Sources of a folder are
checked a few at a time, as one that includes them: most of the time goes into the headers they share.
Those that cannot stand beside each other, or with findings, are checked one by one. BUILD (build/dev)
is configured when it is not there; nothing of it is built but the precompiled headers.
"""
import concurrent.futures
import functools
import hashlib
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
CLANG_TIDY = "clang-tidy-19"
# The slowest source takes five seconds.
SECONDS_MAX = 300
TOGETHER = 8
# All rooms share them, and all tests: cmake/room.cmake.
PRECOMPILED = ["src/base/CMakeFiles/lab_base.dir/cmake_pch.hxx.pch",
               "tests/support/CMakeFiles/lab_test_support.dir/cmake_pch.hxx.pch"]
TEST = re.compile(r"_test\.cpp$|/test_[a-z_]*\.cpp$")


@functools.lru_cache(maxsize=None)
def digest(path, _changed_ns):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


def without_output(command):
    words = shlex.split(command)
    at = words.index("-o")
    return [word for word in words[:at] + words[at + 2:] if word != "-c"]


def flags_of(entry):
    """The compiler and its options, without the source."""
    return [word for word in without_output(entry["command"]) if word != entry["file"]]


def made_of(command, directory):
    """Every file that the compiler reads, found anew each time: a header that hides another one or
    that was not there before is seen."""
    rule = subprocess.run([*without_output(command), "-M", "-MT", "x"], cwd=directory, text=True, check=True,
                          capture_output=True, timeout=SECONDS_MAX).stdout
    return shlex.split(rule.replace("\\\n", " "))[1:]


def quietly(command, directory):
    run = subprocess.run(command, cwd=directory, text=True, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT)
    if run.returncode != 0:
        raise SystemExit(run.stdout + f"tidy: {command[0]} failed")


class Tidy:
    def __init__(self, root, build):
        self.root, self.build = root, build
        self.config = root / ".clang-tidy"
        self.version = subprocess.check_output([CLANG_TIDY, "--version"], text=True)

    def prepare(self):
        if not (self.build / "build.ninja").exists():
            quietly(["cmake", "--preset", "dev", "-B", self.build], self.root)
        # Ninja also configures again when a list of sources has changed.
        quietly(["ninja", "-C", self.build, *PRECOMPILED], self.root)

    def sources(self, folders):
        """The compile commands of the sources in these folders; none at all in one is an error."""
        entries = json.loads((self.build / "compile_commands.json").read_text())
        chosen = {}
        for folder in folders:
            below = f"{(self.root / folder).resolve()}/"
            found = {e["file"]: e for e in entries
                     if e["file"].startswith(below) and not TEST.search(e["file"])}
            if not found:
                raise SystemExit(f"tidy: there is nothing to check in {folder}")
            chosen.update(found)
        return list(chosen.values())

    def key(self, entry):
        """Names all that decides what clang-tidy says; None when that cannot be told."""
        try:
            files = sorted({os.path.join(entry["directory"], name)
                            for name in made_of(entry["command"], entry["directory"])})
            parts = [self.version, self.config.read_text(), entry["command"]]
            parts += [f"{name} {digest(name, os.stat(name).st_mtime_ns)}" for name in files]
        except (OSError, ValueError, subprocess.SubprocessError):
            return None
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def check(self, entry):
        """"unchanged", "clean", or what is wrong."""
        name = os.path.relpath(entry["file"], self.root)
        before = self.key(entry)
        stamp = self.stamp(entry)
        if before is not None and stamp.exists() and stamp.read_text() == before:
            return "unchanged"
        try:
            run = subprocess.run(
                [CLANG_TIDY, "--quiet", "-p", self.build, f"--config-file={self.config}",
                 entry["file"]],
                cwd=self.root, text=True, capture_output=True, timeout=SECONDS_MAX)
        except subprocess.TimeoutExpired:
            return f"{name}: error: clang-tidy did not end within {SECONDS_MAX} s"
        if run.returncode != 0:
            return run.stdout.strip() or f"{name}: error: {run.stderr.strip()}"
        self.note_clean(entry, before)
        return "clean"

    def stamp(self, entry):
        return self.build / "tidy" / f"{os.path.relpath(entry['file'], self.root)}.clean"

    def note_clean(self, entry, before):
        # Somebody may have saved the file meanwhile.
        if before is not None and self.key(entry) == before:
            stamp = self.stamp(entry)
            stamp.parent.mkdir(parents=True, exist_ok=True)
            stamp.write_text(before)

    def is_unchanged(self, entry):
        stamp = self.stamp(entry)
        return stamp.exists() and stamp.read_text() == self.key(entry)

    def check_together(self, entries):
        """What check() says of each, from one run over all if they are clean."""
        keys = [self.key(entry) for entry in entries]
        if len(entries) == 1 or None in keys:
            return [self.check(entry) for entry in entries]
        with tempfile.TemporaryDirectory() as folder:
            whole = pathlib.Path(folder) / "whole.cpp"
            whole.write_text("".join(f'#include "{entry["file"]}"\n' for entry in entries))
            flags = [word for word in flags_of(entries[0]) if word != "-Werror"] + ["-w", f"-I{self.root}"]
            if not self.succeeds([*flags, "-fsyntax-only", whole], entries[0]["directory"]):
                middle = len(entries) // 2
                return self.check_together(entries[:middle]) + self.check_together(entries[middle:])
            clean = self.succeeds(
                [CLANG_TIDY, "--quiet", f"--config-file={self.config}", whole, "--", *flags[1:]],
                entries[0]["directory"])
        if not clean:
            return [self.check(entry) for entry in entries]
        for entry, key in zip(entries, keys):
            self.note_clean(entry, key)
        return ["clean"] * len(entries)

    @staticmethod
    def succeeds(command, directory):
        try:
            return subprocess.run(command, cwd=directory, capture_output=True,
                                  timeout=SECONDS_MAX).returncode == 0
        except subprocess.TimeoutExpired:
            return False

    def groups(self, entries):
        """Of those that are to be checked: at most TOGETHER of one folder and the same flags."""
        alike = {}
        for entry in entries:
            key = os.path.dirname(entry["file"]), tuple(flags_of(entry))
            alike.setdefault(key, []).append(entry)
        return [found[i:i + TOGETHER] for found in alike.values() for i in range(0, len(found), TOGETHER)]

    def run(self, folders, jobs):
        count = {"unchanged": 0, "clean": 0, "findings": 0}
        entries = self.sources(folders)
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            old = list(pool.map(self.is_unchanged, entries))
            count["unchanged"] = sum(old)
            fresh = [entry for entry, unchanged in zip(entries, old) if not unchanged]
            for group in pool.map(self.check_together, self.groups(fresh)):
                for said in group:
                    if said not in count:
                        print(said, flush=True)
                        said = "findings"
                    count[said] += 1
        print("tidy: {clean} sources checked and clean, {unchanged} unchanged since they were, "
              "{findings} with findings".format(**count))
        return 1 if count["findings"] else 0


def main(folders):
    jobs = os.environ.get("JOBS") or subprocess.check_output([ROOT / "tools/jobs.sh"], text=True)
    tidy = Tidy(ROOT, (ROOT / os.environ.get("BUILD", "build/dev")).resolve())
    tidy.prepare()
    return tidy.run(folders or ["src"], int(jobs))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
