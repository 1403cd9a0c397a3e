"""Forged, broken and misused tokens over HTTP. All are refused with one answer, which never says
which check it was; the tokens are put together here, without the program's code."""
import base64
import hashlib
import hmac
import json
import os
import shutil
import socket
import subprocess
import time
import unittest
import uuid

import test_serve

SECRET = "vE7qkT3mWz9Lr2XcYb8Ns5Hd4Gf6Jp1Q"
PREVIOUS = "hT5bNq8LxW2cVr7JkZ3mYd9Sg4Fp6QaE"
FORWARD = {"X-Forwarded-For": "10.9.8.7"}


def encode(data):
    data = data if isinstance(data, bytes) else data.encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def sign(signing_input, secret=SECRET, digest=hashlib.sha256):
    secret = secret if isinstance(secret, bytes) else secret.encode()
    return encode(hmac.new(secret, signing_input.encode(), digest).digest())


def token(claims, header='{"alg":"HS256","typ":"JWT"}', secret=SECRET, digest=hashlib.sha256):
    """`claims`: a dictionary, or the text of the payload as it is."""
    payload = claims if isinstance(claims, (str, bytes)) else json.dumps(claims)
    head = encode(header if isinstance(header, (str, bytes)) else json.dumps(header))
    return f"{head}.{encode(payload)}.{sign(f'{head}.{encode(payload)}', secret, digest)}"


class TokenTest(test_serve.ServeTest):
    SETTINGS = {"JWT_SECRET": SECRET, "JWT_SECRET_PREVIOUS": PREVIOUS, "TRUSTED_PROXIES": "127.0.0.1",
                "RATE_LIMIT_REQUESTS_PER_SECOND": "100000", "RATE_LIMIT_BURST": "100000"}

    def start(self, **more):
        self.lab = self.server(**{**self.SETTINGS, **more})
        self.user(self.lab, tier="unlimited")
        status, _, self.pair = self.lab.call(
            "POST", "/auth/token", {"email": test_serve.EMAIL, "password": test_serve.PASSWORD}, headers=FORWARD)
        self.assertEqual(status, 200, self.pair)
        self.claims = json.loads(decode(self.pair["access_token"].split(".")[1]))

    def get(self, value, **headers):
        """Who we are by this Authorization header."""
        return self.lab.call("GET", "/auth/me", headers={"Authorization": value, **headers})

    def raw(self, lines):
        """Status of a request whose head is sent byte by byte as it is here."""
        with socket.create_connection(("127.0.0.1", self.lab.port), timeout=10) as connection:
            connection.sendall(b"GET /auth/me HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n" + lines + b"\r\n\r\n")
            data = b""
            while piece := connection.recv(65536):
                data += piece
        return int(data.split(b" ", 2)[1])

    def but(self, **changes):
        """The claims with these changes; None takes one away."""
        return {name: value for name, value in {**self.claims, **changes}.items() if value is not None}


