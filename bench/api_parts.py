"""What api.py and overload.py share: the service with a store of its own, its yardsticks, wrk, and
the bars they are held against."""
import contextlib
import http.client
import json
import os
import pathlib
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
BUILD = ROOT / "build" / "bench"
SECRET = "a secret of the benchmark, long enough to sign with"
PASSWORD = "correct horse battery staple"
EMAIL = "ann@example.org"
EXPERIMENTS = 50


def open_files(wanted=65536):
    """Room for many connections, here and in what is started from here."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return most


def line_of(process, what, seconds=30):
    """The first line a program prints, which is its port."""
    timer = threading.Timer(seconds, process.kill)
    timer.start()
    line = process.stdout.readline()
    timer.cancel()
    if not line:
        raise SystemExit(f"{what} did not start")
    return line


class Service:
    """`llm-research serve` with experiments in its store; its log goes to a file, as in production to
    a pipe: at the level info, a line a request."""

    def __init__(self, binary, **env):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="bench-api-"))
        self.env = {
            "PATH": os.environ["PATH"], "HOME": str(self.folder), "LLM_RESEARCH_HOME": str(self.folder / "home"),
            "JWT_SECRET": SECRET, "METRICS_PORT": "0", "LOG_LEVEL": "info",
            "RATE_LIMIT_REQUESTS_PER_SECOND": "1000000", "RATE_LIMIT_BURST": "1000000", **env,
        }
        self.binary = str(binary)
        self.admin("create-user", "--email", EMAIL, "--role", "Admin", "--tier", "unlimited", input=PASSWORD)
        self.token = self.admin("create-token", "--email", EMAIL, "--life", "86400")["access_token"]
        self.log = self.folder / "log"
        started = time.monotonic()
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [self.binary, "serve", "--port", "0"], env=self.env, stdout=log, stderr=subprocess.DEVNULL
            )
        self.port = self.find_port()
        self.wait_ready()
        self.seconds_to_ready = time.monotonic() - started
        for number in range(EXPERIMENTS):
            self.call("POST", "/experiments", {
                "name": f"experiment {number}", "hypothesis": "one prompt is better", "tags": ["a", "b"],
            })

    def admin(self, *arguments, **options):
        done = subprocess.run(
            [self.binary, "admin", *arguments, "-o", "json"], env=self.env, capture_output=True, text=True,
            timeout=60, check=False, **options,
        )
        if done.returncode:
            raise SystemExit(f"admin {arguments[0]}: {done.stderr}")
        return json.loads(done.stdout)

    def find_port(self):
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            for line in self.log.read_bytes().splitlines():
                with contextlib.suppress(ValueError):
                    entry = json.loads(line)
                    if entry["message"] == "serving":
                        return entry["fields"]["port"]
            time.sleep(0.002)
        raise SystemExit("the service did not start")

    def wait_ready(self):
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                if self.call("GET", "/health/ready")["status"] == "healthy":
                    return
            time.sleep(0.002)
        raise SystemExit("the service did not become ready")

    def call(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        headers = {"Content-Type": "application/json"}
        if not path.startswith("/health"):
            headers["Authorization"] = f"Bearer {self.token}"
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        if answer.status >= 300:
            raise SystemExit(f"{method} {path}: {answer.status} {data[:300]!r}")
        return json.loads(data) if answer.headers["Content-Type"].startswith("application/json") else data.decode()

    @property
    def database(self):
        return self.folder / "home" / "lab.db"

    def rss(self):
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(re.search(r"VmRSS:\s+(\d+)", text).group(1)) / 1024

    def close(self):
        self.process.terminate()
        started = time.monotonic()
        code = self.process.wait(30)
        shutil.rmtree(self.folder, ignore_errors=True)
        return code, time.monotonic() - started


class Yardstick:
    """A program that prints its port and serves until it is ended."""

    def __init__(self, command, **env):
        self.process = subprocess.Popen(
            [str(part) for part in command], env={**os.environ, **env}, stdout=subprocess.PIPE, text=True
        )
        self.port = int(line_of(self.process, command[0]))

    def close(self):
        self.process.terminate()
        self.process.wait(10)


def build_beast():
    out = BUILD / "bare_beast"
    source = ROOT / "bench/api/beast/bare_beast.cc"
    if not out.exists() or out.stat().st_mtime < source.stat().st_mtime:
        BUILD.mkdir(parents=True, exist_ok=True)
        # As the product is built (CMakePresets.json, release).
        flags = "-std=c++23 -O2 -g1 -fPIC -pie -fstack-protector-strong -D_FORTIFY_SOURCE=3 -D_GLIBCXX_ASSERTIONS"
        subprocess.run(["clang++-19", *flags.split(), str(source), "-o", str(out), "-lpthread"], check=True)
    return out


def build_axum(which="axum"):
    """The yardstick of bench/api in the folder of this name."""
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", BUILD / which))
    manifest = ROOT / "bench/api" / which / "Cargo.toml"
    subprocess.run(
        ["cargo", "build", "--release", "--locked", "--quiet", "--manifest-path", str(manifest)],
        check=True, env={**os.environ, "CARGO_TARGET_DIR": str(target)},
    )
    return target / "release" / {"axum": "axum_yardstick"}.get(which, which)


UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}


def milliseconds(text):
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text).groups()
    return float(number) * UNITS[unit]


def wrk(url, seconds, connections, token=None, script=None):
    """{rate, good, p50, p99}: answers a second, those of them that are 2xx, milliseconds."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "--latency"]
    if token:
        command += ["-H", f"Authorization: Bearer {token}"]
    if script:
        command += ["-s", str(script)]
    done = subprocess.run(
        [*command, url], capture_output=True, text=True, timeout=seconds + 60, check=True
    ).stdout
    requests, took = re.search(r"(\d+) requests in ([\d.]+\w+)", done).groups()
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", done)
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", done)
    took = milliseconds(took) / 1000
    return {
        "rate": int(requests) / took,
        "good": (int(requests) - (int(bad.group(1)) if bad else 0)) / took,
        "p50": milliseconds(re.search(r"(?m)^\s+50%\s+(\S+)$", done).group(1)),
        "p99": milliseconds(re.search(r"(?m)^\s+99%\s+(\S+)$", done).group(1)),
        "errors": [int(number) for number in errors.groups()] if errors else [0, 0, 0, 0],
    }


