#!/usr/bin/env python3
"""Rehearses the runbook, block by block, on a cluster of its own, and prints what became of each.

Usage: run.py [--image FILE] [--before FILE] [--ours] [--blocks-only | --drills-only] [--drill NAME ...] [--record FOLDER]
(make rehearse)

The blocks are those of the given runbook, ../shared/reference/deployment-runbook.md, where it is there, else of
docs/operations/deployment-runbook.md. A block that blocks.py does not know, or knows with another text, is a
failure. LAB_SLEEP_SCALE (10) divides sleeps of more than 5 s; 1 rehearses in real time.
"""
import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import time
import traceback
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import blocks  # noqa: E402
import drills  # noqa: E402
import experiments  # noqa: E402
import recovery  # noqa: E402
import runbook  # noqa: E402
import shell  # noqa: E402
import world  # noqa: E402

DRILLS = {**drills.ALL, "backup, destroyed, restored": recovery.disaster}
COVERS = {**drills.COVERS, "backup, destroyed, restored": "R51"}
REPOSITORY = "ghcr.io/llm-research-lab/api"
#: Tags that a drill moves between. With --before the older ones are of that image, else all are of one.
OLDER, NEWER = ("v1.2.2", "v1.2.3", "v1.2.4"), ("v1.2.5", "v1.2.6", "v1.2.9")
FIRST = OLDER[0]
ADMIN = "admin@rehearsal.example"
SLEEP = """#!/bin/bash
# Sleeps a part of the time where it is more than a few seconds.
set -euo pipefail
if [[ $# -eq 1 && $1 =~ ^[0-9]+$ && $1 -gt 5 ]]; then
    exec /bin/sleep "$(( ($1 + LAB_SLEEP_SCALE - 1) / LAB_SLEEP_SCALE ))"
fi
exec /bin/sleep "$@"
"""


