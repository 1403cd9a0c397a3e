"""Ways out of the service: models by URL with a credential that the operator named. The key goes to
its hosts and nowhere else, and nobody but the operator says where that is."""
import json
import time
import unittest

import mock_llm
import support
import test_serve

KEY = "sk-acme-0123456789abcdef"


def experiments(test):
    """Uploading as the other tests of the service do."""
    return lambda *arguments: test_serve.Experiments.upload(test, *arguments)


class Outbound(test_serve.ServeTest):
    ADMIN = {"X-Admin-Key": "the-operators-own-key-0123456789abcdef"}

    def lab(self, **env):
        """A server with an operator's key, a token of an administrator, and a dataset."""
        server = self.server(
            ADMIN_KEY=self.ADMIN["X-Admin-Key"], ACME_API_KEY=KEY, RATE_LIMIT_BURST="5000",
            RATE_LIMIT_REQUESTS_PER_SECOND="5000", **env
        )
        token = self.user(server, tier="unlimited")
        rows = [{"id": f"q{i}", "question": f"What is {i}?", "answer": str(i)} for i in range(3)]
        return server, token, experiments(self)(server, token, "rows", rows)

    def credential(self, server, **members):
        body = {"name": "acme", "secret_ref": "env:ACME_API_KEY", **members}
        return server.call("POST", "/admin/credentials", body, headers=self.ADMIN)

    def run_model(self, server, token, dataset, config, name="m"):
        """The run of an experiment with one model, when it has ended."""
        model = self.made(server, token, "/models", {
            "name": name, "provider": "custom", "model_identifier": "m", "config": {"pricing": {"input_per_million": 1, "output_per_million": 1}, **config},
        })["id"]
        experiment = self.made(server, token, "/experiments", {"name": f"e {name}", "config": {
            "model_ids": [model], "dataset_ids": [dataset], "prompt_template_ids": [self.prompt(server, token, name)],
            "scorers": [{"type": "exact_match", "reference": "{{answer}}"}], "resources": {"max_retries": 0},
        }})["id"]
        return self.start(server, token, experiment)

    def prompt(self, server, token, name):
        return self.made(server, token, "/prompts", {"name": f"p {name}", "template": "{{question}}"})["id"]

    def start(self, server, token, experiment):
        path = f"/experiments/{experiment}"
        status, _, started = server.call("POST", f"{path}/start", token=token)
        self.assertEqual(status, 200, started)
        run = server.call("GET", f"{path}/runs", token=token)[2]["data"][0]
        events = test_serve.Experiments.events(self, server, token, f"{path}/runs/{run['id']}/events")
        self.assertEqual(events[-1][0], "done", events)
        return server.call("GET", f"{path}/runs/{run['id']}", token=token)[2]

    def authorizations(self, endpoint):
        return {request.headers.get("authorization") for request in endpoint.requests}


