#!/usr/bin/env bash
# The C++ files of the repository, tracked or new, each followed by a NUL.
set -euo pipefail
cd "$(dirname "$0")/.."
git ls-files -z --cached --others --exclude-standard --deduplicate -- 'src/*.cpp' 'src/*.h' \
    'tests/*.cpp' 'tests/*.h' 'bench/*.cpp' 'bench/*.h' cmake/pch.h |
    while IFS= read -r -d '' file; do
        # Deleted, and not committed yet.
        if [ -f "$file" ]; then
            printf '%s\0' "$file"
        fi
    done
