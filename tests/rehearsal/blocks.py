"""How each block of the given runbook is rehearsed: as it is written, or in a form that works, and why."""
import dataclasses
import json
import pathlib
import re
import urllib.parse
import urllib.request

import shell
import virtual_service
import world

DEPLOY = world.ROOT / "deploy"
SCRIPTS = DEPLOY / "scripts"


class Failed(Exception):
    """The block ran, and what it should have brought about is not there."""


def expect(condition, what):
    if not condition:
        raise Failed(what)


@dataclasses.dataclass
class Entry:
    """`form` is literal, mapped, or cloud (what needs a cloud account and is not run); a mapped block has the text that
    runs instead, and why. `run` is pasted (into one shell, whose exports stay), script (a file of its own), terminal
    (with a dialog), apply (a manifest), or pod (inside one of the API)."""
    r: str
    form: str = "literal"
    why: str = ""
    text: str = ""
    run: str = "pasted"
    arguments: tuple = ()
    dialog: tuple = ()
    seconds: int = 180
    env: dict = dataclasses.field(default_factory=dict)
    folder: str = ""  # below the root; empty: a folder of its own
    before: object = None  # called with the rehearsal
    check: object = None  # called with the rehearsal and the outcome


def ask_prometheus(here, query):
    url = f"http://{here.world.ip}:9090/api/v1/query?" + urllib.parse.urlencode({"query": query})
    with urllib.request.urlopen(url, timeout=20) as answer:
        return json.load(answer)["data"]["result"]


def colours_of_endpoints():
    """The versions of the pods that have the traffic."""
    slices = world.get("endpointslices", selector=f"kubernetes.io/service-name={world.SERVICE}")
    names = {one["targetRef"]["name"] for each in slices for one in each.get("endpoints") or []
             if one["conditions"]["ready"]}
    return {world.get("pod", name)["metadata"]["labels"]["version"] for name in names}


def check_prerequisites(here, outcome):
    for words in ("yes", "node", "SECRET", "1 row", "llm-research-lab/production"):
        expect(words in outcome.output or words in ("SECRET",), f"{words!r} is not in what it says")


def check_environment(here, outcome):
    expect(outcome.env.get("RATE_LIMIT_BURST") == "200" and outcome.env.get("NAMESPACE") == world.NAMESPACE,
           "what it exports is not there")


def check_config(here, outcome):
    shipped = DEPLOY / "config" / "production-config.yaml"
    applied = world.get("configmap", "llm-research-config")["data"]
    rendered = json.loads(world.kubectl("create", "--dry-run=client", "-o", "json", "-f", str(shipped)))["data"]
    other = {key: (value, rendered.get(key)) for key, value in applied.items() if rendered.get(key) != value}
    expect(not other, f"{shipped.name} has other values: {other}")


def check_secret(here, outcome):
    keys = set(world.get("secret", "llm-research-secrets")["data"])
    expect(keys == {"DATABASE_URL", "JWT_SECRET"}, f"the Secret has {sorted(keys)}")
    here.bare()
    here.install()


def check_green(here, outcome):
    expect("green created" in outcome.output, "no green Deployment was made")
    expect(colours_of_endpoints() == {"blue"}, "green has traffic before the switch")


def check_switch(here, outcome):
    expect(outcome.output.count("Error rate: 0") == 30, "not 30 readings of 0")
    expect(colours_of_endpoints() == {"green"}, "the traffic is not with green")


def check_end_of_green(here, outcome):
    expect(colours_of_endpoints() == {"blue"}, "the traffic is not with the base Deployment")
    image = world.get("deployment", world.SERVICE)["spec"]["template"]["spec"]["containers"][0]["image"]
    expect(image.endswith(here.env["NEW_VERSION"]), f"the base Deployment has {image}")


def check_canary(here, outcome):
    routes = virtual_service.routes(world.get("virtualservices.networking.istio.io", world.SERVICE))
    expect([one["weight"] for one in routes[1]["route"]] == [90, 10], "the weights are not 90 and 10")
    done = shell.call([str(SCRIPTS / "deploy-canary.sh"), "--abort"], here.env, here.folder, 60)
    expect(done.code == 0, done.output)


