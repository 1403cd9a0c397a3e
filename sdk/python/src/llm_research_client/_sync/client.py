"""The client."""

from __future__ import annotations

from types import TracebackType
from typing import Any

import httpx
from typing_extensions import Self

from .. import models
from ..config import Config
from . import operations, resources
from .transport import Transport


class Client:
    """A client of the service at `base_url`; the options are those of Config.

    Use it as a context, or close it. One client may be used by many threads at once.
    """

    def __init__(self, base_url: str, *, transport: httpx.BaseTransport | None = None, **options: Any) -> None:
        self.config = Config(base_url, **options)
        self._transport = Transport(self.config, transport)
        self.experiments = resources.Experiments(self._transport)
        self.runs = resources.Runs(self._transport)
        self.models = resources.Models(self._transport)
        self.datasets = resources.Datasets(self._transport)
        self.prompts = resources.Prompts(self._transport)
        self.evaluations = resources.Evaluations(self._transport)
        self.users = operations.Users(self._transport)
        self.api_keys = operations.ApiKeys(self._transport)
        self.credentials = operations.Credentials(self._transport)
        self.artifacts = operations.Artifacts(self._transport)
        self.analyses = operations.Analyses(self._transport)
        self.admin = operations.Admin(self._transport)

    def me(self) -> models.Identity:
        """Who the caller is and may do."""
        found: models.Identity = self._transport.json("GET", "/auth/me", models.Identity)
        return found

    def ready(self) -> models.Health:
        """Whether the service can take requests."""
        found: models.Health = self._transport.json("GET", "/health/ready", models.Health, signed=False)
        return found

    def request(self, method: str, path: str, **what: Any) -> httpx.Response:
        """Any route, with credentials, tries and errors as everywhere: `params`, `body` as JSON, `headers`."""
        return self._transport.request(method, path, **what)

    def close(self) -> None:
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
