"""What stands beside the cluster in a rehearsal: PostgreSQL, Redis, a bucket, a model server, Prometheus, the front
proxy, and a receiver of webhooks. All listen on the loopback address; HAProxy lends them the node's address."""
import contextlib
import functools
import http.server
import json
import os
import pathlib
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tests" / "e2e")]
import mock_llm  # noqa: E402
import moto  # noqa: E402
import postgres  # noqa: E402
import private_server  # noqa: E402
import redis  # noqa: E402
import s3  # noqa: E402
import virtual_service  # noqa: E402

NAMESPACE = "llm-research"
SERVICE = "llm-research-api"
FRONT = "api.llm-research-lab.io"
DATABASE = "llm_research"
#: Sleeps of more than 5 s on the operator's side are divided by it.
SLEEP_SCALE = int(os.environ.get("LAB_SLEEP_SCALE", "10"))


class Hooks:
    """Keeps what is posted to it."""

    def __init__(self):
        self.received = []
        hooks = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                hooks.received.append(json.loads(body))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


class Targets(http.server.BaseHTTPRequestHandler):
    """Tells Prometheus which pods there are, and what they are called: Debian's does not speak to Kubernetes."""

    def do_GET(self):
        found = []
        with contextlib.suppress(RuntimeError, OSError, subprocess.SubprocessError):
            found = [target(pod) for pod in get("pods") if pod["status"].get("podIP")
                     and pod["status"]["phase"] == "Running"]
        body = json.dumps(found).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def target(pod):
    labels = pod["metadata"].get("labels", {})
    return {"targets": [pod["status"]["podIP"] + ":9090"], "labels": {
        "namespace": NAMESPACE, "pod": pod["metadata"]["name"],
        "app": labels.get("app", ""), "colour": labels.get("version", "")}}


