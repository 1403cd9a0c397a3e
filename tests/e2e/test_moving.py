"""A store that goes to another place: into an archive while it is served, out of it, from SQLite to PostgreSQL and
back, and by pg_dump and psql."""
import json
import os
import signal
import sqlite3
import subprocess
import tarfile
import time
import unittest
import urllib.request

import support
import test_migrate
import test_postgres
import test_serve

ROWS = b'{"id":"a","text":"one"}\n{"id":"b","text":"two \xc3\xa4"}\n'
SECRET = "a secret of at least thirty-two bytes"


class Moving(test_serve.ServeTest):
    def send(self, lab, token, path, data, kind="application/x-ndjson"):
        request = urllib.request.Request(lab.url(path), data=data, method="POST")
        request.add_header("Content-Type", kind)
        request.add_header("Authorization", f"Bearer {token}")
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.loads(answer.read())

    def fill(self, lab, token):
        """Some of everything; (path, what it shows) of what has to be there afterwards."""
        experiment = self.made(lab, token, "/experiments", {"name": "moved \u00e4"})["id"]
        run = self.made(lab, token, f"/experiments/{experiment}/runs", {})["id"]
        status, _, said = lab.call("POST", f"/experiments/{experiment}/runs/{run}/metrics",
                                   [{"name": "loss", "value": 0.1 * i, "step": i} for i in range(50)], token)
        self.assertEqual(status, 201, said)
        self.assertEqual(lab.call("POST", f"/experiments/{experiment}/runs/{run}/complete", token=token)[0], 200)
        dataset = self.made(lab, token, "/datasets", {"name": "d"})["id"]
        self.send(lab, token, f"/datasets/{dataset}/import", ROWS)
        key = self.made(lab, token, "/admin/api-keys", {"name": "k", "scopes": ["*"]})["key"]
        paths = (f"/experiments/{experiment}", f"/experiments/{experiment}/runs/{run}", f"/datasets/{dataset}",
                 f"/datasets/{dataset}/versions", "/experiments?limit=10", "/datasets?limit=10")
        return key, {path: lab.call("GET", path, token=token)[2] for path in paths}

    def assert_moved(self, lab, token, key, shown):
        for path, before in shown.items():
            status, _, after = lab.call("GET", path, token=token)
            self.assertEqual((status, after), (200, before), path)
        self.assertEqual(lab.call("GET", "/auth/me", headers={"X-API-Key": key})[0], 200)
        self.login(lab)

    def admin(self, *arguments, home=None, code=0, env=None):
        done = (home or self.home).run("admin", *arguments, env=env)
        self.assertEqual(done.code, code, str(done)) if code == 0 else self.assertNotEqual(done.code, 0, str(done))
        return done

    def another_home(self, name="other"):
        home = support.Home(self.folder)
        home.path = self.folder / name
        return home


