"""The chart and what it renders to."""
import copy
import json
import os
import re
import subprocess
import unittest

import jsonschema
import kubernetes_validate
import yaml

import parts

VERSIONS = ("1.28", "1.34")  # the oldest that the chart is for, and the one that it is rehearsed on

# The policy linter, kube-score with all it has. What it finds and is meant:
EXCEPTIONS = {
    "container-image-pull-policy": "tags are versions that never move, and a registry that is away must stop no pod",
    "container-security-context-user-group-id": "the image has the user 1000, which the operators' rules name",
    "container-resource-requests-equal-limits": "requests and limits are the runbook's: 0.5 of at most 2 processors",
    "container-cpu-requests-equal-limits": "the same",
    "container-memory-requests-equal-limits": "the same",
    "container-ephemeral-storage-request-equals-limit": "8 GiB of cache are the most, not what a pod begins with",
    "deployment-replicas": "a canary of 10 % is one pod",
}

RUNBOOK_CONFIG = {
    "RUST_LOG": "info,llm_research_api=debug", "SERVER_HOST": "0.0.0.0", "SERVER_PORT": "8080", "METRICS_PORT": "9090",
    "HEALTH_CHECK_INTERVAL": "30s", "GRACEFUL_SHUTDOWN_TIMEOUT": "30s", "CONNECTION_POOL_SIZE": "50",
    "CACHE_TTL_SECONDS": "300", "COMPRESSION_ENABLED": "true", "COMPRESSION_MIN_SIZE": "1024",
}


def amount(text):
    """Of processors or bytes: 500m, 2Gi."""
    number, unit = re.fullmatch(r"([0-9.]+)([a-zA-Z]*)", str(text)).groups()
    return float(number) * {"": 1, "m": 0.001, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}[unit]


def strict(schema):
    """A copy that refuses what it does not name, unless it says that it keeps what it does not know."""
    schema = copy.deepcopy(schema)

    def close(part):
        if isinstance(part, dict):
            if "properties" in part and not part.get("x-kubernetes-preserve-unknown-fields"):
                part.setdefault("additionalProperties", False)
            if str(part.get("pattern", "")).startswith("^(?i)"):  # Go takes flags anywhere, Python at the start
                part["pattern"] = "(?i)^" + part["pattern"].removeprefix("^(?i)")
            for one in part.values():
                close(one)
        elif isinstance(part, list):
            for one in part:
                close(one)
    close(schema)
    return schema


def schemas(test, tool):
    """The file of a tool of deploy_tools.py."""
    found = parts.deploy_tools.find(tool)
    if found is None:
        parts.missing(test, f"the schemas of {tool} are not there: tools/deploy_tools.py --build {tool}")
    return found


def spec_of(test, tool, name, version):
    """The strict schema of what a kind of another project has as its `spec`."""
    kinds = yaml.safe_load_all(schemas(test, tool).read_text())
    crd = next(one for one in kinds if one and one["metadata"]["name"] == name)
    schema = next(one["schema"]["openAPIV3Schema"] for one in crd["spec"]["versions"] if one["name"] == version)
    return strict(schema["properties"]["spec"])


def weights_are_wrong(virtual_service):
    """What Istio's own check lets through: shares that are not those of 100. None when all is well."""
    for number, rule in enumerate(virtual_service["spec"]["http"]):
        shares = [one.get("weight", 100 if len(rule["route"]) == 1 else 0) for one in rule["route"]]
        if min(shares) < 0 or sum(shares) != 100:
            return f"http[{number}] has the weights {shares}"
    return None


