#include "domain/spec_parse.h"

#include "platform/json/document.h"
#include "platform/json/schema.h"
#include "support/vocabulary.h"

#include <gtest/gtest.h>

namespace lab::domain {
namespace {

constexpr std::string_view kDataset = "name: test\ndataset: {path: rows.jsonl}\n";
constexpr std::string_view kScorers = "scorers: [exact_match]\n";

Json source(std::string_view yaml) {
    auto parsed = parse_yaml(yaml);
    EXPECT_TRUE(parsed) << (parsed ? "" : parsed.error().message) << "\n" << yaml;
    return parsed ? parsed->value : Json();
}

ExperimentSpec parse(std::string_view yaml) {
    auto spec = parse_spec(source(yaml), test::small_vocabulary());
    if (!spec) {
        for (const Detail& detail : spec.error().details) {
            ADD_FAILURE() << detail.field << ": " << detail.message;
        }
        return {};
    }
    return *std::move(spec);
}

/// "path: message" lines.
std::string problems(std::string_view yaml) {
    const auto spec = parse_spec(source(yaml), test::small_vocabulary());
    std::string out;
    if (!spec) {
        EXPECT_EQ(spec.error().code, Code::validation);
        for (const Detail& detail : spec.error().details) {
            out += (out.empty() ? "" : "\n") + detail.field + ": " + detail.message;
        }
    }
    return out;
}

std::string with(std::string_view middle) {
    return std::string(kDataset) + std::string(middle) + std::string(kScorers);
}

std::vector<std::string> variant_ids(const ExperimentSpec& spec) {
    std::vector<std::string> ids;
    for (const Variant& variant : spec.variants) {
        ids.push_back(variant.id);
    }
    return ids;
}

using Ids = std::vector<std::string>;

constexpr std::string_view kTwoByTwo =
    "prompts: [{id: p, template: '{{q}}'}, {id: q, template: 'Q: {{q}}'}]\n"
    "models:\n"
    "  - {id: a, provider: openai, model: m1, parameters: {temperature: 0, stop: [x]}}\n"
    "  - {id: b, provider: openai, model: m2}\n";

TEST(Spec, FillsInTheDefaults) {
    const ExperimentSpec spec =
        parse(with("prompts: ['{{q}}']\nmodels: [{provider: openai, model: m}]\n"));
    EXPECT_EQ(spec.name, "test");
    EXPECT_EQ(spec.dataset.path, "rows.jsonl");
    EXPECT_EQ(spec.dataset.id_field, "id");
    EXPECT_EQ(spec.dataset.split_field, "split");
    EXPECT_EQ(spec.dataset.split, "");
    ASSERT_EQ(spec.prompts.size(), 1U);
    EXPECT_EQ(spec.prompts[0].id, "prompt1");
    EXPECT_EQ(spec.prompts[0].messages, (std::vector<Message>{{"user", "{{q}}"}}));
    EXPECT_EQ(spec.models[0].id, "m");
    EXPECT_EQ(spec.models[0].api, "chat");
    EXPECT_TRUE(spec.models[0].stream);
    EXPECT_FALSE(spec.models[0].pricing);
    EXPECT_EQ(spec.models[0].limits.concurrency, 0);
    EXPECT_EQ(variant_ids(spec), Ids{"m"});
    EXPECT_EQ(spec.scorers[0].type, "exact_match");
    EXPECT_EQ(spec.scorers[0].id, "");
    EXPECT_EQ(spec.scorers[0].references, Ids{"{{reference}}"});
    EXPECT_EQ(spec.analysis.correction, CorrectionMethod::holm);
    EXPECT_EQ(spec.analysis.mcnemar, McNemarKind::midp);
    EXPECT_EQ(spec.analysis.baseline, "m");
    EXPECT_EQ(spec.run.timeout, Seconds(120));
    EXPECT_EQ(spec.run.cache, CacheMode::off);
    EXPECT_EQ(spec.run.concurrency, 16);
    EXPECT_EQ(spec.run.max_error_share, 0.05);
    EXPECT_FALSE(spec.run.budget.max_cost);
    EXPECT_EQ(spec.source["dataset"]["path"], "rows.jsonl");
}

TEST(Spec, DefaultsOfTheSchemaAreThoseOfTheTypes) {
    const Json schema = experiment_schema(test::small_vocabulary());
    const auto fallback = [&](std::initializer_list<const char*> path) {
        const Json* node = &schema;
        for (const char* step : path) {
            node = &node->at("properties").at(step);
        }
        return node->at("default");
    };
    const AnalysisSpec analysis;
    EXPECT_EQ(fallback({"analysis", "confidence"}), analysis.confidence);
    EXPECT_EQ(fallback({"analysis", "bootstrap"}), analysis.bootstrap);
    const RunSpec run;
    EXPECT_EQ(fallback({"run", "repetitions"}), run.repetitions);
    EXPECT_EQ(fallback({"run", "concurrency"}), run.concurrency);
    EXPECT_EQ(fallback({"run", "timeout"}), "120s");
    EXPECT_EQ(fallback({"run", "max_error_share"}), run.max_error_share);
    EXPECT_EQ(fallback({"run", "retry", "max_attempts"}), run.retry.max_attempts);
    EXPECT_EQ(fallback({"run", "retry", "budget_share"}), run.retry.budget_share);
    EXPECT_EQ(run.retry.initial, Seconds(0.5));
    EXPECT_EQ(run.retry.maximum, Seconds(60));
    const Hypothesis hypothesis;
    EXPECT_EQ(fallback({"hypothesis", "alpha"}), hypothesis.alpha);
    EXPECT_EQ(fallback({"hypothesis", "direction"}), hypothesis.direction);
    EXPECT_EQ(fallback({"dataset", "id"}), DatasetSpec().id_field);
}

TEST(Spec, ReadsEverySectionExactly) {
    const ExperimentSpec spec = parse(R"(
name: full
description: what for
tags: [a, b]
metadata: {ticket: 7, nested: {free: [1]}}
hypothesis: {metric: accuracy, baseline: base, direction: different, alpha: 0.01, minimum_effect: 0.02}
dataset:
  ref: set@3
  id: key
  fields: {question: q.text, reference: a}
  split: {field: part, value: dev}
  sample: 50
  seed: 18446744073709551615
prompts:
  - id: chat
    messages:
      - {role: system, content: S}
      - {role: user, content: "{{question}}"}
    few_shot:
      count: 3
      split: train
      seed: 9
      messages: [{role: user, content: "{{question}}"}, {role: assistant, content: "{{reference}}"}]
  - id: text
    system: S
    template: "{{question}}"
    few_shot: {count: 2, template: "Q {{question}} A {{reference}}", separator: "--"}
models:
  - id: base
    provider: openai
    model: gpt-x
    base_url: http://localhost:8080/v1
    api_key_env: MY_KEY
    api: completions
    stream: false
    parameters: {temperature: 0.5, max_tokens: 64}
    headers: {X-Team: research}
    pricing: {input_per_million: 0.15, output_per_million: "0.600000000001", cache_read_per_million: 0.0000001, cache_write_per_million: 3}
    limits: {concurrency: 4, requests_per_minute: 500, tokens_per_minute: 20000.5}
  - {id: old, provider: replay, replay: {path: out.jsonl, id: key, output: a.b}}
variants:
  - {id: base, model: base, prompt: chat}
  - {model: old, prompt: text}
  - {model: base, prompt: text, parameters: {temperature: 1, top_p: 0.9}}
scorers:
  - {type: exact_match, id: strict, reference: "{{reference}}", extract: {after: "is"}, ignore_case: true}
  - {type: bleu, reference: ["{{a}}", "{{b}}"], extract: [{after: x}, {trim: true}], extract_reference: [{trim: true}]}
  - {type: exact_match, id: any, reference_list: answers}
  - {type: regex, pattern: "^[0-9]+$"}
analysis: {primary: [strict, bleu], compare: all_pairs, correction: bh, mcnemar: exact, cluster: passage, confidence: 0.9, bootstrap: 500}
run:
  repetitions: 3
  seed: 7
  concurrency: 64
  timeout: 1m30s
  retry: {max_attempts: 2, initial: 250ms, maximum: 8, budget_share: 0.5}
  cache: read_write
  budget: {max_cost_usd: 2.5, max_calls: 1000, max_tokens: 5000000}
  max_error_share: 0
gate:
  - {metric: strict, variant: base, min: 0.4, max: 0.9, use_interval: true}
  - {metric: strict, verdict: [better, equivalent]}
  - {metric: bleu, verdict: better}
  - {figure: cost_usd, max: 1}
report: [out/report.html, {path: r.xml}]
)");
    EXPECT_EQ(spec.tags, (Ids{"a", "b"}));
    ASSERT_TRUE(spec.hypothesis);
    EXPECT_EQ(spec.hypothesis->direction, "different");
    EXPECT_EQ(spec.hypothesis->alpha, 0.01);
    EXPECT_EQ(spec.hypothesis->minimum_effect, 0.02);
    EXPECT_EQ(spec.dataset.ref, "set@3");
    EXPECT_EQ(spec.dataset.id_field, "key");
    EXPECT_EQ(
        spec.dataset.fields,
        (std::vector<std::pair<std::string, std::string>>{
            {"question", "q.text"}, {"reference", "a"}
        })
    );
    EXPECT_EQ(spec.dataset.split_field, "part");
    EXPECT_EQ(spec.dataset.split, "dev");
    EXPECT_EQ(spec.dataset.sample, 50);
    EXPECT_EQ(spec.dataset.seed, 18446744073709551615U);

    EXPECT_EQ(spec.prompts[0].few_shot->count, 3);
    EXPECT_EQ(spec.prompts[0].few_shot->split, "train");
    EXPECT_EQ(spec.prompts[0].few_shot->seed, 9U);
    EXPECT_FALSE(spec.prompts[0].few_shot->in_text);
    EXPECT_EQ(spec.prompts[0].few_shot->messages[1].content, "{{reference}}");
    EXPECT_EQ(
        spec.prompts[1].messages, (std::vector<Message>{{"system", "S"}, {"user", "{{question}}"}})
    );
    EXPECT_TRUE(spec.prompts[1].few_shot->in_text);
    EXPECT_EQ(spec.prompts[1].few_shot->separator, "--");
    EXPECT_EQ(
        spec.prompts[1].few_shot->messages,
        (std::vector<Message>{{"user", "Q {{question}} A {{reference}}"}})
    );

    const ModelSpec& base = spec.models[0];
    EXPECT_EQ(base.api, "completions");
    EXPECT_FALSE(base.stream);
    EXPECT_EQ(base.api_key_env, "MY_KEY");
    EXPECT_EQ(base.headers[0].second, "research");
    EXPECT_EQ(base.pricing->input->exact(), "0.15");
    EXPECT_EQ(base.pricing->output->exact(), "0.600000000001");
    EXPECT_EQ(base.pricing->cache_read->exact(), "0.0000001");
    EXPECT_EQ(base.pricing->cache_write->exact(), "3");
    EXPECT_EQ(base.limits.concurrency, 4);
    EXPECT_EQ(base.limits.tokens_per_minute, 20000.5);
    EXPECT_EQ(spec.models[1].replay->output_field, "a.b");
    EXPECT_EQ(spec.models[1].replay->id_field, "key");

    EXPECT_EQ(variant_ids(spec), (Ids{"base", "old/text", "base/text:temperature=1,top_p=0.9"}));
    EXPECT_EQ(
        dump_json(spec.variants[2].parameters), R"({"temperature":1,"max_tokens":64,"top_p":0.9})"
    );

    EXPECT_EQ(dump_json(spec.scorers[0].options), R"({"ignore_case":true})");
    EXPECT_EQ(dump_json(spec.scorers[0].extract), R"({"after":"is"})");
    EXPECT_EQ(spec.scorers[1].references, (Ids{"{{a}}", "{{b}}"}));
    EXPECT_EQ(spec.scorers[1].extract.size(), 2U);
    EXPECT_EQ(spec.scorers[1].extract_reference.size(), 1U);
    EXPECT_EQ(spec.scorers[2].reference_list, "answers");
    EXPECT_TRUE(spec.scorers[2].references.empty());
    EXPECT_TRUE(spec.scorers[3].references.empty()) << "a pattern needs no reference";

    EXPECT_EQ(spec.analysis.compare, Compare::all_pairs);
    EXPECT_EQ(spec.analysis.correction, CorrectionMethod::bh);
    EXPECT_EQ(spec.analysis.mcnemar, McNemarKind::exact);
    EXPECT_EQ(spec.analysis.baseline, "base") << "the hypothesis'";
    EXPECT_EQ(spec.analysis.bootstrap, 500);
    EXPECT_EQ(spec.run.timeout, Seconds(90));
    EXPECT_EQ(spec.run.retry.initial, Seconds(0.25));
    EXPECT_EQ(spec.run.retry.maximum, Seconds(8));
    EXPECT_EQ(spec.run.cache, CacheMode::read_write);
    EXPECT_EQ(spec.run.budget.max_cost->exact(), "2.5");
    EXPECT_EQ(spec.run.budget.max_tokens, 5'000'000);
    EXPECT_EQ(spec.run.max_error_share, 0);

    EXPECT_TRUE(spec.gates[0].use_interval);
    EXPECT_EQ(spec.gates[0].min, 0.4);
    EXPECT_EQ(spec.gates[1].verdict, (Ids{"better", "equivalent"}));
    EXPECT_EQ(spec.gates[2].verdict, Ids{"better"});
    EXPECT_EQ(spec.gates[3].figure, "cost_usd");
    EXPECT_EQ(spec.reports[1].path, "r.xml");
    EXPECT_EQ(spec.source["metadata"]["ticket"], 7);
}

TEST(Spec, ReadsBackWhatItKeptAsSource) {
    const ExperimentSpec spec = parse(with(kTwoByTwo));
    const auto again =
        parse_spec(parse_json(dump_json(spec.source)).value(), test::small_vocabulary());
    ASSERT_TRUE(again);
    EXPECT_EQ(variant_ids(*again), variant_ids(spec));
    EXPECT_EQ(dump_json(again->source), dump_json(spec.source));
}

TEST(Variants, AreTheFullMatrixByDefault) {
    const ExperimentSpec spec = parse(with(kTwoByTwo));
    EXPECT_EQ(variant_ids(spec), (Ids{"a/p", "a/q", "b/p", "b/q"}));
    EXPECT_EQ(dump_json(spec.variants[1].parameters), R"({"temperature":0,"stop":["x"]})");
    EXPECT_EQ(spec.variants[3].model, 1U);
    EXPECT_EQ(spec.variants[3].prompt, 1U);
}

TEST(Variants, AreNamedByWhatDiffers) {
    const ExperimentSpec prompts =
        parse(with("prompts: [{id: p, template: x}, {id: q, template: y}]\n"
                   "models: [{id: a, provider: openai, model: m}]\n"));
    EXPECT_EQ(variant_ids(prompts), (Ids{"p", "q"}));
    const ExperimentSpec models = parse(
        with("prompts: [{id: p, template: x}]\n"
             "models: [{id: a, provider: openai, model: m}, {id: b, provider: openai, model: n}]\n")
    );
    EXPECT_EQ(variant_ids(models), (Ids{"a", "b"}));
}

TEST(Variants, SweepParametersOverTheMatrix) {
    const ExperimentSpec spec = parse(with(
        std::string(kTwoByTwo) +
        "variants: {models: [b], sweep: {temperature: [0, 0.5], effort: [low, high]}}\n"
    ));
    EXPECT_EQ(
        variant_ids(spec),
        (
            Ids{"b/p:temperature=0,effort=low",
                "b/p:temperature=0,effort=high",
                "b/p:temperature=0.5,effort=low",
                "b/p:temperature=0.5,effort=high",
                "b/q:temperature=0,effort=low",
                "b/q:temperature=0,effort=high",
                "b/q:temperature=0.5,effort=low",
                "b/q:temperature=0.5,effort=high"}
        )
    );
    EXPECT_EQ(dump_json(spec.variants[2].parameters), R"({"temperature":0.5,"effort":"low"})");
}

TEST(Variants, AreBoundedAndUnique) {
    std::string sweep = "variants: {sweep: {x: [0";
    for (int i = 1; i < 251; ++i) {
        sweep += ", " + std::to_string(i);
    }
    EXPECT_EQ(
        problems(with(std::string(kTwoByTwo) + sweep + "]}}\n")),
        "variants: makes more than 1000 variants: name fewer models, prompts or swept values"
    );
    EXPECT_EQ(
        problems(with(
            std::string(kTwoByTwo) + "variants: [{model: a, prompt: p}, {model: a, prompt: p}]\n"
        )),
        "variants[1].id: two variants have the id \"a/p\": give each its own `id`"
    );
    EXPECT_EQ(
        problems(with(std::string(kTwoByTwo) + "variants: {models: [a, a]}\n")),
        "variants.models[1]: \"a\" is listed twice"
    );
    EXPECT_EQ(
        problems(with(std::string(kTwoByTwo) + "variants: [{model: a}]\n")),
        "variants[0].prompt: required key \"prompt\" is missing: there are several prompts"
    );
    EXPECT_EQ(
        problems(with(std::string(kTwoByTwo) + "variants: []\n")),
        "variants: must have at least 1 entry"
    );
}

TEST(Prompts, MayBeLeftOutOnlyForRecordedOutputs) {
    const ExperimentSpec spec =
        parse(with("models:\n  - {id: a, provider: replay, replay: {path: a.jsonl}}\n"
                   "  - {id: b, provider: replay, replay: {path: b.jsonl}}\n"));
    EXPECT_EQ(spec.prompts[0].id, "recorded");
    EXPECT_TRUE(spec.prompts[0].messages.empty());
    EXPECT_EQ(variant_ids(spec), (Ids{"a", "b"}));
    EXPECT_EQ(
        problems(with("models: [{provider: openai, model: m}]\n")),
        "prompts: required key \"prompts\" is missing"
    );
}

TEST(Scorers, AsPlainTextNeedNoOptions) {
    const std::string start =
        std::string(kDataset) + "prompts: [x]\nmodels: [{provider: openai, model: m}]\n";
    EXPECT_EQ(
        problems(start + "scorers: [regex]\n"),
        "scorers[0]: needs options: write {type: regex, pattern: ...}"
    );
    EXPECT_EQ(
        problems(start + "scorers: [{type: regex}]\n"),
        "scorers[0].pattern: required key \"pattern\" is missing"
    );
    EXPECT_EQ(
        problems(start + "scorers: [{type: bleu, reference: a, reference_list: b}]\n"),
        "scorers[0].reference_list: `reference` and `reference_list` exclude each other"
    );
    EXPECT_EQ(
        problems(start + "scorers: [{type: bleu, extract: {aftr: x}}]\n"),
        "scorers[0].extract.aftr: unknown key \"aftr\", did you mean \"after\"?"
    );
}

TEST(Checks, FindWhatTheSchemaCannotSay) {
    const auto model = [](std::string_view more) {
        return problems(with(
            "prompts: [x]\nmodels: [{provider: openai, model: m, " + std::string(more) + "}]\n"
        ));
    };
    EXPECT_EQ(model("base_url: 'http://[::1]:8080/v1'"), "");
    EXPECT_EQ(
        model("base_url: 'ftp://a'"), "models[0].base_url: must begin with http:// or https://"
    );
    EXPECT_EQ(model("base_url: 'https:///v1'"), "models[0].base_url: names no host");
    EXPECT_EQ(
        model("base_url: 'https://a/v1?api_key=1'"),
        "models[0].base_url: must not carry a key: name its environment variable in `api_key_env`"
    );
    EXPECT_EQ(
        model("api_key_env: my-key"),
        "models[0].api_key_env: must be the name of an environment variable, such as OPENAI_API_KEY"
    );
    for (const char* fine : {"OPENAI_API_KEY", "hf_token", "Key2", "TOKEN_FOR_PROJECT_2024_TEAM"}) {
        EXPECT_EQ(model("api_key_env: " + std::string(fine)), "") << fine;
    }
    for (const char* key : {"gsk_abcDEF123456", "AIzaSyA1234567890", "a1b2c3d4e5f6a7b8c9d0e1f2"}) {
        EXPECT_NE(
            model("api_key_env: " + std::string(key)).find("looks like a key"), std::string::npos
        ) << key;
    }
    for (const char* name : {"authorization", "X-Api-Key", "api-key", "Cookie", "x-auth-token"}) {
        EXPECT_NE(
            model("headers: {" + std::string(name) + ": v}").find("carries a key"),
            std::string::npos
        ) << name;
    }
    EXPECT_EQ(model("headers: {X-Team: 'a', OpenAI-Organization: o}"), "");
    EXPECT_EQ(
        model("headers: {'a b': v, c: \"x\\ny\"}"),
        "models[0].headers[\"a b\"]: \"a b\" cannot be a header's name\n"
        "models[0].headers.c: a header's value is one line"
    );
    EXPECT_EQ(
        model("pricing: {input_per_million: 0.1234567890123}"),
        "models[0].pricing.input_per_million: must be an amount with at most 12 decimals"
    );
}

TEST(Checks, DatasetAndBudget) {
    const auto rest = [](std::string_view dataset, std::string_view run = "") {
        return problems(
            "name: x\ndataset: " + std::string(dataset) +
            "\nprompts: [x]\nmodels: [{provider: openai, model: m}]\nscorers: [bleu]\n" +
            std::string(run)
        );
    };
    EXPECT_EQ(rest("{path: a.csv, ref: b}"), "dataset.ref: `path` and `ref` exclude each other");
    EXPECT_EQ(rest("{limit: 3}"), "dataset.path: `path` or `ref` is missing");
    EXPECT_EQ(
        rest("{path: a.csv, stratify: level}"),
        "dataset.stratify: goes with `sample`: how many rows are to be drawn?"
    );
    EXPECT_EQ(
        rest("{path: a.csv, limit: 3, sample: 4}"),
        "dataset.sample: `limit` and `sample` exclude each other"
    );
    EXPECT_EQ(
        rest("{path: a.txt}"),
        "dataset.path: the extension does not tell the format: set `format` to jsonl, json, csv, "
        "tsv, parquet or text"
    );
    EXPECT_EQ(rest("{path: a.txt, format: tsv}"), "");
    EXPECT_EQ(
        rest("{path: a.csv, split: {value: x}, split_field: part}"),
        "dataset.split_field: stands inside `split` when that is a mapping"
    );
    EXPECT_EQ(
        rest("{path: a.csv}", "run: {budget: {max_cost_usd: '0.00'}}"),
        "run.budget.max_cost_usd: must be greater than 0"
    );
    EXPECT_EQ(
        rest("{path: a.csv}", "run: {timeout: 0s}"), "run.timeout: must be longer than nothing"
    );
}

TEST(Checks, TellOneMistakeOnce) {
    const std::string head = std::string(kDataset) + std::string(kScorers);
    EXPECT_EQ(
        problems(
            head + "promts: [x]\nmodels: [{provider: openai, model: m}]\n"
                   "variants: {prompts: [direct]}\n"
        ),
        "promts: unknown key \"promts\", did you mean \"prompts\"?"
    );
    EXPECT_EQ(
        problems(
            head + "prompts: [{id: p, tmplate: x}]\n"
                   "models: [{provider: openai, modle: m}, {id: n, provider: openai, model: n}]\n"
                   "variants: [{model: m}, {model: n}]\nhypothesis: {metric: x, baseline: m}\n"
        ),
        "prompts[0].tmplate: unknown key \"tmplate\", did you mean \"template\"?\n"
        "models[0].modle: unknown key \"modle\", did you mean \"model\"?"
    ) << "the name of the first model is not known";
    EXPECT_EQ(
        problems(head + "models: [{id: r, provider: repaly, replay: {path: x.jsonl}}]\n"),
        "models[0].provider: unknown provider \"repaly\", did you mean \"replay\"?"
    );
    EXPECT_EQ(
        problems(
            head + "prompts: [x]\n"
                   "models: [{id: 5, provider: openai, model: m}, {provider: openai, model: m}]\n"
        ),
        "models[0].id: expected text, got the number 5: put it in quotes"
    );
    EXPECT_EQ(
        problems("name: x\ndatset: {path: a.csv}\nprompts: [x]\n"
                 "models: [{provider: openai, model: m}]\nscorers: [bleu]\n"),
        "datset: unknown key \"datset\", did you mean \"dataset\"?"
    );
    EXPECT_EQ(
        problems(
            head + "prompts: [x]\nmodels: [{provider: openai}]\nvariants: {models: [small]}\n"
        ),
        "models[0].model: required key \"model\" is missing"
    ) << "nobody knows the model's name";
    EXPECT_EQ(
        problems(
            head + "prompts: [x]\nmodels: [{provider: openai, model: m}]\n"
                   "run: {retry: {maximum: -1}}\n"
        ),
        "run.retry.maximum: must be greater than 0, got -1"
    );
}

TEST(Checks, FindUnknownVariantsBesideOtherMistakes) {
    EXPECT_EQ(
        problems(
            std::string(kDataset) + std::string(kScorers) + std::string(kTwoByTwo) +
            "  - {id: c, provider: opnai, model: m3, limits: {concurency: 1}}\n"
            "hypothesis: {metric: exact_match, baseline: a/r}\n"
        ),
        "models[2].provider: unknown provider \"opnai\", did you mean \"openai\"?\n"
        "models[2].limits.concurency: unknown key \"concurency\", did you mean \"concurrency\"?\n"
        "hypothesis.baseline: unknown variant \"a/r\", did you mean \"a/p\"?"
    );
}

TEST(ReadSpec, GivesWhatItCouldReadBesideTheProblems) {
    const ParsedSpec parsed = read_spec(
        source("name: 5\n"
               "dataset: {path: rows.jsonl, format: xml, limit: 0, sample: -3}\n"
               "prompts: [{id: p, template: '{{q}}', few_shot: {count: -1, template: x}}, 7]\n"
               "models: [{id: a, provider: nobody, model: m, api: telegraph}]\n"
               "variants: [{model: a, prompt: p, parameters: {n: 2}}, {model: b, prompt: p}]\n"
               "scorers: [exact_mach]\n"
               "analysis: {compare: nothing}\n"
               "run: {repetitions: 99999999999}\n"),
        test::small_vocabulary()
    );
    EXPECT_EQ(parsed.problems.size(), 13U);
    const ExperimentSpec& spec = parsed.spec;
    EXPECT_EQ(spec.dataset.path, "rows.jsonl");
    EXPECT_EQ(spec.dataset.format, "");
    EXPECT_FALSE(spec.dataset.limit);
    EXPECT_FALSE(spec.dataset.sample);
    ASSERT_EQ(spec.prompts.size(), 2U);
    EXPECT_EQ(spec.prompts[0].few_shot->count, 0);
    EXPECT_EQ(spec.models[0].model, "m");
    EXPECT_EQ(spec.scorers[0].type, "exact_mach");
    EXPECT_EQ(spec.analysis.compare, Compare::baseline);
    EXPECT_EQ(spec.run.repetitions, 1);
    ASSERT_EQ(spec.variants.size(), 1U) << "the other has no model";
    EXPECT_EQ(spec.variants[0].parameters["n"], 2);
    EXPECT_EQ(spec.source["name"], 5);

    const ParsedSpec nothing = read_spec(Json::array(), test::small_vocabulary());
    EXPECT_EQ(nothing.problems.size(), 1U);
    EXPECT_TRUE(nothing.spec.models.empty());
    EXPECT_TRUE(nothing.spec.variants.empty());
}

TEST(ReadSpec, KnowsWhereTemplatesAndParametersAreWritten) {
    const ExperimentSpec spec =
        parse(with("prompts:\n"
                   "  - '{{q}}'\n"
                   "  - {id: s, system: S, template: T, few_shot: {count: 1, template: E}}\n"
                   "  - id: m\n"
                   "    messages: [{role: system, content: S}, {role: user, content: U}]\n"
                   "    few_shot: {count: 1, messages: [{role: user, content: E}]}\n"
                   "models: [{id: a, provider: openai, model: m, parameters: {top_p: 1}}]\n"
                   "variants: {prompts: [s], sweep: {t: [0, 1], n: [2]}}\n"));
    EXPECT_EQ(spec.prompts[0].paths, Ids{"prompts[0]"});
    EXPECT_EQ(spec.prompts[1].paths, (Ids{"prompts[1].system", "prompts[1].template"}));
    EXPECT_EQ(spec.prompts[1].few_shot->paths, Ids{"prompts[1].few_shot.template"});
    EXPECT_EQ(
        spec.prompts[2].paths,
        (Ids{"prompts[2].messages[0].content", "prompts[2].messages[1].content"})
    );
    EXPECT_EQ(spec.prompts[2].few_shot->paths, Ids{"prompts[2].few_shot.messages[0].content"});
    using Own = std::vector<std::pair<std::string, std::string>>;
    EXPECT_EQ(spec.variants[1].path, "variants");
    EXPECT_EQ(
        spec.variants[1].own, (Own{{"t", "variants.sweep.t[1]"}, {"n", "variants.sweep.n[0]"}})
    );
    const ExperimentSpec listed = parse(with(
        std::string(kTwoByTwo) +
        "variants: [{model: a, prompt: p}, {model: b, prompt: p, parameters: {'top p': 1}}]\n"
    ));
    EXPECT_EQ(listed.variants[1].path, "variants[1]");
    EXPECT_EQ(listed.variants[1].own, (Own{{"top p", "variants[1].parameters[\"top p\"]"}}));
    EXPECT_TRUE(listed.variants[0].own.empty());
}

TEST(Checks, NeverThrowWhateverTheShape) {
    // Every section replaced by every kind of value: an answer each time, no crash.
    const Json whole = source(with(kTwoByTwo));
    const Json schema = experiment_schema(test::small_vocabulary());
    const std::vector<Json> values = {
        Json(),
        Json(-1.5),
        Json("x"),
        Json::array({Json()}),
        Json::array({Json::object()}),
        Json::array({1, "x"}),
        Json{{"x", nullptr}}
    };
    int refused = 0;
    for (const auto& [section, rules] : schema["properties"].items()) {
        for (const Json& value : values) {
            Json broken = whole;
            broken[section] = value;
            refused += parse_spec(broken, test::small_vocabulary()) ? 0 : 1;
            if (rules.contains("properties")) {
                for (const auto& [key, rule] : rules["properties"].items()) {
                    Json inner = whole;
                    inner[section] = whole.value(section, Json::object());
                    if (inner[section].is_object()) {
                        inner[section][key] = value;
                        refused += parse_spec(inner, test::small_vocabulary()) ? 0 : 1;
                    }
                }
            }
        }
    }
    EXPECT_GT(refused, 200);
    for (const Json& value : values) {
        EXPECT_FALSE(parse_spec(value, test::small_vocabulary()));
    }
}

void expect_described(const Json& schema, const std::string& path) {
    if (schema.contains("properties")) {
        if (schema.value("additionalProperties", Json(true)) != Json(false)) {
            ADD_FAILURE() << path << " is open";
        }
        for (const auto& [name, property] : schema["properties"].items()) {
            EXPECT_TRUE(
                property.contains("description") || property.contains("$ref") ||
                property.contains("anyOf") || property.contains("const")
            ) << path
              << "." << name;
            expect_described(property, path + "." + name);
        }
    }
    for (const char* keyword : {"anyOf", "oneOf"}) {
        if (schema.contains(keyword)) {
            for (const Json& branch : schema[keyword]) {
                expect_described(branch, path);
            }
        }
    }
    if (schema.contains("items")) {
        expect_described(schema["items"], path + "[]");
    }
}

TEST(ExperimentSchema, DescribesEveryFieldAndIsClosed) {
    const Json schema = experiment_schema(test::small_vocabulary());
    expect_described(schema, "");
    EXPECT_EQ(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    EXPECT_EQ(schema["$defs"]["scorer_regex"]["required"], (Json::array({"type", "pattern"})));
}

TEST(ExperimentSchema, WorksWithoutAVocabulary) {
    const auto spec = parse_spec(
        source(with("prompts: [x]\nmodels: [{provider: any, model: m}]\n")), SpecVocabulary{}
    );
    EXPECT_TRUE(spec);
}

}  // namespace
}  // namespace lab::domain
