#pragma once
#include "engine/machine.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <utility>
#include <vector>

namespace lab::engine::test {
using namespace std::chrono_literals;
using providers::CallResult;
using providers::Outcome;

inline const TimePoint kStart{1h};

/// Plays the driver: carries out commands at once, answers calls as a script says, and keeps the
/// books that the machine's promises are checked against.
class MachineWorld {
  public:
    /// Sample s belongs to lane s % lanes.
    explicit MachineWorld(MachineConfig config, std::int64_t samples)
        : budget_(config.budget), machine_(std::move(config), [this, samples](int lane) {
              std::int64_t& next = next_[static_cast<std::size_t>(lane)];
              std::optional<std::int64_t> sample;
              if (next < samples) {
                  sample = std::exchange(next, next + static_cast<std::int64_t>(next_.size()));
              }
              return sample;
          }) {
        for (std::size_t lane = 0; lane < machine_.lanes(); ++lane) {
            next_.push_back(static_cast<std::int64_t>(lane));
        }
    }

    std::function<Prepared(std::int64_t)> prepare = [](std::int64_t) { return Prepared{}; };
    /// Outcome of attempt `n` (1..) of a sample.
    std::function<Outcome(std::int64_t, int)> answer = [](std::int64_t, int) {
        return Outcome::ok;
    };
    std::optional<Money> price;
    /// What the sample really costs, where `price` is not the answer.
    std::function<std::optional<Money>(std::int64_t)> price_of = [this](std::int64_t) {
        return price;
    };
    std::int64_t tokens = 0;
    bool hold_calls = false;
    bool hold_stores = false;  ///< what is finished stays on its way to the store
    std::function<void(CallResult&)> dress = [](CallResult&) {};

    /// Runs until nothing can happen any more, letting time jump to the next wake-up.
    void run() {
        machine_.start(now);
        for (int round = 0; round < 1'000'000 && !machine_.finished(); ++round) {
            carry_out();
            if (flight_.empty() || hold_calls) {
                if (machine_.finished() || !machine_.wake_at()) {
                    return;
                }
                now = std::max(now, *machine_.wake_at());
                machine_.on_wake(now);
                continue;
            }
            end_call(pick());
        }
        carry_out();
    }

    void carry_out() {
        while (machine_.has_commands()) {
            for (const Command& command : machine_.take_commands()) {
                step(command);
            }
        }
    }

    void end_call(std::int64_t sample) {
        flight_.erase(sample);
        now += 1ms;
        CallResult result;
        result.outcome = answer(sample, attempts_[sample]);
        result.error.message = "scripted";
        result.counts_for_breaker =
            result.outcome == Outcome::network || result.outcome == Outcome::overloaded;
        dress(result);
        const bool ok = result.outcome == Outcome::ok;
        // The world bills what it may: answers, and what broke off on the way.
        const std::optional<Money> cost = price_of(sample);
        const Money worst = worst_.at(sample).cost.value_or(Money());
        if (ok || result.maybe_billed) {
            billed += cost.value_or(Money());
            booked += ok ? cost.value_or(Money()) : worst;
            overbilled += std::max(Money(), cost.value_or(Money()) - worst);
        }
        machine_.on_call_done(
            sample, {.result = &result, .cost = cost, .tokens = ok ? tokens : 0}, now
        );
        carry_out();
    }

    void step(const Command& command) {
        const std::int64_t s = command.sample;
        switch (command.kind) {
            case CommandKind::prepare:
                machine_.on_prepared(s, worst_[s] = prepare(s), now);
                break;
            case CommandKind::commit:
                EXPECT_TRUE(intents.insert(s).second) << "an intent is written once";
                machine_.on_intents_committed({s}, now);
                break;
            case CommandKind::send:
                EXPECT_TRUE(replay || intents.contains(s)) << "no call without its intent";
                EXPECT_FALSE(stored.contains(s)) << "no call for a stored sample";
                EXPECT_TRUE(flight_.insert(s).second);
                EXPECT_TRUE(!budget_.max_cost || at_worst() <= *budget_.max_cost)
                    << "no call that the books do not allow any more";
                ++attempts_[s];
                ++sent;
                max_in_flight = std::max(max_in_flight, static_cast<std::int64_t>(flight_.size()));
                break;
            case CommandKind::store:
                EXPECT_TRUE(stored.insert(s).second) << "nothing is stored twice";
                intents.erase(s);
                if (hold_stores) {
                    held_.push_back({.lane = command.lane, .was_sent = attempts_.contains(s)});
                    break;
                }
                machine_.on_stored(
                    {{.lane = command.lane, .was_sent = attempts_.contains(s)}}, now
                );
                break;
            case CommandKind::book:
                EXPECT_TRUE(intents.contains(s)) << "only what was sent can end without an answer";
                machine_.on_booked({s}, now);
                break;
            case CommandKind::withdraw:
                EXPECT_FALSE(flight_.contains(s)) << "a call in flight is not withdrawn";
                intents.erase(s);
                break;
            case CommandKind::cancel: {
                flight_.erase(s);
                CallResult result;
                result.outcome = Outcome::cancelled;
                machine_.on_call_done(s, {.result = &result}, now);
                break;
            }
        }
    }

    /// What has been billed, and what the calls in flight may be.
    Money at_worst() const {
        Money sum = booked;
        for (const std::int64_t sample : flight_) {
            sum += worst_.at(sample).cost.value_or(Money());
        }
        return sum;
    }
    std::int64_t stored_of(std::int64_t lane) const {
        const auto lanes = static_cast<std::int64_t>(machine_.lanes());
        return std::ranges::count_if(stored, [&](std::int64_t s) { return s % lanes == lane; });
    }
    LaneStatus status(std::size_t lane = 0) const { return machine_.lane_status(lane, now); }

    std::function<std::int64_t()> pick = [this] { return *flight_.begin(); };
    TimePoint now = kStart;
    bool replay = false;
    std::set<std::int64_t> intents;
    std::set<std::int64_t> stored;
    std::int64_t sent = 0;
    std::int64_t max_in_flight = 0;
    Money billed;
    Money booked;      ///< of it, with what is in doubt at its worst
    Money overbilled;  ///< of it: beyond the worst case
    domain::Budget budget_;
    std::vector<std::int64_t> next_;
    std::map<std::int64_t, Prepared> worst_;
    std::set<std::int64_t> flight_;
    std::vector<Stored> held_;
    std::map<std::int64_t, int> attempts_;
    Machine machine_;
};

inline MachineConfig config_for(int concurrency, std::int64_t planned) {
    MachineConfig config;
    config.lanes.push_back({.name = "m", .concurrency = concurrency});
    config.planned = planned;
    config.max_error_share = 1;
    return config;
}

inline MachineConfig config_of_two(int concurrency, std::int64_t planned) {
    MachineConfig config = config_for(concurrency, planned);
    config.lanes[0].name = "good";
    config.lanes.push_back({.name = "bad", .concurrency = concurrency});
    return config;
}

}  // namespace lab::engine::test
