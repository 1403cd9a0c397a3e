#!/usr/bin/env python3
"""Writes the plain manifests in deploy/, which are what the chart renders to with its own values.

Usage: manifests.py [--check]

The chart deploy/helm/llm-research is the one source. `--check` writes nothing and fails when a file differs from
what the chart renders to. Helm is that of tools/deploy_tools.py.
"""
import json
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import deploy_tools  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent
DEPLOY = ROOT / "deploy"
CHART = DEPLOY / "helm" / "llm-research"
NAMESPACE = "llm-research"
KUBERNETES = "1.28.0"  # the oldest that the chart is for; a Helm of `go install` takes itself for an older one
HEADER = "# Rendered from helm/llm-research: change the chart, then call tools/manifests.py.\n"
SECONDS = 60

# File -> the templates it consists of, and what Helm is told beside the values of the chart.
FILES = {
    "config/production-config.yaml": (["config.yaml"], []),
    "serviceaccount.yaml": (["serviceaccount.yaml"], []),
    "deployment.yaml": (["deployment.yaml"], []),
    "service.yaml": (["service.yaml"], []),
    "worker.yaml": (["worker.yaml"], []),
    "hpa.yaml": (["hpa.yaml"], []),
    "pdb.yaml": (["pdb.yaml"], []),
    "resourcequota.yaml": (["resourcequota.yaml"], []),
    "networkpolicy.yaml": (["networkpolicy.yaml"], []),
    "ingress.yaml": (["ingress.yaml"], []),
    "migration.yaml": (["migration.yaml"], []),
    "canary.yaml": (["canary.yaml"], ["-f", str(CHART / "values-canary.yaml")]),
    "prometheus/adapter-rules.yaml": (["adapter-rules.yaml"], []),
    "alerts/configmap.yaml": (["alerts.yaml"], []),
    "alerts/prometheusrule.yaml": (["alerts.yaml"], ["--set", "alerts.kind=PrometheusRule"]),
}
# The runbook has these two in other forms: the rules as Prometheus reads them, the dashboard as JSON.
RULES = "alerts/llm-research-alerts.yaml"
DASHBOARD = "dashboards/llm-research-overview.json"


def render(options):
    """Template -> its documents, each with the text that Helm made."""
    run = subprocess.run([deploy_tools.find("helm"), "template", "llm-research", str(CHART), "--namespace", NAMESPACE,
                          "--kube-version", KUBERNETES, *options], capture_output=True, text=True, timeout=SECONDS, check=False)
    if run.returncode != 0:
        raise SystemExit(f"manifests: helm template {' '.join(options)}: {run.stderr.strip()}")
    out = {}
    for part in re.split(r"^---\n", run.stdout, flags=re.MULTILINE):
        source = re.match(r"# Source: llm-research/templates/(\S+)\n", part)
        if source:
            out.setdefault(source[1], []).append(part[source.end():].strip("\n") + "\n")
    return out


def block(document, key):
    """The text of one key of a ConfigMap, which is its last and indented by four."""
    lines = document.split(f"  {key}: |\n", 1)[1].split("\n")
    return "\n".join(line[4:] for line in lines).rstrip("\n") + "\n"


def dashboard(document):
    """The ConfigMap as JSON."""
    labels = dict(re.findall(r'^    (\S+): "?([^"\n]*)"?$', document.split("labels:\n", 1)[1].split("data:", 1)[0],
                             re.MULTILINE))
    return json.dumps({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "llm-research-overview", "namespace": NAMESPACE, "labels": labels},
        "data": {"llm-research-overview.json": block(document, "llm-research-overview.json")},
    }, indent=2) + "\n"


def manifests():
    """Path below deploy/ -> text."""
    rendered, out = {}, {}
    for path, (templates, options) in FILES.items():
        key = tuple(options)
        if key not in rendered:
            rendered[key] = render(options)
        documents = [document for template in templates for document in rendered[key][template]]
        out[path] = HEADER + "---\n".join(documents)
    plain = rendered[()]
    out[RULES] = HEADER + block(plain["alerts.yaml"][0], "llm-research-alerts.yaml")
    out[DASHBOARD] = dashboard(plain["dashboard.yaml"][0])
    return out


def main(arguments):
    if arguments not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    if deploy_tools.find("helm") is None:
        print("manifests: there is no Helm: tools/deploy_tools.py --build helm", file=sys.stderr)
        return 1
    differ = []
    for path, text in manifests().items():
        file = DEPLOY / path
        if file.exists() and file.read_text(encoding="utf-8") == text:
            continue
        differ.append(path)
        if not arguments:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
    for path in differ:
        print(f"deploy/{path}: " + ("is not what the chart renders to: tools/manifests.py" if arguments else "written"))
    return 1 if arguments and differ else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
