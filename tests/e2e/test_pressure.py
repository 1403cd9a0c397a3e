"""The service under pressure, from outside: clients that take their time, an end in the middle of
work, maintenance that comes and goes while it runs, and what it says of all that in its metrics.
Times are those of the contract and no others."""
import http.client
import os
import pathlib
import re
import socket
import threading
import time
import unittest

import mock_llm
import support
import test_credentials
import test_serve

#: The contract's families of the embedded engines: name -> (type, labels).
FAMILIES = {
    "http_requests_total": ("counter", {"method", "path", "status"}),
    "http_request_duration_seconds": ("histogram", {"method", "path"}),
    "http_requests_in_flight": ("gauge", set()),
    "http_request_size_bytes": ("histogram", {"method", "path"}),
    "http_response_size_bytes": ("histogram", {"method", "path"}),
    "http_requests_per_second": ("gauge", set()),
    "db_pool_connections_active": ("gauge", set()),
    "db_pool_connections_idle": ("gauge", set()),
    "db_pool_connections_max": ("gauge", set()),
    "db_pool_waiters": ("gauge", set()),
    "db_query_duration_seconds": ("histogram", {"query_type", "table"}),
    "db_query_errors_total": ("counter", {"query_type", "error_type"}),
    "db_connection_errors_total": ("counter", set()),
    "cache_hits_total": ("counter", {"cache"}),
    "cache_misses_total": ("counter", {"cache"}),
    "cache_evictions_total": ("counter", {"cache"}),
    "cache_size": ("gauge", {"cache"}),
    "circuit_breaker_state": ("gauge", {"service"}),
    "circuit_breaker_transitions_total": ("counter", {"service"}),
    "circuit_breaker_rejected_total": ("counter", {"service"}),
    "health_status": ("gauge", {"component", "critical"}),
    "health_check_duration_seconds": ("histogram", {"component", "critical"}),
    "experiments_created_total": ("counter", set()),
    "experiments_completed_total": ("counter", {"status"}),
    "experiment_runs_total": ("counter", {"status"}),
    "experiments_running": ("gauge", set()),
    "experiment_duration_seconds": ("histogram", {"status"}),
    "evaluations_processed_total": ("counter", set()),
    "models_registered_total": ("counter", set()),
    "datasets_uploaded_total": ("counter", set()),
    "dataset_upload_size_bytes": ("histogram", set()),
    "llm_requests_total": ("counter", {"provider", "model", "outcome"}),
    "llm_request_duration_seconds": ("histogram", {"provider", "model"}),
    "llm_time_to_first_token_seconds": ("histogram", {"provider", "model"}),
    "llm_tokens_total": ("counter", {"provider", "model", "direction"}),
    "llm_cost_usd_total": ("counter", {"provider", "model"}),
    "auth_failures_total": ("counter", {"reason"}),
    "rate_limit_exceeded_total": ("counter", {"tier"}),
    "load_shed_total": ("counter", {"priority"}),
    "maintenance_mode": ("gauge", set()),
    "job_queue_depth": ("gauge", set()),
    "job_leases_active": ("gauge", set()),
    "job_retries_total": ("counter", set()),
    "build_info": ("gauge", {"version", "revision"}),
    "process_cpu_seconds_total": ("counter", set()),
    "process_resident_memory_bytes": ("gauge", set()),
    "process_open_fds": ("gauge", set()),
    "process_start_time_seconds": ("gauge", set()),
}
LINE = re.compile(r'^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$')
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


class Pressure(test_serve.ServeTest):
    def metrics(self, server):
        """({family: type}, {name: [({label: value}, number)]})"""
        connection = http.client.HTTPConnection("127.0.0.1", server.metrics_port, timeout=10)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        types, series = {}, {}
        for line in text.splitlines():
            if line.startswith("# TYPE "):
                _, _, name, kind = line.split(" ")
                types[name] = kind
            elif line and not line.startswith("#"):
                name, labels, value = LINE.match(line).groups()
                series.setdefault(name, []).append((dict(LABEL.findall(labels or "")), float(value)))
        return types, series

    def value(self, server, metric, **labels):
        return sum(number for found, number in self.metrics(server)[1].get(metric, []) if labels.items() <= found.items())

    def wait_for(self, what, condition, seconds):
        deadline = time.monotonic() + seconds
        while not condition():
            self.assertLess(time.monotonic(), deadline, what)
            time.sleep(0.02)


