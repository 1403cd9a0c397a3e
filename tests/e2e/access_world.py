"""Two organisations with users of every role and objects of every kind, for the tests of who may do
what. The rules stand here as the contract has them, written once more and not taken from the
program; the routes are taken from /openapi.json, which the program makes from its table."""
import http.client
import json
import queue
import subprocess
import tempfile
import threading
import time
import uuid

import support
import test_serve

PASSWORD = "correct horse battery staple"
READS = {"ReadExperiment", "ReadDataset", "ReadModel", "ReadPrompt", "ReadMetrics"}
SCOPES = {
    "CreateExperiment": "experiments:write", "UpdateExperiment": "experiments:write",
    "ReadExperiment": "experiments:read", "DeleteExperiment": "experiments:delete",
    "RunExperiment": "experiments:execute",
    "CreateDataset": "datasets:write", "UpdateDataset": "datasets:write",
    "DeleteDataset": "datasets:delete", "ReadDataset": "datasets:read",
    "CreateModel": "models:write", "UpdateModel": "models:write",
    "DeleteModel": "models:delete", "ReadModel": "models:read",
    "CreatePrompt": "prompts:write", "UpdatePrompt": "prompts:write",
    "DeletePrompt": "prompts:delete", "ReadPrompt": "prompts:read",
    "ReadMetrics": "metrics:read", "ExportData": "data:export",
    "ManageUsers": "users:manage", "ManageApiKeys": "api_keys:manage", "ViewAuditLogs": "audit:read",
}
EVERYTHING = set(SCOPES)
GRANTS = {
    "Admin": EVERYTHING,
    "Researcher": READS | {"CreateExperiment", "UpdateExperiment", "DeleteExperiment", "RunExperiment",
                           "CreatePrompt", "UpdatePrompt", "DeletePrompt", "ExportData"},
    "Analyst": READS | {"ExportData"},
    "DataEngineer": READS | {"CreateDataset", "UpdateDataset", "DeleteDataset", "ExportData"},
    "ModelEngineer": READS | {"CreateModel", "UpdateModel", "DeleteModel"},
    "Viewer": READS,
    # A service account may do what its key's scopes say; it does not log in to do anything.
    "ServiceAccount": EVERYTHING,
}
ROLES = list(GRANTS)
# Where a use needs more than its route says.
ALSO_NEEDED = {
    ("GET", "/datasets/{id}/download"): {"ReadDataset"},
    ("GET", "/datasets/{id}/rows"): {"ReadDataset"},
}
# For people alone: a key is refused.
PEOPLE_ONLY = {("POST", "/auth/password")}

# What a body needs beyond the least that its schema takes.
BODIES = {
    "/models": {"provider": "openai", "model_identifier": "gpt-4o-mini"},
    "/prompts": {"template": "Say {{word}}"},
    "/evaluations": {"evaluation_type": "human"},
    "/prompts/{id}/versions": {"template": "Say {{word}} again"},
    "/prompts/{id}/render": {"variables": {"word": "it"}},
    "/prompts/validate": {"template": "Say {{word}}"},
    "/admin/users": {"roles": ["Viewer"]},
    "/admin/api-keys": {"scopes": ["experiments:read"], "roles": ["ServiceAccount"]},
    "/admin/credentials": {"secret_ref": "env:OPENAI_API_KEY", "allowed_hosts": ["models.example.org"]},
    "/admin/circuit-breaker/open": {"service": "openai-api"},
    "/admin/circuit-breaker/close": {"service": "openai-api"},
    "/admin/circuit-breaker/reset": {"service": "openai-api"},
    "/admin/maintenance": {"enabled": False},
    "/auth/password": {"current_password": PASSWORD, "new_password": PASSWORD},
}
# Where the document names two successes: the one of the request that is made here, and why.
SUCCESSES = {
    ("POST", "/datasets/{id}/import"): 201,  # rows that the dataset does not have yet
    ("PUT", "/datasets/{id}/content"): 201,
    ("POST", "/evaluations/{id}/run"): 200,  # people's scores are waited for: nothing goes on
}
# What whoever may meets here instead of success, and why.
MEETS = {
    ("POST", "/auth/token"): 422,  # the body is empty
    ("POST", "/auth/login"): 422,
    ("POST", "/auth/refresh"): 422,
    ("POST", "/auth/bootstrap"): 422,
    ("POST", "/auth/password"): 422,  # the new one is the old one, so that all can go on with it
    ("GET", "/auth/oidc/login"): 404,  # there is no identity provider
    ("GET", "/auth/oidc/callback"): 404,
    ("GET", "/datasets/{id}/content"): 403,  # a made-up token is no signed address
    ("PUT", "/datasets/{id}/content"): 403,
    ("PUT", "/experiments/{id}/runs/{run}/artifacts/content"): 403,
    ("POST", "/experiments/{id}/start"): 422,  # it names no models
    ("POST", "/experiments/{id}/pause"): 400,  # it has never been started
    ("POST", "/experiments/{id}/resume"): 400,
    ("POST", "/experiments/{id}/cancel"): 400,
    ("POST", "/experiments/{id}/unarchive"): 400,  # it is not archived
    ("POST", "/evaluations/compare"): 422,  # made-up runs
    ("POST", "/api/v1/agents/hypothesis"): 422,  # a hypothesis without data
    ("POST", "/research-lab/hypothesis"): 422,
}
# The same, for whoever comes with a key.
MEETS_BY_KEY = {
    ("POST", "/auth/logout"): 400,  # a key has no login that could end
}
ROWS = b'{"id": "a", "question": "1 + 1?", "answer": "2"}\n{"id": "b", "question": "2 + 2?", "answer": "4"}\n'
OUTPUTS = b'{"id": "a", "output": "2"}\n{"id": "b", "output": "5"}\n'


