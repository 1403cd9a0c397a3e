"""Tries, tokens and streams against a server that fails as it is told."""

from __future__ import annotations

import http.server
import json
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import llm_research_client as lab
from llm_research_client import Client

Handler = Callable[[Any], None]
PAGE = {"data": [], "pagination": {"total": 0, "limit": 20, "offset": 0, "has_more": False, "next_cursor": None}}
MODEL: dict[str, Any] = {
    "id": "1",
    "name": "m",
    "description": "",
    "provider": "openai",
    "model_identifier": "x",
    "version": "",
    "config": {},
    "visibility": "org",
    "collaborators": [],
    "tags": [],
    "metadata": {},
    "owner_id": None,
    "created_at": "2026-01-01T00:00:00Z",
    "updated_at": "2026-01-01T00:00:00Z",
}
RUN: dict[str, Any] = {
    "id": "r",
    "experiment_id": "e",
    "run_number": 1,
    "name": "run 1",
    "status": "pending",
    "origin": "client",
    "config": {},
    "started_at": None,
    "completed_at": None,
    "duration_ms": None,
    "error": None,
    "progress": {"total_samples": 0, "processed_samples": 0, "current_step": None, "estimated_completion": None},
    "totals": {"successful_samples": 0, "failed_samples": 0, "total_tokens": 0, "total_cost": "0"},
    "steps": [],
    "environment": {},
    "manifest": {},
    "parent_run_id": None,
    "created_by": None,
    "created_at": "2026-01-01T00:00:00Z",
}


class Script:
    """Answers the n-th request with the n-th step, and keeps what was asked."""

    def __init__(self, *steps: Handler) -> None:
        self.steps = list(steps)
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []
        script = self

        class Answer(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, format: str, *args: object) -> None:
                pass

            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                headers = {key.lower(): value for key, value in self.headers.items()}
                script.seen.append((self.command, self.path, headers, body))
                script.steps.pop(0)(self)

            do_GET = do_POST = do_PUT = do_DELETE = handle_any

        class Threads(socketserver.ThreadingMixIn, http.server.HTTPServer):
            daemon_threads = True

        self.server = Threads(("127.0.0.1", 0), Answer)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def scripted() -> Iterator[Callable[..., Script]]:
    made: list[Script] = []

    def make(*steps: Handler) -> Script:
        made.append(Script(*steps))
        return made[-1]

    yield make
    for script in made:
        assert not script.steps, "not everything was asked for"
        script.close()


def says(status: int, body: Any, **headers: str) -> Handler:
    def step(answer: Any) -> None:
        data = json.dumps(body).encode()
        answer.send_response(status)
        for name, value in headers.items():
            answer.send_header(name.replace("_", "-"), value)
        answer.send_header("Content-Type", "application/json")
        answer.send_header("Content-Length", str(len(data)))
        answer.end_headers()
        answer.wfile.write(data)

    return step


def error(status: int, code: str, **more: Any) -> Handler:
    headers = {"Retry_After": str(more["retry_after"])} if "retry_after" in more else {}
    return says(status, {"error": {"code": code, "message": "no", "request_id": "r-1", **more}}, **headers)


def drops(answer: Any) -> None:
    answer.connection.close()
    answer.close_connection = True


def quick(url: str, **options: Any) -> Client:
    return Client(url, backoff_first=0.01, **options)


def test_reads_are_tried_again_until_they_succeed(scripted: Callable[..., Script]) -> None:
    script = scripted(error(503, "OVERLOADED"), drops, error(500, "INTERNAL_ERROR"), says(200, PAGE))
    with quick(script.url) as client:
        assert client.models.list().data == []
    assert len(script.seen) == 4


def test_a_list_that_is_longer_than_the_server_counts(scripted: Callable[..., Script]) -> None:
    counted = {"total": None, "total_at_least": 10_000, "has_more": True, "next_cursor": "c"}
    script = scripted(says(200, {"data": [], "pagination": {"limit": 20, "offset": 0, **counted}}))
    with quick(script.url) as client:
        page = client.prompts.list()
    assert (page.total, page.total_at_least, page.has_more) == (None, 10_000, True)


def test_no_more_tries_than_configured(scripted: Callable[..., Script]) -> None:
    script = scripted(*[error(503, "OVERLOADED")] * 3)
    with quick(script.url, max_retries=2) as client, pytest.raises(lab.ServerError) as failed:
        client.models.list()
    assert failed.value.retryable and failed.value.request_id == "r-1"


def test_creating_is_tried_again_with_one_key(scripted: Callable[..., Script]) -> None:
    script = scripted(drops, error(503, "OVERLOADED"), says(201, MODEL))
    with quick(script.url) as client:
        client.models.create(name="m", provider="openai", model_identifier="x")
    keys = [headers["idempotency-key"] for _, _, headers, _ in script.seen]
    assert len(keys) == 3 and len(set(keys)) == 1
    assert len({body for _, _, _, body in script.seen}) == 1


