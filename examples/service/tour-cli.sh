#!/usr/bin/env bash
# The first hour with the service, by its own command line: the same as tour-curl.sh.
#
# Usage: tour-cli.sh [FOLDER]      where reports go; default: a temporary folder
# LLM_RESEARCH names the program; default: build/release/llm-research. Needs jq.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
program=${LLM_RESEARCH:-$here/../../build/release/llm-research}
gsm8k=$here/../gsm8k
[ -x "$program" ] || { echo "there is no program $program: build it first (make build), or name it by LLM_RESEARCH" >&2; exit 1; }
work=$(mktemp -d)
out=${1:-$work}
mkdir -p "$out"

# Stores of their own for the server and for the client, so that the tour changes nothing of yours.
LLM_RESEARCH_HOME=$work/server METRICS_PORT=0 "$program" serve --port 0 >"$work/serve.log" 2>"$work/serve.err" &
server=$!
trap 'kill "$server" 2>/dev/null; wait "$server" 2>/dev/null || true; rm -rf "$work"' EXIT
for _ in $(seq 100); do
    port=$(sed -nE 's/.*"serving".*"port":([0-9]+).*/\1/p' "$work/serve.log")
    [ -n "$port" ] && break
    sleep 0.1
done
[ -n "$port" ] || { cat "$work/serve.err" >&2; exit 1; }
say() { printf '\n== %s\n' "$*"; }
lab() { "$program" "$@"; }
# id COMMAND...: runs it and prints the id of what it made.
id() { lab "$@" -o json | jq -r .id; }

say "the first administrator, and a key of hers"
head -c 18 /dev/urandom | base64 >"$work/password"
LLM_RESEARCH_HOME=$work/server lab admin create-user --email ada@example.org --role Admin <"$work/password" >/dev/null
LLM_RESEARCH_API_KEY=$(LLM_RESEARCH_HOME=$work/server lab admin create-key --email ada@example.org \
    --name tour --scope '*' -o json | jq -r .key)
export LLM_RESEARCH_API_KEY LLM_RESEARCH_API_URL=http://127.0.0.1:$port LLM_RESEARCH_HOME=$work/client
echo "key ${LLM_RESEARCH_API_KEY:0:21}..."

say "GSM8K: 1,319 questions, and what two models answered"
questions=$(id datasets create -n gsm8k --format jsonl)
lab datasets upload "$questions" --filename "$gsm8k/dataset.jsonl" >/dev/null
models=()
for name in 175b_finetuning 175b_verification; do
    recorded=$(id datasets create -n "outputs of $name")
    lab datasets upload "$recorded" --filename "$gsm8k/outputs/$name.jsonl" >/dev/null
    models+=("$(id models create -n "$name" --provider custom --model "$name" --config "{\"replay_dataset\": \"$recorded\"}")")
done
lab datasets list
lab models list

say "a prompt, tried on one row"
prompt=$(id prompts create -n question -t '{{question}}
Think step by step.')
lab prompts render "$prompt" --vars '{"question": "What is 2 + 2?"}'

say "an experiment, followed until it is done"
cat >"$work/config.json" <<'JSON'
{"scorers": [{"type": "numeric", "id": "accuracy", "reference": "{{answer}}",
              "extract": {"after": "A:", "which": "last"}, "extract_reference": {"after": "####"}}],
 "analysis": {"mcnemar": "exact"}}
JSON
experiment=$(id experiments create -n gsm8k -d "which of the two is better?" --config "@$work/config.json" \
    --models "${models[0]},${models[1]}" --datasets "$questions" --prompts "$prompt")
lab experiments start "$experiment" >/dev/null
lab experiments follow "$experiment"

say "what came out"
lab experiments report "$experiment" --save "$out/gsm8k.html"
run=$(lab experiments runs "$experiment" -o json | jq -r '.data[0].id')
lab experiments metrics "$experiment" -o json |
    jq -r '.custom_metrics | to_entries[] | "\(.key): \(.value.accuracy.value) [\(.value.accuracy.low), \(.value.accuracy.high)]"'
echo "run $run"
[ $# -gt 0 ] || echo "the report as a page is gone at the end: name a folder to keep it"
