"""Processes over one Redis, or a cluster of them, from outside: limits are shared, and whatever Redis
does, no request fails for it."""
import importlib.util
import os
import re
import signal
import subprocess
import time
import unittest
import urllib.request

import support
import test_serve
from fault_proxy import FaultProxy
from redis_load import Load

SPEC = importlib.util.spec_from_file_location("redis_servers", support.ROOT / "tools" / "redis.py")
redis_servers = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(redis_servers)

ADMIN = "the-operators-own-key-0123456789abcdef"


class RedisTest(test_serve.ServeTest):
    def setUp(self):
        super().setUp()
        if not redis_servers.is_installed():
            self.skipTest("redis-server is not installed (tools/packages.txt)")
        self.redis = redis_servers.Servers()
        self.addCleanup(self.redis.__exit__)

    def lab(self, url, cluster=False, **env):
        return self.server(REDIS_URL=url, REDIS_CLUSTER_ENABLED=str(cluster).lower(), ADMIN_KEY=ADMIN, **env)

    def key(self, server, tier, name="k"):
        """The headers of a caller who is limited as a key of this tier."""
        body = {"name": name, "scopes": ["experiments:read"], "rate_limit_tier": tier}
        status, _, made = server.call("POST", "/admin/api-keys", body, self.token)
        self.assertEqual(status, 201, made)
        return {"X-API-Key": made["key"]}

    def load(self, servers, callers, **options):
        load = Load(servers, callers, **options)
        self.addCleanup(load.stop)  # a test that fails leaves no threads
        return load

    def detailed(self, server):
        status, _, shown = server.call("GET", "/health/detailed", token=self.token)
        self.assertEqual(status, 200, shown)
        return shown

    def wait_for_cache(self, server, status, seconds=30):
        """Until /health says so of what is shared."""
        deadline = time.monotonic() + seconds
        while True:
            ready_status, _, ready = server.call("GET", "/health/ready")
            self.assertEqual(ready_status, 200, "ready all the time")
            if ready["components"]["cache"]["status"] == status:
                return ready
            self.assertLess(time.monotonic(), deadline, ready)
            time.sleep(0.05)

    def metric(self, server, series):
        """Its value; None when there is no such series."""
        with urllib.request.urlopen(f"http://127.0.0.1:{server.metrics_port}/metrics", timeout=20) as answer:
            found = re.search(f"^{re.escape(series)} (.+)$", answer.read().decode(), re.MULTILINE)
        return float(found[1]) if found else None

    def assert_all_answered(self, counts):
        self.assertEqual(set(counts), {200}, counts)

    def assert_no_secret(self, *servers):
        for server in servers:
            self.assertNotIn(self.redis.password, str(server.log))


class Limits(RedisTest):
    def test_three_processes_let_through_what_one_would(self):
        node = self.redis.single()
        servers = [self.lab(self.redis.url([node], redis_servers.USER)) for _ in range(3)]
        self.token = self.user(servers[0], tier="unlimited")
        caller = self.key(servers[0], "professional")
        for server in servers:
            self.wait_for_cache(server, "healthy")
        load = self.load(servers, [caller], per_second=500, seconds=10)
        counts = load.end()
        self.assertEqual(set(counts), {200, 429}, counts)
        self.assertEqual(sum(counts.values()), 4998, "833 of each of six")
        # The bucket, and what came into it while they asked: 200 + 1000 where they took ten seconds.
        allowed = 200 + 100 * load.seconds
        alone = [self.detailed(server)["pools"]["redis"]["limited_alone"] for server in servers]
        print(f"admitted {counts[200]} of {allowed:.0f} in {load.seconds:.1f} s; without Redis: {alone}")
        self.assertLess(abs(counts[200] - allowed), 0.05 * allowed, (counts, alone))
        self.assert_no_secret(*servers)

    def test_headers_tell_of_the_shared_bucket(self):
        node = self.redis.single()
        env = {"RATE_LIMIT_REQUESTS_PER_SECOND": "1", "RATE_LIMIT_BURST": "10"}
        one, other = (self.lab(self.redis.url([node], redis_servers.USER), **env) for _ in range(2))
        self.token = self.user(one, tier="unlimited")
        caller = self.key(one, "professional")
        for server in (one, other):
            self.wait_for_cache(server, "healthy")
        seen = []
        while True:
            server = (one, other)[len(seen) % 2]
            status, headers, _ = server.call("GET", "/experiments?limit=1", headers=caller)
            self.assertEqual(headers["X-RateLimit-Limit"], "10")
            self.assertLess(abs(int(headers["X-RateLimit-Reset"]) - time.time()), 15)
            seen.append(int(headers["X-RateLimit-Remaining"]))
            if status == 429:
                self.assertGreaterEqual(int(headers["Retry-After"]), 1)
                break
        # Fewer in turn; a token may have come in between.
        self.assertEqual(seen[0], 9)
        self.assertTrue(all(after <= before for before, after in zip(seen, seen[1:])), seen)

    def test_an_operator_can_take_redis_out(self):
        node = self.redis.single()
        server = self.lab(self.redis.url([node], redis_servers.USER))
        self.token = self.user(server, tier="unlimited")
        self.wait_for_cache(server, "healthy")
        for action, state in (("open", "degraded"), ("close", "healthy")):
            status, _, _ = server.call(
                "POST", f"/admin/circuit-breaker/{action}", headers={"X-Admin-Key": ADMIN}, raw=b'{"service": "redis"}'
            )
            self.assertEqual(status, 200)
            self.wait_for_cache(server, state)


