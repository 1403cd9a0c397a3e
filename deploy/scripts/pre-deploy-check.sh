#!/usr/bin/env bash
# Looks whether everything is there that a deployment needs, before it begins. It changes nothing.
#
# Usage: pre-deploy-check.sh [--dry-run] [--help] [VERSION]
#
# What cannot be looked at because a variable is not set, or a tool not there, is told as "not checked" with the
# reason. Exit status: 1 when a check has failed.
# From the environment: NAMESPACE, NEW_VERSION, IMAGE, DATABASE_URL, S3_BUCKET, BACKUP_BUCKET, SECRET_ID, PROMETHEUS_URL.
set -euo pipefail
SCRIPTS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=lib.sh
source "$SCRIPTS/lib.sh"

version=${NEW_VERSION:-}
for argument in "$@"; do
    case $argument in
    --help | -h) help && exit 0 ;;
    --dry-run) ;; # nothing is changed in any case
    -*) wrong "unknown argument: $argument" ;;
    *) version=$argument ;;
    esac
done
need kubectl jq

failed=0
good() { say "OK: $*"; }
bad() {
    say "FAILED: $*"
    failed=$((failed + 1))
}
skipped() { say "NOT CHECKED: $*"; }
# check WORDS COMMAND...: the words say what holds when the command succeeds.
check() {
    local words=$1
    shift
    if "$@" >/dev/null 2>&1; then
        good "$words"
    else
        bad "$words"
    fi
}

cluster() {
    check "the API server answers" kubectl version
    local verb
    for verb in "patch service" "create deployment" "patch configmap" "delete deployment" "create pods/exec"; do
        # shellcheck disable=SC2086  # two words
        check "may $verb in $NAMESPACE" k auth can-i ${verb}
    done
    local nodes
    nodes=$(kubectl get nodes -o json 2>/dev/null | jq -r '
        .items[] | select(any(.status.conditions[]; .type == "Ready" and .status != "True")) | .metadata.name') || true
    if [ -z "$nodes" ]; then
        good "all nodes are ready"
    else
        bad "nodes are not ready: $nodes"
    fi
    if kubectl top nodes >/dev/null 2>&1; then
        good "metrics of nodes (kubectl top)"
    else
        bad "no metrics of nodes (kubectl top): the autoscaler cannot work"
    fi
    check "metric http_requests_per_second for the autoscaler" \
        kubectl get --raw "/apis/custom.metrics.k8s.io/v1beta1/namespaces/$NAMESPACE/pods/*/http_requests_per_second"
}

has_keys() {
    k get "$1" "$2" -o json | jq -e --args '.data as $data | all($ARGS.positional[]; . as $key | $data | has($key))' "${@:3}"
}

release() {
    check "ConfigMap $CONFIG" exists configmap "$CONFIG"
    check "Secret llm-research-secrets has DATABASE_URL and JWT_SECRET" \
        has_keys secret llm-research-secrets DATABASE_URL JWT_SECRET
    if ! has_keys secret llm-research-secrets ADMIN_KEY >/dev/null 2>&1; then
        say "NOTE: the Secret has no ADMIN_KEY: circuit breakers cannot be forced"
    fi
    if ! exists deployment "$API"; then
        skipped "the Deployment $API, which is not there yet"
        return 0
    fi
    check "all pods of $API are ready" k rollout status "deployment/$API" --timeout=5s
    if [ "$(serving)" = "$(k get deployment "$API" -o 'jsonpath={.spec.selector.matchLabels.version}')" ]; then
        good "traffic is on the base Deployment"
    else
        bad "traffic is on $(serving): a deployment is under way (deploy-blue-green.sh VERSION, or --abort)"
    fi
    local other
    for other in green canary; do
        if exists deployment "$API-$other"; then
            bad "$API-$other is there: a deployment is under way"
        else
            good "no $other is left over"
        fi
    done
    check "the autoscaler acts on $API" \
        test "$(k get hpa "$HPA" -o 'jsonpath={.spec.scaleTargetRef.name}' 2>/dev/null)" = "$API"
    room
}

# The quota has to hold as many pods again as there are.
room() {
    local free pods
    free=$(k get resourcequota -o json 2>/dev/null |
        jq -r '[.items[].status | (.hard.pods // empty | tonumber) - (.used.pods // "0" | tonumber)] | min // empty')
    if [ -z "$free" ]; then
        skipped "room in the quota: there is none, or it does not count pods"
        return 0
    fi
    pods=$(replicas_of "$API")
    if [ "$free" -ge "$pods" ]; then
        good "the quota has room for $pods more pods"
    else
        bad "the quota has room for $free more pods, and green has $pods"
    fi
}

image() {
    if [ -z "$version" ]; then
        skipped "the image: NEW_VERSION is not set"
        return 0
    fi
    version_is_good "$version"
    if docker version >/dev/null 2>&1; then
        check "image $IMAGE:$version can be had" docker pull -q "$IMAGE:$version"
    else
        skipped "that $IMAGE:$version can be had: no Docker engine answers"
    fi
    if command -v trivy >/dev/null; then
        check "no serious weakness is known in $IMAGE:$version" \
            trivy image --quiet --exit-code 1 --severity HIGH,CRITICAL "$IMAGE:$version"
    else
        skipped "weaknesses of the image: there is no trivy"
    fi
}

stores() {
    if [ -z "${DATABASE_URL:-}" ]; then
        skipped "the database: DATABASE_URL is not set"
    else
        check "the database answers" psql "$DATABASE_URL" --no-psqlrc -c 'SELECT 1'
    fi
    local bucket
    for bucket in S3_BUCKET BACKUP_BUCKET; do
        if [ -z "${!bucket:-}" ]; then
            skipped "the bucket: $bucket is not set"
        else
            check "bucket ${!bucket}" aws ${AWS_ENDPOINT_URL:+--endpoint-url "$AWS_ENDPOINT_URL"} s3 ls "s3://${!bucket}/"
        fi
    done
    if [ -z "${SECRET_ID:-}" ]; then
        skipped "the secret at AWS: SECRET_ID is not set (llm-research-lab/production)"
    else
        # What it holds is not asked for.
        check "secret $SECRET_ID" aws secretsmanager describe-secret --secret-id "$SECRET_ID"
    fi
    if [ -n "$(error_rate)" ]; then
        good "Prometheus answers at $PROMETHEUS_URL"
    else
        bad "Prometheus does not answer at $PROMETHEUS_URL: error rates could not be watched"
    fi
}

cluster
release
image
stores
[ "$failed" -eq 0 ] || die "$failed checks"
say "ready for a deployment"
