"""Traces in a real collector: one experiment is one trace, from the request to the calls and the statements below; and
whatever the collector does, no request waits for it."""
import base64
import http.server
import importlib.util
import json
import re
import signal
import socket
import subprocess
import threading
import time
import unittest
import urllib.request

import mock_llm
import support
import test_fleet
import test_postgres
import test_redis
import test_serve
from fault_proxy import FaultProxy

SPEC = importlib.util.spec_from_file_location("otel_collector", support.ROOT / "tools" / "otel_collector.py")
otel_collector = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(otel_collector)

KEY = "sk-traces-0123456789abcdefghijklmnop"
DECODER = support.ROOT / "build" / "venv-otlp" / "bin" / "python"
ADMIN = "the-operators-own-key-0123456789abcdef"
TRACE, ABOVE = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def setUpModule():
    if not otel_collector.is_built():
        raise unittest.SkipTest("no collector: tools/otel_collector.py --build makes one")


class TraceTest(test_serve.ServeTest):
    token = None  # of the user of this test's store

    def collector(self, **needs):
        return self.enterContext(otel_collector.Collector(**needs))

    def lab(self, endpoint, **env):
        server = self.server(OTEL_EXPORTER_ENDPOINT=endpoint, OTEL_BSP_SCHEDULE_DELAY="50", **env)
        self.token = self.login(server) if self.token else self.user(server)
        return server

    def metric(self, server, series):
        with urllib.request.urlopen(f"http://127.0.0.1:{server.metrics_port}/metrics", timeout=20) as answer:
            found = re.search("^" + re.escape(series) + " (.*)$", answer.read().decode(), re.MULTILINE)
        return float(found[1]) if found else None

    def wait_for_metric(self, server, series, least, seconds=40):
        deadline = time.monotonic() + seconds
        while (self.metric(server, series) or 0) < least:
            self.assertLess(time.monotonic(), deadline, f"{series} is {self.metric(server, series)}")
            time.sleep(0.05)

    def wait_for_word(self, server, message, seconds=20):
        """The first line of the log with this message."""
        deadline = time.monotonic() + seconds
        while True:
            for entry in list(server.log):
                if entry["message"] == message:
                    return entry
            self.assertLess(time.monotonic(), deadline, message)
            time.sleep(0.02)

    def requests(self, server, count, **headers):
        """Requests that go through the pool and the store; seconds of each."""
        took = []
        for _ in range(count):
            begun = time.monotonic()
            status, _, answer = server.call("GET", "/experiments?limit=1", token=self.token, headers=headers)
            took.append(time.monotonic() - begun)
            self.assertEqual(status, 200, answer)
        return took


