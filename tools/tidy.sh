#!/usr/bin/env bash
# clang-tidy with the checks of .clang-tidy, each an error. Usage: tidy.sh [FOLDER...]
# Folders default to src. With --changed: the rooms that differ from origin/main (or from the
# commit before, on main itself).
set -euo pipefail
cd "$(dirname "$0")/.."
build=${BUILD:-build/dev}
[ -f "$build/build.ninja" ] || cmake --preset dev -B "$build" >/dev/null

folders=("$@")
if [ "${1:-}" = --changed ]; then
    base=$(git merge-base HEAD origin/main 2>/dev/null || true)
    if [ -z "$base" ] || [ "$base" = "$(git rev-parse HEAD)" ]; then
        base=$(git rev-parse -q --verify HEAD~1 || git hash-object -t tree /dev/null)
    fi
    mapfile -t folders < <(git diff --name-only --diff-filter=d "$base" -- 'src/*.cpp' 'src/*.h' |
        xargs -r -n 1 dirname | sort -u)
    if [ "${#folders[@]}" -eq 0 ]; then
        echo "tidy: no room has changed"
        exit 0
    fi
fi
[ "${#folders[@]}" -gt 0 ] || folders=(src)

# The precompiled header and generated sources have to be there; nothing else is built.
targets=$(ninja -C "$build" -t targets all | sed -n 's/: .*//p' | grep 'cmake_pch\.hxx\.pch$' || true)
# shellcheck disable=SC2086
[ -z "$targets" ] || ninja -C "$build" -j "${JOBS:-2}" $targets >/dev/null

# Not the tests: an optional that ASSERT_TRUE has looked at counts as unchecked there.
patterns=()
for folder in "${folders[@]}"; do
    patterns+=("/${folder%/}/(?!.*(_test\\.cpp|/test_[a-z_]*\\.cpp)\$)")
done
run-clang-tidy-19 -quiet -p "$build" -j "${JOBS:-2}" "${patterns[@]}"
