#include "service/store_figures.h"

#include "science/stats/descriptive.h"
#include "service/run_facts.h"

#include <algorithm>
#include <map>

namespace lab::service {
namespace {

using storage::CallFact;
using storage::FactScope;
using storage::FactSummary;
using storage::MetricFact;

/// 40 MB of numbers.
constexpr std::int64_t kValuesMax = 5'000'000;
constexpr std::int64_t kDay = 86'400;
constexpr std::int64_t kSecond = 1000;

/// Type 7, in the very steps in which ClickHouse takes it (QuantileExactInclusive), so that the
/// last digit is the same too. `sorted` is not empty.
double quantile_of(const std::vector<double>& sorted, double level) {
    const double place = level * static_cast<double>(sorted.size() - 1) + 1;
    const auto below = static_cast<std::size_t>(place);
    if (below >= sorted.size()) {
        return sorted.back();
    }
    return sorted[below - 1] +
           (place - static_cast<double>(below)) * (sorted[below] - sorted[below - 1]);
}

FactSummary summary_of(std::vector<double>& values) {
    FactSummary out;
    out.count = std::ssize(values);
    if (values.empty()) {
        return out;
    }
    std::ranges::sort(values);
    science::Sum sum;
    for (const double value : values) {
        sum.add(value);
    }
    out.sum = sum.value();
    out.least = values.front();
    out.most = values.back();
    out.p50 = quantile_of(values, 0.5);
    out.p90 = quantile_of(values, 0.9);
    out.p95 = quantile_of(values, 0.95);
    out.p99 = quantile_of(values, 0.99);
    return out;
}

/// Groups what is within the time that is asked for.
class Grouping : public storage::FactSink {
  public:
    explicit Grouping(const FactScope& scope) : scope_(scope) {}
    Status metric(const MetricFact& fact) override {
        return is_within(fact.at_ms) ? take(fact) : ok();
    }
    Status call(const CallFact& fact) override { return is_within(fact.at_ms) ? take(fact) : ok(); }

  protected:
    virtual Status take(const MetricFact&) { return ok(); }
    virtual Status take(const CallFact&) { return ok(); }
    Status keep(std::vector<double>& values, double value) {
        if (++kept_ > kValuesMax) {
            return Error(
                Code::validation,
                "there are more than " + std::to_string(kValuesMax) +
                    " values in this time, which only ClickHouse can look at: ask for less time"
            );
        }
        values.push_back(value);
        return ok();
    }

  private:
    bool is_within(std::int64_t at_ms) const {
        return at_ms >= scope_.from_ms && at_ms < scope_.to_ms;
    }
    const FactScope& scope_;
    std::int64_t kept_ = 0;
};

template <class Key, class KeyOf>
class MetricGroups final : public Grouping {
  public:
    MetricGroups(const FactScope& scope, const std::string& metric, KeyOf key_of)
        : Grouping(scope), metric_(metric), key_of_(std::move(key_of)) {}
    std::map<Key, std::vector<double>> groups;

  protected:
    Status take(const MetricFact& fact) override {
        return fact.metric == metric_ ? keep(groups[key_of_(fact)], fact.value) : ok();
    }

  private:
    const std::string& metric_;
    KeyOf key_of_;
};

struct Latencies {
    std::int64_t failed = 0;
    std::vector<double> latency;
    std::vector<double> first_token;
};

class LatencyGroups final : public Grouping {
  public:
    using Grouping::Grouping;
    std::map<std::pair<std::int64_t, std::string>, Latencies> groups;

  protected:
    Status take(const CallFact& fact) override {
        if (fact.answered_here || fact.state == "carried") {
            return ok();
        }
        Latencies& group = groups[{fact.at_ms / kSecond / kDay * kDay, std::string(fact.model)}];
        if (fact.state != "done") {
            ++group.failed;
            return ok();
        }
        LAB_CHECK(keep(group.latency, static_cast<double>(fact.latency_ns)));
        return fact.first_token_ns
                   ? keep(group.first_token, static_cast<double>(*fact.first_token_ns))
                   : ok();
    }
};

class CostGroups final : public Grouping {
  public:
    using Grouping::Grouping;
    std::map<std::pair<std::string, std::string>, storage::CostRow> groups;

