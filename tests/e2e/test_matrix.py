"""Who may do what, over HTTP: every route of the table, as everybody, on everything.

The routes come from /openapi.json; what has to happen is worked out here from the contract's roles,
scopes and object rules (`access_world.py`). A new route is tried without a word here; one whose
objects cannot be made fails, and says so."""
import collections
import json
import re
import time
import unittest
import uuid

import access_world
from access_world import GRANTS, MEETS, PEOPLE_ONLY, ROLES, SCOPES

READ_SCOPES = {SCOPES[p] for p in access_world.READS}
ALL_SCOPES = set(SCOPES.values())


def setUpModule():
    global world
    world = access_world.World()
    unittest.addModuleCleanup(world.close)


class Case:
    def __init__(self, route, role, credential, relation):
        self.route, self.role, self.credential, self.relation = route, role, credential, relation

    def __str__(self):
        return f"{self.route.name} as {self.role} by {self.credential} on {self.relation}"

    def scopes(self):
        """Of the key: all that is needed and no more, or everything but that."""
        needed = {SCOPES[p] for p in self.route.needs}
        if self.route.guard in ("admin", "loopback"):
            return {"*"} if self.credential == "with" else ALL_SCOPES
        if self.credential == "without":
            return (ALL_SCOPES - needed) or {"*"}
        # Who manages people and keys gives no more than they have themselves.
        return (needed | READ_SCOPES if needed & {"users:manage", "api_keys:manage"} else needed) or {"experiments:read"}

    def expected(self):
        """open, 401, 403, 404, or allowed."""
        route, role = self.route, self.role
        if route.guard == "open":
            return "open"
        if role == "anonymous":
            return "allowed" if route.guard == "loopback" else 401
        if route.guard == "caller":
            return 403 if self.credential != "jwt" and route.key in PEOPLE_ONLY else "allowed"
        if route.guard in ("admin", "loopback"):
            if role != "Admin" or self.credential == "without":
                return 403
            return 404 if route.prefixes and self.relation == "foreign" else "allowed"
        granted = GRANTS[role]
        if self.credential == "jwt" and role == "ServiceAccount":
            granted = set()
        if self.credential != "jwt":
            granted = {p for p in granted if SCOPES[p] in self.scopes()}
        if not route.needs <= granted:
            return 403
        if self.relation == "foreign" or (self.relation == "private" and role != "Admin"):
            return 404
        removes = route.method == "DELETE" and len(route.prefixes) == 1
        if removes and self.relation == "collaborator" and role != "Admin":
            return 403
        return "allowed"

    def headers(self):
        if self.route.limit == "login":
            out = world.elsewhere()
        else:
            out = {}
        if self.role == "anonymous":
            return out
        actor = world.actors[self.role]
        if self.credential != "jwt":
            return {**out, "X-API-Key": world.key(actor, self.scopes())}
        # What ends a login gets one of its own.
        token = world.login(actor) if self.route.path == "/auth/logout" else actor.token
        return {**out, "Authorization": f"Bearer {token}"}

    def send(self):
        route = self.route
        expected = self.expected()
        actor = world.actors.get(self.role, world.other)
        use = "shown"
        if expected == "allowed" and route.method != "GET":
            use = f"{route.name} by {self.credential}"
            if self.relation != "owner":
                use += f" as {self.role}"
        path = route.path
        if route.prefixes:
            path = world.fill_path(path, world.objects(route, self.relation, actor, use))
        body, kind = (b"{}", "application/json") if route.limit == "login" and route.body_type else route.body()
        headers = {**self.headers(), **({"Content-Type": kind} if kind else {})}
        status, headers, answer = world.call(route.method, path + route.query_text(), body, headers)
        return status, headers, answer


def cases_of(route):
    relations = ["none"]
    if route.prefixes:
        owned = world.is_owned(route.collection)
        relations = world.RELATIONS if owned else ("org", "foreign")
    for relation in relations:
        yield Case(route, "anonymous", "none", relation)
        for role in ROLES:
            for credential in ("jwt", "with", "without"):
                yield Case(route, role, credential, relation)