class Metrics(Pressure):
    def test_every_family_of_the_contract_is_there_from_the_start(self):
        server = self.server()
        server.call("GET", "/health")
        types, series = self.metrics(server)
        for name, (kind, labels) in FAMILIES.items():
            self.assertEqual(types.get(name), kind, name)
            sample = series[f"{name}_count" if kind == "histogram" else name]
            for found, _ in sample:
                self.assertEqual(set(found), labels, name)

    def test_what_happens_is_counted_where_it_belongs(self):
        server = self.server(RATE_LIMIT_BURST="30", RATE_LIMIT_REQUESTS_PER_SECOND="1")
        token = self.user(server)
        body = {"name": "m", "provider": "openai", "model_identifier": "gpt-4o-mini"}
        self.made(server, token, "/models", body)
        self.made(server, token, "/experiments", {"name": "e"})
        self.assertEqual(server.call("GET", "/models")[0], 401)
        self.assertEqual(server.call("GET", "/models", token="a.b.c")[0], 401)
        self.assertEqual(self.value(server, "models_registered_total"), 1)
        self.assertEqual(self.value(server, "experiments_created_total"), 1)
        for reason in ("no_credential", "invalid_token"):  # counted when the answer has been sent
            self.wait_for(reason, lambda: self.value(server, "auth_failures_total", reason=reason) == 1, 10)
        self.assertGreaterEqual(
            self.value(server, "db_query_duration_seconds_count", query_type="insert", table="models"), 1
        )
        while server.call("GET", "/models?limit=1", token=token)[0] == 200:
            pass
        self.assertGreaterEqual(self.value(server, "rate_limit_exceeded_total", tier="professional"), 1)
        self.assertGreaterEqual(self.value(server, "cache_hits_total", cache="credentials"), 1)
        self.wait_for(
            "the refusal is counted", lambda: self.value(server, "http_requests_total", path="/models", status="429") > 0, 10
        )

    def test_forced_breakers_are_seen(self):
        server = self.server(ADMIN_KEY="k" * 40)
        headers = {"X-Admin-Key": "k" * 40}
        self.assertEqual(self.value(server, "circuit_breaker_state", service="openai-api"), 0)
        server.call("POST", "/admin/circuit-breaker/open", headers=headers, raw=b'{"service": "openai-api"}')
        self.wait_for(
            "the breaker is seen open", lambda: self.value(server, "circuit_breaker_state", service="openai-api") == 2, 10
        )
        self.assertEqual(self.value(server, "circuit_breaker_transitions_total", service="openai-api"), 1)


class OwnBreakers(Pressure, test_credentials.Outbound):
    def test_the_breaker_of_a_run_is_seen_while_it_stands(self):
        with mock_llm.MockLLM(script=lambda request: mock_llm.Status(500)) as broken:
            server, token, _ = self.lab(PROVIDER_ALLOWED_HOSTS="127.0.0.1")
            rows = [{"id": f"q{i}", "question": f"What is {i}?", "answer": str(i)} for i in range(30)]
            dataset = test_credentials.experiments(self)(server, token, "many", rows)
            model = self.made(server, token, "/models", {"name": "m", "provider": "custom", "model_identifier": "m", "config": {
                "base_url": broken.base_url}})["id"]
            path = "/experiments/" + self.made(server, token, "/experiments", {"name": "e", "config": {
                "model_ids": [model], "dataset_ids": [dataset], "prompt_template_ids": [self.prompt(server, token, "p")],
                "scorers": [{"type": "exact_match", "reference": "{{answer}}"}]}})["id"]

            def state():
                return self.value(server, "circuit_breaker_state", service="openai-api")
            self.assertEqual(state(), 0)
            self.assertEqual(server.call("POST", f"{path}/start", token=token)[0], 200)
            self.wait_for("the breaker opens", lambda: state() == 2, 30)
            self.assertEqual(self.value(server, "circuit_breaker_transitions_total", service="openai-api"), 1)
            self.assertEqual(self.value(server, "circuit_breaker_state", service="anthropic-api"), 0)
            self.assertEqual(server.call("POST", f"{path}/cancel", token=token)[0], 200)
            self.wait_for("it goes with its run", lambda: state() == 0, 30)
            self.wait_for(
                "both ways are counted",
                lambda: self.value(server, "circuit_breaker_transitions_total", service="openai-api") == 2, 10,
            )


