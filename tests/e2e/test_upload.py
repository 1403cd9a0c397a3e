"""Uploads to a signed address: what the address says decides before a byte of the body is read, and
the size of a body costs no memory."""
import http.client
import json
import pathlib
import time
import unittest
import urllib.parse

import support
import test_serve


class Upload(test_serve.ServeTest):
    def address(self, server, token, **announced):
        dataset = self.made(server, token, "/datasets", {"name": f"d{time.monotonic_ns()}"})["id"]
        status, _, link = server.call("POST", f"/datasets/{dataset}/upload", announced, token)
        self.assertEqual(status, 200, link)
        return dataset, link

    def put(self, server, target, headers, pieces=(), method="PUT"):
        """Sends the head, then what it is asked for: (status, body, whether the body was wanted)."""
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=180)
        connection.putrequest(method, target)
        for name, value in {**headers, "Expect": "100-continue"}.items():
            connection.putheader(name, value)
        connection.endheaders()
        line = connection.sock.recv(12)
        wanted = line == b"HTTP/1.1 100"
        if wanted:
            while not line.endswith(b"\r\n\r\n"):
                line += connection.sock.recv(1)
            for piece in pieces:
                connection.send(piece)
            line = b""
        data = line
        while True:
            more = connection.sock.recv(65536)
            data += more
            head, mark, body = data.partition(b"\r\n\r\n")
            if mark:
                length = int([h for h in head.split(b"\r\n") if h.lower().startswith(b"content-length:")][0].split(b":")[1])
                if len(body) >= length:
                    break
            self.assertTrue(more, data)
        connection.close()
        return int(head.split(b" ")[1]), json.loads(body), wanted

    @staticmethod
    def target(link):
        parts = urllib.parse.urlsplit(link["upload_url"])
        return f"{parts.path}?{parts.query}"

    def test_the_address_decides_before_the_body(self):
        server = self.server()
        token = self.user(server)
        dataset, link = self.address(server, token, size_bytes=100, filename="x.jsonl")
        other, _ = self.address(server, token)
        target, kind = self.target(link), link["headers"]
        self.assertEqual(kind, {"Content-Type": "application/x-ndjson"})
        for why, path, headers, status in (
            ("another token", target[:-3] + "AAA", {**kind, "Content-Length": "100"}, 403),
            ("no token", target.split("?")[0] + "?token=", {**kind, "Content-Length": "100"}, 403),
            ("another dataset", target.replace(dataset, other), {**kind, "Content-Length": "100"}, 403),
            ("a larger body", target, {**kind, "Content-Length": "101"}, 413),
            ("an immense body", target, {**kind, "Content-Length": str(10**15)}, 413),
            ("another type", target, {"Content-Type": "text/csv", "Content-Length": "100"}, 415),
            ("a form", target, {"Content-Type": "application/x-www-form-urlencoded", "Content-Length": "100"}, 415),
        ):
            got, body, wanted = self.put(server, path, headers)
            self.assertEqual((got, wanted), (status, False), (why, body))
            self.assertEqual(set(body["error"]), {"code", "message", "request_id"})
        row = json.dumps({"id": "a", "text": "x" * 76}).encode() + b"\n"
        self.assertEqual(len(row), 100)
        got, body, wanted = self.put(server, target, {**kind, "Content-Length": "99"}, [row[:99]])
        self.assertEqual((got, wanted), (422, True), body)
        got, body, wanted = self.put(server, target, {**kind, "Content-Length": "100"}, [row])
        self.assertEqual((got, wanted), (201, True), body)
        # For reading it is no good.
        self.assertEqual(server.call("GET", target)[0], 403)
        metrics = server.call("GET", "/metrics")[2]
        self.assertRegex(metrics, r'http_requests_total\{[^}]*method="PUT"[^}]*path="/datasets/\{id\}/content"[^}]*status="403"[^}]*\} 3')

    def test_direct_bodies_are_asked_for_when_it_is_known_who_sends_what(self):
        server = self.server()
        token = self.user(server)
        viewer = self.user(server, "vic@example.org", "Viewer")
        experiment = self.made(server, token, "/experiments", {"name": "e"})["id"]
        run = self.made(server, token, f"/experiments/{experiment}/runs", {})["id"]
        files = f"/experiments/{experiment}/runs/{run}/artifacts"
        dataset = self.made(server, token, "/datasets", {"name": "d"})["id"]
        nowhere = dataset[:-4] + ("0000" if dataset[-4:] != "0000" else "1111")
        length = {"Content-Length": "8"}
        for target, other, kind in (
            (f"{files}?name=a.jsonl", f"/experiments/{nowhere}/runs/{run}/artifacts?name=a", "text/plain"),
            (f"/datasets/{dataset}/import", f"/datasets/{nowhere}/import", "application/x-ndjson"),
        ):
            for why, path, headers, status in (
                ("no credential", target, length, 401),
                ("a broken credential", target, {**length, "Authorization": "Bearer x"}, 401),
                ("no permission", target, {**length, "Authorization": f"Bearer {viewer}"}, 403),
                ("nothing there", other, {**length, "Authorization": f"Bearer {token}"}, 404),
                ("too much", target, {"Content-Length": str(10**15), "Authorization": f"Bearer {token}"}, 413),
            ):
                got, body, wanted = self.put(server, path, {"Content-Type": kind, **headers}, method="POST")
                self.assertEqual((got, wanted), (status, False), (target, why, body))
            headers = {"Content-Type": kind, **length, "Authorization": f"Bearer {token}"}
            got, body, wanted = self.put(server, target, headers, [b'{"a":1}\n'], method="POST")
            self.assertEqual((got, wanted), (201, True), body)
        # A signed address of a file is told the same way.
        link = server.call("POST", f"{files}/upload", {"name": "b"}, token)[2]
        target = self.target(link)
        got, body, wanted = self.put(server, target[:-3] + "AAA", length)
        self.assertEqual((got, wanted), (403, False), body)
        got, body, wanted = self.put(server, target, {**link["headers"], **length}, [b"8 bytes."])
        self.assertEqual((got, wanted), (201, True), body)

    def memory(self, server):
        """Megabytes that the server has held at most."""
        status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
        return int([line for line in status.splitlines() if line.startswith("VmHWM")][0].split()[1]) // 1024

    def test_a_large_body_costs_no_memory_and_leaves_nothing_behind(self):
        scratch = self.folder / "scratch"
        scratch.mkdir()
        server = self.server(TMPDIR=str(scratch))
        token = self.user(server)
        rows = 80_000
        block = [json.dumps({"id": f"r{i:07d}", "text": "x" * 960}).encode() + b"\n" for i in range(1000)]
        size = len(block[0])
        dataset, link = self.address(server, token, filename="big.jsonl")

        def pieces():
            for start in range(0, rows, 1000):
                yield b"".join(json.dumps({"id": f"r{start + i:07d}", "text": "x" * 960}).encode() + b"\n" for i in range(1000))
        before = self.memory(server)
        status, body, _ = self.put(server, self.target(link), {**link["headers"], "Content-Length": str(rows * size)}, pieces())
        self.assertEqual((status, body.get("sample_count")), (201, rows), body)
        grown = self.memory(server) - before
        self.assertLess(grown, 50, f"{rows * size >> 20} MiB were sent")
        # Half a body, then nobody: the file goes.
        _, half = self.address(server, token)
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=180)
        connection.putrequest("PUT", self.target(half))
        for name, value in {**half["headers"], "Content-Length": str(2 * size * 1000)}.items():
            connection.putheader(name, value)
        connection.endheaders()
        connection.send(b"".join(block))
        deadline = time.monotonic() + 20
        while not list(scratch.rglob("rows")) and time.monotonic() < deadline:
            time.sleep(0.01)
        connection.close()
        while list(scratch.iterdir()) and time.monotonic() < deadline:
            time.sleep(0.01)
        self.assertEqual(list(scratch.iterdir()), [])


if __name__ == "__main__":
    unittest.main()
