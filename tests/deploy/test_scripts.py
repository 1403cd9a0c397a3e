"""The scripts: what they say of themselves, what they would do, and what they do to a cluster that is a file, to the
program, to PostgreSQL and to a bucket."""
import http.server
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest

import parts
import test_migrate
import test_serve
from tools import postgres, s3

HERE = pathlib.Path(__file__).resolve().parent
NAMES = ["pre-deploy-check", "deploy-blue-green", "deploy-canary", "rolling-update", "health-check", "smoke-tests",
         "run-migrations", "maintenance-window", "emergency-rollback", "scale", "db-health", "circuit-breaker"]
OLD, NEW, BAD = (f"ghcr.io/llm-research-lab/api:v{version}" for version in ("1.0.0", "1.1.0", "1.2.0"))
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Prometheus(http.server.BaseHTTPRequestHandler):
    """Says the error rate that the test has set."""

    def do_GET(self):
        rate = self.server.rate(self.path) if callable(self.server.rate) else self.server.rate
        body = json.dumps({"data": {"result": [{"value": [0, str(rate)]}]}}).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Scripted(test_serve.ServeTest):
    """A script beside a cluster that is a file; its pods are one real server."""

    def setUp(self):
        super().setUp()
        self.file = self.folder / "cluster.json"
        programs = self.folder / "bin"
        programs.mkdir()
        # Called often: without what else Python would load.
        (programs / "kubectl").write_text(f'#!/bin/sh\nexec {sys.executable} -IS {HERE / "cluster.py"} "$@"\n')
        (programs / "kubectl").chmod(0o755)
        (programs / "aws").symlink_to(parts.ROOT / "build/deploy/venv/bin/aws")
        # Ten seconds of watching are a hundredth here.
        (programs / "sleep").write_text('#!/bin/sh\nexec /bin/sleep "$(echo "$1 / 100" | bc -l)"\n')
        (programs / "sleep").chmod(0o755)
        self.env = {"PATH": f"{programs}:{os.environ['PATH']}", "LAB_CLUSTER": str(self.file), "NAMESPACE": "llm-research",
                    "HOME": str(self.folder), "MONITOR_SECONDS": "30", "SOAK_SECONDS": "1", "BACK_SECONDS": "20",
                    "STEP_SECONDS": "30"}
        objects = {}
        for one in parts.everything():
            if not one["metadata"]["name"].endswith("-canary") and one["kind"] not in ("VirtualService", "Job"):
                objects.setdefault(one["kind"], {})[one["metadata"]["name"]] = one
        objects["CustomResourceDefinition"] = {"virtualservices.networking.istio.io": {}}
        for one in objects["Deployment"].values():
            one["spec"].setdefault("replicas", 3)
            one["spec"]["template"]["spec"]["containers"][0]["image"] = OLD
        objects["ConfigMap"] = {"llm-research-config": objects["ConfigMap"]["llm-research-config"]}
        self.state = {"objects": objects, "broken": BAD}
        self.file.write_text(json.dumps(self.state))
        # As if the first version had been deployed: a revision to go back to.
        for container in ("api", "worker"):
            subprocess.run(["kubectl", "set", "image", f"deployment/llm-research-{container}", f"{container}={OLD}"],
                           env=self.env, check=True)

    def serve(self):
        server = self.server(ADMIN_KEY="k" * 40)
        self.env |= {"LAB_CLUSTER_PORT": str(server.port), "TEST_TOKEN": self.user(server)}
        return server

    def prometheus(self, rate=0):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Prometheus)
        server.rate = rate
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.env["PROMETHEUS_URL"] = f"http://127.0.0.1:{server.server_address[1]}"
        return server

    def run_script(self, name, *arguments, code=0, **env):
        done = subprocess.run([parts.SCRIPTS / f"{name}.sh", *arguments], capture_output=True, text=True, cwd="/",
                              env={**self.env, **env}, stdin=subprocess.DEVNULL, timeout=120)
        self.assertEqual(done.returncode, code, f"{name} {arguments}\n{done.stdout}\n{done.stderr}")
        return done.stdout + done.stderr

    @property
    def objects(self):
        return json.loads(self.file.read_text())["objects"]

    def image(self, name="llm-research-api"):
        return self.objects["Deployment"][name]["spec"]["template"]["spec"]["containers"][0]["image"]

    def colour(self):
        return self.objects["Service"]["llm-research-api"]["spec"]["selector"]["version"]

    def changes(self):
        log = self.file.with_suffix(".log")
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    def forget_changes(self):
        self.file.with_suffix(".log").unlink(missing_ok=True)


