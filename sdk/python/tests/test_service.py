"""The client against the real service."""

from __future__ import annotations

import asyncio
import json
import os
import pathlib
import uuid
from typing import Any

import pytest

import llm_research_client as lab
from llm_research_client import Client
from llm_research_client.models import Experiment

from .conftest import Async


def rows_of(count: int) -> bytes:
    return b"".join(
        json.dumps({"id": f"q{i}", "question": f"{i} + 1", "answer": str(i + 1)}).encode() + b"\n" for i in range(count)
    )


def test_an_experiment_is_made_found_changed_and_removed(client: Client, name: str) -> None:
    made = client.experiments.create(name=name, tags=["sdk"], config={"parameters": {"temperature": 0.5}})
    assert made.status == "draft"
    assert made.config.parameters is not None and made.config.parameters.temperature == 0.5
    assert client.experiments.get(made.id) == made
    changed = client.experiments.update(made.id, hypothesis="none")
    assert (changed.hypothesis, changed.name) == ("none", name)
    assert client.experiments.update(made.id, hypothesis=None).hypothesis is None
    copy = client.experiments.clone(made.id)
    assert copy.config == made.config and copy.id != made.id
    assert client.experiments.archive(copy.id).status == "archived"
    assert client.experiments.unarchive(copy.id).status == "ready"
    client.experiments.delete(made.id)
    with pytest.raises(lab.NotFoundError) as gone:
        client.experiments.get(made.id)
    assert gone.value.code == "NOT_FOUND" and gone.value.request_id and not gone.value.retryable


def test_errors_are_told_apart(server: Any, client: Client, name: str) -> None:
    made = client.experiments.create(name=name)
    with pytest.raises(lab.ConflictError) as taken:
        client.experiments.create(name=name)
    assert taken.value.body["existing_id"] == made.id
    with pytest.raises(lab.ConflictError):
        client.experiments.update(made.id, if_match='"99"', description="late")
    with pytest.raises(lab.ValidationError) as bad:
        client.experiments.create(name="")
    assert bad.value.details[0]["field"] == "name"
    with pytest.raises(lab.InvalidStateError) as state:
        client.experiments.pause(made.id)
    assert state.value.body["current"] == "draft"
    with Client(server.url) as nobody, pytest.raises(lab.AuthenticationError):
        nobody.experiments.list()
    key = client.api_keys.create(name=name, scopes=["models:read"])
    with Client(server.url, auth=lab.ApiKey(key.key)) as narrow, pytest.raises(lab.AuthorizationError) as right:
        narrow.experiments.list()
    assert right.value.body["required_permission"] == "experiments:read"


def test_lists_are_walked_page_by_page(client: Client, name: str) -> None:
    tag = uuid.uuid4().hex
    made = {client.prompts.create(name=f"{name} {i}", template="{{x}}", tags=[tag]).id for i in range(7)}
    page = client.prompts.list(tags=[tag], limit=3)
    assert (len(page.data), page.total, page.has_more) == (3, 7, True)
    assert {one.id for one in client.prompts.iterate(tags=tag)} == made
    frame = page.to_pandas()
    assert list(frame["tags"]) == [[tag]] * 3 and "template" in frame.columns


def test_prompts_are_versioned_and_rendered(client: Client, name: str) -> None:
    made = client.prompts.create(name=name, template="What is {{q}}?")
    assert client.prompts.render(made.id, variables={"q": "2 + 2"}).rendered == "What is 2 + 2?"
    version = client.prompts.create_version(made.id, template="{{q}} =", changelog="shorter")
    assert [one.version_number for one in client.prompts.versions(made.id).data] == [2, 1]
    assert client.prompts.version(made.id, version.id) == version
    assert not client.prompts.validate(template="{{").valid


def test_rows_go_up_and_come_down(client: Client, name: str, tmp_path: pathlib.Path) -> None:
    made = client.datasets.create(name=name)
    file = tmp_path / "rows.jsonl"
    file.write_bytes(rows_of(5000))
    version = client.datasets.upload(made.id, file, version="1.0")
    assert (version.row_count, version.label) == (5000, "1.0")
    target = tmp_path / "back.jsonl"
    assert client.datasets.download(made.id, target) == target.stat().st_size
    back = [json.loads(line) for line in target.read_text().splitlines()]
    assert back == [json.loads(line) for line in rows_of(5000).splitlines()]
    again = client.datasets.upload(made.id, rows_of(3), format="jsonl", version="1.1")
    assert [one.label for one in client.datasets.versions(made.id)] == ["1.1", "1.0"]
    assert client.datasets.get(made.id).row_count == again.row_count == 3
    with pytest.raises(lab.ValidationError):
        client.datasets.upload(made.id, b"no rows", format="jsonl")
    with pytest.raises(lab.ConfigurationError):
        client.datasets.upload(made.id, tmp_path / "missing")


