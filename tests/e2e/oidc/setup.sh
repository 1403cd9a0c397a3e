#!/usr/bin/env bash
# Installs the identity provider of test_oidc.py as its lock file pins it, once; safe to run again.
# Usage: setup.sh [FOLDER]   (default: build/oidc)
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
to=${1:-$root/build/oidc}

if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
    "$root/tools/deps.sh" nodejs npm
fi
if ! cmp -s "$here/package-lock.json" "$to/.installed"; then
    mkdir -p "$to"
    cp "$here/package.json" "$here/package-lock.json" "$to/"
    npm ci --prefix "$to" --ignore-scripts --no-audit --no-fund --silent
    cp "$here/package-lock.json" "$to/.installed"
fi
