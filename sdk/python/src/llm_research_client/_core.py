"""Everything about a request but sending it: shared by the two clients."""

from __future__ import annotations

import dataclasses
import decimal
import enum
import json
import os
import random
import uuid
from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
import pydantic

from .base import Page
from .config import AdminKey, ApiKey, Bearer, Config
from .errors import ApiError, NetworkError, SerializationError, TimeoutError, error_of

T = TypeVar("T")
#: so many seconds before its end a token is not used any more
TOKEN_MARGIN = 30.0
CHUNK_BYTES = 1 << 16


@dataclasses.dataclass
class Spec:
    """A request as it will be sent, however often."""

    method: str
    path: str
    params: dict[str, Any]
    headers: dict[str, str]
    content: Any = None
    #: the body can be sent once only
    once: bool = False
    #: carries a credential
    signed: bool = True
    #: a write that may be sent twice
    harmless: bool = False

    @property
    def may_repeat(self) -> bool:
        safe = self.method in ("GET", "HEAD") or "Idempotency-Key" in self.headers or self.harmless
        return safe and not self.once


def segment(value: str) -> str:
    """A part of a path that cannot become two."""
    return quote(value, safe="") if value not in (".", "..") else value.replace(".", "%2E")


def spec_of(
    config: Config,
    method: str,
    path: str,
    *,
    params: Mapping[str, Any] | None = None,
    body: Any = None,
    content: Any = None,
    headers: Mapping[str, str] | None = None,
    idempotency_key: str | None = None,
    if_match: str | None = None,
    once: bool = False,
    signed: bool = True,
    harmless: bool = False,
) -> Spec:
    """Builds a request. `body` is sent as JSON, `content` as it is."""
    all_headers = {"User-Agent": config.user_agent, "Accept": "application/json", **config.headers, **(headers or {})}
    if body is not None:
        content = to_json(body)
        all_headers["Content-Type"] = "application/json"
    if method == "POST" and signed:
        all_headers["Idempotency-Key"] = idempotency_key or str(uuid.uuid4())
    if if_match is not None:
        all_headers["If-Match"] = if_match
    given = {name: _word(value) for name, value in (params or {}).items() if value is not None}
    return Spec(method, path, given, all_headers, content, once, signed, harmless)


def to_json(value: Any) -> bytes:
    """A body. Raises SerializationError, also for NaN, which JSON does not have."""
    try:
        return json.dumps(value, default=_plain, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise SerializationError(f"this cannot be sent as JSON: {error}") from error


def _plain(value: Any) -> Any:
    if isinstance(value, pydantic.BaseModel):
        return value.model_dump(mode="json", exclude_unset=True)
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if hasattr(value, "tolist"):  # numbers and arrays of numpy, tensors
        return value.tolist()
    if isinstance(value, (uuid.UUID, decimal.Decimal, os.PathLike, enum.Enum)):
        return str(value)
    raise TypeError(f"{type(value).__name__} is no value of JSON")


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple, set, frozenset)):
        return ",".join(map(str, value))
    return str(value.isoformat() if hasattr(value, "isoformat") else value)


def credential_headers(config: Config, token: str | None) -> dict[str, str]:
    """`token`: of a login."""
    if isinstance(config.auth, ApiKey):
        return {"X-API-Key": config.auth.key}
    if isinstance(config.auth, AdminKey):
        return {"X-Admin-Key": config.auth.key}
    if isinstance(config.auth, Bearer):
        return {"Authorization": f"Bearer {config.auth.token}"}
    return {"Authorization": f"Bearer {token}"} if token else {}


def timeout_of(config: Config) -> httpx.Timeout:
    return httpx.Timeout(config.timeout, connect=config.connect_timeout)


def network_error(error: httpx.TransportError) -> NetworkError:
    kind = TimeoutError if isinstance(error, httpx.TimeoutException) else NetworkError
    return kind(f"{type(error).__name__}: {error}")