class Words(Scripted):
    def test_there_is_every_script_and_its_help(self):
        have = {path.stem for path in parts.SCRIPTS.glob("*.sh")} - {"lib"}
        self.assertEqual(have, set(NAMES))
        for name in NAMES:
            words = self.run_script(name, "--help")
            self.assertIn(f"{name}.sh", words)
            self.assertIn("--dry-run", words)

    def test_a_dry_run_changes_nothing(self):
        self.prometheus()
        self.forget_changes()
        calls = {"deploy-blue-green": ["v1.1.0"], "deploy-canary": ["v1.1.0"], "rolling-update": ["v1.1.0"], "scale": ["10"],
                 "circuit-breaker": ["open", "openai-api"], "maintenance-window": ["1"], "run-migrations": ["--backup-only"]}
        for name in NAMES:
            words = self.run_script(
                name, "--dry-run", *calls.get(name, []), code=1 if name == "pre-deploy-check" else 0,
                LAB_CLUSTER_FORBID_CHANGES="1", DATABASE_URL="postgresql://127.0.0.1:1/lab", BACKUP_BUCKET="lab")
            if name not in ("pre-deploy-check", "emergency-rollback"):
                self.assertIn("would", words, name)
        self.assertEqual(self.changes(), [])

    def test_wrong_calls_say_what_would_be_right(self):
        for name, arguments, words in (
                ("deploy-blue-green", ["1.2.3"], "v1.2.3"), ("rolling-update", [], "which version"),
                ("scale", ["many"], "how many"), ("circuit-breaker", ["open"], "which service"),
                ("maintenance-window", ["soon"], "how many minutes"), ("deploy-canary", ["--until", "x"], "PERCENT"),
                ("smoke-tests", ["--url"], "unknown argument")):
            self.assertIn(words, self.run_script(name, *arguments, code=2), name)

    def test_code_in_documents_is_code(self):
        texts = [*parts.ROOT.glob("docs/operations*.md"), *parts.ROOT.glob("docs/operations/*.md"), parts.DEPLOY / "README.md"]
        for path in texts:
            for language, block in FENCE.findall(path.read_text(encoding="utf-8")):
                if language in ("bash", "sh"):
                    done = subprocess.run(["bash", "-n"], input=block, text=True, capture_output=True, check=False)
                    self.assertEqual(done.returncode, 0, f"{path.name}: {done.stderr}\n{block}")
                    done = subprocess.run(["shellcheck", "-s", "bash", "-S", "error", "-"], input=block, text=True,
                                          capture_output=True, check=False)
                    self.assertEqual(done.returncode, 0, f"{path.name}: {done.stdout}")


