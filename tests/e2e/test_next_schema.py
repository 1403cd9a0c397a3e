"""A release on the schema of the next one, as after a rollback: the tests of the API from outside once more, on a
database whose every table has grown, and what is said when it has lost something."""
import unittest

import support
import test_migrate
import test_stack

setUpModule = test_stack.setUpModule

LATER = 99999999
GROW = f"""
DO $$ DECLARE one record; BEGIN
    FOR one IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> '_sqlx_migrations' LOOP
        EXECUTE format('ALTER TABLE %I ADD COLUMN later_words TEXT NOT NULL DEFAULT %L', one.tablename, 'later');
        EXECUTE format('ALTER TABLE %I ADD COLUMN later_number BIGINT', one.tablename);
        EXECUTE format('CREATE INDEX ON %I (later_number)', one.tablename);
    END LOOP;
END $$;
CREATE TABLE later_things (k BIGINT PRIMARY KEY, run BIGINT REFERENCES runs (key) ON DELETE CASCADE);
INSERT INTO _sqlx_migrations VALUES ({LATER}, 'later', now(), true, '', 1);
"""


class OnNextSchema:
    """For a class of tests on the stack: each database is migrated by a later release first."""

    def setUp(self):
        super().setUp()
        done = self.home.run("migrate", "run", env={"DATABASE_URL": self.url})
        self.assertEqual(done.code, support.PASSED, done)
        test_migrate.sql(self.url, GROW)


class FirstHour(OnNextSchema, test_stack.FirstHour):
    pass


class Experiments(OnNextSchema, test_stack.Experiments):
    pass


class ClientRuns(OnNextSchema, test_stack.ClientRuns):
    pass


class Records(OnNextSchema, test_stack.Records):
    pass


class Batches(OnNextSchema, test_stack.Batches):
    pass


class Lists(OnNextSchema, test_stack.Lists):
    pass


class Artifacts(OnNextSchema, test_stack.Artifacts):
    pass


class Keys(OnNextSchema, test_stack.Keys):
    pass


class Lives(OnNextSchema, test_stack.Lives):
    pass


class TooNew(OnNextSchema, test_stack.OnStack, test_stack.test_serve.ServeTest):
    def test_what_needs_a_newer_program_says_so_and_nothing_is_migrated(self):
        test_migrate.sql(self.url, "INSERT INTO service_settings VALUES ('schema_needs', '99999999', '', '')")
        env = {"DATABASE_URL": self.url, "ENVIRONMENT": "development", "SERVER_HOST": "127.0.0.1",
               "JWT_SECRET": "a secret of at least thirty-two bytes"}
        for command in (("serve",), ("worker",), ("migrate", "run")):
            refused = self.home.run(*command, env=env)
            self.assertEqual(refused.code, support.OTHER, refused)
            self.assertIn("newer version", refused.err)
            self.assertIn(f"step {LATER} (later)", refused.err)
        test_migrate.sql(self.url, "DELETE FROM service_settings WHERE name = 'schema_needs'")
        server = self.server()
        self.assertEqual(server.call("GET", "/health/ready")[0], 200)
        refused = self.home.run("migrate", "run", env=env)
        self.assertEqual(refused.code, support.OTHER, refused)
        shown = self.home.run("migrate", "info", "-o", "json", env=env).json()
        self.assertEqual(shown[-1]["state"], "installed (unknown here)")


if __name__ == "__main__":
    unittest.main()