class Matrix(unittest.TestCase):
    maxDiff = None

    def test_every_route_lets_in_who_it_says_and_nobody_else(self):
        cases = [case for route in world.routes for case in cases_of(route)]
        watched = self.watched()
        before = {key: self.state_of(key) for key in watched}
        counts, wrong, fine = collections.Counter(), [], set()

        def check(case):
            status, headers, answer = case.send()
            expected = case.expected()
            counts[expected] += 1
            code = answer["error"]["code"] if status >= 400 and isinstance(answer, dict) else ""
            if expected == "allowed" or expected == "open":
                good = status == case.route.answer(case.credential) and status in case.route.documented
                if status == case.route.success:
                    fine.add(case.route.key)
            else:
                good = status == expected
                if status == 401:
                    good = good and "WWW-Authenticate" in headers and code == "UNAUTHORIZED"
                if status == 403:
                    good = good and code == "FORBIDDEN"
                    needed = answer["error"].get("required_permission") if good else None
                    if good and case.route.guard == "permission" and not case.route.needs & self.held(case):
                        good = needed in {SCOPES[p] for p in case.route.needs}
            if not good:
                wrong.append(f"{case}: {status} {answer if not isinstance(answer, bytes) else answer[:80]}, not {expected}")
        world.parallel(check, cases)
        after = {key: self.state_of(key) for key in watched}
        never = {route.key for route in world.routes} - fine
        print(f"\n{len(world.routes)} routes, {len(cases)} requests: "
              + ", ".join(f"{n} {what}" for what, n in sorted(counts.items(), key=str))
              + f"; {len(never)} routes were reached and never answered with success")
        self.assertEqual(wrong, [], f"{len(wrong)} of {len(cases)}")
        self.assertEqual(after, before, "what was refused has changed something")
        self.assertEqual(never, set(MEETS))
        self.check_audit()

    # What changes nothing, and what says itself in the log what it did.
    READS = ("/prompts/{id}/render", "/prompts/validate", "/evaluations/compare", "/api/v1/agents/", "/research-lab/")
    SPEAKS_FOR_ITSELF = ("/auth/", "/admin/users", "/admin/api-keys")

    def check_audit(self):
        """Every change that was made above is in the audit log, and says to what."""
        changed = {route.name for route in world.routes if route.method != "GET" and route.key not in MEETS
                   and not route.path.startswith(self.READS + self.SPEAKS_FOR_ITSELF)} | {"POST /experiments/{id}/start"}
        told, nameless, cursor = set(), [], ""
        while cursor is not None:
            page = world.must(200, "GET", f"/admin/audit-logs?outcome=success&limit=100{cursor}", None, world.admin)
            for row in page["data"]:
                name = row["details"].get("route")
                told.add(name)
                # A whole collection has no id, and a batch names what it made.
                whole = row["action"] == "export" and "{" not in name
                if not row["resource"]["id"] and not whole and not row["details"].get("made"):
                    nameless.append((name, row))
            cursor = page["pagination"]["next_cursor"] and f"&cursor={page['pagination']['next_cursor']}"
        self.assertEqual(nameless, [])
        self.assertEqual(changed - told, set())

    def test_another_scope_opens_what_it_may_open_and_only_to_roles_that_could(self):
        routes = [route for route in world.routes if route.or_scope]
        self.assertTrue(routes)
        for route in routes:
            for role, actor in world.actors.items():
                key = {"X-API-Key": world.key(actor, {route.or_scope})}
                path = route.path
                if route.prefixes:
                    use = f"{route.name} by another scope as {role}"
                    path = world.fill_path(path, world.objects(route, "org", world.other, use))
                body, kind = route.body()
                status, _, answer = world.call(
                    route.method, path + route.query_text(), body, {**key, **({"Content-Type": kind} if kind else {})})
                if route.needs <= GRANTS[role]:
                    self.assertEqual(status, route.answer("with"), (route.name, role, answer))
                else:
                    self.assertEqual(status, 403, (route.name, role, answer))

    @staticmethod
    def held(case):
        """What a role has, and so what a refusal need not ask for."""
        if case.credential == "jwt" and case.role == "ServiceAccount":
            return set()
        return GRANTS[case.role] if case.credential == "jwt" else {
            p for p in GRANTS[case.role] if SCOPES[p] in case.scopes()}

    def watched(self):
        """Every object that only requests which must fail are aimed at."""
        out = set()
        for route in world.routes:
            # What stands inside them is made first: that changes some of them.
            owned = world.is_owned(route.collection)
            for relation in ("org", "private", "collaborator", "foreign") if owned else ("org", "foreign"):
                world.objects(route, relation, world.other, "shown")
        for route in world.routes:
            if route.method == "GET" and len(route.prefixes) == 1 and route.path == route.prefixes[0]:
                owned = world.is_owned(route.collection)
                for relation in ("org", "private", "collaborator", "foreign") if owned else ("org", "foreign"):
                    values = world.objects(route, relation, world.other, "shown")
                    out.add((route.path, relation, values[route.path]))
        return out

    @staticmethod
    def state_of(key):
        path, relation, one = key
        person = world.foreigner if relation == "foreign" else world.admin
        status, headers, answer = world.call("GET", world.fill_path(path, {path: one}), None, person.headers)
        assert status == 200, (key, answer)
        # When it was used last may change; nothing else may.
        shown = {name: value for name, value in answer.items() if name not in ("last_used_at", "last_login_at")}
        return headers["ETag"], json.dumps(shown, sort_keys=True)

    def test_what_is_another_organisations_is_told_like_what_is_not_there(self):
        compared = 0
        for route in world.routes:
            if not route.prefixes:
                continue
            theirs = world.objects(route, "foreign", world.other, "shown")
            absent = {prefix: str(uuid.uuid4()) for prefix in theirs}
            answers = []
            for values in (theirs, absent):
                body, kind = route.body()
                headers = {**world.admin.headers, **({"Content-Type": kind} if kind else {})}
                status, _, answer = world.call(
                    route.method, world.fill_path(route.path, values) + route.query_text(), body, headers)
                answer["error"].pop("request_id")
                answers.append((status, answer))
            self.assertEqual(answers[0], answers[1], route.name)
            # Of a signed address the token is looked at first, and is none.
            self.assertEqual(answers[0][0], 403 if route.guard == "open" else 404, route.name)
            compared += 1
        self.assertGreater(compared, 30)


