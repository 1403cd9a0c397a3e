#!/usr/bin/env python3
"""A kubectl of no cluster: it answers from the file LAB_CLUSTER and does there what it is asked to do.

It knows what the scripts ask for. Pods are those that the Deployments want, ready at once unless their image is the
one in "broken"; endpoints are the pods that the Service selects. Every change is a line of LAB_CLUSTER.log.
"""
import copy
import json
import os
import pathlib
import re
import subprocess
import sys
import time
import zlib

FILE = pathlib.Path(os.environ["LAB_CLUSTER"])
LOG = FILE.with_suffix(".log")
CHANGES = {"apply", "patch", "set", "scale", "delete", "annotate", "rollout undo"}
KINDS = {"deployment": "Deployment", "service": "Service", "configmap": "ConfigMap", "hpa": "HorizontalPodAutoscaler",
         "pdb": "PodDisruptionBudget", "virtualservice": "VirtualService", "secret": "Secret", "job": "Job",
         "replicasets": "ReplicaSet", "resourcequota": "ResourceQuota", "crd": "CustomResourceDefinition",
         "nodes": "Node"}


class Refused(Exception):
    pass


def kind_of(word):
    return KINDS.get(word) or KINDS.get(word.rstrip("s")) or word


def merge(target, patch):
    for key, value in patch.items():
        if isinstance(value, dict) and isinstance(target.get(key), dict):
            merge(target[key], value)
        elif value is None:
            target.pop(key, None)
        else:
            target[key] = copy.deepcopy(value)


def labels_fit(labels, selector):
    for part in re.findall(r"[\w./-]+ in \([^)]*\)|[^,]+", selector or ""):
        among = re.fullmatch(r"([\w./-]+) in \(([^)]*)\)", part)
        name, wanted = (among[1], among[2].replace(" ", "").split(",")) if among else \
            (part.split("=")[0], [part.split("=")[1]])
        if labels.get(name) not in wanted:
            return False
    return True


class Cluster:
    def __init__(self):
        self.state = json.loads(FILE.read_text())
        self.objects = self.state["objects"]

    def save(self):
        FILE.write_text(json.dumps(self.state))

    def get(self, kind, name):
        return self.objects.setdefault(kind, {}).get(name)

    def need(self, kind, name):
        found = self.get(kind, name)
        if found is None:
            raise Refused(f'Error from server (NotFound): {kind} "{name}" not found')
        return found

    def deployment_changed(self, one):
        """A new revision where the pods differ from those of the newest."""
        mine = [rs for rs in self.objects.setdefault("ReplicaSet", {}).values()
                if rs["metadata"]["ownerReferences"][0]["name"] == one["metadata"]["name"]]
        newest = max((self.revision(rs) for rs in mine), default=0)
        same = next((rs for rs in mine if rs["spec"]["template"]["spec"] == one["spec"]["template"]["spec"]), None)
        if same is None:
            name = f"{one['metadata']['name']}-{newest + 1}"
            same = {"kind": "ReplicaSet", "metadata": {
                "name": name, "labels": one["spec"]["template"]["metadata"]["labels"], "annotations": {},
                "ownerReferences": [{"kind": "Deployment", "name": one["metadata"]["name"]}]},
                "spec": {"template": copy.deepcopy(one["spec"]["template"])}}
            self.objects["ReplicaSet"][name] = same
        if self.revision(same) != newest or newest == 0:
            same["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = str(newest + 1)

    @staticmethod
    def revision(replica_set):
        return int(replica_set["metadata"]["annotations"].get("deployment.kubernetes.io/revision", 0))

    def pods(self):
        out = []
        for one in self.objects.get("Deployment", {}).values():
            image = one["spec"]["template"]["spec"]["containers"][0]["image"]
            ready = image != self.state.get("broken")
            for i in range(one["spec"].get("replicas", 1)):
                out.append({"kind": "Pod", "metadata": {
                    "name": f"{one['metadata']['name']}-{zlib.crc32(image.encode()) % 1000}-{i}",
                    "labels": one["spec"]["template"]["metadata"]["labels"]},
                    "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": str(ready)}]}})
        return out

    def listed(self, kind, selector):
        if kind == "pods":
            found = self.pods()
        elif kind == "endpointslices":
            chosen = self.need("Service", selector.split("=")[1])["spec"]["selector"]
            ends = [{"conditions": {"ready": pod["status"]["conditions"][0]["status"] == "True"},
                     "targetRef": {"name": pod["metadata"]["name"]}} for pod in self.pods()
                    if chosen.items() <= pod["metadata"]["labels"].items()]
            return [{"endpoints": ends}]
        else:
            found = list(self.objects.get(kind_of(kind), {}).values())
        return [one for one in found if labels_fit(one["metadata"].get("labels", {}), selector)]