class Deployments(Scripted):
    def test_blue_green_ends_on_the_base_twice_in_a_row(self):
        self.serve()
        self.prometheus()
        for version in ("v1.1.0", "v1.3.0"):
            words = self.run_script("deploy-blue-green", version)
            self.assertIn("traffic goes to green", words)
            self.assertIn("traffic goes to blue", words)
            self.assertEqual(self.colour(), "blue")
            self.assertTrue(self.image().endswith(version) and self.image("llm-research-worker").endswith(version))
            self.assertEqual(set(self.objects["Deployment"]), {"llm-research-api", "llm-research-worker"})
            self.assertEqual(set(self.objects["HorizontalPodAutoscaler"]), {"llm-research-api-hpa"})
        self.forget_changes()
        self.assertIn("serves already", self.run_script("deploy-blue-green", "v1.3.0"))
        self.assertEqual(self.changes(), [])

    def test_errors_on_green_take_traffic_back(self):
        self.serve()
        self.prometheus(rate=0.5)
        words = self.run_script("deploy-blue-green", "v1.1.0", code=1)
        self.assertIn("traffic is on blue again", words)
        self.assertEqual((self.colour(), self.image()), ("blue", OLD))
        self.run_script("deploy-blue-green", "--abort")
        self.assertNotIn("llm-research-api-green", self.objects["Deployment"])

    def test_green_that_does_not_become_ready_gets_no_traffic(self):
        self.prometheus()
        self.run_script("deploy-blue-green", "v1.2.0", code=1)
        self.assertNotIn("version", json.dumps([one for one in self.changes() if "service" in one]))
        self.assertEqual(self.colour(), "blue")

    def test_a_rollback_from_green_is_one_patch(self):
        self.serve()
        self.prometheus()
        self.run_script("deploy-blue-green", "--until", "switched", "v1.1.0")
        self.assertEqual((self.colour(), self.image()), ("green", OLD))
        self.forget_changes()
        self.run_script("emergency-rollback")
        self.assertEqual((self.colour(), self.image()), ("blue", OLD))
        self.assertEqual(len(self.changes()), 1)

    def test_a_blue_green_deployment_goes_on_where_it_was(self):
        self.serve()
        self.prometheus()
        self.run_script("deploy-blue-green", "--until", "switched", "v1.1.0")
        self.assertIn("end that deployment first", self.run_script("rolling-update", "v1.1.0", code=1))
        self.run_script("deploy-blue-green", "v1.1.0")
        self.assertEqual((self.colour(), self.image()), ("blue", NEW))

    def test_rolling_update_comes_back_when_it_does_not_become_ready(self):
        self.serve()
        self.run_script("rolling-update", "v1.1.0")
        self.assertEqual((self.image(), self.image("llm-research-worker")), (NEW, NEW))
        words = self.run_script("rolling-update", "v1.2.0", code=1)
        self.assertIn(f"back to {NEW}", words)
        self.assertEqual((self.image(), self.image("llm-research-worker")), (NEW, NEW))

    def test_a_rollback_leads_to_the_version_before_and_only_once(self):
        self.serve()
        self.run_script("rolling-update", "v1.1.0")
        # A webhook that nobody hears is told and no failure; its address is in no word.
        words = self.run_script("emergency-rollback", SLACK_WEBHOOK="http://127.0.0.1:1/secret-path")
        self.assertIn("could not be told", words)
        self.assertNotIn("secret-path", words)
        self.assertEqual((self.image(), self.image("llm-research-worker")), (OLD, OLD))
        self.assertIn("already", self.run_script("emergency-rollback"))
        self.assertEqual(self.image(), OLD)
        # The next one has somewhere to go back to again.
        self.run_script("rolling-update", "v1.3.0")
        self.run_script("emergency-rollback")
        self.assertEqual(self.image(), OLD)

    def test_a_canary_is_promoted_step_by_step(self):
        self.serve()
        self.prometheus()
        self.run_script("deploy-canary", "--until", "25", "v1.1.0")
        rule = self.objects["VirtualService"]["llm-research-api"]["spec"]["http"][1]["route"]
        self.assertEqual([one["weight"] for one in rule], [75, 25])
        self.assertEqual(self.objects["Service"]["llm-research-api-canary"]["spec"]["selector"]["version"], "canary")
        self.run_script("deploy-canary", "--promote", "v1.1.0")
        self.assertEqual(self.image(), NEW)
        self.assertEqual(self.objects["VirtualService"], {})
        self.assertNotIn("llm-research-api-canary", self.objects["Deployment"])

    def test_a_canary_with_errors_loses_its_traffic(self):
        self.serve()
        self.prometheus(rate=lambda path: 0.2 if "canary" in path else 0)
        words = self.run_script("deploy-canary", "v1.1.0", code=1)
        self.assertIn("at 10 %", words)
        self.assertEqual((self.image(), self.objects["VirtualService"]), (OLD, {}))
        # First the route, then the pods.
        order = [one[2] for one in self.changes() if one[2] in ("apply", "delete")]
        self.assertEqual(order[-5], "apply")

    def test_a_rollback_ends_a_canary(self):
        self.serve()
        self.prometheus()
        self.run_script("deploy-canary", "--until", "10", "v1.1.0")
        self.run_script("emergency-rollback")
        self.assertEqual((self.image(), self.objects["VirtualService"]), (OLD, {}))
        self.assertNotIn("llm-research-api-canary", self.objects["Deployment"])

    def test_scaling_holds_against_the_autoscaler(self):
        self.run_script("scale", "10")
        self.assertEqual(self.objects["HorizontalPodAutoscaler"]["llm-research-api-hpa"]["spec"]["minReplicas"], 10)
        self.assertEqual(self.objects["Deployment"]["llm-research-api"]["spec"]["replicas"], 10)
        self.assertIn("20 at most", self.run_script("scale", "21", code=1))
        self.run_script("scale", "--release")
        self.assertEqual(self.objects["HorizontalPodAutoscaler"]["llm-research-api-hpa"]["spec"]["minReplicas"], 3)

    def test_the_check_before_a_deployment_finds_what_is_wrong(self):
        self.prometheus()
        self.state["objects"]["Secret"] = {"llm-research-secrets": {
            "metadata": {"name": "llm-research-secrets"}, "data": {"DATABASE_URL": "", "JWT_SECRET": ""}}}
        self.file.write_text(json.dumps(self.state))
        words = self.run_script("pre-deploy-check")
        for part in ("OK: Secret", "NOT CHECKED: the image", "NOTE: the Secret has no ADMIN_KEY", "ready for a deployment"):
            self.assertIn(part, words)
        del self.state["objects"]["Secret"]["llm-research-secrets"]["data"]["JWT_SECRET"]
        self.state["objects"]["Service"]["llm-research-api"]["spec"]["selector"]["version"] = "green"
        self.file.write_text(json.dumps(self.state))
        words = self.run_script("pre-deploy-check", code=1)
        self.assertIn("FAILED: Secret", words)
        self.assertIn("FAILED: traffic is on green", words)


