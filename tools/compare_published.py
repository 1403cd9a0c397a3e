#!/usr/bin/env python3
"""Prints the figures of our JSON reports beside those that were published for the same outputs.

Usage: compare_published.py REPORT.json...
A report is recognised by its name: gsm8k, bbh, de-en, en-zh. Published figures and those that
independent packages computed from the same files are in examples/*/expected.json; examples/*/
README.md says where each comes from. A tick stands behind each figure that agrees: published ones
to the printed digit, computed ones to nine digits. Exit code 1 when one does not, or is missing.
"""
import json
import math
import pathlib
import statistics
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
DIGITS = 1e-9


class Problem(Exception):
    """A report lacks what is to be compared."""


# --- Reading our reports: the layout is known here and nowhere else ------------------------------


class Report:
    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            self.results = json.load(file)["results"]
        self.variants = {variant["id"]: variant for variant in self.results["variants"]}

    def variant(self, name):
        """The id of the variant that replays `name`: its id is the model's, the prompt's, or both
        with a slash between."""
        found = [v for v in self.variants
                 if v == name or any(p == name or p.endswith("-" + name) for p in v.split("/"))]
        if len(found) != 1:
            raise Problem(f"{name} fits {len(found)} of the variants {', '.join(self.variants)}")
        return found[0]

    def metric(self, *names):
        """The first of the names that the report has; the only metric when it has one."""
        have = list(next(iter(self.variants.values()))["metrics"])
        for name in names:
            if name in have:
                return name
        if len(have) == 1:
            return have[0]
        raise Problem(f"none of the metrics {', '.join(names)} among {', '.join(have)}")

    def estimate(self, name, metric):
        """value, se, interval [lo, hi], n"""
        return self.variants[self.variant(name)]["metrics"][metric]

    def comparison(self, a, b, metric):
        """a - b, also when the report has b - a: difference, se, interval, p, p_adjusted."""
        a, b = self.variant(a), self.variant(b)
        for row in self.results["comparisons"]:
            if row["metric"] != metric or {row["a"], row["b"]} != {a, b}:
                continue
            if row["a"] == a:
                return row
            lo, hi = row["interval"]
            return {**row, "difference": -row["difference"], "interval": [-hi, -lo]}
        raise Problem(f"no comparison of {a} with {b} on {metric}")

    def scores(self, name, metric):
        """The score of each item in the first repetition, by the item's id; None without one."""
        variant = self.variant(name)
        scores = {}
        for item in self.results["items"]:
            for sample in item["samples"]:
                if sample["variant"] == variant and sample["repetition"] == 0:
                    scores[item["id"]] = sample.get("scores", {}).get(metric)
        return scores


# --- Comparing -----------------------------------------------------------------------------------


class Table:
    """Cells with ticks. ours and expected are numbers; None is a figure that is not there."""

    def __init__(self):
        self.agree = 0
        self.differ = []

    def begin(self, title, *columns):
        print(f"\n{title}")
        self.rows = [["", *columns]]

    def row(self, label, *cells):
        self.rows.append([label, *cells])

    def end(self):
        widths = [max(len(row[i]) for row in self.rows) for i in range(len(self.rows[0]))]
        for row in self.rows:
            cells = [row[0].ljust(widths[0])] + [c.rjust(w) for c, w in zip(row[1:], widths[1:])]
            print("  " + "  ".join(cells).rstrip())

    def judge(self, what, ours, expected, same, form):
        """One figure: ours, and a tick; with a cross stands what was expected."""
        ours = math.nan if ours is None else ours
        if same(ours, expected):
            self.agree += 1
            return f"{ours:{form}} ✓"
        self.differ.append(f"{what}: {ours!r}, expected {expected!r}")
        return f"{ours:{form}} ✗ ({expected:{form}})"

    def computed(self, what, ours, expected, form):
        """Agrees to nine digits."""
        def same(a, b):
            return math.isclose(a, b, rel_tol=DIGITS, abs_tol=0)
        return self.judge(what, ours, expected, same, form)

    def printed(self, what, ours, expected, decimals):
        """Agrees to the decimals that were printed."""
        def same(a, b):
            return f"{a:.{decimals}f}" == f"{b:.{decimals}f}"
        return self.judge(what, ours, expected, same, f".{decimals}f")

    def count(self, what, ours, expected):
        return self.judge(what, ours, expected, lambda a, b: a == b, ",")

    def interval(self, what, ours, expected):
        lo, hi = ours if ours else (None, None)
        return (self.computed(what + " from", lo, expected[0], ".4f") + "  "
                + self.computed(what + " to", hi, expected[1], ".4f"))


def expected_of(example):
    with open(ROOT / "examples" / example / "expected.json", encoding="utf-8") as file:
        return json.load(file)


def jsonl(path):
    with open(path, encoding="utf-8", newline="\n") as file:
        return [json.loads(line) for line in file]


