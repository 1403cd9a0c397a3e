#!/usr/bin/env python3
"""Fetches DuckDB's library, which reading Parquet needs, into build/duckdb; safe to run again.

The npm package holds nothing but the library for Linux on x86-64, built by its makers. Version and
hash are pinned; a file of another hash is not used.
Usage: tools/duckdb.py [FOLDER]"""
import hashlib
import io
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
VERSION = "1.5.6-r.1"
PACKAGE = f"@duckdb/node-bindings-linux-x64@{VERSION}"
PACKAGE_SHA256 = "1b9f82478539bb9a1d1df44bd103121a12ae52142c07158dc52b97d2ec1d69ff"
LIBRARY_SHA256 = "3f4962cdd266eab2b479a5b5a4a6d063d279b2954ae814ed00385d553b747633"
ATTEMPTS = 4


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def download():
    """The package as npm gives it; npm is installed when there is none."""
    if shutil.which("npm") is None:
        subprocess.run([ROOT / "tools/deps.sh", "nodejs", "npm"], check=True)
    for attempt in range(ATTEMPTS):
        with tempfile.TemporaryDirectory() as folder:
            run = subprocess.run(["npm", "pack", PACKAGE, "--silent"], cwd=folder, text=True,
                                 capture_output=True, timeout=300)
            if run.returncode == 0:
                return next(pathlib.Path(folder).glob("*.tgz")).read_bytes()
        if attempt + 1 == ATTEMPTS:
            raise OSError(f"npm pack {PACKAGE}: {run.stderr.strip()}")
        print(f"{run.stderr.strip()}; trying again", file=sys.stderr)
        time.sleep(2 ** attempt)


def library_of(package):
    """The library's bytes. Raises ValueError unless package and library are the pinned ones."""
    if sha256(package) != PACKAGE_SHA256:
        raise ValueError(f"{PACKAGE} is not the file that was pinned")
    with tarfile.open(fileobj=io.BytesIO(package)) as archive:
        library = archive.extractfile("package/libduckdb.so").read()
    if sha256(library) != LIBRARY_SHA256:
        raise ValueError("libduckdb.so is not the file that was pinned")
    return library


def fetch(folder):
    target = folder / "libduckdb.so"
    if target.exists() and sha256(target.read_bytes()) == LIBRARY_SHA256:
        return target
    library = library_of(download())
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"libduckdb.so.{os.getpid()}"
    part.write_bytes(library)
    part.replace(target)
    return target


def main():
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build/duckdb"
    try:
        print(fetch(folder))
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        print(f"DuckDB's library could not be fetched: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
