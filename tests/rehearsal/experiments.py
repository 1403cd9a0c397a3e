"""Experiments that run while things are done to the service, and what has to be true of them afterwards."""
import json
import time
import urllib.error
import urllib.request
import uuid

PASSWORD = "correct horse battery staple"


class Service:
    """The API as a client sees it."""

    def __init__(self, url):
        self.url, self.token = url, None

    def call(self, method, path, body=None, attempts=1):
        """(status, body). A connection that breaks is tried again when asked to."""
        for attempt in range(attempts):
            request = urllib.request.Request(self.url + path, method=method,
                                             data=json.dumps(body).encode() if body is not None else None)
            request.add_header("Content-Type", "application/json")
            if self.token:
                request.add_header("Authorization", f"Bearer {self.token}")
            try:
                with urllib.request.urlopen(request, timeout=60) as answer:
                    return answer.status, parse(answer)
            except urllib.error.HTTPError as error:
                return error.code, parse(error)
            except OSError:
                if attempt + 1 == attempts:
                    raise
                time.sleep(0.5)

    def made(self, path, body):
        status, made = self.call("POST", path, body)
        if status != 201:
            raise RuntimeError(f"POST {path}: {status} {made}")
        return made

    def got(self, path):
        status, found = self.call("GET", path, attempts=5)
        if status != 200:
            raise RuntimeError(f"GET {path}: {status} {found}")
        return found

    def login(self, email):
        status, tokens = self.call("POST", "/auth/token", {"email": email, "password": PASSWORD})
        if status != 200:
            raise RuntimeError(f"POST /auth/token: {status} {tokens}")
        self.token = tokens["access_token"]

    def upload(self, name, rows):
        """The id of a data set with these rows."""
        made = self.made("/datasets", {"name": name, "format": "jsonl"})
        link = self.call("POST", f"/datasets/{made['id']}/upload", {"filename": "rows.jsonl"})[1]
        url = link["upload_url"]
        data = "".join(json.dumps(row) + "\n" for row in rows).encode()
        request = urllib.request.Request(url if "://" in url else self.url + url, data=data, method="PUT")
        for key, value in link.get("headers", {}).items():
            request.add_header(key, value)
        with urllib.request.urlopen(request, timeout=60):
            pass
        return made["id"]


def parse(answer):
    data = answer.read()
    if answer.headers.get("Content-Type", "").startswith("application/json"):
        return json.loads(data)
    return data.decode(errors="replace")


class Experiments:
    """`count` of `rows` each, started. Prompts of no two are the same, so that the model server can tell them."""

    def __init__(self, service, llm, llm_url, count=20, rows=60, concurrency=1):
        self.service, self.llm, self.count, self.rows = service, llm, count, rows
        self.mark = uuid.uuid4().hex[:8]
        dataset = service.upload(f"rows {self.mark}", [
            {"id": str(i), "q": f"row {i}", "reference": "x"} for i in range(rows)])
        model = service.made("/models", {
            "name": f"m {self.mark}", "provider": "custom", "model_identifier": "m",
            "config": {"base_url": llm_url, "pricing": {"input_per_million": "1", "output_per_million": "1"}}})
        self.runs = []
        for number in range(count):
            prompt = service.made("/prompts", {
                "name": f"p {self.mark} {number}", "template": f"{self.mark} {number}: {{{{q}}}}"})
            made = service.made("/experiments", {"name": f"e {self.mark} {number}", "config": {
                "dataset_ids": [dataset], "model_ids": [model["id"]], "prompt_template_ids": [prompt["id"]],
                "evaluation_metrics": ["exact_match"], "run": {"concurrency": concurrency}}})
            path = f"/experiments/{made['id']}"
            status, started = service.call("POST", f"{path}/start")
            if status != 200:
                raise RuntimeError(f"POST {path}/start: {status} {started}")
            run = service.got(f"{path}/runs")["data"][0]["id"]
            self.runs.append(f"{path}/runs/{run}")

    def answered(self):
        """How often each prompt was answered."""
        found = {}
        for request in list(self.llm.requests):
            if request.prompt.startswith(self.mark) and request.answered_at is not None:
                found[request.prompt] = found.get(request.prompt, 0) + 1
        return found

    def wait(self, seconds=300):
        end = time.monotonic() + seconds
        for run in self.runs:
            while (shown := self.service.got(run))["status"] not in ("completed", "failed", "cancelled"):
                if time.monotonic() > end:
                    raise RuntimeError(f"{run} is {shown['status']} after {seconds} s: {shown}")
                time.sleep(0.5)

    def check(self, sql):
        """(what is wrong, in words; a summary). Every sample is there once. A call that was cut off is asked again
        and counted as uncertain: answers beyond one for each row are such, and no more than are told."""
        wrong, stored = [], 0
        for run in self.runs:
            shown = self.service.got(run)
            totals = shown["totals"]
            if shown["status"] != "completed" or totals["successful_samples"] != self.rows:
                wrong.append(f"{run}: {shown['status']}, {totals['successful_samples']} of {self.rows} samples")
            stored += totals["successful_samples"]
        answered = self.answered()
        uncertain = int(sql("SELECT count(*) FROM uncertain"))
        left = int(sql("SELECT count(*) FROM intents"))
        if left:
            wrong.append(f"{left} intents of calls are left")
        twice = sum(times - 1 for times in answered.values())
        if len(answered) != self.count * self.rows:
            wrong.append(f"{len(answered)} of {self.count * self.rows} prompts were ever answered")
        if twice > uncertain:
            wrong.append(f"{twice} calls were made again, and {uncertain} are told as uncertain")
        return wrong, f"{self.count} runs, {stored} samples stored once, {twice} asked again, {uncertain} uncertain"
