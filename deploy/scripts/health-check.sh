#!/usr/bin/env bash
# Asks a running service whether it is well: liveness, readiness, the API, the database, metrics, response times.
#
# Usage: API_URL=https://api.llm-research-lab.io TEST_TOKEN=... health-check.sh [--dry-run] [--help]
#
# TEST_TOKEN is a token of anybody who may read experiments; without one what needs it is told as not checked:
#   kubectl exec deployment/llm-research-api -n llm-research -- llm-research admin create-token --email ...
# Exit status: 0 when all is well, 1 when something is not. It changes nothing.
set -euo pipefail
SCRIPTS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=lib.sh
source "$SCRIPTS/lib.sh"

for argument in "$@"; do
    case $argument in
    --help | -h) help && exit 0 ;;
    --dry-run) DRY_RUN=1 ;;
    *) wrong "unknown argument: $argument" ;;
    esac
done

API_URL=${API_URL:-https://api.llm-research-lab.io}
TIMEOUT=10
if [ -n "$DRY_RUN" ]; then
    say "would ask $API_URL for /health /health/ready /models/providers /experiments?limit=1 /metrics"
    exit 0
fi
need curl jq awk
token=()
if [ -n "${TEST_TOKEN:-}" ]; then
    token=(-H "Authorization: Bearer $TEST_TOKEN")
fi

ask() { curl -sf --max-time "$TIMEOUT" "$@"; }

say "Starting health verification of $API_URL..."
ask "$API_URL/health" >/dev/null || die "Liveness check: $API_URL/health does not answer with 200"
say "OK: Liveness"

ready=$(curl -s --max-time "$TIMEOUT" "$API_URL/health/ready") || die "Readiness check: no answer"
jq -e '.status == "healthy"' >/dev/null 2>&1 <<<"$ready" || die "Readiness check: $ready"
say "OK: Readiness"

ask "$API_URL/models/providers" "${token[@]}" >/dev/null || die "Models providers endpoint"
say "OK: Models endpoint"

if [ -n "${TEST_TOKEN:-}" ]; then
    ask "$API_URL/experiments?limit=1" "${token[@]}" >/dev/null || die "Database connectivity: no list of experiments"
    say "OK: Database"
else
    say "NOT CHECKED: the list of experiments, because TEST_TOKEN is not set"
fi

# Not into a pipe: curl must not lose its reader while it writes.
metrics=$(ask "$API_URL/metrics") || die "Metrics endpoint"
grep -q http_requests_total <<<"$metrics" || die "Metrics endpoint: no http_requests_total"
say "OK: Metrics"

slow=0
for _ in {1..5}; do
    seconds=$(curl -o /dev/null -sf -w '%{time_total}' --max-time "$TIMEOUT" "$API_URL/health") || die "Response times"
    if awk -v is="$seconds" 'BEGIN { exit !(is > 1.0) }'; then
        warn "Slow response time: ${seconds}s"
        slow=$((slow + 1))
    fi
done
[ "$slow" -gt 0 ] || say "OK: Response times acceptable"
say "All health checks passed!"
