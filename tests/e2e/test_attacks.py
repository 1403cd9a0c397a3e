"""What people try who should not: URLs that lead inside, paths that lead out, text that is taken for
SQL, formulas, markup or log lines. Each gets its documented answer, and nothing else happens."""
import csv
import http.client
import io
import json
import re
import unittest
import urllib.parse

import mock_llm
import support
import test_credentials
import test_serve

ANY_ID = "00000000-0000-4000-8000-000000000000"


def ssrf_forms():
    lines = (support.ROOT / "tests/data/ssrf_forms.txt").read_text(encoding="utf-8").splitlines()
    return [(json.loads(form), words) for form, words in (line.rsplit("\t", 1) for line in lines if not line.startswith("#"))]


class Attack(test_credentials.Outbound):
    def raw(self, server, method, target, headers=(), body=None, token=None):
        """A request whose target is sent as it stands: (status, headers, text)."""
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        connection.putrequest(method, target, skip_host=False, skip_accept_encoding=True)
        for name, value in headers:
            connection.putheader(name, value)
        if token:
            connection.putheader("Authorization", f"Bearer {token}")
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        text = answer.read().decode("utf-8", "replace")
        connection.close()
        return answer.status, answer.headers, text

    def log_is_whole(self, server):
        """Every line of the log was one JSON object: else its reader would have ended."""
        self.assertTrue(server.reader.is_alive())
        self.assertEqual(server.call("GET", "/health")[0], 200)


class WaysIn(Attack):
    def test_no_form_of_the_corpus_is_saved(self):
        server, token, _ = self.lab(PROVIDER_ALLOWED_HOSTS="models.example.net:8443")
        good = self.made(server, token, "/models", {"name": "good", "provider": "custom", "model_identifier": "m", "config": {"base_url": "https://models.example.net:8443/v1"}})
        forms = ssrf_forms()
        self.assertGreaterEqual(len(forms), 60)
        for number, (form, words) in enumerate(forms):
            body = {"name": f"m{number}", "provider": "custom", "model_identifier": "m", "config": {"base_url": form}}
            for method, path in (("POST", "/models"), ("PUT", f"/models/{good['id']}")):
                status, _, refused = server.call(method, path, body, token)
                self.assertEqual(status, 422, (form, refused))
                problems = {d["field"]: d["message"] for d in refused["error"]["details"]}
                self.assertIn(words, problems.get("config.base_url", ""), (form, problems))
        self.assertEqual(server.call("GET", "/models", token=token)[2]["pagination"]["total"], 1)

    def test_a_redirect_inside_is_not_followed(self):
        with mock_llm.MockLLM() as inside:
            redirect = mock_llm.Status(302, "elsewhere", headers=[("Location", f"http://127.0.0.1:{inside.port}/v1/chat/completions")])
            with mock_llm.MockLLM(script=lambda request: redirect) as outside:
                server, token, dataset = self.lab(PROVIDER_ALLOWED_HOSTS=f"127.0.0.1:{outside.port}")
                done = self.run_model(server, token, dataset, {"base_url": outside.base_url})
                self.assertEqual(done["totals"]["failed_samples"], 3, done)
            self.assertEqual((inside.connections, len(outside.requests)), (0, 3))

    def test_proxies_of_the_environment_are_not_asked(self):
        with mock_llm.MockLLM() as own, mock_llm.MockLLM() as proxy:
            address = f"http://127.0.0.1:{proxy.port}"
            server, token, dataset = self.lab(PROVIDER_ALLOWED_HOSTS="127.0.0.1", http_proxy=address, HTTP_PROXY=address, ALL_PROXY=address, https_proxy=address)
            self.assertEqual(self.run_model(server, token, dataset, {"base_url": own.base_url})["status"], "completed")
            self.assertEqual((len(own.requests), proxy.connections), (3, 0))


