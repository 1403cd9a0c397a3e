#!/usr/bin/env python3
"""Turns the published files of the example data sets into the JSONL that the examples read.

Usage: convert_examples.py SOURCE TARGET
SOURCE holds the folders gsm8k, bbh and wmt22_gpt as their repositories publish them (each
example's README names repository and commit); TARGET is the folder examples/. Texts are copied
unchanged: only the container changes. Prints the SHA-256 of every file read.
"""
import hashlib
import json
import pathlib
import shutil
import sys


def read(path):
    data = path.read_bytes()
    print(hashlib.sha256(data).hexdigest(), path.name)
    return data.decode("utf-8")


def write_jsonl(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="\n") as out:
        for row in rows:
            out.write(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n")


def gsm8k(source, target):
    problems = [json.loads(line) for line in read(source / "test.jsonl").split("\n") if line]
    recorded = [
        json.loads(line) for line in read(source / "example_model_solutions.jsonl").split("\n") if line
    ]
    assert len(problems) == len(recorded)
    assert all(p["question"] == r["question"] for p, r in zip(problems, recorded))
    ids = [f"gsm8k-{i:04d}" for i in range(1, len(problems) + 1)]
    write_jsonl(target / "dataset.jsonl", ({"id": i, **p} for i, p in zip(ids, problems)))
    for model in ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification"):
        rows = (
            {"id": i, "output": r[model]["solution"], "is_correct": r[model]["is_correct"]}
            for i, r in zip(ids, recorded)
        )
        write_jsonl(target / "outputs" / f"{model}.jsonl", rows)


def bbh(source, target):
    tasks = sorted(p.stem for p in (source / "tasks").glob("*.json"))
    dataset, outputs = [], {"direct": [], "cot": []}
    for task in tasks:
        examples = json.loads(read(source / "tasks" / f"{task}.json"))["examples"]
        ids = [f"{task}-{i:03d}" for i in range(1, len(examples) + 1)]
        dataset += [
            {"id": i, "task": task, "input": e["input"], "target": e["target"]}
            for i, e in zip(ids, examples)
        ]
        for prompt, rows in outputs.items():
            file = source / f"code-davinci-002-{prompt}" / f"{task}.json"
            recorded = json.loads(read(file))["outputs"]
            assert [r["target"] for r in recorded] == [e["target"] for e in examples]
            rows += [{"id": i, "output": r["prediction"]} for i, r in zip(ids, recorded)]
    write_jsonl(target / "dataset.jsonl", dataset)
    for prompt, rows in outputs.items():
        write_jsonl(target / "outputs" / f"{prompt}.jsonl", rows)


def wmt22_gpt(source, target):
    for direction in ("de-en", "en-zh"):
        src, tgt = direction.split("-")
        folder = source / direction

        def lines(name):
            # LF only: some segments hold other line-break characters.
            text = read(folder / name)
            return text.removesuffix("\n").split("\n")

        docs, sources, references = lines("docids.txt"), lines(f"source.{src}"), lines(f"reference.{tgt}")
        ids = [f"{direction}-{i:04d}" for i in range(1, len(sources) + 1)]
        assert len(docs) == len(sources) == len(references)
        write_jsonl(
            target / f"{direction}.jsonl",
            (
                {"id": i, "doc": d, "source": s, "reference": r}
                for i, d, s, r in zip(ids, docs, sources, references)
            ),
        )
        for file in sorted(folder.glob(f"*.{tgt}")):
            system = file.name.removesuffix(f".{tgt}")
            if system == "reference":
                continue
            outputs = lines(file.name)
            assert len(outputs) == len(ids), file
            write_jsonl(
                target / "outputs" / direction / f"{system}.jsonl",
                ({"id": i, "output": o} for i, o in zip(ids, outputs)),
            )


def main():
    source, target = map(pathlib.Path, sys.argv[1:3])
    for convert in (gsm8k, bbh, wmt22_gpt):
        name = convert.__name__
        convert(source / name, target / name)
        for extra in ("LICENSE", "expected.json"):
            shutil.copyfile(source / name / extra, target / name / extra)


if __name__ == "__main__":
    main()
