#!/usr/bin/env bash
# Runs the examples through the whole program, offline and free: the outputs are recorded. Then
# prints our figures beside the published ones, and fails when one differs.
set -euo pipefail
cd "$(dirname "$0")/.."
program=build/release/llm-research
out=build/demo

rm -rf "$out"
mkdir -p "$out"
# Not the user's own store.
export LLM_RESEARCH_HOME="$PWD/$out/home"

demo() { # NAME FILE
    printf '\n==> %s run %s\n' "$program" "$2"
    "$program" run "$2" --save "$out/$1.html" --save "$out/$1.json"
}
demo gsm8k examples/gsm8k/experiment.yaml
demo bbh examples/bbh/experiment.yaml
demo de-en examples/wmt22_gpt/de-en.yaml
demo en-zh examples/wmt22_gpt/en-zh.yaml

printf '\n==> Our figures beside the published ones\n'
python3 tools/compare_published.py "$out"/{gsm8k,bbh,de-en,en-zh}.json

printf '\nThe reports, for a browser:\n'
printf '  file://%s\n' "$PWD/$out"/{gsm8k,bbh,de-en,en-zh}.html