class Rendered(unittest.TestCase):
    def test_plain_files_are_what_the_chart_renders_to(self):
        run = subprocess.run([parts.ROOT / "tools/manifests.py", "--check"], capture_output=True, text=True, check=False)
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)

    def test_helm_finds_nothing_to_say(self):
        for values in ([], ["-f", str(parts.CHART / "values-full.yaml")], ["-f", str(parts.CHART / "values-canary.yaml")]):
            run = parts.helm("lint", "--strict", *values, str(parts.CHART))
            self.assertEqual(run.returncode, 0, run.stdout + run.stderr)

    def test_every_kind_is_one_of_kubernetes(self):
        dashboard = json.loads((parts.DEPLOY / "dashboards/llm-research-overview.json").read_text())
        full = parts.template("-f", str(parts.CHART / "values-full.yaml"))[0]
        checked = 0
        for one in [*parts.everything(), *full, dashboard]:
            if one["apiVersion"].startswith("networking.istio.io"):
                continue
            for version in VERSIONS:
                with self.subTest(kind=one["kind"], name=one["metadata"]["name"], version=version):
                    kubernetes_validate.validate(one, version, strict=True)
                    checked += 1
        self.assertGreater(checked, 60)

    def test_the_check_of_kinds_can_fail(self):
        wrong = parts.documents(parts.DEPLOY / "service.yaml")[0]
        wrong["spec"]["selectors"] = {}
        with self.assertRaises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate(wrong, VERSIONS[0], strict=True)

    def test_the_virtual_service_is_one_of_istio(self):
        spec = spec_of(self, "istio", "virtualservices.networking.istio.io", "v1beta1")
        route = parts.of_kind("VirtualService", parts.everything())["llm-research-api"]
        jsonschema.validate(route["spec"], spec)
        wrong = copy.deepcopy(route["spec"])
        wrong["http"][1]["route"][0]["wait"] = 90
        with self.assertRaises(jsonschema.ValidationError):
            jsonschema.validate(wrong, spec)

    def test_the_rules_are_a_kind_of_the_prometheus_operator(self):
        spec = spec_of(self, "prometheus-operator", "prometheusrules.monitoring.coreos.com", "v1")
        rules = parts.documents(parts.DEPLOY / "alerts/prometheusrule.yaml")[0]["spec"]
        jsonschema.validate(rules, spec)
        for member, value in (("for", "five minutes"), ("severity", "page")):
            wrong = copy.deepcopy(rules)
            wrong["groups"][0]["rules"][0][member] = value
            with self.assertRaises(jsonschema.ValidationError):
                jsonschema.validate(wrong, spec)

    def test_weights_are_shares_of_100(self):
        for weight in (0, 10, 25, 50, 100):
            rendered = parts.template("--set", "canary.enabled=true", "--set", f"canary.weight={weight}")[0]
            route = parts.of_kind("VirtualService", rendered)["llm-research-api"]
            self.assertIsNone(weights_are_wrong(route))
            self.assertEqual(route["spec"]["http"][1]["route"][1]["weight"], weight)
        route["spec"]["http"][1]["route"][0]["weight"] = 90
        self.assertIn("[90, 100]", weights_are_wrong(route))

    def test_values_that_make_no_sense_are_refused(self):
        for setting, word in (("canary.weight=110", "weight"), ("canary.weight=-1", "weight"), ("replicas=0", "replicas"),
                              ("image.tag=latest", "tag"), ("image.repository=host:5000/api", "repository"),
                              ("colour=green", "colour"), ("replicsa=3", "replicsa"), ("secret.create=true", "DATABASE_URL"),
                              ("worker.enabled=false", "nobody would carry out runs"), ("config.lower=x", "lower")):
            with self.subTest(setting):
                rendered, words = parts.template("--set", setting)
                self.assertEqual(rendered, [])
                self.assertIn(word, words)

    def test_the_policy_linter_finds_nothing_else(self):
        program = parts.deploy_tools.find("kube-score")
        if program is None:
            parts.missing(self, "kube-score is not there: tools/deploy_tools.py --build kube-score")
        text = "\n---\n".join(path.read_text() for path in parts.PLAIN)
        run = subprocess.run([program, "score", "-", "--kubernetes-version", f"v{VERSIONS[0]}", "--all-default-optional",
                              "--output-format", "json"], input=text, capture_output=True, text=True, check=False)
        found, used = [], set()
        for one in json.loads(run.stdout):
            for check in one["checks"]:
                if check["skipped"] or check["grade"] >= 10:
                    continue
                used.add(check["check"]["id"])
                if check["check"]["id"] not in EXCEPTIONS:
                    found.append(f"{one['object_name']}: {check['check']['id']}: {check['comments']}")
        self.assertEqual(found, [])
        self.assertEqual(set(EXCEPTIONS) - used, set(), "exceptions that nothing needs any more")


