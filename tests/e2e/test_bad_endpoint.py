"""Endpoints that misbehave: each run ends with a clear message, what was answered is kept, and the
store is intact (checked after every test)."""
import unittest

import mock_llm
import support

ROWS = 20


class BadEndpoint(support.LabTest):
    def go(self, script, *, rows=ROWS, stream=True, timeout="1s", attempts=2, error_share=1, **run):
        """Runs against an endpoint with this script; gives how it ended and the report."""
        self.rows(rows)
        endpoint = self.endpoint(script=script)
        value = support.spec(
            endpoint.base_url, stream=stream,
            run={
                "concurrency": 4, "timeout": timeout, "max_error_share": error_share,
                "retry": {"max_attempts": attempts, "initial": "5ms", "maximum": "20ms", "budget_share": 1}, **run,
            },
        )
        done = self.home.run("run", self.write_spec(value), "--save", self.folder / "page.html")
        return endpoint, done, self.home.report()

    @staticmethod
    def one(fault, number=3, every_attempt=True):
        """A script that meets one row with this fault."""
        return lambda r: fault if r.number == number and (every_attempt or r.attempt == 0) else None

    def missing_one(self, done, report, *words):
        """One row is missing with a reason, the others are there and scored."""
        self.assert_code(done, support.PASSED)
        self.assertEqual((report.total("done"), report.total("missing")), (ROWS - 1, 1))
        outputs = report.outputs()
        self.assertEqual(sum(1 for text in outputs.values() if text is None), 1)
        for word in words:
            self.assertIn(word.lower(), str(report.value["errors"]).lower())

    def test_a_hanging_endpoint_ends_with_a_timeout(self):
        _, done, report = self.go(self.one(mock_llm.Hang()), timeout="300ms")
        self.missing_one(done, report, "UPSTREAM_TIMEOUT")

    def test_a_stream_that_stops_midway_ends_with_a_timeout(self):
        _, done, report = self.go(self.one(mock_llm.HangMidStream()), timeout="300ms")
        self.missing_one(done, report, "UPSTREAM_TIMEOUT")

    def test_a_page_of_html_is_no_answer(self):
        for stream in (True, False):
            with self.subTest(stream=stream):
                _, done, report = self.go(self.one(mock_llm.Html()), stream=stream)
                self.missing_one(done, report, "html")

    def test_an_endpoint_that_only_sends_html_fails_the_run_and_says_why(self):
        _, done, report = self.go(lambda r: mock_llm.Html(), error_share=0.05)
        self.assert_code(done, support.OTHER)
        self.assert_says(done, "failed", "resume")
        self.assertEqual(report.total("done"), 0)
        self.assertIn("html", (done.out + done.err).lower())

    def test_an_answer_that_breaks_off_is_asked_for_again(self):
        for stream in (True, False):
            for fault in (mock_llm.CloseMidStream(), mock_llm.CloseAtOnce()):
                with self.subTest(stream=stream, fault=type(fault).__name__):
                    endpoint, done, report = self.go(self.one(fault, every_attempt=False), stream=stream)
                    self.assert_code(done, support.PASSED)
                    self.assertEqual((report.total("done"), report.total("retries")), (ROWS, 1))
                    self.assertEqual(len(endpoint.requests), ROWS + 1)

    def test_an_answer_that_always_breaks_off_is_missing_not_cut(self):
        _, done, report = self.go(self.one(mock_llm.CloseMidStream()))
        self.missing_one(done, report, "UPSTREAM")

    def test_answers_that_break_off_and_are_billed_stay_within_the_budget(self):
        budget = "0.0004"
        endpoint, done, report = self.go(
            lambda r: mock_llm.CloseMidStream() if r.number % 4 == 3 and r.attempt < 2 else None,
            attempts=5, rows=100, budget={"max_cost_usd": budget},
        )
        bill = support.bill_usd(endpoint.billed_tokens())
        self.assertLessEqual(bill, support.Decimal(budget), str(done))
        self.assertLessEqual(report.cost(), support.Decimal(budget))

    def test_wrong_usage_is_never_taken_for_a_price(self):
        wrong = [
            {"prompt_tokens": -5, "completion_tokens": -1, "total_tokens": -6},
            {"prompt_tokens": "many", "completion_tokens": None},
            {"prompt_tokens": 9e30, "completion_tokens": 9e30},
            {"prompt_tokens": 9_223_372_036_854_775_807, "completion_tokens": 9_223_372_036_854_775_807},
            {"prompt_tokens": 4, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 400}},
            [1, 2], "none", {}, None,
        ]
        for stream in (True, False):
            with self.subTest(stream=stream):
                _, done, report = self.go(lambda r: mock_llm.WrongUsage(wrong[r.number % len(wrong)]), stream=stream)
                self.assert_code(done, support.PASSED)
                self.assertEqual(report.total("done"), ROWS)
                self.assertEqual(report.mean(), support.correct_of(ROWS) / ROWS)
                self.assertGreaterEqual(report.cost(), 0)
                # Twenty short answers cost less than a cent, whatever was claimed.
                self.assertLess(report.cost(), support.Decimal("0.01"))

    def test_a_token_of_ten_megabytes_is_kept_or_refused_with_a_word(self):
        for stream in (True, False):
            with self.subTest(stream=stream):
                _, done, report = self.go(self.one(mock_llm.Long(10 << 20)), stream=stream, timeout="30s")
                self.assert_code(done, support.PASSED)
                outputs = report.outputs().values()
                if report.total("missing"):
                    self.missing_one(done, report, "more than a model can write")
                else:
                    self.assertEqual(max(len(text) for text in outputs), 10 << 20)

    def test_an_endless_answer_is_cut_off(self):
        _, done, report = self.go(self.one(mock_llm.Long(80 << 20)), stream=False, timeout="30s")
        self.missing_one(done, report, "more than a model can write")

    def test_bytes_that_are_not_http_are_no_answer(self):
        _, done, report = self.go(self.one(mock_llm.Raw(b"\x16\x03\x01\x02\x00garbage\r\n\r\n")))
        self.missing_one(done, report, "UPSTREAM")

    def test_json_that_is_no_answer_is_no_answer(self):
        for body in (b"{}", b"null", b'{"choices":[]}', b"[" * 100_000, b'{"choices'):
            with self.subTest(body=body[:30]):
                data = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
                _, done, report = self.go(self.one(mock_llm.Raw(data + body)), stream=False)
                self.missing_one(done, report)

    def test_a_storm_of_429_is_waited_out(self):
        refusals = mock_llm.Status(429, headers=[("Retry-After", "0")])
        endpoint, done, report = self.go(lambda r: refusals if r.attempt < 3 else None, attempts=6)
        self.assert_code(done, support.PASSED)
        self.assertEqual(report.total("done"), ROWS)
        self.assertEqual(report.total("retries"), len(endpoint.requests) - ROWS)
        self.assertEqual(report.total("calls"), len(endpoint.requests))

    def test_a_wrong_key_is_not_tried_again_and_never_shown(self):
        secret = "sk-this-must-not-be-seen-0123456789"
        self.rows(ROWS)
        endpoint = self.endpoint(script=lambda r: mock_llm.Status(401, f"Incorrect API key provided: {secret}"))
        value = support.spec(endpoint.base_url, model={"api_key_env": "E2E_KEY"})
        done = self.home.run("run", self.write_spec(value), "--save", self.folder / "r.html", "-v", env={"E2E_KEY": secret})
        self.assert_code(done, support.OTHER)
        self.assert_says(done, "401")
        self.assertEqual(endpoint.requests[0].headers["authorization"], f"Bearer {secret}")
        self.assertEqual(len(endpoint.requests), len(endpoint.distinct))
        self.assertNotIn(secret, done.out + done.err)
        for path in self.folder.rglob("*"):
            if path.is_file():
                self.assertNotIn(secret.encode(), path.read_bytes(), str(path))

    def test_a_start_that_breaks_off_is_tried_again(self):
        for fault in (mock_llm.CloseMidStream(), mock_llm.CloseAtOnce()):
            with self.subTest(fault=type(fault).__name__):
                endpoint, done, report = self.go(lambda r, f=fault: f if r.attempt == 0 else None, rows=4)
                self.assert_code(done, support.PASSED)
                self.assertEqual(report.total("done"), 4)
                self.assertEqual(len(endpoint.requests), 8)

    def test_a_server_that_charges_too_much_is_left_with_what_is_in_flight(self):
        budget = "0.05"
        self.rows(100)
        endpoint = self.endpoint(usage=lambda prompt, answer: (10, 50_000))
        value = support.spec(endpoint.base_url, run={"concurrency": 4, "budget": {"max_cost_usd": budget}})
        done = self.home.run("run", self.write_spec(value))
        self.assert_code(done, support.OTHER)
        bill = support.bill_usd(endpoint.billed_tokens())
        self.assertGreater(bill, support.Decimal(budget))
        one = bill / len(endpoint.requests)
        self.assertLess(bill - 4 * one, support.Decimal(budget), "sent when the budget was gone already")
        words = " ".join(self.home.report().value["warnings"])
        self.assertIn(f"${bill.normalize():f}, more than the budget of ${budget}", words)
        asked = len(endpoint.requests)
        self.assert_code(self.home.run("resume", "last"), support.OTHER)
        self.assertEqual(len(endpoint.requests), asked)

    def test_a_model_that_is_gone_does_not_stop_the_other(self):
        self.rows(ROWS)
        endpoint = self.endpoint()
        with mock_llm.MockLLM() as gone:
            url = gone.base_url
        value = support.spec(endpoint.base_url)
        value["models"].append({**value["models"][0], "id": "gone", "base_url": url})
        done = self.home.run("run", self.write_spec(value))
        self.assert_code(done, support.OTHER)
        self.assert_says(done, "model gone does not answer", "resume")
        self.assertEqual(len(endpoint.requests), ROWS)
        report = self.home.report()
        self.assertEqual((report.total("done"), report.total("missing")), (ROWS, ROWS))

    def test_a_pause_is_explained_while_it_lasts(self):
        refusals = mock_llm.Status(429, headers=[("Retry-After", "2")])
        self.rows(4)
        endpoint = self.endpoint(script=lambda r: refusals if r.attempt == 0 else None)
        done = self.home.run("run", self.write_spec(support.spec(endpoint.base_url)))
        self.assert_code(done, support.PASSED)
        self.assertRegex(done.err, "mock: rate limited by the server, next call in [23] s")

    def test_nobody_listening_is_said_and_can_be_resumed(self):
        self.rows(ROWS)
        with mock_llm.MockLLM() as gone:
            url = gone.base_url
        value = support.spec(url, run={"retry": {"max_attempts": 2, "initial": "5ms", "maximum": "10ms"}})
        done = self.home.run("run", self.write_spec(value))
        self.assert_code(done, support.OTHER)
        self.assert_says(done, "resume")
        self.assertEqual(self.home.report().total("done"), 0)


if __name__ == "__main__":
    unittest.main()
