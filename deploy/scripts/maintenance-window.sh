#!/usr/bin/env bash
# A maintenance window: writes and new runs are refused, reading goes on, workers take nothing new. Afterwards, and
# when it is interrupted, all is as it was before.
#
# Usage: maintenance-window.sh [--keep-pods] [--dry-run] [--help] [MINUTES | -- COMMAND...]
#
#   1. MAINTENANCE_MODE=true in the ConfigMap, and wait until every pod says so
#   2. the autoscaler stands still (its lower bound would undo what follows), and pods go one by one, DRAIN_SECONDS
#      (30) apart, until one is left for reading; with --keep-pods all stay
#   3. COMMAND runs, or MINUTES (30) go by
#   4. the pods come back, the autoscaler works again, MAINTENANCE_MODE=false, health is checked
# What the autoscaler was is kept in an annotation of it, so a window that was cut off (kill -9, a lost terminal) is
# ended by the next one, or by: maintenance-window.sh 0
#
# From the environment: NAMESPACE, REPLICAS (as many as there are), API_URL and TEST_TOKEN for the health check.
set -euo pipefail
SCRIPTS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=lib.sh
source "$SCRIPTS/lib.sh"

minutes=30
keep=
work=()
while [ $# -gt 0 ]; do
    case $1 in
    --help | -h) help && exit 0 ;;
    --dry-run) DRY_RUN=1 ;;
    --keep-pods) keep=1 ;;
    --)
        shift
        [ $# -gt 0 ] || wrong "which command? maintenance-window.sh -- COMMAND..."
        work=("$@")
        break
        ;;
    -*) wrong "unknown argument: $1" ;;
    *)
        [[ $1 =~ ^[0-9]{1,4}$ ]] || wrong "how many minutes? maintenance-window.sh 30"
        minutes=$1
        ;;
    esac
    shift
done
need kubectl jq curl

SAVED=$MARK/before-maintenance

maintenance() {
    change k patch configmap "$CONFIG" --type merge -p "{\"data\":{\"MAINTENANCE_MODE\":\"$1\"}}"
}

# pods_say 0|1: all running pods of all colours show that maintenance_mode.
pods_say() {
    local pod
    for pod in $(k get pods -l "app in ($API,$WORKER)" -o json | jq -r '
        .items[] | select(.metadata.deletionTimestamp == null and .status.phase == "Running") | .metadata.name'); do
        k exec "$pod" -- curl -sf --max-time 5 http://localhost:9090/metrics 2>/dev/null | grep -q "^maintenance_mode $1\$" ||
            return 1
    done
}

wait_for_pods() {
    [ -z "$DRY_RUN" ] || return 0
    local try
    for try in {1..30}; do
        if pods_say "$1"; then
            say "every pod says maintenance_mode $1 after $try s at most"
            return 0
        fi
        sleep 1
    done
    warn "not every pod says maintenance_mode $1; kubectl logs -n $NAMESPACE -l app=$API"
}

stop_autoscaler() {
    exists hpa "$HPA" || return 0
    local before
    before=$(k get hpa "$HPA" -o json)
    if jq -e --arg saved "$SAVED" '.metadata.annotations[$saved]' >/dev/null <<<"$before"; then
        say "$HPA stands still already"
        return 0
    fi
    change k annotate hpa "$HPA" "$SAVED=$(jq -c '.spec | {minReplicas, up: .behavior.scaleUp.selectPolicy,
        down: .behavior.scaleDown.selectPolicy}' <<<"$before")"
    change k patch hpa "$HPA" --type merge -p \
        '{"spec":{"minReplicas":1,"behavior":{"scaleUp":{"selectPolicy":"Disabled"},"scaleDown":{"selectPolicy":"Disabled"}}}}'
}

start_autoscaler() {
    exists hpa "$HPA" || return 0
    local before
    before=$(k get hpa "$HPA" -o json | jq -r --arg saved "$SAVED" '.metadata.annotations[$saved] // empty')
    [ -n "$before" ] || return 0
    change k patch hpa "$HPA" --type merge -p "$(jq -c '{spec: {minReplicas,
        behavior: {scaleUp: {selectPolicy: (.up // "Max")}, scaleDown: {selectPolicy: (.down // "Max")}}}}' <<<"$before")"
    change k annotate hpa "$HPA" "$SAVED-"
}

replicas=${REPLICAS:-}
[ -n "$replicas" ] || replicas=$(replicas_of "$API")
# A window that was cut off has left fewer.
if exists hpa "$HPA"; then
    least=$(k get hpa "$HPA" -o json | jq -r --arg saved "$SAVED" '
        (.metadata.annotations[$saved] // "null" | fromjson | .minReplicas) // .spec.minReplicas // 1')
    [ "$replicas" -ge "$least" ] || replicas=$least
fi

open=
restore() {
    [ -n "$open" ] || return 0
    open=
    change k scale deployment "$API" --replicas="$replicas"
    rollout "$API" || warn "not all $replicas pods are back"
    start_autoscaler
    maintenance false
    wait_for_pods 0
}
trap restore EXIT
trap 'exit 130' INT TERM

say "Starting maintenance window..."
open=1
maintenance true
wait_for_pods 1
if [ -z "$keep" ]; then
    stop_autoscaler
    for ((left = replicas - 1; left >= 1; left--)); do
        change k scale deployment "$API" --replicas="$left"
        pause "${DRAIN_SECONDS:-30}"
    done
fi

status=0
if [ "${#work[@]}" -gt 0 ]; then
    say "Maintenance: ${work[*]}"
    change "${work[@]}" || status=$?
else
    say "Maintenance window active for $minutes minutes: perform required maintenance tasks now"
    pause $((minutes * 60))
fi
restore
check_health
[ "$status" -eq 0 ] || die "the command ended with $status; the window is closed"
say "Maintenance window completed"
