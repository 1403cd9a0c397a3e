#!/usr/bin/env bash
# How many compilers may run at once: one a core, and about 1.5 GB of memory for each.
set -euo pipefail
cores=$(nproc)
kib=$(awk '/^MemAvailable:/ {print $2}' /proc/meminfo)
# A container may be allowed less than the machine has.
limit=$(cat /sys/fs/cgroup/memory.max 2>/dev/null || echo max)
if [ "$limit" != max ] && [ $((limit / 1024)) -lt "$kib" ]; then
    kib=$((limit / 1024))
fi
jobs=$((kib / (1536 * 1024)))
[ "$jobs" -lt "$cores" ] || jobs=$cores
[ "$jobs" -ge 1 ] || jobs=1
echo "$jobs"
