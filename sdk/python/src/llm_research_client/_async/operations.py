"""More sub-clients: files of runs, analyses, and what operators do."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from typing_extensions import Unpack

from .. import _core, models, requests
from .._core import segment
from ..base import Open, Page
from ..errors import ConfigurationError
from .resources import AsyncNoun, AsyncResource, chunks_of, save_body


class AsyncUsers(AsyncNoun[models.User]):
    path = "/admin/users"
    kind = models.User

    async def create(self, **members: Unpack[requests.CreateUserRequest]) -> models.User:
        """Makes one of the members given."""
        return await self._create(members)

    async def update(
        self, id: str, *, if_match: str | None = None, **members: Unpack[requests.UpdateUserRequest]
    ) -> models.User:
        """Changes the members that are given, and no other."""
        return await self._update(id, members, if_match)


class AsyncApiKeys(AsyncNoun[models.ApiKey]):
    path = "/admin/api-keys"
    kind = models.ApiKey

    async def create(self, **members: Unpack[requests.CreateApiKeyRequest]) -> models.NewApiKey:
        """The answer is the only one that has the key itself."""
        made: models.NewApiKey = await self._transport.json("POST", self.path, models.NewApiKey, body=members)
        return made

    async def rotate(self, id: str, overlap_hours: float = 0) -> models.NewApiKey:
        """A new key with the same rights; the old one ends after `overlap_hours`."""
        made: models.NewApiKey = await self._transport.json(
            "POST", f"{self.path}/{segment(id)}/rotate", models.NewApiKey, body={"overlap_hours": overlap_hours}
        )
        return made


class AsyncCredentials(AsyncNoun[models.Credential]):
    """Names under which keys of model servers lie; the keys themselves are never sent or answered.

    Where others take an id, these take the name.
    """

    path = "/admin/credentials"
    kind = models.Credential

    async def create(self, **members: Unpack[requests.CreateCredentialRequest]) -> models.Credential:
        """Says where a key lies (`env:NAME`, `file:/PATH`) and to which hosts it may be sent."""
        return await self._create(members)

    async def update(
        self, id: str, *, if_match: str | None = None, **members: Unpack[requests.UpdateCredentialRequest]
    ) -> models.Credential:
        """Replaces the members that are given."""
        return await self._update(id, members, if_match)


class AsyncArtifacts(AsyncResource):
    """Files of runs."""

    @staticmethod
    def _of(experiment_id: str, run_id: str, artifact_id: str | None = None) -> str:
        path = f"/experiments/{segment(experiment_id)}/runs/{segment(run_id)}/artifacts"
        return path if artifact_id is None else f"{path}/{segment(artifact_id)}"

    async def upload(
        self,
        experiment_id: str,
        run_id: str,
        path: str | os.PathLike[str],
        *,
        name: str | None = None,
        artifact_type: str = "other",
        mime_type: str = "application/octet-stream",
    ) -> models.Artifact:
        """Sends a file as a stream; its name is the artifact's when `name` is not given."""
        file = Path(path)
        if not file.is_file():
            raise ConfigurationError(f"there is no file {file}")
        sent: models.Artifact = await self._transport.json(
            "POST",
            self._of(experiment_id, run_id),
            models.Artifact,
            params={"name": name or file.name, "artifact_type": artifact_type, "mime_type": mime_type},
            content=chunks_of(file),
            headers={"Content-Type": "application/octet-stream", "Content-Length": str(file.stat().st_size)},
            once=True,
        )
        return sent

    async def list(self, experiment_id: str, run_id: str, **place: Any) -> Page[models.Artifact]:
        """One page."""
        return await self._page(self._of(experiment_id, run_id), models.Artifact, place)

    def iterate(self, experiment_id: str, run_id: str) -> AsyncIterator[models.Artifact]:
        """All of a run, page by page."""
        return self._every(self._of(experiment_id, run_id), models.Artifact, {})

    async def get(self, experiment_id: str, run_id: str, artifact_id: str) -> models.Artifact:
        """What it is, without its bytes."""
        found: models.Artifact = await self._transport.json(
            "GET", self._of(experiment_id, run_id, artifact_id), models.Artifact
        )
        return found

    async def delete(self, experiment_id: str, run_id: str, artifact_id: str) -> None:
        """Takes it away."""
        await self._transport.request("DELETE", self._of(experiment_id, run_id, artifact_id))

    async def download(self, experiment_id: str, run_id: str, artifact_id: str, target: str | os.PathLike[str]) -> int:
        """Writes its bytes to a file, whole or not at all; gives their number."""
        spec = _core.spec_of(
            self._transport.config,
            "GET",
            f"{self._of(experiment_id, run_id, artifact_id)}/content",
            headers={"Accept": "*/*"},
        )
        async with self._transport.stream(spec) as response:
            return await save_body(response, Path(target))