class Credentials(Outbound):
    def test_an_operator_names_keys_and_nobody_sees_them(self):
        server, token, _ = self.lab()
        status, headers, made = self.credential(server, allowed_hosts=["llm.example.org", "*.example.net:8443"])
        self.assertEqual(status, 201, made)
        self.assertEqual((made["resolves"], made["problem"], made["built_in"]), (True, None, False))
        self.assertEqual(headers["Location"], "/admin/credentials/acme")
        shown = server.call("GET", "/admin/credentials/acme", headers=self.ADMIN)
        self.assertEqual((shown[0], shown[2]), (200, made))
        self.assertEqual(self.credential(server, allowed_hosts=["a.org"])[0], 409)
        self.credential(server, name="absent", secret_ref="env:NO_SUCH_API_KEY", allowed_hosts=["a.org"])
        rows = server.call("GET", "/admin/credentials?limit=1", headers=self.ADMIN)[2]
        self.assertEqual(([row["name"] for row in rows["data"]], rows["pagination"]["total"]), (["absent"], 2))
        after = server.call("GET", f"/admin/credentials?limit=1&cursor={rows['pagination']['next_cursor']}", headers=self.ADMIN)[2]
        self.assertEqual([row["name"] for row in after["data"]], ["acme"])
        self.assertFalse(rows["data"][0]["resolves"])
        self.assertIn("NO_SUCH_API_KEY", rows["data"][0]["problem"])
        status, _, changed = server.call("PUT", "/admin/credentials/acme", {"allowed_hosts": ["b.org"]}, headers={**self.ADMIN, "If-Match": headers["ETag"]})
        self.assertEqual((status, changed["allowed_hosts"], changed["secret_ref"]), (200, ["b.org"], "env:ACME_API_KEY"))
        self.assertEqual(server.call("DELETE", "/admin/credentials/acme", headers={**self.ADMIN, "If-Match": headers["ETag"]})[0], 412)
        self.assertEqual(server.call("DELETE", "/admin/credentials/acme", headers=self.ADMIN)[0], 204)
        self.assertEqual(server.call("GET", "/admin/credentials/acme", headers=self.ADMIN)[0], 404)
        deadline, told = time.monotonic() + 10, []
        while len(told) < 4 and time.monotonic() < deadline:  # it may be written beside the requests
            audit = server.call("GET", "/admin/audit-logs?event_type=configuration", token=token)[2]["data"]
            told = [e for e in audit if "credentials" in json.dumps(e)]
        self.assertGreaterEqual(len(told), 4, audit)
        self.assertNotIn(KEY, json.dumps([made, rows, audit]))

    def test_only_operators_may_and_references_lead_to_no_secret_of_the_service(self):
        secret = "0123456789abcdef0123456789abcdef-jwt"
        server, token, _ = self.lab(JWT_SECRET=secret)
        researcher = self.user(server, "bob@example.org", role="Researcher")
        body = {"name": "x", "secret_ref": "env:ACME_API_KEY", "allowed_hosts": ["a.org"]}
        self.assertEqual(server.call("POST", "/admin/credentials", body)[0], 401)
        self.assertEqual(server.call("POST", "/admin/credentials", body, researcher)[0], 403)
        self.assertEqual(server.call("GET", "/admin/credentials", token=researcher)[0], 403)
        for reference in ("env:JWT_SECRET", "env:ADMIN_KEY", "env:PATH", "env:", "env:API_KEY_SECRET", "env:AWS_SECRET_ACCESS_KEY",
                          "aws-sm://prod/key", "file:/etc/passwd", "file:../x", "sk-a-key-itself", "env:acme_api_key", "env:A=B_API_KEY"):
            status, _, refused = self.credential(server, name="x", secret_ref=reference, allowed_hosts=["a.org"])
            self.assertEqual((status, refused["error"]["details"][0]["field"]), (422, "secret_ref"), refused)
        for host in ("*", "http://a.org", "a.org/x", "127.1", "a.org:0", "a b"):
            status, _, refused = self.credential(server, name="x", allowed_hosts=[host])
            self.assertEqual((status, refused["error"]["details"][0]["field"]), (422, "allowed_hosts[0]"), refused)
        self.assertEqual(self.credential(server, allowed_hosts=["a.org"], api_key="sk-1")[0], 422)
        self.assertEqual(self.credential(server, name="../x", allowed_hosts=["a.org"])[0], 422)

    def test_files_are_read_below_their_folder_only(self):
        folder = self.folder / "secrets"
        folder.mkdir()
        (folder / "acme").write_text(KEY + "\n")
        (self.folder / "outside").write_text("sk-outside-0123456789")
        (folder / "link").symlink_to(self.folder / "outside")
        server, _, _ = self.lab(PROVIDER_SECRETS_DIR=str(folder))
        made = self.credential(server, name="good", secret_ref=f"file:{folder}/acme", allowed_hosts=["a.org"])[2]
        self.assertTrue(made["resolves"], made)
        made = self.credential(server, name="link", secret_ref=f"file:{folder}/link", allowed_hosts=["a.org"])[2]
        self.assertFalse(made["resolves"], made)
        for path in (f"{folder}/../outside", f"{self.folder}/outside", f"{folder}", "/etc/passwd", f"{folder}x/y"):
            status, _, refused = self.credential(server, name="bad", secret_ref=f"file:{path}", allowed_hosts=["a.org"])
            self.assertEqual(status, 422, refused)

    def test_the_key_goes_to_its_host_and_to_no_other(self):
        with mock_llm.MockLLM() as own, mock_llm.MockLLM() as other:
            server, token, dataset = self.lab(PROVIDER_ALLOWED_HOSTS=f"127.0.0.1:{own.port},127.0.0.1:{other.port}", OPENAI_API_KEY="sk-openai-0123456789")
            self.credential(server, allowed_hosts=[f"127.0.0.1:{own.port}"])
            done = self.run_model(server, token, dataset, {"base_url": own.base_url, "credential": "acme"})
            self.assertEqual((done["status"], done["totals"]["successful_samples"]), ("completed", 3), done)
            self.assertEqual(self.authorizations(own), {f"Bearer {KEY}"})
            # Without a credential no key goes along, the operator's own least of all.
            self.assertEqual(self.run_model(server, token, dataset, {"base_url": other.base_url}, "bare")["status"], "completed")
            self.assertEqual(self.authorizations(other), {None})
            for config, field in (
                ({"base_url": other.base_url, "credential": "acme"}, "config.credential"),
                ({"base_url": own.base_url, "credential": "nobody"}, "config.credential"),
                ({"base_url": own.base_url, "credential": "OPENAI_API_KEY"}, "config.credential"),
                ({"base_url": own.base_url, "credential": 7}, "config.credential"),
                ({"base_url": own.base_url, "api_key": KEY}, "config.api_key"),
            ):
                status, _, refused = server.call("POST", "/models", {"name": "n", "provider": "custom", "model_identifier": "m", "config": config}, token)
                self.assertEqual((status, refused["error"]["details"][0]["field"]), (422, field), refused)
            self.assertEqual(len(other.requests), 3)

    def test_what_the_operator_takes_back_does_not_run_any_more(self):
        with mock_llm.MockLLM() as own:
            server, token, dataset = self.lab(PROVIDER_ALLOWED_HOSTS="127.0.0.1")
            self.credential(server, allowed_hosts=[f"127.0.0.1:{own.port}"])
            done = self.run_model(server, token, dataset, {"base_url": own.base_url, "credential": "acme"})
            self.assertEqual(done["status"], "completed", done)
            path = f"/experiments/{done['experiment_id']}/start"
            server.call("PUT", "/admin/credentials/acme", {"allowed_hosts": ["llm.example.org"]}, headers=self.ADMIN)
            status, _, refused = server.call("POST", path, token=token)
            self.assertEqual(status, 422, refused)
            self.assertIn("it may not be sent to 127.0.0.1", json.dumps(refused))
            server.call("DELETE", "/admin/credentials/acme", headers=self.ADMIN)
            status, _, refused = server.call("POST", path, token=token)
            self.assertEqual(status, 422, refused)
            self.assertIn("there is no credential of this name", json.dumps(refused))
            self.assertEqual(len(own.requests), 3)

    def test_a_run_that_waits_fails_when_its_credential_goes_meanwhile(self):
        with mock_llm.MockLLM() as own:
            server, token, dataset = self.lab(PROVIDER_ALLOWED_HOSTS="127.0.0.1")
            self.credential(server, allowed_hosts=[f"127.0.0.1:{own.port}"])
            # A forced breaker keeps the run in the queue.
            breaker = {"service": "openai-api"}
            self.assertEqual(server.call("POST", "/admin/circuit-breaker/open", breaker, headers=self.ADMIN)[0], 200)
            model = self.made(server, token, "/models", {"name": "m", "provider": "custom", "model_identifier": "m", "config": {
                "base_url": own.base_url, "credential": "acme"}})["id"]
            experiment = self.made(server, token, "/experiments", {"name": "e", "config": {
                "model_ids": [model], "dataset_ids": [dataset], "prompt_template_ids": [self.prompt(server, token, "w")],
                "scorers": [{"type": "exact_match", "reference": "{{answer}}"}]}})["id"]
            path = f"/experiments/{experiment}"
            self.assertEqual(server.call("POST", f"{path}/start", token=token)[0], 200)
            self.assertEqual(server.call("DELETE", "/admin/credentials/acme", headers=self.ADMIN)[0], 204)
            self.assertEqual(server.call("POST", "/admin/circuit-breaker/close", breaker, headers=self.ADMIN)[0], 200)
            run = server.call("GET", f"{path}/runs", token=token)[2]["data"][0]
            events = test_serve.Experiments.events(self, server, token, f"{path}/runs/{run['id']}/events")
            done = server.call("GET", f"{path}/runs/{run['id']}", token=token)[2]
            self.assertEqual(done["status"], "failed", (done, events))
            self.assertIn("is not there any more", json.dumps(done["error"]))
            self.assertEqual(len(own.requests), 0)

    def test_keys_of_the_environment_are_there_without_being_named(self):
        server, _, _ = self.lab(OPENAI_API_KEY="sk-openai-0123456789")
        status, _, shown = server.call("GET", "/admin/credentials/openai", headers=self.ADMIN)
        self.assertEqual((status, shown["built_in"], shown["resolves"]), (200, True, True), shown)
        self.assertIn("api.openai.com", shown["allowed_hosts"])
        for method, body in (("PUT", {"allowed_hosts": ["evil.example.org"]}), ("DELETE", None)):
            self.assertEqual(server.call(method, "/admin/credentials/openai", body, headers=self.ADMIN)[2]["error"]["code"], "INVALID_STATE")
        self.assertEqual(self.credential(server, name="openai", allowed_hosts=["evil.example.org"])[0], 409)


if __name__ == "__main__":
    unittest.main()
