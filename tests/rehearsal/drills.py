"""What operators do to a service that is in use: each under 200 requests a second, streams that are followed and 20
experiments that run. Nothing may fail, get lost or be done twice."""
import contextlib
import json
import threading
import time

import blocks
import experiments
import load
import pods
import shell
import virtual_service
import world

INSIDE = f"http://{world.SERVICE}.{world.NAMESPACE}.svc.cluster.local:8080"
EXIT_MAX = 14  # seconds after SIGTERM
ROLLBACK_MAX = 120
FLAG_MAX = 5
MEMORY_MAX = 200  # MB
EXPERIMENTS = 20
ROWS = 60  # of each, a second a row
SOAK = 300  # seconds
#: Sleeps of deploy-blue-green.sh (errors watched, soak, errors watched) and of deploy-canary.sh (four steps).
BLUE_GREEN_SLEEPS, CANARY_SLEEPS = 300 + SOAK + 60, 4 * 300
STREAMS = 5
COVERS = {
    "rolling update": "R26 R35", "rollback": "R36 R75", "blue-green, twice": "R30 R33 R34", "canary": "R37",
    "port-forward, exec, logs": "R83 R86 R87", "3 to 10 to 3": "R49", "pod kill": "R49 R88", "maintenance": "R71-R74",
    "autoscaler": "R47 R48", "steady load": "R23 R47",
}


class UnderLoad(contextlib.ExitStack):
    """A context: load, streams and experiments; the end of it is when the experiments are done and counted."""

    def __init__(self, here, url=INSIDE, rows=ROWS, **options):
        super().__init__()
        self.here, self.url, self.rows, self.options = here, url, rows, options
        self.notes = []

    def __enter__(self):
        super().__enter__()
        here = self.here
        self.runs = experiments.Experiments(here.service, here.world.llm, here.world.env["LLM_URL"], EXPERIMENTS,
                                            self.rows)
        self.ends = self.enter_context(pods.Ends())
        self.load = self.enter_context(load.Load(
            self.url, here.service.token, followed=[f"{run}/events" for run in self.runs.runs[-STREAMS:]],
            **self.options))
        time.sleep(3)
        return self

    def finish(self):
        """What was seen, in words; raises when anything is not as it has to be."""
        self.runs.wait()
        time.sleep(2)
        self.close()
        wrong, counted = self.runs.check(self.here.world.sql)
        if self.load.failed:
            wrong.append(f"{self.load.failed} requests failed: {'; '.join(self.load.examples[:4])}")
        if self.load.answered < 0.9 * self.load.rate * self.load.took:
            self.notes.append("the machine did not keep up with the rate")
        late = {name: seconds for name, seconds in self.ends.seconds.items() if seconds > EXIT_MAX}
        if late:
            wrong.append(f"ended late: {late}")
        seen = "; ".join([*self.notes, self.load.summary(), counted, self.ends.summary()])
        if wrong:
            raise blocks.Failed(f"{'; '.join(wrong)} ({seen})")
        return seen


def run_script(here, name, *arguments, seconds=600, **env):
    outcome = shell.call(["bash", str(blocks.SCRIPTS / name), *arguments], {**here.env, **env}, here.folder, seconds)
    if outcome.code != 0:
        raise blocks.Failed(f"{name} ended with {outcome.code}: {outcome.output[-2500:]}")
    return outcome


def image_of_base():
    return world.get("deployment", world.SERVICE)["spec"]["template"]["spec"]["containers"][0]["image"]


def ready_pods(selector="app=llm-research-api"):
    return [pod for pod in world.get("pods", selector=selector) if not pod["metadata"].get("deletionTimestamp")
            and any(one["type"] == "Ready" and one["status"] == "True" for one in pod["status"].get("conditions", []))]


def rolling(here):
    with UnderLoad(here) as under:
        outcome = run_script(here, "rolling-update.sh", "v1.2.5")
        under.notes.append(f"rolled in {outcome.seconds:.0f} s")
        blocks.expect(image_of_base().endswith("v1.2.5"), f"the Deployment has {image_of_base()}")
        return under.finish()


def rollback(here):
    with UnderLoad(here) as under:
        before = image_of_base()
        outcome = run_script(here, "emergency-rollback.sh")
        blocks.expect(image_of_base() != before, f"the Deployment still has {before}")
        blocks.expect(outcome.seconds < ROLLBACK_MAX, f"it took {outcome.seconds:.0f} s")
        under.notes.append(f"back in {outcome.seconds:.0f} s")
        return under.finish()


def blue_green(here):
    with UnderLoad(here, rows=world.lasting(2 * ROWS, 2 * BLUE_GREEN_SLEEPS)) as under:
        for tag in ("v1.2.6", "v1.2.3"):
            outcome = run_script(here, "deploy-blue-green.sh", tag, seconds=world.lasting(400, 2 * BLUE_GREEN_SLEEPS),
                                 SOAK_SECONDS=str(SOAK))
            under.notes.append(f"{tag} in {outcome.seconds:.0f} s")
            blocks.expect(image_of_base().endswith(tag), f"the base Deployment has {image_of_base()}")
            blocks.expect(blocks.colours_of_endpoints() == {"blue"}, "the traffic is not with the base Deployment")
        return under.finish()


