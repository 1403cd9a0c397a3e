"""What holds on the embedded store holds over real PostgreSQL, Redis and S3 servers: the tests of the API from
outside, once more. `make test-stack` runs these alone."""
import subprocess
import unittest

import test_client_runs
import test_conventions
import test_data
import test_evaluations
import test_judge
import test_jwt
import test_keys
import test_migrate
import test_objects
import test_postgres
import test_redis
import test_serve


class Stack:
    """The servers that all tests of this file share."""


def setUpModule():
    if not test_redis.redis_servers.is_installed():
        raise unittest.SkipTest("redis-server is not installed (tools/packages.txt)")
    if not test_objects.s3_tool.PROGRAM.exists():
        raise unittest.SkipTest("no S3 server: tools/s3.py --build makes one")
    Stack.postgres = unittest.enterModuleContext(test_postgres.postgres.Servers())
    redis = test_redis.redis_servers.Servers()
    unittest.addModuleCleanup(redis.__exit__)
    s3 = unittest.enterModuleContext(test_objects.s3_tool.Server())
    Stack.env = {
        "REDIS_URL": redis.url([redis.single()], test_redis.redis_servers.USER),
        "S3_BUCKET": test_objects.s3_tool.BUCKET, "S3_ENDPOINT": f"http://127.0.0.1:{s3.port}",
        "AWS_ACCESS_KEY_ID": s3.key, "AWS_SECRET_ACCESS_KEY": s3.secret,
    }


class OnStack(test_postgres.OnPostgres):
    """For a class of tests: a database for each, the rest shared."""

    @classmethod
    def start_servers(cls):
        return Stack.postgres

    def server(self, **given):
        return super().server(**{**Stack.env, **given})


class FirstHour(OnStack, test_serve.FirstHour):
    PARTS = ("database", "cache", "storage")


class Experiments(OnStack, test_serve.Experiments):
    def in_store(self, _, sql):
        test_migrate.sql(self.url, sql)


class ClientRuns(OnStack, test_client_runs.ClientRuns):
    pass


class Records(OnStack, test_evaluations.Records):
    pass


class Definitions(OnStack, test_evaluations.Definitions):
    pass


class Comparisons(OnStack, test_evaluations.Comparisons):
    pass


class Judges(OnStack, test_judge.Judges):
    pass


class Batches(OnStack, test_data.Batches):
    pass


class Lists(OnStack, test_data.Lists):
    pass


class Artifacts(OnStack, test_data.Artifacts):
    pass


class Conventions(OnStack, test_conventions.Conventions):
    pass


class Keys(OnStack, test_keys.Keys):
    def store_bytes(self):
        """All that PostgreSQL has, as text: hashes are in hexadecimal digits."""
        return subprocess.run(["pg_dump", "--data-only", self.url], check=True, capture_output=True, timeout=60).stdout

    def stored_hashes(self):
        return (
            set(map(int, test_migrate.sql(self.url, "SELECT octet_length(key_hash) FROM api_keys").split())),
            test_migrate.sql(self.url, "SELECT password_hash FROM users").split(),
        )


class Passwords(OnStack, test_keys.Passwords):
    # A measurement, which says nothing of the store.
    test_unknown_users_take_as_long_as_wrong_passwords = None


class Lives(OnStack, test_jwt.Lives):
    pass


if __name__ == "__main__":
    unittest.main()
