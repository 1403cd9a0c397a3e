#!/usr/bin/env bash
# Brings the schema of PostgreSQL up to date, after a dump that has been proven by restoring it.
#
# Usage: DATABASE_URL=postgresql://... BACKUP_BUCKET=... run-migrations.sh [options]
#
#   --backup-only     dump and proof alone
#   --no-restore      the dump is compared with what S3 gives back, but not restored
#   --with WHAT       llm-research or sqlx from PATH, or job: a Job of the cluster with NEW_VERSION of the image.
#                     Without it the first of them that there is
#   --dry-run, --help
#
#   1. pg_dump to BACKUP_DIR (/backups when there is one, a temporary folder otherwise)
#   2. to s3://BACKUP_BUCKET/migrations/ and back: the same bytes
#   3. restored into a database that is made for it on the same server (VERIFY_DATABASE_URL names another, empty one),
#      dumped again: the same text, table by table and row by row; that database is dropped
#   4. migrate run, migrate info
# Every migration is one that the release before gets on with, so it runs while the old pods serve.
#
# From the environment: DATABASE_URL (the server itself, no pooler), BACKUP_BUCKET, BACKUP_DIR, VERIFY_DATABASE_URL,
# AWS_ENDPOINT_URL for another S3 server; NAMESPACE, IMAGE, NEW_VERSION for --with job.
set -euo pipefail
SCRIPTS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=lib.sh
source "$SCRIPTS/lib.sh"

with=
backup_only=
restore=1
while [ $# -gt 0 ]; do
    case $1 in
    --help | -h) help && exit 0 ;;
    --dry-run) DRY_RUN=1 ;;
    --backup-only) backup_only=1 ;;
    --no-restore) restore= ;;
    --with)
        with=${2:-}
        [[ $with = llm-research || $with = sqlx || $with = job ]] || wrong "--with llm-research, sqlx or job"
        shift
        ;;
    *) wrong "unknown argument: $1" ;;
    esac
    shift
done
: "${DATABASE_URL:?is not set: where is the database?}"
: "${BACKUP_BUCKET:?is not set: where do dumps go?}"
need psql pg_dump aws cmp

if [ -z "$with" ] && [ -z "$backup_only" ]; then
    if command -v llm-research >/dev/null; then
        with=llm-research
    elif command -v sqlx >/dev/null; then
        with=sqlx
    elif command -v kubectl >/dev/null && [ -n "${NEW_VERSION:-}" ]; then
        with=job
    else
        die "nobody is there who migrates: put llm-research or sqlx on PATH, or set NEW_VERSION for a Job of the cluster"
    fi
fi

# What endpoints of S3 are called differs with the version of aws-cli; old ones know no AWS_ENDPOINT_URL.
s3() { aws ${AWS_ENDPOINT_URL:+--endpoint-url "$AWS_ENDPOINT_URL"} s3 "$@" --only-show-errors; }

work=$(mktemp -d)
scratch=
finish() {
    if [ -n "$scratch" ]; then
        psql "$DATABASE_URL" --no-psqlrc -q -c "DROP DATABASE IF EXISTS \"$scratch\" WITH (FORCE)" ||
            warn "the database $scratch is left over"
    fi
    rm -rf "$work"
}
trap finish EXIT

# Without what differs between two dumps of the same data: comments, the random word that newer ones guard with, and the
# order of rows, which is that of their places on the disk.
plain() {
    LC_ALL=C awk '
        inside && /^\\\.$/ { close("sort"); print; inside = 0; next }
        inside { print | "sort"; next }
        /^--/ || /^\\(un)?restrict / { next }
        /^COPY .* FROM stdin;$/ { print; fflush(); inside = 1; next }
        { print }' "$1"
}

# other_database NAME: DATABASE_URL with another database on the same server.
other_database() {
    sed -E "s#^(postgres(ql)?://[^/?]*)(/[^?]*)?(\\?.*)?\$#\\1/$1\\4#" <<<"$DATABASE_URL"
}

