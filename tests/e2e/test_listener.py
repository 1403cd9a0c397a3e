"""What an operator sets of the listener, from outside: TLS and its renewal, the limits of a client,
the largest bodies, the time an end may take, and what is said about settings without effect."""
import contextlib
import http.client
import json
import os
import pathlib
import socket
import ssl
import subprocess
import time
import unittest
import urllib.request

import support
import test_serve


def make_certificate(folder, name):
    """A certificate for 127.0.0.1 that signs itself, as (certificate, key)."""
    certificate, key = folder / "tls.crt", folder / "tls.key"
    made = [folder / f"{name}.crt", folder / f"{name}.key"]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
         "2", "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(made[1]), "-out",
         str(made[0])],
        check=True, capture_output=True, timeout=60,
    )
    for new, old in zip(made, (certificate, key)):
        os.replace(new, old)
    return certificate, key


class Listener(test_serve.ServeTest):
    def ask(self, server, data, end=False):
        """The status of the answer to these bytes; None when the connection ends without one."""
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as one:
            one.sendall(data)
            if end:
                one.shutdown(socket.SHUT_WR)
            with one.makefile("rb") as reader:
                line = reader.readline()
                return int(line.split(b" ")[1]) if line else None

    def messages(self, server, target="config"):
        return [one["message"] for one in list(server.log) if one["target"].endswith(target)]