class OneExperiment(TraceTest):
    ROWS = 5

    def run_experiment(self, server, endpoint):
        """Begun by a request that belongs to a trace; gives the run's id."""
        dataset = test_serve.Experiments.upload(self, server, self.token, "rows", [
            {"id": f"row-{i}", "q": f"the hidden question {i}", "reference": "x"} for i in range(self.ROWS)])
        status, _, made = server.call("POST", "/admin/credentials", {
            "name": "acme", "secret_ref": "env:ACME_API_KEY", "allowed_hosts": [f"127.0.0.1:{endpoint.port}"],
        }, headers={"X-Admin-Key": ADMIN})
        self.assertEqual(status, 201, made)
        model = self.made(server, self.token, "/models", {
            "name": "m", "provider": "custom", "model_identifier": "mock-model",
            "config": {"base_url": endpoint.base_url, "credential": "acme",
                       "pricing": {"input_per_million": "1", "output_per_million": "1"}},
        })
        prompt = self.made(server, self.token, "/prompts", {"name": "p", "template": "{{q}}"})
        config = {
            "dataset_ids": [dataset], "model_ids": [model["id"]], "prompt_template_ids": [prompt["id"]],
            "parameters": {"temperature": 0.5, "max_tokens": 99}, "evaluation_metrics": ["exact_match"],
        }
        experiment = self.made(server, self.token, "/experiments", {"name": "traced", "config": config})["id"]
        status, _, started = server.call(
            "POST", f"/experiments/{experiment}/start", token=self.token,
            headers={"traceparent": f"00-{TRACE}-{ABOVE}-01", "tracestate": "lab=1", "X-Request-ID": "the-request"})
        self.assertIn(status, (200, 202), started)
        deadline = time.monotonic() + 60
        while True:
            run = server.call("GET", f"/experiments/{experiment}/runs", token=self.token)[2]["data"][0]
            if run["status"] == "completed":
                return run["id"]
            self.assertLess(time.monotonic(), deadline, run)
            time.sleep(0.05)

    def test_is_one_trace_from_the_request_to_the_calls_and_statements_below(self):
        collector, endpoint = self.collector(), self.endpoint()
        server = self.lab(f"http://127.0.0.1:{collector.grpc_port}", ACME_API_KEY=KEY,
                          ADMIN_KEY=ADMIN, OTEL_SERVICE_NAME="lab-under-test")
        run = self.run_experiment(server, endpoint)
        self.assertEqual(server.stop()[0], 0)  # what waits is sent before it ends
        spans = [one for one in collector.spans() if one.trace == TRACE]
        named = {name: [one for one in spans if one.name == name] for name in {one.name for one in spans}}
        by_id = {one.id: one for one in spans}

        def only(name):
            self.assertEqual(len(named.get(name, [])), 1, sorted(named))
            return named[name][0]
        request = only("POST /experiments/{id}/start")
        self.assertEqual((request.parent, request.kind), (ABOVE, "Server"))
        self.assertEqual(request.attributes["http.route"], "Str(/experiments/{id}/start)")
        self.assertIn(request.attributes["http.response.status_code"], ("Int(200)", "Int(202)"))
        self.assertEqual(request.attributes["llm_research.request.id"], "Str(the-request)")
        self.assertEqual(request.resource["service.name"], "Str(lab-under-test)")
        self.assertIn("service.version", request.resource)
        # The run goes on with the trace of the request that asked for it.
        whole = only("run")
        self.assertEqual(whole.parent, request.id)
        self.assertEqual(whole.attributes["llm_research.run.id"], f"Str({run})")
        self.assertEqual(whole.attributes["llm_research.run.state"], "Str(completed)")
        samples = named["sample"]
        self.assertEqual(len(samples), self.ROWS)
        self.assertEqual({one.parent for one in samples}, {whole.id})
        calls = named["chat mock-model"]
        self.assertEqual({by_id[one.parent].id for one in calls}, {one.id for one in samples})
        self.assertEqual({by_id[one.parent].name for one in named["score exact_match"]}, {"sample"})
        for call in calls:
            self.assertEqual((call.kind, call.status), ("Client", "Unset"))
            for name, value in {
                "gen_ai.operation.name": "Str(chat)", "gen_ai.provider.name": "Str(openai)",
                "gen_ai.request.model": "Str(mock-model)", "gen_ai.request.temperature": "Double(0.5)",
                "gen_ai.request.max_tokens": "Int(99)", "server.address": "Str(127.0.0.1)",
                "http.response.status_code": "Int(200)", "gen_ai.response.finish_reasons": 'Slice(["stop"])',
            }.items():
                self.assertEqual(call.attributes.get(name), value, call)
        billed = [int(call.attributes[f"gen_ai.usage.{way}_tokens"][4:-1]) for way in ("input", "output")
                  for call in calls]
        self.assertEqual(sum(billed), sum(endpoint.billed_tokens()))
        # Each request to the model says which call it is.
        self.assertEqual({f"00-{TRACE}-{call.id}-01" for call in calls},
                         {one.headers["traceparent"] for one in endpoint.requests})
        self.assertEqual({one.headers["tracestate"] for one in endpoint.requests}, {"lab=1"})
        statements = [one for one in spans if "db.system.name" in one.attributes]
        self.assertEqual({one.attributes["db.system.name"] for one in statements}, {"Str(sqlite)"})
        above = {by_id[one.parent].name for one in statements}
        self.assertIn("run", above)
        self.assertIn("POST /experiments/{id}/start", above)
        # All are below the request.
        for one in spans:
            while one.id != request.id:
                one = by_id[one.parent]
        self.assertEqual({one.headers["authorization"] for one in endpoint.requests}, {f"Bearer {KEY}"})
        for secret in (KEY, ADMIN, self.token, test_serve.PASSWORD, test_serve.EMAIL, "hidden question"):
            self.assertNotIn(secret, collector.text)
        self.assertNotIn(mock_llm.default_answer("the hidden question 0"), collector.text)


