"""The service over PostgreSQL, from outside: what holds on the embedded store holds there."""
import pathlib
import sys
import time
import unittest

import support
import test_migrate
import test_serve

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tools import postgres  # noqa: E402


@unittest.skipUnless((postgres.BIN / "initdb").exists(), "PostgreSQL is not installed")
class OnPostgres:
    """For a class of tests: a server of its own, a database for each test."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.servers = cls.start_servers()

    @classmethod
    def start_servers(cls):
        return cls.enterClassContext(postgres.Servers())

    def setUp(self):
        url = self.servers.env["LAB_TEST_POSTGRES_URL"]
        name = f"{type(self).__name__}_{self._testMethodName}"[:60].lower()
        test_migrate.sql(url, f"CREATE DATABASE {name}")
        self.url = url.replace("/postgres", f"/{name}")
        super().setUp()

    def server(self, **given):
        return super().server(**{
            "DATABASE_URL": self.url, "ENVIRONMENT": "development", "SERVER_HOST": "127.0.0.1",
            "JWT_SECRET": "a secret of at least thirty-two bytes", **given})


class FirstHour(OnPostgres, test_serve.FirstHour):
    def test_what_was_made_is_there_after_a_restart(self):
        server = self.server()
        token = self.user(server)
        made = self.made(server, token, "/experiments", {"name": "kept"})
        self.assertEqual(server.stop()[0], 0)
        again = self.server()
        status, _, shown = again.call("GET", f"/experiments/{made['id']}", token=token)
        self.assertEqual((status, shown["name"]), (200, "kept"), shown)
        tables = test_migrate.sql(self.url, "SELECT name FROM experiments")
        self.assertEqual(tables, "kept")


class Copies(OnPostgres, test_serve.ServeTest):
    """Lists are read from a replica, and nothing else is."""

    def names(self, server, token):
        status, _, page = server.call("GET", "/experiments?sort=name", token=token)
        self.assertEqual(status, 200, page)
        return [one["name"] for one in page["data"]]

    def until(self, condition, seconds=20):
        end = time.monotonic() + seconds
        while not condition():
            self.assertLess(time.monotonic(), end)
            time.sleep(0.02)

    def test_lists_come_from_the_replica_and_from_the_primary_when_it_is_away(self):
        port = self.servers.start_standby()
        copy = self.url.rsplit(":", 1)[0] + f":{port}/" + self.url.rsplit("/", 1)[1]
        server = self.server(DATABASE_READ_URL=copy)
        token = self.user(server)
        one = self.made(server, token, "/experiments", {"name": "one"})
        self.until(lambda: self.names(server, token) == ["one"])
        self.assertNotEqual(test_migrate.sql(
            copy, "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'llm-research%'"), "0")
        # The replica stands still: lists show what was, and what goes by a revision or an id what is.
        test_migrate.sql(copy, "SELECT pg_wal_replay_pause()")
        self.made(server, token, "/experiments", {"name": "two"})
        path = f"/experiments/{one['id']}"
        _, headers, _ = server.call("GET", path, token=token)
        status, changed, _ = server.call("PUT", path, {"name": "1"}, token, {"If-Match": headers["ETag"]})
        self.assertEqual(status, 200)
        _, headers, shown = server.call("GET", path, token=token)
        self.assertEqual((shown["name"], headers["ETag"]), ("1", changed["ETag"]))
        self.assertEqual(self.names(server, token), ["one"])
        test_migrate.sql(copy, "SELECT pg_wal_replay_resume()")
        self.until(lambda: self.names(server, token) == ["1", "two"])
        self.servers.kill_standby()
        self.assertEqual(self.names(server, token), ["1", "two"])
        self.assertEqual(server.stop()[0], 0)


@unittest.skipUnless((postgres.BIN / "initdb").exists(), "PostgreSQL is not installed")
class Tls(support.LabTest):
    """Every mode of TLS against a server that takes nothing else."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.servers = cls.enterClassContext(postgres.Servers(tls=True))
        cls.url = cls.servers.env["LAB_TEST_POSTGRES_URL"]

    def info(self, host, **more):
        query = "&".join(f"{name}={value}" for name, value in more.items())
        url = f"{self.url.replace('127.0.0.1', host)}?{query}"
        return self.home.run("migrate", "info", "-o", "json", env={"DATABASE_URL": url})

    def test_a_server_that_somebody_vouches_for_is_spoken_to(self):
        for mode in ("require", "verify-ca", "verify-full"):
            done = self.info("localhost", sslmode=mode, sslrootcert=self.servers.authority)
            self.assertEqual(done.code, support.PASSED, (mode, done))
        self.assertEqual(self.info("127.0.0.1", sslmode="verify-ca", sslrootcert=self.servers.authority).code, 0)

    def test_another_name_is_refused_and_so_is_another_authority(self):
        done = self.info("127.0.0.1", sslmode="verify-full", sslrootcert=self.servers.authority)
        self.assertEqual(done.code, support.OTHER, done)
        self.assertIn("a certificate for another name", done.err)
        done = self.info("localhost", sslmode="verify-full", sslrootcert="/etc/ssl/certs/ca-certificates.crt")
        self.assertEqual(done.code, support.OTHER, done)
        self.assertIn("sslrootcert", done.err)
        done = self.info("localhost", sslmode="disable")
        self.assertEqual(done.code, support.OTHER, done)
        self.assertIn("wants TLS", done.err)
        for one in (done.err, done.out):
            self.assertNotIn(self.servers.password, one)


if __name__ == "__main__":
    unittest.main()