  protected:
    Status take(const CallFact& fact) override {
        auto& row = groups[{fact.place->experiment_id, std::string(fact.model)}];
        row.samples += fact.state == "carried" ? 0 : 1;
        row.failed += fact.state == "failed" ? 1 : 0;
        if (!fact.answered_here) {
            row.calls += fact.attempts;
            row.input_tokens += fact.input_tokens;
            row.output_tokens += fact.output_tokens;
        }
        row.unpriced += fact.cost_pico ? 0 : 1;
        row.cost_pico =
            (Money::from_pico(row.cost_pico) + Money::from_pico(fact.cost_pico.value_or(0))).pico();
        return ok();
    }
};

Status read_facts(
    const Ctx& ctx, const Request& request, const FactScope& scope, storage::FactSink& to
) {
    const auto text = [](std::int64_t milliseconds) {
        return format_rfc3339(WallTime(std::chrono::milliseconds(milliseconds)));
    };
    storage::FactRows rows(request.session);
    for (const std::string& experiment : scope.experiments) {
        LAB_TRY(
            auto runs, rows.runs_between(ctx, experiment, text(scope.from_ms), text(scope.to_ms))
        );
        for (storage::FactRun& run : runs) {
            const RunFacts facts(*request.deps.vocabulary, std::move(run));
            LAB_CHECK(all_facts(ctx, request.session, facts, to, [&] { return ctx.check(); }));
        }
    }
    return ok();
}

template <class Rows>
Result<Rows> bounded(Rows rows) {
    if (rows.size() > storage::kFigureRowsMax) {
        return storage::too_many_figures();
    }
    return rows;
}

}  // namespace

Result<std::vector<storage::SeriesPoint>> StoreFigures::series(
    const Ctx& ctx,
    const FactScope& scope,
    const std::string& metric,
    const storage::SeriesSteps& steps
) {
    const auto key_of = [&](const MetricFact& fact) {
        return std::pair(steps.begin_of(fact.at_ms / kSecond), std::string(fact.model));
    };
    using Key = std::pair<std::int64_t, std::string>;
    MetricGroups<Key, decltype(key_of)> found(scope, metric, key_of);
    LAB_CHECK(read_facts(ctx, request_, scope, found));
    std::vector<storage::SeriesPoint> out;
    for (auto& [key, values] : found.groups) {
        out.push_back({.at = key.first, .model = key.second, .values = summary_of(values)});
    }
    return bounded(std::move(out));
}

Result<std::vector<storage::RunValues>> StoreFigures::by_run(
    const Ctx& ctx, const FactScope& scope, const std::string& metric
) {
    const auto key_of = [](const MetricFact& fact) { return fact.place->run_id; };
    MetricGroups<std::string, decltype(key_of)> found(scope, metric, key_of);
    LAB_CHECK(read_facts(ctx, request_, scope, found));
    std::vector<storage::RunValues> out;
    for (auto& [run, values] : found.groups) {
        out.push_back({.run_id = run, .values = summary_of(values)});
    }
    return bounded(std::move(out));
}

Result<std::vector<storage::LatencyRow>> StoreFigures::latency(
    const Ctx& ctx, const FactScope& scope
) {
    LatencyGroups found(scope);
    LAB_CHECK(read_facts(ctx, request_, scope, found));
    std::vector<storage::LatencyRow> out;
    for (auto& [key, group] : found.groups) {
        out.push_back({
            .at = key.first,
            .model = key.second,
            .failed = group.failed,
            .latency = summary_of(group.latency),
            .first_token = summary_of(group.first_token),
        });
    }
    return bounded(std::move(out));
}

Result<std::vector<storage::CostRow>> StoreFigures::costs(const Ctx& ctx, const FactScope& scope) {
    CostGroups found(scope);
    LAB_CHECK(read_facts(ctx, request_, scope, found));
    std::vector<storage::CostRow> out;
    for (auto& [key, row] : found.groups) {
        row.experiment_id = key.first;
        row.model = key.second;
        out.push_back(std::move(row));
    }
    return bounded(std::move(out));
}

}  // namespace lab::service