class Lists(unittest.TestCase):
    """Every list goes by offset, by page and by cursor, and comes whole as NDJSON."""

    def pages(self, path, style):
        """(rows, answers) of the whole list, two at a time."""
        rows, query = [], f"{path}?{style}"
        while query:
            status, headers, page = world.call("GET", query, None, world.admin.headers)
            self.assertEqual(status, 200, (query, page))
            if isinstance(page, list):
                # The contract has this one as an array; what is behind it is in Link.
                found = re.search('<([^>]*)>; rel="next"', headers.get("Link", ""))
                rows, query = rows + page, found and found[1]
                total = int(headers["X-Total-Count"])
            else:
                rows, query = rows + page["data"], page["links"].get("next")
                total = page["pagination"]["total"]
            self.assertLess(len(rows), 10_000, path)
        return rows, total

    def test_every_list_is_listed_in_every_way(self):
        lists = [route for route in world.routes if route.method == "GET"
                 and {"cursor", "format"} <= {p["name"] for p in route.query}]
        self.assertGreater(len(lists), 12)
        several = set()
        for route in lists:
            path = world.fill_path(route.path, world.objects(route, "org", world.other, "shown"))
            if route.path == "/datasets/{id}/versions":
                world.must(201, "POST", path, {}, world.admin)
            if route.path == "/evaluations/{id}/runs":
                for _ in range(2):
                    world.must(200, "POST", path[:-1], {}, world.admin)
            path_rest, several_pages = "", "limit=2&offset=0"
            if route.path == "/admin/audit-logs":
                # Looking makes it longer, and it is long: some of it that stays as it is.
                path_rest, several_pages = f"&resource_id={world.actors['Viewer'].id}", "limit=1&offset=0"
            by_offset, total = self.pages(path, several_pages + path_rest)
            self.assertEqual(len(by_offset), total, route.name)
            by_page, _ = self.pages(path, "page=1&page_size=100" + path_rest)
            self.assertEqual([one["id"] for one in by_page], [one["id"] for one in by_offset], route.name)
            first = self.cursor(path, f"limit=1{path_rest}")
            if first is not None:
                several.add(route.path)
                rest, _ = self.pages(path, f"cursor={first}&limit=100{path_rest}")
                self.assertEqual([one["id"] for one in rest], [one["id"] for one in by_offset[1:]], route.name)
            status, headers, text = world.call("GET", f"{path}?format=ndjson{path_rest}", None, world.admin.headers)
            self.assertEqual((status, headers["Content-Type"]), (200, "application/x-ndjson"), route.name)
            lines = [json.loads(line) for line in text.splitlines()]
            self.assertEqual([one["id"] for one in lines], [one["id"] for one in by_offset], route.name)
            viewer = world.actors["Viewer"]
            if route.needs <= GRANTS["Viewer"] and route.guard == "permission":
                status, _, answer = world.call("GET", f"{path}?format=ndjson", None, viewer.headers)
                self.assertEqual((status, answer["error"]["required_permission"]), (403, "data:export"), route.name)
        self.assertLessEqual({"/datasets/{id}/versions", "/evaluations/{id}/runs", "/experiments", "/prompts"}, several)

    def cursor(self, path, query):
        """Of the first page, where there is more."""
        _, headers, page = world.call("GET", f"{path}?{query}", None, world.admin.headers)
        return page["pagination"]["next_cursor"] if isinstance(page, dict) else headers.get("X-Next-Cursor")