class Lost(RedisTest):
    """Whatever Redis does, under load."""

    def start(self, url, cluster=False, keys=1):
        server = self.lab(
            url, cluster, RATE_LIMIT_REQUESTS_PER_SECOND="100000", RATE_LIMIT_BURST="100000", CACHE_TTL_SECONDS="60"
        )
        self.token = self.user(server, tier="unlimited")
        callers = [self.key(server, "enterprise", f"k{i}") for i in range(keys)]
        self.wait_for_cache(server, "healthy")
        return server, callers

    def test_killed_and_started_again(self):
        node = self.redis.single()
        server, callers = self.start(self.redis.url([node], redis_servers.USER))
        load = self.load([server], callers, per_second=200)
        node.kill()
        ready = self.wait_for_cache(server, "degraded")
        self.assertEqual(ready["status"], "degraded")
        self.assertEqual(self.metric(server, 'health_status{component="cache",critical="false"}'), 0.5)
        self.assertEqual(self.metric(server, 'circuit_breaker_state{service="redis"}'), 2)
        shown = self.detailed(server)
        self.assertIn("Redis cannot be reached", shown["components"]["cache"]["message"])
        self.assertNotIn(str(node.port), str(shown))
        node.start()
        self.wait_for_cache(server, "healthy")
        self.assertGreater(self.detailed(server)["pools"]["redis"]["limited_alone"], 0)
        self.assertEqual(self.metric(server, 'circuit_breaker_state{service="redis"}'), 0)
        self.assert_all_answered(load.stop())
        self.assert_no_secret(server)

    def test_silent_and_awake_again(self):
        node = self.redis.single()
        server, callers = self.start(self.redis.url([node], redis_servers.USER))
        load = self.load([server], callers, per_second=200)
        os.kill(node.process.pid, signal.SIGSTOP)
        self.wait_for_cache(server, "degraded")
        os.kill(node.process.pid, signal.SIGCONT)
        self.wait_for_cache(server, "healthy")
        self.assert_all_answered(load.stop())

    def test_slow_cut_and_flapping(self):
        node = self.redis.single()
        proxy = FaultProxy(node.port)
        self.addCleanup(proxy.close)
        url = f"redis://{redis_servers.USER}:{self.redis.password}@127.0.0.1:{proxy.port}"
        server, callers = self.start(url)
        load = self.load([server], callers, per_second=200)
        for fault in ("slow", "cut", "refuse", "cut", "refuse", "slow"):
            proxy.fault = fault
            self.wait_for_cache(server, "degraded")
            proxy.fault = None
            self.wait_for_cache(server, "healthy")
        self.assert_all_answered(load.stop())
        self.assertGreater(self.detailed(server)["pools"]["redis"]["limited_alone"], 0)

    def test_absent_from_the_start(self):
        node = self.redis.single()
        node.kill()
        server = self.lab(self.redis.url([node], redis_servers.USER))
        self.token = self.user(server, tier="unlimited")
        caller = self.key(server, "professional")
        self.wait_for_cache(server, "degraded")
        status, headers, _ = server.call("GET", "/experiments?limit=1", headers=caller)
        self.assertEqual((status, headers["X-RateLimit-Remaining"]), (200, "199"))
        node.start()
        self.wait_for_cache(server, "healthy")
        code, took = server.stop()
        self.assertEqual(code, 0)
        self.assertLess(took, 14)

    @staticmethod
    def masters(nodes):
        """Most keys first. Who was made one may be none any more: a replica takes over too where its master gets no
        processor for a while."""
        found = [node for node in nodes if node.ask("ROLE")[0] == "master"]
        return sorted(found, key=lambda node: -node.ask("DBSIZE"))

    def test_a_master_of_a_cluster_is_killed_and_slots_move(self):
        nodes = self.redis.cluster()
        server, callers = self.start(self.redis.url(nodes[:2]), cluster=True, keys=12)
        load = self.load([server], callers, per_second=200)
        dead = self.masters(nodes)[0]
        dead.kill()
        self.wait_for_cache(server, "degraded")
        self.wait_for_cache(server, "healthy", 60)  # its replica has taken over
        # From where buckets are, so that the move is met.
        source, target = self.masters(node for node in nodes if node is not dead)[:2]
        moved = subprocess.run(
            [redis_servers.CLI, "-a", self.redis.password, "--no-auth-warning", "--cluster", "reshard",
             f"127.0.0.1:{source.port}", "--cluster-from", source.ask("CLUSTER", "MYID"),
             "--cluster-to", target.ask("CLUSTER", "MYID"), "--cluster-slots", "5461", "--cluster-yes"],
            capture_output=True, text=True, timeout=120,
        )
        self.assertEqual(moved.returncode, 0, moved.stdout[-2000:] + moved.stderr)
        self.wait_for_cache(server, "healthy")
        self.assert_all_answered(load.stop())
        shown = self.detailed(server)["pools"]["redis"]
        self.assertGreater(shown["redirected"], 0)
        self.assertGreater(sum(load.counts.values()), 1000)
        print(f"{sum(load.counts.values())} requests, {shown}")
        self.assert_no_secret(server)


