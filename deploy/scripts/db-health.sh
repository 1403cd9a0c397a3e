#!/usr/bin/env bash
# Shows how the database is: connections, long queries, locks, sizes, use of indexes, replicas, and the pools of the pods.
#
# Usage: DATABASE_URL=postgresql://... db-health.sh [--sql-only] [--dry-run] [--help]
#
# It changes nothing. Exit status: 1 when a query fails or a session has been working for more than five minutes.
# From the environment: DATABASE_URL, NAMESPACE.
set -euo pipefail
SCRIPTS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=lib.sh
source "$SCRIPTS/lib.sh"

sql_only=
for argument in "$@"; do
    case $argument in
    --help | -h) help && exit 0 ;;
    --dry-run) DRY_RUN=1 ;;
    --sql-only) sql_only=1 ;;
    *) wrong "unknown argument: $argument" ;;
    esac
done
: "${DATABASE_URL:?is not set: where is the database?}"
need psql

run_sql() { psql "$DATABASE_URL" --no-psqlrc -v ON_ERROR_STOP=1 "$@"; }

if [ -n "$DRY_RUN" ]; then
    say "would run $(cd "$SCRIPTS/../sql" && pwd)/db-health.sql, and read db_pool metrics of the pods"
    exit 0
fi
run_sql -f "$SCRIPTS/../sql/db-health.sql" || die "the database does not answer its questions"
if [ -z "$sql_only" ]; then
    need kubectl
    for pod in $(k get pods -l "app in ($API,$WORKER)" --field-selector=status.phase=Running -o name); do
        say "$pod:"
        metrics=$(k exec "$pod" -- curl -sf --max-time 5 http://localhost:9090/metrics) || {
            warn "$pod does not show its metrics"
            continue
        }
        grep '^db_pool' <<<"$metrics" || warn "$pod has no pool"
    done
fi
long=$(run_sql -At -c "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND backend_type = 'client backend'
    AND now() - query_start > interval '5 minutes'")
[ "$long" = 0 ] || die "$long queries have been running for more than five minutes"
say "the database is well"
