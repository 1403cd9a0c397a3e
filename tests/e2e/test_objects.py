"""Objects in a bucket: what is uploaded is there under the keys that are documented, a machine without
its folder gets it back, and a bucket that is away takes nothing else with it."""
import importlib.util
import json
import pathlib
import shutil
import time
import unittest
import urllib.request

import support
import test_serve

S3_TOOL = pathlib.Path(__file__).resolve().parents[2] / "tools" / "s3.py"
SPEC = importlib.util.spec_from_file_location("lab_s3", S3_TOOL)
s3_tool = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(s3_tool)

ROWS = b'{"id":"a","text":"one"}\n{"id":"b","text":"two"}\n'


class Objects(test_serve.ServeTest):
    def setUp(self):
        super().setUp()
        if not s3_tool.PROGRAM.exists():
            self.skipTest("no S3 server: tools/s3.py --build makes one")
        self.s3 = self.enterContext(s3_tool.Server())
        self.bucket = self.s3.folder / "data" / s3_tool.BUCKET

    def lab(self, **more):
        return self.server(
            S3_BUCKET=s3_tool.BUCKET, S3_ENDPOINT=f"http://127.0.0.1:{self.s3.port}",
            AWS_ACCESS_KEY_ID=self.s3.key, AWS_SECRET_ACCESS_KEY=self.s3.secret,
            HEALTH_CHECK_INTERVAL="1s", **more)

    def files(self):
        """Keys and bytes, as the server of the bucket has them on its disk."""
        return {str(path.relative_to(self.bucket)): path.read_bytes()
                for path in self.bucket.rglob("*") if path.is_file() and not any(
                    part.startswith(".") for part in path.relative_to(self.bucket).parts)}

    def until(self, what, seconds=30):
        """Waits until `what()` is true; gives what it was last."""
        end = time.monotonic() + seconds
        while not (last := what()) and time.monotonic() < end:
            time.sleep(0.05)
        return last

    def storage(self, lab):
        status, _, ready = lab.call("GET", "/health/ready")
        return status, ready["status"], ready["components"]["storage"]["status"]

    def place(self, lab, token):
        experiment = self.made(lab, token, "/experiments", {"name": "e"})["id"]
        run = self.made(lab, token, f"/experiments/{experiment}/runs", {})["id"]
        return f"/experiments/{experiment}/runs/{run}/artifacts"

    def send(self, lab, token, path, data, kind):
        request = urllib.request.Request(lab.url(path), data=data, method="POST")
        request.add_header("Content-Type", kind)
        request.add_header("Authorization", f"Bearer {token}")
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.loads(answer.read())

    def test_what_is_uploaded_is_in_the_bucket_and_comes_back_from_it(self):
        lab = self.lab()
        token = self.user(lab)
        self.assertEqual(self.storage(lab), (200, "healthy", "healthy"))
        artifacts = self.place(lab, token)
        weights = bytes(range(256)) * 1000
        one = self.send(lab, token, f"{artifacts}?name=weights%20v1.bin", weights,
                        "application/octet-stream")
        dataset = self.made(lab, token, "/datasets", {"name": "d"})["id"]
        version = self.send(lab, token, f"/datasets/{dataset}/import", ROWS, "application/x-ndjson")
        rows_key = f"datasets/sha256/{version['content_hash']}/data.jsonl"
        files = self.files()
        self.assertEqual(set(files), {one["s3_path"], rows_key})
        self.assertEqual(files[one["s3_path"]], weights)
        # Another machine, or this one without its disk.
        shutil.rmtree(lab.home.path / "objects")
        request = urllib.request.Request(lab.url(f"{artifacts}/{one['id']}/content"))
        request.add_header("Authorization", f"Bearer {token}")
        with urllib.request.urlopen(request, timeout=60) as answer:
            self.assertEqual(answer.read(), weights)
        link = lab.call("GET", f"/datasets/{dataset}/download", token=token)[2]["download_url"]
        with urllib.request.urlopen(link, timeout=60) as answer:
            self.assertEqual([json.loads(line)["id"] for line in answer.read().splitlines()], ["a", "b"])
        self.assertEqual(lab.call("DELETE", f"{artifacts}/{one['id']}", token=token)[0], 204)
        self.assertEqual(set(self.files()), {rows_key})
        lab.stop()
        lab.reader.join(5)
        self.assertNotIn(self.s3.secret, json.dumps(lab.log))
        self.assertFalse([line for line in lab.log if "S3_BUCKET" in line["message"]])

    def test_a_run_has_its_rows_and_recorded_outputs_from_the_bucket(self):
        lab = self.lab()
        token = self.user(lab)
        sets = {}
        for name, rows in (
            ("sums", [{"id": str(n), "question": f"{n} + {n}?", "answer": str(2 * n)} for n in range(40)]),
            ("outputs", [{"id": str(n), "output": str(2 * n)} for n in range(40)]),
        ):
            sets[name] = self.made(lab, token, "/datasets", {"name": name})["id"]
            data = "".join(json.dumps(row) + "\n" for row in rows).encode()
            self.send(lab, token, f"/datasets/{sets[name]}/import", data, "application/x-ndjson")
        model = self.made(lab, token, "/models", {
            "name": "m", "provider": "custom", "model_identifier": "m",
            "config": {"replay_dataset": sets["outputs"]}})
        experiment = self.made(lab, token, "/experiments", {"name": "sums", "config": {
            "model_ids": [model["id"]], "dataset_ids": [sets["sums"]],
            "scorers": [{"type": "numeric", "id": "accuracy", "reference": "{{answer}}"}]}})
        path = f"/experiments/{experiment['id']}"
        objects = lab.home.path / "objects"
        shutil.rmtree(objects)
        status, _, started = lab.call("POST", f"{path}/start", token=token)
        self.assertEqual(status, 200, started)

        def run():
            return lab.call("GET", f"{path}/runs", token=token)[2]["data"][0]
        self.until(lambda: run()["status"] not in ("pending", "queued", "running"))
        self.assertEqual(run()["status"], "completed", run())
        self.assertEqual(lab.call("GET", f"{path}/metrics", token=token)[2]["accuracy"], 1.0)
        shutil.rmtree(objects)
        status, _, report = lab.call("GET", f"{path}/runs/{run()['id']}/report?format=json", token=token)
        self.assertEqual(status, 200, report)

    def test_a_bucket_that_is_away_degrades_and_comes_back(self):
        lab = self.lab()
        token = self.user(lab)
        artifacts = self.place(lab, token)
        one = self.send(lab, token, f"{artifacts}?name=a", b"kept", "text/plain")
        port = self.s3.port
        self.s3.end()
        self.assertTrue(self.until(lambda: self.storage(lab) == (200, "degraded", "unhealthy")),
                        self.storage(lab))
        status, _, answer = lab.call("POST", f"{artifacts}?name=b", token=token, raw=b"lost")
        self.assertIn(status, (502, 503), answer)
        self.assertEqual(lab.call("GET", artifacts, token=token)[2]["pagination"]["total"], 1)
        # What does not need the bucket goes on, and so does what this machine still has.
        self.assertEqual(lab.call("GET", "/experiments", token=token)[0], 200)
        self.assertEqual(lab.call("GET", f"{artifacts}/{one['id']}/content", token=token)[2], "kept")
        self.assertTrue(self.s3.start(port))
        self.assertTrue(self.until(lambda: self.storage(lab) == (200, "healthy", "healthy")),
                        self.storage(lab))
        self.send(lab, token, f"{artifacts}?name=b", b"found", "text/plain")
        self.assertEqual(sorted(self.files().values()), [b"found", b"kept"])
        said = [line["message"] for line in lab.log if line["target"].endswith("s3")]
        self.assertEqual(said, ["the object store cannot be reached", "the object store can be used again"])

    def test_wrong_credentials_are_said_and_not_shown(self):
        lab = self.server(
            S3_BUCKET=s3_tool.BUCKET, S3_ENDPOINT=f"http://127.0.0.1:{self.s3.port}",
            AWS_ACCESS_KEY_ID=self.s3.key, AWS_SECRET_ACCESS_KEY="not-the-secret-at-all")
        token = self.user(lab)
        self.assertEqual(self.storage(lab), (200, "degraded", "unhealthy"))
        detailed = lab.call("GET", "/health/detailed", token=token)[2]
        self.assertIn("credentials are not right", json.dumps(detailed))
        self.assertNotIn("not-the-secret-at-all", json.dumps(detailed) + json.dumps(lab.log))


if __name__ == "__main__":
    unittest.main()