class WaysOut(Attack):
    CANARY = "canary-of-a-file-7f3a91"
    SEGMENTS = [
        "..", "../..", "..%2f..", "%2e%2e", "%2e%2e%2f%2e%2e%2fsecret.txt", "%252e%252e%252fsecret.txt", "..%5c..%5csecret.txt",
        "..\\secret.txt", "//proc/self/environ", "%2fproc%2fself%2fenviron", "/etc/passwd", "file:%2f%2f%2fetc%2fpasswd",
        "%00", "x%00.json", "%c0%ae%c0%ae%c0%af", "%e0%80%ae", "%uff0e%uff0e", "....//....//", "..;/", ".%00./", "%23", "%3f",
        "%0d%0aX-Evil:%201", "~root", "$HOME", "%25", "%ff%fe", "con", "a" * 300,
    ]

    def check_files(self, server, before):
        after = {path for path in self.folder.rglob("*") if "home" not in path.parts}
        self.assertEqual(after, before)

    def test_paths_lead_nowhere(self):
        server, token, dataset = self.lab()
        (self.folder / "secret.txt").write_text(self.CANARY)
        before = {path for path in self.folder.rglob("*") if "home" not in path.parts}
        for segment in self.SEGMENTS:
            for path in (f"/models/{segment}", f"/datasets/{segment}/download", f"/experiments/{ANY_ID}/runs/{segment}", f"/datasets/{segment}/content?token=x",
                         f"/prompts/{segment}", f"/admin/users/{segment}", f"/admin/credentials/{segment}", f"/{segment}", f"/v1/{segment}"):
                status, headers, text = self.raw(server, "GET", path, token=token)
                self.assertIn(status, (400, 401, 403, 404, 405), (path, status, text))
                self.assertNotIn(self.CANARY, text)
                self.assertNotIn("root:", text)
                self.assertIsNone(headers.get("X-Evil"))
        self.check_files(server, before)
        self.log_is_whole(server)

    def test_names_of_files_are_words_and_not_paths(self):
        server, token, dataset = self.lab()
        secret = self.folder / "secret.txt"
        secret.write_text(json.dumps({"id": "1", "answer": self.CANARY}) + "\n")
        before = {path for path in self.folder.rglob("*") if "home" not in path.parts}
        for path in ("../x", "a/../../x", "/etc/passwd", "//proc/self/environ", "a//b", "..\\x", "a\\..\\x", "file:///etc/passwd", "a#b", "a?b", "%2e%2e/x",
                     "a\u0000b", "a\u2215..\u2215b", ".", "..", "-rf", "a b", "", "a/" * 600):
            status, _, refused = server.call("POST", "/datasets", {"name": f"d {len(path)}", "s3_path": path}, token)
            self.assertEqual(status, 422, (path, refused))
        names = ("../../../tmp/x.jsonl", "/etc/cron.d/x.jsonl", "..\\x.jsonl", "x\u0000.jsonl", "file:///x.jsonl", "=1+1.jsonl", "<b>.jsonl", "a\r\nSet-Cookie: x.jsonl")
        for number, name in enumerate(names):
            status, _, link = server.call("POST", f"/datasets/{dataset}/upload", {"filename": name}, token)
            self.assertEqual(status, 200, link)
            self.assertEqual(link["s3_path"], f"datasets/{dataset}/2/data.jsonl" if number == 0 else link["s3_path"])
            self.assertNotIn("..", urllib.parse.urlsplit(link["upload_url"]).path)
        for label in ("../1", "a/b", "1 OR 1=1", "%2e%2e"):
            status = self.raw(server, "GET", f"/datasets/{dataset}/download?version={urllib.parse.quote(label, safe='')}", token=token)[0]
            self.assertEqual(status, 404, label)
        self.check_files(server, before)

    def test_an_experiment_reads_no_file_of_the_machine(self):
        server, token, dataset = self.lab(PROVIDER_ALLOWED_HOSTS="127.0.0.1")
        secret = self.folder / "secret.jsonl"
        secret.write_text(json.dumps({"id": "q0", "output": self.CANARY, "answer": self.CANARY}) + "\n")
        for name, config in (("a", {"replay_dataset": str(secret)}), ("b", {"replay_dataset": "../../secret.jsonl"}), ("c", {"replay": {"path": str(secret)}, "base_url": "http://127.0.0.1:1/v1"})):
            model = self.made(server, token, "/models", {"name": name, "provider": "custom", "model_identifier": "m", "config": config})["id"]
            base = {"model_ids": [model], "dataset_ids": [dataset], "scorers": [{"type": "exact_match", "reference": "{{answer}}"}], "resources": {"max_retries": 0}}
            if name == "c":
                base["prompt_template_ids"] = [self.prompt(server, token, name)]
            for more in ({}, {"dataset": {"path": str(secret)}}, {"dataset": {"ref": "../../secret.jsonl"}}, {"dataset": {"path": "file://" + str(secret)}}):
                made = self.made(server, token, "/experiments", {"name": f"e {name} {more}"[:200], "config": {**base, **more}})
                status, _, answer = server.call("POST", f"/experiments/{made['id']}/start", token=token)
                self.assertNotIn(self.CANARY, json.dumps(answer))
                if name != "c" or "path" in json.dumps(more):
                    self.assertEqual(status, 422, (config, more, answer))
        for scorer in ({"type": "json_schema", "schema": {"$ref": f"file://{secret}"}}, {"type": "json_schema", "schema": str(secret)}, {"type": "../../x", "reference": "x"}):
            made = self.made(server, token, "/experiments", {"name": f"s {scorer}"[:200], "config": {**base, "scorers": [scorer]}})
            status, _, answer = server.call("POST", f"/experiments/{made['id']}/start", token=token)
            self.assertEqual(status, 422, answer)
            self.assertNotIn(self.CANARY, json.dumps(answer))