class Maintenance(Scripted):
    def scaler(self):
        return self.objects["HorizontalPodAutoscaler"]["llm-research-api-hpa"]

    def mode(self):
        return self.objects["ConfigMap"]["llm-research-config"]["data"]["MAINTENANCE_MODE"]

    def test_afterwards_all_is_as_before(self):
        self.serve()
        before = self.scaler()["spec"]
        seen = self.folder / "seen"
        self.run_script("maintenance-window", "--", "cp", str(self.file), str(seen))
        during = json.loads(seen.read_text())["objects"]
        self.assertEqual(during["ConfigMap"]["llm-research-config"]["data"]["MAINTENANCE_MODE"], "true")
        self.assertEqual(during["Deployment"]["llm-research-api"]["spec"]["replicas"], 1)
        still = during["HorizontalPodAutoscaler"]["llm-research-api-hpa"]["spec"]
        self.assertEqual((still["minReplicas"], still["behavior"]["scaleUp"]["selectPolicy"]), (1, "Disabled"))
        self.assertEqual((self.scaler()["spec"], self.mode()), (before, "false"))
        self.assertEqual(self.objects["Deployment"]["llm-research-api"]["spec"]["replicas"], 3)
        self.assertEqual(self.scaler()["metadata"].get("annotations"), {})

    def test_work_that_fails_ends_the_window_too(self):
        self.serve()
        words = self.run_script("maintenance-window", "--keep-pods", "--", "false", code=1)
        self.assertIn("the command ended with 1", words)
        self.assertEqual(self.mode(), "false")

    def test_a_window_that_was_cut_off_is_ended_by_the_next(self):
        self.serve()
        before = self.scaler()["spec"]
        # Killed in the middle: nothing is put back.
        subprocess.run([parts.SCRIPTS / "maintenance-window.sh", "--", "/bin/sh", "-c", "kill -9 $PPID"], env=self.env,
                       capture_output=True, check=False)
        self.assertEqual((self.mode(), self.objects["Deployment"]["llm-research-api"]["spec"]["replicas"]), ("true", 1))
        self.run_script("maintenance-window", "0")
        self.assertEqual((self.mode(), self.scaler()["spec"]), ("false", before))
        self.assertEqual(self.objects["Deployment"]["llm-research-api"]["spec"]["replicas"], 3)