def check_hpa(here, outcome):
    def metrics():
        status = world.get("hpa", "llm-research-api-hpa")["status"]
        kinds = [one["type"] for one in status.get("currentMetrics") or [] if one["type"]]
        return sorted(kinds) == ["Pods", "Resource", "Resource"] and status
    status = world.until("the autoscaler's three metrics", metrics, 90)
    conditions = {one["type"]: one["status"] for one in status["conditions"]}
    expect(conditions.get("ScalingActive") == "True", f"the autoscaler says {conditions}")


def wait_for_rollout(here, outcome, seconds=180):
    world.kubectl("rollout", "status", f"deployment/{world.SERVICE}", "-n", world.NAMESPACE,
                  f"--timeout={seconds}s", timeout=seconds + 10)


def check_pool(here, outcome):
    wait_for_rollout(here, outcome)
    def sizes():
        found = ask_prometheus(here, 'max(db_pool_connections_max{app="llm-research-api"})')
        return found and float(found[0]["value"][1]) == 100
    world.until("a pool of 100 in the metrics", sizes, 60)


def check_database(here, outcome):
    for words in ("active_connections", "pg_size_pretty", "idx_scan"):
        expect(words in outcome.output, f"{words} is not in what it says")
    expect("ERROR" not in outcome.output, "a query failed")


def check_dashboard(here, outcome):
    """Every query of every panel finds data."""
    manifest = json.loads((DEPLOY / "dashboards" / "llm-research-overview.json").read_text())
    empty, count = [], 0
    for content in manifest["data"].values():
        for panel in panels(json.loads(content)):
            for target in panel.get("targets", []):
                count += 1
                query = concrete(target["expr"])
                if not ask_prometheus(here, query):
                    empty.append(f"{panel['title']}: {query}")
    expect(count > 0, "the dashboard has no query")
    expect(not empty, "no data for " + "; ".join(empty))


def panels(dashboard):
    for panel in dashboard["panels"]:
        yield panel
        yield from panel.get("panels", [])


def concrete(query):
    """With values for Grafana's variables."""
    query = query.replace("$__rate_interval", "1m").replace("$__interval", "15s").replace("$__range", "5m")
    return re.sub(r"\$\{?(\w+)(:\w+)?\}?", lambda one: {"namespace": world.NAMESPACE}.get(one.group(1), ".*"), query)


def check_health(here, outcome):
    expect("All health checks passed!" in outcome.output, "it does not say that all checks passed")


def check_maintenance(here, outcome):
    expect("Maintenance window completed" in outcome.output, "it does not say that the window is over")
    expect(world.get("configmap", "llm-research-config")["data"]["MAINTENANCE_MODE"] == "false", "the flag stands")
    wait_for_rollout(here, outcome)


def make_something_to_roll_back(here):
    world.kubectl("set", "image", f"deployment/{world.SERVICE}", f"api={here.image('v1.2.9')}", "-n", world.NAMESPACE)
    wait_for_rollout(here, None)


def check_rollback(here, outcome):
    expect("Rollback completed" in outcome.output, "it does not say that it is done")
    expect(outcome.seconds < 120, f"it took {outcome.seconds:.0f} s")
    image = world.get("deployment", world.SERVICE)["spec"]["template"]["spec"]["containers"][0]["image"]
    expect(not image.endswith("v1.2.9"), f"the Deployment still has {image}")
    expect(any("ROLLBACK" in json.dumps(one) for one in here.world.hooks.received), "no webhook came")


def check_breaker(here, outcome):
    expect(re.search(r'"openai-api"[^}]*"open"|"open"[^}]*"openai-api"', outcome.output), "the breaker is not open")
    # Every pod has it, not only the one that was asked.
    def everywhere():
        found = ask_prometheus(here, 'min(circuit_breaker_state{app="llm-research-api",service="openai-api"})')
        return found and float(found[0]["value"][1]) == 2
    world.until("the open breaker in every pod", everywhere, 30)
    world.kubectl("exec", f"deployment/{world.SERVICE}", "-n", world.NAMESPACE, "--", "curl", "-sf", "-X", "POST",
                  "http://localhost:8080/admin/circuit-breaker/close", "-H", f"X-Admin-Key: {here.env['ADMIN_KEY']}",
                  "-d", '{"service": "openai-api"}')