def test_a_run_of_the_client_is_a_context(client: Client, name: str) -> None:
    made = client.experiments.create(name=name)
    with client.runs.start(made.id, name="mine", flush_at=10) as run:
        for i in range(25):
            run.log_sample(id=f"s{i}", output=str(i), scores={"accuracy": i % 2}, latency_ms=1.5)
            run.log_metrics({"loss": 1 / (i + 1)}, step=i)
    assert run.run.status == "completed" and run.run.totals.successful_samples == 25
    rows = list(client.runs.iterate_samples(made.id, run.id))
    assert {row.id for row in rows} == {f"s{i}" for i in range(25)}
    assert set(lab.frame_of(rows)["scores.accuracy"]) == {0, 1}
    figures = client.experiments.metrics(made.id)
    assert figures.runs[0].metrics["loss"] == pytest.approx(1 / 25)

    with pytest.raises(ZeroDivisionError), client.runs.start(made.id) as broken:
        broken.log_sample(id="before", output="kept")
        raise ZeroDivisionError("by nought")
    found = client.runs.get(made.id, broken.id)
    assert (found.status, found.error) == ("failed", "ZeroDivisionError: by nought")
    assert [one.id for one in client.runs.iterate(made.id)] == [broken.id, run.id]
    assert client.runs.samples(made.id, broken.id).data[0].output == "kept"


def started(client: Client, name: str) -> Experiment:
    """An experiment over recorded outputs, which costs nothing."""
    rows = client.datasets.create(name=f"{name} rows").id
    client.datasets.upload(rows, rows_of(40), format="jsonl")
    outputs = client.datasets.create(name=f"{name} outputs").id
    recorded = [{"id": f"q{i}", "output": str(i + 1 if i % 4 else 0)} for i in range(40)]
    client.datasets.upload(outputs, "\n".join(map(json.dumps, recorded)).encode(), format="jsonl")
    model = client.models.create(
        name=name, provider="custom", model_identifier="recorded", config={"replay_dataset": outputs}
    )
    scorer = {"type": "numeric", "id": "accuracy", "reference": "{{answer}}"}
    config: Any = {"model_ids": [model.id], "dataset_ids": [rows], "scorers": [scorer]}
    return client.experiments.start(client.experiments.create(name=name, config=config).id)


def test_a_run_of_the_service_is_followed_to_its_report(client: Client, name: str) -> None:
    made = started(client, name)
    run = next(iter(client.runs.iterate(made.id)))
    events = list(client.runs.events(made.id, run.id))
    assert (events[0].type, events[-1].type) == ("state", "done")
    assert client.runs.wait(made.id, run.id, timeout=60, poll=0.1).status == "completed"
    assert client.experiments.wait(made.id, timeout=60, poll=0.1).status == "completed"
    report = json.loads(client.experiments.report(made.id))
    assert report["results"]["variants"][0]["metrics"]["accuracy"]["value"] == pytest.approx(0.75)
    assert client.runs.report(made.id, run.id, "csv").count(b"\n") > 1
    assert client.experiments.metrics(made.id).accuracy == pytest.approx(0.75)
    assert len(list(client.runs.iterate_samples(made.id, run.id))) == 40
    with pytest.raises(lab.TimeoutError):
        client.runs.wait(made.id, client.runs.create(made.id).id, timeout=0.2, poll=0.1)


def test_evaluations_are_kept_one_by_one_and_in_batches(client: Client, name: str) -> None:
    experiment = client.experiments.create(name=name)
    rows = [
        {
            "kind": "sample",
            "experiment_id": experiment.id,
            "sample_id": f"s{i}",
            "input": "2 + 2",
            "output": "4",
            "latency_ms": 12.5,
            "token_count": 3,
            "metrics": {"taste": i},
        }
        for i in range(3)
    ]
    one = client.evaluations.create(**rows[0])
    assert (one.kind, client.evaluations.get(one.id).output) == ("sample", "4")
    many = client.evaluations.create_many(rows[1:])
    found = {row.id for row in client.evaluations.iterate(experiment_id=experiment.id)}
    assert found == {one.id, *(row.id for row in many)}
    assert client.evaluations.page(experiment_id=experiment.id, limit=2).has_more
    client.evaluations.delete(one.id)
    with pytest.raises(lab.NotFoundError):
        client.evaluations.get(one.id)
    assert "exact_match" in {metric["name"] for metric in client.evaluations.metric_types()}


