#!/usr/bin/env bash
# Forces the circuit breaker of an external service open, closes it again, or shows them all. One pod is asked; what
# it is told holds for all, and over restarts, until it is closed.
#
# Usage: circuit-breaker.sh open|close|reset SERVICE [--dry-run]      SERVICE: openai-api, s3, redis, clickhouse ...
#        circuit-breaker.sh status
#
# The operators' key is ADMIN_KEY of the environment or, without it, that of the pod. It goes through standard
# input, so that no list of processes and no audit log of the cluster shows it.
# From the environment: NAMESPACE, ADMIN_KEY.
set -euo pipefail
SCRIPTS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=lib.sh
source "$SCRIPTS/lib.sh"

words=()
for argument in "$@"; do
    case $argument in
    --help | -h) help && exit 0 ;;
    --dry-run) DRY_RUN=1 ;;
    -*) wrong "unknown argument: $argument" ;;
    *) words+=("$argument") ;;
    esac
done
action=${words[0]:-}
service=${words[1]:-}
need kubectl

ROOT=http://localhost:8080/admin/circuit-breaker
case $action in
status)
    [ "${#words[@]}" -eq 1 ] || wrong "status takes no service"
    k exec "deployment/$API" -- curl -sS --fail-with-body --max-time 10 "$ROOT/status"
    ;;
open | close | reset)
    [[ $service =~ ^[a-z0-9-]+$ && ${#words[@]} -eq 2 ]] || wrong "which service? circuit-breaker.sh $action openai-api"
    if [ -n "$DRY_RUN" ]; then
        say "would ask a pod to POST {\"service\": \"$service\"} to $ROOT/$action"
        exit 0
    fi
    # The key of the pod is written by a shell inside of it; printf is built in and shows it to nobody.
    # shellcheck disable=SC2016  # expanded in the pod
    ask='key=$(cat); [ -n "$key" ] || key=${ADMIN_KEY:-}; [ -n "$key" ] || { echo "FAILED: neither this shell nor the pod has an ADMIN_KEY" >&2; exit 1; }
        printf "X-Admin-Key: %s\n" "$key" | curl -sS --fail-with-body --max-time 10 -H @- -X POST -d "{\"service\": \"$2\"}" "$1"'
    printf '%s' "${ADMIN_KEY:-}" | k exec -i "deployment/$API" -- /bin/sh -c "$ask" sh "$ROOT/$action" "$service"
    ;;
*) wrong "open, close, reset or status" ;;
esac
echo
