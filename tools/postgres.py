#!/usr/bin/env python3
"""Runs a command beside a PostgreSQL server of its own, which goes when the command ends.

Usage: postgres.py COMMAND...

The server (Debian's postgresql-15) is empty, listens on the loopback address and keeps nothing: no
fsync, its data in a folder under /tmp. Before it stands a PgBouncer that gives connections out by
transaction. The command finds their addresses in LAB_TEST_POSTGRES_URL and LAB_TEST_PGBOUNCER_URL;
where the programs are not installed, the command runs without. The exit status is the command's.
"""
import contextlib
import os
import pathlib
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import private_server  # noqa: E402

BIN = pathlib.Path("/usr/lib/postgresql/15/bin")
PGBOUNCER = shutil.which("pgbouncer", path=os.environ.get("PATH", "") + ":/usr/sbin")
START_SECONDS = 60
USER = "lab"

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "100",
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "32MB",
    "wal_level": "logical",
    # So that a test can tell a commit that waits for the log from one that does not.
    "wal_writer_delay": "10s",
    "autovacuum": "off",
    "logging_collector": "off",
}


class Servers:
    """PostgreSQL and PgBouncer; a context that starts and stops them. With `tls` the server asks for TLS and
    shows a certificate for `localhost`, which `authority` signed; PgBouncer is not there then."""

    def __init__(self, tls=False):
        self.tls, self.authority = tls, None
        # PostgreSQL refuses to run as root.
        self.owner = pwd.getpwnam("postgres") if os.getuid() == 0 else None
        self.folder = None
        self.password = secrets.token_hex(8)
        self.running = []
        self.env = {}
        self.primary = self.standby = None

    def __enter__(self):
        if not (BIN / "initdb").exists():
            return self
        try:
            self.folder = pathlib.Path(tempfile.mkdtemp(prefix="lab-postgres-", dir="/tmp"))
            (self.folder / "password").write_text(self.password)
            self.give(self.folder)
            self.give(self.folder / "password")
            self.call([BIN / "initdb", "-D", self.folder / "data", "-U", USER, "--no-sync",
                       "--encoding=UTF8", "--locale=C.UTF-8", "--auth=scram-sha-256",
                       f"--pwfile={self.folder / 'password'}"])
            port = self.start_postgres(**(self.make_certificates() if self.tls else {}))
            self.env["LAB_TEST_POSTGRES_URL"] = self.url(port)
            if PGBOUNCER and not self.tls:
                self.env["LAB_TEST_PGBOUNCER_URL"] = self.url(self.start_pgbouncer(port))
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def url(self, port):
        return f"postgresql://{USER}:{self.password}@127.0.0.1:{port}/postgres"

    def give(self, path):
        if self.owner:
            os.chown(path, self.owner.pw_uid, self.owner.pw_gid)

    def as_owner(self):
        out = {"cwd": self.folder, "stdin": subprocess.DEVNULL, "stderr": subprocess.STDOUT}
        if self.owner:
            out |= {"user": self.owner.pw_uid, "group": self.owner.pw_gid, "extra_groups": []}
        return out

    def call(self, command):
        done = subprocess.run(command, stdout=subprocess.PIPE, timeout=START_SECONDS,
                              check=False, **self.as_owner())
        if done.returncode != 0:
            raise RuntimeError(done.stdout.decode(errors="replace"))

    def spawn(self, name, command):
        with open(self.folder / f"{name}.log", "ab") as log:
            process = subprocess.Popen(command, stdout=log, preexec_fn=private_server.die_with_parent(signal.SIGINT),
                                       **self.as_owner())
        self.running.append(process)
        return process

    def wait_for(self, name, process, port):
        """Until it takes connections; False when the port was taken meanwhile."""
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            if process.poll() is not None:
                self.running.remove(process)
                return False
            with contextlib.suppress(OSError):
                with socket.create_connection(("127.0.0.1", port), timeout=1):
                    return True
            time.sleep(0.05)
        raise RuntimeError((self.folder / f"{name}.log").read_text(errors="replace"))

    def start_postgres(self, name="data", **more):
        """The port of a server over this folder."""
        for _ in range(5):
            port = private_server.free_port()
            options = [f"--{key}={value}" for key, value in {**SETTINGS, **more}.items()]
            process = self.spawn("postgres", [
                BIN / "postgres", "-D", self.folder / name, f"--port={port}",
                f"--unix_socket_directories={self.folder}", *options])
            if not self.wait_for("postgres", process, port):
                continue
            if name == "data":
                self.primary = process
            else:
                self.standby = process
            # The port is open a moment before the server is ready.
            end = time.monotonic() + START_SECONDS
            while time.monotonic() < end:
                if subprocess.run([BIN / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)],
                                  check=False).returncode == 0:
                    return port
                time.sleep(0.05)
        raise RuntimeError((self.folder / "postgres.log").read_text(errors="replace"))

    def make_certificates(self):
        """The settings of a server with a certificate of an authority of its own."""
        key, certificate = self.folder / "server.key", self.folder / "server.pem"
        self.authority = self.folder / "authority.pem"
        new = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
        self.call([*new, "-subj", "/CN=authority of a test", "-keyout", self.folder / "authority.key",
                   "-out", self.authority])
        self.call([*new, "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key,
                   "-out", certificate, "-CA", self.authority, "-CAkey", self.folder / "authority.key"])
        self.authority.chmod(0o644)
        hba = self.folder / "data" / "pg_hba.conf"
        hba.write_text(hba.read_text().replace("\nhost ", "\nhostssl "))
        return {"ssl": "on", "ssl_cert_file": certificate, "ssl_key_file": key}

    def start_standby(self):
        """A second server that every commit of the first waits for from now on; gives its port."""
        url = self.env["LAB_TEST_POSTGRES_URL"]
        self.call([BIN / "pg_basebackup", "-D", self.folder / "standby", "--write-recovery-conf", "--no-sync",
                   "--checkpoint=fast", "-d", url])
        port = self.start_postgres("standby")
        for command in ("ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()"):
            self.ask(url, command)
        end = time.monotonic() + START_SECONDS
        while self.ask(url, "SELECT sync_state FROM pg_stat_replication") != "sync":
            if time.monotonic() > end:
                raise RuntimeError((self.folder / "postgres.log").read_text(errors="replace"))
            time.sleep(0.05)
        return port

    def ask(self, url, command):
        done = subprocess.run(["psql", "-qAtX", "-d", url, "-c", command], stdout=subprocess.PIPE,
                              timeout=START_SECONDS, check=True)
        return done.stdout.decode().strip()

    def kill_primary(self):
        self.kill(self.primary)

    def kill_standby(self):
        """And the primary waits for nobody any more."""
        self.kill(self.standby)
        url = self.env["LAB_TEST_POSTGRES_URL"]
        for command in ("ALTER SYSTEM RESET synchronous_standby_names", "SELECT pg_reload_conf()"):
            self.ask(url, command)

    def kill(self, process):
        """As a machine dies: every process of a server at once."""
        listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(process.pid)], stdout=subprocess.PIPE,
                                check=False).stdout.split()
        for pid in [process.pid, *map(int, listed)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()
        self.running.remove(process)

    def promote(self):
        """The standby takes writes from now on."""
        self.call([BIN / "pg_ctl", "promote", "-D", self.folder / "standby"])

    def start_pgbouncer(self, postgres_port):
        users = self.folder / "users.txt"
        users.write_text(f'"{USER}" "{self.password}"\n')
        self.give(users)
        for _ in range(5):
            port = private_server.free_port()
            config = self.folder / "pgbouncer.ini"
            config.write_text(
                f"[databases]\n* = host=127.0.0.1 port={postgres_port}\n[pgbouncer]\n"
                f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
                f"auth_type = scram-sha-256\nauth_file = {users}\npool_mode = transaction\n"
                "max_client_conn = 200\ndefault_pool_size = 4\nserver_idle_timeout = 2\n"
                "autodb_idle_timeout = 2\n")
            self.give(config)
            process = self.spawn("pgbouncer", [PGBOUNCER, config])
            if self.wait_for("pgbouncer", process, port):
                return port
        raise RuntimeError((self.folder / "pgbouncer.log").read_text(errors="replace"))

    def stop(self):
        for process in reversed(self.running):
            process.send_signal(signal.SIGINT)  # PostgreSQL: without waiting for clients
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.running = []
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)


def leave(number, _):
    raise SystemExit(128 + number)


def main(command):
    if not command:
        print(__doc__, file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, leave)
    with Servers() as servers:
        with subprocess.Popen(command, env={**os.environ, **servers.env}) as process:
            try:
                return process.wait()
            except BaseException:
                process.terminate()
                raise


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