class Route:
    def __init__(self, method, path, operation, document):
        self.method, self.path = method.upper(), path
        self.guard = operation["x-guard"]
        self.permission = operation.get("x-permission")
        self.or_scope = operation.get("x-or-scope")
        self.limit = operation.get("x-limit", "normal")
        self.documented = {int(status) for status in operation["responses"]}
        successes = [status for status in self.documented if status < 400]
        if len(successes) != 1 and self.key not in SUCCESSES:
            raise AssertionError(f"{self.name}: say in access_world.py which of {successes} it is here")
        self.success = SUCCESSES.get(self.key, successes[0])
        self.query = [p for p in operation["parameters"] if p["in"] == "query"]
        content = operation.get("requestBody", {}).get("content", {})
        self.body_type = next(iter(content), None)
        self.schema = resolved(content[self.body_type]["schema"], document) if content else None
        self.document = document

    @property
    def key(self):
        return self.method, self.path

    def answer(self, credential="jwt"):
        """The status of whoever may: the contract's success, but for what stands above."""
        by_key = MEETS_BY_KEY.get(self.key) if credential in ("with", "without") else None
        return by_key or MEETS.get(self.key, self.success)

    @property
    def needs(self):
        return ({self.permission} if self.permission else set()) | ALSO_NEEDED.get(self.key, set())

    @property
    def name(self):
        return f"{self.method} {self.path}"

    @property
    def prefixes(self):
        """The paths of the objects it names, the outermost first."""
        parts = self.path.split("/")
        return ["/".join(parts[: i + 1]) for i, part in enumerate(parts) if part.startswith("{")]

    @property
    def collection(self):
        return self.prefixes[0].rsplit("/", 1)[0] if self.prefixes else self.path

    def body(self):
        """(bytes, content type) of a body that the route takes."""
        if self.body_type is None:
            return None, None
        if self.body_type != "application/json":
            return ROWS, "application/x-ndjson"
        value = example(self.schema)
        if isinstance(value, dict):
            value.update(BODIES.get(self.path, {}))
            properties = self.schema.get("properties", {})
            if self.method == "PUT" and "tags" in properties:
                value["tags"] = ["changed"]
            for member in ("name", "email"):
                if member in value:
                    value[member] = unique(member)
        return json.dumps(value).encode(), "application/json"

    def query_text(self):
        needed = [p for p in self.query if p.get("required")]
        return "?" + "&".join(f"{p['name']}={example_parameter(p['schema'])}" for p in needed) if needed else ""