class Tls(Listener):
    def name_of(self, server):
        """The name in the certificate that is shown now, after a request that was answered by it."""
        context = ssl.create_default_context(cafile=str(pathlib.Path(self.folder) / "tls.crt"))
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as plain, \
                context.wrap_socket(plain, server_hostname="127.0.0.1") as one:
            one.sendall(b"GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            answer = b"".join(iter(lambda: one.recv(4096), b""))
            self.assertTrue(answer.startswith(b"HTTP/1.1 200 OK"), answer)
            return dict(part[0] for part in one.getpeercert()["subject"])["commonName"]

    def trusted_name(self, server):
        try:
            return self.name_of(server)
        except ssl.SSLError:
            return None  # the file does not vouch for what is shown

    def test_it_speaks_tls_and_takes_over_a_renewed_certificate(self):
        folder = pathlib.Path(self.folder)
        certificate, key = make_certificate(folder, "first")
        server = self.server(TLS_CERT_FILE=str(certificate), TLS_KEY_FILE=str(key))
        self.assertEqual(self.name_of(server), "first")
        with self.assertRaises((http.client.HTTPException, OSError)):
            urllib.request.urlopen(server.url("/health"), timeout=20)
        # Prometheus scrapes from within.
        with urllib.request.urlopen(f"http://127.0.0.1:{server.metrics_port}/metrics", timeout=20) as metrics:
            self.assertIn(b"build_info", metrics.read())
        make_certificate(folder, "second")
        deadline = time.monotonic() + 20
        while self.trusted_name(server) != "second":
            self.assertLess(time.monotonic(), deadline)
        self.assertEqual(server.stop()[0], 0)

    def test_half_of_it_is_refused_and_a_file_that_is_none_is_named(self):
        home = support.Home(self.folder)
        half = home.run("serve", "--port", "0", env={"TLS_CERT_FILE": "/a.pem", "METRICS_PORT": "0"})
        self.assertNotEqual(half.code, 0)
        self.assertIn("TLS_KEY_FILE: is missing", half.err)
        absent = home.run(
            "serve", "--port", "0", env={"TLS_CERT_FILE": "/a.pem", "TLS_KEY_FILE": "/b.pem", "METRICS_PORT": "0"}
        )
        self.assertNotEqual(absent.code, 0)
        self.assertIn("/a.pem", absent.err)


class Limits(Listener):
    def test_the_limits_of_a_request_are_the_operators(self):
        server = self.server(
            HTTP_MAX_HEADER_BYTES="2048", HTTP_MAX_HEADERS="10", HTTP_MAX_URI_BYTES="512", HTTP_HEADER_TIMEOUT="1s",
            ADMIN_KEY="k" * 40,
        )
        head = b"GET /health HTTP/1.1\r\nHost: a\r\n"
        self.assertEqual(self.ask(server, head + b"X: " + b"x" * 1900 + b"\r\n\r\n"), 200)
        self.assertEqual(self.ask(server, head + b"X: " + b"x" * 2100 + b"\r\n\r\n"), 431)
        self.assertEqual(self.ask(server, head + b"X: x\r\n" * 9 + b"\r\n"), 200)
        self.assertEqual(self.ask(server, head + b"X: x\r\n" * 10 + b"\r\n"), 431)
        self.assertEqual(self.ask(server, b"GET /" + b"x" * 511 + b" HTTP/1.1\r\nHost: a\r\n\r\n"), 404)
        self.assertEqual(self.ask(server, b"GET /" + b"x" * 512 + b" HTTP/1.1\r\nHost: a\r\n\r\n"), 414)
        started = time.monotonic()
        self.assertEqual(self.ask(server, head), 408)
        self.assertLess(time.monotonic() - started, 9)

    def test_size_and_depth_of_json_are_the_operators(self):
        server = self.server(HTTP_MAX_JSON_BYTES="4194304", HTTP_MAX_JSON_DEPTH="8")

        def logged_in_with(body):
            head = "POST /auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
            return self.ask(server, f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())

        # 422: read, and no login. More than the 2 MiB there are without a setting.
        self.assertEqual(logged_in_with('{"a": "' + "x" * 3_000_000 + '"}'), 422)
        self.assertEqual(logged_in_with('{"a": "' + "x" * 4_200_000 + '"}'), 413)
        self.assertEqual(logged_in_with('{"a": ' + "[" * 7 + "]" * 7 + "}"), 422)
        self.assertEqual(logged_in_with('{"a": ' + "[" * 8 + "]" * 8 + "}"), 400)

    def test_bodies_are_as_large_as_the_operator_allows(self):
        server = self.server(MAX_REQUEST_SIZE_MB="1", HTTP_MAX_JSON_BYTES="65536")
        token = self.user(server)
        model = self.made(server, token, "/models", {"name": "m", "provider": "openai", "model_identifier": "x"})
        path, spare = f"/models/{model['id']}", 65536 - len(json.dumps({"description": ""}))
        self.assertEqual(server.call("PUT", path, {"description": "x" * (spare + 1)}, token)[0], 413)
        self.assertNotEqual(server.call("PUT", path, {"description": "x" * spare}, token)[0], 413)
        dataset = self.made(server, token, "/datasets", {"name": "d"})["id"]
        row = b'{"a": "' + b"x" * 1000 + b'"}\n'
        for count, status in ((1000, 201), (1100, 413)):
            answer = server.call("POST", f"/datasets/{dataset}/import?format=jsonl", token=token, raw=row * count)
            self.assertEqual(answer[0], status, answer[2])

    def test_connections_beyond_the_limit_find_no_place(self):
        server = self.server(HTTP_MAX_CONNECTIONS="16", HTTP_MAX_CONNECTIONS_PER_PEER="16")
        held = [socket.create_connection(("127.0.0.1", server.port), timeout=20) for _ in range(16)]
        for one in held:
            one.sendall(b"GET /health HTTP/1.1\r\nHost: a\r\n")
        # Who has asked for nothing yet makes room for who does.
        self.assertEqual(server.call("GET", "/health")[2], "OK")
        for one in held:
            one.close()


class Addresses(Listener):
    def test_addresses_begin_and_end_as_the_operator_says(self):
        server = self.server(PUBLIC_URL="https://lab.example.org/", S3_PRESIGNED_URL_EXPIRY="1s")
        token = self.user(server)
        dataset = self.made(server, token, "/datasets", {"name": "d"})["id"]
        _, _, link = server.call("POST", f"/datasets/{dataset}/upload", {"filename": "d.jsonl"}, token)
        self.assertTrue(link["upload_url"].startswith("https://lab.example.org/datasets/"), link)
        path = link["upload_url"].removeprefix("https://lab.example.org")
        deadline = time.monotonic() + 20
        while server.call("PUT", path, raw=b'{"a": 1}\n')[0] != 403:
            self.assertLess(time.monotonic(), deadline)


class End(Listener):
    def test_an_end_takes_no_longer_than_the_operator_allows(self):
        server = self.server(GRACEFUL_SHUTDOWN_TIMEOUT="2s")
        token = self.user(server)
        # A client that never finishes its request would keep it for seconds.
        with socket.create_connection(("127.0.0.1", server.port)) as slow:
            slow.sendall(
                b"POST /models HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + token.encode() +
                b"\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n{"
            )
            while server.call("GET", "/health/detailed", token=token)[2]["pools"]["connections"]["open"] < 2:
                pass
            code, took = server.stop()
        self.assertEqual(code, 0)
        self.assertLess(took, 5)


class Words(Listener):
    def test_what_has_no_effect_is_said(self):
        server = self.server(
            BACKUP_BUCKET="backups", CLICKHOUSE_PASSWORD="hunter2hunter2", ENABLE_PROFILING="true", ADMIN_KEY="short"
        )
        said = self.messages(server)
        for beginning in ("BACKUP_BUCKET is not used yet", "ENABLE_PROFILING has no effect", "ADMIN_KEY is too short"):
            self.assertTrue(any(one.startswith(beginning) for one in said), (beginning, said))
        self.assertNotIn("hunter2", str(server.log))
        self.assertNotIn("redacted", str(said))

    def test_a_secret_that_is_kept_elsewhere_is_not_replaced_by_another(self):
        home = support.Home(self.folder)
        arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:a-abcdef"
        done = home.run("serve", "--port", "0", env={"JWT_SECRET_ARN": arn, "METRICS_PORT": "0"})
        self.assertNotEqual(done.code, 0)
        self.assertIn("JWT_SECRET_ARN: no credentials for AWS were found", done.err)

    def test_operators_are_shown_pools_and_versions_and_others_are_not(self):
        server = self.server(ADMIN_KEY="k" * 40)
        token = self.user(server)
        shown = server.call("GET", "/health/detailed", token=token)[2]
        self.assertEqual(set(shown["pools"]), {"database", "threads", "connections", "runs"})
        self.assertGreaterEqual(shown["pools"]["database"]["active"], 1)
        self.assertEqual(shown["versions"]["program"], shown["version"])
        self.assertNotIn("pools", server.call("GET", "/health/ready")[2])

    def test_preflights_carry_the_headers_of_every_answer(self):
        server = self.server(CORS_ALLOWED_ORIGINS="https://lab.example.org")
        status, headers, _ = server.call(
            "OPTIONS", "/models", headers={"Origin": "https://lab.example.org", "X-Request-ID": "pre-1"}
        )
        self.assertEqual(status, 204)
        self.assertEqual(headers["X-Request-ID"], "pre-1")
        self.assertEqual(headers["X-Content-Type-Options"], "nosniff")
        self.assertEqual(headers.get_all("Access-Control-Allow-Origin"), ["https://lab.example.org"])


class ClosedStreams(Listener):
    @staticmethod
    def targets(places):
        """What the open files of a process are; some come and go meanwhile."""
        out = []
        for one in places.iterdir():
            with contextlib.suppress(FileNotFoundError):
                out.append(os.readlink(one))
        return out

    def test_no_file_takes_the_place_of_a_stream_that_is_closed(self):
        env = {"METRICS_PORT": "0", "LOG_LEVEL": "info"}
        home = support.Home(self.folder)
        process = home.start(
            "serve", "--port", "0", env=env, preexec_fn=lambda: [os.close(fd) for fd in (0, 1, 2)]
        )
        try:
            deadline = time.monotonic() + 20
            places = pathlib.Path(f"/proc/{process.pid}/fd")
            while not any("socket" in target for target in self.targets(places)):
                self.assertLess(time.monotonic(), deadline)
                self.assertIsNone(process.poll(), "it does not serve")
            for fd in "012":
                self.assertEqual(os.readlink(places / fd), "/dev/null")
        finally:
            process.kill()
            process.wait()


if __name__ == "__main__":
    unittest.main()