def serve_http(handler):
    """The address of a server of one's own."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_address[1]}"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def kubectl(*words, stdin=None, check=True, timeout=120):
    done = subprocess.run(["kubectl", *words], input=stdin, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=timeout, check=False)
    if check and done.returncode != 0:
        raise RuntimeError(f"kubectl {' '.join(words)}: {done.stderr}")
    return done.stdout


def get(kind, name=None, selector=None):
    """One object, or the items of a list."""
    words = ["get", kind, *([name] if name else []), "-n", NAMESPACE, "-o", "json"]
    found = json.loads(kubectl(*words, *(["-l", selector] if selector else [])))
    return found if name else found["items"]


def lasting(work, sleeps):
    """Seconds that something takes: its work, and what is left of its sleeps."""
    return work + sleeps // SLEEP_SCALE


def until(what, condition, seconds=120, every=0.3):
    end = time.monotonic() + seconds
    while True:
        with contextlib.suppress(RuntimeError, KeyError, OSError, ValueError):
            found = condition()
            if found:
                return found
        if time.monotonic() > end:
            raise RuntimeError(f"{what}: not within {seconds} s")
        time.sleep(every)


class World:
    """A context: everything is there inside and gone after it."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.ip = os.environ["LAB_NODE_IP"]
        self.stack = contextlib.ExitStack()
        self.processes = {}
        self.forwards = {}  # port of the node's address -> port of the loopback address
        self.env = {}

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self.stack = stack
            self.start()
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *_):
        for process in self.processes.values():
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()
        self.stack.close()

    def start(self):
        postgres.SETTINGS["max_connections"] = "400"
        self.postgres = self.stack.enter_context(postgres.Servers())
        local = urllib.parse.urlsplit(self.postgres.env["LAB_TEST_POSTGRES_URL"])
        self.redis = self.stack.enter_context(redis.Servers())
        cache = self.redis.single()
        self.secrets = self.stack.enter_context(moto.Server())
        # One credential for both, as an operator has.
        user = self.secrets.users["reader"]
        bucket = s3.Server()
        bucket.key, bucket.secret = user["AWS_ACCESS_KEY_ID"], user["AWS_SECRET_ACCESS_KEY"]
        self.s3 = self.stack.enter_context(bucket)
        self.llm = self.stack.enter_context(mock_llm.MockLLM(latency=1.0))
        self.hooks = Hooks()
        self.jwt_secret, self.admin_key = secrets.token_hex(32), secrets.token_hex(24)
        self.forwards = {5432: local.port, 6379: cache.port, 9000: self.s3.port, 8000: self.llm.port,
                         8001: self.hooks.port}
        self.server_url = self.postgres.env["LAB_TEST_POSTGRES_URL"]
        self.database_url = self.server_url.replace("/postgres", f"/{DATABASE}")
        self.make_database()
        self.env = {
            "DATABASE_URL": f"postgresql://{local.username}:{local.password}@postgres.internal:5432/{DATABASE}",
            "REDIS_URL": f"redis://{redis.USER}:{self.redis.password}@redis.cluster.internal:6379",
            "S3_BUCKET": s3.BUCKET, "S3_REGION": s3.REGION, "S3_ENDPOINT": "http://s3.internal:9000",
            "AWS_ENDPOINT_URL_S3": "http://s3.internal:9000",
            "AWS_ENDPOINT_URL_SECRETS_MANAGER": self.secrets.url, "AWS_DEFAULT_REGION": s3.REGION,
            "SLACK_WEBHOOK": "http://hooks.internal:8001/services/T0/B0/x", "BACKUP_BUCKET": s3.BUCKET,
            "LLM_URL": "http://llm.internal:8000/v1", "PROVIDER_ALLOWED_HOSTS": "llm.internal", **user}
        (self.folder / "forwards.cfg").write_text(virtual_service.GLOBAL % (self.folder / "forwards.sock") + "".join(
            f"listen forward{port}\n  mode tcp\n  bind {self.ip}:{port}\n  server local 127.0.0.1:{target}\n"
            for port, target in self.forwards.items()))
        self.spawn("forwards", "haproxy", "-W", "-db", "-f", self.folder / "forwards.cfg")
        self.write_front(None)
        self.front = self.spawn("front", "haproxy", "-W", "-db", "-f", self.folder / "front.cfg")
        self.start_prometheus()

    def make_database(self):
        """An empty one."""
        self.of_server(f"CREATE DATABASE {DATABASE} TEMPLATE template0")

    def drop_database(self):
        self.of_server(f"DROP DATABASE {DATABASE} WITH (FORCE)")

    def of_server(self, text):
        subprocess.run(["psql", "-qX", "-v", "ON_ERROR_STOP=1", "-d", self.server_url, "-c", text], check=True, timeout=60)

    def sql(self, text):
        done = subprocess.run(["psql", "-qAtX", "-v", "ON_ERROR_STOP=1", "-d", self.database_url, "-c", text],
                              stdout=subprocess.PIPE, timeout=60, check=True, text=True)
        return done.stdout.strip()

    def more_secrets(self):
        """What the runbook's Secret leaves out, as a patch."""
        keys = ("REDIS_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
        return json.dumps({"stringData": {"ADMIN_KEY": self.admin_key, **{key: self.env[key] for key in keys}}})

    def values(self, tag):
        """Of the chart."""
        keys = ("S3_BUCKET", "S3_REGION", "S3_ENDPOINT", "PROVIDER_ALLOWED_HOSTS")
        # Twenty runs at once, by two workers.
        return json.dumps({"image": {"tag": tag}, "worker": {"runs": 10},
                           "extraConfig": {key: self.env[key] for key in keys}})

    def serve(self, folder):
        """The address of a web server over a folder."""
        return serve_http(functools.partial(Quiet, directory=str(folder)))

    def spawn(self, name, *words):
        with open(self.folder / f"{name}.log", "ab") as log:
            self.processes[name] = subprocess.Popen(
                [str(word) for word in words], stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self.folder,
                preexec_fn=private_server.die_with_parent(15))
        return self.processes[name]

    def write_front(self, routes):
        text = virtual_service.front(f"{self.ip}:80", routes or virtual_service.plain(SERVICE), self.address)
        (self.folder / "front.cfg").write_text(virtual_service.GLOBAL % (self.folder / "front.sock") + text)

    def route(self, routes):
        """Other weights at the front; connections that are open go on."""
        self.write_front(routes)
        self.front.send_signal(signal.SIGUSR2)  # it reads its file anew
        time.sleep(1)

    def address(self, service):
        """The address that the cluster gave a service; that of nobody before there is one."""
        found = kubectl("get", "service", service, "-n", NAMESPACE, "-o", "jsonpath={.spec.clusterIP}", check=False)
        return found or "198.19.255.254"

    def start_prometheus(self):
        config = self.folder / "prometheus.yml"
        rules = ROOT / "deploy" / "alerts" / "llm-research-alerts.yaml"
        keys = pathlib.Path(os.environ["LAB_KUBERNETES"]) / "keys"
        config.write_text(json.dumps({
            "global": {"scrape_interval": "5s", "evaluation_interval": "15s"},
            "rule_files": [str(rules)] if rules.exists() else [],
            "scrape_configs": [
                {"job_name": "pods", "http_sd_configs": [{"url": serve_http(Targets), "refresh_interval": "5s"}]},
                {"job_name": "kube-state-metrics", "honor_labels": True,
                 "static_configs": [{"targets": [os.environ["LAB_STATE_METRICS"]]}]},
                # Of this namespace alone: the kubelet tells of every control group of the machine.
                {"job_name": "cadvisor", "honor_labels": True, "scheme": "https", "metrics_path": "/metrics/cadvisor",
                 "scrape_interval": "15s",
                 "metric_relabel_configs": [{"source_labels": ["namespace"], "regex": NAMESPACE, "action": "keep"}],
                 "tls_config": {"ca_file": f"{keys}/ca.crt", "cert_file": f"{keys}/to-kubelet.crt",
                                "key_file": f"{keys}/to-kubelet.key"},
                 "static_configs": [{"targets": [f"{self.ip}:10250"]}]}]}))
        self.spawn("prometheus", "prometheus", f"--config.file={config}", f"--storage.tsdb.path={self.folder}/tsdb",
                   f"--web.listen-address={self.ip}:9090", "--storage.tsdb.retention.time=2h", "--web.enable-lifecycle")


def make_folder():
    folder = pathlib.Path(os.environ["LAB_KUBERNETES"]) / "world"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    folder.chmod(0o755)
    return folder
