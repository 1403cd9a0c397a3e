"""The image: built without an engine, and started as a pod starts it, with nothing but what the runbook sets."""
import ctypes
import fcntl
import hashlib
import json
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import tarfile
import tempfile
import time
import unittest
import urllib.error
import urllib.request

import parts
import test_manifests
from tools import postgres

ARCHIVE = parts.ROOT / "build/image/llm-research.tar"
GIVEN = parts.ROOT.parent / "shared/reference/deployment-runbook.md"
SECRETS = {"JWT_SECRET": "kX0sW5mQ2vT8yB4nR7hL1cF6jD3gZ9pA"}
READY_SECONDS_MAX = 15  # many others may want the processors; alone it takes a second
CLONE_NEWNET = 0x40000000


def health_check():
    """The literal block, of the runbook where it is beside us, else as it is kept for the tests of the program."""
    if GIVEN.exists():
        text = GIVEN.read_text(encoding="utf-8")
        return text.split("```bash\n#!/bin/bash\n# health-check.sh\n", 1)[1].split("\n```\n", 1)[0]
    return (parts.ROOT / "tests/e2e/data/runbook-health-check.txt").read_text(encoding="utf-8")


def network_of_our_own(test):
    """The ports are the runbook's, 8080 and 9090: on a loopback that nobody else has. What is started from here on
    is in it."""
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    if libc.unshare(CLONE_NEWNET) != 0:
        os.close(before)
        parts.missing(test, f"no network namespace: {os.strerror(ctypes.get_errno())}")

    def back():
        libc.setns(before, CLONE_NEWNET)
        os.close(before)
    test.addClassCleanup(back)
    with socket.socket() as one:
        up = struct.pack("16sh14x", b"lo", 1)
        fcntl.ioctl(one, 0x8914, up)  # SIOCSIFFLAGS, IFF_UP


def make_image():
    """What image.sh says when it is done."""
    built = subprocess.run([parts.ROOT / "tools/image.sh", os.environ["LLM_RESEARCH"]], capture_output=True, text=True,
                           check=False)
    if built.returncode != 0:
        raise AssertionError(built.stdout + built.stderr)
    return built.stdout