class Rehearsal:
    def __init__(self, beside, image, before, found):
        self.world, self.archive, self.before, self.found = beside, image, before, found
        self.folder = beside.folder / "desk"
        self.folder.mkdir()
        self.rows, self.started = [], []
        self.service, self.block_text = None, ""
        tools = self.folder / "bin"
        tools.mkdir()
        (tools / "sleep").write_text(SLEEP)
        (tools / "sleep").chmod(0o755)
        # A checkout, as far as the blocks of our own runbook need one.
        (self.folder / "deploy").symlink_to(blocks.DEPLOY)
        (self.folder / "password.txt").write_text(experiments.PASSWORD)
        self.fixed = {**beside.env, "API_URL": f"http://{world.FRONT}"}
        self.env = {**os.environ, **self.fixed, "PATH": f"{tools}:{os.environ['PATH']}",
                    "LAB_SLEEP_SCALE": str(world.SLEEP_SCALE), "LAB_REHEARSAL": str(HERE),
                    "LAB_IMAGE": str(image), "REPLICAS": "3",
                    "ENVIRONMENT": "production", "NAMESPACE": world.NAMESPACE, "ADMIN_KEY": beside.admin_key,
                    "HOME": str(self.folder)}

    def image(self, tag):
        return f"{REPOSITORY}:{tag}"

    def background(self, *command):
        self.started.append(subprocess.Popen(command, env=self.env, stdin=subprocess.DEVNULL,
                                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))

    def end_background(self):
        for process in self.started:
            process.kill()
            process.wait()
        self.started = []

    # What the runbook takes for granted

    def prepare(self):
        """An empty namespace, Istio's kinds, images on the node, secrets at the cloud's service, a Helm repository."""
        world.kubectl("create", "namespace", world.NAMESPACE)
        world.kubectl("apply", "--server-side", "-f", os.environ["LAB_ISTIO_CRDS"])
        self.load_images()
        for name, value in (("llm-research-lab/production", "{}"),
                            ("llm-research/database-url", self.world.env["DATABASE_URL"]),
                            ("llm-research/jwt-secret", self.world.jwt_secret)):
            self.world.secrets.create(name, value)
        repository = self.folder / "charts"
        repository.mkdir()
        for words in (("package", str(blocks.DEPLOY / "helm" / "llm-research"), "-d", str(repository)),
                      ("repo", "index", str(repository)),
                      ("repo", "add", "lab", self.world.serve(repository))):
            subprocess.run(["helm", *words], env=self.env, check=True, capture_output=True, timeout=60)

    def load_images(self):
        self.load(self.before or self.archive, OLDER)
        self.load(self.archive, NEWER)

    def load(self, archive, tags):
        ctr = ["ctr", "--address", os.environ["LAB_CONTAINERD"], "-n", "k8s.io", "images"]
        subprocess.run([*ctr, "import", str(archive)], check=True, stdout=subprocess.DEVNULL, timeout=300)
        listed = subprocess.run([*ctr, "ls", "-q"], check=True, capture_output=True, text=True, timeout=60).stdout
        names = [name for name in listed.split() if name.startswith(REPOSITORY + ":")]
        loaded = next(name for name in names if name.rsplit(":", 1)[1] not in OLDER + NEWER)
        for tag in tags:
            subprocess.run([*ctr, "tag", "--force", loaded, self.image(tag)], check=True, timeout=60,
                           stdout=subprocess.DEVNULL)

    def bare(self):
        """The image with the runbook's ConfigMap and Secret and nothing else: it becomes ready."""
        world.kubectl("apply", "-f", "-", stdin=json.dumps({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "bare", "namespace": world.NAMESPACE},
            "spec": {"terminationGracePeriodSeconds": 15, "containers": [{
                "name": "api", "image": self.image(FIRST),
                "envFrom": [{"configMapRef": {"name": "llm-research-config"}},
                            {"secretRef": {"name": "llm-research-secrets"}}],
                "readinessProbe": {"httpGet": {"path": "/health/ready", "port": 8080}, "periodSeconds": 1}}]}}))
        try:
            world.kubectl("wait", "--for=condition=Ready", "pod/bare", "-n", world.NAMESPACE, "--timeout=30s")
            self.background("kubectl", "port-forward", "-n", world.NAMESPACE, "pod/bare", "8082:8080")
            here = "http://localhost:8082"
            health = world.until("its port", lambda: experiments.Service(here).got("/health/ready"), 20)
            blocks.expect(health["status"] == "healthy", f"it says {health}")
            token = self.new_user("pod/bare", "first@rehearsal.example", here).token
            done = shell.script(self.health_check(), {**self.env, "API_URL": here, "TEST_TOKEN": token}, self.folder,
                                60, "health-check.sh")
            blocks.expect(done.code == 0, f"the runbook's health check fails: {done.output}")
        except RuntimeError as error:
            raise RuntimeError(f"{error}\n{self.why()}") from error
        finally:
            self.end_background()
            world.kubectl("delete", "pod", "bare", "-n", world.NAMESPACE)

    def new_user(self, target, email, url):
        """The service as an administrator sees it who was made inside a pod."""
        world.kubectl("exec", "-i", target, "-n", world.NAMESPACE, "--", "llm-research", "admin", "create-user",
                      "--email", email, "--role", "Admin", "--tier", "unlimited", stdin=experiments.PASSWORD)
        service = experiments.Service(url)
        service.login(email)
        return service

    def install(self):
        """The release that the runbook finds in place, over the ConfigMap and the Secret that were made by hand."""
        world.kubectl("patch", "secret", "llm-research-secrets", "-n", world.NAMESPACE, "--type", "merge", "-p",
                      self.world.more_secrets())
        values = self.folder / "values.json"
        values.write_text(self.world.values(FIRST))
        done = subprocess.run(
            ["helm", "upgrade", "--install", "llm-research", str(blocks.DEPLOY / "helm" / "llm-research"), "-n",
             world.NAMESPACE, "-f", str(values), "--take-ownership", "--wait", "--timeout", "240s"],
            env=self.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300, check=False)
        if done.returncode != 0:
            raise RuntimeError(done.stdout + self.why())
        self.world.route(None)
        self.sign_in()

    def why(self):
        """What the cluster has to say when something does not come up."""
        return "\n".join(world.kubectl(*words, "-n", world.NAMESPACE, check=False) for words in (
            ("get", "pods", "-o", "wide"), ("get", "events", "--sort-by=.lastTimestamp"),
            ("logs", "-l", "app=llm-research-api", "--tail=20", "--prefix"),
            ("logs", "-l", "app=llm-research-hook", "--tail=20", "--prefix")))[-8000:]

    def sign_in(self):
        self.service = self.new_user(f"deployment/{world.SERVICE}", ADMIN, f"http://{world.FRONT}")
        self.renew()

    def renew(self):
        """A new token: one lasts an hour, and a rehearsal in real time takes longer."""
        self.service.login(ADMIN)
        self.env["TEST_TOKEN"] = self.service.token

    @staticmethod
    def is_installed():
        return bool(world.kubectl("get", "deployment", world.SERVICE, "-n", world.NAMESPACE, "--ignore-not-found"))

    def canary(self):
        """The canary's Deployment and Service: a second version beside the first."""
        values = self.folder / "values.json"
        subprocess.run(
            ["helm", "upgrade", "llm-research", str(blocks.DEPLOY / "helm" / "llm-research"), "-n", world.NAMESPACE,
             "-f", str(values), "--set", "canary.enabled=true", "--set", "canary.tag=v1.2.5", "--take-ownership",
             "--wait", "--timeout", "240s"], env=self.env, check=True, capture_output=True, timeout=300)

    # The blocks

    def block(self, block, entry):
        """A row of the table."""
        if entry.form == "cloud":
            self.row(f"{block.number} {block.heading}", entry.r, "cloud", f"not run: {entry.why}", 0)
            return
        self.block_text = block.text
        began = time.monotonic()
        try:
            if entry.before:
                entry.before(self)
            began = time.monotonic()
            outcome = self.carry_out(block, entry)
            took = time.monotonic() - began
            if outcome.code != 0:
                raise blocks.Failed(f"it ended with {outcome.code}:\n{outcome.output[-3000:]}")
            if entry.check:
                entry.check(self, outcome)
            # Whatever a block exports, the servers are those of the rehearsal.
            self.env.update({**outcome.env, **self.fixed})
            word = "ok"
        except Exception as error:  # whatever it is, the next block has its turn
            took = time.monotonic() - began
            word = f"FAILED {error}"
            if not isinstance(error, blocks.Failed):
                word += "\n" + traceback.format_exc(limit=-3)
        finally:
            self.end_background()
        self.row(f"{block.number} {block.heading}", entry.r, entry.form, word, took)
        if entry.why:
            print(f"       mapped: {entry.why}", flush=True)

    def carry_out(self, block, entry):
        text = entry.text or block.text
        env = {**self.env, **entry.env}
        folder = world.ROOT / entry.folder if entry.folder else self.folder
        if entry.run == "apply":
            path = self.folder / "manifest.yaml"
            path.write_text(text)
            return shell.call(["kubectl", "apply", "-f", str(path)], env, self.folder, entry.seconds)
        if entry.run == "script":
            return shell.script(text, env, self.folder, entry.seconds, block.file_name, entry.arguments)
        if entry.run == "terminal":
            return shell.at_terminal(text, env, self.folder, entry.seconds, entry.dialog)
        if entry.run == "pod":
            return shell.call(["kubectl", "exec", f"deployment/{world.SERVICE}", "-n", world.NAMESPACE, "--", "/bin/sh",
                               "-ec", text], env, self.folder, entry.seconds)
        if entry.folder:
            text = f"cd {folder}\n{text}"
        return shell.pasted(text, env, self.folder, entry.seconds)

    @staticmethod
    def health_check():
        """The text of health-check.sh as the given runbook has it."""
        return (world.ROOT / "tests" / "e2e" / "data" / "runbook-health-check.txt").read_text()

    def row(self, name, r, form, outcome, seconds):
        self.rows.append((name, r, form, outcome.split("\n")[0], seconds))
        print(f"{name} | {r} | {form} | {outcome} | {seconds:.1f} s", flush=True)

    def drill(self, name, function):
        began = time.monotonic()
        try:
            self.renew()
            word = "ok " + function(self)
        except Exception as error:  # as above
            word = f"FAILED {type(error).__name__} {error}"
            if not isinstance(error, (blocks.Failed, RuntimeError)):
                word += "\n" + traceback.format_exc(limit=-4)
        self.row(f"drill: {name}", COVERS.get(name, ""), "drill", word, time.monotonic() - began)

    def table(self):
        print("\nblock | R numbers | literal or mapped | outcome | seconds")
        for name, r, form, outcome, seconds in self.rows:
            print(f"{name} | {r} | {form} | {outcome[:160]} | {seconds:.1f}")
        failed = sum(row[3].startswith("FAILED") for row in self.rows)
        print(f"{len(self.rows) - failed} passed, {failed} failed")
        return 1 if failed else 0


