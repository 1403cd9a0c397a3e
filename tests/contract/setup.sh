#!/usr/bin/env bash
# Makes the environment of schemathesis, once; safe to run again.
# Usage: setup.sh [FOLDER]   (default: build/venv-contract)
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
venv=${1:-$root/build/venv-contract}
python=${PYTHON:-python3}

stamp="$venv/.installed"
if ! cmp -s "$here/requirements.txt" "$stamp"; then
    "$python" -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$here/requirements.txt"
    cp "$here/requirements.txt" "$stamp"
fi
