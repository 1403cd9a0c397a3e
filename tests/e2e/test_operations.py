"""The operators' runbook against the program: the settings it gives, its health check, its commands inside a pod, and
the end of a pod under load. What needs a cluster is rehearsed elsewhere."""
import http.client
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import threading
import time
import unittest

import mock_llm
import support
import test_fleet
import test_migrate
import test_postgres
import test_serve

# The ConfigMap of the runbook. Ports are those of its containers; here they are any that are free.
CONFIG_MAP = {
    "RUST_LOG": "info,llm_research_api=debug", "SERVER_HOST": "0.0.0.0", "SERVER_PORT": "0", "METRICS_PORT": "0",
    "HEALTH_CHECK_INTERVAL": "30s", "GRACEFUL_SHUTDOWN_TIMEOUT": "30s", "CONNECTION_POOL_SIZE": "50",
    "CACHE_TTL_SECONDS": "300", "COMPRESSION_ENABLED": "true", "COMPRESSION_MIN_SIZE": "1024",
}
ADMIN_KEY = "k" * 40
END_SECONDS = 14  # what is left of a pod's 30 behind a preStop of 15


class Pod(test_serve.Server):
    """A container: nothing of its environment is ours but a place to write."""
    COMMAND = ("serve",)

    def __init__(self, test, arguments=(), **env):
        self.started = time.monotonic()
        super().__init__(test, arguments, **env)
        self.start_seconds = time.monotonic() - self.started


