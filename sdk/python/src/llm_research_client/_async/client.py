"""The client."""

from __future__ import annotations

from types import TracebackType
from typing import Any

import httpx
from typing_extensions import Self

from .. import models
from ..config import Config
from . import operations, resources
from .transport import AsyncTransport


class AsyncClient:
    """A client of the service at `base_url`; the options are those of Config.

    Use it as a context, or close it. One client may be used by many tasks at once.
    """

    def __init__(self, base_url: str, *, transport: httpx.AsyncBaseTransport | None = None, **options: Any) -> None:
        self.config = Config(base_url, **options)
        self._transport = AsyncTransport(self.config, transport)
        self.experiments = resources.AsyncExperiments(self._transport)
        self.runs = resources.AsyncRuns(self._transport)
        self.models = resources.AsyncModels(self._transport)
        self.datasets = resources.AsyncDatasets(self._transport)
        self.prompts = resources.AsyncPrompts(self._transport)
        self.evaluations = resources.AsyncEvaluations(self._transport)
        self.users = operations.AsyncUsers(self._transport)
        self.api_keys = operations.AsyncApiKeys(self._transport)
        self.credentials = operations.AsyncCredentials(self._transport)
        self.artifacts = operations.AsyncArtifacts(self._transport)
        self.analyses = operations.AsyncAnalyses(self._transport)
        self.admin = operations.AsyncAdmin(self._transport)

    async def me(self) -> models.Identity:
        """Who the caller is and may do."""
        found: models.Identity = await self._transport.json("GET", "/auth/me", models.Identity)
        return found

    async def ready(self) -> models.Health:
        """Whether the service can take requests."""
        found: models.Health = await self._transport.json("GET", "/health/ready", models.Health, signed=False)
        return found

    async def request(self, method: str, path: str, **what: Any) -> httpx.Response:
        """Any route, with credentials, tries and errors as everywhere: `params`, `body` as JSON, `headers`."""
        return await self._transport.request(method, path, **what)

    async def aclose(self) -> None:
        await self._transport.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()
