"""What is generated is what the generators make of what the service says now."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
from typing import Any

import pytest

HERE = pathlib.Path(__file__).resolve().parent.parent
PACKAGE = HERE / "src/llm_research_client"
AGAIN = "make sdk-generate"


def test_the_document_is_the_one_of_the_service(server: Any) -> None:
    kept = json.loads((HERE / "openapi.json").read_text(encoding="utf-8"))
    served = server.call("GET", "/openapi.json")
    assert kept == served, f"the service has changed: {AGAIN}"


@pytest.mark.parametrize("name", ["models.py", "requests.py"])
def test_models_are_made_of_the_document(name: str, tmp_path: pathlib.Path) -> None:
    subprocess.run([sys.executable, HERE / "tools/generate.py", HERE / "openapi.json", tmp_path], check=True)
    assert (tmp_path / name).read_text() == (PACKAGE / name).read_text(), AGAIN


def test_both_clients_are_one_text(tmp_path: pathlib.Path) -> None:
    subprocess.run([sys.executable, HERE / "tools/generate_sync.py", tmp_path], check=True)
    made = {path.name: path.read_text() for path in tmp_path.glob("*.py")}
    assert made == {path.name: path.read_text() for path in (PACKAGE / "_sync").glob("*.py")}, AGAIN