#: What panels and alerts ask for that is not of the program.
FAMILIES = {"cadvisor": ("container_cpu_usage_seconds_total", "container_memory_working_set_bytes"),
            "kube-state-metrics": ("kube_pod_container_resource_limits", "kube_pod_status_ready")}


def record(folder):
    """What tests/deploy/data keeps: of these pods, without times and without the place of this cluster."""
    with urllib.request.urlopen(f"http://{os.environ['LAB_STATE_METRICS']}/metrics", timeout=20) as answer:
        state = answer.read().decode()
    shown = {"cadvisor": world.kubectl("get", "--raw", "/api/v1/nodes/node/proxy/metrics/cadvisor"),
             "kube-state-metrics": state}
    for name, families in FAMILIES.items():
        kept = [line for line in shown[name].splitlines()
                if line.startswith(tuple(f"# TYPE {one} " for one in families))
                or (line.split("{")[0] in families and f'namespace="{world.NAMESPACE}"' in line)]
        text = "".join(line + "\n" for line in kept)
        text = re.sub(r'id="/[^"]*?(/kubepods/)', r'id="\1', re.sub(r"(?m)(\} \S+) \d+$", r"\1", text))
        (folder / f"{name}.prom").write_text(text)


def find_image(given):
    found = [pathlib.Path(given)] if given else sorted((world.ROOT / "build" / "image").glob("*.tar"))
    if not found or not found[-1].exists():
        raise SystemExit("rehearse: there is no image: make image")
    return found[-1]


