#!/usr/bin/env python3
"""clang-tidy with the checks of .clang-tidy over our sources; each finding is an error.

Usage: tidy.py [FOLDER...]     default: src
Tests are left out: an optional that ASSERT_TRUE has looked at counts as unchecked there. A source
that was clean is checked again when anything that it is made of has changed. BUILD (build/dev) is
configured when it is not there; nothing of it is built but the precompiled header.
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

ROOT = pathlib.Path(__file__).resolve().parent.parent
CLANG_TIDY = "clang-tidy-19"
# The slowest source takes five seconds.
SECONDS_MAX = 300
# All rooms share it: cmake/room.cmake.
PRECOMPILED = "src/base/CMakeFiles/lab_base.dir/cmake_pch.hxx.pch"
TEST = re.compile(r"_test\.cpp$|/test_[a-z_]*\.cpp$")


@functools.lru_cache(maxsize=None)
def digest(path, _changed_ns):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


def made_of(command, directory):
    """Every file that the compiler reads, found anew each time: a header that hides another one or
    that was not there before is seen."""
    words = shlex.split(command)
    at = words.index("-o")
    words = [word for word in words[:at] + words[at + 2:] if word != "-c"]
    rule = subprocess.run([*words, "-M", "-MT", "x"], cwd=directory, text=True, check=True,
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
        quietly(["ninja", "-C", self.build, PRECOMPILED], self.root)

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
        stamp = self.build / "tidy" / f"{name}.clean"
        before = self.key(entry)
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
        # Somebody may have saved the file meanwhile.
        if before is not None and self.key(entry) == before:
            stamp.parent.mkdir(parents=True, exist_ok=True)
            stamp.write_text(before)
        return "clean"

    def run(self, folders, jobs):
        count = {"unchanged": 0, "clean": 0, "findings": 0}
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            for said in pool.map(self.check, self.sources(folders)):
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
