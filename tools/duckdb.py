#!/usr/bin/env python3
"""Fetches DuckDB's library, which reading Parquet needs, into build/duckdb; safe to run again.

The npm package holds nothing but the library for Linux on x86-64, built by its makers. Version and
hash are pinned; a file of another hash is not used.
Usage: tools/duckdb.py [FOLDER]"""
import hashlib
import io
import os
import pathlib
import sys
import tarfile
import time
import urllib.request

VERSION = "1.5.6-r.1"
URL = ("https://registry.npmjs.org/@duckdb/node-bindings-linux-x64/-/"
       f"node-bindings-linux-x64-{VERSION}.tgz")
PACKAGE_SHA256 = "1b9f82478539bb9a1d1df44bd103121a12ae52142c07158dc52b97d2ec1d69ff"
LIBRARY_SHA256 = "3f4962cdd266eab2b479a5b5a4a6d063d279b2954ae814ed00385d553b747633"
ATTEMPTS = 4


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def download():
    for attempt in range(ATTEMPTS):
        try:
            with urllib.request.urlopen(URL, timeout=120) as answer:
                return answer.read()
        except OSError as error:
            if attempt + 1 == ATTEMPTS:
                raise
            print(f"{error}; trying again", file=sys.stderr)
            time.sleep(2 ** attempt)


def library_of(package):
    """The library's bytes. Raises ValueError unless package and library are the pinned ones."""
    if sha256(package) != PACKAGE_SHA256:
        raise ValueError(f"{URL} is not the file that was pinned")
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
    root = pathlib.Path(__file__).resolve().parent.parent
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else root / "build/duckdb"
    try:
        print(fetch(folder))
    except (OSError, ValueError) as error:
        print(f"DuckDB's library could not be fetched: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