class Signals(RedisTest):
    def pair(self):
        node = self.redis.single()
        servers = [self.lab(self.redis.url([node], redis_servers.USER)) for _ in range(2)]
        self.token = self.user(servers[0], tier="unlimited")
        for server in servers:
            self.wait_for_cache(server, "healthy")
        return servers

    def until(self, condition, seconds=20):
        """Waits for it; gives the seconds it took."""
        begun = time.monotonic()
        while not condition():
            self.assertLess(time.monotonic(), begun + seconds)
        return time.monotonic() - begun

    def test_a_key_that_one_process_revokes_is_refused_by_the_other_at_once(self):
        one, other = self.pair()
        took = []
        for i in range(5):
            body = {"name": f"k{i}", "scopes": ["*"], "rate_limit_tier": "unlimited"}
            made = self.made(one, self.token, "/admin/api-keys", body)
            caller = {"X-API-Key": made["key"]}
            # The other one has found it good a moment ago, and would for a second and a half.
            self.assertEqual(other.call("GET", "/experiments?limit=1", headers=caller)[0], 200)
            self.assertIn(one.call("DELETE", f"/admin/api-keys/{made['id']}", token=self.token)[0], (200, 204))
            took.append(self.until(lambda: other.call("GET", "/experiments?limit=1", headers=caller)[0] == 401))
        print("revoked elsewhere after", [f"{1000 * one:.0f} ms" for one in took])
        self.assertLess(min(took), 1, "sooner than it would have by itself")

    def test_a_switch_is_seen_by_the_other(self):
        one, other = self.pair()
        took = []
        for action, state in (("open", "degraded"), ("close", "healthy")) * 3:
            one.call("POST", f"/admin/circuit-breaker/{action}", headers={"X-Admin-Key": ADMIN}, raw=b'{"service": "redis"}')
            began = time.monotonic()
            self.wait_for_cache(other, state)
            took.append(time.monotonic() - began)
        print("breaker seen elsewhere after", [f"{1000 * one:.0f} ms" for one in took])