class Vectors(TokenTest):
    def forged(self):
        """(name, Authorization) of everything that must be refused."""
        now = int(time.time())
        good = token(self.claims)
        head, payload, signature = good.split(".")
        text = json.dumps(self.claims)
        for word in ("none", "None", "NONE", "nOnE"):
            header = json.dumps({"alg": word, "typ": "JWT"})
            yield f"alg {word}, no signature", f"{encode(header)}.{payload}."
            yield f"alg {word}, signed", token(self.claims, header)
        for word in ("", "hs256", "HS384", "HS512", "RS256", "ES256", "PS256", "HS256 "):
            yield f"alg {word!r}", token(self.claims, {"alg": word, "typ": "JWT"})
        yield "HS512 for real", token(self.claims, {"alg": "HS512", "typ": "JWT"}, digest=hashlib.sha512)
        yield "alg missing", token(self.claims, {"typ": "JWT"})
        yield "alg a list", token(self.claims, {"alg": ["HS256"], "typ": "JWT"})
        yield "alg null", token(self.claims, {"alg": None, "typ": "JWT"})
        yield "alg twice", token(self.claims, '{"alg":"none","alg":"HS256","typ":"JWT"}')
        for name, value in (
            ("jku", "https://evil.example/keys"), ("x5u", "https://evil.example/x"), ("kid", "../../../../dev/null"),
            ("kid", "' UNION SELECT 'x' -- "), ("jwk", {"kty": "oct", "k": encode("x" * 32)}), ("x5c", ["AAAA"]),
            ("crit", ["exp"]), ("b64", False), ("cty", "JWT"), ("zip", "DEF"),
        ):
            yield f"header {name} {value}", token(self.claims, {"alg": "HS256", "typ": "JWT", name: value})
        yield "typ missing", token(self.claims, {"alg": "HS256"})
        yield "typ other", token(self.claims, {"alg": "HS256", "typ": "at+jwt"})
        yield "empty signature", f"{head}.{payload}."
        yield "no signature", f"{head}.{payload}"
        yield "four parts", f"{good}.{signature}"
        yield "five parts, as if encrypted", f"{good}.{signature}.{signature}"
        yield "signature of another", f"{head}.{payload}.{sign('x')}"
        yield "half a signature", f"{head}.{payload}.{signature[:20]}"
        yield "padded", f"{head}.{payload}.{signature}="
        yield "bits behind the last byte", good[:-1] + chr(ord(good[-1]) + 1)
        yield "changed payload", f"{head}.{encode(json.dumps(self.but(roles=['Admin'], email='x@example.org')))}.{signature}"
        yield "secret of nobody", token(self.claims, secret="a secret of nobody that has 32 bytes")
        yield "empty secret", token(self.claims, secret="")
        yield "duplicate claim", token(text[:-1] + f', "exp": {now + 9000}}}')
        yield "duplicate subject", token(text[:-1] + f', "sub": "{uuid.uuid4()}"}}')
        for name in ("exp", "nbf", "iat"):
            for value in (str(now + 600), float(now) + 600.5, -1, 1e308, True, [now], None, 253402300800, {}):
                yield f"{name} {value!r}", token(self.but(**{name: value}))
            yield f"{name} 1e308 as written", token(text.replace(f'"{name}": {self.claims[name]}', f'"{name}": 1e308'))
        yield "expired", token(self.but(exp=now - 3600, iat=now - 7200, nbf=now - 7200))
        yield "not begun", token(self.but(nbf=now + 3600))
        yield "of tomorrow", token(self.but(iat=now + 3600, exp=now + 7200))
        for name in ("iss", "aud", "sub", "user_id", "email", "roles", "token_type", "jti", "family", "org_id"):
            yield f"{name} missing", token(self.but(**{name: None}))
            yield f"{name} a number", token(self.but(**{name: 1}))
        yield "iss other", token(self.but(iss="https://evil.example"))
        yield "aud other", token(self.but(aud="somebody"))
        yield "aud a list", token(self.but(aud=[self.claims["aud"], "other"]))
        yield "user_id other than sub", token(self.but(user_id=str(uuid.uuid4())))
        yield "unknown user", token({**self.claims, **dict.fromkeys(("sub", "user_id"), str(uuid.uuid4()))})
        yield "unknown login", token(self.but(family=str(uuid.uuid4())))
        yield "another organisation", token(self.but(org_id=str(uuid.uuid4())))
        yield "token_type unknown", token(self.but(token_type="id"))
        yield "subject with SQL", token(self.but(sub="' OR 1=1 --", user_id="' OR 1=1 --"))
        yield "refresh as access", self.pair["refresh_token"]
        yield "9 KB", token(self.but(email="x" * 7000))
        yield "bad base64", f"{head}.{payload[:-1]}!.{signature}"
        yield "standard base64", good.replace("-", "+").replace("_", "/") + "+/"
        yield "bad UTF-8", token(b'{"sub":"\xff\xfe"}')
        yield "bad UTF-8 in the header", token(self.claims, b'{"alg":"HS256","typ":"\xff"}')
        yield "payload a list", token("[1]")
        yield "payload a text", token('"x"')
        yield "payload empty", token("")
        yield "payload with a mark in front", token(b"\xef\xbb\xbf" + text.encode())
        yield "payload with more behind it", token(text + "{}")
        yield "deep payload", token('{"a":' * 100 + "1" + "}" * 100)
        yield "empty", ""
        yield "a dot", "."
        yield "two dots", ".."
        yield "a blank inside", good[:40] + " " + good[40:]
        yield "a comma behind", good + ","
        yield "in quotes", f'"{good}"'
        yield "twice", f"{good} {good}"

    def test_each_is_refused_with_the_same_answer(self):
        self.start()
        self.assertEqual(self.get("Bearer " + token(self.claims))[0], 200, "what is forged here would be good")
        answers, count = set(), 0
        for name, value in self.forged():
            status, headers, answer = self.get(f"Bearer {value}")
            self.assertEqual(status, 401, (name, answer))
            self.assertIn("Bearer", headers["WWW-Authenticate"], name)
            error = answer["error"]
            self.assertEqual(set(error), {"code", "message", "request_id"}, name)
            answers.add((error["code"], error["message"], headers["WWW-Authenticate"]))
            count += 1
        self.assertEqual(len(answers), 1, answers)
        self.assertGreater(count, 100)
        print(f"\n{count} forged tokens refused")
        # Each is on record: nobody known, from where, in which request.
        self.get("Bearer " + token(self.claims, secret="x" * 40), **{"X-Request-ID": "forged-1"})
        rows, deadline = [], time.monotonic() + 20
        while not rows and time.monotonic() < deadline:
            rows = self.lab.call("GET", "/admin/audit-logs?request_id=forged-1", token=token(self.claims))[2]["data"]
        self.assertEqual(len(rows), 1)
        self.assertEqual(
            (rows[0]["event_type"]["type"], rows[0]["outcome"]["status"], rows[0]["actor"]["type"]),
            ("authentication", "failure", "anonymous"), rows)
        self.assertTrue(rows[0]["ip_address"])
        # What went wrong is in the log, without the token.
        self.lab.stop()
        logged = json.dumps(self.lab.log)
        self.assertTrue("jwt: signature" in logged)
        self.assertFalse(self.pair["access_token"].split(".")[2] in logged)

    def test_credentials_that_are_none_or_too_many(self):
        self.start()
        access = self.pair["access_token"]
        for value in ("Basic YTpi", "Digest x", "Token " + access, access, "Bearer" + access, "Bearer:" + access, "ApiKey " + access):
            self.assertEqual(self.get(value)[0], 401, value[:12])
        for value in (f"bearer {access}", f"BEARER {access}", f"Bearer   {access}"):
            self.assertEqual(self.get(value)[0], 200, value[:12])
        status, _, answer = self.get(f"Bearer {access}", **{"X-API-Key": "llm-research_" + "x" * 60})
        self.assertEqual((status, answer["error"]["code"]), (400, "BAD_REQUEST"))
        twice = f"Authorization: Bearer {access}\r\nAuthorization: Bearer {access}".encode()
        self.assertEqual(self.raw(twice), 401)
        self.assertEqual(self.raw(f"Authorization: Bearer {access}".encode()), 200)
        self.assertEqual(self.raw(f"Authorization: Bearer {access}\x00".encode()), 400)
        self.assertEqual(self.raw(f"Authorization: Bearer {access[:30]}\r\n {access[30:]}".encode()), 400)
        self.assertIn(self.raw(b"Authorization: Bearer " + b"a" * 16384), (401, 431))
        # Public or not, a credential that is given is a good one.
        self.assertEqual(self.lab.call("GET", "/models/providers")[0], 200)
        self.assertEqual(self.lab.call("GET", "/models/providers", token=access)[0], 200)
        self.assertEqual(self.lab.call("GET", "/models/providers", token=access + "x")[0], 401)

    def test_clocks_may_differ_by_half_a_minute(self):
        self.start()

        def status(offset, member):
            now = int(time.time())
            past = {"iat": now - 1000, "nbf": now - 1000}
            return self.get("Bearer " + token(self.but(**{**past, "exp": now + 600, member: now + offset})))[0]
        for member, offset, wanted in (("exp", -29, 200), ("exp", -31, 401), ("nbf", 29, 200), ("nbf", 31, 401),
                                       ("iat", 29, 200), ("iat", 31, 401)):
            # A second may pass on the way; it does not each time.
            found = {status(offset, member) for _ in range(20)}
            self.assertIn(wanted, found, (member, offset))