class Image(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if os.getuid() != 0:
            parts.missing(cls("test_it_is_what_it_should_be"), "images are built and started as root")
        cls.words = make_image()
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="lab-image-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.root = cls.folder / "root"
        cls.root.mkdir()
        with tarfile.open(ARCHIVE) as archive:
            manifest = json.load(archive.extractfile("manifest.json"))[0]
            cls.tags = manifest["RepoTags"]
            cls.config = json.load(archive.extractfile(manifest["Config"]))["config"]
            for layer in manifest["Layers"]:
                with tarfile.open(fileobj=archive.extractfile(layer)) as files:
                    files.extractall(cls.root, numeric_owner=True)
        network_of_our_own(cls)
        cls.servers = cls.enterClassContext(postgres.Servers())

    def environment(self, database):
        """That of a pod: of the image, the runbook's ConfigMap, its Secret with two keys."""
        env = dict(one.split("=", 1) for one in self.config["Env"])
        return {**env, **test_manifests.RUNBOOK_CONFIG, **SECRETS, "DATABASE_URL": database}

    def in_image(self, command, env=None, **options):
        """As user 1000 on a root that may not be written; a /tmp of its own; process 1 of its own."""
        inside = f'''set -e
mount --bind {self.root} {self.root}
mount -o remount,ro,bind {self.root}
mount -t tmpfs -o mode=1777 tmpfs {self.root}/tmp
mount -t proc proc {self.root}/proc
mount -t tmpfs -o mode=755 tmpfs {self.root}/dev
for device in null zero random urandom; do
    : >{self.root}/dev/$device
    mount --bind /dev/$device {self.root}/dev/$device
done
exec chroot --userspec=1000:1000 {self.root} "$@"'''
        return ["unshare", "--mount", "--pid", "--fork", "--kill-child", "/bin/sh", "-c", inside, "sh",
                *command], {"env": env or {"PATH": "/usr/local/bin:/usr/bin:/usr/sbin:/bin"}, **options}

    def call(self, *command, env=None, **options):
        line, options = self.in_image(command, env, capture_output=True, text=True, timeout=60, **options)
        return subprocess.run(line, check=False, **options)

    def database(self, name):
        url = self.servers.env["LAB_TEST_POSTGRES_URL"]
        subprocess.run(["psql", "-qX", "-d", url, "-c", f"CREATE DATABASE {name}"], check=True)
        return url.replace("/postgres", f"/{name}")

    def start(self, env):
        """(process, seconds until it was ready)."""
        line, options = self.in_image([*self.config["Entrypoint"], *self.config["Cmd"]], env)
        log = open(self.folder / "log", "ab")
        self.addCleanup(log.close)
        begun = time.monotonic()
        process = subprocess.Popen(line, stdout=log, stderr=log, stdin=subprocess.DEVNULL, **options)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        while time.monotonic() < begun + 60 and process.poll() is None:
            try:
                with urllib.request.urlopen("http://localhost:8080/health/ready", timeout=1) as answer:
                    if json.load(answer)["status"] == "healthy":
                        return process, time.monotonic() - begun
            except (OSError, urllib.error.URLError):
                time.sleep(0.01)
        raise AssertionError((self.folder / "log").read_text(errors="replace")[-3000:])

    def stop(self, process):
        """Seconds until it is gone, after the SIGTERM that process 1 of a container gets."""
        children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        begun = time.monotonic()
        os.kill(int(children[0]), signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            self.fail("it does not end:\n" + (self.folder / "log").read_text(errors="replace")[-3000:])
        return time.monotonic() - begun

    def test_it_is_what_it_should_be(self):
        version = (parts.ROOT / "VERSION").read_text().strip()
        self.assertEqual(self.tags, [f"ghcr.io/llm-research-lab/api:v{version}"])
        self.assertEqual(self.config["User"], "1000:1000")
        self.assertEqual(sorted(self.config["ExposedPorts"]), ["8080/tcp", "9090/tcp"])
        for label in ("version", "revision", "created", "licenses", "title"):
            self.assertTrue(self.config["Labels"][f"org.opencontainers.image.{label}"], label)
        self.assertLess(ARCHIVE.stat().st_size, 250_000_000, self.words)
        for one in self.config["Env"]:
            self.assertNotRegex(one, "SECRET|KEY|PASSWORD|TOKEN|URL")
        # Nothing of where it was built.
        self.assertFalse((self.root / "etc/apt").exists())

    def test_the_same_commit_makes_the_same_image(self):
        before = hashlib.sha256(ARCHIVE.read_bytes()).hexdigest()
        make_image()
        self.assertEqual(hashlib.sha256(ARCHIVE.read_bytes()).hexdigest(), before)

    def test_the_list_of_its_parts_is_what_dpkg_knows(self):
        bill = json.loads((parts.ROOT / "build/image/llm-research.cdx.json").read_text())
        status = (self.root / "var/lib/dpkg/status").read_text()
        self.assertEqual((bill["bomFormat"], bill["specVersion"]), ("CycloneDX", "1.5"))
        names = [one["name"] for one in bill["components"]]
        self.assertEqual(len(names), status.count("\nStatus: install ok installed"))
        for name in ("libssl3", "libpq5", "curl"):
            self.assertIn(name, names)
        purl = next(one["purl"] for one in bill["components"] if one["name"] == "libstdc++6")
        self.assertTrue(purl.startswith("pkg:deb/debian/libstdc%2B%2B6@"), purl)

    def test_operators_find_their_tools_and_may_write_nothing_but_tmp(self):
        done = self.call("/bin/sh", "-ec", "id -u; sleep 0; curl --version >/dev/null; df / >/dev/null; date >/dev/null; "
                         "touch /tmp/x; touch /x 2>/dev/null || echo read-only; ls /usr/share/llm-research/migrations | wc -l")
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = done.stdout.split()
        self.assertEqual(lines[:2], ["1000", "read-only"])
        self.assertEqual(int(lines[2]), len(list((parts.ROOT / "migrations").iterdir())))
        self.assertNotIn("not found", self.call("/usr/bin/ldd", self.config["Entrypoint"][0]).stdout)
        self.assertIn("Subcommands:", self.call("llm-research", "--help").stdout)

    def test_it_is_ready_with_the_runbooks_settings_and_passes_its_health_check(self):
        env = self.environment(self.database("started"))
        process, _ = self.start(env)  # which also makes the schema
        made = self.call("llm-research", "admin", "create-user", "--email", "op@example.org", "--role", "Viewer", env=env,
                         input="correct horse battery staple\n")
        self.assertEqual(made.returncode, 0, made.stderr)
        token = self.call("llm-research", "admin", "create-token", "--email", "op@example.org", "-o", "json", env=env)
        self.assertEqual(token.returncode, 0, token.stderr)
        check = subprocess.run(["bash", "-c", health_check()], capture_output=True, text=True, check=False, env={
            "PATH": os.environ["PATH"], "API_URL": "http://localhost:8080",
            "TEST_TOKEN": json.loads(token.stdout)["access_token"]})
        self.assertEqual(check.returncode, 0, check.stdout + check.stderr)
        self.assertIn("All health checks passed!", check.stdout)
        pools = subprocess.run("curl -s http://localhost:9090/metrics | grep -E '^db_pool'", shell=True, capture_output=True,
                               text=True, check=False)
        self.assertIn("db_pool_connections_max 50", pools.stdout)
        took = [self.stop(process)]
        ready = []
        for _ in range(3):
            process, seconds = self.start(env)
            ready.append(seconds)
            took.append(self.stop(process))
        print(f"ready after {min(ready):.2f} s, gone after {max(took):.2f} s")
        self.assertLess(min(ready), READY_SECONDS_MAX, f"ready after {ready} s")
        self.assertLess(max(took), 14, f"gone after {took} s")


if __name__ == "__main__":
    unittest.main()
