#include "report/impl/test_demo.h"

#include "base/rng.h"
#include "base/text.h"
#include "domain/spec.h"
#include "platform/json/json.h"
#include "report/format.h"
#include "science/stats/words.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <optional>

namespace lab::report {
namespace {

std::vector<Json> read_lines(const std::string& path, std::size_t lines_max = SIZE_MAX) {
    std::ifstream file(std::string(LAB_SOURCE_DIR) + "/examples/" + path);
    EXPECT_TRUE(file.is_open()) << path;
    std::vector<Json> out;
    for (std::string line; out.size() < lines_max && std::getline(file, line);) {
        out.push_back(parse_json(line).value());
    }
    return out;
}

/// Per metric, variant and item; corpus metrics have statistics as well.
struct Columns {
    std::vector<std::vector<std::vector<double>>> values;
    std::vector<std::vector<std::vector<double>>> stats;
    std::vector<std::function<double(std::span<const double>)>> aggregate;
    std::vector<int> clusters;
};

/// Means over repetitions of what the rows say.
Columns columns_of(const Demo& demo) {
    Columns out;
    const std::size_t variants = demo.report.variants.size();
    out.values.resize(demo.report.metrics.size(), std::vector<std::vector<double>>(variants));
    for (const ItemRow& row : demo.rows) {
        for (std::size_t m = 0; m < demo.report.metrics.size(); ++m) {
            for (std::size_t v = 0; v < variants; ++v) {
                double sum = 0;
                int n = 0;
                for (const ItemSample& sample : row.samples[v]) {
                    if (sample.present && !sample.failed && !std::isnan(sample.scores[m])) {
                        sum += sample.scores[m];
                        ++n;
                    }
                }
                out.values[m][v].push_back(n > 0 ? sum / n : std::nan(""));
            }
        }
    }
    return out;
}

Histogram histogram_of(const std::vector<double>& values, std::size_t bins) {
    Histogram out;
    std::vector<double> present;
    std::ranges::copy_if(values, std::back_inserter(present), [](double x) {
        return std::isfinite(x);
    });
    if (present.empty()) {
        return out;
    }
    const auto [lo, hi] = std::ranges::minmax(present);
    out.lo = lo;
    out.hi = hi;
    out.counts.resize(hi > lo ? bins : 1);
    for (const double x : present) {
        const double place = hi > lo ? (x - lo) / (hi - lo) * static_cast<double>(bins) : 0;
        ++out.counts[std::min(static_cast<std::size_t>(place), out.counts.size() - 1)];
    }
    return out;
}

struct Analysis {
    bool all_pairs = false;
    science::AnalysisOptions options;
};

void analyse(Demo& demo, const Columns& columns, const Analysis& how) {
    Report& report = demo.report;
    std::vector<science::VariantPair> pairs;
    for (std::size_t a = 0; a < report.variants.size(); ++a) {
        for (std::size_t b = 0; b < report.variants.size(); ++b) {
            if (how.all_pairs ? b < a : a != b && report.variants[b].baseline) {
                pairs.push_back({a, b});
            }
        }
    }
    std::vector<science::Comparison> family;
    std::vector<std::size_t> family_rows;
    for (std::size_t m = 0; m < report.metrics.size(); ++m) {
        std::vector<science::MetricSample> samples;
        for (std::size_t v = 0; v < report.variants.size(); ++v) {
            science::MetricSample sample;
            sample.kind = report.metrics[m].info.kind;
            sample.values = columns.values[m][v];
            sample.clusters = columns.clusters;
            sample.wording = science::wording_for(report.metrics[m].info);
            if (sample.kind == science::MetricKind::corpus) {
                sample.stats = columns.stats[m][v];
                sample.stats_size = report.metrics[m].info.stats_size;
                sample.aggregate = columns.aggregate[m];
            }
            samples.push_back(std::move(sample));
            report.variants[v].score_histograms.push_back(histogram_of(columns.values[m][v], 20));
        }
        science::MetricAnalysis figures = science::analyse(samples, pairs, how.options);
        for (std::size_t v = 0; v < report.variants.size(); ++v) {
            report.variants[v].metrics.push_back(std::move(figures.estimates[v]));
        }
        for (std::size_t p = 0; p < pairs.size(); ++p) {
            if (report.metrics[m].primary) {
                family_rows.push_back(report.comparisons.size());
                family.push_back(figures.comparisons[p]);
            }
            report.comparisons.push_back(
                {m, pairs[p].a, pairs[p].b, report.metrics[m].primary, figures.comparisons[p]}
            );
        }
    }
    science::apply_family(family, how.options);
    for (std::size_t i = 0; i < family.size(); ++i) {
        report.comparisons[family_rows[i]].comparison = family[i];
    }
}

void count_samples(Demo& demo) {
    Totals& t = demo.report.totals;
    for (std::size_t v = 0; v < demo.report.variants.size(); ++v) {
        VariantSummary& variant = demo.report.variants[v];
        for (const ItemRow& row : demo.rows) {
            for (const ItemSample& sample : row.samples[v]) {
                ++variant.planned;
                const bool done = sample.present && !sample.failed;
                variant.done += done ? 1 : 0;
                variant.missing += done ? 0 : 1;
                variant.unparsed += done && !sample.parsed[0] ? 1 : 0;
                variant.truncated += sample.finish_reason == "length" ? 1 : 0;
                t.failed += sample.failed ? 1 : 0;
            }
        }
        t.planned += variant.planned;
        t.done += variant.done;
        t.missing += variant.missing;
        t.unparsed += variant.unparsed;
    }
}

Demo start(std::string experiment, std::string description, std::string dataset) {
    Demo out;
    out.report.software_version = "0.1.0";
    RunInfo run;
    run.id = "0197c0de-5a1e-7c3b-9d4e-2f6a8b1c3d5e";
    run.experiment = std::move(experiment);
    run.number = 3;
    run.description = std::move(description);
    run.tags = {"demo"};
    run.state = "completed";
    run.created_at = "2025-03-01T09:00:00.000000Z";
    run.started_at = "2025-03-01T09:00:00.120000Z";
    run.completed_at = "2025-03-01T09:04:12.870000Z";
    run.dataset = std::move(dataset);
    run.dataset_hash = "9b0a1c6f4d5e3a2b8c7d6e5f4a3b2c1d0e9f8a7b6c5d4e3f2a1b0c9d8e7f6a5b";
    run.manifest = R"({"software_version":"0.1.0","spec_hash":"5f2c","seed":42,)"
                   R"("dataset":{"name":"demo","version":1},"metrics":["accuracy"]})";
    run.seed = 42;
    out.report.runs.push_back(std::move(run));
    return out;
}

VariantSummary variant_named(const std::string& id, const std::string& prompt) {
    VariantSummary out;
    out.id = id;
    out.model = id;
    out.provider = "replay";
    out.prompt = prompt;
    out.parameters = "{}";
    return out;
}

MetricColumn binary_metric(const std::string& name, const std::string& scorer) {
    MetricColumn out;
    out.info.name = name;
    out.info.kind = science::MetricKind::binary;
    out.primary = true;
    out.scorer = scorer;
    return out;
}

std::string after_last(std::string_view text, std::string_view mark) {
    const std::size_t at = text.rfind(mark);
    return at == std::string_view::npos ? ""
                                        : std::string(trim_ascii(text.substr(at + mark.size())));
}

std::optional<double> number_in(std::string text) {
    std::erase(text, ',');
    std::erase(text, '$');
    char* end = nullptr;
    const double out = std::strtod(text.c_str(), &end);
    return text.empty() || end != text.c_str() + text.size() ? std::nullopt : std::optional(out);
}

std::vector<std::string> usual_methods(const Report& report) {
    std::vector<std::string> out;
    for (const VariantSummary& variant : report.variants) {
        for (const science::Estimate& e : variant.metrics) {
            const science::DesignRow& row = science::row_of(e.design);
            const std::string text = std::string(row.when) + ": interval " +
                                     std::string(row.interval) + "; test " + std::string(row.test) +
                                     ".";
            if (std::ranges::find(out, text) == out.end()) {
                out.push_back(text);
            }
        }
    }
    return out;
}

}  // namespace

Demo demo_gsm8k() {
    Demo out = start("gsm8k-four-models", "Four models on grade-school maths", "gsm8k@1");
    const std::vector<std::string> models = {
        "6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification"
    };
    out.report.metrics.push_back(binary_metric("accuracy", "numeric"));
    std::vector<std::vector<Json>> outputs;
    for (const std::string& model : models) {
        out.report.variants.push_back(variant_named(model, "plain"));
        outputs.push_back(read_lines("gsm8k/outputs/" + model + ".jsonl"));
    }
    out.report.variants[0].baseline = true;
    const std::vector<Json> dataset = read_lines("gsm8k/dataset.jsonl");
    for (std::size_t i = 0; i < dataset.size(); ++i) {
        ItemRow row;
        row.item = static_cast<std::int64_t>(i);
        row.id = dataset[i]["id"].get<std::string>();
        Json input;
        input["question"] = dataset[i]["question"];
        row.input = dump_json(input);
        row.reference = after_last(dataset[i]["answer"].get<std::string>(), "####");
        for (const std::vector<Json>& of_model : outputs) {
            ItemSample sample;
            sample.present = true;
            sample.output = of_model[i]["output"].get<std::string>();
            sample.finish_reason = "stop";
            sample.extracted = {after_last(sample.output, "A:")};
            const std::optional<double> answer = number_in(sample.extracted[0]);
            sample.parsed = {answer.has_value()};
            sample.scores = {answer && *answer == number_in(row.reference) ? 1.0 : 0.0};
            row.samples.push_back({std::move(sample)});
        }
        out.rows.push_back(std::move(row));
    }
    out.report.runs[0].items = static_cast<std::int64_t>(out.rows.size());
    count_samples(out);
    for (VariantSummary& variant : out.report.variants) {
        variant.replayed = variant.done;
        variant.cost = Money{};
    }
    out.report.totals.replayed = out.report.totals.done;
    out.report.totals.cost = Money{};
    Analysis how;
    how.all_pairs = true;
    how.options.mcnemar = domain::McNemarKind::exact;
    analyse(out, columns_of(out), how);
    out.report.answer =
        "Best accuracy: 175b_verification, 56.3 % (53.6 to 58.9); better than each of the 3 it was "
        "compared with.";
    out.report.methods = usual_methods(out.report);
    out.report.gates.push_back({"accuracy of 175b_verification at least 0.5", true, "0.563"});
    return out;
}

Demo demo_bbh() {
    Demo out = start("bbh-prompts", "Direct answers against chain of thought", "bbh@1");
    out.report.metrics.push_back(binary_metric("exact_match", "exact_match"));
    const std::vector<Json> dataset = read_lines("bbh/dataset.jsonl");
    std::vector<std::vector<Json>> outputs;
    for (const std::string prompt : {"direct", "cot"}) {
        out.report.variants.push_back(variant_named("code-davinci-002/" + prompt, prompt));
        outputs.push_back(read_lines("bbh/outputs/" + prompt + ".jsonl"));
    }
    out.report.variants[0].baseline = true;
    std::map<std::string, int> tasks;
    std::vector<int> clusters;
    for (std::size_t i = 0; i < dataset.size(); ++i) {
        ItemRow row;
        row.item = static_cast<std::int64_t>(i);
        row.id = dataset[i]["id"].get<std::string>();
        Json input;
        input["task"] = dataset[i]["task"];
        input["input"] = dataset[i]["input"];
        row.input = dump_json(input);
        row.reference = dataset[i]["target"].get<std::string>();
        const auto task = dataset[i]["task"].get<std::string>();
        clusters.push_back(tasks.emplace(task, static_cast<int>(tasks.size())).first->second);
        for (const std::vector<Json>& of_prompt : outputs) {
            ItemSample sample;
            sample.present = true;
            sample.output = of_prompt[i]["output"].get<std::string>();
            sample.finish_reason = "stop";
            std::string answer = after_last(sample.output, "the answer is");
            if (answer.ends_with('.')) {
                answer.pop_back();
            }
            sample.extracted = {answer};
            sample.parsed = {true};
            const std::string found = answer.empty() ? sample.output : answer;
            sample.scores = {trim_ascii(found) == row.reference ? 1.0 : 0.0};
            row.samples.push_back({std::move(sample)});
        }
        out.rows.push_back(std::move(row));
    }
    out.report.runs[0].items = static_cast<std::int64_t>(out.rows.size());
    count_samples(out);
    Columns columns = columns_of(out);
    columns.clusters = clusters;
    analyse(out, columns, {});
    out.report.methods = usual_methods(out.report);
    out.report.answer = "Best exact_match: code-davinci-002/cot; the difference is shown.";
    return out;
}

Demo demo_wmt(std::size_t segments) {
    Demo out = start("wmt22-de-en", "Nine systems, German to English", "wmt22-de-en@1");
    Columns columns;
    std::vector<std::unique_ptr<science::Scorer>> scorers;
    for (const char* name : {"bleu", "chrf"}) {
        const science::ScorerType* type = science::find_scorer_type(name);
        scorers.push_back(type->make(Json::object()).value());
        MetricColumn column;
        column.info = scorers.back()->metrics()[0];
        column.primary = true;
        column.scorer = name;
        out.report.metrics.push_back(column);
        const science::Scorer* scorer = scorers.back().get();
        columns.aggregate.push_back([scorer](std::span<const double> sums) {
            return scorer->aggregate(0, sums);
        });
    }
    columns.values.resize(2, std::vector<std::vector<double>>(9));
    columns.stats.resize(2, std::vector<std::vector<double>>(9));
    const std::vector<Json> dataset = read_lines("wmt22_gpt/de-en.jsonl", segments);
    for (const Json& segment : dataset) {
        ItemRow row;
        row.item = static_cast<std::int64_t>(out.rows.size());
        row.id = segment["id"].get<std::string>();
        Json input;
        input["source"] = segment["source"];
        row.input = dump_json(input);
        row.reference = segment["reference"].get<std::string>();
        out.rows.push_back(std::move(row));
    }
    std::size_t v = 0;
    for (const char* system :
         {"text-davinci-003.zeroshot",
          "text-davinci-002.zeroshot",
          "text-davinci-003.RR-1shot",
          "text-davinci-003.RR-5shot",
          "text-davinci-003.QR-1shot",
          "text-davinci-003.QR-5shot",
          "ChatGPT.zeroshot",
          "MS-Translator",
          "wmt-best"}) {
        out.report.variants.push_back(variant_named(system, "translate"));
        const std::vector<Json> lines =
            read_lines("wmt22_gpt/outputs/de-en/" + std::string(system) + ".jsonl", segments);
        for (std::size_t i = 0; i < lines.size(); ++i) {
            ItemSample sample;
            sample.present = true;
            sample.output = lines[i]["output"].get<std::string>();
            sample.finish_reason = "stop";
            sample.extracted = {"", ""};
            sample.parsed = {true, true};
            for (std::size_t m = 0; m < 2; ++m) {
                const science::Scored scored =
                    scorers[m]->score({sample.output, std::span(&out.rows[i].reference, 1)});
                sample.scores.push_back(scored.values[0].value);
                columns.values[m][v].push_back(scored.values[0].value);
                const std::vector<double>& stats = scored.values[0].stats;
                std::ranges::copy(stats, std::back_inserter(columns.stats[m][v]));
            }
            out.rows[i].samples.push_back({std::move(sample)});
        }
        ++v;
    }
    out.report.variants[0].baseline = true;
    out.report.runs[0].items = static_cast<std::int64_t>(out.rows.size());
    count_samples(out);
    Analysis how;
    how.options.bootstrap_replicates = 200;
    how.options.seed = 42;
    analyse(out, columns, how);
    out.report.methods = usual_methods(out.report);
    out.report.answer = "Best bleu: wmt-best; better than the baseline. Best chrf: wmt-best.";
    return out;
}

namespace {

/// One answer of the invented live run.
ItemSample live_sample(Rng& rng, double skill, int repetition, bool verbose) {
    ItemSample out;
    out.repetition = repetition;
    out.present = rng.uniform() > 0.002;
    if (!out.present) {
        return out;
    }
    out.failed = rng.uniform() < 0.006;
    if (out.failed) {
        out.error = "upstream_timeout: the endpoint did not answer within 30 s";
        out.scores = {std::nan(""), std::nan("")};
        return out;
    }
    const bool right = rng.uniform() < skill;
    const bool lost = !right && rng.uniform() < 0.15;
    const std::string answer = right ? "42" : std::to_string(30 + rng.below(40));
    out.output =
        verbose ? "Let us think step by step. There are 6 boxes with 7 apples each.\n\n" : "";
    out.output +=
        lost ? "I am not sure what is asked <b>here</b>." : "The answer is " + answer + ".";
    out.finish_reason = lost && rng.uniform() < 0.4 ? "length" : "stop";
    out.extracted = {lost ? "" : answer, ""};
    out.parsed = {!lost, true};
    const double quality = std::clamp(0.35 + 0.5 * skill + 0.25 * (rng.uniform() - 0.5), 0.0, 1.0);
    out.scores = {right && answer == "42" ? 1.0 : 0.0, quality};
    out.cached = rng.uniform() < 0.05;
    return out;
}

void invent_costs(VariantSummary& variant, Rng& rng, double dollars_per_call, double seconds) {
    variant.usage.input = variant.done * 212;
    variant.usage.cache_read = variant.done * 40;
    variant.usage.output = variant.done * 96;
    variant.cost =
        Money::from_pico(static_cast<std::int64_t>(dollars_per_call * 1e12) * variant.done);
    std::vector<double> latencies;
    for (std::int64_t i = 0; i < variant.done; ++i) {
        latencies.push_back(seconds * std::exp(0.9 * (rng.uniform() + rng.uniform() - 1)));
    }
    std::ranges::sort(latencies);
    const auto at = [&](double q) {
        return latencies[static_cast<std::size_t>(q * static_cast<double>(latencies.size() - 1))];
    };
    variant.latency = {variant.done, seconds, at(0.5), at(0.9), at(0.95), at(0.99), at(1)};
    variant.time_to_first_token = {
        variant.done, seconds / 5, at(0.5) / 5, at(0.9) / 5, at(0.95) / 5, at(0.99) / 5, at(1) / 5
    };
    variant.latency_histogram = histogram_of(latencies, 40);
}

}  // namespace

Demo demo_live() {
    Demo out = start(
        "support-triage",
        "Which small model answers our support questions well enough?",
        "tickets@7"
    );
    out.report.metrics = {binary_metric("accuracy", "numeric"), binary_metric("quality", "rubric")};
    out.report.metrics[1].info.kind = science::MetricKind::continuous;
    out.report.metrics[1].primary = false;
    struct Kind {
        const char* model;
        double skill;
        double dollars;
        double seconds;
    };
    constexpr Kind kKinds[] = {
        {"small-8b", 0.58, 0.00004, 0.31},
        {"medium-70b", 0.71, 0.0004, 0.9},
        {"large-pro", 0.80, 0.0031, 1.7},
        {"large-flash", 0.795, 0.0005, 0.6},
    };
    Rng rng(7);
    for (const Kind& kind : kKinds) {
        for (const bool verbose : {false, true}) {
            const std::string prompt = verbose ? "step-by-step" : "short";
            VariantSummary variant = variant_named(std::string(kind.model) + "/" + prompt, prompt);
            variant.model = kind.model;
            variant.provider = "openai";
            variant.parameters = R"({"temperature":0.7,"max_tokens":256})";
            out.report.variants.push_back(std::move(variant));
        }
    }
    out.report.variants[0].baseline = true;
    for (std::size_t i = 0; i < 400; ++i) {
        ItemRow row;
        row.item = static_cast<std::int64_t>(i);
        row.id = "ticket-" + std::to_string(1000 + i);
        row.input = R"({"question":"How many apples are in 6 boxes of 7?","channel":"mail"})";
        row.reference = "42";
        for (std::size_t v = 0; v < out.report.variants.size(); ++v) {
            const bool verbose = v % 2 == 1;
            row.samples.emplace_back();
            for (int repetition = 0; repetition < 2; ++repetition) {
                const double skill = kKinds[v / 2].skill + (verbose ? 0.05 : 0.0);
                row.samples.back().push_back(live_sample(rng, skill, repetition, verbose));
            }
        }
        out.rows.push_back(std::move(row));
    }
    Report& report = out.report;
    report.runs[0].items = 400;
    report.runs[0].repetitions = 2;
    count_samples(out);
    report.totals.cost = Money{};
    for (std::size_t v = 0; v < report.variants.size(); ++v) {
        const double more = v % 2 == 1 ? 2.4 : 1;
        invent_costs(
            report.variants[v], rng, kKinds[v / 2].dollars * more, kKinds[v / 2].seconds * more
        );
        report.variants[v].cached = report.variants[v].done / 20;
        *report.totals.cost += *report.variants[v].cost;
        report.totals.usage.input += report.variants[v].usage.input;
        report.totals.usage.output += report.variants[v].usage.output;
    }
    report.totals.cached = report.totals.done / 20;
    report.totals.calls = report.totals.done + 61;
    report.totals.retries = 61;
    report.totals.uncertain = 2;
    report.totals.uncertain_cost = Money::from_pico(4'200'000'000);
    Analysis how;
    how.options.minimum_effect = 0.05;
    analyse(out, columns_of(out), how);
    report.hypothesis =
        "Declared before the run: accuracy is higher than with small-8b/short (alpha 0.05, "
        "smallest "
        "difference that matters 0.05).";
    report.answer = "large-pro/step-by-step against small-8b/short: " +
                    report.comparisons[4].comparison.sentence;
    report.methods = usual_methods(report);
    report.gates = {
        {"accuracy of large-flash/short at least 0.75", true, "0.789"},
        {"cost of large-pro/step-by-step at most $2", false, "$5.93"},
    };
    report.errors = {
        {"upstream_timeout", "the endpoint did not answer within 30 s", 38},
        {"rate_limited", "429 after 6 attempts: <slow down> \x1b[31mred", 2},
    };
    report.warnings = {
        "2 calls were in flight when a process died: they may have been billed ($0.0042).",
    };
    return out;
}

Demo demo_large(std::size_t items) {
    Demo out = start("large", "Four variants on many items", "large@1");
    out.report.metrics.push_back(binary_metric("accuracy", "numeric"));
    for (const char* id : {"a", "b", "c", "d"}) {
        out.report.variants.push_back(variant_named(id, "plain"));
    }
    out.report.variants[0].baseline = true;
    Rng rng(11);
    const std::string filler =
        "First we add what was bought on Monday and on Tuesday, then we take away what was given "
        "to the neighbours, and at last we divide by the number of children.\n";
    for (std::size_t i = 0; i < items; ++i) {
        ItemRow row;
        row.item = static_cast<std::int64_t>(i);
        row.id = "item-" + std::to_string(i + 1);
        row.input = "{\"question\":\"Question number " + std::to_string(i + 1) + "?\"}";
        row.reference = std::to_string(i % 97);
        for (std::size_t v = 0; v < 4; ++v) {
            ItemSample sample;
            sample.present = true;
            sample.finish_reason = "stop";
            const bool right = rng.uniform() < 0.4 + 0.1 * static_cast<double>(v);
            const std::string answer = right ? row.reference : std::to_string(rng.below(1000));
            sample.output = filler + filler + "The answer is " + answer + ".";
            sample.extracted = {answer};
            sample.parsed = {true};
            sample.scores = {answer == row.reference ? 1.0 : 0.0};
            row.samples.push_back({std::move(sample)});
        }
        out.rows.push_back(std::move(row));
    }
    out.report.runs[0].items = static_cast<std::int64_t>(items);
    count_samples(out);
    analyse(out, columns_of(out), {});
    out.report.methods = usual_methods(out.report);
    out.report.answer = "Best accuracy: d.";
    return out;
}

Demo demo_nothing() {
    Demo out = start("nothing", "", "none@1");
    out.report.metrics.push_back(binary_metric("accuracy", "numeric"));
    for (const char* id : {"a", "b"}) {
        out.report.variants.push_back(variant_named(id, "plain"));
        out.report.variants.back().metrics.emplace_back();
        out.report.variants.back().score_histograms.emplace_back();
    }
    out.report.variants[0].baseline = true;
    const double nan = std::nan("");
    for (VariantSummary& variant : out.report.variants) {
        variant.latency = {0, nan, nan, nan, nan, nan, nan};
        variant.time_to_first_token = variant.latency;
    }
    out.report.comparisons.push_back({.metric = 0, .a = 1, .b = 0, .primary = true});
    ItemRow row;
    row.id = "only";
    row.samples = {{ItemSample{}}, {ItemSample{}}};
    for (std::vector<ItemSample>& samples : row.samples) {
        samples[0].scores = {nan};
        samples[0].extracted = {""};
        samples[0].parsed = {true};
    }
    out.rows.push_back(std::move(row));
    return out;
}

Demo demo_empty() {
    Demo out = start("empty", "", "none@1");
    out.report.runs[0].state = "interrupted";
    out.report.runs[0].stop_reason = "interrupted before the first call";
    return out;
}

Demo demo_hostile() {
    Demo out = demo_nothing();
    const std::string text(kHostile);
    Report& report = out.report;
    RunInfo& run = report.runs[0];
    for (std::string* field :
         {&run.id,
          &run.experiment,
          &run.description,
          &run.state,
          &run.stop_reason,
          &run.dataset,
          &run.completed_at,
          &run.manifest,
          &report.software_version,
          &report.hypothesis,
          &report.answer,
          &report.metrics[0].info.name,
          &report.metrics[0].info.signature,
          &report.metrics[0].scorer}) {
        *field = text;
    }
    run.tags = {text};
    report.methods = {text};
    report.warnings = {text};
    report.errors = {{text, text, 1}};
    report.gates = {{text, false, text}};
    for (VariantSummary& variant : report.variants) {
        variant.id += text;
        variant.model = variant.provider = variant.prompt = variant.parameters = text;
        variant.metrics[0].value = 0.5;
        variant.metrics[0].interval = {0.4, 0.6};
        variant.metrics[0].method = text;
        variant.metrics[0].notes = {text};
    }
    science::Comparison& c = report.comparisons[0].comparison;
    c.difference = 0.1;
    c.interval = {-0.1, 0.3};
    c.sentence = c.reason = c.interval_method = c.correction = text;
    c.notes = {text};
    c.tests = {{text, 0.5}};
    out.rows[0].id = out.rows[0].input = out.rows[0].reference = text;
    for (std::vector<ItemSample>& samples : out.rows[0].samples) {
        samples[0].present = true;
        samples[0].output = samples[0].finish_reason = text;
        samples[0].extracted = {text};
    }
    return out;
}

std::string rendered(
    const std::function<Status(const std::function<Status(std::string_view)>&)>& write
) {
    std::string out;
    const Status status = write([&out](std::string_view piece) {
        out += piece;
        return ok();
    });
    EXPECT_TRUE(status) << (status ? "" : status.error().message);
    return out;
}

}  // namespace lab::report
