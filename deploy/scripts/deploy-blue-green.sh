#!/usr/bin/env bash
# Brings a new version without a request that fails, and with the way back open until the end.
#
# Usage: deploy-blue-green.sh [--until green|switched] [--abort] [--dry-run] [--help] VERSION
#
#   1. green comes up beside the base Deployment (blue), with an autoscaler and a disruption budget of its own
#   2. green is tested at one of its pods
#   3. traffic goes to green; errors are watched for MONITOR_SECONDS (300), then SOAK_SECONDS (1500) go by.
#      Too many errors: traffic goes back to blue, which still runs the old version
#   4. the base Deployment and the workers get the new version
#   5. traffic goes back to blue, errors are watched for BACK_SECONDS (60), green goes
# So green is temporary, and every other command of the runbook (rollback, autoscaler, scale, exec) acts on the
# Deployment that serves. Called again it goes on where it was. --until stops after 2 or 3. --abort takes traffic
# back to blue and removes green: one patch, as long as 4 has not begun.
#
# From the environment: NEW_VERSION, NAMESPACE, IMAGE, REPLICAS (3), PROMETHEUS_URL, MAX_ERROR_RATE (0.01),
# ROLLOUT_TIMEOUT (300s), TEST_TOKEN.
set -euo pipefail
SCRIPTS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=lib.sh
source "$SCRIPTS/lib.sh"

version=${NEW_VERSION:-}
until=end
abort=
while [ $# -gt 0 ]; do
    case $1 in
    --help | -h) help && exit 0 ;;
    --dry-run) DRY_RUN=1 ;;
    --abort) abort=1 ;;
    --until)
        until=${2:-}
        [[ $until = green || $until = switched ]] || wrong "--until green or --until switched"
        shift
        ;;
    -*) wrong "unknown argument: $1" ;;
    *) version=$1 ;;
    esac
    shift
done
GREEN=$API-green
need kubectl jq curl awk

remove_green() {
    remove hpa "$HPA-green"
    remove pdb "$API-green"
    remove deployment "$GREEN"
}

if [ -n "$abort" ]; then
    if [ "$(serving)" != blue ]; then
        point_at blue || die "the pods of blue are not ready: green stays"
    fi
    remove_green
    say "blue serves $(image_of "$API")"
    exit 0
fi
[ -n "$version" ] || wrong "which version? deploy-blue-green.sh v1.2.3"
version_is_good "$version"
new=$IMAGE:$version

make_green() {
    local replicas
    replicas=$(replicas_of "$API")
    if [ "$replicas" -lt "${REPLICAS:-3}" ]; then
        replicas=${REPLICAS:-3}
    fi
    if exists deployment "$GREEN"; then
        [ "$(image_of "$GREEN")" = "$new" ] ||
            die "$GREEN is there with $(image_of "$GREEN"): deploy-blue-green.sh --abort removes it"
        # Its autoscaler has its own mind by now.
        replicas=$(replicas_of "$GREEN")
    fi
    copy_of green "$new" "$replicas" | apply
    if exists hpa "$HPA"; then
        guard_copy hpa "$HPA" green | apply
    fi
    if exists pdb "$API"; then
        guard_copy pdb "$API" green | apply
    fi
    rollout "$GREEN" || die "green does not become ready; blue serves, and green is left to be looked at"
}

# Back on the base, which has to be as large as what has carried the traffic.
return_to_base() {
    local wanted
    wanted=$(replicas_of "$API")
    if exists deployment "$GREEN"; then
        wanted=$(replicas_of "$GREEN")
    fi
    if [ "$(replicas_of "$API")" -lt "$wanted" ]; then
        change k scale deployment "$API" --replicas="$wanted"
        rollout "$API"
    fi
    smoke blue || die "$version does not pass its tests in the base Deployment: traffic stays on green"
    point_at blue || die "traffic stays on green"
    if ! watch_errors "${BACK_SECONDS:-60}"; then
        point_at green
        die "errors after the return to the base Deployment: traffic is on green again"
    fi
}

if [ "$(serving)" = blue ] && ! exists deployment "$GREEN" && [ "$(image_of "$API")" = "$new" ]; then
    say "$version serves already"
    exit 0
fi

if [ "$(image_of "$API")" != "$new" ]; then
    say "Step 1: green with $new beside blue with $(image_of "$API")"
    make_green
    say "Step 2: tests of green"
    smoke green || die "green does not pass its tests; blue serves, and green is left to be looked at"
    [ "$until" != green ] || exit 0

    say "Step 3: traffic to green"
    if [ "$(serving)" != green ]; then
        point_at green || { point_at blue && die "traffic is on blue again"; }
        if ! watch_errors "${MONITOR_SECONDS:-300}"; then
            point_at blue
            die "too many errors: traffic is on blue again, and green is left to be looked at"
        fi
        pause "${SOAK_SECONDS:-1500}"
        if ! watch_errors 20; then
            point_at blue
            die "too many errors: traffic is on blue again, and green is left to be looked at"
        fi
    fi
    [ "$until" != switched ] || exit 0
fi

say "Step 4: the base Deployment gets $version"
set_image "$new"
rollout_all || die "$version does not become ready in the base Deployment: traffic stays on green"

say "Step 5: traffic back to the base Deployment"
return_to_base
remove_green
say "$version serves"
