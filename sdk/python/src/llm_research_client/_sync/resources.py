"""The sub-clients: a method for each route of the service."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
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
from .transport import Transport

T = TypeVar("T", bound=pydantic.BaseModel)
ReportFormat = Literal["json", "html", "csv", "md", "junit", "yaml"]
RUN_ENDED = ("completed", "failed", "cancelled", "timed_out")
EXPERIMENT_ENDED = ("completed", "failed", "cancelled", "archived")
#: rows of a page while iterating
PAGE_ROWS = 100


class Resource:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def _page(self, path: str, kind: type[T], params: Mapping[str, Any]) -> Page[T]:
        answer = _core.read_json(self._transport.request("GET", path, params=params))
        page: Page[T] = _core.read_page(kind, answer)
        return page

    def _every(self, path: str, kind: type[T], params: Mapping[str, Any]) -> Iterator[T]:
        """All rows of a list, page by page."""
        at: dict[str, Any] = {"limit": PAGE_ROWS}
        seen = 0
        while True:
            page = self._page(path, kind, {**params, **at})
            for row in page.data:
                yield row
            seen += len(page.data)
            if not page.has_more:
                return
            at = {"limit": PAGE_ROWS}
            at.update({"cursor": page.next_cursor} if page.next_cursor else {"offset": seen})


class Noun(Resource, Generic[T]):
    """What all nouns have in common. `filters` are the query parameters of the list."""

    path: str
    kind: type[T]

    def get(self, id: str) -> T:
        """The one with this id. Raises NotFoundError."""
        found: T = self._transport.json("GET", f"{self.path}/{segment(id)}", self.kind)
        return found

    def list(self, **filters: Any) -> Page[T]:
        """One page; `limit` and `offset`, `page` and `page_size`, or `cursor` say which."""
        return self._page(self.path, self.kind, filters)

    def iterate(self, **filters: Any) -> Iterator[T]:
        """All of them, page by page."""
        return self._every(self.path, self.kind, filters)

    def delete(self, id: str, *, if_match: str | None = None) -> None:
        """Takes it away. Raises ConflictError while something refers to it."""
        self._transport.request("DELETE", f"{self.path}/{segment(id)}", if_match=if_match)

    def _create(self, body: Mapping[str, Any], idempotency_key: str | None = None) -> T:
        made: T = self._transport.json("POST", self.path, self.kind, body=body, idempotency_key=idempotency_key)
        return made

    def _update(self, id: str, body: Mapping[str, Any], if_match: str | None) -> T:
        changed: T = self._transport.json(
            "PUT", f"{self.path}/{segment(id)}", self.kind, body=body, if_match=if_match
        )
        return changed


class Experiments(Noun[models.Experiment]):
    path = "/experiments"
    kind = models.Experiment

    def create(self, **members: Unpack[requests.CreateExperimentRequest]) -> models.Experiment:
        """Makes one of the members given."""
        return self._create(members)

    def update(
        self, id: str, *, if_match: str | None = None, **members: Unpack[requests.UpdateExperimentRequest]
    ) -> models.Experiment:
        """Changes the members that are given, and no other."""
        return self._update(id, members, if_match)

    def _step(self, id: str, what: str, body: Mapping[str, Any] | None = None) -> models.Experiment:
        after: models.Experiment = self._transport.json(
            "POST", f"{self.path}/{segment(id)}/{what}", self.kind, body=body
        )
        return after

    def start(self, id: str) -> models.Experiment:
        """Queues a run that the service carries out."""
        return self._step(id, "start")

    def pause(self, id: str) -> models.Experiment:
        """Nothing more is sent; what is in flight is finished and kept."""
        return self._step(id, "pause")

    def resume(self, id: str) -> models.Experiment:
        """Goes on where it was paused."""
        return self._step(id, "resume")

    def cancel(self, id: str) -> models.Experiment:
        """Ends it; what is stored stays."""
        return self._step(id, "cancel")

    def archive(self, id: str) -> models.Experiment:
        """Puts it away."""
        return self._step(id, "archive")

    def unarchive(self, id: str) -> models.Experiment:
        """Takes it out again."""
        return self._step(id, "unarchive")

    def clone(self, id: str, name: str | None = None) -> models.Experiment:
        """A draft with the same config."""
        return self._step(id, "clone", {} if name is None else {"name": name})

    def metrics(self, id: str) -> models.ExperimentMetrics:
        """The figures of its runs."""
        found: models.ExperimentMetrics = self._transport.json(
            "GET", f"{self.path}/{segment(id)}/metrics", models.ExperimentMetrics
        )
        return found

    def report(self, id: str, format: ReportFormat = "json", compare: Sequence[str] = ()) -> bytes:
        """Of the latest run with results."""
        return _report(self._transport, f"{self.path}/{segment(id)}/report", format, compare)

    def wait(self, id: str, timeout: float = 3600.0, poll: float = 1.0) -> models.Experiment:
        """Until it has ended. Raises TimeoutError after `timeout` seconds."""
        end = time.monotonic() + timeout
        while True:
            found = self.get(id)
            if found.status in EXPERIMENT_ENDED:
                return found
            if time.monotonic() + poll > end:
                raise TimeoutError(f"the experiment is still {found.status} after {timeout} s")
            time.sleep(poll)


def _report(transport: Transport, path: str, format: ReportFormat, compare: Sequence[str]) -> bytes:
    answer = transport.request(
        "GET", path, params={"format": format, "compare": list(compare) or None}, headers={"Accept": "*/*"}
    )
    return answer.content


class ClientRun:
    """A run that the client carries out; see `Runs.start`. What is logged is sent in batches."""

    def __init__(self, runs: Runs, run: models.Run, flush_at: int) -> None:
        self._runs = runs
        self._buffer = _core.RunBuffer(flush_at)
        #: as the service told it last
        self.run = run
        self.id = run.id

    def log_metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        """Numbers by their names; `step` orders them. Raises SerializationError for NaN."""
        self._buffer.add_points(values, step)
        if self._buffer.is_due():
            self.flush()

    def log_samples(self, samples: Iterable[Mapping[str, Any]]) -> None:
        """Each has an `id`; one that was sent before is not stored twice."""
        for sample in samples:
            self._buffer.add_sample(sample)
            if self._buffer.is_due():
                self.flush()

    def log_sample(self, **members: Any) -> None:
        """One sample: `id`, `input`, `output`, `scores` and what else the service knows of it."""
        self.log_samples([members])

    def flush(self) -> None:
        """What fails to be sent stays in the buffer."""
        buffer = self._buffer
        for batch in buffer.batches(buffer.samples):
            self._runs.log_samples(self.run.experiment_id, self.id, batch)
            del buffer.samples[: len(batch)]
        for batch in buffer.batches(buffer.points):
            self._runs.log_metrics(self.run.experiment_id, self.id, batch)
            del buffer.points[: len(batch)]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            try:
                self.flush()
            except Exception as lost:
                self._fail(lost)
                raise
            self.run = self._runs.complete(self.run.experiment_id, self.id)
            return
        try:
            self.flush()
        except Exception as lost:  # what went wrong first is what the caller must see
            self._runs._transport.config.logger.warning("not all of the run was sent: %s", lost)
        self._fail(error)

    def _fail(self, error: BaseException) -> None:
        words = (f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)[:10_000]
        try:
            self.run = self._runs.fail(self.run.experiment_id, self.id, words)
        except LlmResearchError as untold:
            self._runs._transport.config.logger.warning("the failure could not be told: %s", untold)


class Runs(Resource):
    """Runs of experiments: those that the service carries out, and those that the client reports."""

    @staticmethod
    def _of(experiment_id: str, run_id: str | None = None) -> str:
        path = f"/experiments/{segment(experiment_id)}/runs"
        return path if run_id is None else f"{path}/{segment(run_id)}"

    def create(self, experiment_id: str, **members: Unpack[requests.CreateRunRequest]) -> models.Run:
        """Makes one of the members given."""
        made: models.Run = self._transport.json("POST", self._of(experiment_id), models.Run, body=members)
        return made

    def start(
        self, experiment_id: str, *, flush_at: int = 200, **members: Unpack[requests.CreateRunRequest]
    ) -> ClientRun:
        """A run to be used as a context: completed at its end, failed with the message of an exception.

        At most `flush_at` samples or points wait before they are sent.
        """
        return ClientRun(self, self.create(experiment_id, **members), flush_at)

    def get(self, experiment_id: str, run_id: str) -> models.Run:
        """The one with this id. Raises NotFoundError."""
        found: models.Run = self._transport.json("GET", self._of(experiment_id, run_id), models.Run)
        return found

    def list(self, experiment_id: str, **place: Any) -> Page[models.Run]:
        """One page; `limit` and `offset`, or `cursor`."""
        return self._page(self._of(experiment_id), models.Run, place)

    def iterate(self, experiment_id: str) -> Iterator[models.Run]:
        """All of them, page by page."""
        return self._every(self._of(experiment_id), models.Run, {})

    def _deed(self, experiment_id: str, run_id: str, what: str, body: Any = None) -> models.Run:
        after: models.Run = self._transport.json(
            "POST", f"{self._of(experiment_id, run_id)}/{what}", models.Run, body=body
        )
        return after

    def cancel(self, experiment_id: str, run_id: str) -> models.Run:
        """Ends it; what is stored stays."""
        return self._deed(experiment_id, run_id, "cancel")

    def complete(self, experiment_id: str, run_id: str) -> models.Run:
        """Ends a run of the client as completed."""
        return self._deed(experiment_id, run_id, "complete")

    def fail(self, experiment_id: str, run_id: str, error: str) -> models.Run:
        """Ends a run of the client as failed, with the reason."""
        return self._deed(experiment_id, run_id, "fail", {"error": error})

    def log_metrics(
        self, experiment_id: str, run_id: str, points: Sequence[Mapping[str, Any]]
    ) -> models.Received:
        """Up to 1,000 points of a run of the client."""
        got: models.Received = self._transport.json(
            "POST", f"{self._of(experiment_id, run_id)}/metrics", models.Received, body=list(points)
        )
        return got

    def log_samples(
        self, experiment_id: str, run_id: str, samples: Sequence[Mapping[str, Any]]
    ) -> models.Received:
        """Up to 1,000 samples of a run of the client; one that was sent before is not stored twice."""
        got: models.Received = self._transport.json(
            "POST", f"{self._of(experiment_id, run_id)}/samples", models.Received, body=list(samples)
        )
        return got

    def samples(self, experiment_id: str, run_id: str, **filters: Any) -> Page[models.Sample]:
        """One page; filters: `variant`, `outcome`, `status`, `tag`, `q`."""
        return self._page(f"{self._of(experiment_id, run_id)}/samples", models.Sample, filters)

    def iterate_samples(self, experiment_id: str, run_id: str, **filters: Any) -> Iterator[models.Sample]:
        """All samples, page by page; the filters of `samples`."""
        return self._every(f"{self._of(experiment_id, run_id)}/samples", models.Sample, filters)

    def sample(self, experiment_id: str, run_id: str, sample_id: str) -> models.Sample:
        """One sample with its row, prompt and output."""
        path = f"{self._of(experiment_id, run_id)}/samples/{segment(sample_id)}"
        found: models.Sample = self._transport.json("GET", path, models.Sample)
        return found

    def report(
        self, experiment_id: str, run_id: str, format: ReportFormat = "json", compare: Sequence[str] = ()
    ) -> bytes:
        """Of this run."""
        return _report(self._transport, f"{self._of(experiment_id, run_id)}/report", format, compare)

    def events(
        self, experiment_id: str, run_id: str, last_event_id: str | None = None
    ) -> Iterator[_core.Event]:
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
                with transport.stream(spec, _core.timeout_of(transport.config)) as response:
                    for line in response.iter_lines():
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
            time.sleep(wait)

    def wait(self, experiment_id: str, run_id: str, timeout: float = 3600.0, poll: float = 1.0) -> models.Run:
        """Until it has ended. Raises TimeoutError after `timeout` seconds."""
        end = time.monotonic() + timeout
        while True:
            found = self.get(experiment_id, run_id)
            if found.status in RUN_ENDED:
                return found
            if time.monotonic() + poll > end:
                raise TimeoutError(f"the run is still {found.status} after {timeout} s")
            time.sleep(poll)


class Models(Noun[models.Model]):
    path = "/models"
    kind = models.Model

    def create(self, **members: Unpack[requests.CreateModelRequest]) -> models.Model:
        """Makes one of the members given."""
        return self._create(members)

    def update(
        self, id: str, *, if_match: str | None = None, **members: Unpack[requests.UpdateModelRequest]
    ) -> models.Model:
        """Changes the members that are given, and no other."""
        return self._update(id, members, if_match)

    def providers(self) -> list[models.Provider]:
        """What models can come from."""
        found: list[models.Provider] = self._transport.json("GET", "/models/providers", list[models.Provider])
        return found


class Datasets(Noun[models.Dataset]):
    path = "/datasets"
    kind = models.Dataset

    def create(self, **members: Unpack[requests.CreateDatasetRequest]) -> models.Dataset:
        """Makes one of the members given."""
        return self._create(members)

    def update(
        self, id: str, *, if_match: str | None = None, **members: Unpack[requests.UpdateDatasetRequest]
    ) -> models.Dataset:
        """Changes the members that are given, and no other."""
        return self._update(id, members, if_match)

    def versions(self, id: str) -> list[models.DatasetVersion]:
        """The versions, newest first."""
        found: list[models.DatasetVersion] = self._transport.json(
            "GET", f"/datasets/{segment(id)}/versions", list[models.DatasetVersion]
        )
        return found

    def create_version(
        self, id: str, **members: Unpack[requests.CreateDatasetVersionRequest]
    ) -> models.DatasetVersion:
        """Says what the next rows are to be called."""
        made: models.DatasetVersion = self._transport.json(
            "POST", f"/datasets/{segment(id)}/versions", models.DatasetVersion, body=members
        )
        return made

    def upload(
        self, id: str, source: str | os.PathLike[str] | bytes, **said: Unpack[requests.PrepareUploadRequest]
    ) -> models.DatasetVersion:
        """Rows of a file, which is streamed, or bytes. All are taken or none."""
        if not isinstance(source, bytes):
            path = Path(source)
            if not path.is_file():
                raise ConfigurationError(f"there is no file {path}")
            said.setdefault("filename", path.name)
        address: models.Upload = self._transport.json(
            "POST", f"/datasets/{segment(id)}/upload", models.Upload, body=said
        )
        content: Any = source if isinstance(source, bytes) else chunks_of(Path(source))
        size = len(source) if isinstance(source, bytes) else Path(source).stat().st_size
        headers = {**address.headers, "Content-Length": str(size)}
        stored: models.DatasetVersion = self._transport.json(
            "PUT", address.upload_url, models.DatasetVersion, content=content, headers=headers, once=True, signed=False
        )
        return stored

    def download_url(self, id: str, version: str | int | None = None) -> models.Download:
        """An address to get the rows from, for a while."""
        found: models.Download = self._transport.json(
            "GET", f"/datasets/{segment(id)}/download", models.Download, params={"version": version}
        )
        return found

    @contextmanager
    def open(self, id: str, version: str | int | None = None) -> Iterator[httpx.Response]:
        """The rows as a stream, one JSON object a line."""
        spec = _core.spec_of(
            self._transport.config,
            "GET",
            f"/datasets/{segment(id)}/rows",
            params={"version": version},
            headers={"Accept": "*/*"},
        )
        with self._transport.stream(spec) as response:
            yield response

    def download(self, id: str, target: str | os.PathLike[str], version: str | int | None = None) -> int:
        """Writes the rows to a file, whole or not at all; gives its bytes."""
        with self.open(id, version) as response:
            return save_body(response, Path(target))


def save_body(response: httpx.Response, path: Path) -> int:
    """The body as a file, whole or not at all; into a device or a pipe as it comes. Gives its bytes."""
    if path.exists() and not path.is_file():  # in its place there must be no file
        size = 0
        with path.open("wb") as into:
            for chunk in response.iter_bytes(_core.CHUNK_BYTES):
                size += into.write(chunk)
        return size
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as file:
            for chunk in response.iter_bytes(_core.CHUNK_BYTES):
                file.write(chunk)
            size = file.tell()
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return size


def chunks_of(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_core.CHUNK_BYTES):
            yield chunk


class Prompts(Noun[models.Prompt]):
    path = "/prompts"
    kind = models.Prompt

    def create(self, **members: Unpack[requests.CreatePromptRequest]) -> models.Prompt:
        """Makes one of the members given."""
        return self._create(members)

    def update(
        self, id: str, *, if_match: str | None = None, **members: Unpack[requests.UpdatePromptRequest]
    ) -> models.Prompt:
        """Changes the members that are given, and no other."""
        return self._update(id, members, if_match)

    def render(self, id: str, **said: Unpack[requests.RenderPromptRequest]) -> models.RenderedPrompt:
        """Fills the template in."""
        found: models.RenderedPrompt = self._transport.json(
            "POST", f"/prompts/{segment(id)}/render", models.RenderedPrompt, body=said
        )
        return found

    def validate(self, **said: Unpack[requests.ValidatePromptRequest]) -> models.PromptInspection:
        """Checks a template without storing it."""
        found: models.PromptInspection = self._transport.json(
            "POST", "/prompts/validate", models.PromptInspection, body=said
        )
        return found

    def versions(self, id: str, **place: Any) -> Page[models.PromptVersion]:
        """The versions, newest first."""
        return self._page(f"/prompts/{segment(id)}/versions", models.PromptVersion, place)

    def version(self, id: str, version_id: str) -> models.PromptVersion:
        """One version."""
        found: models.PromptVersion = self._transport.json(
            "GET", f"/prompts/{segment(id)}/versions/{segment(version_id)}", models.PromptVersion
        )
        return found

    def create_version(
        self, id: str, **members: Unpack[requests.CreatePromptVersionRequest]
    ) -> models.PromptVersion:
        """Adds a version."""
        made: models.PromptVersion = self._transport.json(
            "POST", f"/prompts/{segment(id)}/versions", models.PromptVersion, body=members
        )
        return made


class Evaluations(Resource):
    """Recorded samples, summaries of runs, and definitions that can be run."""

    path = "/evaluations"

    def _get(self, path: str, **params: Any) -> Open:
        found: Open = self._transport.json("GET", path, Open, params=params)
        return found

    def _post(self, path: str, body: Any) -> Open:
        answer: Open = self._transport.json("POST", path, Open, body=body)
        return answer

    def _of(self, id: str, run_id: str | None = None) -> str:
        path = f"{self.path}/{segment(id)}"
        return path if run_id is None else f"{path}/runs/{segment(run_id)}"

    def create(self, **members: Any) -> Open:
        """Makes one of the members given."""
        return self._post(self.path, members)

    def create_many(self, evaluations: Sequence[Mapping[str, Any]]) -> list[Open]:
        """Up to 1,000, all or none."""
        made: list[Open] = self._transport.json("POST", self.path, list[Open], body=list(evaluations))
        return made

    def get(self, id: str) -> Open:
        """The one with this id. Raises NotFoundError."""
        return self._get(self._of(id))

    def page(self, **filters: Any) -> Page[Open]:
        """One page; `limit` and `offset`, or `cursor`."""
        return self._page(self.path, Open, filters)

    def iterate(self, **filters: Any) -> Iterator[Open]:
        """All of them, page by page."""
        return self._every(self.path, Open, filters)

    def update(self, id: str, *, if_match: str | None = None, **members: Any) -> Open:
        """Changes the members that are given, and no other."""
        changed: Open = self._transport.json("PUT", self._of(id), Open, body=members, if_match=if_match)
        return changed

    def delete(self, id: str, *, if_match: str | None = None) -> None:
        """Takes it away. Raises ConflictError while something refers to it."""
        self._transport.request("DELETE", self._of(id), if_match=if_match)

    def run(self, id: str, **members: Any) -> Open:
        """Runs a definition; `async_execution=True` does not wait for the end."""
        return self._post(f"{self._of(id)}/run", members)

    def runs(self, id: str, **place: Any) -> Page[Open]:
        """Its runs, newest first."""
        return self._page(f"{self._of(id)}/runs", Open, place)

    def get_run(self, id: str, run_id: str) -> Open:
        """One of its runs."""
        return self._get(self._of(id, run_id))

    def results(self, id: str, run_id: str, **filters: Any) -> Open:
        """The figures of one run."""
        return self._get(f"{self._of(id, run_id)}/results", **filters)

    def log_scores(self, id: str, run_id: str, scores: Any) -> Open:
        """Of people or of a program of one's own."""
        return self._post(f"{self._of(id, run_id)}/metrics", scores)

    def compare(self, run_ids: Sequence[str], **how: Any) -> Open:
        """Runs beside each other, with tests."""
        return self._post(f"{self.path}/compare", {"run_ids": list(run_ids), **how})

    def metric_types(self) -> Any:
        """What can be measured."""
        return _core.read_json(self._transport.request("GET", f"{self.path}/metric-types"))
