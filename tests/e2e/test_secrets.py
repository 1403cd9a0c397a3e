"""Twelve secrets and private texts go through a session with everything that goes wrong in one:
refused inputs, wrong credentials, providers that echo keys, runs that die. Afterwards they are
looked for where they must not be."""
import json
import pathlib
import subprocess
import unittest
import urllib.error
import urllib.request

import mock_llm
import support
import test_attacks
import test_credentials
import test_serve

# Unlike anything else, and of the shape of what they stand for.
SETTINGS = {
    "CLICKHOUSE_PASSWORD": "canary-database-password-5b1f",
    "JWT_SECRET": "canary-jwt-secret-0d9e8f7a6b5c4d3e2f1a0b9c",
    "API_KEY_SECRET": "canary-pepper-1a2b3c4d5e6f7a8b9c0d1e2f3a4b",
    "ADMIN_KEY": "canary-admin-key-9f8e7d6c5b4a39281706f5e4d",
    "OPENAI_API_KEY": "sk-canary-openai-4f3e2d1c0b",
    "ACME_API_KEY": "sk-canary-acme-7a6b5c4d3e",
}
PASSWORD = "canary-password-of-a-user-31415"
EMAIL = "canary.address@example.org"
PROMPT = "canary-text-of-a-prompt-27182"
CELL = "canary-cell-of-a-dataset-16180"