class Redis(TraceTest):
    def test_what_is_asked_of_redis_is_below_the_request(self):
        if not test_redis.redis_servers.is_installed():
            self.skipTest("redis-server is not installed (tools/packages.txt)")
        redis = test_redis.redis_servers.Servers()
        self.addCleanup(redis.__exit__)
        collector = self.collector()
        server = self.lab(f"http://127.0.0.1:{collector.grpc_port}",
                          REDIS_URL=redis.url([redis.single()], test_redis.redis_servers.USER))
        self.requests(server, 2)
        self.assertEqual(server.stop()[0], 0)
        spans = collector.spans()
        requests = {one.id for one in spans if one.kind == "Server"}
        asked = [one for one in spans if one.attributes.get("db.system.name") == "Str(redis)"]
        self.assertIn("EVALSHA", {one.name for one in asked})
        self.assertLessEqual({one.parent for one in asked}, requests)
        self.assertNotIn("llm-research:", str(asked), "no key of Redis is shown")


class Processes(test_postgres.OnPostgres, TraceTest):
    fleet, worker, started = test_fleet.Fleet.fleet, test_fleet.Fleet.worker, test_fleet.Fleet.started
    call, until = test_fleet.Fleet.call, test_fleet.Fleet.until

    def test_a_run_that_another_process_carries_out_belongs_to_the_trace_of_its_request(self):
        self.endpoint = self.enterContext(mock_llm.MockLLM())
        collector = self.collector()
        env = {"OTEL_EXPORTER_ENDPOINT": f"http://127.0.0.1:{collector.grpc_port}", "OTEL_TRACES_SAMPLER_ARG": "1"}
        self.fleet(workers=0, **env)
        worker = self.worker(OTEL_SERVICE_NAME="worker", **env)
        _, run = self.started(rows=3)
        self.until(lambda: self.call("GET", run)["status"] == "completed")
        self.assertEqual([one.stop()[0] for one in (worker, self.at)], [0, 0])
        spans = collector.spans()
        by_id = {one.id: one for one in spans}
        whole = next(one for one in spans if one.name == "run")
        self.assertEqual(whole.resource["service.name"], "Str(worker)")
        request = by_id[whole.parent]
        self.assertEqual(request.name, "POST /experiments/{id}/start")
        self.assertEqual(request.resource["service.name"], "Str(llm-research-api)")
        self.assertEqual(len([one for one in spans if one.name == "chat m" and one.trace == request.trace]), 3)
        below = [one for one in spans if one.attributes.get("db.system.name") == "Str(postgresql)"]
        self.assertIn("store", {by_id[one.parent].name for one in below})


class Recorder(http.server.ThreadingHTTPServer):
    """Keeps what is posted to it, and takes everything."""

    def __init__(self):
        self.posts = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.server.posts.append((self.path, dict(self.headers.items()), body))
                self.send_response(200)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass
        super().__init__(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.serve_forever)
        self.thread.start()

    def __exit__(self, *_):
        self.shutdown()
        self.thread.join()
        self.server_close()

    def decoded(self, folder):
        """All messages, as OpenTelemetry's own classes read them."""
        folder.mkdir()
        for number, (path, _, body) in enumerate(self.posts):
            (folder / f"{number:05}.{path.rsplit('/', 1)[1]}").write_bytes(body)
        done = subprocess.run([DECODER, support.ROOT / "tests/e2e/otlp/decode.py", folder], text=True,
                              capture_output=True, timeout=60)
        if done.returncode != 0:
            raise AssertionError(done.stderr)
        return [json.loads(line) for line in done.stdout.splitlines()]