class Maintenance(Pressure):
    def refused(self, server, token):
        status, headers, answer = server.call(
            "POST", "/models", {"name": "m", "provider": "openai", "model_identifier": "x"}, token
        )
        if status == 503:
            self.assertEqual(answer["error"]["code"], "MAINTENANCE", answer)
            self.assertGreaterEqual(int(headers["Retry-After"]), 1)
            self.assertEqual(server.call("GET", "/models", token=token)[0], 200)
            self.assertEqual(server.call("GET", "/health/ready")[2]["status"], "healthy")
        return status == 503

    def publish(self, folder, number, **values):
        """As the kubelet mounts a ConfigMap: a new folder behind a link that is swapped at once."""
        state = folder / f"..{number}"
        state.mkdir()
        for key, value in values.items():
            (state / key).write_text(value)
            link = folder / key
            if not link.is_symlink():
                link.symlink_to(pathlib.Path("..data") / key)
        swap = folder / "..data_tmp"
        swap.symlink_to(state.name)
        os.replace(swap, folder / "..data")

    def test_a_mounted_file_turns_it_on_and_off_while_the_server_runs(self):
        folder = pathlib.Path(self.folder) / "config"
        folder.mkdir()
        self.publish(folder, 1, MAINTENANCE_MODE="false", LOG_LEVEL="info")
        server = self.server(LIVE_CONFIG_DIR=str(folder))
        token = self.user(server)
        self.assertFalse(self.refused(server, token))
        self.publish(folder, 2, MAINTENANCE_MODE="true", LOG_LEVEL="error", RATE_LIMIT_BURST="150")
        self.wait_for("writes are refused", lambda: self.refused(server, token), 5)
        self.assertEqual(self.value(server, "maintenance_mode"), 1)
        _, headers, _ = server.call("GET", "/models", token=token)
        self.assertEqual(headers["X-RateLimit-Limit"], "150")
        self.assertEqual(server.call("GET", "/models", token=token, headers={"X-Request-ID": "quiet-1"})[0], 200)
        self.publish(folder, 3, MAINTENANCE_MODE="false", LOG_LEVEL="info")
        self.wait_for("writes are taken", lambda: not self.refused(server, token), 5)
        server.call("GET", "/models", token=token, headers={"X-Request-ID": "loud-1"})
        self.wait_for("requests are logged again", lambda: "loud-1" in [one["request_id"] for one in list(server.log)], 5)
        self.assertNotIn("quiet-1", [one["request_id"] for one in list(server.log)])

        def changes():
            return server.call("GET", "/admin/audit-logs?action=config_change", token=token)[2]["data"]
        self.wait_for("both changes are in the audit log", lambda: len(changes()) >= 2, 10)

    def test_an_operator_turns_it_for_every_process_of_the_store(self):
        server = self.server(ADMIN_KEY="k" * 40)
        token = self.user(server)
        headers = {"X-Admin-Key": "k" * 40}
        status, _, on = server.call(
            "POST", "/admin/maintenance", headers=headers, raw=b'{"enabled": true, "reason": "a new disk"}'
        )
        self.assertEqual((status, on["in_maintenance"], on["reason"]), (200, True, "a new disk"), on)
        self.assertTrue(self.refused(server, token), "at once, in the process that was asked")
        self.assertEqual(server.call("GET", "/admin/maintenance", token=token)[2]["changed_by"], "admin key")
        self.wait_for("the audit log says why", lambda: any(
            "a new disk" in str(one["details"])
            for one in server.call("GET", "/admin/audit-logs?action=config_change", token=token)[2]["data"]
        ), 10)
        # From the command line, beside the server; it sees it in the store.
        off = server.home.run("admin", "maintenance", "off", "-o", "json", env=server.env)
        self.assertEqual(off.code, 0, str(off))
        self.wait_for("writes are taken", lambda: not self.refused(server, token), 5)
        done = server.home.run("admin", "maintenance", "on", "--reason", "again", env=server.env)
        self.assertEqual(done.code, 0, str(done))
        self.wait_for("writes are refused", lambda: self.refused(server, token), 5)
        wrong = server.call("POST", "/admin/maintenance", headers=headers, raw=b'{"enabled": 1}')
        self.assertEqual(wrong[0], 422)


