"""The sub-clients: a method for each route of the service."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, Literal, TypeVar

import httpx
import pydantic
from typing_extensions import Self, Unpack

from .. import _core, models, requests
from .._core import segment
from ..base import Open, Page
from ..errors import ApiError, ConfigurationError, LlmResearchError, NetworkError, TimeoutError
from .transport import AsyncTransport

T = TypeVar("T", bound=pydantic.BaseModel)
ReportFormat = Literal["json", "html", "csv", "md", "junit", "yaml"]
RUN_ENDED = ("completed", "failed", "cancelled", "timed_out")
EXPERIMENT_ENDED = ("completed", "failed", "cancelled", "archived")
#: rows of a page while iterating
PAGE_ROWS = 100


class AsyncResource:
    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def _page(self, path: str, kind: type[T], params: Mapping[str, Any]) -> Page[T]:
        answer = _core.read_json(await self._transport.request("GET", path, params=params))
        page: Page[T] = _core.read_page(kind, answer)
        return page

    async def _every(self, path: str, kind: type[T], params: Mapping[str, Any]) -> AsyncIterator[T]:
        """All rows of a list, page by page."""
        at: dict[str, Any] = {"limit": PAGE_ROWS}
        seen = 0
        while True:
            page = await self._page(path, kind, {**params, **at})
            for row in page.data:
                yield row
            seen += len(page.data)
            if not page.has_more:
                return
            at = {"limit": PAGE_ROWS}
            at.update({"cursor": page.next_cursor} if page.next_cursor else {"offset": seen})


class AsyncNoun(AsyncResource, Generic[T]):
    """What all nouns have in common. `filters` are the query parameters of the list."""

    path: str
    kind: type[T]

    async def get(self, id: str) -> T:
        """The one with this id. Raises NotFoundError."""
        found: T = await self._transport.json("GET", f"{self.path}/{segment(id)}", self.kind)
        return found

    async def list(self, **filters: Any) -> Page[T]:
        """One page; `limit` and `offset`, `page` and `page_size`, or `cursor` say which."""
        return await self._page(self.path, self.kind, filters)

    def iterate(self, **filters: Any) -> AsyncIterator[T]:
        """All of them, page by page."""
        return self._every(self.path, self.kind, filters)

    async def delete(self, id: str, *, if_match: str | None = None) -> None:
        """Takes it away. Raises ConflictError while something refers to it."""
        await self._transport.request("DELETE", f"{self.path}/{segment(id)}", if_match=if_match)

    async def _create(self, body: Mapping[str, Any], idempotency_key: str | None = None) -> T:
        made: T = await self._transport.json("POST", self.path, self.kind, body=body, idempotency_key=idempotency_key)
        return made

    async def _update(self, id: str, body: Mapping[str, Any], if_match: str | None) -> T:
        changed: T = await self._transport.json(
            "PUT", f"{self.path}/{segment(id)}", self.kind, body=body, if_match=if_match
        )
        return changed


class AsyncExperiments(AsyncNoun[models.Experiment]):
    path = "/experiments"
    kind = models.Experiment

    async def create(self, **members: Unpack[requests.CreateExperimentRequest]) -> models.Experiment:
        """Makes one of the members given."""
        return await self._create(members)

    async def update(
        self, id: str, *, if_match: str | None = None, **members: Unpack[requests.UpdateExperimentRequest]
    ) -> models.Experiment:
        """Changes the members that are given, and no other."""
        return await self._update(id, members, if_match)

    async def _step(self, id: str, what: str, body: Mapping[str, Any] | None = None) -> models.Experiment:
        after: models.Experiment = await self._transport.json(
            "POST", f"{self.path}/{segment(id)}/{what}", self.kind, body=body
        )
        return after

    async def start(self, id: str) -> models.Experiment:
        """Queues a run that the service carries out."""
        return await self._step(id, "start")

    async def pause(self, id: str) -> models.Experiment:
        """Nothing more is sent; what is in flight is finished and kept."""
        return await self._step(id, "pause")

    async def resume(self, id: str) -> models.Experiment:
        """Goes on where it was paused."""
        return await self._step(id, "resume")

    async def cancel(self, id: str) -> models.Experiment:
        """Ends it; what is stored stays."""
        return await self._step(id, "cancel")

    async def archive(self, id: str) -> models.Experiment:
        """Puts it away."""
        return await self._step(id, "archive")

    async def unarchive(self, id: str) -> models.Experiment:
        """Takes it out again."""
        return await self._step(id, "unarchive")

    async def clone(self, id: str, name: str | None = None) -> models.Experiment:
        """A draft with the same config."""
        return await self._step(id, "clone", {} if name is None else {"name": name})

    async def metrics(self, id: str) -> models.ExperimentMetrics:
        """The figures of its runs."""
        found: models.ExperimentMetrics = await self._transport.json(
            "GET", f"{self.path}/{segment(id)}/metrics", models.ExperimentMetrics
        )
        return found

    async def report(self, id: str, format: ReportFormat = "json", compare: Sequence[str] = ()) -> bytes:
        """Of the latest run with results."""
        return await _report(self._transport, f"{self.path}/{segment(id)}/report", format, compare)

    async def wait(self, id: str, timeout: float = 3600.0, poll: float = 1.0) -> models.Experiment:
        """Until it has ended. Raises TimeoutError after `timeout` seconds."""
        end = time.monotonic() + timeout
        while True:
            found = await self.get(id)
            if found.status in EXPERIMENT_ENDED:
                return found
            if time.monotonic() + poll > end:
                raise TimeoutError(f"the experiment is still {found.status} after {timeout} s")
            await asyncio.sleep(poll)


async def _report(transport: AsyncTransport, path: str, format: ReportFormat, compare: Sequence[str]) -> bytes:
    answer = await transport.request(
        "GET", path, params={"format": format, "compare": list(compare) or None}, headers={"Accept": "*/*"}
    )
    return answer.content


class AsyncClientRun:
    """A run that the client carries out; see `Runs.start`. What is logged is sent in batches."""

    def __init__(self, runs: AsyncRuns, run: models.Run, flush_at: int) -> None:
        self._runs = runs
        self._buffer = _core.RunBuffer(flush_at)
        #: as the service told it last
        self.run = run
        self.id = run.id

    async def log_metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        """Numbers by their names; `step` orders them. Raises SerializationError for NaN."""
        self._buffer.add_points(values, step)
        if self._buffer.is_due():
            await self.flush()

    async def log_samples(self, samples: Iterable[Mapping[str, Any]]) -> None:
        """Each has an `id`; one that was sent before is not stored twice."""
        for sample in samples:
            self._buffer.add_sample(sample)
            if self._buffer.is_due():
                await self.flush()

    async def log_sample(self, **members: Any) -> None:
        """One sample: `id`, `input`, `output`, `scores` and what else the service knows of it."""
        await self.log_samples([members])

    async def flush(self) -> None:
        """What fails to be sent stays in the buffer."""
        buffer = self._buffer
        for batch in buffer.batches(buffer.samples):
            await self._runs.log_samples(self.run.experiment_id, self.id, batch)
            del buffer.samples[: len(batch)]
        for batch in buffer.batches(buffer.points):
            await self._runs.log_metrics(self.run.experiment_id, self.id, batch)
            del buffer.points[: len(batch)]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            try:
                await self.flush()
            except Exception as lost:
                await self._fail(lost)
                raise
            self.run = await self._runs.complete(self.run.experiment_id, self.id)
            return
        try:
            await self.flush()
        except Exception as lost:  # what went wrong first is what the caller must see
            self._runs._transport.config.logger.warning("not all of the run was sent: %s", lost)
        await self._fail(error)

    async def _fail(self, error: BaseException) -> None:
        words = (f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)[:10_000]
        try:
            self.run = await self._runs.fail(self.run.experiment_id, self.id, words)
        except LlmResearchError as untold:
            self._runs._transport.config.logger.warning("the failure could not be told: %s", untold)


class AsyncRuns(AsyncResource):
    """Runs of experiments: those that the service carries out, and those that the client reports."""

    @staticmethod
    def _of(experiment_id: str, run_id: str | None = None) -> str:
        path = f"/experiments/{segment(experiment_id)}/runs"
        return path if run_id is None else f"{path}/{segment(run_id)}"

    async def create(self, experiment_id: str, **members: Unpack[requests.CreateRunRequest]) -> models.Run:
        """Makes one of the members given."""
        made: models.Run = await self._transport.json("POST", self._of(experiment_id), models.Run, body=members)
        return made

    async def start(
        self, experiment_id: str, *, flush_at: int = 200, **members: Unpack[requests.CreateRunRequest]
    ) -> AsyncClientRun:
        """A run to be used as a context: completed at its end, failed with the message of an exception.

        At most `flush_at` samples or points wait before they are sent.
        """
        return AsyncClientRun(self, await self.create(experiment_id, **members), flush_at)

    async def get(self, experiment_id: str, run_id: str) -> models.Run:
        """The one with this id. Raises NotFoundError."""
        found: models.Run = await self._transport.json("GET", self._of(experiment_id, run_id), models.Run)
        return found

    async def list(self, experiment_id: str, **place: Any) -> Page[models.Run]:
        """One page; `limit` and `offset`, or `cursor`."""
        return await self._page(self._of(experiment_id), models.Run, place)

    def iterate(self, experiment_id: str) -> AsyncIterator[models.Run]:
        """All of them, page by page."""
        return self._every(self._of(experiment_id), models.Run, {})

    async def _deed(self, experiment_id: str, run_id: str, what: str, body: Any = None) -> models.Run:
        after: models.Run = await self._transport.json(
            "POST", f"{self._of(experiment_id, run_id)}/{what}", models.Run, body=body
        )
        return after

    async def cancel(self, experiment_id: str, run_id: str) -> models.Run:
        """Ends it; what is stored stays."""
        return await self._deed(experiment_id, run_id, "cancel")

    async def complete(self, experiment_id: str, run_id: str) -> models.Run:
        """Ends a run of the client as completed."""
        return await self._deed(experiment_id, run_id, "complete")

    async def fail(self, experiment_id: str, run_id: str, error: str) -> models.Run:
        """Ends a run of the client as failed, with the reason."""
        return await self._deed(experiment_id, run_id, "fail", {"error": error})

    async def log_metrics(
        self, experiment_id: str, run_id: str, points: Sequence[Mapping[str, Any]]
    ) -> models.Received:
        """Up to 1,000 points of a run of the client."""
        got: models.Received = await self._transport.json(
            "POST", f"{self._of(experiment_id, run_id)}/metrics", models.Received, body=list(points)
        )
        return got

    async def log_samples(
        self, experiment_id: str, run_id: str, samples: Sequence[Mapping[str, Any]]
    ) -> models.Received:
        """Up to 1,000 samples of a run of the client; one that was sent before is not stored twice."""
        got: models.Received = await self._transport.json(
            "POST", f"{self._of(experiment_id, run_id)}/samples", models.Received, body=list(samples)
        )
        return got

    async def samples(self, experiment_id: str, run_id: str, **filters: Any) -> Page[models.Sample]:
        """One page; filters: `variant`, `outcome`, `status`, `tag`, `q`."""
        return await self._page(f"{self._of(experiment_id, run_id)}/samples", models.Sample, filters)

    def iterate_samples(self, experiment_id: str, run_id: str, **filters: Any) -> AsyncIterator[models.Sample]:
        """All samples, page by page; the filters of `samples`."""
        return self._every(f"{self._of(experiment_id, run_id)}/samples", models.Sample, filters)

    async def sample(self, experiment_id: str, run_id: str, sample_id: str) -> models.Sample:
        """One sample with its row, prompt and output."""
        path = f"{self._of(experiment_id, run_id)}/samples/{segment(sample_id)}"
        found: models.Sample = await self._transport.json("GET", path, models.Sample)
        return found

    async def report(
        self, experiment_id: str, run_id: str, format: ReportFormat = "json", compare: Sequence[str] = ()
    ) -> bytes:
        """Of this run."""
        return await _report(self._transport, f"{self._of(experiment_id, run_id)}/report", format, compare)

    async def events(
        self, experiment_id: str, run_id: str, last_event_id: str | None = None
    ) -> AsyncIterator[_core.Event]:
        """Follows a run to its end; goes on behind the last event when the connection breaks."""
        transport = self._transport
        reader = _core.EventReader()
        reader.last_id = last_event_id
        broken = 0
        while True:
            reader.restart()
            headers = {"Accept": "text/event-stream"}
            if reader.last_id is not None:
                headers["Last-Event-ID"] = reader.last_id
            path = f"{self._of(experiment_id, run_id)}/events"
            spec = _core.spec_of(transport.config, "GET", path, headers=headers)
            try:
                async with transport.stream(spec, _core.timeout_of(transport.config)) as response:
                    async for line in response.aiter_lines():
                        event = reader.feed(line)
                        if event is not None:
                            broken = 0
                            yield event
                            if event.type == "done":
                                return
                raise NetworkError("the events ended before the run did")
            except (NetworkError, ApiError) as error:
                broken += 1
                wait = _core.delay_before(transport.config, spec, broken, error)
                if wait is None:
                    raise
            await asyncio.sleep(wait)

    async def wait(self, experiment_id: str, run_id: str, timeout: float = 3600.0, poll: float = 1.0) -> models.Run:
        """Until it has ended. Raises TimeoutError after `timeout` seconds."""
        end = time.monotonic() + timeout
        while True:
            found = await self.get(experiment_id, run_id)
            if found.status in RUN_ENDED:
                return found
            if time.monotonic() + poll > end:
                raise TimeoutError(f"the run is still {found.status} after {timeout} s")
            await asyncio.sleep(poll)


class AsyncModels(AsyncNoun[models.Model]):
    path = "/models"
    kind = models.Model

    async def create(self, **members: Unpack[requests.CreateModelRequest]) -> models.Model:
        """Makes one of the members given."""
        return await self._create(members)

    async def update(
        self, id: str, *, if_match: str | None = None, **members: Unpack[requests.UpdateModelRequest]
    ) -> models.Model:
        """Changes the members that are given, and no other."""
        return await self._update(id, members, if_match)

    async def providers(self) -> list[models.Provider]:
        """What models can come from."""
        found: list[models.Provider] = await self._transport.json("GET", "/models/providers", list[models.Provider])
        return found


class AsyncDatasets(AsyncNoun[models.Dataset]):
    path = "/datasets"
    kind = models.Dataset

    async def create(self, **members: Unpack[requests.CreateDatasetRequest]) -> models.Dataset:
        """Makes one of the members given."""
        return await self._create(members)

    async def update(
        self, id: str, *, if_match: str | None = None, **members: Unpack[requests.UpdateDatasetRequest]
    ) -> models.Dataset:
        """Changes the members that are given, and no other."""
        return await self._update(id, members, if_match)

    async def versions(self, id: str) -> list[models.DatasetVersion]:
        """The versions, newest first."""
        found: list[models.DatasetVersion] = await self._transport.json(
            "GET", f"/datasets/{segment(id)}/versions", list[models.DatasetVersion]
        )
        return found

    async def create_version(
        self, id: str, **members: Unpack[requests.CreateDatasetVersionRequest]
    ) -> models.DatasetVersion:
        """Says what the next rows are to be called."""
        made: models.DatasetVersion = await self._transport.json(
            "POST", f"/datasets/{segment(id)}/versions", models.DatasetVersion, body=members
        )
        return made

    async def upload(
        self, id: str, source: str | os.PathLike[str] | bytes, **said: Unpack[requests.PrepareUploadRequest]
    ) -> models.DatasetVersion:
        """Rows of a file, which is streamed, or bytes. All are taken or none."""
        if not isinstance(source, bytes):
            path = Path(source)
            if not path.is_file():
                raise ConfigurationError(f"there is no file {path}")
            said.setdefault("filename", path.name)
        address: models.Upload = await self._transport.json(
            "POST", f"/datasets/{segment(id)}/upload", models.Upload, body=said
        )
        content: Any = source if isinstance(source, bytes) else chunks_of(Path(source))
        size = len(source) if isinstance(source, bytes) else Path(source).stat().st_size
        headers = {**address.headers, "Content-Length": str(size)}
        stored: models.DatasetVersion = await self._transport.json(
            "PUT", address.upload_url, models.DatasetVersion, content=content, headers=headers, once=True, signed=False
        )
        return stored

    async def download_url(self, id: str, version: str | int | None = None) -> models.Download:
        """An address to get the rows from, for a while."""
        found: models.Download = await self._transport.json(
            "GET", f"/datasets/{segment(id)}/download", models.Download, params={"version": version}
        )
        return found

    @asynccontextmanager
    async def open(self, id: str, version: str | int | None = None) -> AsyncIterator[httpx.Response]:
        """The rows as a stream, one JSON object a line."""
        spec = _core.spec_of(
            self._transport.config,
            "GET",
            f"/datasets/{segment(id)}/rows",
            params={"version": version},
            headers={"Accept": "*/*"},
        )
        async with self._transport.stream(spec) as response:
            yield response

    async def download(self, id: str, target: str | os.PathLike[str], version: str | int | None = None) -> int:
        """Writes the rows to a file, whole or not at all; gives its bytes."""
        async with self.open(id, version) as response:
            return await save_body(response, Path(target))


async def save_body(response: httpx.Response, path: Path) -> int:
    """The body as a file, whole or not at all; into a device or a pipe as it comes. Gives its bytes."""
    if path.exists() and not path.is_file():  # in its place there must be no file
        size = 0
        with path.open("wb") as into:
            async for chunk in response.aiter_bytes(_core.CHUNK_BYTES):
                size += into.write(chunk)
        return size
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as file:
            async for chunk in response.aiter_bytes(_core.CHUNK_BYTES):
                file.write(chunk)
            size = file.tell()
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return size


async def chunks_of(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_core.CHUNK_BYTES):
            yield chunk


class AsyncPrompts(AsyncNoun[models.Prompt]):
    path = "/prompts"
    kind = models.Prompt

    async def create(self, **members: Unpack[requests.CreatePromptRequest]) -> models.Prompt:
        """Makes one of the members given."""
        return await self._create(members)

    async def update(
        self, id: str, *, if_match: str | None = None, **members: Unpack[requests.UpdatePromptRequest]
    ) -> models.Prompt:
        """Changes the members that are given, and no other."""
        return await self._update(id, members, if_match)

    async def render(self, id: str, **said: Unpack[requests.RenderPromptRequest]) -> models.RenderedPrompt:
        """Fills the template in."""
        found: models.RenderedPrompt = await self._transport.json(
            "POST", f"/prompts/{segment(id)}/render", models.RenderedPrompt, body=said
        )
        return found

    async def validate(self, **said: Unpack[requests.ValidatePromptRequest]) -> models.PromptInspection:
        """Checks a template without storing it."""
        found: models.PromptInspection = await self._transport.json(
            "POST", "/prompts/validate", models.PromptInspection, body=said
        )
        return found

    async def versions(self, id: str, **place: Any) -> Page[models.PromptVersion]:
        """The versions, newest first."""
        return await self._page(f"/prompts/{segment(id)}/versions", models.PromptVersion, place)

    async def version(self, id: str, version_id: str) -> models.PromptVersion:
        """One version."""
        found: models.PromptVersion = await self._transport.json(
            "GET", f"/prompts/{segment(id)}/versions/{segment(version_id)}", models.PromptVersion
        )
        return found

    async def create_version(
        self, id: str, **members: Unpack[requests.CreatePromptVersionRequest]
    ) -> models.PromptVersion:
        """Adds a version."""
        made: models.PromptVersion = await self._transport.json(
            "POST", f"/prompts/{segment(id)}/versions", models.PromptVersion, body=members
        )
        return made


class AsyncEvaluations(AsyncResource):
    """Recorded samples, summaries of runs, and definitions that can be run."""

    path = "/evaluations"

    async def _get(self, path: str, **params: Any) -> Open:
        found: Open = await self._transport.json("GET", path, Open, params=params)
        return found

    async def _post(self, path: str, body: Any) -> Open:
        answer: Open = await self._transport.json("POST", path, Open, body=body)
        return answer

    def _of(self, id: str, run_id: str | None = None) -> str:
        path = f"{self.path}/{segment(id)}"
        return path if run_id is None else f"{path}/runs/{segment(run_id)}"

    async def create(self, **members: Any) -> Open:
        """Makes one of the members given."""
        return await self._post(self.path, members)

    async def create_many(self, evaluations: Sequence[Mapping[str, Any]]) -> list[Open]:
        """Up to 1,000, all or none."""
        made: list[Open] = await self._transport.json("POST", self.path, list[Open], body=list(evaluations))
        return made

    async def get(self, id: str) -> Open:
        """The one with this id. Raises NotFoundError."""
        return await self._get(self._of(id))

    async def page(self, **filters: Any) -> Page[Open]:
        """One page; `limit` and `offset`, or `cursor`."""
        return await self._page(self.path, Open, filters)

    def iterate(self, **filters: Any) -> AsyncIterator[Open]:
        """All of them, page by page."""
        return self._every(self.path, Open, filters)

    async def update(self, id: str, *, if_match: str | None = None, **members: Any) -> Open:
        """Changes the members that are given, and no other."""
        changed: Open = await self._transport.json("PUT", self._of(id), Open, body=members, if_match=if_match)
        return changed

    async def delete(self, id: str, *, if_match: str | None = None) -> None:
        """Takes it away. Raises ConflictError while something refers to it."""
        await self._transport.request("DELETE", self._of(id), if_match=if_match)

    async def run(self, id: str, **members: Any) -> Open:
        """Runs a definition; `async_execution=True` does not wait for the end."""
        return await self._post(f"{self._of(id)}/run", members)

    async def runs(self, id: str, **place: Any) -> Page[Open]:
        """Its runs, newest first."""
        return await self._page(f"{self._of(id)}/runs", Open, place)

    async def get_run(self, id: str, run_id: str) -> Open:
        """One of its runs."""
        return await self._get(self._of(id, run_id))

    async def results(self, id: str, run_id: str, **filters: Any) -> Open:
        """The figures of one run."""
        return await self._get(f"{self._of(id, run_id)}/results", **filters)

    async def log_scores(self, id: str, run_id: str, scores: Any) -> Open:
        """Of people or of a program of one's own."""
        return await self._post(f"{self._of(id, run_id)}/metrics", scores)

    async def compare(self, run_ids: Sequence[str], **how: Any) -> Open:
        """Runs beside each other, with tests."""
        return await self._post(f"{self.path}/compare", {"run_ids": list(run_ids), **how})

    async def metric_types(self) -> Any:
        """What can be measured."""
        return _core.read_json(await self._transport.request("GET", f"{self.path}/metric-types"))