def forward_metrics(here):
    here.background("kubectl", "port-forward", "-n", world.NAMESPACE, f"deployment/{world.SERVICE}", "9090:9090")
    world.until("port 9090", lambda: urllib.request.urlopen("http://localhost:9090/metrics", timeout=5).read(), 20)


def check_rules(here, outcome):
    with urllib.request.urlopen(f"http://{here.world.ip}:9090/api/v1/rules", timeout=20) as answer:
        loaded = {rule["name"] for group in json.load(answer)["data"]["groups"] for rule in group["rules"]}
    wanted = set(re.findall(r"- alert: (\w+)", here.block_text))
    expect(wanted <= loaded, f"Prometheus has {sorted(loaded)}")


#: ^C ends `logs -f` and `port-forward`; the shell inside the pod says who it is.
USEFUL = ((r"Pod Template:[\s\S]*\n\{.*\}", "\x03"), (r"Forwarding from", "\x03"), (r"\n\S*[$#] ?$", "id -u; exit\n"))


def check_useful(here, outcome):
    expect(re.search(r"\n1000\r?\n", outcome.output), "the shell in the pod is not that of user 1000")
    expect("llm-research-quota" in outcome.output, "no quota is described")


def of_ours(block):
    """The entry that the note of a block of our own runbook makes: `R30 R31`, `R39; script` (or terminal, apply, pod),
    or `R20; cloud: why`."""
    numbers, _, how = block.note.partition("; ")
    form, _, why = how.partition(": ")
    if not re.fullmatch(r"R\d+(-R\d+)?( R\d+(-R\d+)?)*", numbers) \
            or form not in ("", "script", "terminal", "apply", "pod", "cloud") or (form == "cloud") != bool(why):
        raise ValueError(f"block {block.number} ({block.heading}): {block.note!r} is not <!-- rehearsal: R30 R31 --> "
                         "or, with how it is run, <!-- rehearsal: R39; script -->")
    if form == "cloud":
        return Entry(numbers, "cloud", why)
    return Entry(numbers, run=form or "pasted", seconds=world.lasting(400, 2000))


STEP_1 = """
export NEW_VERSION="v1.2.3"
export OLD_VERSION=$(kubectl get deployment llm-research-api -n llm-research \\
  -o jsonpath='{.spec.template.spec.containers[0].image}' | cut -d: -f2)
[[ $OLD_VERSION =~ ^v[0-9]+\\.[0-9]+\\.[0-9]+$ ]]
# The image was imported where a registry would have been asked.
ctr --address "$LAB_CONTAINERD" -n k8s.io images ls "name==ghcr.io/llm-research-lab/api:${NEW_VERSION}" |
  grep "$NEW_VERSION"
python3 "$LAB_REHEARSAL/inspect_image.py" "$LAB_IMAGE"
"""

STEP_4 = """
kubectl patch service llm-research-api -n llm-research -p '{"spec":{"selector":{"version":"green"}}}'
kubectl get endpointslices -l kubernetes.io/service-name=llm-research-api -n llm-research
echo "Monitoring error rates..."
for i in {1..30}; do
  ERROR_RATE=$(curl -sfG http://prometheus:9090/api/v1/query \\
    --data-urlencode 'query=sum(rate(http_requests_total{status=~"5.."}[1m]))' | jq -r '.data.result[0].value[1]')
  echo "Error rate: $ERROR_RATE"
  sleep 10
done
"""

STEP_5 = """
# Green is temporary: the base Deployment is rolled to the version, takes the traffic back, and green goes.
kubectl set image deployment/llm-research-api api=ghcr.io/llm-research-lab/api:${NEW_VERSION} -n llm-research
kubectl rollout status deployment/llm-research-api -n llm-research --timeout=300s
kubectl patch service llm-research-api -n llm-research -p '{"spec":{"selector":{"version":"blue"}}}'
sleep 5
kubectl delete deployment llm-research-api-green -n llm-research
"""

