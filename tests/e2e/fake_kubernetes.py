"""As much of a Kubernetes API server as one pod needs that watches one ConfigMap: TLS, a token, list and
watch with a field selector, versions that grow and are forgotten. It fails as a test tells it to."""
import http.server
import json
import ssl
import threading
import time
import urllib.parse

NAMESPACE, NAME = "llm-research", "llm-research-config"
PATH = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
# How often a watch that has nothing to say looks whether it is over.
TICK_SECONDS = 0.02


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body, headers=()):
        data = json.dumps(body).encode() if not isinstance(body, bytes) else body
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def refuse(self, status, reason, headers=()):
        self.answer(status, {"kind": "Status", "status": "Failure", "reason": reason, "code": status}, headers)

    def chunk(self, data):
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def do_GET(self):
        api = self.server.api
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        watch = query.get("watch") == "1"
        api.asked.append("watch" if watch else "list")
        fault = api.fault_of(watch)
        if self.headers.get("Authorization") != f"Bearer {api.token}":
            return self.refuse(401, "Unauthorized")
        if url.path != PATH or query.get("fieldSelector") != f"metadata.name={NAME}":
            return self.refuse(403, "Forbidden")  # as a Role with resourceNames has it
        if fault == "reset":
            self.connection.close()  # without the end of TLS
            self.close_connection = True
            return None
        if fault == "hang":
            api.stopped.wait(120)
            return None
        if isinstance(fault, int):
            return self.refuse(fault, "Fault", [("Retry-After", "1")] if fault == 429 else [])
        if watch:
            return self.watch(api, query, fault)
        if fault == "slow":
            time.sleep(2)
        if fault == "garbage":
            return self.answer(200, b"\x00\xff not json {")
        with api.lock:
            items = [api.object()] if api.data is not None else None
            listed = {"kind": "ConfigMapList", "metadata": {"resourceVersion": str(api.version)}, "items": items}
        return self.answer(200, listed)

    def watch(self, api, query, fault):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        seen = int(query["resourceVersion"])
        if fault == "gone" or seen < api.oldest:
            self.chunk(api.line("ERROR", {"kind": "Status", "code": 410, "reason": "Expired"}))
            self.close_connection = True
            return
        if fault == "garbage":
            self.chunk(b"}{\n")
        if fault == "huge":
            for _ in range(96):
                self.chunk(b"x" * (1 << 20))  # a line without an end
        end = time.monotonic() + min(float(query["timeoutSeconds"]), api.watch_seconds)
        with api.watching():
            while time.monotonic() < end and not api.stopped.is_set() and api.fault_of(True) == fault:
                with api.lock:
                    news = [line for version, line in api.events if version > seen]
                    seen = api.version
                for line in news:
                    self.chunk(line[: len(line) // 2])
                    self.chunk(line[len(line) // 2:])
                time.sleep(TICK_SECONDS)
        if api.fault_of(True) == "cut":
            self.connection.close()
            self.close_connection = True
            return
        self.chunk(api.line("BOOKMARK", {"metadata": {"resourceVersion": str(seen)}}))
        self.wfile.write(b"0\r\n\r\n")


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *_):
        pass  # clients that leave, as they may


class FakeKubernetes:
    """A context. `data` is what the ConfigMap says, None when there is none; change it with patch()."""

    def __init__(self, folder, certificate, key, data):
        self.lock = threading.Lock()
        self.stopped = threading.Event()
        self.token = "t" * 40
        self.data, self.version, self.oldest, self.events = data, 100, 0, []
        self.list_fault = self.watch_fault = None
        self.watch_seconds = 3600
        self.asked, self.watches = [], 0
        self.account = folder / "account"
        self.account.mkdir()
        (self.account / "ca.crt").write_bytes(certificate.read_bytes())
        (self.account / "namespace").write_text(NAMESPACE)
        self.give_token(self.token)
        self.server = Server(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        # The handshake is the business of each connection's thread.
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.server.api = self
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(10)

    @property
    def port(self):
        return self.server.server_address[1]

    def environment(self):
        """What the kubelet gives a pod."""
        return {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(self.port),
                "KUBERNETES_ACCOUNT_DIR": str(self.account)}

    def give_token(self, token):
        """As the kubelet rotates it."""
        self.token = token
        (self.account / "token").write_text(token)

    def fault_of(self, watch):
        return self.watch_fault if watch else self.list_fault

    def fail(self, list=None, watch=None):
        """A status, or: reset, hang, slow, garbage of a list; reset, hang, gone, garbage, huge, cut of a watch."""
        self.list_fault, self.watch_fault = list, watch

    def object(self):
        return {"kind": "ConfigMap", "apiVersion": "v1", "data": self.data,
                "metadata": {"name": NAME, "namespace": NAMESPACE, "resourceVersion": str(self.version)}}

    @staticmethod
    def line(kind, value):
        return json.dumps({"type": kind, "object": value}).encode() + b"\n"

    def patch(self, **values):
        """kubectl patch --type merge."""
        with self.lock:
            kind = "ADDED" if self.data is None else "MODIFIED"
            self.data = {**(self.data or {}), **values}
            self.version += 1
            self.events.append((self.version, self.line(kind, self.object())))

    def delete(self):
        with self.lock:
            self.version += 1
            gone = self.line("DELETED", self.object())
            self.data = None
            self.events.append((self.version, gone))

    def forget(self):
        """etcd was compacted: older versions are not known any more."""
        with self.lock:
            self.version += 10
            self.oldest, self.events = self.version, []

    def watching(self):
        return _Counted(self)


class _Counted:
    def __init__(self, api):
        self.api = api

    def __enter__(self):
        with self.api.lock:
            self.api.watches += 1

    def __exit__(self, *_):
        with self.api.lock:
            self.api.watches -= 1
