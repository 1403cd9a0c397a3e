"""`llm-research serve` with a store of its own in a temporary folder, and who may do everything."""
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import threading
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("LLM_RESEARCH", ROOT / "build/release/llm-research")).resolve()

EMAIL, PASSWORD = "contract@example.org", "correct horse battery staple"
START_SECONDS, LINES_KEPT = 30, 2000


class Server:
    """Use as a context: `with Server() as server: server.url, server.key`."""

    def __init__(self, **env):
        self.folder = tempfile.TemporaryDirectory(prefix="llm-research-contract-")
        self.errors = []  # lines of the log that say ERROR
        keep = ("PATH", "LANG", "TMPDIR", "TZ", "ASAN_OPTIONS")
        self.environment = {
            **{name: os.environ[name] for name in keep if name in os.environ},
            "HOME": self.folder.name, "LLM_RESEARCH_HOME": self.folder.name + "/home",
            "METRICS_PORT": "0", "LOG_LEVEL": "info", "CONNECTION_POOL_SIZE": "8",
            # Nobody is slowed down here: it is not the limits that are tried.
            "RATE_LIMIT_REQUESTS_PER_SECOND": "1000000", "RATE_LIMIT_BURST": "1000000", **env}
        self.run("admin", "create-user", "--email", EMAIL, "--role", "Admin", "--tier", "unlimited",
                 stdin=PASSWORD + "\n")
        self.process = subprocess.Popen(
            [str(BINARY), "serve", "--port", "0"], cwd=self.folder.name, env=self.environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.serving = threading.Event()
        self.port = None
        self._said = []
        threading.Thread(target=self._read_log, daemon=True).start()
        threading.Thread(target=self._read_errors, daemon=True).start()
        if not self.serving.wait(START_SECONDS):
            self.process.kill()
            raise AssertionError("the server did not start: " + "".join(self._said)[-2000:])
        self.url = f"http://127.0.0.1:{self.port}"

    def _read_log(self):
        for line in self.process.stdout:
            entry = json.loads(line)
            if entry["level"] == "ERROR" and len(self.errors) < LINES_KEPT:
                self.errors.append(line.rstrip())
            if entry["message"] == "serving":
                self.port = entry["fields"]["port"]
                self.serving.set()

    def _read_errors(self):
        for line in self.process.stderr:
            if len(self._said) < LINES_KEPT:
                self._said.append(line)

    def call(self, method, path, body=None, headers=None):
        """The parsed answer. Errors: AssertionError for any status but 2xx."""
        request = urllib.request.Request(
            self.url + path, method=method, data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", **(headers or {})})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                text = answer.read()
                is_json = answer.headers.get_content_type() == "application/json"
                return json.loads(text) if text and is_json else text
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.code} {error.read()[:500]!r}") from error

    def run(self, *arguments, stdin=""):
        """The command line over the same store; its standard output."""
        return subprocess.run([str(BINARY), *arguments], input=stdin, env=self.environment, check=True,
                              cwd=self.folder.name, stdout=subprocess.PIPE, text=True, timeout=60).stdout

    def make_key(self):
        """A key with every right and no hourly limit."""
        tokens = self.call("POST", "/auth/login", {"email": EMAIL, "password": PASSWORD})
        return self.call(
            "POST", "/admin/api-keys",
            {"name": "contract", "scopes": ["*"], "roles": ["Admin"], "rate_limit_tier": "unlimited"},
            {"Authorization": "Bearer " + tokens["access_token"]})["key"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.folder.cleanup()
