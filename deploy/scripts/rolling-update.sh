#!/usr/bin/env bash
# Brings a new version to the Deployment that serves, pod by pod. When it does not become ready, the version before
# comes back; when it does, it stays (the runbook's block, pasted whole, would undo it in any case).
#
# Usage: rolling-update.sh [--dry-run] [--help] VERSION        VERSION=v1.2.3, or NEW_VERSION in the environment
#
# From the environment: NAMESPACE, IMAGE, ROLLOUT_TIMEOUT (300s), API_URL and TEST_TOKEN for the health check.
set -euo pipefail
SCRIPTS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=lib.sh
source "$SCRIPTS/lib.sh"

version=${NEW_VERSION:-}
for argument in "$@"; do
    case $argument in
    --help | -h) help && exit 0 ;;
    --dry-run) DRY_RUN=1 ;;
    -*) wrong "unknown argument: $argument" ;;
    *) version=$argument ;;
    esac
done
[ -n "$version" ] || wrong "which version? rolling-update.sh v1.2.3"
version_is_good "$version"
need kubectl jq curl

colour=$(serving)
[ "$colour" != green ] || die "traffic is on green: end that deployment first (deploy-blue-green.sh, or --abort)"
before=$(image_of "$API")
before_worker=
if exists deployment "$WORKER"; then
    before_worker=$(image_of "$WORKER")
fi
if [ "$before" = "$IMAGE:$version" ]; then
    say "$API has $version already"
else
    say "$API: $before -> $IMAGE:$version"
fi
set_image "$IMAGE:$version"
if ! rollout_all; then
    warn "$version did not become ready in $ROLLOUT_TIMEOUT: back to $before"
    undo_image "$before" "$before_worker"
    rollout_all
    die "$version is not deployed; $before serves"
fi
check_health
say "$version serves"
