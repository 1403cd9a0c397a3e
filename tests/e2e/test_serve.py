"""The service from outside: a new user's first hour over HTTP, the operators' health check as their
runbook writes it, and how the process ends."""
import contextlib
import http.client
import json
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import threading
import time
import unittest
import urllib.error
import urllib.request

import support

PASSWORD = "correct horse battery staple"
EMAIL = "ann@example.org"


class Server:
    """`llm-research serve` with a store of its own on ports that are free."""
    PROGRAM = support.BINARY
    COMMAND = ("serve", "--port", "0")
    READY = "serving"

    def __init__(self, test, arguments=(), **env):
        self.home = support.Home(test.folder, self.PROGRAM)
        self.log = []
        self.env = {"METRICS_PORT": "0", "LOG_LEVEL": "info", "CONNECTION_POOL_SIZE": "8", **env}
        self.process = self.home.start(
            *self.COMMAND, *arguments, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self.reader = threading.Thread(target=self.read_log, daemon=True)
        self.ready = threading.Event()
        self.port = self.metrics_port = None
        self.reader.start()
        if not self.ready.wait(20):
            self.process.kill()
            raise AssertionError(f"the server did not start: {self.process.stderr.read()[-2000:]}")

    def read_log(self):
        for line in self.process.stdout:
            entry = json.loads(line)  # every line is one JSON object
            self.log.append(entry)
            if entry["message"] == self.READY:
                self.port = entry["fields"].get("port")
                self.metrics_port = entry["fields"]["metrics_port"]
                self.ready.set()

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{path}"

    def call(self, method, path, body=None, token=None, headers=None, raw=None):
        """(status, headers, body): the body parsed when it is JSON."""
        data = json.dumps(body).encode() if body is not None else raw
        request = urllib.request.Request(self.url(path), data=data, method=method)
        if data is not None:
            request.add_header("Content-Type", "application/json")
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        for name, value in (headers or {}).items():
            request.add_header(name, value)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return answer.status, answer.headers, self.parse(answer)
        except urllib.error.HTTPError as error:
            return error.code, error.headers, self.parse(error)

    @staticmethod
    def parse(answer):
        data = answer.read()
        if answer.headers.get("Content-Type", "").startswith("application/json"):
            return json.loads(data)
        return data.decode("utf-8", "replace")

    def stop(self):
        """Ends it as an operator would; gives exit code and seconds."""
        started = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(30)
        return code, time.monotonic() - started


class ServeTest(support.LabTest):
    def server(self, kind=Server, arguments=(), **env):
        server = kind(self, arguments, **env)

        def end():
            if server.process.poll() is None:
                server.process.kill()
                server.process.wait()
            server.reader.join(5)
            server.process.stdout.close()
            server.process.stderr.close()
        self.addCleanup(end)
        return server

    def user(self, server, email=EMAIL, role="Admin", tier="professional"):
        """A user with a token."""
        made = subprocess.run(
            [str(support.BINARY), "admin", "create-user", "--email", email, "--role", role, "--tier", tier, "-o", "json"],
            input=PASSWORD, text=True, capture_output=True, env=server.home.environment(**server.env),
        )
        self.assertEqual(made.returncode, 0, made.stderr)
        return self.login(server, email)

    def login(self, server, email=EMAIL, password=PASSWORD):
        status, _, tokens = server.call("POST", "/auth/token", {"email": email, "password": password})
        self.assertEqual(status, 200, tokens)
        return tokens["access_token"]

    def made(self, server, token, path, body):
        status, headers, made = server.call("POST", path, body, token)
        self.assertEqual(status, 201, made)
        return made


class FirstHour(ServeTest):
    PARTS = ("database",)  # of what others serve, that which is there

    def test_probes_answer_and_an_empty_store_offers_the_first_administrator(self):
        server = self.server()
        self.assertEqual(server.call("GET", "/health")[2], "OK")
        status, _, ready = server.call("GET", "/health/ready")
        self.assertEqual((status, ready["status"]), (200, "healthy"), ready)
        for part in ("database", "cache", "storage", "analytics"):
            self.assertEqual(ready["components"][part]["status"], "healthy" if part in self.PARTS else "disabled")
        self.assertEqual(server.call("GET", "/health/live")[0], 200)
        self.assertEqual(server.call("GET", "/health/startup")[0], 200)
        self.assertEqual(server.call("GET", "/health/detailed")[0], 401)
        code, took = server.stop()
        self.assertEqual(code, 0)
        self.assertLess(took, 14)

    def test_the_first_administrator_can_be_made_over_http_once(self):
        server = self.server()
        line = ""
        while "bootstrap_token" not in line:
            line = server.process.stderr.readline().decode()
            self.assertTrue(line, "the server offers a token")
        token = line.strip().rsplit(" ", 1)[1]
        body = {"bootstrap_token": token, "email": EMAIL, "name": "Ann", "password": PASSWORD}
        status, _, made = server.call("POST", "/auth/bootstrap", {**body, "bootstrap_token": "x" * 43})
        self.assertEqual(status, 401, made)
        status, _, made = server.call("POST", "/auth/bootstrap", body)
        self.assertEqual(status, 201, made)
        status, _, again = server.call("POST", "/auth/bootstrap", {**body, "email": "eve@example.org"})
        self.assertIn(status, (401, 409), again)
        self.assertEqual(server.call("GET", "/auth/me", token=self.login(server))[2]["email"], EMAIL)

    def test_errors_have_one_form_and_say_what_is_wrong(self):
        server = self.server()
        token = self.user(server)
        cases = [
            ("GET", "/nothing", None, 404, "NOT_FOUND"),
            ("PATCH", "/models", None, 405, "METHOD_NOT_ALLOWED"),
            ("GET", "/models/42", None, 400, "BAD_REQUEST"),
            ("GET", "/models?limt=1", None, 400, "BAD_REQUEST"),
            ("GET", "/models?limit=0", None, 422, "VALIDATION_ERROR"),
            ("GET", "/models?limit=1&page=1", None, 400, "BAD_REQUEST"),
            ("POST", "/models", {"name": "m"}, 422, "VALIDATION_ERROR"),
            ("POST", "/models", {"name": "m", "provider": "opnai", "model_identifier": "x"}, 422, "VALIDATION_ERROR"),
        ]
        for method, path, body, status, code in cases:
            found, headers, answer = server.call(method, path, body, token)
            self.assertEqual((found, answer["error"]["code"]), (status, code), (path, answer))
            self.assertEqual(answer["error"]["request_id"], headers["X-Request-ID"])
        status, headers, answer = server.call("GET", "/models")
        self.assertEqual(status, 401)
        self.assertIn("Bearer", headers["WWW-Authenticate"])
        status, headers, _ = server.call("GET", "/health", headers={"X-Request-ID": "mine-1"})
        self.assertEqual(headers["X-Request-ID"], "mine-1")
        self.assertEqual(headers["X-Content-Type-Options"], "nosniff")
        self.assertNotIn("Server", headers)

    def test_the_log_tells_the_trace_of_who_asks(self):
        server = self.server()
        trace = "4bf92f3577b34da6a3ce929d0e0e4736"
        parent = f"00-{trace}-00f067aa0ba902b7-01"
        server.call("GET", "/health", headers={"X-Request-ID": "traced-1", "traceparent": parent})
        server.call("GET", "/health", headers={"X-Request-ID": "traced-2"})
        found = {}
        deadline = time.monotonic() + 20
        while len(found) < 2:
            self.assertLess(time.monotonic(), deadline)
            found = {one["request_id"]: one for one in list(server.log) if str(one["request_id"]).startswith("traced-")}
        self.assertEqual(found["traced-1"]["trace_id"], trace)
        self.assertRegex(found["traced-1"]["span_id"], "^[0-9a-f]{16}$")
        self.assertNotEqual(found["traced-1"]["span_id"], "00f067aa0ba902b7")
        self.assertRegex(found["traced-2"]["trace_id"], "^[0-9a-f]{32}$")

    def test_roles_decide_and_what_is_not_visible_does_not_exist(self):
        server = self.server()
        admin = self.user(server)
        viewer = self.user(server, "bob@example.org", "Viewer")
        body = {"name": "m", "provider": "openai", "model_identifier": "gpt-4o-mini"}
        status, _, refused = server.call("POST", "/models", body, viewer)
        self.assertEqual((status, refused["error"]["required_permission"]), (403, "models:write"))
        hidden = self.made(server, admin, "/models", {**body, "visibility": "private"})
        self.assertEqual(server.call("GET", f"/models/{hidden['id']}", token=viewer)[0], 404)
        self.assertEqual(server.call("GET", "/models", token=viewer)[2]["data"], [])
        self.assertEqual(server.call("GET", f"/models/{hidden['id']}", token=admin)[0], 200)

    def test_changes_are_guarded_by_revisions_and_names(self):
        server = self.server()
        token = self.user(server)
        body = {"name": "m", "provider": "openai", "model_identifier": "gpt-4o-mini", "tags": ["a"]}
        made = self.made(server, token, "/models", body)
        path = f"/models/{made['id']}"
        status, _, clash = server.call("POST", "/models", body, token)
        self.assertEqual((status, clash["error"]["existing_id"]), (409, made["id"]))
        _, headers, _ = server.call("GET", path, token=token)
        etag = headers["ETag"]
        status, headers, changed = server.call("PUT", path, {"version": "2"}, token, {"If-Match": etag})
        self.assertEqual((status, changed["version"], changed["tags"]), (200, "2", ["a"]))
        status, _, late = server.call("PUT", path, {"version": "3"}, token, {"If-Match": etag})
        self.assertEqual((status, late["error"]["code"]), (412, "PRECONDITION_FAILED"))
        self.assertEqual(server.call("DELETE", path, token=token)[0], 204)
        self.assertEqual(server.call("GET", path, token=token)[0], 404)


    def test_a_request_that_is_sent_again_is_carried_out_once(self):
        server = self.server()
        token = self.user(server)
        body = {"name": "m", "provider": "openai", "model_identifier": "gpt-4o-mini"}
        key = {"Idempotency-Key": "k-1"}
        status, _, first = server.call("POST", "/models", body, token, key)
        self.assertEqual(status, 201)
        status, headers, again = server.call("POST", "/models", body, token, key)
        self.assertEqual((status, again, headers["Idempotency-Replayed"]), (201, first, "true"))
        self.assertEqual(server.call("GET", "/models", token=token)[2]["meta"]["total_count"], 1)
        status, _, other = server.call("POST", "/models", {**body, "name": "n"}, token, key)
        self.assertEqual((status, other["error"]["code"]), (409, "CONFLICT"))
        # What failed may be tried again.
        bad = {"Idempotency-Key": "k-2"}
        self.assertEqual(server.call("POST", "/models", {"name": "x"}, token, bad)[0], 422)
        self.assertEqual(server.call("POST", "/models", {**body, "name": "x"}, token, bad)[0], 201)

    def test_pages_of_allowed_origins_may_read_answers_and_others_may_not(self):
        server = self.server(CORS_ALLOWED_ORIGINS="https://lab.example")
        _, headers, _ = server.call("GET", "/health", headers={"Origin": "https://lab.example"})
        self.assertEqual(headers["Access-Control-Allow-Origin"], "https://lab.example")
        _, headers, _ = server.call("GET", "/health", headers={"Origin": "https://evil.example"})
        self.assertNotIn("Access-Control-Allow-Origin", headers)
        _, headers, _ = server.call("OPTIONS", "/models", headers={"Origin": "https://lab.example"})
        self.assertIn("POST", headers["Access-Control-Allow-Methods"])


class Operators(ServeTest):
    HEALTH_CHECK = pathlib.Path(__file__).parent / "data" / "runbook-health-check.txt"

    def test_the_health_check_of_the_runbook_passes_as_it_is_written(self):
        for tool in ("curl", "jq", "bc"):
            if shutil.which(tool) is None:
                self.skipTest(f"{tool} is not installed")
        server = self.server()
        token = self.user(server)
        done = subprocess.run(
            ["bash", str(self.HEALTH_CHECK)], capture_output=True, text=True,
            env={**server.home.environment(), "API_URL": server.url(""), "TEST_TOKEN": token},
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("All health checks passed!", done.stdout)

    def test_breakers_are_forced_with_the_commands_of_the_runbook(self):
        server = self.server(ADMIN_KEY="k" * 40)
        # curl -d without a header sends a form's content type.
        form = {"Content-Type": "application/x-www-form-urlencoded", "X-Admin-Key": "k" * 40}
        path = "/admin/circuit-breaker/open"
        status, _, opened = server.call("POST", path, headers=form, raw=b'{"service": "openai-api"}')
        self.assertEqual((status, opened["state"]), (200, "open"), opened)
        # From this machine without a credential, as the runbook asks.
        status, _, state = server.call("GET", "/admin/circuit-breaker/status")
        self.assertEqual(status, 200, state)
        by_name = {one["service"]: one for one in state["breakers"]}
        self.assertEqual(by_name["openai-api"]["state"], "open")
        # Not for whoever comes through a proxy.
        forwarded = {"X-Forwarded-For": "10.1.2.3"}
        self.assertEqual(server.call("GET", "/admin/circuit-breaker/status", headers=forwarded)[0], 401)
        status, _, unknown = server.call("POST", path, headers=form, raw=b'{"service": "opnai-api"}')
        self.assertEqual(status, 404)
        self.assertIn("openai-api", unknown["error"]["message"])
        wrong = {**form, "X-Admin-Key": "x" * 40}
        self.assertEqual(server.call("POST", path, headers=wrong, raw=b'{"service": "s3"}')[0], 401)
        closed = server.call("POST", "/admin/circuit-breaker/close", headers=form, raw=b'{"service": "openai-api"}')
        self.assertEqual(closed[2]["state"], "closed")

    def test_metrics_are_there_before_the_first_request_on_both_ports(self):
        server = self.server()
        for port in (server.metrics_port, server.port):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            connection.request("GET", "/metrics")
            text = connection.getresponse().read().decode()
            connection.close()
            self.assertIn('http_requests_total{method="GET",path="/experiments",status="500"} 0', text)
            for name in ("db_pool_connections_active", "db_pool_connections_max", "process_resident_memory_bytes"):
                self.assertRegex(text, rf"(?m)^{name} ")

    def test_maintenance_refuses_changes_and_nothing_else(self):
        server = self.server(MAINTENANCE_MODE="true")
        token = self.user(server)
        body = {"name": "m", "provider": "openai", "model_identifier": "x"}
        status, headers, refused = server.call("POST", "/models", body, token)
        self.assertEqual((status, refused["error"]["code"]), (503, "MAINTENANCE"))
        self.assertTrue(headers["Retry-After"])
        self.assertEqual(server.call("GET", "/models", token=token)[0], 200)
        self.assertEqual(server.call("GET", "/health/ready")[2]["status"], "healthy")

    def test_production_does_not_start_with_weak_secrets(self):
        home = support.Home(self.folder)
        for secret in ("", "short", "changeme" * 4, "a" * 64):
            env = {"ENVIRONMENT": "production", "METRICS_PORT": "0"}
            if secret:
                env["JWT_SECRET"] = secret
            done = home.run("serve", "--port", "0", env=env, timeout=20)
            self.assertNotEqual(done.code, 0)
            self.assertIn("JWT_SECRET", done.err)
            if len(secret) > 5:
                self.assertNotIn(secret, done.err + done.out)

    def test_requests_in_flight_are_answered_when_the_server_ends(self):
        server = self.server()
        token = self.user(server, tier="unlimited")
        failures, answered, stop = [], [0], threading.Event()

        def load():
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
            while not stop.is_set():
                try:
                    connection.request("GET", "/experiments?limit=1", headers={"Authorization": f"Bearer {token}"})
                    answer = connection.getresponse()
                    answer.read()
                    if answer.status != 200:
                        failures.append(answer.status)
                    answered[0] += 1
                    if answer.headers.get("Connection") == "close":
                        return  # told to go: nothing was lost
                except ConnectionRefusedError:
                    return
                except (http.client.HTTPException, OSError) as error:
                    # A kept connection that was closed between two requests is no lost request.
                    if not isinstance(error, (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError)):
                        failures.append(repr(error))
                    return
        threads = [threading.Thread(target=load) for _ in range(8)]
        for thread in threads:
            thread.start()
        while answered[0] < 200:
            time.sleep(0.01)
        code, took = server.stop()
        stop.set()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        self.assertEqual(code, 0)
        self.assertLess(took, 14)


class Experiments(ServeTest):
    """The whole road: data, recorded outputs as models, a prompt, an experiment, its events, its
    report; then the same figures as from a file."""

    ROWS = 60

    def rows(self):
        return [{"id": f"q{i:02d}", "question": f"What is {i} + {i}?", "answer": f"{2 * i}"} for i in range(self.ROWS)]

    def outputs(self, wrong):
        return [{"id": f"q{i:02d}", "output": f"The answer is {2 * i + (1 if i % wrong == 0 else 0)}."} for i in range(self.ROWS)]

    def upload(self, server, token, name, rows):
        made = self.made(server, token, "/datasets", {"name": name, "format": "jsonl"})
        self.assertEqual(made["status"], "pending_upload")
        status, _, link = server.call("POST", f"/datasets/{made['id']}/upload", {"filename": f"{name}.jsonl"}, token)
        self.assertEqual((status, link["method"]), (200, "PUT"), link)
        url = link["upload_url"]
        body = "".join(json.dumps(row) + "\n" for row in rows).encode()
        request = urllib.request.Request(url if "://" in url else server.url(url), data=body, method="PUT")
        for key, value in link.get("headers", {}).items():
            request.add_header(key, value)
        with urllib.request.urlopen(request, timeout=120) as answer:
            self.assertIn(answer.status, (200, 201))
        shown = server.call("GET", f"/datasets/{made['id']}", token=token)[2]
        self.assertEqual((shown["status"], shown["row_count"]), ("ready", len(rows)), shown)
        return made["id"]

    def events(self, server, token, path):
        """(type, data) of a run until it is done."""
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.headers["Content-Type"], "text/event-stream")
        found, kind = [], None
        for line in answer:
            line = line.decode().rstrip("\n")
            if line.startswith("event: "):
                kind = line[7:]
            elif line.startswith("data: "):
                found.append((kind, json.loads(line[6:])))
        connection.close()
        return found

    def in_store(self, server, sql):
        with contextlib.closing(sqlite3.connect(server.home.path / "lab.db", timeout=30)) as db, db:
            db.execute(sql)

    def replayed(self, server, token):
        """The path of an experiment over recorded outputs."""
        questions = self.upload(server, token, "sums", self.rows())
        recorded = self.upload(server, token, "outputs", self.outputs(3))
        model = self.made(server, token, "/models", {
            "name": "m", "provider": "custom", "model_identifier": "m", "config": {"replay_dataset": recorded}})["id"]
        made = self.made(server, token, "/experiments", {"name": "replayed", "config": {
            "model_ids": [model], "dataset_ids": [questions],
            "scorers": [{"type": "numeric", "id": "accuracy", "reference": "{{answer}}"}]}})
        return f"/experiments/{made['id']}"

    def carried_out(self, server, token, path):
        """Starts it; gives how many runs it has when the newest one is over."""
        self.assertEqual(server.call("POST", f"{path}/start", token=token)[0], 200)
        runs = server.call("GET", f"{path}/runs", token=token)[2]["data"]
        self.assertEqual(self.events(server, token, f"{path}/runs/{runs[0]['id']}/events")[-1][1]["status"], "completed")
        return len(runs)

    def test_an_experiment_whose_run_is_over_ends_even_if_its_worker_died_before_it_said_so(self):
        server = self.server()
        token = self.user(server)
        path = self.replayed(server, token)
        self.assertEqual(self.carried_out(server, token, path), 1)

        def leave():
            """As the store is when the worker dies in between."""
            self.in_store(server, "UPDATE experiments SET status = 'running', revision = revision + 1")
            self.assertEqual(server.call("GET", path, token=token)[2]["status"], "running")
        # Who starts it again gets a run, and not that of before.
        leave()
        self.assertEqual(self.carried_out(server, token, path), 2)
        # And nobody has to: the next worker says it.
        leave()
        self.assertEqual(server.stop()[0], 0)
        server = self.server()
        deadline = time.monotonic() + 20
        while (status := server.call("GET", path, token=token)[2]["status"]) != "completed":
            self.assertLess(time.monotonic(), deadline, status)
            time.sleep(0.05)
        self.assertEqual(len(server.call("GET", f"{path}/runs", token=token)[2]["data"]), 2)

    def test_an_experiment_from_upload_to_report(self):
        server = self.server()
        token = self.user(server)
        questions = self.upload(server, token, "sums", self.rows())
        models = []
        for name, wrong in (("good", 12), ("weak", 3)):
            recorded = self.upload(server, token, f"outputs of {name}", self.outputs(wrong))
            models.append(self.made(server, token, "/models", {
                "name": name, "provider": "custom", "model_identifier": name, "config": {"replay_dataset": recorded},
            })["id"])
        config = {
            "model_ids": models, "dataset_ids": [questions],
            "scorers": [{"type": "numeric", "id": "accuracy", "reference": "{{answer}}"}],
        }
        broken = self.made(server, token, "/experiments", {"name": "broken", "config": {**config, "model_ids": []}})
        status, _, refused = server.call("POST", f"/experiments/{broken['id']}/start", token=token)
        self.assertEqual((status, refused["error"]["details"][0]["field"]), (422, "config.model_ids"), refused)

        made = self.made(server, token, "/experiments", {"name": "sums", "config": config})
        path = f"/experiments/{made['id']}"
        self.assertEqual(made["status"], "draft")
        status, _, started = server.call("POST", f"{path}/start", token=token)
        self.assertEqual((status, started["status"]), (200, "running"), started)
        runs = server.call("GET", f"{path}/runs", token=token)[2]["data"]
        self.assertEqual(len(runs), 1)
        run = f"{path}/runs/{runs[0]['id']}"
        events = self.events(server, token, f"{run}/events")
        self.assertEqual((events[0][0], events[-1][0]), ("state", "done"), events)
        self.assertEqual(events[-1][1]["status"], "completed", events[-1])

        done = server.call("GET", run, token=token)[2]
        self.assertEqual(done["totals"]["successful_samples"], 2 * self.ROWS)
        self.assertEqual(done["totals"]["total_cost"], "0")
        self.assertEqual(server.call("GET", path, token=token)[2]["status"], "completed")
        # A config that has been run is frozen.
        status, _, frozen = server.call("PUT", path, {"config": {}}, token)
        self.assertEqual((status, frozen["error"]["code"]), (400, "INVALID_STATE"))

        samples = server.call("GET", f"{run}/samples?limit=100", token=token)[2]
        self.assertEqual(len(samples["data"]), 100)
        rest = server.call("GET", f"{run}/samples?limit=100&cursor={samples['pagination']['next_cursor']}", token=token)[2]
        self.assertEqual(len(rest["data"]), 2 * self.ROWS - 100)
        self.assertFalse(rest["pagination"]["has_more"])

        report = server.call("GET", f"{run}/report", token=token)[2]
        figures = {v["id"]: v["metrics"]["accuracy"]["value"] for v in report["results"]["variants"]}
        right = {"good": 1 - 5 / 60, "weak": 1 - 20 / 60}
        for name, value in figures.items():
            self.assertAlmostEqual(value, right[name.split("/")[0]], places=12)
        page = server.call("GET", f"{path}/report?format=html", token=token)[2]
        self.assertIn("<!doctype html>", page.lower())
        metrics = server.call("GET", f"{path}/metrics", token=token)[2]
        self.assertEqual(metrics["total_samples"], 2 * self.ROWS)
        self.assertAlmostEqual(metrics["accuracy"], sum(right.values()) / 2, places=12)

    def ran(self, server, token, name, wrong, rows=None, **config):
        """An experiment over recorded outputs that has run: its path and that of its run."""
        questions = self.upload(server, token, f"rows of {name}", rows or self.rows())
        models = []
        for model, every in wrong.items():
            recorded = self.upload(server, token, f"{name}: {model}", self.outputs(every))
            models.append(self.made(server, token, "/models", {
                "name": f"{name} {model}", "provider": "custom", "model_identifier": model,
                "config": {"replay_dataset": recorded},
            })["id"])
        config = {"model_ids": models, "dataset_ids": [questions],
                  "scorers": [{"type": "numeric", "id": "accuracy", "reference": "{{answer}}"}], **config}
        path = f"/experiments/{self.made(server, token, '/experiments', {'name': name, 'config': config})['id']}"
        status, _, started = server.call("POST", f"{path}/start", token=token)
        self.assertEqual(status, 200, started)
        run = f"{path}/runs/{server.call('GET', f'{path}/runs', token=token)[2]['data'][0]['id']}"
        self.seen = self.events(server, token, f"{run}/events")
        self.assertEqual(self.seen[-1][0], "done")
        return path, run

    def test_samples_are_found_by_what_became_of_them(self):
        server = self.server()
        token = self.user(server)
        rows = [{**row, "tags": ["even" if i % 2 == 0 else "odd"]} for i, row in enumerate(self.rows())]
        _, run = self.ran(server, token, "samples", {"good": 12}, rows)
        get = lambda path: server.call("GET", run + path, token=token)
        wrong = get("/samples?limit=100&outcome=incorrect")[2]["data"]
        self.assertEqual([row["item_id"] for row in wrong], [f"q{i:02d}" for i in range(0, self.ROWS, 12)])
        self.assertEqual(wrong[0]["scores"], {"accuracy": 0})
        self.assertEqual((wrong[0]["extracted"]["accuracy"], wrong[0]["outcome"]), ("1", "incorrect"))
        self.assertNotIn("item", wrong[0])
        odd = get("/samples?limit=100&tag=odd&outcome=correct")[2]["data"]
        self.assertEqual(len(odd), 30)
        self.assertEqual(odd[0]["item"]["tags"], ["odd"])
        found = get("/samples?q=Q07")[2]["data"]
        self.assertEqual([row["item_id"] for row in found], ["q07"])
        one = get(f"/samples/{found[0]['id']}")[2]
        self.assertEqual((one["item"], one["references"], one["output"]), (rows[7], ["14"], "The answer is 14."))
        self.assertEqual(get("/samples/60")[0], 404)
        self.assertEqual(get("/samples/x")[0], 404)
        status, _, refused = get("/samples?outcome=good")
        self.assertEqual((status, refused["error"]["code"]), (400, "BAD_REQUEST"))
        self.assertIn('"outcome" is one of: correct,', refused["error"]["message"])
        # Pages under a filter have no gap and no double.
        pages, cursor = [], ""
        while cursor is not None:
            page = get(f"/samples?limit=7&outcome=correct{cursor and '&cursor=' + cursor}")[2]
            pages += [row["index"] for row in page["data"]]
            cursor = page["pagination"]["next_cursor"]
        self.assertEqual(pages, [i for i in range(self.ROWS) if i % 12])

    def test_a_run_shows_its_steps_and_which_samples_failed(self):
        server = self.server()
        token = self.user(server)
        rows = self.rows() + [{"id": "unanswered", "question": "?", "answer": "1"}]
        path, run = self.ran(server, token, "steps", {"good": 12}, rows, run={"max_error_share": 0.5})
        shown = server.call("GET", run, token=token)[2]
        self.assertEqual(shown["status"], "completed")
        self.assertEqual((shown["totals"]["successful_samples"], shown["totals"]["failed_samples"]), (self.ROWS, 1))
        self.assertEqual([step["status"] for step in shown["steps"]], ["completed"] * 6)
        self.assertEqual(shown["steps"][1], {
            "name": "infer", "kind": "inference", "status": "completed", "depends_on": ["load"], "progress": 1.0})
        self.assertGreaterEqual(shown["duration_ms"], 0)
        self.assertEqual(len(shown["manifest"]["spec_sha256"]), 64)
        failed = server.call("GET", f"{run}/samples?outcome=error", token=token)[2]["data"]
        self.assertEqual([row["item_id"] for row in failed], ["unanswered"])
        told = [data for kind, data in self.seen if kind == "sample_failed"]
        for one in told:  # the run may be over before anybody listens; what is told must be this
            self.assertEqual((one["item_id"], one["sample"]), ("unanswered", failed[0]["id"]))
        late = self.events(server, token, f"{run}/events")
        self.assertEqual([kind for kind, _ in late], ["state", "done"])

    def test_a_config_names_a_version_its_rows_metrics_and_thresholds(self):
        server = self.server()
        token = self.user(server)
        path, _ = self.ran(server, token, "whole", {"good": 12})
        shown = server.call("GET", path, token=token)[2]
        dataset, model = shown["config"]["dataset_ids"][0], shown["config"]["model_ids"][0]
        # A second version: what refers to the first one does not see it.
        status, _, link = server.call("POST", f"/datasets/{dataset}/upload", {"filename": "more.jsonl"}, token)
        rows = [{**row, "answer": "0"} for row in self.rows()]
        url = link["upload_url"]
        request = urllib.request.Request(
            url if "://" in url else server.url(url), method="PUT", headers=link.get("headers", {}),
            data="".join(json.dumps(row) + "\n" for row in rows).encode())
        with urllib.request.urlopen(request, timeout=120) as answer:
            self.assertIn(answer.status, (200, 201))
        wanted = [f"q{i:02d}" for i in range(0, 24, 3)]
        config = {
            "model_ids": [model],
            "dataset_refs": [{"dataset_id": dataset, "version": 1,
                              "filters": [{"field": "id", "operator": "in", "value": wanted}]}],
            "metric_configs": [{"name": "accuracy", "metric_type": "numeric", "parameters": {"reference": "{{answer}}"},
                                "threshold": {"above": 0.9}}],
            "resources": {"priority": 9}, "reproducibility": {"random_seed": 11},
        }
        made = self.made(server, token, "/experiments", {"name": "part", "config": config})
        path = f"/experiments/{made['id']}"
        status, _, started = server.call("POST", f"{path}/start", token=token)
        self.assertEqual(status, 200, started)
        run = f"{path}/runs/{server.call('GET', f'{path}/runs', token=token)[2]['data'][0]['id']}"
        self.events(server, token, f"{run}/events")
        samples = server.call("GET", f"{run}/samples?limit=100", token=token)[2]["data"]
        self.assertEqual([row["item_id"] for row in samples], wanted)
        # Every twelfth is wrong: two of eight.
        report = server.call("GET", f"{run}/report", token=token)[2]
        self.assertEqual(report["results"]["variants"][0]["metrics"]["accuracy"]["value"], 0.75)
        self.assertEqual([gate["passed"] for gate in report["gates"]], [False])
        self.assertEqual(server.call("GET", run, token=token)[2]["manifest"]["seed"], 11)
        for member, value, field in (
            ("dataset_refs", [{"dataset_id": dataset, "version": 7}], "config.dataset_refs[0]"),
            ("search", {"strategy": "bayesian", "spaces": {"temperature": [0]}}, "config.search.strategy"),
            ("metric_configs", [{"name": "acuracy"}], "config.metric_configs[0].name"),
        ):
            broken = self.made(server, token, "/experiments", {"name": member, "config": {**config, member: value}})
            status, _, refused = server.call("POST", f"/experiments/{broken['id']}/start", token=token)
            self.assertEqual((status, refused["error"]["details"][0]["field"]), (422, field), refused)

    def test_a_training_script_reports_a_run_of_its_own(self):
        server = self.server()
        token = self.user(server)
        path = f"/experiments/{self.made(server, token, '/experiments', {'name': 'training'})['id']}"
        run = self.made(server, token, f"{path}/runs", {"name": "lr 0.1", "config_overrides": {"num_samples": 5}})
        self.assertEqual((run["status"], run["run_number"], run["config"]["num_samples"]), ("pending", 1, 5))
        at = f"{path}/runs/{run['id']}"
        points = [{"name": "loss", "value": 1 / (1 + i), "step": i, "timestamp": f"2026-01-01T00:00:{i:02d}Z"} for i in range(10)]
        for _ in range(2):  # what is sent again changes nothing
            self.assertEqual(server.call("POST", f"{at}/metrics", points, token)[0], 201)
            samples = [{"id": f"s{i}", "output": "x", "scores": {"accuracy": 1}} for i in range(3)]
            self.assertEqual(server.call("POST", f"{at}/samples", samples, token)[0], 201)
        self.assertEqual(server.call("GET", at, token=token)[2]["totals"]["successful_samples"], 3)
        for _ in range(2):
            status, _, ended = server.call("POST", f"{at}/complete", token=token)
            self.assertEqual((status, ended["status"]), (200, "completed"), ended)
        status, _, late = server.call("POST", f"{at}/fail", {"error": "no"}, token)
        self.assertEqual((status, late["error"]["code"], late["error"]["current"]), (400, "INVALID_STATE", "completed"))
        self.assertEqual(server.call("POST", f"{at}/metrics", points, token)[0], 400)


if __name__ == "__main__":
    unittest.main()