class Prober:
    """Asks for /health now and then, as a kubelet from another machine would: ahead of the load in the
    queue for this machine's processors."""

    def __init__(self, port, pause=0.01):
        self.port, self.pause, self.took, self.failed = port, pause, [], 0
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.thread.join(20)

    def run(self):
        with contextlib.suppress(OSError):  # only root may go ahead
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), -15)
        while not self.stopped.wait(self.pause):
            started = time.monotonic()
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
                connection.request("GET", "/health")
                good = connection.getresponse().read() == b"OK"
                connection.close()
            except OSError:
                good = False
            self.failed += not good
            self.took.append((time.monotonic() - started) * 1000)

    def p99(self):
        return sorted(self.took)[int(len(self.took) * 0.99)] if self.took else float("inf")


class Bars:
    """Prints each figure beside its bar; a missed one is an exit code only when that is asked for."""

    def __init__(self, name):
        self.name, self.lines = name, []

    def line(self, what, value, bar=None, met=None):
        self.lines.append({"what": what, "value": value, "bar": bar, "met": met})
        words = f"; bar {bar}: {'met' if met else 'MISSED'}" if bar else ""
        print(f"  {what}: {value}{words}", flush=True)

    def end(self, strict):
        BUILD.mkdir(parents=True, exist_ok=True)
        (BUILD / f"{self.name}.json").write_text(json.dumps(self.lines, indent=1) + "\n", encoding="utf-8")
        missed = [line for line in self.lines if line["met"] is False]
        print(f"{len(missed)} bars missed" if missed else "every bar met")
        return 1 if missed and strict else 0


def binary_of(text):
    path = pathlib.Path(text).resolve()
    if not path.exists():
        sys.exit(f"{path} is not there: make build")
    return path
