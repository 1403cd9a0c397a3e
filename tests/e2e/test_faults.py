"""What the service does while a server it stands on is away, slow, or comes and goes, under load: each row of
the table in tests/faults. `make test-faults` takes a minute for each fault, this two seconds."""
import pathlib
import sys
import threading
import time
import unittest
import urllib.parse

import fault_proxy
import test_analytics
import test_migrate
import test_objects
import test_postgres
import test_redis
import test_secrets_manager
import test_serve
import test_traces

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "faults"))
import faults  # noqa: E402


def tearDownModule():
    if faults.Table.ROWS:
        faults.Table.show()


class Faults(test_postgres.OnPostgres, test_serve.ServeTest):
    """A service on PostgreSQL, Redis and S3, and one more where that is what suffers; a proxy before each."""

    def setUp(self):
        if not test_redis.redis_servers.is_installed():
            self.skipTest("redis-server is not installed (tools/packages.txt)")
        if not test_objects.s3_tool.PROGRAM.exists():
            self.skipTest("no S3 server: tools/s3.py --build makes one")
        super().setUp()
        redis = test_redis.redis_servers.Servers()
        self.addCleanup(redis.__exit__)
        node = redis.single()
        s3 = self.enterContext(test_objects.s3_tool.Server())
        self.direct = self.url
        before, port = self.url.rsplit(":", 1)
        port, name = port.split("/")
        self.proxies = {
            "postgresql": self.proxy(int(port)), "redis": self.proxy(node.port), "s3": self.proxy(s3.port),
        }
        self.url = f"{before}:{self.proxies['postgresql'].port}/{name}"
        self.settings = {
            "REDIS_URL": f"redis://{test_redis.redis_servers.USER}:{redis.password}"
                         f"@127.0.0.1:{self.proxies['redis'].port}",
            "S3_BUCKET": test_objects.s3_tool.BUCKET, "S3_ENDPOINT": f"http://127.0.0.1:{self.proxies['s3'].port}",
            "AWS_ACCESS_KEY_ID": s3.key, "AWS_SECRET_ACCESS_KEY": s3.secret,
            "RATE_LIMIT_REQUESTS_PER_SECOND": "100000", "RATE_LIMIT_BURST": "100000",
        }

    def begin(self, **settings):
        """The service, with these settings besides or instead, and its user."""
        self.at = self.server(**{**self.settings, **settings})
        self.token = self.user(self.at, tier="unlimited")
        self.until(lambda: self.ready()[0] == "healthy", 30, "ready at the start")

    def proxy(self, port):
        out = fault_proxy.FaultProxy(port)
        out.both_ways = False  # two seconds later, as seen by who asks
        out.flap_seconds = min(5, faults.SECONDS / 2)
        self.addCleanup(out.close)
        return out

    def until(self, condition, seconds, what):
        """Waits for it; gives the seconds it took."""
        begun = time.monotonic()
        while not condition():
            self.assertLess(time.monotonic() - begun, seconds, what)
            time.sleep(0.05)
        return time.monotonic() - begun

    def ready(self, component=None):
        """How the service, or a component of it, is; and the status of the answer."""
        status, _, shown = self.at.call("GET", "/health/ready")
        where = shown["components"][component] if component else shown
        return where["status"], status

    def start_load(self, extra):
        experiment = self.made(self.at, self.token, "/experiments", {"name": "with artifacts"})["id"]
        run = self.made(self.at, self.token, f"/experiments/{experiment}/runs", {})["id"]
        artifacts = f"/experiments/{experiment}/runs/{run}/artifacts"
        kept = test_objects.Objects.send(
            self, self.at, self.token, f"{artifacts}?name=kept.bin", b"kept" * 1000, "application/octet-stream"
        )
        jobs = {
            "write": faults.write, "read": faults.read, "health": faults.health,
            "upload": faults.upload(artifacts), "download": faults.download(f"{artifacts}/{kept['id']}/content"),
            "measure": faults.measure(f"/experiments/{experiment}/runs/{run}"),
            "login": faults.login(test_serve.EMAIL, test_serve.PASSWORD),
        }
        self.jobs = [name for name in jobs if name not in ("measure", "login") or name in extra]
        load = faults.Load(self.at.port, self.token, {name: jobs[name] for name in self.jobs})
        self.addCleanup(load.stop)
        return load

    def suffer(self, dependency, fault, load):
        """One fault, from its begin until everything is well again."""
        proxy, begun = self.proxies[dependency.name], time.monotonic()
        proxy.fault = fault
        happened = []
        try:
            if fault in dependency.noticed:
                noticed = self.until(
                    lambda: self.ready(dependency.component)[0] != "healthy", dependency.noticed_max,
                    f"{dependency.name}, {fault}: noticed")
                self.assertEqual(self.ready()[1], 503 if dependency.critical else 200)
                happened.append(f"{'not ready' if dependency.critical else 'degraded'} after {noticed:.1f} s")
            elif dependency.component and not dependency.critical:
                self.assertEqual(self.ready()[1], 200)
            rest = begun + faults.SECONDS - time.monotonic()
            if rest > 0:
                threading.Event().wait(rest)
        finally:
            proxy.fault = None
        over = time.monotonic()
        self.until(lambda: self.ready() == ("healthy", 200), dependency.again_max,
                   f"{dependency.name}, {fault}: ready again")
        happened.append(f"well again after {time.monotonic() - over:.1f} s")
        well = time.monotonic()
        self.until(lambda: all(self.has_success(load, job, well) for job in self.jobs),
                   faults.READY_AGAIN_MAX, f"{dependency.name}, {fault}: every job succeeds again")
        answers = [one for one in load.since(begun) if one.at < well]
        faults.Table.add(dependency.name, fault, over - begun, answers,
                         f"{', '.join(happened)}; {faults.summary(answers)}")
        return answers

    @staticmethod
    def has_success(load, job, since):
        return any(one.job == job and faults.is_success(one.status) for one in load.since(since))

    def judge(self, dependency, fault, answers):
        for one in answers:
            where = (dependency.name, fault, one)
            if not faults.is_success(one.status):
                self.assertIn(one.status, dependency.may_fail.get(one.job, set()), where)
            self.assertLessEqual(one.seconds, dependency.job_max.get(one.job, 30), where)
        self.assertIsNone(self.at.process.poll(), "it is still there")

    def run_all(self, name):
        """Every fault; gives the load that went on meanwhile, after its end."""
        dependency = faults.DEPENDENCIES[name]
        load = self.start_load(dependency.extra)
        self.until(lambda: len(load.accepted) > 10, 30, "the load is real")
        judged = [(fault, self.suffer(dependency, fault, load)) for fault in faults.CHOSEN]
        load.stop()
        for fault, answers in judged:
            self.judge(dependency, fault, answers)
        stored = set(test_migrate.sql(self.direct, "SELECT id FROM experiments").split())
        self.assertEqual(set(load.accepted) - stored, set(), "nothing that was accepted is lost")
        return load

    def ends_well(self):
        self.assertEqual(self.at.stop()[0], 0)

    def test_postgresql(self):
        self.begin()
        self.run_all("postgresql")
        self.ends_well()

    def test_redis(self):
        self.begin()
        self.run_all("redis")
        self.ends_well()

    def test_s3(self):
        self.begin()
        self.run_all("s3")
        self.ends_well()

    def test_clickhouse(self):
        if not test_analytics.clickhouse.is_installed():
            self.skipTest("no ClickHouse: tools/clickhouse.py --build installs one")
        server = self.enterContext(test_analytics.clickhouse.Server())
        self.proxies["clickhouse"] = self.proxy(urllib.parse.urlsplit(server.url).port)
        self.begin(
            CLICKHOUSE_URL=f"http://127.0.0.1:{self.proxies['clickhouse'].port}", CLICKHOUSE_USER=server.user,
            CLICKHOUSE_PASSWORD=server.password, HEALTH_CHECK_INTERVAL="1s",
        )
        load = self.run_all("clickhouse")
        drained = self.until(
            lambda: test_migrate.sql(self.direct, "SELECT count(*) FROM outbox").strip() == "0", 60, "the outbox is empty")
        rows = server.rows(
            "SELECT count(), uniqExact(event_id) FROM experiment_metrics FINAL WHERE metric_name = 'loss'",
            test_analytics.DATABASE)
        stored = int(test_migrate.sql(self.direct, "SELECT count(*) FROM metric_values WHERE name = 'loss'"))
        self.assertGreaterEqual(stored, load.measured)
        self.assertEqual([tuple(map(int, row)) for row in rows], [(stored, stored)])
        faults.Table.add("clickhouse", "drained", drained, [], f"{load.measured} points accepted, {stored} there, each once")
        self.ends_well()

    def test_collector(self):
        if not test_traces.otel_collector.is_built():
            self.skipTest("no collector: tools/otel_collector.py --build makes one")
        collector = self.enterContext(test_traces.otel_collector.Collector())
        self.proxies["collector"] = self.proxy(collector.grpc_port)
        self.begin(
            OTEL_EXPORTER_ENDPOINT=f"http://127.0.0.1:{self.proxies['collector'].port}", OTEL_BSP_SCHEDULE_DELAY="50")
        self.run_all("collector")
        before = len(collector.spans())
        took = self.until(
            lambda: self.ready()[0] == "healthy" and len(collector.spans()) > before, 60, "spans arrive again")
        metrics = self.at.call("GET", "/metrics")[2]
        dropped = sum(float(line.split()[-1]) for line in metrics.splitlines() if line.startswith("trace_spans_dropped_total"))
        faults.Table.add("collector", "over", took, [], f"spans arrive again; {before} had come, {dropped:.0f} were dropped and counted")
        self.ends_well()

    def is_signed_anew(self, secret):
        """Whether the tokens of now are signed with it; asks not too often, logins are limited."""
        def look():
            time.sleep(0.5)
            return test_secrets_manager.is_signed_with(self.login(self.at), secret)
        return look

    def test_secrets(self):
        if not test_secrets_manager.moto_tool.is_built():
            self.skipTest("no server of Secrets Manager: tools/moto.py --build makes one")
        server = self.enterContext(test_secrets_manager.moto_tool.Server())
        self.proxies["secrets"] = self.proxy(server.port)
        first, second = test_secrets_manager.fresh_secret(), test_secrets_manager.fresh_secret()
        arn = server.create("lab/jwt", first)
        self.begin(**{
            **server.environment(), "AWS_ENDPOINT_URL_SECRETS_MANAGER": f"http://127.0.0.1:{self.proxies['secrets'].port}",
            # One account for both would have to be the same.
            "S3_BUCKET": "", "JWT_SECRET": "", "JWT_SECRET_ARN": arn, "SECRETS_REFRESH_INTERVAL": "1s",
        })
        self.run_all("secrets")
        server.rotate("lab/jwt", second)
        took = self.until(self.is_signed_anew(second), 60, "the rotated secret is used")
        faults.Table.add("secrets", "rotated", took, [], "tokens are signed with the new secret, no restart")
        self.ends_well()


