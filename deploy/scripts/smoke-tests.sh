#!/usr/bin/env bash
# Uses the service a little, as its clients do: public routes, and with TEST_TOKEN a dataset that is made, read and
# deleted again.
#
# Usage: API_URL=http://localhost:8081 [TEST_TOKEN=...] smoke-tests.sh [--dry-run] [--help]
#
# TEST_TOKEN: a token of somebody who may make datasets. Without it only what is public is used, and the output
# says so. During maintenance nothing is written. Exit status: 0 when all went as it should.
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
if [ -n "$DRY_RUN" ]; then
    say "would ask $API_URL for /health /health/ready /models/providers /openapi.json, and make and delete a dataset"
    exit 0
fi
need curl jq

made=
answer=$(mktemp)
clean_up() {
    if [ -n "$made" ]; then
        call DELETE "/datasets/$made" >/dev/null || warn "dataset $made could not be deleted"
    fi
    rm -f "$answer"
}
trap clean_up EXIT

# call METHOD PATH [BODY]: prints the status; the body is in $answer.
call() {
    local more=()
    [ -z "${TEST_TOKEN:-}" ] || more+=(-H "Authorization: Bearer $TEST_TOKEN")
    [ -z "${3:-}" ] || more+=(-H 'Content-Type: application/json' --data "$3")
    curl -s --max-time 10 -o "$answer" -w '%{http_code}' -X "$1" "${more[@]}" "$API_URL$2" || true
}

expect() {
    local wanted=$1 status
    shift
    status=$(call "$@")
    [ "$status" = "$wanted" ] || die "$1 $2 answers $status, not $wanted: $(head -c 500 "$answer")"
    say "OK: $1 $2"
}

expect 200 GET /health
expect 200 GET /health/ready
expect 200 GET /models/providers
expect 200 GET /openapi.json
if [ -z "${TEST_TOKEN:-}" ]; then
    say "NOT CHECKED: reading and writing, because TEST_TOKEN is not set"
    exit 0
fi
expect 200 GET '/experiments?limit=1'
status=$(call POST /datasets "{\"name\": \"smoke-test-$(date +%s)-$$\", \"format\": \"jsonl\"}")
if [ "$status" = 503 ] && grep -q MAINTENANCE "$answer"; then
    say "NOT CHECKED: writing, because there is maintenance"
    exit 0
fi
[ "$status" = 201 ] || die "POST /datasets answers $status, not 201: $(head -c 500 "$answer")"
made=$(jq -er .id "$answer") || die "POST /datasets answers without an id: $(head -c 500 "$answer")"
say "OK: POST /datasets"
expect 200 GET "/datasets/$made"
status=$(call DELETE "/datasets/$made")
[[ $status = 20[04] ]] || die "DELETE /datasets/$made answers $status: $(head -c 500 "$answer")"
made=
say "OK: DELETE /datasets"