def delay_before(config: Config, spec: Spec, tries: int, error: NetworkError | ApiError) -> float | None:
    """Seconds to wait before the next try; None: there is none. `tries`: those that were made."""
    if not error.retryable or not spec.may_repeat or tries > config.max_retries:
        return None
    ceiling = min(config.backoff_most, config.backoff_first * 2.0 ** (tries - 1))
    wait: float = ceiling * (0.5 + random.random() / 2)
    asked = error.body.get("retry_after") if isinstance(error, ApiError) else None
    if asked is not None:
        if float(asked) > config.backoff_most:
            return None  # longer than anybody wants to wait in a call
        wait = max(wait, float(asked))
    return wait


def read_json(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError as error:
        raise SerializationError(f"the answer of {response.request.url.path} is no JSON: {error}") from error


def read_as(kind: Any, value: Any) -> Any:
    try:
        return pydantic.TypeAdapter(kind).validate_python(value)
    except pydantic.ValidationError as error:
        raise SerializationError(f"the answer is not as documented: {error}") from error


def read_page(kind: Any, answer: Any) -> Page[Any]:
    """A page of a list."""
    try:
        return Page[kind].read(answer)
    except (pydantic.ValidationError, KeyError, TypeError) as error:
        raise SerializationError(f"the list is not as documented: {error}") from error


def raise_for(response: httpx.Response) -> None:
    """`response` has been read."""
    if not response.is_success:  # redirections are not followed: what was asked has not been done
        raise error_of(response)


@dataclasses.dataclass
class Event:
    """Of a run: `type` is progress, sample_failed, state or done."""

    id: str | None
    type: str
    data: Any


class EventReader:
    """Server-sent events out of lines. Source: html.spec.whatwg.org, section 9.2."""

    LINES_MAX = 10_000

    def __init__(self) -> None:
        self.last_id: str | None = None
        self._type = ""
        self._data: list[str] = []

    def restart(self) -> None:
        """A new connection: what was half told is told again."""
        self._data, self._type = [], ""

    def feed(self, line: str) -> Event | None:
        """A line without its end; gives the event that it completes."""
        if line:
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if name == "data":
                if len(self._data) >= self.LINES_MAX:
                    raise SerializationError("an event is too long")
                self._data.append(value)
            elif name == "event":
                self._type = value
            elif name == "id":
                self.last_id = value
            return None
        if not self._data:
            self._type = ""
            return None
        text, kind = "\n".join(self._data), self._type or "message"
        self.restart()
        try:
            return Event(self.last_id, kind, json.loads(text))
        except ValueError as error:
            raise SerializationError(f"the event {kind} is no JSON") from error


class RunBuffer:
    """Samples and points that wait to be sent, in batches that the service takes. Bounded."""

    BATCH = 1000
    BATCH_BYTES = 4 << 20

    def __init__(self, flush_at: int) -> None:
        self.flush_at = max(1, min(flush_at, self.BATCH))
        self.samples: list[dict[str, Any]] = []
        self.points: list[dict[str, Any]] = []

    def is_due(self) -> bool:
        return len(self.samples) >= self.flush_at or len(self.points) >= self.flush_at

    def add_sample(self, sample: Mapping[str, Any]) -> None:
        """Raises SerializationError here, where the sample is, and not when all of them are sent."""
        row = dict(sample)
        to_json(row)
        self.samples.append(row)

    def add_points(self, values: Mapping[str, float], step: int | None) -> None:
        points = self.points_of(values, step)
        to_json(points)
        self.points.extend(points)

    @staticmethod
    def points_of(values: Mapping[str, float], step: int | None) -> list[dict[str, Any]]:
        return [{"name": n, "value": float(v), **({} if step is None else {"step": step})} for n, v in values.items()]

    @classmethod
    def batches(cls, rows: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
        out: list[list[dict[str, Any]]] = []
        size = 0
        for row in rows:
            bytes_of_row = len(to_json(row))
            if not out or len(out[-1]) == cls.BATCH or size + bytes_of_row > cls.BATCH_BYTES:
                out.append([])
                size = 0
            out[-1].append(row)
            size += bytes_of_row
        return out
