#!/usr/bin/env bash
# Takes the service back to the version before, whatever is under way.
#
# Usage: emergency-rollback.sh [--dry-run] [--help]
#
#   canary under way     all traffic to the base Deployment, and the canary goes
#   traffic on green     one patch: traffic back to blue, which still has the version before
#   otherwise            the base Deployment and the workers get the newest revision with another image
# Then it waits for the rollout (ROLLBACK_TIMEOUT, 120s), checks health, and tells SLACK_WEBHOOK when that is set;
# a webhook that cannot be reached does not make the rollback a failure. Called again it changes nothing more;
# rolling-update.sh VERSION leads to any other version.
#
# From the environment: NAMESPACE, ENVIRONMENT, SLACK_WEBHOOK, API_URL and TEST_TOKEN for the health check.
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
need kubectl jq curl

started=$SECONDS
say "EMERGENCY ROLLBACK INITIATED"
say "Timestamp: $(date -u +%Y-%m-%dT%H:%M:%SZ)"

# back NAME: the newest revision of that Deployment with another image than now. What it came from is noted at it,
# so that a second call knows that this has been done.
back() {
    local name=$1 now from revision
    now=$(image_of "$name")
    from=$(k get deployment "$name" -o json | jq -r --arg mark "$MARK/rolled-back" '.metadata.annotations[$mark] // ""')
    if [ "${from#*-> }" = "$now" ]; then
        say "$name has been rolled back already ($from)"
        return 0
    fi
    revision=$(k get replicasets -l "$(selector_of "$name")" -o json | jq -r --arg name "$name" --arg now "$now" '
        [.items[] | select(any(.metadata.ownerReferences[]?; .kind == "Deployment" and .name == $name))
                  | select(.spec.template.spec.containers[0].image != $now)
                  | {revision: (.metadata.annotations["deployment.kubernetes.io/revision"] | tonumber),
                     image: .spec.template.spec.containers[0].image}]
        | sort_by(.revision) | last // empty | "\(.revision) \(.image)"')
    if [ -z "$revision" ]; then
        warn "$name has had no other version than $now: it stays"
        return 0
    fi
    say "$name: $now -> ${revision#* }"
    change k rollout undo "deployment/$name" --to-revision="${revision%% *}"
    change k annotate deployment "$name" --overwrite "$MARK/rolled-back=$now -> ${revision#* }"
    undone+=("$name")
}

selector_of() {
    k get deployment "$1" -o json | jq -r '[.spec.selector.matchLabels | to_entries[] | "\(.key)=\(.value)"] | join(",")'
}

undone=()
if exists virtualservice "$API" || exists deployment "$API-canary"; then
    say "a canary is under way: it loses its traffic and goes"
    dry=()
    [ -z "$DRY_RUN" ] || dry=(--dry-run)
    "$SCRIPTS/deploy-canary.sh" --abort "${dry[@]}"
    moved=canary
elif [ "$(serving)" != blue ]; then
    say "traffic is on $(serving): back to blue with $(image_of "$API")"
    point_at blue || die "the pods of blue are not ready"
    moved=green
else
    moved=
fi
# When traffic was taken from what was new, the base is what was before, unless it had been rolled as well.
if [ -z "$moved" ] || { [ "$moved" = green ] && [ "$(image_of "$API")" = "$(image_of "$API-green" 2>/dev/null || true)" ]; }; then
    back "$API"
    if exists deployment "$WORKER"; then
        back "$WORKER"
    fi
fi
for name in "${undone[@]}"; do
    rollout "$name" "${ROLLBACK_TIMEOUT:-120s}" || die "the rollout of $name is not over; kubectl describe deployment $name -n $NAMESPACE"
done
say "rolled back after $((SECONDS - started)) s"

check_health

if [ -n "${SLACK_WEBHOOK:-}" ]; then
    message=$(jq -n --arg environment "${ENVIRONMENT:-unknown}" --arg time "$(date -u +%Y-%m-%dT%H:%M:%SZ)" '
        {text: "EMERGENCY ROLLBACK COMPLETED for llm-research-api",
         attachments: [{color: "warning", fields: [
             {title: "Environment", value: $environment, short: true},
             {title: "Timestamp", value: $time, short: true}]}]}')
    # The address is a secret: it is in no message, and curl reads it where no list of processes shows it.
    if ! change curl -sf --max-time 10 -X POST -H 'Content-Type: application/json' -d "$message" \
        --config <(printf 'url = "%s"\n' "$SLACK_WEBHOOK") >/dev/null; then
        warn "SLACK_WEBHOOK could not be told"
    fi
fi
say "Rollback completed"
