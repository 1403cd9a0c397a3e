#!/usr/bin/env python3
"""Runs a command beside a ClickHouse of its own, which goes when the command ends.

Usage: clickhouse.py COMMAND...      clickhouse.py --build

The engine is that of PyPI's chdb, pinned below, behind the HTTP interface in clickhouse_front.py:
Debian's clickhouse-server is too old for the dialect. `--build` installs it in build/clickhouse, once.
The command finds it in LAB_TEST_CLICKHOUSE_URL, http://USER:PASSWORD@127.0.0.1:PORT; where it was not
installed, the command runs without. The exit status is the command's.
"""
import contextlib
import os
import pathlib
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import private_server  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent
PACKAGES = ("chdb==4.4.0", "chdb-core==26.9.0", "numpy==2.4.6", "pandas==3.1.1", "pyarrow==26.0.1",
            "python-dateutil==4.0.0", "tzdata==2026.6")
VENV = ROOT / "build" / "clickhouse" / "chdb-4.4.0"
PYTHON = VENV / "bin" / "python"
FRONT = pathlib.Path(__file__).resolve().parent / "clickhouse_front.py"
USER = "lab"
START_SECONDS = 120
BUILD_SECONDS = 1200


def build():
    """0 unless there has to be a server and cannot be."""
    if is_installed() or install():
        return 0
    print("there is no ClickHouse: tests that need one are skipped", file=sys.stderr)
    return 1 if os.environ.get("LAB_REQUIRE_BACKENDS") == "1" else 0


def is_installed():
    return (VENV / ".whole").exists()


def install():
    """Whether it is there now."""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True, timeout=BUILD_SECONDS)
        subprocess.run([PYTHON, "-m", "pip", "install", "-q", *PACKAGES], check=True, timeout=BUILD_SECONDS)
        (VENV / ".whole").touch()
        return True
    return False


class Server:
    """The engine behind its front; a context that starts and stops it."""

    def __init__(self):
        self.folder = self.process = self.port = None
        self.user, self.password = USER, secrets.token_hex(8)

    def __enter__(self):
        if not is_installed():
            return self
        try:
            self.folder = pathlib.Path(tempfile.mkdtemp(prefix="lab-clickhouse-", dir="/tmp"))
            for _ in range(5):
                if self.start(private_server.free_port()):
                    return self
            raise RuntimeError(self.log())
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_):
        self.stop()

    @property
    def url(self):
        """Without user and password."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def env(self):
        if self.port is None:
            return {}
        return {"LAB_TEST_CLICKHOUSE_URL": f"http://{self.user}:{self.password}@127.0.0.1:{self.port}"}

    def log(self):
        return (self.folder / "log").read_text(errors="replace")

    def start(self, port):
        """False when the port was taken meanwhile."""
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                [PYTHON, FRONT, self.folder, str(port), self.user],
                env={**os.environ, "LAB_CLICKHOUSE_PASSWORD": self.password},
                stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                preexec_fn=private_server.die_with_parent(signal.SIGKILL))
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            if self.process.poll() is not None:
                return False
            with contextlib.suppress(OSError):
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=5):
                    self.port = port
                    return True
            time.sleep(0.05)
        raise RuntimeError(self.log())

    def ask(self, sql, database="default"):
        """The answer to a statement, as text."""
        request = urllib.request.Request(
            f"{self.url}/?database={urllib.parse.quote(database)}", data=sql.encode(), method="POST",
            headers={"X-ClickHouse-User": self.user, "X-ClickHouse-Key": self.password})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.read().decode()
        except urllib.error.HTTPError as error:
            raise RuntimeError(error.read().decode(errors="replace")) from None

    def rows(self, sql, database="default"):
        """The rows of an answer, tab-separated values as texts."""
        return [line.split("\t") for line in self.ask(sql, database).splitlines()]

    def end(self):
        """Kills the server; its tables stay for another start()."""
        if self.process and self.process.poll() is None:
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
