#!/usr/bin/env python3
"""Runs a command beside Redis servers of its own, which go when the command ends.

Usage: redis.py COMMAND...

Debian's redis-server, on the loopback address, keeping nothing: one with a password and a user who may
touch some keys only, one that speaks TLS, and a cluster of three masters with a replica each. The command
finds them in LAB_TEST_REDIS_URL (the user's), LAB_TEST_REDIS_TLS_URL with the file LAB_TEST_REDIS_CA, and
LAB_TEST_REDIS_CLUSTER_URL (two of the six nodes); where the programs are not installed, the command runs
without. The exit status is the command's.
"""
import contextlib
import os
import pathlib
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

SERVER = shutil.which("redis-server")
CLI = shutil.which("redis-cli")
START_SECONDS = 60
USER = "lab"
#: What the user may touch; `test:` is for tests.
RIGHTS = "~llm-research:* ~test:* &llm-research:* &test:* +@all -@admin -@dangerous +cluster|slots"


class Refused(Exception):
    """An error that a server answered with."""


class Node:
    """One server."""

    def __init__(self, folder, name, password, settings):
        self.folder, self.name, self.password, self.settings = folder, name, password, dict(settings)
        self.port = self.process = None
        self.tls = False

    def start(self):
        for _ in range(5):
            # The bus of a cluster is 10,000 above.
            self.port = self.port or private_server.free_port(10_000)
            self.spawn()
            if self.wait():
                return self
            self.port = None  # taken meanwhile
        raise RuntimeError(self.log())

    def spawn(self):
        home = self.folder / self.name
        home.mkdir(exist_ok=True)
        lines = {
            "bind": "127.0.0.1", "dir": home, "save": '""', "appendonly": "no", "shutdown-timeout": "0",
            "tls-port" if self.tls else "port": self.port, "requirepass": self.password,
            "masterauth": self.password, **self.settings,
        }
        if self.tls:
            lines["port"] = "0"
        config = home / "redis.conf"
        config.write_text("".join(f"{key} {value}\n" for key, value in lines.items()))
        with open(home / "log", "ab") as log:
            self.process = subprocess.Popen(
                [SERVER, config], stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                preexec_fn=private_server.die_with_parent(signal.SIGKILL))

    def wait(self):
        """Until it takes connections; False when it ended before."""
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            if self.process.poll() is not None:
                return False
            with contextlib.suppress(OSError):
                with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                    return True
            time.sleep(0.02)
        raise RuntimeError(self.log())

    def log(self):
        return (self.folder / self.name / "log").read_text(errors="replace")

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def ask(self, *words):
        """The answer to a command, over a connection of its own."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as plain:
            with plain.makefile("rwb") as stream:
                for command in (("AUTH", self.password), words):
                    stream.write(b"*%d\r\n" % len(command))
                    for word in map(lambda one: str(one).encode(), command):
                        stream.write(b"$%d\r\n%s\r\n" % (len(word), word))
                    stream.flush()
                    answer = read_answer(stream)
                return answer


def read_answer(stream):
    line = stream.readline().rstrip(b"\r\n").decode()
    kind, rest = line[:1], line[1:]
    if kind == "-":
        raise Refused(rest)
    if kind == ":":
        return int(rest)
    if kind == "$":
        return None if rest == "-1" else stream.read(int(rest) + 2)[:-2].decode()
    if kind == "*":
        return [read_answer(stream) for _ in range(int(rest))]
    return rest


class Servers:
    """Makes servers; a context that stops them all."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="lab-redis-", dir="/tmp"))
        self.password = secrets.token_hex(8)
        self.nodes = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for node in self.nodes:
            node.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def node(self, **settings):
        named = {key.replace("_", "-"): value for key, value in settings.items()}
        node = Node(self.folder, f"node{len(self.nodes)}", self.password, named)
        self.nodes.append(node)
        return node

    def single(self):
        return self.node(user=f"{USER} on >{self.password} {RIGHTS}").start()

    def with_tls(self):
        certificate, key = self.folder / "redis.crt", self.folder / "redis.key"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
             "-keyout", key, "-out", certificate, "-days", "30", "-subj", "/CN=localhost",
             "-addext", "subjectAltName=DNS:localhost"], check=True, capture_output=True)
        node = self.node(tls_cert_file=certificate, tls_key_file=key, tls_ca_cert_file=certificate,
                         tls_auth_clients="no")
        node.tls = True
        return node.start(), certificate

    def cluster(self, masters=3):
        """The nodes, masters first, each with a replica."""
        nodes = [self.node(cluster_enabled="yes", cluster_config_file="nodes.conf", cluster_node_timeout="1500",
                           cluster_replica_validity_factor="0", repl_ping_replica_period="1")
                 for _ in range(2 * masters)]
        for node in nodes:
            node.start()
        done = subprocess.run(
            [CLI, "-a", self.password, "--no-auth-warning", "--cluster", "create",
             *(f"127.0.0.1:{node.port}" for node in nodes), "--cluster-replicas", "1", "--cluster-yes"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=START_SECONDS, check=False)
        if done.returncode != 0:
            raise RuntimeError(done.stdout.decode(errors="replace"))
        wait_for(lambda: all(is_whole(node) for node in nodes))
        return nodes

    def url(self, nodes, user="", host="127.0.0.1"):
        scheme = "rediss" if nodes[0].tls else "redis"
        hosts = ",".join(f"{host}:{node.port}" for node in nodes)
        return f"{scheme}://{user}:{self.password}@{hosts}"


def is_whole(node):
    """The cluster is served, as this node sees it, and a replica is up to date."""
    if "cluster_state:ok" not in node.ask("CLUSTER", "INFO"):
        return False
    replication = node.ask("INFO", "replication")
    return "role:master" in replication and "connected_slaves:1" in replication \
        or "master_link_status:up" in replication


def wait_for(condition, seconds=START_SECONDS):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError("the servers are not what they should be by now")
        time.sleep(0.05)


def is_installed():
    return bool(SERVER and CLI)


def leave(number, _):
    raise SystemExit(128 + number)


def main(command):
    if not command:
        print(__doc__, file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, leave)
    with Servers() as servers:
        env = {}
        if is_installed():
            env["LAB_TEST_REDIS_URL"] = servers.url([servers.single()], USER)
            secure, certificate = servers.with_tls()
            env["LAB_TEST_REDIS_TLS_URL"] = servers.url([secure], host="localhost")
            env["LAB_TEST_REDIS_CA"] = str(certificate)
            env["LAB_TEST_REDIS_CLUSTER_URL"] = servers.url(servers.cluster()[:2])
        with subprocess.Popen(command, env={**os.environ, **env}) as process:
            try:
                return process.wait()
            except BaseException:
                process.terminate()
                raise


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