class Runbook(unittest.TestCase):
    """Names, labels and numbers that its commands count on."""

    @classmethod
    def setUpClass(cls):
        cls.all = parts.everything()
        cls.api = parts.of_kind("Deployment", cls.all)["llm-research-api"]
        cls.pod = cls.api["spec"]["template"]
        cls.container = cls.pod["spec"]["containers"][0]

    def test_everything_is_in_its_namespace(self):
        for one in self.all:
            if one["kind"] != "Namespace":
                self.assertEqual(one["metadata"]["namespace"], "llm-research", one["metadata"]["name"])

    def test_every_selector_has_a_colour(self):
        colours = {"app": "llm-research-api", "version": "blue"}
        self.assertEqual(self.api["spec"]["selector"]["matchLabels"], colours)
        self.assertEqual(self.pod["metadata"]["labels"].items() & colours.items(), colours.items())
        services, budgets = parts.of_kind("Service", self.all), parts.of_kind("PodDisruptionBudget", self.all)
        self.assertEqual(services["llm-research-api"]["spec"]["selector"], colours)
        self.assertEqual(services["llm-research-api-canary"]["spec"]["selector"]["version"], "canary")
        self.assertEqual(budgets["llm-research-api"]["spec"]["selector"]["matchLabels"], colours)
        for name, one in {**parts.of_kind("Deployment", self.all), **budgets}.items():
            self.assertIn("version", one["spec"]["selector"]["matchLabels"], name)
        # The autoscaler counts the pods that the selector of its Deployment finds.
        scaler = parts.of_kind("HorizontalPodAutoscaler", self.all)["llm-research-api-hpa"]
        self.assertEqual(scaler["spec"]["scaleTargetRef"]["name"], "llm-research-api")

    def test_the_container_is_that_of_the_runbook(self):
        self.assertEqual(self.container["name"], "api")
        self.assertRegex(self.container["image"], r"^ghcr\.io/llm-research-lab/api:v\d+\.\d+\.\d+$")
        self.assertEqual([one["containerPort"] for one in self.container["ports"]], [8080, 9090])
        self.assertEqual(self.container["envFrom"], [{"configMapRef": {"name": "llm-research-config"}},
                                                     {"secretRef": {"name": "llm-research-secrets"}}])
        limits = self.container["resources"]
        self.assertEqual((limits["requests"]["cpu"], limits["requests"]["memory"]), ("500m", "512Mi"))
        self.assertEqual((limits["limits"]["cpu"], limits["limits"]["memory"]), ("2000m", "2Gi"))
        self.assertEqual(self.container["livenessProbe"], {"httpGet": {"path": "/health", "port": 8080},
                         "initialDelaySeconds": 10, "periodSeconds": 10, "failureThreshold": 3})
        self.assertEqual(self.container["readinessProbe"], {"httpGet": {"path": "/health/ready", "port": 8080},
                         "initialDelaySeconds": 5, "periodSeconds": 5, "failureThreshold": 3})
        self.assertEqual(self.container["lifecycle"]["preStop"]["exec"]["command"], ["/bin/sh", "-c", "sleep 15"])
        # 15 s, then at most 14.
        self.assertGreaterEqual(self.pod["spec"]["terminationGracePeriodSeconds"], 45)
        self.assertEqual(self.pod["metadata"]["annotations"]["kubectl.kubernetes.io/default-container"], "api")

    def test_no_container_may_more_than_it_needs(self):
        found = 0
        for one in self.all:
            spec = one.get("spec", {}).get("template", {}).get("spec")
            for container in (spec or {}).get("containers", []):
                security = container["securityContext"]
                self.assertEqual(security["runAsUser"], 1000)
                self.assertTrue(security["readOnlyRootFilesystem"] and security["runAsNonRoot"])
                self.assertEqual(security["capabilities"], {"drop": ["ALL"]})
                self.assertIn("/tmp", [mount["mountPath"] for mount in container["volumeMounts"]])
                self.assertIn("memory", container["resources"]["requests"], "a quota refuses pods without requests")
                found += 1
        self.assertEqual(found, 4)

    def test_settings_are_those_of_the_runbook(self):
        data = parts.of_kind("ConfigMap", self.all)["llm-research-config"]["data"]
        self.assertEqual({key: data.get(key) for key in RUNBOOK_CONFIG}, RUNBOOK_CONFIG)
        self.assertEqual(data["MAINTENANCE_MODE"], "false")

    def test_pods_may_watch_their_settings_and_nothing_else(self):
        roles = parts.of_kind("Role", self.all)
        self.assertEqual([one["rules"] for one in roles.values()], [[{
            "apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["llm-research-config"],
            "verbs": ["get", "list", "watch"]}]])
        binding = parts.of_kind("RoleBinding", self.all)["llm-research-config-watcher"]
        # The green Deployment of the runbook names no account.
        self.assertEqual([one["name"] for one in binding["subjects"]], ["llm-research", "default"])
        self.assertEqual(self.pod["spec"]["serviceAccountName"], "llm-research")
        self.assertTrue(self.pod["spec"]["automountServiceAccountToken"])

    def test_the_autoscaler_is_that_of_the_runbook(self):
        spec = parts.of_kind("HorizontalPodAutoscaler", self.all)["llm-research-api-hpa"]["spec"]
        self.assertEqual((spec["minReplicas"], spec["maxReplicas"]), (3, 20))
        self.assertEqual([one["type"] for one in spec["metrics"]], ["Resource", "Resource", "Pods"])
        self.assertEqual(spec["metrics"][2]["pods"], {"metric": {"name": "http_requests_per_second"},
                                                      "target": {"type": "AverageValue", "averageValue": "100"}})
        self.assertNotIn("replicas", self.api["spec"], "an upgrade would take back what the autoscaler has done")

    def test_the_quota_holds_two_colours_at_their_largest(self):
        hard = parts.of_kind("ResourceQuota", self.all)["llm-research-quota"]["spec"]["hard"]
        largest = parts.of_kind("HorizontalPodAutoscaler", self.all)["llm-research-api-hpa"]["spec"]["maxReplicas"]
        deployments = parts.of_kind("Deployment", self.all)
        workers = deployments["llm-research-worker"]
        pods = {"llm-research-api": 2 * largest, "llm-research-worker": workers["spec"]["replicas"] + 1,
                "llm-research-api-canary": 1}
        self.assertGreaterEqual(int(hard["pods"]), sum(pods.values()) + 4)
        for kind in ("requests", "limits"):
            for what in ("cpu", "memory"):
                needed = sum(count * amount(deployments[name]["spec"]["template"]["spec"]["containers"][0]
                                            ["resources"][kind][what]) for name, count in pods.items())
                self.assertGreaterEqual(amount(hard[f"{kind}.{what}"]), needed, f"{kind}.{what}")

    def test_versions_agree(self):
        chart = yaml.safe_load((parts.CHART / "Chart.yaml").read_text())
        self.assertEqual(chart["appVersion"], "v" + (parts.ROOT / "VERSION").read_text().strip())

    def test_a_green_copy_is_the_base_in_another_colour(self):
        self.api["metadata"]["annotations"] = {"deployment.kubernetes.io/revision": "7"}
        run = subprocess.run(["bash", "-c", 'source "$0/lib.sh"; k() { cat; }; copy_of green registry/api:v9.9.9 5',
                              str(parts.SCRIPTS)], input=json.dumps({**self.api, "status": {"replicas": 3}}),
                             capture_output=True, text=True, check=True)
        made = json.loads(run.stdout)
        kubernetes_validate.validate(made, VERSIONS[1], strict=True)
        wanted = json.loads(json.dumps(self.api).replace('"version": "blue"', '"version": "green"'))
        wanted["metadata"]["name"] = "llm-research-api-green"
        wanted["spec"]["replicas"] = 5
        wanted["spec"]["template"]["spec"]["containers"][0]["image"] = "registry/api:v9.9.9"
        del wanted["metadata"]["annotations"]
        self.assertEqual(made, wanted)