class FailOver(test_postgres.OnPostgres, test_serve.ServeTest):
    """The primary dies under writes, and its synchronous standby takes over."""

    def test_no_accepted_write_is_lost(self):
        standby = self.servers.start_standby()
        before, port = self.url.rsplit(":", 1)
        port, name = port.split("/")
        at = self.server(
            DATABASE_URL=f"{before}:{port},127.0.0.1:{standby}/{name}",
            RATE_LIMIT_REQUESTS_PER_SECOND="100000", RATE_LIMIT_BURST="100000",
        )
        token = self.user(at, tier="unlimited")
        writers = {f"write {i}": faults.write for i in range(4)}
        load = faults.Load(at.port, token, {**writers, "health": faults.health}, pause=0.005)
        self.addCleanup(load.stop)
        self.wait(lambda: len(load.accepted) > 50, 30)
        self.servers.kill_primary()
        died, before_it = time.monotonic(), len(load.accepted)
        self.servers.promote()
        self.wait(lambda: any(one.status == 201 for one in load.since(died)), 30)
        took = min(one.at + one.seconds for one in load.since(died) if one.status == 201) - died
        after = len(load.accepted)
        self.wait(lambda: len(load.accepted) > after + 50, 30)
        answers = load.stop()
        stored = set(test_migrate.sql(f"{before}:{standby}/{name}", "SELECT id FROM experiments").split())
        self.assertEqual(set(load.accepted) - stored, set(), "nothing that was accepted is lost")
        for one in answers:
            self.assertIn(one.status, {200, 201, 503}, one)
            self.assertLessEqual(one.seconds, faults.WRITE_MAX, one)
        self.assertEqual({one.status for one in answers if one.job == "health"}, {200})
        faults.Table.add(
            "postgresql", "fail-over", took, [one for one in answers if one.at >= died],
            f"writable again after {took:.1f} s; {before_it} + {len(load.accepted) - before_it} writes, none lost")
        self.assertEqual(at.stop()[0], 0)

    def wait(self, condition, seconds):
        begun = time.monotonic()
        while not condition():
            self.assertLess(time.monotonic() - begun, seconds)
            time.sleep(0.01)
        return time.monotonic() - begun


if __name__ == "__main__":
    unittest.main()