class AtTheProgram(Scripted):
    def test_health_and_smoke_pass_and_say_what_they_did_not_check(self):
        server = self.serve()
        url = server.url("")
        self.assertIn("All health checks passed!", self.run_script("health-check", API_URL=url))
        words = self.run_script("smoke-tests", API_URL=url)
        self.assertIn("OK: DELETE /datasets", words)
        self.assertEqual(server.call("GET", "/datasets", token=self.env["TEST_TOKEN"])[2]["data"], [])
        self.env.pop("TEST_TOKEN")
        self.assertIn("NOT CHECKED", self.run_script("health-check", API_URL=url))
        self.assertIn("NOT CHECKED", self.run_script("smoke-tests", API_URL=url))

    def test_a_service_that_is_not_there_is_not_healthy(self):
        self.assertIn("FAILED: Liveness", self.run_script("health-check", API_URL="http://127.0.0.1:1", code=1))
        self.assertIn("GET /health answers 000", self.run_script("smoke-tests", API_URL="http://127.0.0.1:1", code=1))

    def test_smoke_tests_respect_maintenance(self):
        server = self.server(MAINTENANCE_MODE="true")
        token = self.user(server)
        words = self.run_script("smoke-tests", API_URL=server.url(""), TEST_TOKEN=token)
        self.assertIn("NOT CHECKED: writing, because there is maintenance", words)
        self.assertIn("All health checks passed!", self.run_script("health-check", API_URL=server.url(""), TEST_TOKEN=token))

    def test_a_breaker_is_forced_without_the_key_in_any_list(self):
        server = self.serve()
        # In a pod the program listens on 8080.
        script = self.folder / "circuit-breaker.sh"
        text = (parts.SCRIPTS / "circuit-breaker.sh").read_text().replace("localhost:8080", f"localhost:{server.port}")
        script.write_text(text.replace('$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)', str(parts.SCRIPTS)))
        script.chmod(0o755)

        def call(*arguments, **env):
            return subprocess.run([script, *arguments], env={**self.env, **env}, capture_output=True, text=True)
        done = call("open", "openai-api", ADMIN_KEY="k" * 40)
        self.assertEqual((done.returncode, json.loads(done.stdout)["state"]), (0, "open"), done.stderr)
        state = {one["service"]: one["state"] for one in json.loads(call("status").stdout)["breakers"]}
        self.assertEqual(state["openai-api"], "open")
        # Without a key here, that of the pod counts.
        self.assertIn("neither this shell nor the pod", call("close", "openai-api").stderr)
        self.file.write_text(json.dumps({**json.loads(self.file.read_text()), "admin_key": "k" * 40}))
        self.assertEqual(json.loads(call("close", "openai-api").stdout)["state"], "closed")
        self.assertNotEqual(call("open", "openai-api", ADMIN_KEY="wrong" * 8).returncode, 0)