class Archives(Moving):
    def test_an_archive_of_a_served_store_is_the_store(self):
        lab = self.server()
        token = self.user(lab)
        key, shown = self.fill(lab, token)
        archive = self.folder / "lab.tar"
        said = self.admin("backup", "--to", archive, "-o", "json").json()
        self.assertEqual(int(said["objects"]), 1)
        self.assertEqual(archive.stat().st_mode & 0o777, 0o600)
        with tarfile.open(archive) as opened:
            names = opened.getnames()
        self.assertEqual(names[:3], ["about.json", "lab.db", "jwt.secret"])
        self.made(lab, token, "/experiments", {"name": "after the backup"})

        home = self.another_home()
        self.admin("restore", "--from", archive, home=home)
        moved = self.server_of(home)
        self.assert_moved(moved, token, key, shown)
        refused = self.admin("restore", "--from", archive, home=home, code=1)
        self.assertIn("--force", refused.err)
        in_use = self.admin("restore", "--from", archive, "--force", home=home, code=1)
        self.assertIn("another process has", in_use.err)
        self.made(moved, token, "/experiments", {"name": "goes again"})
        self.assertEqual(moved.stop()[0], 0)
        self.admin("restore", "--from", archive, "--force", home=home)
        self.assert_moved(self.server_of(home), token, key, shown)
        self.assertEqual(self.admin("backup", "--to", archive, code=1).err.count("is there already"), 1)
        self.assertEqual(sorted(path.name for path in self.folder.glob("lab.tar*")), ["lab.tar"])

    def server_of(self, home):
        outer = self

        class There(test_serve.Server):
            def __init__(self, test, arguments=(), **env):
                super().__init__(test, arguments, LLM_RESEARCH_HOME=str(home.path), **env)
        return outer.server(There)

    def test_what_is_no_archive_changes_nothing(self):
        self.admin("create-token", "--email", "nobody@example.org", code=1)  # makes a store
        before = (self.home.path / "lab.db").read_bytes()
        archive = self.folder / "lab.tar"
        self.admin("backup", "--to", archive)
        whole = archive.read_bytes()
        broken = self.folder / "broken.tar"
        at = whole.index(b"SQLite format 3")
        for data, words in ((whole[: len(whole) // 2], "cut off"), (b"no archive" * 100, "archive"),
                            (whole[:at] + b"\0" * 4096 + whole[at + 4096:], "lab.db")):
            broken.write_bytes(data)
            home = self.another_home()
            said = self.admin("restore", "--from", broken, home=home, code=1)
            self.assertIn(words, said.err)
            self.assertEqual(list(home.path.iterdir()), [])
        self.assertEqual((self.home.path / "lab.db").read_bytes()[:100], before[:100])
        said = self.admin("backup", "--to", self.folder / "x.tar", code=1, env={"DATABASE_URL": "postgresql://h/d"})
        self.assertIn("pg_dump", said.err)


class Databases(test_postgres.OnPostgres, Moving):
    def embedded(self):
        """A store of SQLite with something in it, and nobody who uses it."""
        lab = test_serve.ServeTest.server(self, JWT_SECRET=SECRET)
        token = self.user(lab)
        key, shown = self.fill(lab, token)
        self.assertEqual(lab.stop()[0], 0)
        return token, key, shown

    def move(self, source, target, code=0):
        return self.admin("migrate-store", "--from", source, "--to", target, "-o", "json", code=code)

    def test_sqlite_goes_to_postgres_and_back(self):
        token, key, shown = self.embedded()
        source = f"sqlite:{self.home.path}"
        there = self.move(source, self.url)
        tables = there.json()
        self.assertGreater(len(tables), 20)
        self.assertEqual({row["equal"] for row in tables}, {"yes"})
        self.assertIn("objects", there.err)
        again = self.move(source, self.url).json()
        self.assertEqual(sum(int(row["copied"]) for row in again), 0)
        back = self.move(self.url, f"sqlite:{self.folder / 'back.db'}").json()
        self.assertEqual({row["table"]: row["hash"] for row in back}, {row["table"]: row["hash"] for row in tables})

        lab = self.server(JWT_SECRET=SECRET)
        self.assert_moved(lab, token, key, shown)
        # What is written there is no copy any more.
        self.made(lab, token, "/experiments", {"name": "new"})
        self.assertEqual(lab.stop()[0], 0)
        refused = self.move(source, self.url, code=1)
        self.assertIn("the target is not empty", refused.err)

    def test_a_copy_that_is_killed_goes_on(self):
        self.embedded()
        with sqlite3.connect(self.home.path / "lab.db") as db:
            run, = db.execute("SELECT max(key) FROM runs").fetchone()
            db.executemany(
                "INSERT INTO metric_values (run, name, step, value, timestamp) VALUES (?, 'many', ?, 0.5, '2026')",
                ((run, i) for i in range(60_000)))
        arguments = ("admin", "migrate-store", "--from", f"sqlite:{self.home.path}", "--to", self.url)
        process = self.home.start(*arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 60
        copied = 0
        while process.poll() is None and time.monotonic() < end and copied == 0:
            made = test_migrate.sql(self.url, "SELECT to_regclass('metric_values') IS NOT NULL")
            copied = int(test_migrate.sql(self.url, "SELECT count(*) FROM metric_values")) if made == "t" else 0
        process.send_signal(signal.SIGKILL)
        process.wait(30)
        self.assertLess(copied, 60_050)
        self.assertGreater(copied, 0)
        rows = {row["table"]: row for row in self.move(f"sqlite:{self.home.path}", self.url).json()}
        self.assertEqual(int(rows["metric_values"]["rows"]), 60_050)
        self.assertLess(int(rows["metric_values"]["copied"]), 60_050)
        self.assertEqual({row["equal"] for row in rows.values()}, {"yes"})

    def test_a_dump_is_restored_by_psql(self):
        lab = self.server(JWT_SECRET=SECRET)
        token = self.user(lab)
        key, shown = self.fill(lab, token)
        dump = subprocess.run(["pg_dump", self.url], check=True, capture_output=True, timeout=60).stdout
        self.assertEqual(lab.stop()[0], 0)
        name = os.path.basename(self.url) + "_restored"
        test_migrate.sql(self.url, f"CREATE DATABASE {name}")
        url = self.url.rpartition("/")[0] + "/" + name
        done = subprocess.run(["psql", "-q", "-v", "ON_ERROR_STOP=1", url], input=dump, capture_output=True,
                              timeout=60, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        again = self.server(JWT_SECRET=SECRET, DATABASE_URL=url)
        self.assert_moved(again, token, key, shown)
        self.made(again, token, "/experiments", {"name": "keys go on"})


if __name__ == "__main__":
    unittest.main()