def resolved(schema, document, depth=0):
    """The schema without references; what refers to itself ends somewhere."""
    if isinstance(schema, list):
        return [resolved(one, document, depth) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema and depth < 12:
        target = document
        for part in schema["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        beside = {name: value for name, value in schema.items() if name != "$ref"}
        return resolved({**target, **beside}, document, depth + 1)
    return {name: resolved(value, document, depth) for name, value in schema.items()}


def unique(member):
    word = uuid.uuid4().hex[:12]
    return f"{word}@example.org" if member == "email" else f"n-{word}"


def example_parameter(schema):
    return {"integer": 1, "boolean": "true"}.get(schema.get("type"), str(uuid.uuid4()))


def example(schema):
    """The least that a schema takes."""
    if "enum" in schema:
        return schema["enum"][0]
    if "const" in schema:
        return schema["const"]
    for choice in ("oneOf", "anyOf"):
        if choice in schema and "type" not in schema:
            return example(schema[choice][0])
    kind = schema.get("type", "object")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        properties = schema.get("properties", {})
        return {name: example(properties.get(name, {"type": "string"})) for name in schema.get("required", [])}
    if kind == "array":
        return [example(schema["items"]) for _ in range(schema.get("minItems", 0))]
    if kind == "string":
        pattern = schema.get("pattern", "")
        if schema.get("format") == "uuid" or "{8}-" in pattern or "{36}" in pattern:
            return str(uuid.uuid4())
        if schema.get("format") == "email" or "@" in pattern:
            return unique("email")
        return "x" * max(1, schema.get("minLength", 1))
    return {"integer": schema.get("minimum", 1), "number": schema.get("minimum", 1.5), "boolean": True, "null": None}[kind]


class Client:
    """One kept connection."""

    def __init__(self, port):
        self.port = port
        self.connection = None

    def __call__(self, method, path, body=None, headers=None):
        """(status, headers, body): the body parsed when it is JSON."""
        headers = dict(headers or {})
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
            headers.setdefault("Content-Type", "application/json")
        for attempt in (1, 2):
            if self.connection is None:
                self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
            try:
                self.connection.request(method, path, body=body, headers=headers)
                answer = self.connection.getresponse()
                data = answer.read()
                break
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                self.close()  # a kept connection may end between two requests
                if attempt == 2:
                    raise
        if answer.headers.get("Connection") == "close":
            self.close()
        kind = answer.headers.get("Content-Type", "")
        return answer.status, answer.headers, json.loads(data) if data and kind.startswith("application/json") else data

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None


class Person:
    def __init__(self, email, role):
        self.email, self.role = email, role
        self.id = self.token = None
        self.keys = {}

    @property
    def headers(self):
        return {"Authorization": f"Bearer {self.token}"}


class World:
    """A server with two organisations. Made once; `close` ends it."""

    # What an actor is to an object: whose it is, who sees it, who works on it.
    RELATIONS = ("owner", "org", "private", "collaborator", "foreign")

    def __init__(self):
        folder = tempfile.TemporaryDirectory(prefix="lab-e2e-")
        self.folder = folder
        holder = type("Holder", (), {"folder": folder.name})
        self.server = test_serve.Server(
            holder, RATE_LIMIT_REQUESTS_PER_SECOND="100000", RATE_LIMIT_BURST="100000",
            TRUSTED_PROXIES="127.0.0.1", CONNECTION_POOL_SIZE="16",
        )
        self.local = threading.local()
        self.addresses = 0
        self.lock = threading.Lock()
        self.made = {}
        try:
            self.find_routes()
            self.fill()
        except BaseException:
            self.close()
            raise

    def close(self):
        code, _ = self.server.stop()
        self.server.reader.join(5)
        self.server.process.stdout.close()
        self.server.process.stderr.close()
        self.folder.cleanup()
        if code != 0:
            raise AssertionError(f"the server ended with {code}")

    @property
    def call(self):
        if not hasattr(self.local, "client"):
            self.local.client = Client(self.server.port)
        return self.local.client

    def elsewhere(self):
        """Headers that make a request come from an address of its own."""
        with self.lock:
            self.addresses += 1
            return {"X-Forwarded-For": f"10.{self.addresses >> 16}.{self.addresses >> 8 & 255}.{self.addresses & 255}"}

    def find_routes(self):
        status, _, document = self.call("GET", "/openapi.json")
        assert status == 200, document
        self.routes = [
            Route(method, path, operation, document)
            for path, item in document["paths"].items() for method, operation in item.items()
        ]
        self.by_key = {route.key: route for route in self.routes}

    # People.

    def operator(self, *arguments, stdin=PASSWORD):
        done = subprocess.run(
            [str(support.BINARY), "admin", *arguments, "-o", "json"], input=stdin, text=True, capture_output=True,
            env=self.server.home.environment(**self.server.env),
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def login(self, person):
        status, _, tokens = self.call(
            "POST", "/auth/token", {"email": person.email, "password": PASSWORD}, self.elsewhere())
        assert status == 200, tokens
        return tokens["access_token"]

    def person(self, email, role, by=None, org=None):
        out = Person(email, role)
        if by is None:
            made = self.operator("create-user", "--email", email, "--role", role, "--tier", "unlimited",
                                 *(["--org", org] if org else []))
        else:
            made = self.must(201, "POST", "/admin/users", {
                "email": email, "name": email, "password": PASSWORD, "roles": [role], "rate_limit_tier": "unlimited",
            }, by)
        out.id = made["id"]
        out.token = self.login(out)
        return out

    def must(self, wanted, method, path, body, person, headers=None):
        status, _, answer = self.call(method, path, body, {**person.headers, **(headers or {})})
        assert status == wanted, (method, path, body, status, answer)
        return answer

    def key(self, person, scopes):
        """A key of theirs with these scopes."""
        name = ",".join(sorted(scopes))
        with self.lock:
            if name in person.keys:
                return person.keys[name]
        made = self.must(201, "POST", "/admin/api-keys", {
            "name": unique("name"), "scopes": sorted(scopes), "owner_id": person.id, "rate_limit_tier": "unlimited",
        }, self.admin)
        with self.lock:
            return person.keys.setdefault(name, made["key"])

    def fill(self):
        self.admin = self.person("admin@one.example", "Admin")
        self.foreigner = self.person("admin@two.example", "Admin", org="two")
        self.other = self.person("other@one.example", "Admin", by=self.admin)
        # As administrators they make what they own; then they become what they are.
        self.actors = {role: self.person(f"one-{role.lower()}@one.example", "Admin", by=self.admin) for role in ROLES}
        self.prepare_own()
        for role, actor in self.actors.items():
            if role != "Admin":
                self.must(200, "PUT", f"/admin/users/{actor.id}", {"roles": [role]}, self.admin)
            actor.role = role

    # Objects. One is a dict: path of the object in the table -> its id.

    def is_owned(self, collection):
        create = self.by_key.get(("POST", collection))
        return create is not None and "visibility" in json.dumps(create.schema or {})

    def owner_of(self, relation, actor):
        return {"owner": actor, "foreign": self.foreigner}.get(relation, self.other)

    def access(self, relation):
        return {
            "owner": {"visibility": "private"}, "org": {"visibility": "org"}, "private": {"visibility": "private"},
            "collaborator": {"visibility": "team", "collaborators": [a.id for a in self.actors.values()]},
            "foreign": {"visibility": "org"},
        }[relation]

    def make(self, prefix, values, person, access=None):
        """Makes the object that this path names, inside those of `values`; gives its id."""
        collection = prefix.rsplit("/", 1)[0]
        if prefix == "/evaluations/{id}/runs/{run}":
            return self.must(200, "POST", self.fill_path("/evaluations/{id}/run", values), {}, person)["id"]
        route = self.by_key.get(("POST", collection))
        made = None
        if route is not None:
            body, kind = route.body()
            if kind == "application/json" and access:
                body = json.dumps({**json.loads(body), **access}).encode()
            headers = {**person.headers, **({"Content-Type": kind} if kind else {})}
            status, _, made = self.call("POST", self.fill_path(collection, values) + route.query_text(), body, headers)
            if status not in (200, 201, 202):
                made = None
        if not isinstance(made, dict) or "id" not in made:
            # Nothing makes one by itself: one that is there.
            status, _, listed = self.call("GET", self.fill_path(collection, values), None, person.headers)
            rows = listed.get("data", listed) if isinstance(listed, dict) else listed
            made = rows[0] if status == 200 and isinstance(rows, list) and rows else None
        if not isinstance(made, dict):
            raise AssertionError(f"no maker for {prefix}: say in access_world.py how one is made ({status}: {listed})")
        return made["id"] if "id" in made else made["name"]

    @staticmethod
    def fill_path(path, values):
        """"/a/{id}/b/{x}" with {"/a/{id}": 1, "/a/{id}/b/{x}": 2} is "/a/1/b/2"."""
        out, template = [], []
        for part in path.split("/"):
            template.append(part)
            out.append(values["/".join(template)] if part.startswith("{") else part)
        return "/".join(out)

    def once(self, key, make):
        """What `make` gave the first time; made once although many ask."""
        with self.lock:
            entry = self.made.setdefault(key, {"lock": threading.Lock()})
        with entry["lock"]:
            if "value" not in entry:
                entry["value"] = make()
            return entry["value"]

    def top(self, prefix, relation, actor, use):
        """The outermost object in this relation to the actor, kept for one use of it."""
        person = self.owner_of(relation, actor)
        whose = actor.email if relation == "owner" else ""
        return self.once((prefix, relation, whose, use), lambda: self.make(
            prefix, {}, person, self.access(relation) if self.is_owned(prefix.rsplit("/", 1)[0]) else None))

    def objects(self, route, relation, actor, use):
        """Values of the path: `use` "shown" is shared and whole (an experiment has been run)."""
        values = {}
        keeper = self.foreigner if relation == "foreign" else self.admin
        for prefix in route.prefixes:
            if not values:
                if prefix == "/experiments/{id}" and use == "shown":
                    whose = actor.email if relation == "owner" else ""
                    experiment, run = self.once(
                        ("experiment", relation, whose), lambda: self.run_experiment(relation, actor))
                    values[prefix] = experiment
                    if prefix + "/runs/{run}" in route.prefixes:
                        values[prefix + "/runs/{run}"] = run
                elif prefix == "/datasets/{id}" and use == "shown":
                    whose = actor.email if relation == "owner" else ""
                    values[prefix] = self.once(
                        ("dataset", relation, whose),
                        lambda: self.dataset(ROWS, self.owner_of(relation, actor), self.access(relation)))
                else:
                    values[prefix] = self.top(prefix, relation, actor, use)
            elif prefix not in values:
                outer = dict(values)
                values[prefix] = self.once(
                    (prefix, relation, tuple(outer.values()), use), lambda p=prefix, o=outer: self.make(p, o, keeper))
        return values

    def dataset(self, rows, person, access):
        made = self.must(201, "POST", "/datasets", {"name": unique("name"), **access}, person)
        status, _, taken = self.call(
            "POST", f"/datasets/{made['id']}/import?filename=rows.jsonl", rows,
            {**person.headers, "Content-Type": "application/x-ndjson"})
        assert status in (200, 201), taken
        return made["id"]

    def config(self, person, access):
        """One that can be run without paying anybody: recorded outputs."""
        model = self.must(201, "POST", "/models", {
            "name": unique("name"), "provider": "custom", "model_identifier": "recorded",
            "config": {"replay_dataset": self.dataset(OUTPUTS, person, access)}, **access}, person)["id"]
        return {
            "model_ids": [model], "dataset_ids": [self.dataset(ROWS, person, access)],
            "scorers": [{"type": "numeric", "id": "accuracy", "reference": "{{answer}}"}],
        }

    def run_experiment(self, relation, actor):
        """(experiment, run) that has been carried out."""
        person, access = self.owner_of(relation, actor), self.access(relation)
        made = self.must(201, "POST", "/experiments", {
            "name": unique("name"), "config": self.config(person, access), **access}, person)
        path = f"/experiments/{made['id']}"
        self.must(200, "POST", f"{path}/start", None, person)
        run = self.must(200, "GET", f"{path}/runs", None, person)["data"][0]["id"]
        # Its events end when it does.
        status, _, events = self.call("GET", f"{path}/runs/{run}/events", None, person.headers)
        assert status == 200 and b"event: done" in events, events
        # The experiment is told a moment after who follows the run.
        deadline = time.monotonic() + 20
        while self.must(200, "GET", path, None, person)["status"] == "running":
            assert time.monotonic() < deadline, "the experiment does not end"
        return made["id"], run

    def prepare_own(self):
        """What the actors own, while they may make it."""
        jobs = []
        for route in self.routes:
            if not route.prefixes or not self.is_owned(route.collection):
                continue
            for role, actor in self.actors.items():
                for use in self.uses(route):
                    if use == "shown" or route.needs <= GRANTS[role]:
                        jobs.append((route, actor, use))
        self.parallel(lambda job: self.objects(job[0], "owner", job[1], job[2]), jobs)

    @staticmethod
    def uses(route):
        """What is needed of an object: something to look at, and for changes one of its own."""
        if route.method == "GET":
            return ["shown"]
        return ["shown"] + [f"{route.name} by {credential}" for credential in ("jwt", "with")]

    def parallel(self, work, jobs, threads=6):
        """Runs `work` over jobs; what is raised first is raised here. Results in no order."""
        waiting = queue.SimpleQueue()
        for job in jobs:
            waiting.put(job)
        results, troubles = [], []

        def run():
            while not troubles:
                try:
                    job = waiting.get_nowait()
                except queue.Empty:
                    return
                try:
                    results.append(work(job))
                except Exception as error:  # pylint: disable=broad-except
                    troubles.append(error)
        running = [threading.Thread(target=run) for _ in range(threads)]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()
        if troubles:
            raise troubles[0]
        return results