@unittest.skipUnless((postgres.BIN / "initdb").exists(), "PostgreSQL is not installed")
class Database(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.servers = cls.enterClassContext(postgres.Servers())
        cls.bucket = cls.enterClassContext(s3.Server())

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="lab-deploy-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        server = self.servers.env["LAB_TEST_POSTGRES_URL"]
        name = f"deploy_{self._testMethodName}"[:60].lower()
        test_migrate.sql(server, f"CREATE DATABASE {name}")
        self.url = server.replace("/postgres", f"/{name}")
        programs = self.folder / "bin"
        programs.mkdir()
        (programs / "llm-research").symlink_to(pathlib.Path(os.environ["LLM_RESEARCH"]).resolve())
        (programs / "aws").symlink_to(parts.ROOT / "build/deploy/venv/bin/aws")
        self.env = {"PATH": f"{programs}:{os.environ['PATH']}", "DATABASE_URL": self.url, "HOME": str(self.folder),
                    "LLM_RESEARCH_HOME": str(self.folder)}

    def run_script(self, name, *arguments, code=0, **env):
        done = subprocess.run([parts.SCRIPTS / f"{name}.sh", *arguments], capture_output=True, text=True, cwd="/",
                              env={**self.env, **env}, stdin=subprocess.DEVNULL, timeout=300)
        self.assertEqual(done.returncode, code, f"{done.stdout}\n{done.stderr}")
        return done.stdout + done.stderr

    def migrated(self):
        subprocess.run([os.environ["LLM_RESEARCH"], "migrate", "run"], env=self.env, check=True, capture_output=True)

    def test_the_questions_to_the_database_have_answers(self):
        self.migrated()
        words = self.run_script("db-health", "--sql-only")
        for part in ("indexname", "active_connections", "the database is well"):
            self.assertIn(part, words)
        self.run_script("db-health", "--sql-only", code=1, DATABASE_URL="postgresql://127.0.0.1:1/lab")

    def test_a_migration_begins_with_a_backup_that_is_restored(self):
        if not self.bucket.port:
            parts.missing(self, "there is no S3 server: tools/s3.py --build")
        self.migrated()
        # Rows of many lengths come to lie in another order than they are written in.
        test_migrate.sql(self.url, """
            CREATE TABLE odd (a text, b bytea);
            INSERT INTO odd SELECT 'tab' || chr(9) || i, decode('00ff', 'hex') FROM generate_series(1, 500) i;
            INSERT INTO odd SELECT (CASE WHEN i % 2 = 0 THEN '--' ELSE 'r' END) || i,
                                   convert_to(repeat('x', i * 7919 % 1900), 'UTF8') FROM generate_series(1, 3000) i;
        """)
        env = {"AWS_ACCESS_KEY_ID": self.bucket.key, "AWS_SECRET_ACCESS_KEY": self.bucket.secret, "AWS_REGION": s3.REGION,
               "AWS_DEFAULT_REGION": s3.REGION, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.bucket.port}",
               "BACKUP_BUCKET": s3.BUCKET}
        words = self.run_script("run-migrations", **env)
        self.assertRegex(words, r"Backup restored and equal: \d\d tables, 3[5-9]\d\d rows")
        self.assertIn("Migrations completed successfully", words)
        databases = test_migrate.sql(self.servers.env["LAB_TEST_POSTGRES_URL"], "SELECT datname FROM pg_database")
        self.assertNotIn("verify", databases, "the database of the proof is gone")
        # A database that is not empty cannot be the proof.
        words = self.run_script("run-migrations", "--backup-only", code=1, VERIFY_DATABASE_URL=self.url, **env)
        self.assertIn("cannot be restored", words)
        words = self.run_script("run-migrations", code=1, **{**env, "BACKUP_BUCKET": "no-such-bucket"})
        self.assertNotIn("Migrations completed", words)


if __name__ == "__main__":
    unittest.main()
