#!/usr/bin/env python3
"""What the tests of deploy/ and tools/manifests.py call: Helm, a linter of manifests, the kinds of Istio and of the
Prometheus operator, the schema of Compose; in build/deploy.

Usage: deploy_tools.py [--build] [NAME...]     (helm, kube-score, istio, prometheus-operator, compose; else all)

All are Go modules, pinned below, which Go checks against its own sums. A Helm of the right version on PATH is taken
as it is. `--build` makes what is missing: minutes the first time. Prints where each is.
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import s3  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent
BIN = ROOT / "build" / "deploy" / "bin"
MODULES = {
    "helm": ("helm.sh/helm/v3/cmd/helm", "v3.18.6"),
    "kube-score": ("github.com/zegl/kube-score/cmd/kube-score", "v1.20.0"),
}
#: What manifests are held against: module, version, file in it.
SCHEMAS = {
    "istio": ("istio.io/api", "v1.24.2", "kubernetes/customresourcedefinitions.gen.yaml"),
    "prometheus-operator": ("github.com/prometheus-operator/prometheus-operator", "v0.79.2",
                            "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml"),
    "compose": ("github.com/compose-spec/compose-go/v2", "v2.4.7", "schema/compose-spec.json"),
}
BUILD_SECONDS = 1800
ATTEMPTS = 3


def built(name):
    """Its name says its version, so that another one is built anew."""
    if name in SCHEMAS:
        return BIN.parent / f"{name}-{SCHEMAS[name][1]}{pathlib.Path(SCHEMAS[name][2]).suffix}"
    return BIN / f"{name}-{MODULES[name][1]}"


def find(name):
    """The program, or the file with the schemas; or None."""
    if built(name).exists():
        return built(name)
    there = shutil.which(name)
    if there and name == "helm":
        words = subprocess.run([there, "version", "--template", "{{.Version}}"], capture_output=True, text=True,
                               check=False).stdout
        if re.fullmatch(r"v3\.(1[2-9]|[2-9]\d)\.\d+", words.strip()):
            return pathlib.Path(there)
    return None


def build(name):
    """Whether it is there now. A broken download is tried again."""
    BIN.mkdir(parents=True, exist_ok=True)
    go = shutil.which("go") or s3.go_of_pypi()
    if go is None:
        print(f"{name} needs Go 1.24 or newer: https://go.dev", file=sys.stderr)
        return False
    if name in SCHEMAS:
        return fetch(name, built(name))
    module, version = MODULES[name]
    for attempt in range(ATTEMPTS):
        with tempfile.TemporaryDirectory(dir=BIN) as folder:
            run = subprocess.run([go, "install", "-trimpath", "-ldflags=-s -w", f"{module}@{version}"],
                                 env={**os.environ, "CGO_ENABLED": "0", "GOBIN": folder},
                                 stdin=subprocess.DEVNULL, timeout=BUILD_SECONDS, check=False)
            if run.returncode == 0:
                os.replace(pathlib.Path(folder) / name, built(name))
                return True
        if attempt + 1 < ATTEMPTS:
            time.sleep(2 ** attempt)
    return False


def fetch(name, target):
    """Puts a file with schemas at `target`: it is in its module, which is not built."""
    module, version, file = SCHEMAS[name]
    go = shutil.which("go") or s3.go_of_pypi()
    run = subprocess.run([go, "mod", "download", "-json", f"{module}@{version}"], stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, timeout=BUILD_SECONDS, cwd="/", check=False)
    if run.returncode != 0:
        print(run.stdout.decode(), file=sys.stderr)
        return False
    shutil.copyfile(pathlib.Path(json.loads(run.stdout)["Dir"]) / file, target)
    return True


def main(arguments):
    make = arguments[:1] == ["--build"]
    names = arguments[1 if make else 0:] or [*MODULES, *SCHEMAS]
    if any(name not in (*MODULES, *SCHEMAS) for name in names):
        print(__doc__, file=sys.stderr)
        return 2
    missing = 0
    for name in names:
        if find(name) is None and not (make and build(name)):
            print(f"{name} is not there: tools/deploy_tools.py --build {name}", file=sys.stderr)
            missing += 1
        else:
            print(find(name))
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
