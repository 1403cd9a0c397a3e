"""The tour of examples/service prints the published figures."""

from __future__ import annotations

import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[3]


def test_the_tour_prints_the_published_figures(tmp_path: pathlib.Path) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "examples/service/tour_client.py", tmp_path],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    published = json.loads((ROOT / "examples/gsm8k/expected.json").read_text())["per_model"]
    for model in ("175b_finetuning", "175b_verification"):
        found = re.search(rf"^{model}: ([0-9.]+) \[", done.stdout, re.MULTILINE)
        assert found is not None, done.stdout
        assert abs(float(found[1]) - published[model]["accuracy"]) < 1e-9
    assert "175b_verification" in (tmp_path / "gsm8k.html").read_text()