class Injections(Attack):
    SQL = ["' OR '1'='1", "'; DROP TABLE users; --", "1) UNION SELECT password_hash FROM users --", "\" OR \"\"=\"", "%' OR 1=1 --", "\\'; --", "a'||(SELECT 1)||'", "$1", "'/**/OR/**/1=1", "\u02bc OR 1=1", "x\u0000' OR 1=1", "_%_%"]

    def test_text_is_never_sql(self):
        server, token, dataset = self.lab()
        for number, text in enumerate(self.SQL):
            quoted = urllib.parse.quote(text, safe="")
            for path in ("/models", "/datasets", "/prompts", "/experiments", "/admin/users", "/admin/api-keys", "/admin/audit-logs", "/admin/credentials"):
                for name in ("sort", "cursor", "after", "limit", "offset", "page", "fields", "q", "search", "tags", "provider", "name", "format", "status", "owner_id", "action", quoted):
                    status, _, answer = self.raw(server, "GET", f"{path}?{name}={quoted}", token=token)
                    self.assertIn(status, (200, 400, 422), (path, name, text, answer))
                    if name in ("name", "q", "search", "tags", "provider", "format", "owner_id") and status == 200 and path != "/admin/audit-logs":
                        self.assertEqual(json.loads(answer)["data"], [], (path, name, text))
            for header in ({"X-API-Key": text}, {"X-API-Key": f"llm-research_{text}"}, {"Authorization": f"ApiKey {text}"}, {"X-Admin-Key": text}):
                if all(0x20 <= ord(c) < 0x7f for c in text):
                    self.assertEqual(server.call("GET", "/admin/credentials", headers=header)[0], 401, header)
            status, _, made = server.call("POST", "/prompts", {"name": text, "template": text, "description": text}, token)
            self.assertIn(status, (201, 422), made)
            if status == 201:
                found = server.call("GET", f"/prompts/{made['id']}", token=token)[2]
                self.assertEqual((found["name"], found["template"]), (text, text))
            for email in (text, f"{text}@example.org"):
                self.assertIn(server.call("POST", "/auth/token", {"email": email, "password": text})[0], (401, 422, 429))
        self.assertEqual(server.call("GET", "/admin/users", token=token)[2]["pagination"]["total"], 1)
        self.assertEqual(server.call("GET", f"/datasets/{dataset}", token=token)[2]["row_count"], 3)

    def test_templates_substitute_once_and_compute_nothing(self):
        server, token, _ = self.lab()
        made = self.made(server, token, "/prompts", {"name": "p", "template": "a {{x}} b {{y}}"})
        for value in ("{{7*7}}", "{{y}}", "{{x}}", "${7*7}", "{% for i in x %}", "<%= 7*7 %>", "#{7*7}", "{{config}}", "{{''.__class__}}", "{{" * 500, "\\{{y}}", "$1 $& \\1"):
            status, _, done = server.call("POST", f"/prompts/{made['id']}/render", {"variables": {"x": value, "y": "Y"}}, token)
            self.assertEqual((status, done.get("rendered")), (200, f"a {value} b Y"), done)
        for template in ("{{7*7}}", "{{x.__class__}}", "{{x|upper}}", "{{#each x}}", "{{> file}}", "{{{x}}}"):
            status, _, answer = server.call("POST", "/prompts", {"name": template, "template": template}, token)
            if status == 201:
                done = server.call("POST", f"/prompts/{answer['id']}/render", {"variables": {"x": "X"}}, token)[2]
                self.assertNotIn("49", json.dumps(done.get("rendered", "")))
            else:
                self.assertEqual(status, 422, answer)

    def test_outputs_are_neither_formulas_nor_markup_where_they_are_exported(self):
        formulas = ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1+1", "\r=1+1", "=cmd|' /C calc'!A0"]
        markup = ["<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "\"><svg onload=alert(1)>", "</script><script>alert(2)</script>", "javascript:alert(1)", "<!--", "]]>", "{{7*7}}"]
        values = formulas + markup
        server, token, _ = self.lab()
        upload = test_credentials.experiments(self)
        rows = [{"id": value, "question": value, "answer": "right"} for value in values]
        dataset = upload(server, token, "hostile rows", rows)
        recorded = upload(server, token, "hostile outputs", [{"id": value, "output": value} for value in values])
        models = [self.made(server, token, "/models", {"name": name, "provider": "custom", "model_identifier": name, "config": {"replay_dataset": recorded}})["id"]
                  for name in ("=1+1", "<script>alert(3)</script>")]
        made = self.made(server, token, "/experiments", {
            "name": "<script>alert(4)</script>", "description": "=HYPERLINK(\"http://evil\")",
            "config": {"model_ids": models, "dataset_ids": [dataset], "scorers": [{"type": "exact_match", "reference": "{{answer}}"}]}})
        done = self.start(server, token, made["id"])
        self.assertEqual(done["status"], "completed", done)
        path = f"/experiments/{made['id']}/runs/{done['id']}/report"
        page = server.call("GET", f"{path}?format=html", token=token)[2]
        self.assertEqual(re.findall(r"<script>alert|<img src=x|<svg onload", page), [])
        self.assertIn("&lt;script&gt;alert", page)
        text = server.call("GET", f"{path}?format=csv", token=token)[2]
        cells = [cell for row in csv.reader(io.StringIO(text, newline="")) for cell in row]
        number = re.compile(r"^-?[0-9.]+(e[-+]?[0-9]+)?$")
        self.assertEqual([c for c in cells if c[:1] in tuple("=+-@\t\r") and c and not number.match(c)], [])
        self.assertTrue([c for c in cells if c.startswith("'=1+1")], cells[:40])
        for kind in ("junit", "md", "json"):
            self.assertEqual(server.call("GET", f"{path}?format={kind}", token=token)[0], 200)

    def test_headers_and_log_lines_cannot_be_split(self):
        server, token, _ = self.lab()
        for text in ("%0d%0aSet-Cookie:%20evil=1", "%0aSet-Cookie:%20evil=1", "%e5%98%8a%e5%98%8dSet-Cookie:%20evil=1", "%0d%0a%0d%0a<html>"):
            for target in (f"/models/{text}", f"/models?name={text}", f"/{text}", f"/models?{text}=1"):
                status, headers, body = self.raw(server, "GET", target, token=token)
                self.assertLess(status, 500, (target, body))
                self.assertIsNone(headers.get("Set-Cookie"), target)
        for given in ("a b", "a\tb", "x" * 129, "\u00e9", ""):
            headers = self.raw(server, "GET", "/health", headers=[("X-Request-ID", given.encode("utf-8"))])[1]
            self.assertNotEqual(headers["X-Request-ID"], given)
        forged = "x\n{\"level\":\"ERROR\",\"message\":\"forged\"}\r\n\u2028\u001b[31m"
        self.assertEqual(server.call("POST", "/prompts", {"name": forged, "template": "t"}, token)[0] // 100 in (2, 4), True)
        server.call("POST", "/auth/token", {"email": forged, "password": forged})
        server.call("GET", f"/models?{urllib.parse.quote(forged)}=1", token=token)
        self.raw(server, "GET", "/health", headers=[("User-Agent", "{\"level\":\"ERROR\"}"), ("X-Request-ID", "{\"message\":\"forged\"}")])
        self.log_is_whole(server)
        self.assertEqual([line for line in server.log if line["message"] == "forged"], [])


if __name__ == "__main__":
    unittest.main()
