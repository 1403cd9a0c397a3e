#!/usr/bin/env bash
# Makes the environment of the real model server and its tiny model, once; safe to run again.
# Usage: setup.sh [FOLDER]   (default: build/venv-llama)
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
venv=${1:-$root/build/venv-llama}
python=${PYTHON:-python3}

stamp="$venv/.installed"
if ! cmp -s "$here/requirements.txt" "$stamp"; then
    "$python" -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$here/requirements.txt"
    cp "$here/requirements.txt" "$stamp"
fi
if [ ! -f "$venv/tiny.gguf" ] || [ "$here/make_model.py" -nt "$venv/tiny.gguf" ]; then
    "$venv/bin/python" "$here/make_model.py" "$venv/tiny.gguf"
fi
