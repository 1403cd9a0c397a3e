#include "report/impl/test_demo_parts.h"

#include "science/stats/words.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace lab::report {

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
