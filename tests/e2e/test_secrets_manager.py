"""Secrets that AWS Secrets Manager keeps, with a real server of it: a secret that is rotated without a restart,
a service that goes away, credentials that are refused."""
import base64
import hashlib
import hmac
import importlib.util
import json
import pathlib
import secrets
import time
import unittest

import fault_proxy
import support
import test_serve

TOOL = pathlib.Path(__file__).resolve().parents[2] / "tools" / "moto.py"
SPEC = importlib.util.spec_from_file_location("lab_moto", TOOL)
moto_tool = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(moto_tool)


def fresh_secret():
    return secrets.token_urlsafe(48)


def is_signed_with(token, secret):
    signed, _, signature = token.rpartition(".")
    made = hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(made).rstrip(b"=").decode() == signature


class WithSecretsManager(test_serve.ServeTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if not moto_tool.is_built():
            raise unittest.SkipTest("no server of Secrets Manager: tools/moto.py --build makes one")
        cls.moto = moto_tool.Server()
        cls.moto.__enter__()
        cls.addClassCleanup(cls.moto.stop)

    def secret(self, value):
        """(name, ARN) of one of its own."""
        name = f"lab/{secrets.token_hex(6)}"
        return name, self.moto.create(name, value)

    def until(self, what, seconds=30):
        """Waits until `what()` is true; gives what it was last. Logins are limited: ten a second from one address."""
        end = time.monotonic() + seconds
        while not (last := what()) and time.monotonic() < end:
            time.sleep(0.2)
        return last

    def status(self, lab, token):
        return lab.call("GET", "/auth/me", token=token)[0]

    def said(self, lab, message):
        return [entry for entry in lab.log if entry["message"] == message]

    def refuses(self, seconds=30, **env):
        """What `serve` says when it cannot start."""
        started = time.monotonic()
        done = support.Home(self.folder).run("serve", "--port", "0", env={"METRICS_PORT": "0", **env}, timeout=60)
        self.assertNotEqual(done.code, 0, done)
        self.assertLess(time.monotonic() - started, seconds)
        return done.err


class SecretsManager(WithSecretsManager):
    def test_a_rotated_secret_signs_new_tokens_and_old_ones_stay_good(self):
        first, second = fresh_secret(), fresh_secret()
        name, arn = self.secret(first)
        pepper_name, pepper_arn = self.secret(fresh_secret())
        lab = self.server(
            **self.moto.environment(), JWT_SECRET_ARN=arn, API_KEY_SECRET_ARN=pepper_arn,
            SECRETS_REFRESH_INTERVAL="1s", ENVIRONMENT="production")
        old = self.user(lab)
        self.assertTrue(is_signed_with(old, first))
        key = self.made(lab, old, "/admin/api-keys", {"name": "k", "scopes": ["*"]})["key"]

        self.moto.rotate(name, second)
        self.moto.rotate(pepper_name, fresh_secret())
        new = self.until(lambda: (token := self.login(lab)) and is_signed_with(token, second) and token)
        self.assertTrue(new, lab.log[-5:])
        self.assertEqual((self.status(lab, old), self.status(lab, new)), (200, 200))
        self.assertEqual(lab.call("GET", "/auth/me", headers={"X-API-Key": key})[0], 200)
        later = self.made(lab, new, "/admin/api-keys", {"name": "later", "scopes": ["*"]})["key"]
        self.assertEqual(lab.call("GET", "/auth/me", headers={"X-API-Key": later})[0], 200)

        # Twice: the first is no longer honoured.
        third = fresh_secret()
        self.moto.rotate(name, third)
        self.assertTrue(self.until(lambda: is_signed_with(self.login(lab), third)))
        self.assertTrue(self.until(lambda: self.status(lab, old) == 401))
        self.assertEqual(self.status(lab, new), 200)
        _, _, metrics = lab.call("GET", "/metrics")
        self.assertIn('secrets_rotations_total{setting="JWT_SECRET"} 2', metrics)
        for value in (first, second, third):
            self.assertNotIn(value, json.dumps(lab.log))

    def test_a_service_that_goes_away_changes_nothing(self):
        _, arn = self.secret(fresh_secret())
        proxy = fault_proxy.FaultProxy(self.moto.port)
        self.addCleanup(proxy.close)
        env = self.moto.environment() | {"AWS_ENDPOINT_URL_SECRETS_MANAGER": f"http://127.0.0.1:{proxy.port}"}
        lab = self.server(**env, JWT_SECRET_ARN=arn, SECRETS_REFRESH_INTERVAL="1s")
        token = self.user(lab)
        for fault in ("refuse", "black-hole"):
            before = len(self.said(lab, "a secret cannot be asked for: its last good value stays"))
            proxy.fault = fault
            told = self.until(
                lambda: self.said(lab, "a secret cannot be asked for: its last good value stays")[before:])
            self.assertTrue(told, fault)
            self.assertEqual(told[0]["fields"]["setting"], "JWT_SECRET_ARN")
            self.assertEqual(self.status(lab, token), 200)
            self.assertEqual(self.status(lab, self.login(lab)), 200)
            _, _, metrics = lab.call("GET", "/metrics")
            self.assertIn('circuit_breaker_state{service="secrets"} 2', metrics)
            if fault == "black-hole":
                break
            back = len(self.said(lab, "the secrets service can be used again"))
            proxy.fault = None
            self.assertTrue(self.until(
                lambda: len(self.said(lab, "the secrets service can be used again")) > back), fault)
        code, seconds = lab.stop()  # while it waits for an answer
        self.assertEqual(code, 0)
        self.assertLess(seconds, 5, [(e["timestamp"], e["message"]) for e in lab.log[-8:]])

    def test_a_start_without_its_secret_fails_with_one_line(self):
        _, arn = self.secret(fresh_secret())
        env = self.moto.environment()
        nobody = self.refuses(**self.moto.environment("nobody"), JWT_SECRET_ARN=arn)
        self.assertIn("JWT_SECRET_ARN: the secrets service refuses access: AccessDenied", nobody)
        wrong = self.refuses(**(env | {"AWS_SECRET_ACCESS_KEY": "wrong"}), JWT_SECRET_ARN=arn)
        self.assertIn("JWT_SECRET_ARN: the secrets service refuses access: SignatureDoesNotMatch", wrong)
        absent = self.refuses(**env, DATABASE_URL="aws-sm://lab/none#url")
        self.assertIn("DATABASE_URL: there is no such secret: ResourceNotFoundException", absent)
        away = self.refuses(
            **(env | {"AWS_ENDPOINT_URL_SECRETS_MANAGER": "http://127.0.0.1:1"}), ADMIN_KEY="aws-sm://lab/x")
        self.assertIn("ADMIN_KEY: the secrets service does not answer", away)
        for said in (nobody, wrong, absent, away):
            self.assertEqual(len(said.strip().splitlines()), 1, said)

    def test_members_of_json_secrets_stand_in_any_setting(self):
        admin, key = fresh_secret(), "sk-" + secrets.token_hex(20)
        name, _ = self.secret(json.dumps({"admin": admin, "openai": key}))
        env = self.moto.environment() | {
            "ADMIN_KEY": f"aws-sm://{name}#admin", "OPENAI_API_KEY": f"aws-sm://{name}#openai",
            "JWT_SECRET": fresh_secret(), "JWT_SECRET_ARN": "arn:aws:secretsmanager:us-east-1:1:secret:not-there"}
        lab = self.server(**env, SECRETS_REFRESH_INTERVAL="1s")
        self.assertEqual(lab.call("GET", "/admin/credentials", headers={"X-Admin-Key": admin})[0], 200)
        self.assertEqual(lab.call("GET", "/admin/credentials", headers={"X-Admin-Key": "x" * 40})[0], 401)
        shown = lab.home.run("config", "check", "--server", "-o", "json", env=env)
        self.assertEqual(shown.code, 0, shown)
        self.assertIn("secrets service, by ADMIN_KEY", shown.out)
        self.assertNotIn(admin, shown.out + json.dumps(lab.log))
        self.assertNotIn(key, shown.out + json.dumps(lab.log))
        doctor = lab.home.run("doctor", env=env)
        self.assertIn("OPENAI_API_KEY (secrets service)", doctor.out)
        # An admin key counts at once, and the one before no more.
        fresh = fresh_secret()
        self.moto.rotate(name, json.dumps({"admin": fresh, "openai": key}))
        with_key = lambda value: lab.call("GET", "/admin/credentials", headers={"X-Admin-Key": value})[0]
        self.assertTrue(self.until(lambda: with_key(fresh) == 200))
        self.assertEqual(with_key(admin), 401)
        # What its setting cannot have is not taken.
        self.moto.rotate(name, json.dumps({"openai": key}))
        self.assertTrue(self.until(lambda: self.said(lab, "a secret cannot be asked for: its last good value stays")))
        self.assertEqual(with_key(fresh), 200)

    def test_credentials_name_secrets_below_the_operators_prefix(self):
        name, _ = self.secret("sk-" + secrets.token_hex(20))
        admin = fresh_secret()
        lab = self.server(**self.moto.environment(), ADMIN_KEY=admin, PROVIDER_SECRETS_PREFIX="lab/")
        as_admin = {"X-Admin-Key": admin}
        good = {"name": "mine", "secret_ref": f"aws-sm://{name}", "allowed_hosts": ["api.openai.com"]}
        status, _, made = lab.call("POST", "/admin/credentials", good, headers=as_admin)
        self.assertEqual(status, 201, made)
        bad = good | {"name": "other", "secret_ref": "aws-sm://prod/jwt"}
        status, _, refused = lab.call("POST", "/admin/credentials", bad, headers=as_admin)
        self.assertEqual(status, 422)
        self.assertIn("PROVIDER_SECRETS_PREFIX", json.dumps(refused))


if __name__ == "__main__":
    unittest.main()