def compare_gsm8k(report, table):
    expected = expected_of("gsm8k")
    metric = report.metric("numeric", "accuracy")
    table.begin("GSM8K, four models on 1,319 problems (Cobbe et al. 2021)",
                "correct", "accuracy", "standard error", "95 % interval (Wilson)", "flags equal")
    for model, want in expected["per_model"].items():
        ours = report.estimate(model, metric)
        scores = report.scores(model, metric)
        flags = {row["id"]: row["is_correct"]
                 for row in jsonl(ROOT / f"examples/gsm8k/outputs/{model}.jsonl")}
        # A score that is missing equals neither flag.
        equal = sum(scores.get(item) == float(flag) for item, flag in flags.items())
        table.row(
            model,
            table.count(f"{model} correct", sum(v == 1 for v in scores.values()), want["correct"]),
            table.computed(f"{model} accuracy", ours["value"], want["accuracy"], ".4f"),
            table.computed(f"{model} se", ours["se"], want["se_clt"], ".5f"),
            table.interval(f"{model} interval", ours["interval"], want["wilson95"]),
            table.count(f"{model} flags", equal, len(flags)))
    table.end()

    table.begin("GSM8K, paired differences on the same problems",
                "difference", "standard error", "95 % interval", "McNemar exact", "Holm")
    for (pair, want), holm in zip(expected["pairs"].items(), expected["holm_on_mcnemar_exact"],
                                  strict=True):
        ours = report.comparison(*pair.split(" - "), metric)
        table.row(
            pair,
            table.computed(f"{pair} difference", ours["difference"], want["diff"], "+.4f"),
            table.computed(f"{pair} se", ours["se"], want["se_paired"], ".5f"),
            table.interval(f"{pair} interval", ours["interval"], want["ci95_t"]),
            table.computed(f"{pair} p", ours["p"], want["mcnemar_exact"], ".3g"),
            table.computed(f"{pair} Holm", ours["p_adjusted"], holm, ".3g"))
    table.end()


def compare_bbh(report, table):
    expected = expected_of("bbh")
    metric = report.metric("exact_match", "accuracy")
    task_of = {row["id"]: row["task"] for row in jsonl(ROOT / "examples/bbh/dataset.jsonl")}
    prompts = ("direct", "cot")
    percent = {}
    for prompt in prompts:
        scores = report.scores(prompt, metric)
        for task in expected["tasks"]:
            of_task = [scores.get(item) for item, t in task_of.items() if t == task]
            known = None not in of_task
            percent[task, prompt] = 100 * sum(of_task) / len(of_task) if known else None
    table.begin("BIG-Bench Hard, code-davinci-002 (Suzgun et al. 2022): accuracy in percent",
                "direct", "published", "chain of thought", "published")
    for task, want in expected["tasks"].items():
        row = []
        for prompt in prompts:
            published = want[f"published_{prompt}"]
            row += [table.computed(f"{task} {prompt}", percent[task, prompt], published, ".3f"),
                    f"{published:.3f}"]
        table.row(task, *row)
    table.end()

    pooled = expected["pooled"]
    ours = report.comparison("cot", "direct", metric)
    table.begin("BIG-Bench Hard, chain of thought minus direct, pooled, errors clustered by task",
                "items", "difference", "standard error (CR1)")
    table.row("8 tasks",
              table.count("pooled n", ours["n"], pooled["n"]),
              table.computed("pooled difference", ours["difference"], pooled["diff"], "+.4f"),
              table.computed("pooled se", ours["se"], pooled["se_clustered_by_task_cr1"], ".5f"))
    table.end()


def compare_wmt(direction, report, table):
    expected = expected_of("wmt22_gpt")[direction]
    bleu, chrf = report.metric("bleu"), report.metric("chrf")
    table.begin(f"WMT22 {direction}, {expected['n']:,} segments (Hendy et al. 2023)",
                "BLEU", "published", "nine digits", "chrF", "published", "nine digits")
    for system, want in expected["systems"].items():
        row = []
        for metric, published, full in ((bleu, "published_bleu", "bleu"),
                                        (chrf, "published_chrf", "chrf2")):
            value = report.estimate(system, metric)["value"]
            row += [table.printed(f"{system} {metric}", value, want[published], 1),
                    f"{want[published]:.1f}",
                    table.computed(f"{system} {metric} in full", value, want[full], ".5f")]
        table.row(system, *row)
    table.end()

    base = "text-davinci-003.zeroshot"
    against = expected[f"paired_vs_{base}_on_sentence_chrf2"]
    sentences = {system: report.scores(system, chrf) for system in expected["systems"]}
    table.begin(f"WMT22 {direction}, sentence chrF, and the difference to {base}",
                "mean", "standard error", "difference", "standard error")
    for system, want in expected["systems"].items():
        mean, error = mean_and_error(sentences[system].values())
        row = [table.computed(f"{system} sentence chrF", mean, want["sentence_chrf2_mean"], ".3f"),
               table.computed(f"{system} sentence se", error, want["sentence_chrf2_se"], ".5f")]
        if system in against:
            pairs = [None if value is None or sentences[base].get(item) is None
                     else value - sentences[base][item]
                     for item, value in sentences[system].items()]
            mean, error = mean_and_error(pairs)
            row += [table.computed(f"{system} difference", mean, against[system]["diff"], "+.3f"),
                    table.computed(f"{system} difference se", error, against[system]["se"], ".5f")]
        table.row(system, *row, *[""] * (4 - len(row)))
    table.end()


def mean_and_error(values):
    values = list(values)
    if None in values or len(values) < 2:
        return None, None
    return statistics.fmean(values), statistics.stdev(values) / math.sqrt(len(values))


COMPARE = {
    "gsm8k": compare_gsm8k,
    "bbh": compare_bbh,
    "de-en": lambda report, table: compare_wmt("de-en", report, table),
    "en-zh": lambda report, table: compare_wmt("en-zh", report, table),
}


def main(paths):
    if not paths or any(pathlib.Path(path).stem not in COMPARE for path in paths):
        print(__doc__, file=sys.stderr)
        return 2
    table = Table()
    broken = []
    for path in paths:
        try:
            COMPARE[pathlib.Path(path).stem](Report(path), table)
        except (Problem, KeyError, OSError, ValueError) as problem:
            broken.append(f"{path}: {type(problem).__name__}: {problem}")
    print(f"\n{table.agree:,} figures agree with the published and the independently computed ones, "
          f"{len(table.differ)} differ.")
    for line in table.differ + broken:
        print("  ✗ " + line, file=sys.stderr)
    return 1 if table.differ or broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
