"""The helpers are held to what they promise, without the program."""
import http.client
import json
import unittest

import mock_llm
import support


def ask(endpoint, prompt, stream=False, path="/v1/chat/completions"):
    connection = http.client.HTTPConnection("127.0.0.1", endpoint.port, timeout=10)
    body = {"model": "m", "stream": stream, "stream_options": {"include_usage": True}}
    if "chat" in path:
        body["messages"] = [{"role": "user", "content": prompt}]
    else:
        body["prompt"] = prompt
    connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
    response = connection.getresponse()
    try:
        return response.status, response.headers, response.read().decode()
    finally:
        connection.close()


def events(text):
    return [json.loads(line[6:]) for line in text.split("\n") if line.startswith("data: {")]


class Endpoint(unittest.TestCase):
    def test_answers_bills_and_counts(self):
        with mock_llm.MockLLM() as endpoint:
            for _ in range(2):
                status, _, text = ask(endpoint, "q")
                answer = json.loads(text)
                self.assertEqual(status, 200)
                self.assertEqual(answer["choices"][0]["message"]["content"], mock_llm.default_answer("q"))
            self.assertEqual(len(endpoint.requests), 2)
            self.assertEqual(len(endpoint.distinct), 1)
            self.assertEqual(endpoint.billed_tokens(), tuple(2 * n for n in mock_llm.default_usage("q", mock_llm.default_answer("q"))))

    def test_stream_adds_up_to_the_answer_and_ends_with_usage(self):
        with mock_llm.MockLLM() as endpoint:
            for path, of in (("/v1/chat/completions", lambda c: c["delta"].get("content", "")),
                             ("/v1/completions", lambda c: c["text"])):
                _, headers, text = ask(endpoint, "q", stream=True, path=path)
                self.assertEqual(headers["Content-Type"], "text/event-stream")
                pieces = events(text)
                self.assertEqual("".join(of(p["choices"][0]) for p in pieces if p["choices"]), mock_llm.default_answer("q"))
                self.assertIn("usage", pieces[-1])
                self.assertTrue(text.endswith("data: [DONE]\n\n"))

    def test_faults_are_what_they_say(self):
        faults = [mock_llm.Status(429, headers=[("Retry-After", "1")]), mock_llm.Html(), mock_llm.CloseMidStream(),
                  mock_llm.CloseAtOnce(), mock_llm.WrongUsage({"prompt_tokens": -1}), mock_llm.Long(1000)]
        with mock_llm.MockLLM(script=lambda r: faults[r.number]) as endpoint:
            status, headers, _ = ask(endpoint, "0")
            self.assertEqual((status, headers["Retry-After"]), (429, "1"))
            self.assertIn("<html>", ask(endpoint, "1")[2])
            with self.assertRaises(http.client.IncompleteRead):
                ask(endpoint, "2", stream=True)
            with self.assertRaises(http.client.RemoteDisconnected):
                ask(endpoint, "3")
            self.assertEqual(json.loads(ask(endpoint, "4")[2])["usage"], {"prompt_tokens": -1})
            self.assertEqual(len(json.loads(ask(endpoint, "5")[2])["choices"][0]["message"]["content"]), 1000)
            self.assertEqual(endpoint.faults(), 6)
            self.assertEqual([r.billed != (0, 0) for r in endpoint.requests], [False, False, True, False, True, True])


    def test_a_prompt_keeps_its_number_when_it_is_asked_again(self):
        script = lambda r: mock_llm.Status(500) if r.number == 1 and r.attempt < 2 else None
        with mock_llm.MockLLM(script=script) as endpoint:
            said = [ask(endpoint, prompt)[0] for prompt in ("a", "b", "c", "b", "b", "a")]
            self.assertEqual(said, [200, 500, 200, 500, 200, 200])
            self.assertEqual([(r.number, r.attempt) for r in endpoint.requests],
                             [(0, 0), (1, 0), (2, 0), (1, 1), (1, 2), (0, 1)])


class Reading(unittest.TestCase):
    def test_member_bytes_are_those_of_the_text(self):
        text = '{ "a" : [1, {"results": 2}],\n "results": {"x": 1.50,  "y": "\u00e9\\n"} , "z":null}'
        self.assertEqual(support.member_bytes(text.encode(), "results"), '{"x": 1.50,  "y": "\u00e9\\n"}'.encode())
        self.assertEqual(support.member_bytes(text.encode(), "z"), b"null")
        with self.assertRaises(KeyError):
            support.member_bytes(text.encode(), "x")

    def test_bill_is_exact(self):
        self.assertEqual(str(support.bill_usd((1, 1))), "7.5E-7")


if __name__ == "__main__":
    unittest.main()