class AsyncAnalyses(AsyncResource):
    """Statistics of data that are given, without an experiment."""

    path = "/api/v1/agents"

    async def available(self) -> list[Open]:
        """What there is: `id`, `name`, `description`, `endpoint`, `status`."""
        answer = _core.read_json(await self._transport.request("GET", self.path))
        found: list[Open] = _core.read_as(list[Open], answer.get("agents") if isinstance(answer, dict) else answer)
        return found

    async def hypothesis(
        self, **members: Unpack[requests.AnalyzeHypothesisRequest]
    ) -> models.AnalyzeHypothesisResponse:
        """Tests a hypothesis on observations."""
        found: models.AnalyzeHypothesisResponse = await self._transport.json(
            "POST", f"{self.path}/hypothesis", models.AnalyzeHypothesisResponse, body=members
        )
        return found

    async def metrics(self, **members: Any) -> models.AnalyzeMetricsResponse:
        """Describes observations: `metrics`, `data` and `config` as GET /api/v1/agents/metric says."""
        found: models.AnalyzeMetricsResponse = await self._transport.json(
            "POST", f"{self.path}/metric", models.AnalyzeMetricsResponse, body=members
        )
        return found


class AsyncAdmin(AsyncResource):
    """What operators do: circuit breakers, maintenance and the audit log."""

    async def maintenance(self) -> models.GetMaintenanceResponse:
        """Whether there is any, and whose will it is."""
        found: models.GetMaintenanceResponse = await self._transport.json(
            "GET", "/admin/maintenance", models.GetMaintenanceResponse
        )
        return found

    async def set_maintenance(self, **members: Unpack[requests.SetMaintenanceRequest]) -> models.GetMaintenanceResponse:
        """Begins (`enabled=True`, `reason=`) or ends it: writes and new runs are refused meanwhile."""
        after: models.GetMaintenanceResponse = await self._transport.json(
            "POST", "/admin/maintenance", models.GetMaintenanceResponse, body=members
        )
        return after

    async def breakers(self) -> list[models.Breaker]:
        """Every circuit breaker and its state."""
        found: models.BreakerStatus = await self._transport.json(
            "GET", "/admin/circuit-breaker/status", models.BreakerStatus
        )
        return found.breakers

    async def open_breaker(self, service: str) -> models.Breaker:
        """Stops calls to a service."""
        return await self._breaker("open", service)

    async def close_breaker(self, service: str) -> models.Breaker:
        """Lets calls to a service through again."""
        return await self._breaker("close", service)

    async def _breaker(self, what: str, service: str) -> models.Breaker:
        after: models.Breaker = await self._transport.json(
            "POST", f"/admin/circuit-breaker/{what}", models.Breaker, body={"service": service}
        )
        return after

    async def audit_events(self, **filters: Any) -> Page[models.AuditEvent]:
        """One page of the log."""
        return await self._page("/admin/audit-logs", models.AuditEvent, filters)

    def iterate_audit_events(self, **filters: Any) -> AsyncIterator[models.AuditEvent]:
        """All of the log that the filters let through."""
        return self._every("/admin/audit-logs", models.AuditEvent, filters)

    async def audit_statistics(self, **filters: Any) -> models.AuditStatistics:
        """How many events of which kind."""
        found: models.AuditStatistics = await self._transport.json(
            "GET", "/admin/audit-logs/statistics", models.AuditStatistics, params=filters
        )
        return found