class Lives(TokenTest):
    def refresh(self, text):
        return self.lab.call("POST", "/auth/refresh", {"refresh_token": text}, headers=FORWARD)

    def test_a_refresh_token_is_good_once_and_ends_all_when_it_comes_again(self):
        self.start()
        self.assertEqual(self.refresh(self.pair["access_token"])[0], 401, "access as refresh")
        status, headers, second = self.refresh(self.pair["refresh_token"])
        self.assertEqual((status, headers["Cache-Control"]), (200, "no-store"))
        self.assertEqual(self.get("Bearer " + second["access_token"])[0], 200)
        status, headers, answer = self.refresh(self.pair["refresh_token"])
        self.assertEqual(status, 401, answer)
        self.assertIn("WWW-Authenticate", headers)
        for text in (second["access_token"], self.pair["access_token"]):
            self.assertEqual(self.get("Bearer " + text)[0], 401, "the whole family is out")
        self.assertEqual(self.refresh(second["refresh_token"])[0], 401)
        fresh = self.login(self.lab)
        rows, deadline = [], time.monotonic() + 20
        while not rows and time.monotonic() < deadline:
            rows = self.lab.call("GET", "/admin/audit-logs?event_type=security&outcome=denied", token=fresh)[2]["data"]
        self.assertEqual(len(rows), 1, rows)
        self.assertEqual((rows[0]["action"], rows[0]["ip_address"]), ("login_failed", "10.9.8.7"), rows)
        self.assertTrue(rows[0]["request_id"])

    def test_who_logs_out_is_out_and_nobody_else(self):
        self.start()
        other = self.login(self.lab)
        status, _, _ = self.lab.call("POST", "/auth/logout", token=self.pair["access_token"])
        self.assertEqual(status, 204)
        self.assertEqual(self.get("Bearer " + self.pair["access_token"])[0], 401)
        self.assertEqual(self.get("Bearer " + token(self.claims))[0], 401, "the jti, not the text, is revoked")
        self.assertEqual(self.refresh(self.pair["refresh_token"])[0], 401)
        self.assertEqual(self.get("Bearer " + other)[0], 200)

    def test_tokens_of_the_previous_secret_are_good_until_it_goes(self):
        self.start()
        self.assertEqual(self.get("Bearer " + token(self.claims, secret=PREVIOUS))[0], 200)
        self.lab.stop()
        # Rotation: the current one becomes the previous one.
        env = {**self.SETTINGS, "JWT_SECRET": "xC3vB6nM9qW2eR5tY8uI1oP4aS7dF0gH", "JWT_SECRET_PREVIOUS": SECRET}
        self.lab = self.server(**env)
        self.assertEqual(self.get("Bearer " + self.pair["access_token"])[0], 200)
        self.assertEqual(self.get("Bearer " + token(self.claims, secret=PREVIOUS))[0], 401)
        status, _, renewed = self.refresh(self.pair["refresh_token"])
        self.assertEqual(status, 200, renewed)
        head, payload, signature = renewed["access_token"].split(".")
        self.assertEqual(sign(f"{head}.{payload}", env["JWT_SECRET"]), signature, "new ones are signed with the new one")

    def test_a_user_who_is_locked_out_is_out_at_once(self):
        self.start()
        admin = self.pair["access_token"]
        bob = self.user(self.lab, "bob@example.org", "Researcher")
        one = self.lab.call("GET", "/auth/me", token=bob)[2]["id"]
        self.assertEqual(self.lab.call("DELETE", f"/admin/users/{one}", token=admin)[0], 204)
        self.assertEqual(self.get("Bearer " + bob)[0], 401)
        status, _, _ = self.lab.call("PUT", f"/admin/users/{one}", {"is_active": True}, admin)
        self.assertEqual(status, 200)
        self.assertEqual(self.get("Bearer " + bob)[0], 401, "the login stays ended")


