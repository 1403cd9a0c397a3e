#!/usr/bin/env bash
# Sets how many pods of the API there are, so that it stays: the autoscaler would take a plain `kubectl scale` back.
#
# Usage: scale.sh [--dry-run] [--help] REPLICAS     that many at least; the autoscaler may add to them
#        scale.sh --release                         the autoscaler decides again, from MIN_REPLICAS (3) on
#
# From the environment: NAMESPACE, ROLLOUT_TIMEOUT (300s).
set -euo pipefail
SCRIPTS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=lib.sh
source "$SCRIPTS/lib.sh"

replicas=
release=
for argument in "$@"; do
    case $argument in
    --help | -h) help && exit 0 ;;
    --dry-run) DRY_RUN=1 ;;
    --release) release=1 ;;
    -*) wrong "unknown argument: $argument" ;;
    *) replicas=$argument ;;
    esac
done
[ -z "$release" ] || replicas=${MIN_REPLICAS:-3}
[[ $replicas =~ ^[1-9][0-9]{0,2}$ ]] || wrong "how many? scale.sh 10"
need kubectl jq

if exists hpa "$HPA"; then
    most=$(k get hpa "$HPA" -o 'jsonpath={.spec.maxReplicas}')
    [ "$replicas" -le "$most" ] || die "the autoscaler $HPA allows $most at most: raise its maxReplicas, and the quota"
    change k patch hpa "$HPA" --type merge -p "{\"spec\":{\"minReplicas\":$replicas}}"
    now=$(replicas_of "$API")
    if [ -n "$release" ] && [ "$now" -gt "$replicas" ]; then
        say "$API has $now pods; the autoscaler takes away what is not needed, after five minutes"
        exit 0
    fi
fi
change k scale deployment "$API" --replicas="$replicas"
rollout "$API"
k get deployment "$API"
