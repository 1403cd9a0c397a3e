"""How a client is set up."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping
from urllib.parse import urlsplit

from ._version import VERSION
from .errors import ConfigurationError


@dataclasses.dataclass(frozen=True)
class ApiKey:
    """A key of the service, sent as X-API-Key."""

    key: str = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True)
class Bearer:
    """An access token from elsewhere; it is not refreshed."""

    token: str = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True)
class Login:
    """E-mail address and password: logs in when needed, refreshes the token, logs in again."""

    email: str
    password: str = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True)
class AdminKey:
    """The operator's key, for admin routes."""

    key: str = dataclasses.field(repr=False)


Auth = ApiKey | Bearer | Login | AdminKey | None


@dataclasses.dataclass(frozen=True)
class Config:
    """Seconds throughout. Raises ConfigurationError."""

    base_url: str
    auth: Auth = None
    timeout: float = 30.0
    connect_timeout: float = 10.0
    #: further tries after the first: on no connection, timeout, 429 and 5xx; of writes only with an
    #: Idempotency-Key, which the client sends with every POST of its own accord
    max_retries: int = 3
    backoff_first: float = 0.1
    backoff_most: float = 30.0
    user_agent: str = f"llm-research-client/{VERSION}"
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    logger: logging.Logger = dataclasses.field(default_factory=lambda: logging.getLogger("llm_research_client"))

    def __post_init__(self) -> None:
        if urlsplit(self.base_url).scheme not in ("http", "https") or not urlsplit(self.base_url).netloc:
            raise ConfigurationError(f"base_url must be such as https://lab.example.org, not {self.base_url!r}")
        if self.timeout <= 0 or self.connect_timeout <= 0:
            raise ConfigurationError("timeout and connect_timeout must be more than 0 seconds")
        if not 0 <= self.max_retries <= 100:
            raise ConfigurationError("max_retries must be 0 to 100")
        if self.backoff_first <= 0 or self.backoff_most < self.backoff_first:
            raise ConfigurationError("backoff_first must be more than 0, and backoff_most not less")
