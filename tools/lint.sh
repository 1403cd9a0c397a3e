#!/usr/bin/env bash
# What can be said about the sources without compiling them. Looks at everything before it fails.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
failed=0

words=$(tools/sources.sh | xargs -0 clang-format-19 --dry-run -Werror 2>&1) || {
    # One line a file: the first place that differs.
    grep -E '^[^ ]+:[0-9]+:[0-9]+: error' <<<"$words" | sort -t: -k1,1 -u >&2
    echo "lint: these files are not in the house format: make format" >&2
    failed=1
}

# A clone by hand has no hooks and no index: look at the folders, not at git.
find .ci tools tests bench sdk deploy -type f \( -name '*.sh' -o -path '.ci/*' \) -print0 |
    xargs -0 shellcheck || failed=1

python3 tools/check.py || failed=1
python3 -m unittest -q tools.check_test tools.compare_published_test tools.duckdb_test tools.fuzz_test tools.moto_test \
    tools.s3_test tools.test_test tools.tidy_test || failed=1
python3 -B -m unittest -q tests/rehearsal/test_parts.py || failed=1
exit "$failed"