class Compose(unittest.TestCase):
    """docker-compose.yml, without Docker: it is one, its settings are settings, its other files can be read."""

    @classmethod
    def setUpClass(cls):
        cls.file = yaml.safe_load((parts.ROOT / "docker-compose.yml").read_text())

    def test_it_is_a_file_of_compose(self):
        schema = json.loads(schemas(self, "compose").read_text())
        validator = jsonschema.validators.validator_for(schema)(schema)
        self.assertEqual([error.message for error in validator.iter_errors(self.file)], [])
        wrong = copy.deepcopy(self.file)
        wrong["services"]["api"]["restarts"] = "always"
        self.assertFalse(validator.is_valid(wrong))

    def test_the_program_takes_its_settings(self):
        env = {key: re.sub(r"\$\{.*\}", "kX0sW5mQ2vT8yB4nR7hL1cF6jD3gZ9pA", str(value))
               for key, value in self.file["services"]["api"]["environment"].items()}
        run = subprocess.run([os.environ["LLM_RESEARCH"], "config", "check", "--server", "-o", "json"],
                             env={"PATH": os.environ["PATH"], "HOME": "/tmp", **env}, capture_output=True, text=True, check=False)
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
        known = {one["setting"] for one in json.loads(run.stdout)}
        self.assertEqual(set(env) - known, set(), "settings that the program does not know")

    def test_whoever_is_named_is_there(self):
        services = self.file["services"]
        for name, one in services.items():
            self.assertEqual(set(one.get("depends_on", {})) - set(services), set(), name)
            self.assertEqual({config["source"] for config in one.get("configs", [])} - set(self.file["configs"]), set())
            for port in one.get("ports", []):
                self.assertTrue(port.startswith("127.0.0.1:"), f"{name} is open to the network")
        version = "v" + (parts.ROOT / "VERSION").read_text().strip()
        self.assertTrue(services["api"]["image"].endswith(version))

    def test_prometheus_can_read_its_configuration(self):
        path = parts.ROOT / "build/deploy/compose-prometheus.yaml"
        path.write_text(self.file["configs"]["prometheus"]["content"])
        run = subprocess.run(["promtool", "check", "config", "--syntax-only", path], capture_output=True, text=True, check=False)
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)


if __name__ == "__main__":
    unittest.main()
