"""Alerts and panels, against the rules' own tests and against a Prometheus that scrapes the program."""
import http.server
import json
import pathlib
import re
import shutil
import subprocess
import threading
import time
import unittest
import urllib.parse
import urllib.request

import yaml

import parts
import test_serve
from tools import private_server

HERE = pathlib.Path(__file__).resolve().parent
RULES = parts.DEPLOY / "alerts/llm-research-alerts.yaml"
# Of the runbook: what operators know them by.
RUNBOOK_ALERTS = {"HighErrorRate": ("critical", "5m"), "HighLatency": ("warning", "5m"),
                  "PodNotReady": ("critical", "2m"), "DatabaseConnectionPoolExhausted": ("warning", "5m")}
PANEL_GROUPS = ["Request rate and latency", "Error rates by endpoint", "Pod resource utilization",
                "Database connection pool metrics", "Cache hit rates", "Circuit breaker status"]
# Panels that show nothing until a model was called.
OF_RUNS = {"Calls of models a second", "US dollars an hour"}


def rules():
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def dashboard():
    given = json.loads((parts.DEPLOY / "dashboards/llm-research-overview.json").read_text())
    return json.loads(given["data"]["llm-research-overview.json"])


def promtool(test, *arguments):
    if shutil.which("promtool") is None:
        parts.missing(test, "promtool is not installed (Debian's prometheus)")
    return subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True, check=False)


class Rules(unittest.TestCase):
    def test_rules_are_rules(self):
        run = promtool(self, "check", "rules", "--lint-fatal", RULES)
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)

    def test_every_alert_fires_above_its_threshold_and_not_below(self):
        run = promtool(self, "test", "rules", HERE / "alerts_test.yaml")
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)

    def test_every_alert_is_tested_at_three_values(self):
        cases = yaml.safe_load((HERE / "alerts_test.yaml").read_text())["tests"]
        for rule in rules():
            mine = [one["exp_alerts"] for case in cases for one in case["alert_rule_test"]
                    if one["alertname"] == rule["alert"]]
            self.assertGreaterEqual(len(mine), 3, rule["alert"])
            self.assertTrue(any(mine) and not all(mine), f"{rule['alert']} fires in one test and is silent in another")

    def test_alerts_of_the_runbook_have_their_names(self):
        have = {rule["alert"]: (rule["labels"]["severity"], rule.get("for")) for rule in rules()}
        self.assertEqual({name: have.get(name) for name in RUNBOOK_ALERTS}, RUNBOOK_ALERTS)

    def test_all_forms_of_the_rules_are_the_same(self):
        plain = yaml.safe_load(RULES.read_text())
        config = parts.documents(parts.DEPLOY / "alerts/configmap.yaml")[0]
        self.assertEqual(yaml.safe_load(config["data"]["llm-research-alerts.yaml"]), plain)
        self.assertEqual(parts.documents(parts.DEPLOY / "alerts/prometheusrule.yaml")[0]["spec"], plain)

    def test_another_namespace_is_the_one_that_is_watched(self):
        run = parts.helm("template", "x", str(parts.CHART), "-n", "lab-two", "--kube-version", "1.28.0",
                         "-s", "templates/alerts.yaml", "-s", "templates/dashboard.yaml")
        self.assertIn("lab-two", run.stdout)
        self.assertNotRegex(run.stdout, r'namespace=\\*"llm-research\\*"')

    def test_the_scrape_configuration_is_one(self):
        text = (parts.DEPLOY / "prometheus/prometheus.yaml").read_text()
        # Debian's build knows no Kubernetes: that part is checked by its form alone.
        found = yaml.safe_load(text)["scrape_configs"][0].pop("kubernetes_sd_configs")
        self.assertEqual(found, [{"role": "pod", "namespaces": {"names": ["llm-research"]}}])
        short = re.sub(r"  kubernetes_sd_configs:\n(?:  [- ] .*\n|    .*\n)+?(?=  relabel_configs)", "", text)
        path = parts.ROOT / "build/deploy/prometheus.yaml"
        path.write_text(short)
        run = promtool(self, "check", "config", "--syntax-only", path)
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)

    def test_the_dashboard_has_the_groups_of_the_runbook(self):
        panels = dashboard()["panels"]
        rows = [one["title"] for one in panels if one["type"] == "row"]
        self.assertEqual(rows[:6], PANEL_GROUPS)
        numbers = [one["id"] for one in panels]
        self.assertEqual(len(numbers), len(set(numbers)))
        for one in panels:
            self.assertTrue(one["type"] == "row" or one["targets"], one["title"])
            where = one["gridPos"]
            self.assertLessEqual(where["x"] + where["w"], 24)


