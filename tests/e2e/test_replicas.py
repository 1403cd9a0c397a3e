"""Processes that share a PostgreSQL: what one of them gave out, a cursor or an address that takes rows, another takes."""
import subprocess
import unittest

import test_postgres
import test_secrets_manager
import test_serve


class Replicas(test_postgres.OnPostgres):
    def prompts(self, server, token):
        for name in ("a", "b"):
            self.made(server, token, "/prompts", {"name": name, "template": "{{q}}"})

    def cursor(self, server, token):
        """Behind the first of two prompts."""
        status, _, page = server.call("GET", "/prompts?limit=1&sort=name", token=token)
        self.assertEqual((status, [one["name"] for one in page["data"]]), (200, ["a"]))
        return page["pagination"]["next_cursor"]

    def address(self, server, token, name):
        """A signed one that takes rows: its path."""
        made = self.made(server, token, "/datasets", {"name": name, "format": "jsonl"})
        link = server.call("POST", f"/datasets/{made['id']}/upload", {"filename": "rows.jsonl"}, token)[2]
        return link["upload_url"].split(str(server.port), 1)[1], link["headers"]

    def takes(self, server, token, cursor, address):
        status, _, page = server.call("GET", f"/prompts?limit=1&sort=name&cursor={cursor}", token=token)
        self.assertEqual((status, [one["name"] for one in page["data"]]), (200, ["b"]))
        status, _, said = server.call("PUT", address[0], raw=b'{"q": "1"}\n', headers=address[1])
        self.assertIn(status, (200, 201), said)


class BesideEachOther(Replicas, test_serve.ServeTest):
    def test_nobody_needs_a_secret_where_tokens_are_signed_by_a_private_key(self):
        private, public = self.folder / "private.pem", self.folder / "public.pem"
        for words in (("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", private),
                      ("pkey", "-in", private, "-pubout", "-out", public)):
            subprocess.run(["openssl", *words], check=True, capture_output=True, timeout=60)
        env = {"JWT_SECRET": "", "JWT_ALGORITHM": "RS256", "JWT_PRIVATE_KEY_FILE": str(private),
               "JWT_PUBLIC_KEY_FILE": str(public)}
        one = self.server(**env)
        other = self.server(**env, LLM_RESEARCH_HOME=str(self.folder / "another machine"))
        token = self.user(one)
        self.prompts(one, token)
        self.takes(other, token, self.cursor(one, token), self.address(one, token, "of the first"))
        self.takes(one, token, self.cursor(other, token), self.address(other, token, "of the second"))


class Rotated(Replicas, test_secrets_manager.WithSecretsManager):
    def test_the_secret_was_rotated_between_their_starts(self):
        name, _ = self.secret(test_secrets_manager.fresh_secret())
        env = {**self.moto.environment(), "JWT_SECRET": f"aws-sm://{name}", "SECRETS_REFRESH_INTERVAL": "1s"}
        one = self.server(**env)
        token = self.user(one)
        self.prompts(one, token)
        before = self.cursor(one, token), self.address(one, token, "of before")
        second = test_secrets_manager.fresh_secret()
        self.moto.rotate(name, second)
        token = self.until(lambda: (made := self.login(one)) and test_secrets_manager.is_signed_with(made, second) and made)
        self.assertTrue(token, one.log[-5:])
        other = self.server(**env)
        self.takes(other, token, *before)
        self.takes(other, token, self.cursor(one, token), self.address(one, token, "of the first"))
        self.takes(one, token, self.cursor(other, token), self.address(other, token, "of the second"))


if __name__ == "__main__":
    unittest.main()
