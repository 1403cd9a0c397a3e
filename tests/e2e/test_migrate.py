"""The schema of PostgreSQL by the commands of an operator, beside a server of their own."""
import pathlib
import subprocess
import sys
import unittest

import support

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tools import postgres  # noqa: E402


def sql(url, text):
    """What psql answers."""
    return subprocess.run(["psql", url, "-qtAXc", text], check=True, text=True, capture_output=True,
                          timeout=60).stdout.strip()


@unittest.skipUnless((postgres.BIN / "initdb").exists(), "PostgreSQL is not installed")
class Migrate(support.LabTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.servers = cls.enterClassContext(postgres.Servers())
        cls.url = cls.servers.env["LAB_TEST_POSTGRES_URL"]

    def migrate(self, *arguments, code=support.PASSED):
        done = self.home.run("migrate", *arguments, env={"DATABASE_URL": self.url})
        self.assertEqual(done.code, code, done)
        return done

    def states(self):
        return [row["state"] for row in self.migrate("info", "-o", "json").json()]

    def test_runs_shows_and_reverts(self):
        self.assertEqual(set(self.states()), {"pending"})
        self.assertIn("init", self.migrate("run").out)
        self.assertEqual(set(self.states()), {"installed"})
        self.assertEqual(sql(self.url, "SELECT name FROM orgs"), "default")
        self.assertIn("nothing to do", self.migrate("run").err)
        self.migrate("revert", "--target-version", "0")
        self.assertEqual(set(self.states()), {"pending"})
        self.migrate("run")
        sql(self.url, "INSERT INTO _sqlx_migrations VALUES (99999999, 'later', now(), true, '', 1)")
        refused = self.migrate("run", code=support.OTHER)
        self.assertIn("newer version", refused.err)
        sql(self.url, "DELETE FROM _sqlx_migrations WHERE version = 99999999")

    def test_no_database_is_said_and_no_password_is(self):
        none = self.home.run("migrate", "info")
        self.assertEqual(none.code, support.BAD_INPUT, none)
        self.assertIn("DATABASE_URL", none.err)
        wrong = self.home.run("migrate", "info", "--database-url",
                              "postgresql://lab:hunter2@127.0.0.1:1/lab")
        self.assertEqual(wrong.code, support.OTHER, wrong)
        self.assertNotIn("hunter2", wrong.out + wrong.err)


if __name__ == "__main__":
    unittest.main()
