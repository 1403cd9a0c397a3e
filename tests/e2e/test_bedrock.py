"""Amazon Bedrock: a run over a server that speaks Converse and ConverseStream, with signed requests and binary
streams. The server writes its frames itself; Amazon's own library (where tools/moto.py has put it) reads them, and
computes the signatures anew."""
import http.server
import importlib.util
import json
import pathlib
import struct
import subprocess
import threading
import unittest
import urllib.parse
import zlib

import mock_llm
import support
import test_serve

TOOL = pathlib.Path(__file__).resolve().parents[2] / "tools" / "moto.py"
SPEC = importlib.util.spec_from_file_location("lab_moto", TOOL)
moto_tool = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(moto_tool)

MODEL = "anthropic.claude-3-5-sonnet-20241022-v2:0"
KEYS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        "AWS_SESSION_TOKEN": "a//session+token==", "AWS_REGION": "eu-west-1"}

CHECK = """
import json, sys
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.eventstream import EventStreamBuffer
given = json.load(sys.stdin)
keys = given["keys"]
credentials = Credentials(keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"], keys["AWS_SESSION_TOKEN"])
for one in given["requests"]:
    signed = one["headers"]["authorization"].split("SignedHeaders=")[1].split(",")[0].split(";")
    request = AWSRequest(method="POST", url=one["url"], data=one["body"].encode(),
                         headers={name: one["headers"][name] for name in signed if name in one["headers"]})
    request.context["timestamp"] = one["headers"]["x-amz-date"]
    auth = SigV4Auth(credentials, "bedrock", "eu-west-1")
    text = auth.string_to_sign(request, auth.canonical_request(request))
    assert "Signature=" + auth.signature(text, request) in one["headers"]["authorization"], one["url"]
events = EventStreamBuffer()
events.add_data(bytes.fromhex(given["stream"]))
print(json.dumps([[e.headers.get(":event-type"), json.loads(e.payload)] for e in events]))
"""


def frame(kind, payload, message_type="event"):
    """A message of vnd.amazon.eventstream."""
    headers = b""
    type_name = ":exception-type" if message_type == "exception" else ":event-type"
    for name, value in ((type_name, kind), (":content-type", "application/json"), (":message-type", message_type)):
        headers += bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()
    body = json.dumps(payload).encode()
    begin = struct.pack(">II", 16 + len(headers) + len(body), len(headers))
    begin += struct.pack(">I", zlib.crc32(begin))
    whole = begin + headers + body
    return whole + struct.pack(">I", zlib.crc32(whole))


def frames(text):
    words = text.split(" ")
    out = frame("messageStart", {"role": "assistant"})
    for i, word in enumerate(words):
        piece = word if i == 0 else " " + word
        out += frame("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": piece}, "p": "abc"})
    out += frame("contentBlockStop", {"contentBlockIndex": 0})
    out += frame("messageStop", {"stopReason": "end_turn"})
    return out + frame("metadata", {"usage": {"inputTokens": 10, "outputTokens": len(words), "totalTokens": 10},
                                    "metrics": {"latencyMs": 3}})


