#include "service/impl/score_summary.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>

namespace lab::service {
namespace {

double number_or(const Json& object, const char* member, double otherwise) {
    const auto found = object.find(member);
    return found != object.end() && found->is_number() ? found->get<double>() : otherwise;
}

std::int64_t count_or_zero(const Json& object, const char* member) {
    const auto found = object.find(member);
    return found != object.end() && found->is_number_integer() ? found->get<std::int64_t>() : 0;
}

/// Hyndman and Fan 1996, type 7; `sorted` is not empty.
double percentile(const std::vector<double>& sorted, double share) {
    const double place = share * static_cast<double>(sorted.size() - 1);
    const auto below = static_cast<std::size_t>(place);
    const std::size_t above = std::min(below + 1, sorted.size() - 1);
    return sorted[below] + (place - std::floor(place)) * (sorted[above] - sorted[below]);
}

/// Of what a client says it used: its own total, or the sum of the parts.
std::int64_t tokens_of(const Json& usage) {
    if (usage.contains("total_tokens")) {
        return count_or_zero(usage, "total_tokens");
    }
    std::int64_t out = 0;
    for (const char* part :
         {"input_tokens",
          "cache_read_tokens",
          "cache_write_tokens",
          "output_tokens",
          "reasoning_tokens"}) {
        out += count_or_zero(usage, part);
    }
    return out;
}

}  // namespace

void RunningSummary::add(double value) {
    if (!std::isfinite(value)) {
        return;
    }
    ++count_;
    least_ = count_ == 1 ? value : std::min(least_, value);
    most_ = count_ == 1 ? value : std::max(most_, value);
    const double from_mean = value - mean_;
    mean_ += from_mean / static_cast<double>(count_);
    squares_ += from_mean * (value - mean_);
}

Json RunningSummary::shown() const {
    Json out = {{"count", count_}};
    if (count_ > 0) {
        out["mean"] = mean_;
        out["min"] = least_;
        out["max"] = most_;
    }
    if (count_ > 1) {
        out["std"] = std::sqrt(squares_ / static_cast<double>(count_ - 1));
    }
    return out;
}

Json RunningSummary::stored() const {
    return {
        {"n", count_},
        {"mean", mean_},
        {"squares", squares_},
        {"min", least_},
        {"max", most_},
    };
}

RunningSummary RunningSummary::from(const Json& stored) {
    RunningSummary out;
    if (!stored.is_object()) {
        return out;
    }
    out.count_ = count_or_zero(stored, "n");
    out.mean_ = number_or(stored, "mean", 0);
    out.squares_ = number_or(stored, "squares", 0);
    out.least_ = number_or(stored, "min", 0);
    out.most_ = number_or(stored, "max", 0);
    return out;
}

Json summary_of(std::vector<double> values) {
    std::erase_if(values, [](double value) { return !std::isfinite(value); });
    std::ranges::sort(values);
    RunningSummary all;
    for (const double value : values) {
        all.add(value);
    }
    Json out = all.shown();
    if (!values.empty()) {
        out["p50"] = percentile(values, 0.50);
        out["p95"] = percentile(values, 0.95);
        out["p99"] = percentile(values, 0.99);
    }
    return out;
}

void ClientTotals::add(const Json& sample) {
    ++samples;
    tokens += tokens_of(sample.value("usage", Json::object()));
    if (const auto price = Money::parse(sample.value("cost", "0"))) {
        cost += *price;
    }
    if (sample.value("status", "done") == "failed") {
        ++failed;
        return;
    }
    if (sample.contains("latency_ms")) {
        latency_ms.add(sample["latency_ms"].get<double>());
    }
    for (const auto& [name, value] : sample.value("scores", Json::object()).items()) {
        const bool known = scores.contains(name);
        if ((known || scores.size() < kScoresMax) && (value.is_number() || value.is_boolean())) {
            scores[name].add(
                value.is_boolean() ? (value.get<bool>() ? 1 : 0) : value.get<double>()
            );
        }
    }
}

Json ClientTotals::stored() const {
    Json by_name = Json::object();
    for (const auto& [name, summary] : scores) {
        by_name[name] = summary.stored();
    }
    return {
        {"samples", samples},
        {"failed", failed},
        {"tokens", tokens},
        {"cost", cost.exact()},
        {"latency_ms", latency_ms.stored()},
        {"scores", std::move(by_name)},
    };
}

ClientTotals ClientTotals::from(const Json& body) {
    ClientTotals out;
    const auto stored = body.find(kMember);
    if (stored == body.end() || !stored->is_object()) {
        return out;
    }
    out.samples = count_or_zero(*stored, "samples");
    out.failed = count_or_zero(*stored, "failed");
    out.tokens = count_or_zero(*stored, "tokens");
    if (const auto cost = Money::parse(stored->value("cost", "0"))) {
        out.cost = *cost;
    }
    out.latency_ms = RunningSummary::from(stored->value("latency_ms", Json()));
    const Json by_name = stored->value("scores", Json::object());
    for (const auto& [name, summary] : by_name.items()) {
        out.scores[name] = RunningSummary::from(summary);
    }
    return out;
}

}  // namespace lab::service
