#!/usr/bin/env python3
"""The first hour with the service, by the Python client: the same as tour-curl.sh.

Usage: tour_client.py [FOLDER]    where reports go; default: a temporary folder
LLM_RESEARCH names the program; default: build/release/llm-research. Needs `pip install ./sdk/python`.
"""

import json
import os
import pathlib
import secrets
import subprocess
import sys
import tempfile

import llm_research_client as lab

HERE = pathlib.Path(__file__).resolve().parent
GSM8K = HERE.parent / "gsm8k"
PROGRAM = os.environ.get("LLM_RESEARCH", HERE.parent.parent / "build/release/llm-research")


def say(words):
    print(f"\n== {words}")


def start_server(home):
    """The service with a store of its own, and its address."""
    env = {**os.environ, "LLM_RESEARCH_HOME": str(home), "METRICS_PORT": "0"}
    server = subprocess.Popen(
        [PROGRAM, "serve", "--port", "0"], env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    for line in server.stdout:
        entry = json.loads(line)
        if entry["message"] == "serving":
            return server, f"http://127.0.0.1:{entry['fields']['port']}"
    raise SystemExit("the server did not start")


def make_administrator(home, email, password):
    subprocess.run(
        [PROGRAM, "admin", "create-user", "--email", email, "--role", "Admin"], check=True,
        env={**os.environ, "LLM_RESEARCH_HOME": str(home)}, input=password + "\n", text=True, stdout=subprocess.DEVNULL,
    )


def upload(client, name, path):
    dataset = client.datasets.create(name=name, format="jsonl")
    client.datasets.upload(dataset.id, path)
    return dataset.id


def take_tour(client, out):
    say("GSM8K: 1,319 questions, and what two models answered")
    questions = upload(client, "gsm8k", GSM8K / "dataset.jsonl")
    models = []
    for name in ("175b_finetuning", "175b_verification"):
        recorded = upload(client, f"outputs of {name}", GSM8K / f"outputs/{name}.jsonl")
        models.append(client.models.create(
            name=name, provider="custom", model_identifier=name, config={"replay_dataset": recorded}).id)
    for model in client.models.iterate():
        print(model.name, model.provider)

    say("a prompt, tried on one row")
    prompt = client.prompts.create(name="question", template="{{question}}\nThink step by step.")
    print(client.prompts.render(prompt.id, variables={"question": "What is 2 + 2?"}).rendered)

    say("an experiment, followed until it is done")
    experiment = client.experiments.create(name="gsm8k", config={
        "dataset_ids": [questions], "model_ids": models, "prompt_template_ids": [prompt.id],
        "scorers": [{"type": "numeric", "id": "accuracy", "reference": "{{answer}}",
                     "extract": {"after": "A:", "which": "last"}, "extract_reference": {"after": "####"}}],
        "analysis": {"mcnemar": "exact"},
    })
    client.experiments.start(experiment.id)
    print(client.experiments.wait(experiment.id).status)

    say("what came out")
    report = json.loads(client.experiments.report(experiment.id, "json"))
    for variant in report["results"]["variants"]:
        accuracy = variant["metrics"]["accuracy"]
        low, high = accuracy["interval"]
        print(f"{variant['id']}: {accuracy['value']} [{low}, {high}]")
    page = out / "gsm8k.html"
    page.write_bytes(client.experiments.report(experiment.id, "html"))
    kept = "" if len(sys.argv) > 1 else " (gone at the end: name a folder to keep it)"
    print(f"{page}: {page.stat().st_size} bytes{kept}")


def main():
    if not os.access(PROGRAM, os.X_OK):
        sys.exit(f"there is no program {PROGRAM}: build it first (make build), or name it by LLM_RESEARCH")
    with tempfile.TemporaryDirectory() as work:
        home = pathlib.Path(work) / "home"
        out = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(work)
        out.mkdir(parents=True, exist_ok=True)
        server, url = start_server(home)
        try:
            password = secrets.token_urlsafe(18)
            make_administrator(home, "ada@example.org", password)
            with lab.Client(url, auth=lab.Login("ada@example.org", password)) as client:
                take_tour(client, out)
        finally:
            server.terminate()
            server.wait(20)


if __name__ == "__main__":
    main()