class Runbook(test_postgres.OnPostgres, test_serve.ServeTest):
    def pod(self, **more):
        """With the keys of the runbook's ConfigMap and Secret, and no others."""
        env = {**CONFIG_MAP, "DATABASE_URL": self.url, "JWT_SECRET": self.secret, **more}
        keep = {name: value for name, value in env.items() if value is not None}
        # LOG_LEVEL is the helper's; an empty value counts as none.
        return test_serve.ServeTest.server(self, Pod, **{"LOG_LEVEL": "", **keep})

    def setUp(self):
        super().setUp()
        self.secret = secrets.token_urlsafe(48)

    def admin(self, server, *arguments, **options):
        """As kubectl exec runs it: with the environment of the pod."""
        return subprocess.run([str(support.BINARY), "admin", *arguments], capture_output=True, text=True, timeout=60,
                              env=server.home.environment(**server.env), **options)

    def token(self, server):
        email = "operator@example.org"
        if not getattr(self, "has_user", False):
            made = self.admin(server, "create-user", "--email", email, "--role", "Viewer", input=test_serve.PASSWORD)
            self.assertEqual(made.returncode, 0, made.stderr)
            self.has_user = True
        done = self.admin(server, "create-token", "--email", email, "--ttl", "1h")
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.rstrip("\n")

    def health_check(self, server, token):
        for tool in ("curl", "jq", "bc"):
            if shutil.which(tool) is None:
                self.skipTest(f"{tool} is not installed")
        return subprocess.run(
            ["bash", str(test_serve.Operators.HEALTH_CHECK)], capture_output=True, text=True, timeout=120,
            env={**server.home.environment(), "API_URL": server.url(""), "TEST_TOKEN": token},
        )

    def sh(self, command, **env):
        """A command of the runbook inside a pod, as it is written."""
        if shutil.which("curl") is None:
            self.skipTest("curl is not installed")
        return subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60,
                              env={"PATH": os.environ["PATH"], **env})

    def test_the_keys_of_its_config_map_and_secret_are_enough(self):
        server = self.pod()
        self.assertLess(server.start_seconds, 10)
        status, _, ready = server.call("GET", "/health/ready")
        self.assertEqual((status, ready["status"]), (200, "healthy"), ready)
        disabled = {name for name, one in ready["components"].items() if one["status"] == "disabled"}
        self.assertEqual(disabled, {"cache", "storage", "analytics"})
        shown = server.home.run("config", "check", "--server", "-o", "json", env=server.env)
        self.assertIn("production", shown.out)
        self.assertNotIn(self.secret, shown.out + shown.err + str(server.log))

    def test_its_health_check_passes_as_it_is_written_again_and_again(self):
        server = self.pod()
        token = self.token(server)
        for _ in range(5):
            done = self.health_check(server, token)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("All health checks passed!", done.stdout)

    def test_its_health_check_passes_while_pods_still_hold_the_flag(self):
        server = self.pod(MAINTENANCE_MODE="true")
        self.assertEqual(server.call("POST", "/auth/token", {"email": "a", "password": "b"})[0], 401)
        done = self.health_check(server, self.token(server))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_variables_of_service_links_are_not_taken_for_ports(self):
        env = {"METRICS_PORT": "tcp://10.0.0.1:9090", "SERVER_PORT": "tcp://10.0.0.1:8080",
               "LLM_RESEARCH_API_PORT": "tcp://10.0.0.1:8080", "LLM_RESEARCH_API_SERVICE_HOST": "10.0.0.1"}
        done = self.home.run("config", "check", "--server", "-o", "json", env=env)
        self.assert_code(done, support.PASSED)
        ports = {row["setting"] if "setting" in row else row["key"]: row["value"] for row in done.json()}
        self.assertEqual((ports["METRICS_PORT"], ports["SERVER_PORT"]), ("9090", "8080"))

    def test_a_token_for_the_health_check_is_made_inside_the_image(self):
        server = self.pod()
        token = self.token(server)
        self.assertRegex(token, r"\A[\w-]+\.[\w-]+\.[\w-]+\Z", "the token and nothing else")
        self.assertEqual(server.call("GET", "/experiments?limit=1", token=token)[0], 200)
        for ttl, code in (("90s", 0), ("30m", 0), ("7d", 0), ("3600", 0), ("1s", 2), ("1y", 2), ("100d", 2)):
            done = self.admin(server, "create-token", "--email", "operator@example.org", "--ttl", ttl)
            self.assertEqual(done.returncode, code, (ttl, done.stderr))
        asked = json.loads(self.admin(
            server, "create-token", "--email", "operator@example.org", "--ttl", "30m", "-o", "json").stdout)
        self.assertEqual(asked["expires_in"], 1800)
        nobody = self.admin(server, "create-token", "--email", "nobody@example.org", "--ttl", "1h")
        self.assertEqual((nobody.returncode != 0, nobody.stdout), (True, ""))
        made = test_migrate.sql(self.url, "SELECT count(*) FROM audit_log WHERE details LIKE '%\"made\":\"access\"%'")
        self.assertEqual(made, "6")

    def test_breakers_are_opened_and_seen_with_its_commands(self):
        server = self.pod(ADMIN_KEY=ADMIN_KEY)
        at = server.url("")
        opened = self.sh(f"""curl -X POST {at}/admin/circuit-breaker/open \\
            -H "X-Admin-Key: $ADMIN_KEY" \\
            -d '{{"service": "openai-api"}}'""", ADMIN_KEY=ADMIN_KEY)
        self.assertEqual(json.loads(opened.stdout)["state"], "open", opened)
        seen = self.sh(f"curl {at}/admin/circuit-breaker/status")
        self.assertEqual({one["service"]: one["state"] for one in json.loads(seen.stdout)["breakers"]}["openai-api"], "open")
        wrong = self.sh(f"""curl -s -o /dev/null -w '%{{http_code}}' -X POST {at}/admin/circuit-breaker/close \\
            -H "X-Admin-Key: x" -d '{{"service": "openai-api"}}'""")
        self.assertEqual(wrong.stdout, "401")

    def test_breaker_status_without_a_key_is_for_this_machine_alone(self):
        server = self.pod(ADMIN_KEY=ADMIN_KEY)

        def status(source, **headers):
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10, source_address=(source, 0))
            connection.request("GET", "/admin/circuit-breaker/status", headers=headers)
            answer = connection.getresponse()
            answer.read()
            connection.close()
            return answer.status
        self.assertEqual(status("127.0.0.1"), 200)
        self.assertEqual(status("127.0.0.2"), 401, "another address, as a side car has it")
        self.assertEqual(status("127.0.0.1", Forwarded="for=127.0.0.1"), 401)
        self.assertEqual(status("127.0.0.1", **{"X-Real-IP": "127.0.0.1"}), 401)
        self.assertEqual(status("127.0.0.2", **{"X-Admin-Key": ADMIN_KEY}), 200)

    def test_a_breaker_that_one_pod_opens_is_open_in_all_and_after_a_restart(self):
        first, second = self.pod(ADMIN_KEY=ADMIN_KEY), self.pod(ADMIN_KEY=ADMIN_KEY)
        key = {"X-Admin-Key": ADMIN_KEY}

        def state(server):
            breakers = server.call("GET", "/admin/circuit-breaker/status", headers=key)[2]["breakers"]
            return next(one["state"] for one in breakers if one["service"] == "anthropic-api")
        first.call("POST", "/admin/circuit-breaker/open", headers=key, raw=b'{"service": "anthropic-api"}')
        end = time.monotonic() + 2
        while state(second) != "open":
            self.assertLess(time.monotonic(), end, "two seconds are enough")
        self.assertEqual(first.stop()[0], 0)
        self.assertEqual(second.stop()[0], 0)
        self.assertEqual(state(self.pod(ADMIN_KEY=ADMIN_KEY)), "open")

    def test_the_pool_is_seen_with_its_command_and_the_pod_in_the_database(self):
        server = self.pod()
        shown = self.sh(f'curl -s http://localhost:{server.metrics_port}/metrics | grep -E "^db_pool"')
        for name in ("active", "idle", "max"):
            self.assertRegex(shown.stdout, rf"(?m)^db_pool_connections_{name} \d+$")
        named = test_migrate.sql(self.url, "SELECT count(*) FROM pg_stat_activity WHERE application_name = "
                                           f"'llm-research {socket.gethostname()}' AND datname = current_database()")
        self.assertGreaterEqual(int(named), 10, "DATABASE_MIN_CONNECTIONS are kept open")

    def test_requests_can_be_counted_without_probes(self):
        server = self.pod()
        for path in ("/health", "/health/ready", "/metrics", "/models/providers", "/models/providers"):
            self.assertEqual(server.call("GET", path)[0], 200)
        rule = re.compile(r'^http_requests_total\{method="GET",path="([^"]+)",status="200"\} ([\d.]+)$', re.MULTILINE)
        end = time.monotonic() + 10
        while True:
            counted = {path: float(count) for path, count in rule.findall(server.call("GET", "/metrics")[2])}
            if counted.get("/models/providers") == 2:
                break
            self.assertLess(time.monotonic(), end, counted)
        self.assertGreaterEqual(counted["/health"], 1)
        # What the rule of the autoscaler leaves out.
        work = {path for path in counted if not re.match(r"/(v1/)?(health.*|metrics)$", path) and counted[path]}
        self.assertEqual(work, {"/models/providers"})


