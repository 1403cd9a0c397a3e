"""The schema of PostgreSQL by the commands of an operator, beside a server of their own."""
import contextlib
import pathlib
import subprocess
import sys
import time
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

    def start(self, url):
        return self.home.start("migrate", "run", env={"DATABASE_URL": url}, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE)

    def fresh(self, name):
        sql(self.url, f"CREATE DATABASE {name}")
        return self.url.rsplit("/", 1)[0] + "/" + name

    def schema(self, url):
        dumped = subprocess.run(["pg_dump", "--schema-only", "--no-comments", url], check=True, capture_output=True,
                                text=True, timeout=60).stdout
        # pg_dump gives each of its scripts a word of its own.
        return [line for line in dumped.splitlines() if not line.startswith(("\\restrict", "\\unrestrict"))]

    def test_killed_in_the_middle_of_a_step_it_can_be_run_again(self):
        whole = self.fresh("whole")
        self.assertEqual(self.start(whole).communicate(timeout=60)[1], b"")
        url = self.fresh("killed")
        # A table of the first step that somebody else is making: the step has done half its work, and waits.
        other = subprocess.Popen(["psql", url, "-qAtX"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(other.communicate)
        other.stdin.write("BEGIN; CREATE TABLE experiments (x INT); SELECT 'made';\n")
        other.stdin.flush()
        self.assertEqual(other.stdout.readline(), "made\n")
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = 'killed'"
        killed = self.start(url)
        self.wait(lambda: sql(self.url, waiting) == "1")
        killed.kill()
        killed.communicate()
        self.assertEqual(sql(url, "SELECT to_regclass('orgs') IS NULL"), "t", "nothing of the step is to be seen")
        other.stdin.write("ROLLBACK;\n")
        other.stdin.flush()
        again = self.start(url)
        self.assertEqual(again.communicate(timeout=60)[1], b"")
        self.assertEqual(again.returncode, 0)
        self.assertEqual(self.schema(url), self.schema(whole))
        self.assertEqual(sql(url, "SELECT bool_and(success) FROM _sqlx_migrations"), "t")

    def test_killed_at_any_moment_it_can_be_run_again(self):
        whole = self.fresh("whole_too")
        begun = time.monotonic()
        self.start(whole).communicate(timeout=60)
        took = time.monotonic() - begun
        wanted = self.schema(whole)
        for number in range(6):
            url = self.fresh(f"killed_{number}")
            one = self.start(url)
            with contextlib.suppress(subprocess.TimeoutExpired):
                one.wait(took * (number + 1) / 7)
            one.kill()
            one.communicate()
            again = self.start(url)
            told = again.communicate(timeout=60)[1]
            self.assertEqual(again.returncode, 0, told)
            self.assertEqual(self.schema(url), wanted)

    def test_two_at_once_do_the_work_once(self):
        url = self.fresh("twice")
        both = [self.start(url) for _ in range(2)]
        for one in both:
            one.communicate(timeout=60)
            self.assertEqual(one.returncode, 0)
        self.assertEqual(sql(url, "SELECT count(*) = count(DISTINCT version) FROM _sqlx_migrations"), "t")

    def wait(self, condition, seconds=30):
        end = time.monotonic() + seconds
        while not condition():
            self.assertLess(time.monotonic(), end)
            time.sleep(0.02)

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