class MassAssignment(unittest.TestCase):
    """Members that the service writes are refused, by name, wherever a body is taken."""
    READ_ONLY = {
        "id": str(uuid.uuid4()), "org_id": str(uuid.uuid4()), "org": 2, "created_at": "2020-01-01T00:00:00Z",
        "updated_at": "2020-01-01T00:00:00Z", "created_by": str(uuid.uuid4()), "status": "completed", "version": 7,
        "run_count": 9, "run_number": 9, "key_prefix": "AAAAAAAA", "key_hash": "00", "key": "llm-research_x",
        "password_hash": "x", "is_active": True, "last_login_at": "2020-01-01T00:00:00Z", "revision": 9,
        "last_used_at": "2020-01-01T00:00:00Z", "started_at": "2020-01-01T00:00:00Z", "is_admin": True,
        "permissions": ["ManageUsers"], "sample_count": 5, "row_count": 5, "size_bytes": 5, "content_hash": "00",
        "owner_id": str(uuid.uuid4()), "archived_at": "2020-01-01T00:00:00Z", "granted": "*", "email_verified": True,
    }

    def test_read_only_members_are_refused_by_name(self):
        tried, wrong = 0, []
        for route in world.routes:
            if route.body_type != "application/json" or route.limit == "login" or route.guard == "open":
                continue
            body = json.loads(route.body()[0])
            if not isinstance(body, dict) or route.schema.get("additionalProperties", True) is not False:
                continue
            path = route.path
            if route.prefixes:
                path = world.fill_path(path, world.objects(route, "org", world.other, "mass assignment"))
            for member, value in self.READ_ONLY.items():
                if member in route.schema.get("properties", {}):
                    continue
                tried += 1
                status, _, answer = world.call(
                    route.method, path + route.query_text(), {**body, member: value}, world.admin.headers)
                fields = [d["field"] for d in answer["error"].get("details", [])] if status == 422 else []
                if member not in fields:
                    wrong.append((route.name, member, status, answer))
        self.assertEqual(wrong, [])
        self.assertGreater(tried, 300)
        print(f"\n{tried} read-only members refused")

    def test_every_body_of_an_object_is_closed(self):
        """A schema that takes unknown members would let one be assigned that comes later."""
        open_ones = []
        for route in world.routes:
            schema = route.schema
            if route.body_type != "application/json" or schema is None:
                continue
            if schema.get("type") == "object" and schema.get("additionalProperties", True) is not False:
                open_ones.append(route.name)
        self.assertEqual(open_ones, [])

    def test_nobody_gives_an_object_to_somebody_else(self):
        researcher, other = world.actors["Researcher"], world.other
        status, _, answer = world.call(
            "POST", "/experiments", {"name": access_world.unique("name"), "owner_id": other.id}, researcher.headers)
        if status == 201:
            self.assertEqual(answer["owner_id"], researcher.id)
        else:
            self.assertIn(status, (403, 422), answer)


