#include "base/rng.h"
#include "report/impl/test_demo.h"
#include "report/impl/test_demo_parts.h"

#include <algorithm>
#include <cmath>

namespace lab::report {
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

void invent_bill(Report& report, Rng& rng) {
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
    invent_bill(report, rng);
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

}  // namespace lab::report