@unittest.skipUnless(DECODER.exists(), "no messages of OpenTelemetry: tests/e2e/otlp/setup.sh installs them")
class Messages(TraceTest):
    def test_another_decoder_reads_the_same(self):
        recorder = self.enterContext(Recorder())
        server = self.lab(
            f"http://127.0.0.1:{recorder.server_port}/", OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
            OTEL_EXPORTER_OTLP_HEADERS="api-key=hunter2hunter2,x-tenant=a%2Cb")
        begun = time.time_ns()
        self.requests(server, 3, traceparent=f"00-{TRACE}-{ABOVE}-01", tracestate="lab=1")
        self.assertEqual(server.stop()[0], 0)
        ended = time.time_ns()
        for path, headers, _ in recorder.posts:
            self.assertEqual(path, "/v1/traces")
            self.assertEqual((headers["api-key"], headers["x-tenant"]), ("hunter2hunter2", "a,b"))
            self.assertEqual(headers["content-type"], "application/x-protobuf")
        self.assertNotIn("hunter2", str(server.log))
        spans = []
        for request in recorder.decoded(self.folder / "messages"):
            for resource in request["resourceSpans"]:
                names = {one["key"]: one["value"] for one in resource["resource"]["attributes"]}
                self.assertEqual(names["service.name"], {"stringValue": "llm-research-api"})
                for scope in resource["scopeSpans"]:
                    self.assertEqual(scope["scope"]["name"], "llm-research")
                    spans += scope["spans"]
        spans = [one for one in spans if one["traceId"] == base64.b64encode(bytes.fromhex(TRACE)).decode()]
        requests = [one for one in spans if one["name"] == "GET /experiments"]
        self.assertEqual(len(requests), 3)
        for one in requests:
            self.assertEqual(one["parentSpanId"], base64.b64encode(bytes.fromhex(ABOVE)).decode())
            self.assertEqual((one["kind"], one["traceState"], one["flags"]), ("SPAN_KIND_SERVER", "lab=1", 1))
            attributes = {each["key"]: each["value"] for each in one["attributes"]}
            self.assertEqual(attributes["http.request.method"], {"stringValue": "GET"})
            self.assertEqual(attributes["http.response.status_code"], {"intValue": "200"})
            # The two clocks are read a moment apart.
            self.assertLessEqual(begun - 1_000_000, int(one["startTimeUnixNano"]))
            self.assertLess(int(one["startTimeUnixNano"]), int(one["endTimeUnixNano"]))
            self.assertLessEqual(int(one["endTimeUnixNano"]), ended + 1_000_000)
            below = [each for each in spans if each.get("parentSpanId") == one["spanId"]]
            self.assertGreaterEqual(len(below), 1)
            self.assertEqual({each["kind"] for each in below}, {"SPAN_KIND_CLIENT"})


    def test_metrics_go_the_same_way_when_they_are_asked_for(self):
        recorder = self.enterContext(Recorder())
        server = self.lab(f"http://127.0.0.1:{recorder.server_port}", OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
                          OTEL_METRICS_EXPORTER="otlp", OTEL_METRIC_EXPORT_INTERVAL="200", ENABLE_TRACING="false")
        self.requests(server, 3)
        self.wait_for_metric(server, 'metric_pushes_total{outcome="ok"}', 2)
        self.assertEqual(server.stop()[0], 0)
        self.assertEqual({path for path, _, _ in recorder.posts}, {"/v1/metrics"})
        last = recorder.decoded(self.folder / "messages")[-1]["resourceMetrics"][0]["scopeMetrics"][0]["metrics"]
        named = {one["name"]: one for one in last}

        def points(name, kind):
            return {tuple(sorted((each["key"], each["value"]["stringValue"]) for each in point.get("attributes", []))): point
                    for point in named[name][kind]["dataPoints"]}
        of = (("method", "GET"), ("path", "/experiments"))
        counted = points("http_requests_total", "sum")[(*of, ("status", "200"))]
        self.assertEqual(counted["asDouble"], 3)
        self.assertEqual(named["http_requests_total"]["sum"]["aggregationTemporality"], "AGGREGATION_TEMPORALITY_CUMULATIVE")
        self.assertTrue(named["http_requests_total"]["sum"]["isMonotonic"])
        took = points("http_request_duration_seconds", "histogram")[of]
        self.assertEqual(took["count"], "3")
        self.assertEqual(sum(map(int, took["bucketCounts"])), 3)
        self.assertEqual(len(took["bucketCounts"]), len(took["explicitBounds"]) + 1)
        self.assertGreater(points("process_resident_memory_bytes", "gauge")[()]["asDouble"], 1e6)


