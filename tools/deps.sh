#!/usr/bin/env bash
# Installs the Debian packages of tools/packages.txt that are missing; a fraction of a second when
# none is. Extra names can be given: tools/deps.sh golang-go
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "${LAB_SKIP_DEPS:-}" = 1 ]; then
    echo "deps: not looked at (LAB_SKIP_DEPS=1)"
    exit 0
fi
if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    echo "deps: this is not a Debian system. Install what tools/packages.txt lists by your own" >&2
    echo "means, then go on with LAB_SKIP_DEPS=1 make ..." >&2
    exit 1
fi

mapfile -t wanted < <(sed -e 's/#.*//' -e 's/[[:space:]]//g' -e '/^$/d' tools/packages.txt)
wanted+=("$@")

# One call for all: it fails when a name is unknown to dpkg, which is an answer and no error here.
installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "${wanted[@]}" 2>/dev/null || true)
missing=()
for name in "${wanted[@]}"; do
    grep -qx "$name installed" <<<"$installed" || missing+=("$name")
done
if [ "${#missing[@]}" -eq 0 ]; then
    echo "deps: all ${#wanted[@]} packages are installed"
    exit 0
fi
echo "deps: installing ${#missing[@]} packages: ${missing[*]}"

if [ "$(id -u)" -eq 0 ]; then
    as_root=(env)
elif command -v sudo >/dev/null; then
    as_root=(sudo env)
else
    echo "deps: neither root nor sudo here. As root, run:" >&2
    echo "    apt-get update && apt-get install --no-install-recommends ${missing[*]}" >&2
    exit 1
fi

apt() {
    "${as_root[@]}" DEBIAN_FRONTEND=noninteractive apt-get -q -y \
        -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300 "$@"
}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { apt update && apt install --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
    tail -n 40 "$log" >&2
    echo "deps: apt-get could not install what is missing: its words are above" >&2
    exit 1
fi
echo "deps: done"