class Foreign(unittest.TestCase):
    """Ids of another organisation, wherever an id may stand but in the path."""

    @classmethod
    def setUpClass(cls):
        cls.experiment, cls.their_run = world.once(("experiment", "foreign", ""), lambda: world.run_experiment("foreign", world.other))
        theirs = world.must(200, "GET", f"/experiments/{cls.experiment}", None, world.foreigner)
        cls.model = theirs["config"]["model_ids"][0]
        cls.data = theirs["config"]["dataset_ids"][0]
        cls.prompt = world.must(201, "POST", "/prompts", {"name": access_world.unique("name"), "template": "x"}, world.foreigner)["id"]

    def same_as_absent(self, send):
        """The answer for theirs is that for an id that is nobody's. Gives it."""
        answers = []
        for absent in (False, True):
            status, _, answer = send(absent)
            text = json.dumps(answer, sort_keys=True) if isinstance(answer, (dict, list)) else answer.decode()
            if isinstance(answer, dict) and "error" in answer:
                answer["error"].pop("request_id")
                text = json.dumps(answer, sort_keys=True)
            answers.append((status, text))
        ids = (self.experiment, self.their_run, self.model, self.data, self.prompt)
        for one in ids:
            self.assertNotIn(one, answers[0][1])
        self.assertEqual(answers[0], answers[1])
        return answers[0]

    def test_in_configs_they_are_not_found_and_block_nobody(self):
        mine = world.config(world.admin, {})
        prompt = world.must(201, "POST", "/prompts", {"name": access_world.unique("name"), "template": "x"}, world.admin)["id"]
        for member, one in (("model_ids", self.model), ("dataset_ids", self.data), ("prompt_template_ids", self.prompt)):
            def send(absent, member=member, one=one):
                config = {**mine, "prompt_template_ids": [prompt], member: [str(uuid.uuid4()) if absent else one]}
                made = world.must(201, "POST", "/experiments", {"name": access_world.unique("name"), "config": config}, world.admin)
                return world.call("POST", f"/experiments/{made['id']}/start", None, world.admin.headers)
            status, text = self.same_as_absent(send)
            self.assertEqual(status, 422, text)
            self.assertIn(f"config.{member}", text)
        # We named theirs; they can remove it all the same.
        free = world.must(201, "POST", "/models", {"name": access_world.unique("name"), **access_world.BODIES["/models"]}, world.foreigner)
        world.must(201, "POST", "/experiments", {"name": access_world.unique("name"), "config": {"model_ids": [free["id"]]}}, world.admin)
        world.must(204, "DELETE", f"/models/{free['id']}", None, world.foreigner)

    def test_recorded_outputs_of_others_are_not_replayed(self):
        mine = world.config(world.admin, {})

        def send(absent):
            model = world.must(201, "POST", "/models", {
                "name": access_world.unique("name"), "provider": "custom", "model_identifier": "x",
                "config": {"replay_dataset": str(uuid.uuid4()) if absent else self.data}}, world.admin)["id"]
            made = world.must(201, "POST", "/experiments", {
                "name": access_world.unique("name"), "config": {**mine, "model_ids": [model]}}, world.admin)
            return world.call("POST", f"/experiments/{made['id']}/start", None, world.admin.headers)
        status, text = self.same_as_absent(send)
        self.assertEqual(status, 422, text)

    def test_a_collaborator_of_another_organisation_sees_nothing(self):
        made = world.must(201, "POST", "/experiments", {
            "name": access_world.unique("name"), "visibility": "team", "collaborators": [world.foreigner.id]}, world.admin)
        path = f"/experiments/{made['id']}"
        for method, where, body in (("GET", path, None), ("PUT", path, {"tags": ["x"]}), ("POST", f"{path}/clone", {}),
                                    ("GET", f"{path}/runs", None), ("POST", f"{path}/start", None), ("DELETE", path, None)):
            self.assertEqual(world.call(method, where, body, world.foreigner.headers)[0], 404, (method, where))

    def test_runs_are_found_in_their_own_experiment_only(self):
        mine, run = world.once(("experiment", "org", ""), lambda: world.run_experiment("org", world.other))
        another = world.must(201, "POST", "/experiments", {"name": access_world.unique("name")}, world.admin)["id"]
        link = world.must(200, "POST", f"/experiments/{mine}/runs/{run}/artifacts/upload", {"name": "a"}, world.admin)
        token = link["upload_url"].partition("?")[2]
        signed = 0
        for route in world.routes:
            if route.prefixes[-1:] != ["/experiments/{id}/runs/{run}"]:
                continue
            for experiment, one in ((another, run), (mine, self.their_run), (mine, run)):
                values = {"/experiments/{id}": experiment, "/experiments/{id}/runs/{run}": one}
                path = world.fill_path(route.path, values)
                body, kind = route.body()
                headers = {"Content-Type": kind} if kind else {}
                if route.guard == "open":
                    # A signed address is its own credential, for what it was made for alone.
                    status, _, answer = world.call(route.method, f"{path}?{token}", body, headers)
                    self.assertEqual(status, 201 if (experiment, one) == (mine, run) else 403, (route.name, answer))
                    signed += 1
                elif (experiment, one) != (mine, run):
                    status, _, answer = world.call(
                        route.method, path + route.query_text(), body, {**world.admin.headers, **headers})
                    self.assertEqual(status, 404, (route.name, answer))
        self.assertEqual(signed, 3)

    def test_comparisons_and_filters_see_nothing_of_others(self):
        mine, run = world.once(("experiment", "org", ""), lambda: world.run_experiment("org", world.other))
        status, text = self.same_as_absent(lambda absent: world.call(
            "GET", f"/experiments/{mine}/runs/{run}/report?compare={uuid.uuid4() if absent else self.their_run}", None, world.admin.headers))
        self.assertIn(status, (404, 422), text)
        for where, owner in (("/experiments", "owner_id"), ("/admin/audit-logs", "actor_id")):
            listed = world.must(200, "GET", f"{where}?{owner}={world.foreigner.id}", None, world.admin)
            self.assertEqual((listed["data"], listed["meta"]["total_count"]), ([], 0), where)
        listed = world.must(200, "GET", f"/admin/audit-logs?resource_id={self.experiment}", None, world.admin)
        self.assertEqual(listed["data"], [])

    def test_a_page_of_theirs_turns_into_none_of_ours(self):
        for where in ("/experiments", "/models", "/datasets", "/prompts", "/admin/users", "/admin/audit-logs"):
            theirs = world.must(200, "GET", f"{where}?limit=1", None, world.admin)
            ids = {row["id"] for row in world.must(200, "GET", f"{where}?limit=100", None, world.admin)["data"]}
            cursor = theirs["pagination"]["next_cursor"]
            self.assertTrue(cursor, where)
            status, _, page = world.call("GET", f"{where}?cursor={cursor}", None, world.foreigner.headers)
            if status == 200:
                self.assertEqual(ids & {row["id"] for row in page["data"]}, set(), where)
            else:
                self.assertEqual(status, 400, page)
            status, _, page = world.call("GET", f"{where}?cursor={cursor[:-3]}AAA", None, world.admin.headers)
            self.assertEqual(status, 400, page)

    def test_keys_are_made_for_ones_own_people_only(self):
        status, text = self.same_as_absent(lambda absent: world.call("POST", "/admin/api-keys", {
            "name": "k", "scopes": ["experiments:read"],
            "owner_id": str(uuid.uuid4()) if absent else world.foreigner.id}, world.admin.headers))
        self.assertEqual(status, 422, text)

    def test_an_answer_is_replayed_to_who_got_it_only(self):
        key = {"Idempotency-Key": "the same for all"}
        body = {"name": access_world.unique("name"), **access_world.BODIES["/models"]}
        ids = {world.must(201, "POST", "/models", body, who, key)["id"] for who in (world.admin, world.other, world.foreigner)}
        self.assertEqual(len(ids), 3)
        self.assertIn(world.must(201, "POST", "/models", body, world.admin, key)["id"], ids)

    def test_versions_of_other_prompts_are_not_rendered(self):
        version = world.must(200, "GET", f"/prompts/{self.prompt}/versions", None, world.foreigner)["data"][0]["id"]
        mine = world.must(201, "POST", "/prompts", {"name": access_world.unique("name"), "template": "x"}, world.admin)["id"]
        for one in (version, str(uuid.uuid4())):
            self.assertEqual(world.call("GET", f"/prompts/{mine}/versions/{one}", None, world.admin.headers)[0], 404)

    def test_an_email_is_taken_without_a_word_about_whose_it_is(self):
        status, _, answer = world.call("POST", "/admin/users", {
            "email": world.foreigner.email, "name": "x", "roles": ["Viewer"]}, world.admin.headers)
        self.assertEqual(status, 409, answer)
        self.assertNotIn(world.foreigner.id, json.dumps(answer))


