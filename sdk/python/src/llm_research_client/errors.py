"""What can go wrong. Each says whether the same request may succeed when it is sent again."""

from __future__ import annotations

from typing import Any

import httpx

#: members that the words of an error name; `ValidationError.details` has all
DETAILS_SHOWN = 10


class LlmResearchError(Exception):
    """Everything that this client raises."""

    retryable = False


class ConfigurationError(LlmResearchError):
    """The client was set up with what cannot be."""


class NetworkError(LlmResearchError):
    """No connection, or it broke."""

    retryable = True


class TimeoutError(NetworkError):
    """No answer in time."""


class SerializationError(LlmResearchError):
    """The answer is not what the document says, or what was given cannot be JSON."""


def _told(body: dict[str, Any]) -> str:
    """The members that are wrong, for the words of an error: "; name: must not be empty"."""
    details = body.get("details")
    parts = [
        f"{one.get('field', '')}: {one.get('message', '')}".removeprefix(": ")
        for one in (details if isinstance(details, list) else [])
        if isinstance(one, dict)
    ]
    more = [f"and {len(parts) - DETAILS_SHOWN} more"] if len(parts) > DETAILS_SHOWN else []
    return "".join(f"; {part}" for part in parts[:DETAILS_SHOWN] + more)


class ApiError(LlmResearchError):
    """The service refused the request."""

    def __init__(self, status: int, code: str, message: str, request_id: str | None, body: dict[str, Any]) -> None:
        super().__init__(
            f"{status} {code}: {message}{_told(body)}" + (f" (request {request_id})" if request_id else "")
        )
        self.status = status
        self.code = code
        self.message = message
        self.request_id = request_id
        #: the other members: `existing_id`, `current`, `allowed`, `required_permission` ...
        self.body = body


class AuthenticationError(ApiError):
    """401: no good credential."""


class AuthorizationError(ApiError):
    """403: `body["required_permission"]` is what it needs."""


class NotFoundError(ApiError):
    """404, also for what the caller may not see."""


class ConflictError(ApiError):
    """409 or 412: it is there already, something refers to it, or it was changed meanwhile."""


class ValidationError(ApiError):
    """422, or 400 for what cannot be understood; `details` say which members and why."""

    @property
    def details(self) -> list[dict[str, str]]:
        found = self.body.get("details")
        return found if isinstance(found, list) else []


class InvalidStateError(ApiError):
    """400 INVALID_STATE: `body["current"]` is the state, `body["allowed"]` those that may follow."""


class RateLimitedError(ApiError):
    """429."""

    retryable = True

    @property
    def retry_after(self) -> float | None:
        value = self.body.get("retry_after")
        return float(value) if value is not None else None

    @property
    def limit(self) -> int | None:
        return self.body.get("limit")

    @property
    def remaining(self) -> int | None:
        return self.body.get("remaining")


class ServerError(ApiError):
    """5xx."""

    retryable = True


_BY_STATUS: dict[int, type[ApiError]] = {
    400: ValidationError,
    401: AuthenticationError,
    403: AuthorizationError,
    404: NotFoundError,
    409: ConflictError,
    412: ConflictError,
    422: ValidationError,
    429: RateLimitedError,
}


def error_of(response: httpx.Response) -> ApiError:
    """The error that a read answer other than 2xx stands for, whoever wrote it."""
    try:
        whole = response.json()
        found = whole["error"]
        body = found if isinstance(found, dict) else {}
    except (ValueError, KeyError, TypeError):
        body = {}
    status = response.status_code
    code = str(body.get("code", "UNKNOWN"))
    message = str(body.get("message", response.reason_phrase))
    request_id = body.get("request_id") or response.headers.get("x-request-id")
    kind: type[ApiError] = _BY_STATUS.get(status, ServerError if status >= 500 else ApiError)
    if code == "INVALID_STATE":
        kind = InvalidStateError
    rest = {key: value for key, value in body.items() if key not in ("code", "message", "request_id")}
    if "retry_after" not in rest and response.headers.get("retry-after", "").isdigit():
        rest["retry_after"] = int(response.headers["retry-after"])
    return kind(status, code, message, request_id, rest)