class Recorded(http.server.BaseHTTPRequestHandler):
    """What kubelet and kube-state-metrics show, from files."""

    def do_GET(self):
        text = "".join(path.read_text() for path in sorted((HERE / "data").glob("*.prom")))
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


class Live(test_serve.ServeTest):
    """A Prometheus scrapes the program and what was recorded; every query has an answer."""

    def start_prometheus(self, targets):
        program = shutil.which("prometheus")
        if program is None:
            parts.missing(self, "Prometheus is not installed")
        self.port = private_server.free_port()
        (self.folder / "prometheus.yaml").write_text(yaml.safe_dump({
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"}, "rule_files": [str(RULES)],
            "scrape_configs": [
                {"job_name": "llm-research", "static_configs": [{"targets": [targets[0]], "labels": {
                    "namespace": "llm-research", "pod": "llm-research-api-0", "app": "llm-research-api", "colour": "blue"}}]},
                {"job_name": "recorded", "honor_labels": True, "static_configs": [{"targets": [targets[1]]}]}]}))
        with open(self.folder / "prometheus.log", "wb") as log:
            process = subprocess.Popen(
                [program, f"--config.file={self.folder}/prometheus.yaml", f"--storage.tsdb.path={self.folder}/data",
                 f"--web.listen-address=127.0.0.1:{self.port}"], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)

    def ask(self, path, **query):
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)["data"]

    def recorded(self):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Recorded)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server.server_address[1]

    def load(self, server, token):
        for _ in range(5):
            server.call("GET", "/experiments?limit=1", token=token)
            server.call("GET", "/experiments/nothing", token=token)
            server.call("GET", "/models/providers", token=token)

    def test_every_panel_and_every_alert_has_data(self):
        server = self.server(PROMETHEUS_ENABLED="true")
        token = self.user(server)
        self.start_prometheus([f"127.0.0.1:{server.metrics_port}", f"127.0.0.1:{self.recorded()}"])
        queries = [(one["title"], target["expr"].replace("$__rate_interval", "10s"))
                   for one in dashboard()["panels"] if one["type"] != "row" for target in one["targets"]]
        self.assertGreater(len(queries), 20)
        end = time.monotonic() + 60
        empty = queries
        while empty and time.monotonic() < end:
            self.load(server, token)
            time.sleep(1)
            try:
                empty = [(title, query) for title, query in empty if not self.values(query)]
            except OSError:
                continue  # it has not started yet
            if all(title in OF_RUNS for title, _ in empty):
                break
        self.assertEqual({title for title, _ in empty} - OF_RUNS, set(), empty)
        self.check_alerts()

    def values(self, query):
        found = [one["value"][1] for one in self.ask("query", query=query)["result"]]
        # A share of nothing is no number yet.
        return [value for value in found if value != "NaN"]

    def check_alerts(self):
        names = set(self.ask("label/__name__/values"))
        for rule in rules():
            used = set(re.findall(r"\b([a-z][a-z0-9_]*)\{", rule["expr"]))
            self.assertTrue(used and used <= names, f"{rule['alert']} asks for {used - names}, which nobody has")
        groups = self.ask("rules")["groups"]
        states = {rule["name"]: (rule["health"], rule["state"]) for group in groups for rule in group["rules"]}
        self.assertEqual({name: state for name, state in states.items() if state != ("ok", "inactive")}, {})
        self.assertEqual(len(states), len(rules()))


if __name__ == "__main__":
    unittest.main()