class Audit(unittest.TestCase):
    def test_refusals_and_changes_of_roles_are_recorded_with_who_and_from_where(self):
        viewer = world.actors["Viewer"]
        request = {"X-Request-ID": "refused-1", "User-Agent": "matrix"}
        status, _, _ = world.call("DELETE", f"/models/{uuid.uuid4()}", None, {**viewer.headers, **request})
        self.assertEqual(status, 403)
        world.call("GET", "/admin/users", None, {**world.elsewhere(), "X-Request-ID": "refused-2"})
        for request_id, actor, kind in (("refused-1", viewer.id, "user"), ("refused-2", None, "anonymous")):
            rows = self.rows(f"request_id={request_id}")
            self.assertEqual(len(rows), 1, rows)
            row = rows[0]
            self.assertEqual((row["event_type"]["type"], row["outcome"]["status"]), ("authorization", "denied"), row)
            self.assertEqual((row["actor"]["type"], row["actor"].get("id")), (kind, actor), row)
            self.assertTrue(row["ip_address"], row)
        for role, actor in world.actors.items():
            if role != "Admin":
                rows = self.rows(f"resource_id={actor.id}&action=permission_revoked")
                self.assertEqual([row["actor"]["id"] for row in rows], [world.admin.id], rows)
                self.assertEqual(rows[0]["event_type"]["type"], "security")

    def rows(self, query):
        # Denials are written behind the answer.
        deadline = time.monotonic() + 10
        rows = []
        while not rows and time.monotonic() < deadline:
            rows = world.must(200, "GET", f"/admin/audit-logs?{query}", None, world.admin)["data"]
        return rows