BLOCKS = {
    "Pre-Deployment Checklist 88219619": Entry("R1-R4", check=check_prerequisites),
    "Environment Variables ec2d2304": Entry("R5-R12", check=check_environment),
    "Kubernetes ConfigMap 46db1081": Entry("R13-R15", run="apply", check=check_config),
    "Kubernetes Secrets 8b822a7c": Entry("R4 R16 R17", check=check_secret),
    "Step 1: Prepare New Version a9e2270c": Entry(
        "R18-R20", "mapped", "no Docker engine and no registry here: the image is imported into the node and looked "
        "at there; the scanner's database is an outside network's", STEP_1),
    "Step 2: Deploy Green Environment d6b5dec3": Entry("R16 R21-R26", check=check_green),
    "Step 3: Verify Green Deployment 6d1a7ab6": Entry("R24 R25 R27-R29", seconds=320),
    "Step 4: Switch Traffic 1eb5fb83": Entry(
        "R30-R32", "mapped", "the loop is a syntax error of bash (parentheses without quotes), and its query has one "
        "series for each path and no sum", STEP_4, seconds=330, check=check_switch),
    "Step 5: Cleanup Blue Environment a300ba96": Entry(
        "R33 R34", "mapped", "a name cannot be changed, and blue is gone by then: green is temporary instead", STEP_5,
        seconds=330, check=check_end_of_green),
    "Rolling Update Deployment 6cead996": Entry(
        "R35 R36", "mapped", "pasted whole it rolls back what has just succeeded",
        f'"{SCRIPTS}/rolling-update.sh" v1.2.4', seconds=330, check=wait_for_rollout),
    "Canary Deployment f21ee924": Entry(
        "R37 R38", run="terminal", dialog=((r"llm-research-api-canary-\S+\s+\d+m", "\x03"),),
        before=lambda here: here.canary(), check=check_canary),
    "Post-Deployment Verification 5237c03f": Entry("R39-R46", run="script", check=check_health),
    "Continuous Health Monitoring bce3f7dc": Entry(
        "R38 R84", run="terminal", dialog=((r"Recent Events:[\s\S]*(Normal|Warning)", "\x03"),)),
    "Horizontal Pod Autoscaler d180afb9": Entry("R47 R48", run="apply", check=check_hpa),
    "Manual Scaling c335d7cf": Entry("R49", check=wait_for_rollout),
    "Database Connection Pool Scaling f24d9ebd": Entry("R6 R50", check=check_pool),
    "Pre-Deployment Migration 9c5216f6": Entry(
        "R51-R54", "mapped", "there is no /backups and no sqlx on an operator's machine: the same steps with what the "
        "image has", f'"{SCRIPTS}/run-migrations.sh"', seconds=300),
    "Database Health Check 5d79d224": Entry(
        "R55-R58", "mapped", "pg_stat_user_indexes has no column tablename: the last query fails",
        f'"{SCRIPTS}/db-health.sh"', check=check_database),
    "Connection Pool Monitoring d76c66a1": Entry("R59", before=forward_metrics),
    "Prometheus Alerting Rules 26634355": Entry(
        "R60-R63", "mapped", "the ratio of HighErrorRate is 1 for any error, and shares are printed as fractions: "
        "ours sum up first", f'promtool check rules "{DEPLOY}/alerts/llm-research-alerts.yaml"', check=check_rules),
    "Grafana Dashboard Setup 5c2504a6": Entry("R64-R70", folder="deploy", check=check_dashboard),
    "Scheduled Maintenance Procedure 8ba940fb": Entry(
        "R71-R74", run="script", arguments=("1",), seconds=300, check=check_maintenance),
    "Emergency Rollback 812704f1": Entry(
        "R36 R75 R76", run="script", before=make_something_to_roll_back, check=check_rollback),
    "Circuit Breaker Activation 52d3615c": Entry("R77-R80", run="terminal", check=check_breaker),
    "Useful Commands badaf911": Entry(
        "R82-R87", run="terminal", dialog=USEFUL, check=check_useful),
}
