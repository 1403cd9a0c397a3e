"""Data through the service: batches, lists and their exports, files of runs, Parquet."""
import csv
import hashlib
import http.client
import io
import json
import os
import pathlib
import re
import time

import test_serve

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
LIBRARY = ROOT / "build/duckdb/libduckdb.so"
PARQUET = ROOT / "tests/data/parquet"


def resident_mebibytes(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", text).group(1)) / 1024


def prompts(first, count, size=10):
    return [{"name": f"p{n:05d}", "template": "x" * size, "tags": ["bulk"]} for n in range(first, first + count)]


def audited(server, token, query, count):
    """Entries of the audit log, which is written beside the requests."""
    deadline = time.monotonic() + 10
    while True:
        found = server.call("GET", f"/admin/audit-logs?{query}", token=token)[2]["data"]
        if len(found) >= count or time.monotonic() > deadline:
            return found
        time.sleep(0.02)


class Batches(test_serve.ServeTest):
    def test_all_of_an_array_is_made_or_none_and_every_mistake_has_its_place(self):
        server = self.server()
        token = self.user(server)
        made = self.made(server, token, "/prompts", prompts(0, 3))
        self.assertEqual([one["name"] for one in made], ["p00000", "p00001", "p00002"])
        kinds = {
            "/models": {"name": "m", "provider": "openai", "model_identifier": "x"},
            "/datasets": {"name": "d"},
            "/experiments": {"name": "e"},
        }
        for path, body in kinds.items():
            two = self.made(server, token, path, [body, {**body, "name": "other"}])
            self.assertEqual([one["name"] for one in two], [body["name"], "other"], path)
            self.assertEqual(server.call("GET", f"{path}/{two[1]['id']}", token=token)[0], 200)
        bad = prompts(10, 3)
        bad[1]["colour"] = "red"
        del bad[2]["template"]
        status, _, refused = server.call("POST", "/prompts", bad, token)
        self.assertEqual(status, 422, refused)
        fields = [detail["field"] for detail in refused["error"]["details"]]
        self.assertTrue(any(field.startswith("[1]") for field in fields), fields)
        self.assertTrue(any(field.startswith("[2]") for field in fields), fields)
        status, _, taken = server.call("POST", "/prompts", [*prompts(20, 2), {"name": "p00001", "template": "x"}], token)
        self.assertEqual((status, taken["error"]["index"]), (409, 2), taken)
        self.assertEqual(taken["error"]["existing_id"], made[1]["id"])
        self.assertEqual(server.call("POST", "/prompts", [], token)[0], 422)
        self.assertEqual(server.call("POST", "/prompts", prompts(100, 1001), token)[0], 422)
        total = server.call("GET", "/prompts?limit=1", token=token)[2]["pagination"]["total"]
        self.assertEqual(total, 3, "what was refused made nothing")
        audit = audited(server, token, "resource_type=prompt_template&action=create&outcome=success", 1)
        self.assertIn(made[2]["id"], json.dumps(audit))


class Lists(test_serve.ServeTest):
    def test_three_styles_of_pages_show_the_same_rows(self):
        server = self.server()
        token = self.user(server)
        self.made(server, token, "/prompts", prompts(0, 25))

        def get(query):
            status, _, page = server.call("GET", f"/prompts?{query}", token=token)
            self.assertEqual(status, 200, page)
            self.assertLessEqual({"data", "pagination", "meta", "links"}, set(page))
            return page
        everything = [one["id"] for one in get("limit=100&sort=name")["data"]]
        self.assertEqual(len(everything), 25)
        for step in ("offset", "page", "cursor"):
            found, query = [], {
                "offset": "limit=10&offset=0&sort=name", "page": "page=1&page_size=10&sort=name", "cursor": "limit=10&sort=name",
            }[step]
            while query:
                page = get(query)
                found += [one["id"] for one in page["data"]]
                if step == "cursor":
                    cursor = page["pagination"]["next_cursor"]
                    query = f"limit=10&sort=name&cursor={cursor}" if cursor else None
                else:
                    query = page["links"].get("next", "?").split("?")[1]
                self.assertEqual(page["pagination"]["has_more"], bool(query))
            self.assertEqual(found, everything, step)
        page = get("limit=10&offset=20")
        self.assertEqual(page["pagination"]["total"], 25)
        self.assertEqual((page["meta"]["page"], page["meta"]["total_pages"]), (3, 3))
        self.assertIn("prev", page["links"])
        self.assertNotIn("next", page["links"])
        after = get(f"limit=5&after={get('limit=5')['pagination']['next_cursor']}")
        self.assertEqual(after["page_info"], {
            "has_next_page": True, "has_previous_page": True, "start_cursor": None,
            "end_cursor": after["pagination"]["next_cursor"],
        })
        first, last = get("limit=10&sort=name")["page_info"], get("page=3&page_size=10")["page_info"]
        self.assertEqual((first["has_next_page"], first["has_previous_page"]), (True, False))
        self.assertEqual([one["id"] for one in get(f"limit=10&sort=name&after={first['end_cursor']}")["data"]], everything[10:20])
        self.assertEqual(last, {"has_next_page": False, "has_previous_page": True, "start_cursor": None, "end_cursor": None})
        self.assertEqual(set(get("offset=25")["page_info"].values()), {False, True, None})
        self.assertEqual(set(get("fields=id,name")["data"][0]), {"id", "name"})
        for query, status in {
            "limit=10&page=1": 400, "offset=1&page=2": 400, "cursor=x&offset=1": 400, "cursor=x": 400, "limit=x": 400,
            "limit=0": 422, "limit=101": 422, "page=0": 422, "page_size=101": 422, "offset=-1": 422,
            "sort=colour": 400, "format=xml": 400, "format=csv": 400, "colour=red": 400,
        }.items():
            self.assertEqual(server.call("GET", f"/prompts?{query}", token=token)[0], status, query)
        # A cursor serves the list and the order that gave it out.
        cursor = get("limit=5&sort=name")["pagination"]["next_cursor"]
        for path in (f"/prompts?limit=5&cursor={cursor}", f"/models?limit=5&sort=name&cursor={cursor}"):
            self.assertEqual(server.call("GET", path, token=token)[0], 400)
        self.assertEqual(server.call("GET", f"/v1/prompts?limit=5&sort=name&cursor={cursor}", token=token)[0], 200)

    def test_a_total_is_exact_up_to_ten_thousand(self):
        server = self.server()
        token = self.user(server, tier="unlimited")
        for first in range(0, 10_000, 1000):
            self.made(server, token, "/prompts", prompts(first, 1000))

        def get(query):
            status, _, page = server.call("GET", f"/prompts?{query}", token=token)
            self.assertEqual(status, 200, page)
            return page
        page = get("limit=100")
        self.assertEqual((page["pagination"]["total"], page["meta"]["total_count"], page["meta"]["total_pages"]), (10_000, 10_000, 100))
        self.assertEqual(page["links"]["last"], "/prompts?limit=100&offset=9900")
        self.assertNotIn("total_at_least", page["pagination"])
        self.made(server, token, "/prompts", {"name": "one more", "template": "x"})
        for query in ("limit=100", "page=2&page_size=50", f"limit=100&cursor={page['pagination']['next_cursor']}"):
            page = get(query)
            self.assertEqual((page["pagination"]["total"], page["pagination"]["total_at_least"]), (None, 10_000), query)
            self.assertEqual((page["meta"]["total_count"], page["meta"]["total_pages"]), (None, None), query)
            self.assertEqual((page["pagination"]["has_more"], "next" in page["links"], "last" in page["links"]), (True, True, False), query)
        self.assertEqual(get("search=p0")["pagination"]["total"], 10_000, "what is looked for is counted by itself")
        self.assertEqual([one["name"] for one in get("offset=10000")["data"]], ["p00000"])

    def test_an_export_of_thousands_of_rows_takes_the_memory_of_a_page(self):
        server = self.server()
        token = self.user(server, tier="unlimited")
        for first in range(0, 5000, 500):
            self.made(server, token, "/prompts", prompts(first, 500, size=8000))
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)

        def export():
            connection.request("GET", "/prompts?sort=name", headers={
                "Authorization": f"Bearer {token}", "Accept": "application/x-ndjson"})
            answer = connection.getresponse()
            self.assertEqual(answer.status, 200)
            self.assertEqual(answer.headers["Content-Type"], "application/x-ndjson")
            names, size = [], 0
            for line in answer:
                names.append(json.loads(line)["name"])
                size += len(line)
            return names, size
        export()
        before = resident_mebibytes(server.process.pid)
        names, size = export()
        after = resident_mebibytes(server.process.pid)
        self.assertEqual(names, [f"p{n:05d}" for n in range(5000)])
        self.assertGreater(size, 40_000_000)
        self.assertLess(after - before, 20, "MiB more after an export of 40 MB")
        connection.close()
        # One page as NDJSON, and every list has it.
        page = server.call("GET", "/prompts?format=ndjson&limit=2&fields=name", token=token)[2]
        self.assertEqual(len(page.splitlines()), 2)
        for path in ("/models", "/datasets", "/experiments", "/admin/users", "/admin/api-keys", "/admin/audit-logs"):
            status, headers, text = server.call("GET", f"{path}?format=ndjson", token=token)
            self.assertEqual((status, headers["Content-Type"]), (200, "application/x-ndjson"), path)
            for line in text.splitlines():
                json.loads(line)

    def test_exports_need_the_right_and_are_recorded(self):
        server = self.server()
        token = self.user(server)
        self.made(server, token, "/prompts", prompts(0, 3))
        viewer = self.user(server, "vic@example.org", "Viewer")
        self.assertEqual(server.call("GET", "/prompts", token=viewer)[0], 200)
        status, _, refused = server.call("GET", "/prompts?format=ndjson", token=viewer)
        self.assertEqual((status, refused["error"]["required_permission"]), (403, "data:export"), refused)
        self.assertEqual(server.call("GET", "/prompts?format=ndjson", token=token)[0], 200)
        found = audited(server, token, "action=export", 2)
        self.assertEqual(sorted(one["outcome"]["status"] for one in found), ["denied", "success"])
        self.assertEqual({one["resource"]["type"] for one in found}, {"prompt_template"})

    def test_samples_leave_as_lines_and_as_a_table_without_formulas(self):
        server = self.server()
        token = self.user(server, tier="unlimited")
        experiment = self.made(server, token, "/experiments", {"name": "e"})
        run = self.made(server, token, f"/experiments/{experiment['id']}/runs", {})
        path = f"/experiments/{experiment['id']}/runs/{run['id']}"
        samples = [{"id": f"s{n:04d}", "item_id": f"i{n}", "output": "=1+1" if n % 2 else "-1.5", "latency_ms": n}
                   for n in range(1000)]
        for first in (0, 1):  # the same again changes nothing
            status, _, said = server.call("POST", f"{path}/samples", samples, token)
            self.assertEqual((status, said["added"]), (201, 0 if first else 1000), said)
        self.assertEqual(server.call("POST", f"{path}/samples", samples + samples[:1], token)[0], 422)
        page = server.call("GET", f"{path}/samples?limit=10&offset=20", token=token)[2]
        self.assertEqual(page["pagination"]["total"], 1000)
        self.assertEqual([one["id"] for one in page["data"]], [f"s{n:04d}" for n in range(20, 30)])
        lines = server.call("GET", f"{path}/samples?format=ndjson", token=token)[2].splitlines()
        self.assertEqual([json.loads(line)["id"] for line in lines], [one["id"] for one in samples])
        status, headers, text = server.call("GET", f"{path}/samples", token=token, headers={"Accept": "text/csv"})
        self.assertEqual((status, headers["Content-Type"]), (200, "text/csv; charset=utf-8"))
        table = list(csv.DictReader(io.StringIO(text)))
        self.assertEqual(len(table), 1000)
        self.assertEqual((table[0]["output"], table[1]["output"], table[7]["latency_ms"]), ("-1.5", "'=1+1", "7"))
        points = [{"name": "loss", "value": 0.5, "step": 1, "timestamp": "2026-01-01T00:00:00Z"}]
        for first in (0, 1):
            status, _, said = server.call("POST", f"{path}/metrics", points, token)
            self.assertEqual((status, said["added"]), (201, 0 if first else 1), said)
        runs = server.call("GET", f"/experiments/{experiment['id']}/runs?limit=1", token=token)[2]
        self.assertEqual(len(runs["data"]), 1)


