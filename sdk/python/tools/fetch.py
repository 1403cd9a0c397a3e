#!/usr/bin/env python3
"""Takes openapi.json from a program and generates everything anew.

Usage: LLM_RESEARCH=path/to/llm-research fetch.py     needs the `dev` extra
"""

import json
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[2] / "tests/contract"))

import server  # type: ignore[import-not-found]  # noqa: E402

with server.Server() as running:
    document = running.call("GET", "/openapi.json")
text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
(HERE.parent / "openapi.json").write_text(text, encoding="utf-8")
for name in ("generate.py", "generate_sync.py"):
    subprocess.run([sys.executable, HERE / name], check=True)