class Ends(test_fleet.Processes):
    """SIGTERM while experiments run and clients follow them."""

    class Stream(threading.Thread):
        """Follows a run until the stream ends; `whole`: it ended as a stream should."""

        def __init__(self, server, token, path, last=None):
            super().__init__(daemon=True)
            self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
            headers = {"Authorization": f"Bearer {token}"}
            if last is not None:
                headers["Last-Event-ID"] = last
            self.connection.request("GET", path, headers=headers)
            self.answer = self.connection.getresponse()
            self.lines, self.whole = [], False
            self.start()

        def run(self):
            try:
                for line in self.answer:
                    self.lines.append(line.decode().rstrip("\n"))
                self.whole = True
            except (http.client.HTTPException, OSError):
                pass
            self.connection.close()

        def values(self, field):
            return [line.split(": ", 1)[1] for line in list(self.lines) if line.startswith(field + ": ")]

    def test_a_pod_ends_in_time_streams_say_where_to_go_on_and_nothing_is_lost(self):
        self.endpoint.script = lambda request: mock_llm.Slow(0.05 if request.number < test_fleet.ROWS // 2 else 60)
        self.at = self.server()
        self.token = self.user(self.at)
        _, run = self.started()
        streams = [self.Stream(self.at, self.token, f"{run}/events") for _ in range(3)]
        self.until(lambda: self.answered() >= test_fleet.ROWS // 2 and all(one.values("id") for one in streams))
        self.until(lambda: self.endpoint_in_flight() == test_fleet.IN_FLIGHT)
        code, took = self.at.stop()
        self.assertEqual(code, 0)
        self.assertLess(took, END_SECONDS)
        for one in streams:
            one.join(10)
            self.assertTrue(one.whole, "the stream is cut off")
            self.assertEqual(one.lines[-2], f"id: {one.values('id')[-1]}")
            self.assertEqual(one.lines[-1], "")
            self.assertNotIn("done", one.values("event"))
        # Another pod goes on, and so does a client.
        self.endpoint.script = lambda request: None
        self.at = self.server()
        again = self.Stream(self.at, self.token, f"{run}/events", streams[0].values("id")[-1])
        self.until(lambda: self.call("GET", run)["status"] == "completed")
        again.join(10)
        self.assertEqual(again.values("event")[-1], "done")
        numbers = [int(one) for one in streams[0].values("id") + again.values("id")]
        self.assertEqual(numbers, sorted(numbers))
        self.check_whole(run)
        uncertain = int(test_migrate.sql(self.url, "SELECT COUNT(*) FROM uncertain"))
        self.assertEqual(uncertain, test_fleet.IN_FLIGHT, "what was on the wire is in the books as such")

    def endpoint_in_flight(self):
        return sum(1 for request in list(self.endpoint.requests) if request.answered_at is None)

    def test_a_silent_client_does_not_hold_it_up(self):
        self.at = self.server()
        self.token = self.user(self.at)
        with socket.create_connection(("127.0.0.1", self.at.port)) as silent:
            silent.sendall(b"POST /models HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{")
            started = time.monotonic()
            self.at.process.send_signal(signal.SIGTERM)
            self.assertEqual(self.at.process.wait(30), 0)
            self.assertLess(time.monotonic() - started, END_SECONDS)


if __name__ == "__main__":
    unittest.main()