class Reports(RedisTest):
    """The second level of the cache."""

    ROWS = 60

    def upload(self, server, token, name, rows):
        return test_serve.Experiments.upload(self, server, token, name, rows)

    def hits(self, server):
        return self.metric(server, 'cache_hits_total{cache="reports_shared"}') or 0

    def test_a_report_that_one_process_made_is_found_by_the_other(self):
        node = self.redis.single()
        one, other = (self.lab(self.redis.url([node], redis_servers.USER)) for _ in range(2))
        token = self.user(one, tier="unlimited")
        for server in (one, other):
            self.wait_for_cache(server, "healthy")
        questions = self.upload(one, token, "sums", test_serve.Experiments.rows(self))
        model = self.made(one, token, "/models", {
            "name": "m", "provider": "custom", "model_identifier": "m",
            "config": {"replay_dataset": self.upload(one, token, "outputs", test_serve.Experiments.outputs(self, 3))},
        })["id"]
        made = self.made(one, token, "/experiments", {"name": "sums", "config": {
            "model_ids": [model], "dataset_ids": [questions],
            "scorers": [{"type": "numeric", "id": "accuracy", "reference": "{{answer}}"}],
        }})
        path = f"/experiments/{made['id']}"
        self.assertEqual(one.call("POST", f"{path}/start", token=token)[0], 200)
        run = f"{path}/runs/{one.call('GET', f'{path}/runs', token=token)[2]['data'][0]['id']}"
        deadline = time.monotonic() + 60
        while one.call("GET", run, token=token)[2]["status"] != "completed":
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)
        status, _, first = one.call("GET", f"{run}/report", token=token)
        self.assertEqual(status, 200, first)
        self.assertEqual(self.hits(other), 0)
        self.assertEqual(other.call("GET", f"{run}/report", token=token)[2], first)
        self.assertEqual(self.hits(other), 1)
        cleared = other.call("POST", "/admin/cache/clear", headers={"X-Admin-Key": ADMIN}, raw=b"{}")
        self.assertEqual((cleared[0], cleared[2]["cleared"]), (202, 1), cleared[2])
        self.assertEqual(other.call("GET", f"{run}/report", token=token)[2], first)
        self.assertEqual(self.hits(other), 1, "cleared for everybody")


class Settings(RedisTest):
    def test_tls_is_spoken_to_a_server_that_somebody_vouches_for(self):
        node, certificate = self.redis.with_tls()
        url = self.redis.url([node], host="localhost")
        trusting = self.lab(url, SSL_CERT_FILE=str(certificate))
        self.wait_for_cache(trusting, "healthy")
        self.assertEqual(trusting.stop()[0], 0)
        careful = self.lab(url)
        self.wait_for_cache(careful, "degraded")
        told = [one for one in list(careful.log) if one["target"].endswith("redis")]
        self.assertIn("certificate", str(told))

    def test_a_url_that_is_none_stops_the_start_and_is_not_shown(self):
        home = support.Home(self.folder)
        for url in ("redis://:hunter2hunter2@cache:0", "redis://hunter2hunter2@cache"):
            done = home.run("serve", "--port", "0", env={"REDIS_URL": url, "METRICS_PORT": "0"})
            self.assertNotEqual(done.code, 0)
            self.assertIn("REDIS_URL: ", done.err)
            self.assertNotIn("hunter2", done.err + done.out)

    def test_a_wrong_password_is_told_to_the_operator_and_nobody_else(self):
        node = self.redis.single()
        server = self.lab(f"redis://{redis_servers.USER}:hunter2hunter2@127.0.0.1:{node.port}")
        self.token = self.user(server)
        self.wait_for_cache(server, "degraded")
        told = [one for one in list(server.log) if one["target"].endswith("redis")]
        self.assertIn("WRONGPASS", str(told))
        self.assertNotIn("hunter2", str(server.log))
        self.assertNotIn("WRONGPASS", str(self.detailed(server)))


if __name__ == "__main__":
    unittest.main()