back_up() {
    local name file folder
    name=pre-migration-$(date -u +%Y%m%d-%H%M%S)
    folder=${BACKUP_DIR:-}
    if [ -z "$folder" ]; then
        folder=$work
        [ ! -w /backups ] || folder=/backups
    fi
    file=$folder/$name.sql
    if [ -n "$DRY_RUN" ]; then
        say "would dump the database, put it at s3://$BACKUP_BUCKET/migrations/$name.sql and restore it for proof"
        return 0
    fi
    (umask 077 && pg_dump --no-owner --no-privileges "$DATABASE_URL" >"$file")
    grep -q '^-- PostgreSQL database dump complete' "$file" || die "$file is not a whole dump"
    s3 cp "$file" "s3://$BACKUP_BUCKET/migrations/$name.sql"
    s3 cp "s3://$BACKUP_BUCKET/migrations/$name.sql" "$work/back.sql"
    cmp "$file" "$work/back.sql" || die "what S3 gives back is not what was put there"
    say "Backup created: s3://$BACKUP_BUCKET/migrations/$name.sql, $(stat -c %s "$file") bytes"
    [ -n "$restore" ] || return 0
    prove "$work/back.sql"
}

# prove FILE: a database that is made of it is the one it was made from.
prove() {
    local into=${VERIFY_DATABASE_URL:-} tables rows
    if [ -z "$into" ]; then
        scratch=llm_research_verify_$(date +%s)_$$
        psql "$DATABASE_URL" --no-psqlrc -q -v ON_ERROR_STOP=1 -c "CREATE DATABASE \"$scratch\" TEMPLATE template0" || {
            scratch=
            die "no database may be made for the proof: give an empty one as VERIFY_DATABASE_URL, or --no-restore"
        }
        into=$(other_database "$scratch")
    fi
    psql "$into" --no-psqlrc -q -v ON_ERROR_STOP=1 -f "$1" >/dev/null || die "the dump cannot be restored"
    pg_dump --no-owner --no-privileges "$into" >"$work/again.sql"
    plain "$1" >"$work/first.txt"
    plain "$work/again.sql" >"$work/second.txt"
    if ! cmp -s "$work/first.txt" "$work/second.txt"; then
        diff "$work/first.txt" "$work/second.txt" | head -n 20 >&2 || true
        die "the restored database differs from the dump"
    fi
    tables=$(grep -c '^COPY ' "$work/first.txt" || true)
    rows=$(awk '/^COPY .* FROM stdin;$/ { inside = 1; next } /^\\\.$/ { inside = 0 } inside { n++ } END { print n + 0 }' \
        "$work/first.txt")
    say "Backup restored and equal: $tables tables, $rows rows, sha256 $(sha256sum <"$work/second.txt" | cut -c1-16)"
}

migrate_in_cluster() {
    version_is_good "${NEW_VERSION:?is not set: which image migrates?}"
    need kubectl jq
    # The Job of the chart under a name of its own.
    local name=llm-research-migrate-${NEW_VERSION//./-} manifest="$SCRIPTS/../migration.yaml"
    remove job "$name"
    sed -e "s#^  name: llm-research-migrate\$#  name: $name#" -e "s#^\( *image: \).*#\1$IMAGE:$NEW_VERSION#" \
        -e "s#^  namespace: .*#  namespace: $NAMESPACE#" -e '/helm.sh\/hook/d' -e '/^  annotations:$/d' "$manifest" |
        kubectl apply --dry-run=client -f - -o json | apply
    [ -z "$DRY_RUN" ] || return 0
    if ! k wait --for=condition=complete "job/$name" --timeout="${ROLLOUT_TIMEOUT}"; then
        k logs "job/$name" --tail=50 >&2 || true
        die "the Job $name did not succeed"
    fi
    k logs "job/$name"
}

back_up
[ -z "$backup_only" ] || exit 0
case $with in
# Both read DATABASE_URL from the environment: no list of processes shows the password.
llm-research)
    change llm-research migrate run
    change llm-research migrate info
    ;;
sqlx)
    change sqlx migrate run --source "$SCRIPTS/../../migrations"
    change sqlx migrate info --source "$SCRIPTS/../../migrations"
    ;;
job) migrate_in_cluster ;;
esac
say "Migrations completed successfully"
