"""The service over PostgreSQL, from outside: what holds on the embedded store holds there."""
import pathlib
import sys
import unittest

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


if __name__ == "__main__":
    unittest.main()