@unittest.skipIf(shutil.which("openssl") is None, "openssl is not installed")
class KeyPairs(TokenTest):
    """RS256 and ES256, by configuration alone."""

    def key(self, name, *kind):
        private, public = self.folder / f"{name}.pem", self.folder / f"{name}.pub"
        subprocess.run(["openssl", "genpkey", *kind, "-out", private], check=True, capture_output=True)
        subprocess.run(["openssl", "pkey", "-in", private, "-pubout", "-out", public], check=True, capture_output=True)
        os.chmod(private, 0o600)
        return private, public

    def prove(self, algorithm, *kind):
        private, public = self.key("current", *kind)
        self.start(JWT_ALGORITHM=algorithm, JWT_PRIVATE_KEY_FILE=str(private))
        access = self.pair["access_token"]
        self.assertEqual(json.loads(decode(access.split(".")[0])), {"alg": algorithm, "typ": "JWT"})
        self.assertEqual(self.get("Bearer " + access)[0], 200)
        head, payload, signature = access.split(".")
        # The secret of HS256 is no key here, and the public key is no secret.
        for secret in (SECRET, PREVIOUS, public.read_bytes(), public.read_bytes().strip()):
            for header in ('{"alg":"HS256","typ":"JWT"}', json.dumps({"alg": algorithm, "typ": "JWT"})):
                self.assertEqual(self.get("Bearer " + token(self.claims, header, secret))[0], 401)
        other = {"RS256": "ES256", "ES256": "RS256"}[algorithm]
        for text in (f"{encode(json.dumps({'alg': other, 'typ': 'JWT'}))}.{payload}.{signature}",
                     f"{encode(json.dumps({'alg': 'none', 'typ': 'JWT'}))}.{payload}.", f"{head}.{payload}.",
                     f"{head}.{payload}.{encode(bytes(64))}", f"{head}.{payload}.{encode(bytes(256))}"):
            self.assertEqual(self.get("Bearer " + text)[0], 401)
        self.lab.stop()
        # Rotation, with the old public key for what was signed before.
        fresh, _ = self.key("fresh", *kind)
        self.lab = self.server(**{**self.SETTINGS, "JWT_ALGORITHM": algorithm, "JWT_PRIVATE_KEY_FILE": str(fresh),
                                  "JWT_PUBLIC_KEY_PREVIOUS_FILE": str(public)})
        self.assertEqual(self.get("Bearer " + access)[0], 200)
        self.lab.stop()
        self.lab = self.server(**{**self.SETTINGS, "JWT_ALGORITHM": algorithm, "JWT_PRIVATE_KEY_FILE": str(fresh)})
        self.assertEqual(self.get("Bearer " + access)[0], 401)

    def test_rs256(self):
        self.prove("RS256", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048")

    def test_es256(self):
        self.prove("ES256", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
