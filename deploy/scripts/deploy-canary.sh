#!/usr/bin/env bash
# Gives a new version a growing part of the traffic, and takes it away again when it makes errors.
#
# Usage: deploy-canary.sh [--until PERCENT] [--dry-run] [--help] VERSION
#        deploy-canary.sh --promote VERSION        the canary has shown what it can: the base Deployment gets it
#        deploy-canary.sh --abort                  all traffic to the base Deployment; the canary goes
#
# Needs Istio: the VirtualService llm-research-api shares the traffic out, and requests with `x-canary: true` always
# go to the canary. Steps: STEPS ("10 25 50 100") percent, each for STEP_SECONDS (300), then promotion. A step
# that has more than MAX_ERROR_RATE (0.01) errors ends in --abort. --until stops behind that step.
#
# From the environment: NEW_VERSION, NAMESPACE, IMAGE, PROMETHEUS_URL, ROLLOUT_TIMEOUT (300s), TEST_TOKEN.
set -euo pipefail
SCRIPTS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=lib.sh
source "$SCRIPTS/lib.sh"

version=${NEW_VERSION:-}
until=
action=deploy
while [ $# -gt 0 ]; do
    case $1 in
    --help | -h) help && exit 0 ;;
    --dry-run) DRY_RUN=1 ;;
    --abort | --promote) action=${1#--} ;;
    --until)
        until=${2:-}
        [[ $until =~ ^[0-9]+$ ]] || wrong "--until PERCENT"
        shift
        ;;
    -*) wrong "unknown argument: $1" ;;
    *) version=$1 ;;
    esac
    shift
done
CANARY=$API-canary
need kubectl jq curl awk

# share PERCENT: what the canary gets. With "none" nothing leads to it, the header neither.
# shellcheck disable=SC2016  # the names in them are those of jq
share() {
    local routes
    if [ "$1" = none ]; then
        routes='[{route: [{destination: {host: $api, port: {number: 8080}}, weight: 100}]}]'
    else
        routes='[{match: [{headers: {"x-canary": {exact: "true"}}}],
                  route: [{destination: {host: ($api + "-canary"), port: {number: 8080}}}]},
                 {route: [{destination: {host: $api, port: {number: 8080}}, weight: (100 - $percent)},
                          {destination: {host: ($api + "-canary"), port: {number: 8080}}, weight: $percent}]}]'
    fi
    jq -n --arg api "$API" --arg namespace "$NAMESPACE" --argjson percent "${1/none/0}" "
        {apiVersion: \"networking.istio.io/v1beta1\", kind: \"VirtualService\",
         metadata: {name: \$api, namespace: \$namespace},
         spec: {hosts: [\$api], http: $routes}}" | apply
}

canary_service() {
    k get service "$API" -o json | jq '
        {apiVersion, kind,
         metadata: {name: (.metadata.name + "-canary"), namespace: .metadata.namespace,
                    labels: (.metadata.labels + {version: "canary"} | del(.["app.kubernetes.io/managed-by"]))},
         spec: {type: .spec.type, selector: (.spec.selector + {version: "canary"}),
                ports: [.spec.ports[] | {name, port, targetPort, protocol}]}}' | apply
}

abort() {
    if exists virtualservice "$API"; then
        share none
        # Proxies hear of it before the pods go.
        pause "${SETTLE_SECONDS:-5}"
    fi
    remove virtualservice "$API"
    remove service "$CANARY"
    remove pdb "$CANARY"
    remove deployment "$CANARY"
}

# As many pods as its share of the base, at least one.
canary_pods() { echo $((($(replicas_of "$API") * $1 + 99) / 100)); }

k get crd virtualservices.networking.istio.io >/dev/null 2>&1 ||
    die "there is no Istio here (CRD virtualservices.networking.istio.io): use deploy-blue-green.sh"
if [ "$action" = abort ]; then
    abort
    say "the base Deployment has all traffic: $(image_of "$API")"
    exit 0
fi
[ -n "$version" ] || wrong "which version? deploy-canary.sh v1.2.3"
version_is_good "$version"
new=$IMAGE:$version
[ "$(serving)" = blue ] || die "traffic is on $(serving): end that deployment first (deploy-blue-green.sh, or --abort)"

promote() {
    local pods
    pods=$(canary_pods 100)
    if [ -z "$DRY_RUN" ] && [ "$(replicas_of "$CANARY")" -lt "$pods" ]; then
        change k scale deployment "$CANARY" --replicas="$pods"
        rollout "$CANARY"
    fi
    share 100
    pause "${SETTLE_SECONDS:-5}"
    set_image "$new"
    rollout_all || die "$version does not become ready in the base Deployment: traffic stays on the canary"
    smoke blue || die "$version does not pass its tests in the base Deployment: traffic stays on the canary"
    abort
    say "$version serves"
}

if [ "$action" = promote ]; then
    exists deployment "$CANARY" || die "there is no canary to promote"
    [ "$(image_of "$CANARY")" = "$new" ] || die "the canary is $(image_of "$CANARY"), not $new"
    promote
    exit 0
fi
if [ "$(image_of "$API")" = "$new" ] && ! exists deployment "$CANARY"; then
    say "$version serves already"
    exit 0
fi
if exists deployment "$CANARY" && [ "$(image_of "$CANARY")" != "$new" ]; then
    die "there is a canary with $(image_of "$CANARY"): deploy-canary.sh --abort removes it"
fi

copy_of canary "$new" 1 | apply
canary_service
rollout "$CANARY" || die "the canary does not become ready; it has no traffic, and is left to be looked at"
smoke canary || die "the canary does not pass its tests; it has no traffic, and is left to be looked at"
for percent in ${STEPS:-10 25 50 100}; do
    say "$percent % of the traffic to $version"
    change k scale deployment "$CANARY" --replicas="$(canary_pods "$percent")"
    rollout "$CANARY"
    share "$percent"
    if ! watch_errors "${STEP_SECONDS:-300}" "pod=~\"$CANARY-.*\""; then
        abort
        die "$version makes too many errors at $percent %: all traffic is on the base Deployment again"
    fi
    if [ -n "$until" ] && [ "$percent" -ge "$until" ]; then
        say "$version has $percent %; go on with deploy-canary.sh --promote $version, or --abort"
        exit 0
    fi
done
promote