def canary(here):
    """deploy-canary.sh with its steps; the front follows the VirtualService, as Istio would."""
    with UnderLoad(here, url=f"http://{world.FRONT}", rows=world.lasting(ROWS, CANARY_SLEEPS)) as under:
        found = []
        script = threading.Thread(target=lambda: found.append(shell.call(
            ["bash", str(blocks.SCRIPTS / "deploy-canary.sh"), "v1.2.5"], here.env, here.folder,
            world.lasting(400, 2 * CANARY_SLEEPS))))
        script.start()
        weight = None
        while script.is_alive():
            now = weight_of_canary(here, weight)
            if now != weight and now:
                share = share_of_canary(8)
                under.notes.append(f"{now} % asked, {share:.0f} % seen")
                blocks.expect(abs(share - now) < 6, f"of {now} % for the canary it got {share:.1f} %")
            weight = now
            time.sleep(2)
        blocks.expect(found[0].code == 0, found[0].output[-2500:])
        blocks.expect(image_of_base().endswith("v1.2.5"), f"the base Deployment has {image_of_base()}")
        blocks.expect(len(under.notes) == 4, f"not four steps were seen: {under.notes}")
        return under.finish()


def weight_of_canary(here, before):
    """What the VirtualService gives it, which the front does from now on; None without one."""
    listed = world.get("virtualservices.networking.istio.io")
    routes = virtual_service.routes(listed[0]) if listed else None
    now = sum(one.get("weight", 0) for one in routes[-1]["route"] if one["destination"]["host"].endswith("-canary")) \
        if routes else None
    if now != before:
        here.world.route(routes)
    return now


def answered_by_canary():
    """Requests that pods of the canary and of the base have answered, by what they count themselves."""
    counts = {"canary": 0.0, "blue": 0.0}
    for pod in ready_pods():
        text = world.kubectl("get", "--raw", f"/api/v1/namespaces/{world.NAMESPACE}/pods/"
                             f"{pod['metadata']['name']}:9090/proxy/metrics")
        counts[pod["metadata"]["labels"]["version"]] += sum(
            float(line.rsplit(" ", 1)[1]) for line in text.splitlines()
            if line.startswith("http_requests_total{") and 'path="/health' not in line and 'path="/metrics' not in line)
    return counts


def share_of_canary(seconds):
    """In percent; connections that were open before the change may still be on their old side for a moment."""
    time.sleep(2)
    before = answered_by_canary()
    time.sleep(seconds)
    after = answered_by_canary()
    moved = {name: after[name] - before[name] for name in before}
    return 100 * moved["canary"] / max(1.0, sum(moved.values()))


def scale(here):
    with UnderLoad(here, rows=2 * ROWS) as under:
        for replicas in (10, 3):
            began = time.monotonic()
            run_script(here, "scale.sh", str(replicas))
            world.until(f"{replicas} pods", lambda: len(ready_pods("app=llm-research-api,version=blue")) == replicas,
                        300)
            under.notes.append(f"{replicas} pods after {time.monotonic() - began:.0f} s")
        return under.finish()


def kill(here):
    """One pod of the API told to go at once, one worker killed without a word."""
    with UnderLoad(here) as under:
        victim = ready_pods("app=llm-research-api,version=blue")[0]["metadata"]["name"]
        world.kubectl("delete", "pod", victim, "-n", world.NAMESPACE, "--wait=false")
        worker = ready_pods("app=llm-research-worker")[0]["metadata"]["name"]
        world.kubectl("exec", worker, "-n", world.NAMESPACE, "--", "/bin/sh", "-c", "kill -9 1", check=False)
        world.kubectl("delete", "pod", worker, "-n", world.NAMESPACE, "--grace-period=0", "--force")
        world.until("three pods again", lambda: len(ready_pods("app=llm-research-api,version=blue")) >= 3, 120)
        return under.finish()


def flag(here, value):
    """Seconds until every pod of the API has seen it."""
    began = time.monotonic()
    world.kubectl("patch", "configmap", "llm-research-config", "-n", world.NAMESPACE, "--type", "merge", "-p",
                  json.dumps({"data": {"MAINTENANCE_MODE": value}}))
    wanted = f"maintenance_mode {1 if value == 'true' else 0}"
    names = [pod["metadata"]["name"] for pod in ready_pods()]

    def seen():
        return all(wanted in world.kubectl(
            "get", "--raw", f"/api/v1/namespaces/{world.NAMESPACE}/pods/{name}:9090/proxy/metrics").splitlines()
            for name in names)
    world.until("the flag in every pod", seen, 60, every=0.1)
    return time.monotonic() - began


