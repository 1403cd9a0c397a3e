#!/usr/bin/env python3
"""The real sqlx-cli and `llm-research migrate` on one PostgreSQL, in both orders: each sees what the other
did and has nothing left to do. Usage: run.py SQLX LLM_RESEARCH. It starts a server of its own."""
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
from tools import postgres  # noqa: E402

STEPS = list((ROOT / "migrations").glob("*.up.sql"))


class Both:
    def __init__(self, sqlx, ours, url):
        self.sqlx, self.ours, self.url = sqlx, ours, url

    def call(self, command):
        done = subprocess.run(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              env={**os.environ, "DATABASE_URL": self.url}, timeout=300, check=False)
        print("$", " ".join(map(str, command[1:])), "\n" + done.stdout.rstrip(), flush=True)
        if done.returncode != 0:
            raise SystemExit(f"exit code {done.returncode}")
        return done.stdout

    def theirs(self, *words):
        return self.call([self.sqlx, "migrate", *words])

    def us(self, *words):
        return self.call([self.ours, "migrate", *words])

    def check(self, installed):
        """Both say that the first so many steps are there."""
        for said in (self.theirs("info").lower(), self.us("info").lower()):
            states = ["installed" in line for line in said.splitlines() if "installed" in line or "pending" in line]
            if states != [i < installed for i in range(len(STEPS))]:
                raise SystemExit(f"{installed} steps are there, and it says {states}")


def database(url, name):
    subprocess.run(["psql", url, "-qc", f"CREATE DATABASE {name}"], check=True, timeout=60)
    return url.replace("/postgres", f"/{name}")


def main(sqlx, ours):
    with postgres.Servers() as servers:
        url = servers.env["LAB_TEST_POSTGRES_URL"]
        both = Both(sqlx, ours, database(url, "theirs_first"))
        both.theirs("run")
        both.check(len(STEPS))
        both.us("run")
        both.us("revert")
        both.check(len(STEPS) - 1)
        both.theirs("run")
        both.check(len(STEPS))
        both = Both(sqlx, ours, database(url, "ours_first"))
        both.us("run")
        both.check(len(STEPS))
        both.theirs("run")
        both.theirs("revert")
        both.check(len(STEPS) - 1)
        both.us("run")
        both.check(len(STEPS))
    print(f"sqlx and llm-research agree on {len(STEPS)} steps, in both orders")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
