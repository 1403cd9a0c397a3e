#!/usr/bin/env bash
# Style, types and tests of the client. Usage: LLM_RESEARCH=path/to/llm-research test.sh
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/.."
bin="$PWD/../../build/venv-sdk/bin"
"$bin/ruff" check .
"$bin/ruff" format --check .
"$bin/mypy"
# As somebody would install it who has the sources and nothing else.
"$bin/python" -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir "$bin/../wheels" .
"$bin/python" -m pytest