class Secrets(test_attacks.Attack):
    ADMIN = {"X-Admin-Key": SETTINGS["ADMIN_KEY"]}

    def session(self, server, endpoint):
        """What people do. Returns what is secret for its holder: name -> text; and all answers that
        were refusals."""
        refusals = []

        def call(*arguments, **more):
            status, headers, body = server.call(*arguments, **more)
            if status >= 400:
                refusals.append(json.dumps([body, dict(headers)], default=str))
            return status, body

        root = self.user(server, "root@example.org", tier="unlimited")
        status, made = call("POST", "/admin/users", {"email": EMAIL, "name": "Ann", "password": PASSWORD, "roles": ["Admin"], "rate_limit_tier": "unlimited"}, root)
        self.assertEqual(status, 201, made)
        status, tokens = call("POST", "/auth/token", {"email": EMAIL, "password": PASSWORD})
        self.assertEqual(status, 200, tokens)
        token, refresh = tokens["access_token"], tokens["refresh_token"]
        status, key = call("POST", "/admin/api-keys", {"name": "k", "scopes": ["*"]}, token)
        self.assertEqual(status, 201, key)
        key = key["key"]
        self.wrong_credentials(call, token, refresh, key)
        dataset, link = self.rows(server, call, token)
        self.wrong_bodies(server, call, token, refusals)
        status, _ = call("POST", "/admin/credentials", {"name": "acme", "secret_ref": "env:ACME_API_KEY", "allowed_hosts": [f"127.0.0.1:{endpoint.port}"]}, headers=self.ADMIN)
        self.assertEqual(status, 201)
        for number, config in enumerate(({"base_url": endpoint.base_url, "credential": "acme"}, {"base_url": endpoint.base_url + "/gone", "credential": "acme"})):
            model = self.made(server, token, "/models", {"name": f"m{number}", "provider": "custom", "model_identifier": "m", "config": config})["id"]
            prompt = self.made(server, token, "/prompts", {"name": f"p{number}", "template": PROMPT + " {{question}}"})["id"]
            experiment = self.made(server, token, "/experiments", {"name": f"e{number}", "config": {
                "model_ids": [model], "dataset_ids": [dataset], "prompt_template_ids": [prompt], "resources": {"max_retries": 0},
                "scorers": [{"type": "exact_match", "reference": "{{answer}}"}]}})["id"]
            done = self.start(server, token, experiment)
            for path in ("", "/report", "/samples", "/events"):
                status, body = call("GET", f"/experiments/{experiment}/runs/{done['id']}{path}", token=token)
                self.assertEqual(status, 200, body)
                for name in ("OPENAI_API_KEY", "ACME_API_KEY"):
                    self.assertNotIn(SETTINGS[name], json.dumps(body))
        self.assertEqual(self.authorizations(endpoint), {f"Bearer {SETTINGS['ACME_API_KEY']}"})
        return {"password": PASSWORD, "refresh token": refresh, "access token": token, "API key": key, "link": link}, refusals

    def wrong_credentials(self, call, token, refresh, key):
        for body in ({"email": EMAIL, "password": PASSWORD + "x"}, {"email": EMAIL, "password": [PASSWORD]}, {"email": [EMAIL], "password": PASSWORD},
                     {"email": EMAIL, "passwort": PASSWORD}, {"username": PASSWORD, "password": EMAIL}):
            self.assertGreaterEqual(call("POST", "/auth/token", body)[0], 400)
        self.assertEqual(call("GET", "/models", token=refresh)[0], 401)
        self.assertEqual(call("GET", "/models", token=token[:-2] + "xx")[0], 401)
        self.assertEqual(call("GET", "/models", headers={"X-API-Key": key[:-2] + "xx"})[0], 401)
        self.assertEqual(call("GET", "/admin/users", headers={"X-Admin-Key": SETTINGS["ADMIN_KEY"][:-1]})[0], 401)
        self.assertEqual(call("GET", f"/models?token={refresh}", token=token)[0], 400)
        self.assertEqual(call("POST", "/auth/refresh", {"refresh_token": refresh + "x"})[0], 401)
        self.assertEqual(call("GET", "/models", headers={"X-API-Key": key})[0], 200)

    def rows(self, server, call, token):
        """A dataset with the private cell, once with a broken row; and the signature of its address."""
        made = self.made(server, token, "/datasets", {"name": "rows", "schema": {"type": "object", "properties": {"answer": {"type": "string"}}}})["id"]
        link = call("POST", f"/datasets/{made}/upload", {}, token)[1]
        secret = link["upload_url"].split("token=")[1]
        good = json.dumps({"id": "q0", "question": CELL, "answer": "x"}).encode()
        for body, status in ((b'{"id": "q1", "question": "' + CELL.encode() + b'", "answer": 7}\n{broken ' + CELL.encode(), 422), (good, 201)):
            request = urllib.request.Request(link["upload_url"], data=body, method="PUT", headers=link["headers"])
            try:
                with urllib.request.urlopen(request, timeout=120) as answer:
                    self.assertEqual(answer.status, status)
            except urllib.error.HTTPError as error:
                self.assertEqual(error.code, status, error.read())
        call("PUT", f"/datasets/{made}/content?token={secret}x", raw=good)
        call("PUT", f"/datasets/{made}/content?tok={secret}", raw=good)
        return made, secret

    def wrong_bodies(self, server, call, token, refusals):
        provider = SETTINGS["ACME_API_KEY"]
        for method, path, body in (
            ("POST", "/models", {"name": "n", "provider": "openai", "model_identifier": "m", "config": {"api_key": provider}}),
            ("POST", "/models", {"name": "n", "provider": provider, "model_identifier": "m"}),
            ("POST", "/models", {"name": "n", "provider": "custom", "model_identifier": "m", "config": {"base_url": f"https://user:{provider}@example.org"}}),
            ("POST", "/models", {"name": "n", "provider": "custom", "model_identifier": "m", "config": {"credential": provider}}),
            ("POST", "/prompts", {"name": "n", "template": [PROMPT]}),
            ("POST", "/admin/users", {"email": EMAIL, "password": PASSWORD, "roles": ["Nobody"]}),
            ("POST", "/admin/credentials", {"name": "n", "secret_ref": provider, "allowed_hosts": ["a.org"]}),
            ("POST", "/admin/credentials", {"name": "n", "secret_ref": "env:JWT_SECRET", "allowed_hosts": ["a.org"]}),
        ):
            self.assertGreaterEqual(call(method, path, body, token)[0], 400, path)
        for raw in (f'{{"password": "{PASSWORD}" "x"}}', f'{{"api_key": {provider}}}', f'["{PROMPT}"'):
            self.assertEqual(call("POST", "/models", raw=raw.encode(), token=token)[0], 400)

    def test_no_canary_is_where_it_must_not_be(self):
        echo = mock_llm.Status(401, body=json.dumps({"error": {"message": f"Incorrect API key provided: {SETTINGS['ACME_API_KEY']}. Prompt: ..."}}))
        with mock_llm.MockLLM(script=lambda request: echo if "gone" in request.path else None) as endpoint:
            server = self.server(**SETTINGS, PROVIDER_ALLOWED_HOSTS="127.0.0.1", LOG_LEVEL="debug", RATE_LIMIT_BURST="5000", RATE_LIMIT_REQUESTS_PER_SECOND="5000")
            held, refusals = self.session(server, endpoint)
            admin = held["access token"]
            texts = {
                "metrics": server.call("GET", "/metrics")[2],
                "health": json.dumps(server.call("GET", "/health/detailed", token=admin)[2]),
                "audit": json.dumps(self.audit(server, admin)),
                "credentials": json.dumps(server.call("GET", "/admin/credentials", token=admin)[2]),
                "api keys": json.dumps(server.call("GET", "/admin/api-keys", token=admin)[2]),
                "users": json.dumps(server.call("GET", "/admin/users", token=admin)[2]),
                "command line": pathlib.Path(f"/proc/{server.process.pid}/cmdline").read_bytes().decode(),
                "refusals": "\n".join(refusals),
                "config check": self.config_check(server),
            }
            server.stop()
            server.reader.join(5)
            texts["log"] = json.dumps(server.log) + server.process.stderr.read().decode()
            store = b"".join(path.read_bytes() for path in server.home.path.rglob("*") if path.is_file())
        secrets = {**SETTINGS, **held}
        for where, text in texts.items():
            for name, secret in secrets.items():
                self.assertNotIn(secret, text, f"{name} in {where}")
        # What is private: in the answers to those who may see it, in the store, and nowhere else.
        for where in ("metrics", "health", "audit", "credentials", "log", "command line", "config check"):
            for name, private in (("prompt", PROMPT), ("cell", CELL), ("e-mail", EMAIL)):
                self.assertNotIn(private, texts[where], f"{name} in {where}")
        # At rest there are digests; the pepper, when it is given, is not kept either.
        for name, secret in secrets.items():
            self.assertNotIn(secret.encode(), store, f"{name} in the store")
        for private in (PROMPT, EMAIL):
            self.assertIn(private.encode(), store, "the search finds what is there")

    def audit(self, server, token):
        """The audit log without who acted: by whom and by which address it was is what it is for."""
        rows = [row for n in (0, 100) for row in server.call("GET", f"/admin/audit-logs?limit=100&offset={n}", token=token)[2]["data"]]
        self.assertIn(EMAIL, {row["actor"].pop("email", None) for row in rows})
        return rows

    def config_check(self, server):
        done = subprocess.run([str(support.BINARY), "config", "check", "--server"], capture_output=True, text=True, env=server.home.environment(**server.env))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("OPENAI_API_KEY", done.stdout)
        return done.stdout + done.stderr


if __name__ == "__main__":
    unittest.main()
