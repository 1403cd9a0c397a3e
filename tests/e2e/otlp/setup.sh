#!/usr/bin/env bash
# Makes the environment with OpenTelemetry's own messages, for test_traces.py, once; safe to run again.
# Usage: setup.sh [FOLDER]   (default: build/venv-otlp)
set -eu
here=$(cd "$(dirname "$0")" && pwd)
to=${1:-$here/../../../build/venv-otlp}
if ! cmp -s "$here/requirements.txt" "$to/.installed"; then
    "${PYTHON:-python3}" -m venv "$to"
    "$to/bin/python" -m pip install --quiet --disable-pip-version-check -r "$here/requirements.txt"
    cp "$here/requirements.txt" "$to/.installed"
fi
