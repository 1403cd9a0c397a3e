"""What holds on every route: revisions, absent members, who owns what, times of the audit log, and
words of refusals that say what would be right."""
import threading
import time
import unittest

import test_serve


class Conventions(test_serve.ServeTest):
    def setUp(self):
        super().setUp()
        self.at = self.server(RATE_LIMIT_BURST="10000")
        self.token = self.user(self.at)

    def call(self, method, path, body=None, headers=None, token=None):
        return self.at.call(method, path, body, token or self.token, headers)

    def refused(self, status, field, answer):
        self.assertEqual(answer[0], status, answer[2])
        self.assertIn(field, [detail["field"] for detail in answer[2]["error"]["details"]], answer[2])

    def test_a_tag_that_is_not_the_current_one_does_not_match(self):
        status, headers, made = self.call("POST", "/prompts", {"name": "p", "template": "x"})
        path = f"/prompts/{made['id']}"
        for tag in ('"x"', '"7"', 'W/"7"', '"a", "b"', '""', "7"):
            with self.subTest(tag):
                for method, body in (("PUT", {"description": "d"}), ("DELETE", None)):
                    status, _, answer = self.call(method, path, body, {"If-Match": tag})
                    self.assertEqual((status, answer["error"]["code"]), (412, "PRECONDITION_FAILED"), answer)
        for tag in ("garbage", '"open', '"1" and more', '"1", "2"'):
            with self.subTest(tag):
                self.assertEqual(self.call("PUT", path, {"description": "d"}, {"If-Match": tag})[0], 400)
        for given in ("*", "{}", 'W/{}', '"x", {}'):
            tag = given.format(headers["ETag"])
            status, headers, answer = self.call("PUT", path, {"description": tag}, {"If-Match": tag})
            self.assertEqual((status, answer.get("description")), (200, tag), answer)

    def test_changes_of_several_at_once_all_arrive_and_of_one_revision_one(self):
        status, headers, made = self.call("POST", "/prompts", {"name": "p", "template": "x"})
        path = f"/prompts/{made['id']}"

        def at_once(change, headers=None):
            answers = []
            threads = [
                threading.Thread(target=lambda i=i: answers.append(self.call("PUT", path, change(i), headers)[0])) for i in range(10)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            return sorted(answers)

        self.assertEqual(at_once(lambda i: {"metadata": {"by": i}}), [200] * 10)
        etag = self.call("GET", path)[1]["ETag"]
        self.assertEqual(at_once(lambda i: {"metadata": {"by": i}}, {"If-Match": etag}), [200] + [412] * 9)

    def test_what_has_no_value_may_be_null_and_the_owner_may_be_named(self):
        me = self.call("GET", "/auth/me")[2]["id"]
        body = {"name": "e", "owner_id": me.upper(), "hypothesis": None, "description": None, "tags": None, "config": None}
        status, _, made = self.call("POST", "/experiments", body)
        self.assertEqual((status, made["owner_id"], made["hypothesis"], made["config"]), (201, me, None, {}), made)
        self.refused(422, "name", self.call("POST", "/experiments", {"name": None}))
        status, _, several = self.call("POST", "/prompts", [{"name": "a", "template": "x", "tags": None, "system_prompt": None}])
        self.assertEqual((status, several[0]["tags"]), (201, []), several)
        nobody = "11111111-1111-4111-8111-111111111111"
        self.refused(422, "owner_id", self.call("POST", "/experiments", {"name": "f", "owner_id": nobody}))
        self.refused(422, "owner_id", self.call("PUT", f"/experiments/{made['id']}", {"owner_id": nobody}))
        researcher = self.user(self.at, "bob@example.org", "Researcher")
        his = self.call("GET", "/auth/me", token=researcher)[2]["id"]
        self.refused(422, "owner_id", self.call("POST", "/experiments", {"name": "g", "owner_id": me}, token=researcher))
        status, _, given = self.call("POST", "/experiments", {"name": "h", "owner_id": his, "visibility": "private"})
        self.assertEqual((status, given["owner_id"]), (201, his), given)
        self.assertEqual(self.call("GET", f"/experiments/{given['id']}", token=researcher)[0], 200)

    def test_the_audit_log_is_asked_for_by_time(self):
        self.made(self.at, self.token, "/experiments", {"name": "e"})
        count = lambda query: self.call("GET", f"/admin/audit-logs?limit=1&{query}")[2]["pagination"]["total"]
        deadline = time.monotonic() + 10
        while count("after=2020-01-01T00:00:00Z") < 2:  # it is written beside the requests
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.02)
        self.assertEqual(count("after=2020-01-01T00:00:00Z&before=2020-02-01T00:00:00Z"), 0)
        while True:  # until nothing is written between the two
            status, _, page = self.call("GET", "/admin/audit-logs?limit=1&after=2020-01-01T00:00:00Z")
            status, _, rest = self.call("GET", page["links"]["next"])
            if page["pagination"]["total"] == rest["pagination"]["total"]:
                break
            self.assertLess(time.monotonic(), deadline)
        self.assertEqual((status, "after=" in page["links"]["next"]), (200, True), page["links"])
        self.assertNotEqual(rest["data"][0]["id"], page["data"][0]["id"])
        self.assertEqual(self.call("GET", "/admin/audit-logs/statistics?before=2020-01-01T00:00:00Z")[2]["total"], 0)

    def test_what_is_refused_says_what_would_be_right(self):
        status, _, answer = self.call("GET", "/experiments/")
        self.assertEqual((status, "slash" in answer["error"]["message"]), (404, True), answer)
        status, _, answer = self.call("PATCH", "/experiments", {})
        self.assertEqual((status, "POST, GET" in answer["error"]["message"]), (405, True), answer)
        model = {"name": "m", "provider": "openai", "model_identifier": "x"}
        for config, field in [
            ({"pricing": {"input_per_million": -1}}, "config.pricing.input_per_million"),
            ({"pricing": {"output_per_million": "cheap"}}, "config.pricing.output_per_million"),
            ({"max_context_window": 0}, "config.max_context_window"),
        ]:
            self.refused(422, field, self.call("POST", "/models", {**model, "config": config}))
        config = {"pricing": {"input_per_million": "0.15", "output_per_million": 0.6}, "max_context_window": 8192, "vision": True}
        self.assertEqual(self.call("POST", "/models", {**model, "config": config})[0], 201)
        for name in (" ", "a\nb", "a\u0000b"):
            self.refused(422, "name", self.call("POST", "/experiments", {"name": name}))
        self.refused(422, "config.random_seed", self.call("POST", "/experiments", {"name": "s", "config": {"random_seed": 2**64}}))
        self.assertEqual(self.call("POST", "/experiments", {"name": "s", "config": {"random_seed": 2**63}})[2]["config"]["random_seed"], 2**63)


if __name__ == "__main__":
    unittest.main()