class Artifacts(test_serve.ServeTest):
    def run_of(self, server, token):
        experiment = self.made(server, token, "/experiments", {"name": "e"})
        run = self.made(server, token, f"/experiments/{experiment['id']}/runs", {})
        return f"/experiments/{experiment['id']}/runs/{run['id']}/artifacts"

    def ask(self, server, method, path, token=None, body=None, headers=()):
        """(status, headers, bytes); a body that is a list of pieces is sent in chunks."""
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        every = dict(headers)
        if token:
            every["Authorization"] = f"Bearer {token}"
        connection.request(method, path, body, every, encode_chunked=isinstance(body, list))
        answer = connection.getresponse()
        found = answer.status, answer.headers, answer.read()
        connection.close()
        return found

    def test_a_file_comes_back_as_it_went_whole_and_in_parts(self):
        server = self.server()
        token = self.user(server)
        path = self.run_of(server, token)
        data = os.urandom(3_000_000)
        status, headers, made = self.ask(
            server, "POST", f"{path}?name=weights%20v1.bin&artifact_type=checkpoint", token, data, {"Content-Type": "application/x-weights"})
        self.assertEqual(status, 201, made)
        made = json.loads(made)
        self.assertEqual(made["content_hash"], hashlib.sha256(data).hexdigest())
        self.assertEqual((made["size_bytes"], made["mime_type"], made["artifact_type"]), (len(data), "application/x-weights", "checkpoint"))
        self.assertTrue(made["s3_path"].endswith(f"/artifacts/{made['id']}/weights v1.bin"))
        content = f"{path}/{made['id']}/content"
        status, headers, whole = self.ask(server, "GET", content, token)
        self.assertEqual((status, whole == data), (200, True))
        self.assertEqual(headers["Content-Disposition"], 'attachment; filename="weights v1.bin"')
        self.assertEqual((headers["X-Content-Type-Options"], headers["Accept-Ranges"]), ("nosniff", "bytes"))
        etag = headers["ETag"]
        status, headers, part = self.ask(server, "GET", content, token, headers={"Range": "bytes=1000000-2999999"})
        self.assertEqual((status, part == data[1000000:]), (206, True))
        self.assertEqual(headers["Content-Range"], "bytes 1000000-2999999/3000000")
        self.assertEqual(self.ask(server, "GET", content, token, headers={"Range": "bytes=-5"})[2], data[-5:])
        self.assertEqual(self.ask(server, "GET", content, token, headers={"Range": "bytes=3000000-"})[0], 416)
        self.assertEqual(self.ask(server, "GET", content, token, headers={"If-None-Match": etag})[::2], (304, b""))
        stale = {"Range": "bytes=0-9", "If-Range": '"other"'}
        self.assertEqual(self.ask(server, "GET", content, token, headers=stale)[0], 200)
        status, headers, nothing = self.ask(server, "HEAD", content, token)
        self.assertEqual((status, headers["Content-Length"], nothing), (200, "3000000", b""))
        # In chunks, empty, and the same bytes under another name.
        again = self.ask(server, "POST", f"{path}?name=again", token, [data[:1234567], data[1234567:]])
        self.assertEqual(json.loads(again[2])["content_hash"], made["content_hash"])
        empty = json.loads(self.ask(server, "POST", f"{path}?name=empty", token, b"")[2])
        self.assertEqual((empty["size_bytes"], self.ask(server, "GET", f"{path}/{empty['id']}/content", token)[2]), (0, b""))
        listed = server.call("GET", f"{path}?limit=2", token=token)[2]
        self.assertEqual((listed["pagination"]["total"], listed["data"][0]["name"]), (3, "empty"))
        rest = server.call("GET", f"{path}?limit=2&cursor={listed['pagination']['next_cursor']}", token=token)[2]
        self.assertEqual([one["id"] for one in rest["data"]], [made["id"]])
        self.assertEqual(self.ask(server, "DELETE", f"{path}/{made['id']}", token)[0], 204)
        self.assertEqual(self.ask(server, "GET", content, token)[0], 404)
        other = json.loads(again[2])["id"]
        self.assertEqual(self.ask(server, "GET", f"{path}/{other}/content", token)[2], data)

    def test_a_file_that_is_sent_again_is_kept_once(self):
        server = self.server()
        token = self.user(server)
        path = self.run_of(server, token)
        key = {"Idempotency-Key": "file-1", "Content-Type": "text/plain"}
        data = [os.urandom(700_000), os.urandom(1)]
        first = self.ask(server, "POST", f"{path}?name=a", token, data, key)
        again = self.ask(server, "POST", f"{path}?name=a", token, b"".join(data), key)
        self.assertEqual((first[0], again[0], again[2]), (201, 201, first[2]))
        self.assertEqual(again[1]["Idempotency-Replayed"], "true")
        # Another body, type or name is another request.
        for name, body, kind in (("a", data[:1], "text/plain"), ("a", data, "text/html"), ("b", data, "text/plain")):
            answer = self.ask(server, "POST", f"{path}?name={name}", token, body, {**key, "Content-Type": kind})
            self.assertEqual(answer[0], 409, answer)
        self.assertEqual(server.call("GET", path, token=token)[2]["pagination"]["total"], 1)
        self.assertEqual(self.ask(server, "POST", f"{path}?name=a", token, b"x", {"Idempotency-Key": "\u00e9"})[0], 400)
        dataset = self.made(server, token, "/datasets", {"name": "d"})["id"]
        rows, key = b'{"a": 1}\n', {"Idempotency-Key": "rows-1", "Content-Type": "application/x-ndjson"}
        said = [self.ask(server, "POST", f"/datasets/{dataset}/import", token, rows, key) for _ in range(2)]
        self.assertEqual([one[0] for one in said], [201, 201], said)
        self.assertEqual(said[0][2], said[1][2])
        self.assertEqual(self.ask(server, "POST", f"/datasets/{dataset}/import", token, rows + rows, key)[0], 409)

    def test_who_may_not_is_told_before_the_body_is_read(self):
        server = self.server()
        token = self.user(server)
        path = self.run_of(server, token)
        viewer = self.user(server, "vic@example.org", "Viewer")
        for who, name, size, status in (
            (None, "a", 50_000_000, 401), (viewer, "a", 50_000_000, 403), (token, "../a", 50_000_000, 422),
            (token, "", 50_000_000, 422), (token, "a", 105_000_000, 413),
        ):
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
            connection.putrequest("POST", f"{path}?name={name}")
            connection.putheader("Content-Length", str(size))
            if who:
                connection.putheader("Authorization", f"Bearer {who}")
            connection.endheaders(b"only the first bytes of many")
            self.assertEqual(connection.getresponse().status, status, (name, status))
            connection.close()
        self.assertEqual(server.call("GET", path, token=viewer)[2]["pagination"]["total"], 0)
        left = [one for one in (pathlib.Path(server.home.path) / "objects").rglob("*") if one.is_file()]
        self.assertEqual(left, [])

    def test_a_signed_address_takes_one_file_and_needs_no_other_credential(self):
        server = self.server()
        token = self.user(server)
        path = self.run_of(server, token)
        body = {"name": "log.txt", "artifact_type": "log", "mime_type": "text/plain"}
        status, _, link = server.call("POST", f"{path}/upload", body, token)
        self.assertEqual((status, link["method"]), (200, "PUT"), link)
        target = link["upload_url"].split(str(server.port), 1)[1]
        status, _, made = self.ask(server, "PUT", target, None, b"hello\n", link["headers"])
        self.assertEqual(status, 201, made)
        made = json.loads(made)
        self.assertEqual((made["name"], made["mime_type"], made["size_bytes"]), ("log.txt", "text/plain", 6))
        self.assertEqual(self.ask(server, "PUT", target[:-3] + "abc", None, b"x")[0], 403)
        elsewhere = self.run_of(server, self.user(server, "bob@example.org", "Admin"))
        self.assertEqual(self.ask(server, "PUT", f"{elsewhere}/content?{target.split('?')[1]}", None, b"x")[0], 403)
        self.assertEqual(server.call("POST", f"{path}/upload", {**body, "name": "a/b"}, token)[0], 422)


