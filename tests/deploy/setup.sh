#!/usr/bin/env bash
# Makes the environment of the tests of deploy/, once; safe to run again.
# Usage: setup.sh [FOLDER]   (default: build/deploy/venv)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
to=${1:-$here/../../build/deploy/venv}
if ! cmp -s "$here/requirements.txt" "$to/.installed"; then
    "${PYTHON:-python3}" -m venv "$to"
    "$to/bin/python" -m pip install --quiet --disable-pip-version-check -r "$here/requirements.txt"
    cp "$here/requirements.txt" "$to/.installed"
fi
