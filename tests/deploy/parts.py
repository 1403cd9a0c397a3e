"""Where things are, and what several tests read."""
import os
import pathlib
import subprocess
import sys

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
CHART = DEPLOY / "helm" / "llm-research"
SCRIPTS = DEPLOY / "scripts"
sys.path[:0] = [str(ROOT), str(ROOT / "tools"), str(ROOT / "tests/e2e")]
import deploy_tools  # noqa: E402
import manifests  # noqa: E402

PLAIN = sorted(DEPLOY / path for path in [*manifests.FILES, "namespace.yaml"] if path != "alerts/prometheusrule.yaml")


def documents(path):
    return [one for one in yaml.safe_load_all(path.read_text(encoding="utf-8")) if one]


def everything():
    """All plain manifests as objects."""
    return [one for path in PLAIN for one in documents(path)]


def of_kind(kind, objects):
    return {one["metadata"]["name"]: one for one in objects if one["kind"] == kind}


def helm(*arguments):
    return subprocess.run([deploy_tools.find("helm"), *arguments], capture_output=True, text=True, timeout=60, check=False)


def template(*options):
    """(documents, what Helm said): no documents where it refused."""
    run = helm("template", "llm-research", str(CHART), "--namespace", "llm-research",
               "--kube-version", manifests.KUBERNETES, *options)
    if run.returncode != 0:
        return [], run.stderr
    return [one for one in yaml.safe_load_all(run.stdout) if one], run.stderr


def missing(test, what):
    """Where a machine cannot run a test; in CI that is a failure."""
    if os.environ.get("LAB_REQUIRE_BACKENDS") == "1":
        test.fail(what)
    test.skipTest(what)
