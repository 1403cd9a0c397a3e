# shellcheck shell=bash disable=SC2034
# What the scripts share. Sourced, never run. NAMESPACE, API_URL, PROMETHEUS_URL and the like come from the
# environment, as the runbook exports them.

NAMESPACE=${NAMESPACE:-llm-research}
API=llm-research-api
WORKER=llm-research-worker
CONFIG=llm-research-config
HPA=llm-research-api-hpa
IMAGE=${IMAGE:-ghcr.io/llm-research-lab/api}
PROMETHEUS_URL=${PROMETHEUS_URL:-http://prometheus:9090}
# Share of 5xx answers that ends a deployment.
MAX_ERROR_RATE=${MAX_ERROR_RATE:-0.01}
ROLLOUT_TIMEOUT=${ROLLOUT_TIMEOUT:-300s}
# Of our annotations.
MARK=llm-research-lab.io
DRY_RUN=

say() { echo "$*"; }
warn() { echo "WARNING: $*" >&2; }
die() {
    echo "FAILED: $*" >&2
    exit 1
}

# The comment at the head of the script is its help.
help() { awk 'NR > 1 && /^#/ { sub(/^# ?/, ""); print; next } NR > 1 { exit }' "$0"; }

# wrong WORDS: the call is not one that the script takes.
wrong() {
    echo "$*" >&2
    echo "$(basename "$0") --help says what it takes" >&2
    exit 2
}

need() {
    local tool
    for tool in "$@"; do
        command -v "$tool" >/dev/null || die "$tool is not installed or not on PATH"
    done
}

k() { kubectl -n "$NAMESPACE" "$@"; }

# Changes go through this, so that --dry-run shows them and makes none.
change() {
    if [ -n "$DRY_RUN" ]; then
        printf 'would run:'
        printf ' %q' "$@"
        printf '\n'
    else
        "$@"
    fi
}

# What is piped in is applied.
apply() {
    local text
    text=$(cat)
    if [ -n "$DRY_RUN" ]; then
        say "would run: kubectl -n $NAMESPACE apply -f -  # $(jq -r '.kind + " " + .metadata.name' <<<"$text")"
    else
        kubectl -n "$NAMESPACE" apply -f - <<<"$text"
    fi
}

# Waits are for something that a dry run did not begin.
pause() {
    if [ -n "$DRY_RUN" ]; then
        say "would wait $1 s"
    else
        sleep "$1"
    fi
}

exists() { k get "$@" -o name >/dev/null 2>&1; }

# version_is_good VERSION: the tags that the runbook cuts off an image's name.
version_is_good() {
    [[ $1 =~ ^v[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$ ]] ||
        wrong "a version is written like v1.2.3, not \"$1\""
}

image_of() { k get deployment "$1" -o 'jsonpath={.spec.template.spec.containers[0].image}'; }
replicas_of() { k get deployment "$1" -o 'jsonpath={.spec.replicas}'; }
serving() { k get service "$API" -o 'jsonpath={.spec.selector.version}'; }

rollout() {
    if [ -n "$DRY_RUN" ]; then
        say "would wait for the rollout of $1"
    else
        k rollout status "deployment/$1" --timeout="${2:-$ROLLOUT_TIMEOUT}"
    fi
}

# set_image IMAGE: of the Deployment that serves and of the workers, where there are any.
set_image() {
    change k set image "deployment/$API" "api=$1"
    if exists deployment "$WORKER"; then
        change k set image "deployment/$WORKER" "worker=$1"
    fi
}

# Both are there again with what they had: for a rollout that did not succeed.
undo_image() {
    change k set image "deployment/$API" "api=$1"
    if exists deployment "$WORKER"; then
        change k set image "deployment/$WORKER" "worker=$2"
    fi
}

rollout_all() {
    rollout "$API" || return 1
    if exists deployment "$WORKER"; then
        rollout "$WORKER" || return 1
    fi
}

# copy_of COLOUR IMAGE REPLICAS: the base Deployment in another colour. All else is the same, so what is verified
# is what will serve.
copy_of() {
    k get deployment "$API" -o json | jq --arg colour "$1" --arg image "$2" --argjson replicas "$3" '
        {apiVersion, kind,
         metadata: {name: (.metadata.name + "-" + $colour), namespace: .metadata.namespace,
                    labels: (.metadata.labels + {version: $colour} | del(.["app.kubernetes.io/managed-by"]))},
         spec: .spec}
        | .spec.replicas = $replicas
        | (.. | objects | select(has("matchLabels")) | .matchLabels | select(has("version")) | .version) = $colour
        | .spec.template.metadata.labels.version = $colour
        | .spec.template.spec.containers |= map(if .name == "api" then .image = $image else . end)'
}

# guard_copy KIND NAME COLOUR: autoscaler or disruption budget of the base, for its copy.
guard_copy() {
    k get "$1" "$2" -o json | jq --arg colour "$3" '
        {apiVersion, kind,
         metadata: {name: (.metadata.name + "-" + $colour), namespace: .metadata.namespace,
                    labels: (.metadata.labels + {version: $colour} | del(.["app.kubernetes.io/managed-by"]))},
         spec: .spec}
        | if .spec.scaleTargetRef then .spec.scaleTargetRef.name += "-" + $colour else . end
        | if .spec.selector then .spec.selector.matchLabels.version = $colour else . end'
}

# point_at COLOUR: the one change that moves the traffic; returns when all endpoints are of that colour.
point_at() {
    change k patch service "$API" -p "{\"spec\":{\"selector\":{\"version\":\"$1\"}}}"
    [ -z "$DRY_RUN" ] || return 0
    local try
    for try in {1..60}; do
        if endpoints_are "$1"; then
            say "traffic goes to $1"
            return 0
        fi
        sleep 1
    done
    warn "after $try s the endpoints of $API are not the pods of $1"
    return 1
}

endpoints_are() {
    local pods there
    pods=$(k get pods -l "app=$API,version=$1" -o json | jq -c '[.items[].metadata.name]')
    there=$(k get endpointslices -l "kubernetes.io/service-name=$API" -o json |
        jq -c '[.items[].endpoints[]? | select(.conditions.ready) | .targetRef.name]')
    jq -e -n --argjson there "$there" --argjson pods "$pods" '($there | length) > 0 and ($there - $pods | length) == 0' \
        >/dev/null
}

# error_rate [MORE]: share of 5xx of the last minute; MORE are further matchers. Empty when Prometheus does not say.
error_rate() {
    local in="namespace=\"$NAMESPACE\"${1:+,$1}"
    curl -sG --max-time 5 "$PROMETHEUS_URL/api/v1/query" --data-urlencode \
        "query=(sum(rate(http_requests_total{$in,status=~\"5..\"}[1m])) / (sum(rate(http_requests_total{$in}[1m])) > 0)) or vector(0)" \
        2>/dev/null | jq -r '.data.result[0].value[1] // empty' 2>/dev/null || true
}

# watch_errors SECONDS [MORE]: 1 when the error rate is too high twice in a row.
watch_errors() {
    local seconds=$1 more=${2:-} rate high=0 i
    if [ -n "$DRY_RUN" ]; then
        say "would watch the error rate for $seconds s"
        return 0
    fi
    for ((i = 0; i < seconds; i += 10)); do
        rate=$(error_rate "$more")
        if [ -z "$rate" ]; then
            warn "no error rate: Prometheus does not answer at $PROMETHEUS_URL (PROMETHEUS_URL)"
        else
            say "error rate: $rate"
            if awk -v is="$rate" -v most="$MAX_ERROR_RATE" 'BEGIN { exit !(is > most) }'; then
                high=$((high + 1))
            else
                high=0
            fi
            if [ "$high" -ge 2 ]; then
                warn "more than $MAX_ERROR_RATE of the answers are errors (MAX_ERROR_RATE)"
                return 1
            fi
        fi
        sleep 10
    done
}

# forwarded TARGET PORT COMMAND...: runs it with URL=http://localhost:N, where N leads to the port of a pod or service.
forwarded() {
    local target=$1 port=$2 log pid status=0 local_port='' i
    shift 2
    log=$(mktemp)
    # Not through k: the process that is ended has to be kubectl itself.
    kubectl -n "$NAMESPACE" port-forward "$target" ":$port" >"$log" 2>&1 &
    pid=$!
    for ((i = 0; i < 100; i++)); do
        local_port=$(sed -n 's/^Forwarding from 127\.0\.0\.1:\([0-9]*\) .*/\1/p' "$log" | head -n 1)
        if [ -n "$local_port" ] || ! kill -0 "$pid" 2>/dev/null; then
            break
        fi
        sleep 0.1
    done
    if [ -z "$local_port" ]; then
        warn "no way to $target: $(tail -n 1 "$log")"
        status=1
    else
        URL="http://localhost:$local_port" "$@" || status=$?
    fi
    kill "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
    rm -f "$log"
    return "$status"
}

health_at_url() { API_URL="$URL" "$SCRIPTS/health-check.sh"; }
smoke_at_url() { API_URL="$URL" "$SCRIPTS/smoke-tests.sh"; }

# The health check at API_URL or, without one, through the Service.
check_health() {
    if [ -n "$DRY_RUN" ]; then
        say "would run: health-check.sh"
    elif [ -n "${API_URL:-}" ]; then
        "$SCRIPTS/health-check.sh"
    else
        forwarded "service/$API" 8080 health_at_url
    fi
}

# smoke COLOUR: the smoke tests at one of its pods.
smoke() {
    if [ -n "$DRY_RUN" ]; then
        say "would run: smoke-tests.sh at a pod of $1"
        return 0
    fi
    local pod
    pod=$(ready_pod "$1")
    [ -n "$pod" ] || {
        warn "no pod of $1 is ready"
        return 1
    }
    forwarded "pod/$pod" 8080 smoke_at_url
}

ready_pod() {
    k get pods -l "app=$API,version=$1" -o json | jq -r '
        [.items[] | select(.metadata.deletionTimestamp == null)
                  | select(any(.status.conditions[]?; .type == "Ready" and .status == "True"))][0].metadata.name // empty'
}

remove() { change k delete "$@" --ignore-not-found; }
