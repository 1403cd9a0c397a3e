"""A service of its own for all tests, from the program in $LLM_RESEARCH."""

from __future__ import annotations

import importlib.util
import pathlib
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from llm_research_client import AsyncClient, Bearer, Client, Login

ROOT = pathlib.Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def server() -> Iterator[Any]:
    spec = importlib.util.spec_from_file_location("contract_server", ROOT / "tests/contract/server.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with module.Server() as running:
        running.login = Login(module.EMAIL, module.PASSWORD)
        yield running


@pytest.fixture(scope="session")
def client(server: Any) -> Iterator[Client]:
    with Client(server.url, auth=server.login) as made:
        yield made


@pytest.fixture
def name() -> str:
    return f"test {uuid.uuid4()}"


class Async:
    """An asynchronous client inside of `asyncio.run`."""

    def __init__(self, server: Any, client: Client) -> None:
        self._url = server.url
        token = client.request("GET", "/auth/me").request.headers["authorization"].removeprefix("Bearer ")
        self._token = token

    async def __aenter__(self) -> AsyncClient:
        self._client = AsyncClient(self._url, auth=Bearer(self._token))
        return self._client

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()


@pytest.fixture
def async_client(server: Any, client: Client) -> Async:
    return Async(server, client)
