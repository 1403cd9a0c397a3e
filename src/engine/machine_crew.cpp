#include "engine/machine.h"

#include <algorithm>

/// What the machine does differently when several processes work on one run: the limits of a model
/// and the budget are shared, what one learns of a server holds for all, and samples come by and
/// by.
namespace lab::engine {

void Machine::on_nothing_left(const std::vector<int>& lanes, TimePoint now) {
    for (const int lane : lanes) {
        lanes_[static_cast<std::size_t>(lane)].all_dealt = true;
    }
    pump(now);
}

void Machine::on_companions(const Companions& companions, TimePoint now) {
    LAB_ASSERT(config_.in_a_crew, "only a crew has companions");
    config_.opening = companions.budget;
    has_all_budget_ = companions.is_all_of_it;
    failed_of_others_ = companions.failed;
    if (companions.members != members_) {
        share_limits(companions.members, now);
    }
    for (std::size_t i = 0; i < companions.pauses.size() && i < lanes_.size(); ++i) {
        Lane& lane = lanes_[i];
        lane.paused_until = std::max(lane.paused_until, now + companions.pauses[i]);
    }
    pump(now);
}

/// In equal parts. Whoever comes to others begins with nothing in his bucket: theirs may be full
/// until they have heard of him.
void Machine::share_limits(int members, TimePoint now) {
    const bool is_new = counters_.calls == 0 && members > members_;
    members_ = members;
    const auto set = [&](auto& bucket, const std::optional<double>& per_minute) {
        if (bucket && per_minute) {
            const double part = *per_minute / members;
            bucket->set_rate(part, burst_of(part), now);
            if (is_new) {
                bucket->learn(0, now);
            }
        }
    };
    for (Lane& lane : lanes_) {
        set(lane.requests, lane.config.requests_per_minute);
        set(lane.tokens, lane.config.tokens_per_minute);
    }
}

std::optional<OpeningBalance> Machine::wants_budget() const {
    if (blocked_.empty() || has_all_budget_ || stopping_) {
        return std::nullopt;
    }
    const Prepared& first = blocked_.front().second;
    return OpeningBalance{.cost = first.cost.value_or(Money()), .calls = 1, .tokens = first.tokens};
}

Exposure Machine::exposure() const {
    Exposure out{.spent = {}, .done = counters_.done, .failed = counters_.failed};
    out.spent = {
        .cost = counters_.cost + counters_.doubtful_cost + reserved_cost_,
        .calls = counters_.calls + reserved_calls_,
        .tokens = counters_.tokens + counters_.doubtful_tokens + reserved_tokens_,
    };
    // What waits for money keeps its intent, and would count as sent if this process died.
    for (const auto& [sample, active] : active_) {
        if (active.intent_on_disk && !active.has_intent) {
            out.spent.cost += active.reserved_cost;
            out.spent.tokens += active.reserved_tokens;
            ++out.spent.calls;
        }
    }
    return out;
}

std::vector<Duration> Machine::pauses(TimePoint now) const {
    std::vector<Duration> out;
    for (const Lane& lane : lanes_) {
        const TimePoint until = std::max(lane.told_to_pause_until, lane.breaker.ready_at(now));
        out.push_back(std::max(Duration(0), until - now));
    }
    return out;
}

}  // namespace lab::engine