class Parquet(test_serve.Experiments):
    """The road of an experiment, with rows that come as Parquet."""

    def setUp(self):
        super().setUp()
        if not LIBRARY.exists():
            if os.environ.get("LAB_REQUIRE_BACKENDS") == "1":
                self.fail(f"there is no {LIBRARY}: tools/duckdb.py fetches it")
            self.skipTest(f"there is no {LIBRARY}: tools/duckdb.py fetches it")

    def test_rows_from_parquet_are_what_an_experiment_runs_on(self):
        server = self.server(LAB_DUCKDB_LIBRARY=str(LIBRARY))
        token = self.user(server)
        made = self.made(server, token, "/datasets", {"name": "rows", "format": "parquet"})
        link = server.call("POST", f"/datasets/{made['id']}/upload", {"filename": "rows.parquet"}, token)[2]
        self.assertIn("parquet", link["headers"]["Content-Type"])
        target = link["upload_url"].split(str(server.port), 1)[1]
        data = (PARQUET / "rows.parquet").read_bytes()
        status, _, arrived = server.call("PUT", target, raw=data, headers=link["headers"])
        self.assertEqual((status, arrived["row_count"]), (201, 5000), arrived)
        self.assertEqual(arrived["fields"], ["id", "question", "answer"])
        outputs = [{"id": str(n), "output": f"{2 * n}"} for n in range(5000)]
        recorded = self.upload(server, token, "outputs", outputs)
        model = self.made(server, token, "/models", {
            "name": "m", "provider": "custom", "model_identifier": "m", "config": {"replay_dataset": recorded}})
        experiment = self.made(server, token, "/experiments", {"name": "sums", "config": {
            "model_ids": [model["id"]], "dataset_ids": [made["id"]], "num_samples": 50,
            "scorers": [{"type": "numeric", "id": "accuracy", "reference": "{{answer}}"}]}})
        path = f"/experiments/{experiment['id']}"
        status, _, started = server.call("POST", f"{path}/start", token=token)
        self.assertEqual(status, 200, started)
        run = f"{path}/runs/{server.call('GET', f'{path}/runs', token=token)[2]['data'][0]['id']}"
        seen = self.events(server, token, f"{run}/events")
        self.assertEqual(seen[-1][1]["status"], "completed", seen[-1])
        self.assertEqual(server.call("GET", f"{path}/metrics", token=token)[2]["accuracy"], 1.0)
        broken = self.made(server, token, "/datasets", {"name": "broken", "format": "parquet"})
        status, _, refused = server.call("POST", f"/datasets/{broken['id']}/import", raw=data[:-100], token=token,
                                         headers={"Content-Type": "application/vnd.apache.parquet"})
        self.assertEqual(status, 422, refused)
        self.assertEqual(server.call("GET", f"/datasets/{broken['id']}", token=token)[2]["status"], "failed")

    def test_without_the_library_the_way_round_is_told(self):
        server = self.server(LAB_DUCKDB_LIBRARY="/nowhere/libduckdb.so")
        token = self.user(server)
        made = self.made(server, token, "/datasets", {"name": "rows", "format": "parquet"})
        status, _, refused = server.call(
            "POST", f"/datasets/{made['id']}/import", raw=(PARQUET / "kinds.parquet").read_bytes(), token=token,
            headers={"Content-Type": "application/vnd.apache.parquet"})
        self.assertEqual(status, 503, refused)
        self.assertIn("JSONL", refused["error"]["message"])
        self.assertEqual(server.call("GET", f"/datasets/{made['id']}", token=token)[2]["status"], "pending_upload")


for name in [one for one in dir(test_serve.Experiments) if one.startswith("test_")]:
    setattr(Parquet, name, None)  # they are that class's own
