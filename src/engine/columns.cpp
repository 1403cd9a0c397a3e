#include "engine/columns.h"

#include "science/stats/descriptive.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

namespace lab::engine {
namespace {

constexpr std::size_t kErrorKindsMax = 20;

float seconds(Duration duration) { return std::chrono::duration<float>(duration).count(); }

/// Adds up the repetitions of the items as samples come by in the order of their index.
class Reducer {
  public:
    Reducer(const Plan& plan, const ScoreBook& scores, RunColumns& out)
        : plan_(plan), scores_(scores), out_(out) {
        const std::size_t slots = scores.slots().size();
        sums_.resize(slots);
        seen_.resize(slots);
        stats_.resize(slots);
    }

    Status take(const domain::SampleResult& sample) {
        const SampleRef ref = plan_.ref(sample.index);
        if (ref.variant != variant_ || ref.item != item_) {
            flush();
            variant_ = ref.variant;
            item_ = ref.item;
        }
        VariantColumns& column = out_.variants[static_cast<std::size_t>(ref.variant)];
        count(column, sample);
        if (sample.state != domain::SampleState::done) {
            column.lost.resize(static_cast<std::size_t>(plan_.items()));
            ++column.lost[static_cast<std::size_t>(item_)];
            return ok();
        }
        LAB_TRY(const SampleScores scores, decode_scores(sample.scores, scores_));
        column.unparsed += std::ranges::find(scores.parsed, false) != scores.parsed.end() ? 1 : 0;
        for (std::size_t slot = 0; slot < scores.values.size(); ++slot) {
            if (std::isnan(scores.values[slot])) {
                continue;
            }
            sums_[slot] += scores.values[slot];
            seen_[slot].push_back(scores.values[slot]);
            stats_[slot].resize(scores.stats[slot].size());
            for (std::size_t k = 0; k < scores.stats[slot].size(); ++k) {
                stats_[slot][k] += scores.stats[slot][k];
            }
        }
        return ok();
    }

    void flush() {
        if (item_ < 0) {
            return;
        }
        VariantColumns& column = out_.variants[static_cast<std::size_t>(variant_)];
        const auto item = static_cast<std::size_t>(item_);
        for (std::size_t slot = 0; slot < sums_.size(); ++slot) {
            const auto n = static_cast<int>(seen_[slot].size());
            if (n > 0) {
                column.values[slot][item] = sums_[slot] / n;
                const std::size_t width = stats_[slot].size();
                for (std::size_t k = 0; k < width; ++k) {
                    column.stats[slot][item * width + k] = stats_[slot][k] / n;
                }
            }
            if (!column.answered.empty()) {
                const double sd = science::standard_deviation(seen_[slot]);
                column.answered[slot][item] = n;
                column.inside[slot][item] = sd * sd;
            }
            sums_[slot] = 0;
            seen_[slot].clear();
            std::ranges::fill(stats_[slot], 0.0);
        }
    }

  private:
    static void count(VariantColumns& column, const domain::SampleResult& sample) {
        if (!sample.replayed) {
            column.calls += sample.attempts;
            column.retries += std::max(0, sample.attempts - 1);
        }
        if (sample.state != domain::SampleState::done) {
            ++column.failed;
            return;
        }
        ++column.done;
        column.truncated += sample.finish_reason == "length" ? 1 : 0;
        column.refused += sample.finish_reason == "content_filter" ? 1 : 0;
        column.cached += sample.cached ? 1 : 0;
        column.replayed += sample.replayed ? 1 : 0;
        if (sample.cost) {
            column.cost += *sample.cost;
        } else {
            ++column.unpriced;
        }
        if (sample.cached) {
            return;
        }
        ++column.counted;
        column.estimated += sample.usage.estimated ? 1 : 0;
        column.usage.input += sample.usage.input;
        column.usage.cache_read += sample.usage.cache_read;
        column.usage.cache_write += sample.usage.cache_write;
        column.usage.output += sample.usage.output;
        column.usage.reasoning += sample.usage.reasoning;
        column.usage.estimated = column.usage.estimated || sample.usage.estimated;
        if (sample.latency > Duration::zero()) {
            column.latency_s.push_back(seconds(sample.latency));
        }
        if (sample.time_to_first_token) {
            column.time_to_first_token_s.push_back(seconds(*sample.time_to_first_token));
        }
    }

    const Plan& plan_;
    const ScoreBook& scores_;
    RunColumns& out_;
    int variant_ = -1;
    std::int64_t item_ = -1;
    std::vector<double> sums_;
    std::vector<std::vector<double>> seen_;
    std::vector<std::vector<double>> stats_;
};

}  // namespace

Result<RunColumns> collect(
    const Ctx& ctx,
    storage::Journal& journal,
    std::int64_t run,
    const Plan& plan,
    const ScoreBook& scores,
    std::size_t variants
) {
    RunColumns out;
    out.variants.resize(variants);
    const auto items = static_cast<std::size_t>(plan.items());
    for (VariantColumns& column : out.variants) {
        column.planned = plan.samples() / static_cast<std::int64_t>(variants);
        for (const MetricSlot& slot : scores.slots()) {
            column.values.emplace_back(items, std::nan(""));
            column.stats.emplace_back(items * slot.info.stats_size, 0.0);
            if (plan.repetitions() > 1) {
                column.answered.emplace_back(items, 0);
                column.inside.emplace_back(items, std::nan(""));
            }
        }
    }
    std::map<std::string, ErrorTally> errors;
    Reducer reducer(plan, scores, out);
    LAB_CHECK(journal.scan(ctx, run, [&](const domain::SampleResult& sample) -> Status {
        if (sample.index < 0 || sample.index >= plan.samples()) {
            return Error(Code::internal, "a stored sample is not in the plan of its run");
        }
        if (sample.state == domain::SampleState::failed) {
            const std::string kind = sample.error_code + std::to_string(sample.http_status);
            if (errors.size() < kErrorKindsMax || errors.contains(kind)) {
                ErrorTally& tally = errors[kind];
                tally.code = sample.error_code;
                tally.message = tally.message.empty() ? sample.error_message : tally.message;
                ++tally.count;
            }
        }
        return reducer.take(sample);
    }));
    reducer.flush();
    for (auto& [key, tally] : errors) {
        out.errors.push_back(std::move(tally));
    }
    std::ranges::sort(out.errors, [](const ErrorTally& a, const ErrorTally& b) {
        return a.count != b.count ? a.count > b.count : a.code < b.code;
    });
    return out;
}

std::vector<int> clusters_of(const Items& items, const std::string& field) {
    std::vector<int> clusters;
    if (field.empty()) {
        return clusters;
    }
    std::unordered_map<std::string, int> numbers;
    clusters.reserve(static_cast<std::size_t>(items.count()));
    for (std::int64_t item = 0; item < items.count(); ++item) {
        const Json row = items.load(item);
        const Json* value = science::find_variable(row, field);
        const std::string text = value == nullptr ? "" : field_text(*value);
        clusters.push_back(numbers.emplace(text, static_cast<int>(numbers.size())).first->second);
    }
    return clusters;
}

}  // namespace lab::engine