def maintenance(here):
    """Reads go on, writes are refused with 503 MAINTENANCE, runs that are under way go on to their end."""
    runs = experiments.Experiments(here.service, here.world.llm, here.world.env["LLM_URL"], EXPERIMENTS, ROWS)
    with load.Load(INSIDE, here.service.token, writes=False) as reading:
        on = flag(here, "true")
        status, body = here.service.call("POST", "/prompts", {"name": "refused", "template": "{{q}}"})
        blocks.expect((status, body["error"]["code"]) == (503, "MAINTENANCE"), f"a write is answered with {status}")
        outcome = shell.script(here.health_check(), here.env, here.folder, 60, "health-check.sh")
        blocks.expect(outcome.code == 0, f"the health check fails meanwhile: {outcome.output[-500:]}")
        off = flag(here, "false")
        status, _ = here.service.call("POST", "/prompts", {"name": f"taken {time.time()}", "template": "{{q}}"})
        blocks.expect(status == 201, f"a write is answered with {status} afterwards")
        runs.wait()
    wrong, counted = runs.check(here.world.sql)
    blocks.expect(not wrong and not reading.failed, f"{wrong} {reading.examples[:4]}")
    blocks.expect(max(on, off) <= FLAG_MAX, f"the flag was seen after {on:.1f} s and {off:.1f} s")
    return f"seen by every pod after {on:.1f} s, and off after {off:.1f} s; {reading.summary()}; {counted}"


@contextlib.contextmanager
def autoscaler_with(spec):
    """The autoscaler with other values for a while."""
    def patch(values):
        world.kubectl("patch", "hpa", "llm-research-api-hpa", "-n", world.NAMESPACE, "--type=merge", "-p",
                      json.dumps({"spec": values}))
    before = world.get("hpa", "llm-research-api-hpa")["spec"]
    patch(spec)
    try:
        yield
    finally:
        patch({key: before[key] for key in spec})


def autoscaler(here):
    """200 requests a second with 40 a pod as the goal ask for five pods."""
    goal = [{"type": "Pods", "pods": {"metric": {"name": "http_requests_per_second"}, "target": {
        "type": "AverageValue", "averageValue": "40"}}}]
    with autoscaler_with({"metrics": goal}), UnderLoad(here, rows=2 * ROWS) as under:
        began = time.monotonic()
        world.until("five pods", lambda: len(ready_pods("app=llm-research-api,version=blue")) >= 5, 240)
        under.notes.append(f"five pods after {time.monotonic() - began:.0f} s")
        return under.finish()


def memory_of_pods():
    """MB of each that is ready, as the autoscaler is told: all that its control group cannot do without."""
    listed = json.loads(world.kubectl("get", "--raw", f"/apis/metrics.k8s.io/v1beta1/namespaces/{world.NAMESPACE}/pods"))
    used = {pod["metadata"]["name"]: sum(int(one["usage"]["memory"].removesuffix("Ki")) for one in pod["containers"])
            for pod in listed["items"]}
    return {name: used[name] * 1024 / 1e6 for name in sorted(pod["metadata"]["name"] for pod in ready_pods())
            if name in used}


def steady(here):
    """100 requests a second for each of three pods: how much memory they need, and whether it grows."""
    seconds = world.lasting(30, 600)
    with autoscaler_with({"maxReplicas": 3}):
        world.kubectl("scale", "deployment", world.SERVICE, "-n", world.NAMESPACE, "--replicas=3")
        world.until("three pods and their memory", lambda: len(ready_pods()) == len(memory_of_pods()) == 3, 120)
        with UnderLoad(here, rows=seconds, rate=300, connections=36) as under:
            seen = []
            while time.monotonic() < under.load.began + seconds:
                time.sleep(5)
                seen.append(memory_of_pods())
            blocks.expect(all(len(one) == 3 for one in seen), f"not three pods all the time: {seen}")
            most = max(max(one.values()) for one in seen)
            second, last = (sum(max(one.values()) for one in part) / len(part) for part in (
                seen[len(seen) // 3:2 * len(seen) // 3], seen[2 * len(seen) // 3:]))
            # Pages of files that several pods have are counted for one of them above, and for each here.
            resident = float(blocks.ask_prometheus(here, "max(max_over_time(process_resident_memory_bytes"
                                                   f'{{app="{world.SERVICE}"}}[{seconds}s]))')[0]["value"][1]) / 1e6
            under.notes.append(f"at most {most:.0f} MB a pod, {resident:.0f} MB resident; the largest had {second:.1f} MB "
                               f"in the second third of {seconds} s and {last:.1f} MB in the last")
            blocks.expect(max(most, resident) < MEMORY_MAX, f"a pod needs {max(most, resident):.0f} MB")
            return under.finish()


def operators(here):
    """The runbook's useful commands at a terminal: describe, logs -f, events, quota, port-forward, exec."""
    block = next(one for one in here.found if one.heading == "Useful Commands")
    with UnderLoad(here) as under:
        outcome = shell.at_terminal(block.text, here.env, here.folder, 120, blocks.USEFUL)
        blocks.expect(outcome.code == 0, outcome.output[-2000:])
        return under.finish()


ALL = {
    "maintenance": maintenance, "rolling update": rolling, "rollback": rollback, "blue-green, twice": blue_green,
    "canary": canary, "3 to 10 to 3": scale, "steady load": steady, "pod kill": kill, "autoscaler": autoscaler,
    "port-forward, exec, logs": operators,
}