def test_a_write_without_a_key_is_sent_once(scripted: Callable[..., Script]) -> None:
    script = scripted(error(503, "OVERLOADED"), drops)
    with quick(script.url) as client:
        with pytest.raises(lab.ServerError):
            client.models.update("1", name="n")
        with pytest.raises(lab.NetworkError):
            client.models.delete("1")


def test_retry_after_is_honoured(scripted: Callable[..., Script]) -> None:
    script = scripted(error(429, "RATE_LIMIT_EXCEEDED", retry_after=1, limit=10, remaining=0), says(200, PAGE))
    started = time.monotonic()
    with quick(script.url) as client:
        client.models.list()
    assert time.monotonic() - started >= 1
    far = scripted(error(429, "RATE_LIMIT_EXCEEDED", retry_after=3600, limit=10, remaining=0))
    with quick(far.url) as client, pytest.raises(lab.RateLimitedError) as told:
        client.models.list()
    assert (told.value.retry_after, told.value.limit, told.value.remaining) == (3600, 10, 0)


def test_refusals_are_not_tried_again(scripted: Callable[..., Script]) -> None:
    for status, kind in ((400, lab.ValidationError), (404, lab.NotFoundError), (409, lab.ConflictError)):
        script = scripted(error(status, "X"))
        with quick(script.url) as client, pytest.raises(kind):
            client.models.list()


def tokens(n: int, life: int = 3600) -> Handler:
    pair = {"access_token": f"a{n}", "refresh_token": f"r{n}", "token_type": "Bearer", "expires_in": life}
    return says(200, pair)


def test_a_login_is_refreshed_and_made_anew(scripted: Callable[..., Script]) -> None:
    script = scripted(
        tokens(1),
        says(200, PAGE),
        error(401, "UNAUTHORIZED"),
        tokens(2),
        says(200, PAGE),
        error(401, "UNAUTHORIZED"),
        error(401, "UNAUTHORIZED"),
        tokens(3),
        says(200, PAGE),
    )
    with quick(script.url, auth=lab.Login("a@example.org", "secret")) as client:
        for _ in range(3):
            client.models.list()
    said = [(path, json.loads(body) if body else None) for _, path, _, body in script.seen]
    assert [path for path, _ in said] == [
        "/auth/login",
        "/models",
        "/models",
        "/auth/refresh",
        "/models",
        "/models",
        "/auth/refresh",
        "/auth/login",
        "/models",
    ]
    assert said[3][1] == {"refresh_token": "r1"} and said[6][1] == {"refresh_token": "r2"}
    assert script.seen[-1][2]["authorization"] == "Bearer a3"


def test_a_token_is_refreshed_before_it_ends(scripted: Callable[..., Script]) -> None:
    script = scripted(tokens(1, life=0), says(200, PAGE), tokens(2), says(200, PAGE), says(200, PAGE))
    with quick(script.url, auth=lab.Login("a@example.org", "secret")) as client:
        for _ in range(3):
            client.models.list()
    assert [path for _, path, _, _ in script.seen][2] == "/auth/refresh"


def test_a_wrong_password_is_an_error_at_once(scripted: Callable[..., Script]) -> None:
    script = scripted(error(401, "UNAUTHORIZED"))
    with quick(script.url, auth=lab.Login("a@example.org", "wrong")) as client, pytest.raises(lab.AuthenticationError):
        client.models.list()


def test_credentials_are_sent_and_not_shown(scripted: Callable[..., Script]) -> None:
    for auth, header, value in (
        (lab.ApiKey("k-secret"), "x-api-key", "k-secret"),
        (lab.Bearer("t-secret"), "authorization", "Bearer t-secret"),
        (lab.AdminKey("o-secret"), "x-admin-key", "o-secret"),
    ):
        script = scripted(says(200, PAGE))
        with quick(script.url, auth=auth, headers={"X-Team": "blue"}, user_agent="mine/1") as client:
            client.models.list()
            assert "secret" not in repr(client.config)
        headers = script.seen[0][2]
        assert (headers[header], headers["x-team"], headers["user-agent"]) == (value, "blue", "mine/1")


def test_silence_is_a_timeout(scripted: Callable[..., Script]) -> None:
    heard = threading.Event()
    script = scripted(lambda answer: heard.wait(10) and None)
    with quick(script.url, timeout=0.2, max_retries=0) as client, pytest.raises(lab.TimeoutError) as late:
        client.models.list()
    heard.set()
    assert late.value.retryable