def test_people_keys_and_the_log(client: Client, server: Any, name: str) -> None:
    who = client.me()
    assert who.email == server.login.email and "Admin" in who.roles
    user = client.users.create(
        email=f"{uuid.uuid4().hex}@example.org", name=name, roles=["Viewer"], password="a long pass phrase 1"
    )
    assert client.users.update(user.id, roles=["Analyst"]).roles == ["Analyst"]
    key = client.api_keys.create(name=name, scopes=["models:read"])
    assert client.api_keys.rotate(key.id).key != key.key
    client.users.delete(user.id)
    assert not client.users.get(user.id).is_active
    actions = {event.action for event in client.admin.audit_events(limit=100).data}
    assert "api_key_created" in actions
    assert client.admin.audit_statistics().total > 0
    assert client.admin.open_breaker("openai-api").state == "open"
    assert client.admin.close_breaker("openai-api").state == "closed"
    assert "openai" in {provider.name for provider in client.models.providers()}
    assert client.ready().status == "healthy"


def test_the_asynchronous_client_does_the_same(async_client: Async, client: Client, name: str) -> None:
    async def story() -> None:
        async with async_client as lab_client:
            made = await lab_client.experiments.create(name=name)
            async with await lab_client.runs.start(made.id) as run:
                await run.log_samples({"id": f"s{i}"} for i in range(5))
                await run.log_metrics({"loss": 0.5})
            assert run.run.status == "completed"
            assert [row.id async for row in lab_client.runs.iterate_samples(made.id, run.id)] == [
                f"s{i}" for i in range(5)
            ]
            events = [event async for event in lab_client.runs.events(made.id, run.id)]
            assert events[-1].type == "done"
            with pytest.raises(ZeroDivisionError):
                async with await lab_client.runs.start(made.id) as broken:
                    raise ZeroDivisionError("async")
            assert (await lab_client.runs.get(made.id, broken.id)).error == "ZeroDivisionError: async"
            pages = await asyncio.gather(*(lab_client.models.list(limit=1) for _ in range(8)))
            assert len(pages) == 8
            data = await lab_client.datasets.create(name=name)
            assert (await lab_client.datasets.upload(data.id, rows_of(10), format="jsonl")).row_count == 10

    asyncio.run(story())


def test_files_of_runs(client: Client, name: str, tmp_path: pathlib.Path) -> None:
    made = client.experiments.create(name=name)
    (tmp_path / "plot.svg").write_bytes(b"<svg/>" * 1000)
    with client.runs.start(made.id) as run:
        sent = client.artifacts.upload(
            made.id, run.id, tmp_path / "plot.svg", artifact_type="visualization", mime_type="image/svg+xml"
        )
    assert (sent.name, sent.size_bytes, sent.mime_type) == ("plot.svg", 6000, "image/svg+xml")
    assert client.artifacts.get(made.id, run.id, sent.id).content_hash == sent.content_hash
    assert client.artifacts.download(made.id, run.id, sent.id, tmp_path / "back") == 6000
    assert (tmp_path / "back").read_bytes() == b"<svg/>" * 1000
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    assert client.artifacts.download(made.id, run.id, sent.id, tmp_path / "pipe") == 6000
    assert (tmp_path / "pipe").is_fifo() and len(os.read(reader, 10_000)) == 6000
    os.close(reader)
    assert [one.id for one in client.artifacts.iterate(made.id, run.id)] == [sent.id]
    client.artifacts.delete(made.id, run.id, sent.id)
    assert client.artifacts.list(made.id, run.id).data == []
    with pytest.raises(lab.ConfigurationError):
        client.artifacts.upload(made.id, run.id, tmp_path / "missing")


def test_what_operators_do(client: Client) -> None:
    label = f"c{uuid.uuid4().hex}"
    made = client.credentials.create(name=label, secret_ref="env:NOBODYS_API_KEY", allowed_hosts=["llm.example.org"])
    assert (made.name, made.resolves) == (label, False)
    assert client.credentials.update(label, allowed_hosts=["*.example.org"]).allowed_hosts == ["*.example.org"]
    assert label in {one.name for one in client.credentials.iterate()}
    client.credentials.delete(label)
    with pytest.raises(lab.NotFoundError):
        client.credentials.get(label)
    assert client.admin.set_maintenance(enabled=True, reason="a test").enabled
    assert not client.admin.set_maintenance(enabled=False).enabled and not client.admin.maintenance().enabled


def test_analyses_without_an_experiment(client: Client) -> None:
    assert {one.name for one in client.analyses.available()} == {"hypothesis", "metric"}
    with pytest.raises(lab.ValidationError, match="data"):
        client.analyses.metrics(metrics=[])
