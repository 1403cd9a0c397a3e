#!/usr/bin/env bash
# Makes the environment that the tests of the client run in, once; safe to run again.
# Usage: setup.sh [FOLDER]   (default: build/venv-sdk)
set -eu
here=$(cd "$(dirname "$0")" && pwd)
sdk=$(cd "$here/.." && pwd)
venv=${1:-$sdk/../../build/venv-sdk}
python=${PYTHON:-python3}

stamp="$venv/.installed"
if ! cat "$sdk/requirements-dev.txt" "$sdk/pyproject.toml" | cmp -s - "$stamp"; then
    "$python" -m venv "$venv"
    pip=("$venv/bin/python" -m pip install --quiet --disable-pip-version-check)
    "${pip[@]}" -r "$sdk/requirements-dev.txt"
    "${pip[@]}" --no-deps --no-build-isolation -e "$sdk"
    cat "$sdk/requirements-dev.txt" "$sdk/pyproject.toml" >"$stamp"
fi