def test_what_is_not_documented_is_an_error(scripted: Callable[..., Script]) -> None:
    script = scripted(says(200, {"data": 1}), says(200, {**MODEL, "name": None}), says(200, {**MODEL, "later": 1}))
    with quick(script.url) as client:
        with pytest.raises(lab.SerializationError):
            client.models.list()
        with pytest.raises(lab.SerializationError):
            client.models.get("1")
        assert (client.models.get("1").model_extra or {})["later"] == 1


def events(*texts: str) -> Handler:
    def step(answer: Any) -> None:
        answer.send_response(200)
        answer.send_header("Content-Type", "text/event-stream")
        answer.send_header("Connection", "close")
        answer.end_headers()
        answer.wfile.write("".join(texts).encode())
        answer.close_connection = True

    return step


def test_events_go_on_behind_the_last_one(scripted: Callable[..., Script]) -> None:
    script = scripted(
        events('id: 7\nevent: progress\ndata: {"done": 1}\n\n', "event: progress\ndata: {"),
        error(503, "OVERLOADED"),
        events(": still here\n\n", 'id: 8\nevent: done\ndata: {"status":\ndata: "completed"}\n\n'),
    )
    with quick(script.url) as client:
        found = list(client.runs.events("e", "r"))
    assert [(one.id, one.type, one.data) for one in found] == [
        ("7", "progress", {"done": 1}),
        ("8", "done", {"status": "completed"}),
    ]
    assert [headers.get("last-event-id") for _, _, headers, _ in script.seen] == [None, "7", "7"]


def test_a_path_cannot_be_left(scripted: Callable[..., Script]) -> None:
    script = scripted(says(200, MODEL))
    with quick(script.url) as client:
        client.models.get("../admin?x=#y")
    assert script.seen[0][1] == "/models/..%2Fadmin%3Fx%3D%23y"


@pytest.mark.parametrize("options", [{"timeout": 0}, {"max_retries": -1}, {"backoff_first": 0}, {"backoff_most": 0.01}])
def test_options_that_cannot_be(options: dict[str, Any]) -> None:
    with pytest.raises(lab.ConfigurationError):
        Client("http://127.0.0.1:1", **options)
    with pytest.raises(lab.ConfigurationError):
        Client("lab.example.org")


def test_a_redirection_is_no_success(scripted: Callable[..., Script]) -> None:
    script = scripted(says(302, {}, Location="https://sign-in.example.org/"), says(302, {}), says(302, {}))
    with quick(script.url) as client:
        for ask in (lambda: client.models.delete("1"), lambda: client.models.get("1"), client.models.list):
            with pytest.raises(lab.ApiError) as caught:
                ask()
            assert caught.value.status == 302


def test_an_error_names_the_members_that_are_wrong(scripted: Callable[..., Script]) -> None:
    wrong = [{"field": f"m{i}", "message": "must not be empty"} for i in range(12)]
    script = scripted(error(422, "VALIDATION_ERROR", details=wrong))
    with quick(script.url) as client, pytest.raises(lab.ValidationError) as caught:
        client.models.get("1")
    assert "; m0: must not be empty; m1: must not be empty" in str(caught.value)
    assert "m10" not in str(caught.value) and "; and 2 more (request r-1)" in str(caught.value)
    assert len(caught.value.details) == 12


def test_a_closed_client_says_so() -> None:
    client = quick("http://127.0.0.1:1")
    client.close()
    with pytest.raises(lab.ConfigurationError, match="closed"):
        client.models.list()


class Half:
    """As numpy has numbers that are no numbers of Python."""

    def tolist(self) -> float:
        return 0.5


def test_what_cannot_be_json_is_refused_where_it_is_logged(scripted: Callable[..., Script]) -> None:
    taken = {"received": 1, "added": 1}
    script = scripted(says(201, RUN), says(201, taken), says(200, {**RUN, "status": "failed"}))
    with quick(script.url) as client, pytest.raises(lab.SerializationError), client.runs.start("e") as mine:
        mine.log_sample(id="1", output="kept", scores={"accuracy": Half()})
        with pytest.raises(lab.SerializationError):
            mine.log_metrics({"loss": float("inf")})
        mine.log_sample(id="2", output=object())
    assert json.loads(script.seen[1][3]) == [{"id": "1", "output": "kept", "scores": {"accuracy": 0.5}}]
    assert script.seen[2][1].endswith("/fail") and b"object is no value of JSON" in script.seen[2][3]


def test_a_run_whose_samples_are_refused_is_failed(scripted: Callable[..., Script]) -> None:
    script = scripted(says(201, RUN), error(422, "VALIDATION_ERROR"), says(200, {**RUN, "status": "failed"}))
    with quick(script.url) as client, pytest.raises(lab.ValidationError), client.runs.start("e") as mine:
        mine.log_sample(id="1", output="kept")
    assert script.seen[2][1].endswith("/fail") and mine.run.status == "failed"