def find_runbook(ours):
    """Its blocks, and what becomes of each by its key."""
    if runbook.GIVEN.exists() and not ours:
        found = runbook.read(runbook.GIVEN.read_text())
        drift = runbook.drift(found, blocks.BLOCKS)
        if drift:
            raise SystemExit("rehearse: runbook and mapping differ:\n" + "\n".join(drift))
        return found, blocks.BLOCKS
    if not runbook.OURS.exists():
        raise SystemExit(f"rehearse: there is no runbook: neither {runbook.GIVEN} nor {runbook.OURS}")
    found = runbook.read(runbook.OURS.read_text())
    return found, {block.key: blocks.of_ours(block) for block in found}


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--image")
    parser.add_argument("--before", metavar="FILE", help="an image of the release before: both are used side by side")
    parser.add_argument("--ours", action="store_true", help="our own runbook, whether the given one is there or not")
    parser.add_argument("--blocks-only", action="store_true")
    parser.add_argument("--drills-only", action="store_true")
    parser.add_argument("--record", metavar="FOLDER",
                        help="keep what cAdvisor and kube-state-metrics show of the namespace at the end")
    parser.add_argument("--drill", action="append", default=[], choices=list(DRILLS))
    options = parser.parse_args(arguments)
    found, known = find_runbook(options.ours)
    image = find_image(options.image)
    began = time.monotonic()
    with world.World(world.make_folder()) as beside:
        here = Rehearsal(beside, image, options.before, found)
        here.prepare()
        print(f"rehearse: prepared after {time.monotonic() - began:.0f} s", flush=True)
        for block in found:
            if not options.drills_only or block.number <= 4:
                here.block(block, known[block.key])
            if here.service is None and here.is_installed():
                here.install()
        for name, function in DRILLS.items():
            if not options.blocks_only and (not options.drill or name in options.drill):
                here.drill(name, function)
        if options.record:
            record(pathlib.Path(options.record))
        print(f"rehearse: {time.monotonic() - began:.0f} s")
        return here.table()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