def options(words, with_value):
    """(plain words, options): those named take a value."""
    plain, given, rest = [], {}, list(words)
    while rest:
        word = rest.pop(0)
        if word == "--":
            plain += rest
            break
        if word.startswith("--") and "=" in word:
            name, value = word.split("=", 1)
            given[name] = value
        elif word in with_value:
            given[word] = rest.pop(0)
        elif word.startswith("-") and len(word) > 1 and not word[1:].isdigit():
            given[word] = True
        else:
            plain.append(word)
    return plain, given


def path_of(value, path):
    for part in re.findall(r"[\w-]+|\[\d+\]", path):
        value = value[int(part[1:-1])] if part.startswith("[") else (value or {}).get(part)
    return "" if value is None else str(value)


def get(cluster, plain, given):
    if "--raw" in given:
        return
    kind, _, name = plain[0].partition("/")
    name = name or (plain[1] if len(plain) > 1 else "")
    how = given.get("-o", "")
    if name:
        found = cluster.need(kind_of(kind), name)
        if how.startswith("jsonpath="):
            print(path_of(found, re.fullmatch(r"jsonpath=\{\.(.*)\}", how)[1]), end="")
            return
    else:
        found = {"items": cluster.listed(kind, given.get("-l"))}
        if how == "name":
            print("\n".join(f"pod/{one['metadata']['name']}" for one in found["items"]))
            return
    print(json.dumps(found))


def change(cluster, verb, plain, given):
    if verb == "apply":
        one = json.loads(sys.stdin.read())
        kept = cluster.objects.setdefault(one["kind"], {})
        kept[one["metadata"]["name"]] = one
        if one["kind"] == "Deployment":
            cluster.deployment_changed(one)
        return
    if verb == "delete":
        cluster.objects.get(kind_of(plain[0]), {}).pop(plain[1], None)
        return
    if verb == "set":
        one = cluster.need("Deployment", plain[1].split("/")[1])
        container, image = plain[2].split("=")
        for each in one["spec"]["template"]["spec"]["containers"]:
            if each["name"] == container:
                each["image"] = image
        cluster.deployment_changed(one)
        return
    if verb == "rollout undo":
        name = plain[0].split("/")[1]
        old = next(rs for rs in cluster.objects["ReplicaSet"].values()
                   if rs["metadata"]["ownerReferences"][0]["name"] == name
                   and str(cluster.revision(rs)) == given["--to-revision"])
        one = cluster.need("Deployment", name)
        one["spec"]["template"] = copy.deepcopy(old["spec"]["template"])
        cluster.deployment_changed(one)
        return
    one = cluster.need(kind_of(plain[0]), plain[1])
    if verb == "patch":
        merge(one, json.loads(given["-p"]))
    elif verb == "scale":
        one["spec"]["replicas"] = int(given["--replicas"])
    elif verb == "annotate":
        for word in plain[2:]:
            name, _, value = word.partition("=")
            notes = one["metadata"].setdefault("annotations", {})
            if word.endswith("-"):
                notes.pop(word[:-1], None)
            else:
                notes[name] = value


def execute(cluster, plain):
    """What runs in a pod: curl for its metrics, or a shell, here."""
    command = plain[1:]
    if command[0] == "curl" and command[-1].endswith(":9090/metrics"):
        mode = cluster.need("ConfigMap", "llm-research-config")["data"]["MAINTENANCE_MODE"]
        print(f"maintenance_mode {1 if mode == 'true' else 0}\ndb_pool_connections_active 0")
        return 0
    return subprocess.run(command, check=False, env={**os.environ, "ADMIN_KEY": cluster.state.get("admin_key", "")}).returncode


def main(words):
    plain, given = options(words, {"-n", "-o", "-l", "-p", "--type", "-f", "--tail", "--raw"})
    verb, plain = plain[0], plain[1:]
    if verb == "rollout":
        verb, plain = f"rollout {plain[0]}", plain[1:]
    if os.environ.get("LAB_CLUSTER_FORBID_CHANGES") and verb in CHANGES:
        raise Refused(f"a change where none is allowed: {words}")
    cluster = Cluster()
    if verb in CHANGES:
        with open(LOG, "a", encoding="utf-8") as log:
            log.write(json.dumps(words) + "\n")
        change(cluster, verb, plain, given)
        cluster.save()
    elif verb == "get":
        get(cluster, plain, given)
    elif verb == "rollout status":
        one = cluster.need("Deployment", plain[0].split("/")[1])
        if one["spec"]["template"]["spec"]["containers"][0]["image"] == cluster.state.get("broken"):
            raise Refused("error: timed out waiting for the condition")
    elif verb == "exec":
        return execute(cluster, plain)
    elif verb == "port-forward":
        print(f"Forwarding from 127.0.0.1:{os.environ['LAB_CLUSTER_PORT']} -> 8080", flush=True)
        time.sleep(600)
    elif verb not in ("version", "auth", "top", "wait", "logs"):
        raise Refused(f"not a command that is known here: {verb}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Refused as refused:
        print(refused, file=sys.stderr)
        sys.exit(1)