class Transports(TraceTest):
    def certificate(self, folder):
        folder.mkdir()
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
             "-keyout", folder / "key.pem", "-out", folder / "cert.pem", "-days", "30", "-subj", "/CN=localhost",
             "-addext", "subjectAltName=DNS:localhost"], check=True, capture_output=True)
        return folder

    def test_grpc_and_http_over_tls_with_an_authority_of_ones_own(self):
        tls = self.certificate(self.folder / "tls")
        collector = self.collector(tls=tls)
        for protocol, port in (("grpc", collector.grpc_port), ("http/protobuf", collector.http_port)):
            with self.subTest(protocol):
                server = self.lab(f"https://localhost:{port}", OTEL_EXPORTER_OTLP_PROTOCOL=protocol,
                                  OTEL_EXPORTER_OTLP_CERTIFICATE=str(tls / "cert.pem"), OTEL_SERVICE_NAME=protocol,
                                  OTEL_METRICS_EXPORTER="otlp" if protocol == "grpc" else "none",
                                  OTEL_METRIC_EXPORT_INTERVAL="200")
                self.requests(server, 2)
                collector.wait_for(lambda spans, of=f"Str({protocol})": sum(
                    span.name == "GET /experiments" and span.resource["service.name"] == of for span in spans) == 2)
                if protocol == "grpc":
                    self.wait_for_metric(server, 'metric_pushes_total{outcome="ok"}', 1)
                    self.assertIn("-> Name: http_requests_total", collector.text)
                self.assertEqual(server.stop()[0], 0)

    def test_whoever_has_another_certificate_gets_nothing(self):
        collector = self.collector(tls=self.certificate(self.folder / "tls"))
        server = self.lab(f"https://localhost:{collector.grpc_port}")
        self.requests(server, 1)
        self.wait_for_metric(server, "trace_export_failures_total", 2)
        said = self.wait_for_word(server, "traces cannot be exported")
        self.assertIn("certificate", said["fields"]["problem"])
        self.assertEqual([entry["target"] for entry in server.log].count(said["target"]), 1, "it is said once")
        self.assertEqual(collector.spans(), [])

    def test_only_what_is_sampled_is_sent(self):
        collector = self.collector()
        server = self.lab(f"http://127.0.0.1:{collector.grpc_port}", OTEL_TRACES_SAMPLER_ARG="0")
        self.requests(server, 3)
        self.requests(server, 3, traceparent=f"00-{TRACE}-{ABOVE}-00")
        self.requests(server, 1, traceparent=f"00-{TRACE}-{ABOVE}-01")
        self.assertEqual(server.stop()[0], 0)
        self.assertEqual([span.parent for span in collector.spans() if span.kind == "Server"], [ABOVE])

    def test_settings_that_cannot_be_are_told_without_their_values(self):
        home = support.Home(self.folder)
        for name, value in (("OTEL_EXPORTER_OTLP_HEADERS", "hunter2hunter2"), ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/no/such"),
                            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"), ("OTEL_EXPORTER_OTLP_TIMEOUT", "5s")):
            done = home.run("serve", "--port", "0", env={
                "METRICS_PORT": "0", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", name: value})
            self.assertNotEqual(done.code, 0)
            self.assertIn(name, done.err)
            self.assertNotIn("hunter2", done.err)


class Trouble(TraceTest):
    """A collector that is away, silent or slow: nobody waits for it, and what is lost is counted."""
    REQUESTS = 120

    def test_requests_do_not_feel_it_and_it_comes_back(self):
        collector = self.collector()
        proxy = FaultProxy(collector.grpc_port)
        self.addCleanup(proxy.close)
        server = self.lab(f"http://127.0.0.1:{proxy.port}", OTEL_BSP_MAX_QUEUE_SIZE="64", OTEL_EXPORTER_OTLP_TIMEOUT="300",
                          RATE_LIMIT_BURST="100000", RATE_LIMIT_REQUESTS_PER_SECOND="100000")
        self.requests(server, 5)
        self.wait_for_metric(server, "trace_spans_exported_total", 5)
        good = sorted(self.requests(server, self.REQUESTS))
        dropped = 'trace_spans_dropped_total{reason="queue_full"}'
        for fault in ("refuse", "slow", "silent"):
            with self.subTest(fault):
                if fault == "silent":
                    collector.process.send_signal(signal.SIGSTOP)
                else:
                    proxy.fault = fault
                before = self.metric(server, dropped)
                took = sorted(self.requests(server, self.REQUESTS))
                # A bar in per cent would measure how busy the machine is: docs/operations has the figure.
                self.assertLess(took[len(took) // 2], 2 * good[len(good) // 2] + 0.02)
                self.assertLess(took[-1], 1.5, "no request waits for the collector")
                self.wait_for_metric(server, dropped, before + 1)
                if fault == "silent":
                    collector.process.send_signal(signal.SIGCONT)
                proxy.fault = None
                exported = self.metric(server, "trace_spans_exported_total")
                self.wait_for_metric(server, "trace_spans_exported_total", exported + 1)
        self.assertLessEqual(self.metric(server, "trace_spans_waiting"), 2 * 64)
        self.wait_for_word(server, "traces cannot be exported")
        self.wait_for_word(server, "traces are exported again")

    def test_the_end_of_the_process_does_not_wait_for_it(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            server = self.lab(f"http://127.0.0.1:{silent.getsockname()[1]}")
            self.requests(server, 3)
            code, took = server.stop()
        self.assertEqual(code, 0)
        self.assertLess(took, 4)


if __name__ == "__main__":
    unittest.main()
