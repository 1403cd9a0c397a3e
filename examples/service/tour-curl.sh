#!/usr/bin/env bash
# The first hour with the service, by curl: a server of its own, an administrator, a key, two models
# (recorded outputs, so that no provider's key is needed), a dataset, a prompt, an experiment, its
# events, its report, and a comparison of two runs.
#
# Usage: tour-curl.sh [FOLDER]     where reports go; default: a temporary folder
# LLM_RESEARCH names the program; default: build/release/llm-research. Needs curl and jq.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
program=${LLM_RESEARCH:-$here/../../build/release/llm-research}
gsm8k=$here/../gsm8k
[ -x "$program" ] || { echo "there is no program $program: build it first (make build), or name it by LLM_RESEARCH" >&2; exit 1; }
work=$(mktemp -d)
out=${1:-$work}
mkdir -p "$out"

# A store of its own, so that the tour changes nothing of yours.
export LLM_RESEARCH_HOME=$work/home
METRICS_PORT=0 "$program" serve --port 0 >"$work/serve.log" 2>"$work/serve.err" &
server=$!
trap 'kill "$server" 2>/dev/null; wait "$server" 2>/dev/null || true; rm -rf "$work"' EXIT
for _ in $(seq 100); do
    port=$(sed -nE 's/.*"serving".*"port":([0-9]+).*/\1/p' "$work/serve.log")
    [ -n "$port" ] && break
    sleep 0.1
done
[ -n "$port" ] || { cat "$work/serve.err" >&2; exit 1; }
api=http://127.0.0.1:$port
say() { printf '\n== %s\n' "$*"; }

say "the server answers: $(curl -sf "$api/health")"

say "the first administrator, and a key of hers"
password=$(head -c 18 /dev/urandom | base64)
printf '%s\n' "$password" | "$program" admin create-user --email ada@example.org --role Admin
token=$(jq -n --arg p "$password" '{email: "ada@example.org", password: $p}' |
    curl -sf "$api/auth/token" -H 'Content-Type: application/json' -d @- | jq -r .access_token)
key=$(curl -sf "$api/admin/api-keys" -H "Authorization: Bearer $token" -H 'Content-Type: application/json' \
    -d '{"name": "tour", "scopes": ["*"], "rate_limit_tier": "enterprise"}' | jq -r .key)
echo "key ${key:0:21}..."

# call METHOD PATH [JSON]: an authenticated request; prints the answer, fails with its message.
call() {
    local answer status
    answer=$(curl -s -w '\n%{http_code}' -X "$1" "$api$2" -H "X-API-Key: $key" \
        ${3:+-H "Content-Type: application/json" -d "$3"})
    status=${answer##*$'\n'}
    answer=${answer%$'\n'*}
    if [ "$status" -ge 400 ]; then
        jq -r '"\(.error.code): \(.error.message)", (.error.details[]? | "  \(.field): \(.message)")' <<<"$answer" >&2
        return 1
    fi
    printf '%s' "$answer"
}

# upload NAME FILE: a dataset with the rows of the file; prints its id.
upload() {
    local id link
    id=$(call POST /datasets "$(jq -n --arg n "$1" '{name: $n, format: "jsonl"}')" | jq -r .id)
    link=$(call POST "/datasets/$id/upload" "$(jq -n --arg f "$(basename "$2")" '{filename: $f}')")
    curl -sf -X PUT "$api$(jq -r '.upload_url' <<<"$link" | sed -E 's#^https?://[^/]+##')" \
        -H 'Content-Type: application/x-ndjson' --data-binary "@$2" >/dev/null
    printf '%s' "$id"
}

say "GSM8K: 1,319 questions, and what two models answered"
questions=$(upload gsm8k "$gsm8k/dataset.jsonl")
call GET "/datasets/$questions" | jq -c '{name, status, row_count, version}'
models=()
for name in 175b_finetuning 175b_verification; do
    recorded=$(upload "outputs of $name" "$gsm8k/outputs/$name.jsonl")
    models+=("$(call POST /models "$(jq -n --arg n "$name" --arg r "$recorded" \
        '{name: $n, provider: "custom", model_identifier: $n, config: {replay_dataset: $r}}')" | jq -r .id)")
done
call GET '/models?sort=name&fields=id,name' | jq -c '.data[]'

say "a prompt, tried on one row"
prompt=$(call POST /prompts '{"name": "question", "template": "{{question}}\nThink step by step."}' | jq -r .id)
call POST "/prompts/$prompt/render" '{"variables": {"question": "What is 2 + 2?"}}' | jq -r .rendered

say "an experiment, started"
experiment=$(call POST /experiments "$(jq -n --arg d "$questions" --arg p "$prompt" \
    --arg a "${models[0]}" --arg b "${models[1]}" '{
        name: "gsm8k", hypothesis: "verification beats fine-tuning",
        config: {
            dataset_ids: [$d], model_ids: [$a, $b], prompt_template_ids: [$p],
            scorers: [{type: "numeric", id: "accuracy", reference: "{{answer}}",
                       extract: {after: "A:", which: "last"}, extract_reference: {after: "####"}}],
            analysis: {mcnemar: "exact"}
        }}')" | jq -r .id)
call POST "/experiments/$experiment/start" | jq -c '{name, status, started_at}'
run=$(call GET "/experiments/$experiment/runs?limit=1" | jq -r '.data[0].id')

say "its events until it is done"
curl -sfN "$api/experiments/$experiment/runs/$run/events" -H "X-API-Key: $key" |
    sed -nE 's/^event: (.*)/\1/p' | sort | uniq -c

say "what came out"
call GET "/experiments/$experiment/runs/$run/report" |
    jq -r '.results.variants[] | "\(.id): \(.metrics.accuracy.value) [\(.metrics.accuracy.interval[0]), \(.metrics.accuracy.interval[1])]"'
call GET "/experiments/$experiment/runs/$run/samples?outcome=incorrect&limit=1" |
    jq -c '.data[0] | {item_id, variant, outcome, extracted}'

say "compared again with only 200 of the rows"
call POST "/experiments/$experiment/clone" '{"name": "gsm8k, 200 rows"}' >"$work/clone.json"
clone=$(jq -r .id "$work/clone.json")
call PUT "/experiments/$clone" "$(jq '{config: (.config + {num_samples: 200, random_seed: 7})}' "$work/clone.json")" >/dev/null
call POST "/experiments/$clone/start" >/dev/null
small=$(call GET "/experiments/$clone/runs?limit=1" | jq -r '.data[0].id')
curl -sfN "$api/experiments/$clone/runs/$small/events" -H "X-API-Key: $key" >/dev/null
call GET "/experiments/$clone/runs/$small/report" |
    jq -r '.results.variants[] | "\(.id): \(.metrics.accuracy.value)"'

say "the report as a page"
curl -sf "$api/experiments/$experiment/runs/$run/report?format=html" -H "X-API-Key: $key" -o "$out/gsm8k.html"
kept=$([ $# -gt 0 ] || echo " (gone at the end: name a folder to keep it)")
echo "$out/gsm8k.html: $(wc -c <"$out/gsm8k.html") bytes$kept"
