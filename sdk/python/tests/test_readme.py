"""The worked example of the README does what it says."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess
import sys
from typing import Any

README = pathlib.Path(__file__).resolve().parent.parent / "README.md"


def test_the_example_runs(server: Any) -> None:
    found = re.search(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    environment = {**os.environ, "LLM_RESEARCH_API_URL": server.url, "LLM_RESEARCH_API_KEY": server.make_key()}
    done = subprocess.run(
        [sys.executable, "-c", found.group(1)], env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[:2] == ["completed 10", "sum-0 1"]