class Bedrock(http.server.ThreadingHTTPServer):
    """Answers each prompt as mock_llm does; `faults`: number of a request -> what to send instead."""
    daemon_threads = True

    def __init__(self, faults=None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.faults, self.seen, self.lock = faults or {}, [], threading.Lock()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        with self.server.lock:
            number = len(self.server.seen)
            headers = {name.lower(): value for name, value in self.headers.items()}
            self.server.seen.append({"url": self.server.url + self.path, "headers": headers, "body": body})
        asked = json.loads(body)
        text = mock_llm.default_answer(asked["messages"][-1]["content"][0]["text"])
        fault = self.server.faults.get(number)
        if fault == "throttled":
            return self.say(429, b'{"message":"Too many requests"}', error="ThrottlingException:http://internal/")
        if fault == "expired":
            return self.say(403, b'{"message":"The security token is expired"}', error="ExpiredTokenException")
        if fault == "broken":
            stream = frame("messageStart", {"role": "assistant"}) + frame(
                "modelStreamErrorException", {"message": "oh"}, "exception")
            return self.say(200, stream, "application/vnd.amazon.eventstream")
        if fault == "damaged":
            return self.say(200, frames(text).replace(b"answer", b"Answer"), "application/vnd.amazon.eventstream")
        if self.path.endswith("/converse-stream"):
            return self.say(200, frames(text), "application/vnd.amazon.eventstream")
        answer = {"output": {"message": {"role": "assistant", "content": [{"text": text}]}}, "stopReason": "end_turn",
                  "usage": {"inputTokens": 10, "outputTokens": 4, "totalTokens": 14}, "metrics": {"latencyMs": 1}}
        return self.say(200, json.dumps(answer).encode())

    def say(self, status, body, kind="application/json", error=None):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("x-amzn-RequestId", "r-1")
        if error:
            self.send_header("x-amzn-ErrorType", error)
        self.end_headers()
        self.wfile.write(body)


class BedrockRuns(support.LabTest):
    ROWS = 12

    def serve(self, **faults):
        server = Bedrock(**faults)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server

    def carry_out(self, server, stream, env=None):
        model = {"provider": "bedrock", "model": MODEL, "limits": {"concurrency": 2}}
        self.rows(self.ROWS)
        path = self.write_spec(support.spec(server.url, stream=stream, model=model))
        done = self.home.run("run", path, env=KEYS if env is None else env)
        self.assert_code(done, support.PASSED)
        outputs = self.home.report().outputs()
        expected = {f"r{i:05d}": mock_llm.default_answer(support.prompt_of(i)) for i in range(self.ROWS)}
        self.assertEqual(outputs, expected)

    def test_streams_are_read_through_every_fault_and_requests_are_signed(self):
        server = self.serve(faults={1: "throttled", 3: "expired", 5: "broken", 6: "damaged"})
        self.carry_out(server, stream=True)
        self.assertEqual(len(server.seen), self.ROWS + 4)
        path = urllib.parse.urlsplit(server.seen[0]["url"]).path
        self.assertEqual(path, f"/model/{urllib.parse.quote(MODEL, safe='')}/converse-stream")
        if not moto_tool.is_built():
            self.skipTest("Amazon's library is not here: tools/moto.py --build brings it")
        given = {"keys": KEYS, "requests": server.seen, "stream": frames("one two").hex()}
        checked = subprocess.run([moto_tool.VENV / "bin" / "python", "-c", CHECK], input=json.dumps(given),
                                 capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual(checked.returncode, 0, checked.stderr[-2000:])
        read = json.loads(checked.stdout)
        self.assertEqual([kind for kind, _ in read], [
            "messageStart", "contentBlockDelta", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata"])

    def test_whole_answers_and_a_key_in_place_of_a_signature(self):
        server = self.serve()
        self.rows(self.ROWS)
        model = {"provider": "bedrock", "model": MODEL, "api_key_env": "MY_API_KEY"}
        path = self.write_spec(support.spec(server.url, stream=False, model=model))
        done = self.home.run("run", path, env={"MY_API_KEY": "bedrock-key"})
        self.assert_code(done, support.PASSED)
        self.assertEqual({one["headers"]["authorization"] for one in server.seen}, {"Bearer bedrock-key"})
        self.assertTrue(server.seen[0]["url"].endswith("/converse"))
        self.assertEqual(json.loads(server.seen[0]["body"])["inferenceConfig"], {"maxTokens": 64})

    def test_without_credentials_nothing_is_sent(self):
        server = self.serve()
        self.rows(2)
        model = {"provider": "bedrock", "model": MODEL}
        path = self.write_spec(support.spec(server.url, model=model))
        done = self.home.run("run", path)
        self.assertNotEqual(done.code, support.PASSED)
        self.assert_says(done, "no credentials for AWS were found")
        self.assertEqual(server.seen, [])


class OverHttp(test_serve.ServeTest):
    def test_models_of_the_provider_aws_are_called_so(self):
        server = Bedrock()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        lab = self.server(**KEYS)
        token = self.user(lab)
        rows = [{"id": f"r{i}", "question": f"What is {i}?", "answer": "x"} for i in range(5)]
        dataset = test_serve.Experiments.upload(self, lab, token, "rows", rows)
        prompt = self.made(lab, token, "/prompts", {"name": "p", "template": "{{question}}"})["id"]
        model = self.made(lab, token, "/models", {
            "name": "claude", "provider": "aws", "model_identifier": MODEL, "config": {"base_url": server.url}})["id"]
        config = {"model_ids": [model], "dataset_ids": [dataset], "prompt_template_ids": [prompt],
                  "parameters": {"max_tokens": 16},
                  "scorers": [{"type": "exact_match", "reference": "{{answer}}"}]}
        path = "/experiments/" + self.made(lab, token, "/experiments", {"name": "e", "config": config})["id"]
        status, _, started = lab.call("POST", f"{path}/start", token=token)
        self.assertEqual(status, 200, started)
        run = lab.call("GET", f"{path}/runs", token=token)[2]["data"][0]["id"]
        test_serve.Experiments.events(self, lab, token, f"{path}/runs/{run}/events")
        done = lab.call("GET", f"{path}/runs/{run}", token=token)[2]
        self.assertEqual((done["status"], done["totals"]["successful_samples"]), ("completed", 5), done)
        self.assertEqual(len(server.seen), 5)
        scopes = {one["headers"]["authorization"].split("Credential=")[1].split(",")[0].partition("/")[2][9:]
                  for one in server.seen}
        self.assertEqual(scopes, {"eu-west-1/bedrock/aws4_request"})
        self.assertNotIn(KEYS["AWS_SECRET_ACCESS_KEY"], json.dumps(lab.log))


if __name__ == "__main__":
    unittest.main()