class SlowClients(Pressure):
    PEERS, EACH = 4, 60

    def test_clients_that_take_their_time_keep_nobody_waiting(self):
        server = self.server()
        token = self.user(server, tier="unlimited")
        open_ones = []

        def end():
            for one in open_ones:
                one.close()
        self.addCleanup(end)
        for peer in range(self.PEERS):
            for number in range(self.EACH):
                one = socket.create_connection(("127.0.0.1", server.port), source_address=(f"127.0.1.{peer + 1}", 0))
                open_ones.append(one)
                one.sendall((
                    b"GET /models HTTP/1.1\r\nHost: a\r\nX-Slow: ",  # never ends its head
                    b"POST /models HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n{",
                    b"GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n",  # never reads
                )[number % 3])
        failures = []

        def load():
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
            for _ in range(50):
                connection.request("GET", "/experiments?limit=1", headers={"Authorization": f"Bearer {token}"})
                answer = connection.getresponse()
                answer.read()
                if answer.status != 200:
                    failures.append(answer.status)
            connection.close()
        threads = [threading.Thread(target=load) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        self.assertEqual(server.call("GET", "/health")[2], "OK")
        # They keep no end waiting either.
        code, took = server.stop()
        self.assertEqual(code, 0)
        self.assertLess(took, 14)


class Overload(Pressure):
    @staticmethod
    def answer(reader):
        """The next of several answers on one connection."""
        status = int(reader.readline().split(b" ")[1])
        headers = {}
        for line in iter(reader.readline, b"\r\n"):
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        return status, headers, reader.read(int(headers.get("content-length", 0)))

    def test_what_finds_no_place_is_refused_with_a_time_to_come_back(self):
        server = self.server(OVERLOAD_QUEUE_LENGTH="2")
        token = self.user(server, tier="unlimited")
        request = f"GET /experiments?limit=1 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
        statuses, bodies = {}, []
        deadline = time.monotonic() + 30
        while 503 not in statuses:
            self.assertLess(time.monotonic(), deadline, statuses)
            sockets = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(16)]
            for one in sockets:
                one.sendall(request * 8)
            for one in sockets:
                with one, one.makefile("rb") as reader:
                    for _ in range(8):
                        status, headers, body = self.answer(reader)
                        statuses[status] = statuses.get(status, 0) + 1
                        if status == 503:
                            bodies.append(body)
                            self.assertGreaterEqual(int(headers["retry-after"]), 1)
        self.assertIn(b'"OVERLOADED"', bodies[0])
        self.assertEqual(set(statuses), {200, 503})
        self.assertGreater(self.value(server, "load_shed_total", priority="normal"), 0)
        self.assertEqual(self.value(server, "load_shed_total", priority="critical"), 0)
        self.assertEqual(server.call("GET", "/health")[2], "OK")
        self.wait_for(
            "work is taken again", lambda: server.call("GET", "/experiments?limit=1", token=token)[0] == 200, 5
        )


if __name__ == "__main__":
    unittest.main()
