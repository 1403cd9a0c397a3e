#include "engine/machine.h"

#include <algorithm>

namespace lab::engine {
namespace {

using providers::CallResult;
using providers::Outcome;

/// Samples of a lane that may wait for their retry while others use the slots.
constexpr std::int64_t waiting_max(std::int64_t concurrency) {
    return std::max<std::int64_t>(256, 4 * concurrency);
}

std::optional<providers::TokenBucket> bucket(const std::optional<double>& per_minute) {
    if (!per_minute) {
        return std::nullopt;
    }
    return providers::TokenBucket(*per_minute, Machine::burst_of(*per_minute));
}

}  // namespace

Machine::Lane::Lane(const LaneConfig& lane)
    : config(lane),
      concurrency(lane.concurrency),
      requests(bucket(lane.requests_per_minute)),
      tokens(bucket(lane.tokens_per_minute)) {}

Machine::Machine(MachineConfig config, NextSample next)
    : config_(std::move(config)), next_(std::move(next)), retry_(config_.retry, config_.seed) {
    for (const LaneConfig& lane : config_.lanes) {
        lanes_.emplace_back(lane).all_dealt = !config_.in_a_crew;
    }
    has_all_budget_ = !config_.in_a_crew;
}

void Machine::emit(CommandKind kind, int lane, std::int64_t sample) {
    commands_.push_back({kind, lane, sample});
}

std::vector<Command> Machine::take_commands() { return std::exchange(commands_, {}); }

void Machine::wake_no_later_than(TimePoint when) {
    if (!wake_at_ || when < *wake_at_) {
        wake_at_ = when;
    }
}

void Machine::pump(TimePoint now) {
    if (finished_) {
        return;
    }
    wake_at_.reset();
    do {
        for (int i = 0; i < static_cast<int>(lanes_.size()); ++i) {
            send_ready(i, now);
            take_new(i);
        }
    } while (retry_blocked(now));
    const bool all_taken = std::ranges::all_of(lanes_, [](const Lane& lane) {
        return lane.exhausted || !lane.given_up.empty();
    });
    if (active_.empty() && unstored_ == 0 && (stopping_ || all_taken) && !finished_) {
        finish();
    }
}

void Machine::finish() {
    finished_ = true;
    const std::string gone = given_up_words();
    // An interruption that came when there was nothing left to leave out changed nothing.
    const bool too_late = stop_reason_ == StopReason::interrupted && !left_out_ && gone.empty() &&
                          std::ranges::all_of(lanes_, &Lane::exhausted);
    if (stop_reason_ == StopReason::none || too_late) {
        stop_reason_ = gone.empty() ? StopReason::completed : StopReason::endpoint_down;
        stop_words_ = gone;
    } else if (!gone.empty() && stop_reason_ != StopReason::endpoint_down) {
        stop_words_ += "; " + gone;
    }
    if (const std::string overspent = overspent_words(); !overspent.empty()) {
        stop_words_ += (stop_words_.empty() ? "" : "; ") + overspent;
    }
}

void Machine::send_ready(int lane_index, TimePoint now) {
    Lane& lane = lanes_[static_cast<std::size_t>(lane_index)];
    while (!lane.waiting.empty() && lane.waiting.top().due <= now) {
        const std::int64_t sample = lane.waiting.top().sample;
        lane.waiting.pop();
        --counters_.waiting;
        active_.at(sample).stage = Stage::ready;
        lane.ready.push_front(sample);
        ++lane.before_flight;
    }
    if (!lane.waiting.empty()) {
        wake_no_later_than(lane.waiting.top().due);
    }
    while (!lane.ready.empty() && !stopping_) {
        const std::int64_t sample = lane.ready.front();
        Active& active = active_.at(sample);
        // Reserved is not enough: since then a call may have cost more than its worst case.
        if (!lane.config.replay && !within_budget(Money(), 0, 0)) {
            hold_back(lane);
            continue;
        }
        if (!may_send(lane, active, now)) {
            return;
        }
        lane.ready.pop_front();
        --lane.before_flight;
        active.stage = Stage::in_flight;
        active.sent_at = now;
        ++active.attempts;
        ++lane.in_flight;
        ++counters_.in_flight;
        ++counters_.calls;
        counters_.retries += active.attempts > 1 ? 1 : 0;
        reserved_calls_ -= lane.config.replay ? 0 : 1;
        if (active.attempts == 1) {
            retry_.on_call();
        }
        emit(CommandKind::send, lane_index, sample);
    }
}

bool Machine::may_send(Lane& lane, const Active& active, TimePoint now) {
    if (lane.config.replay) {
        return true;
    }
    if (lane.in_flight + lane.unstored >= lane.concurrency.limit()) {
        return false;  // a call that ends, or is stored, will pump again
    }
    TimePoint when = std::max(now, lane.paused_until);
    const auto tokens = static_cast<double>(active.reserved_tokens);
    if (lane.requests) {
        when = std::max(when, lane.requests->ready_at(1, now));
    }
    if (lane.tokens) {
        when = std::max(when, lane.tokens->ready_at(tokens, now));
    }
    when = std::max(when, lane.breaker.ready_at(now));
    if (when > now) {
        wake_no_later_than(when);
        return false;
    }
    if (!lane.breaker.try_acquire(now)) {
        return false;  // probes are in flight: their end will pump again
    }
    if (lane.requests) {
        lane.requests->take(1, now);
    }
    if (lane.tokens) {
        lane.tokens->take(tokens, now);
    }
    return true;
}

void Machine::take_new(int lane_index) {
    Lane& lane = lanes_[static_cast<std::size_t>(lane_index)];
    // Intents are committed ahead, one concurrency's worth, so that a slot that falls free is used
    // at once and not after the disk.
    const std::int64_t ahead = lane.config.replay ? 512 : lane.concurrency.limit();
    const bool open = !stopping_ && lane.given_up.empty();
    while (open && !lane.exhausted && blocked_.empty() && unstored_ < config_.unstored_max &&
           lane.before_flight < ahead &&
           static_cast<std::int64_t>(lane.waiting.size()) < waiting_max(lane.config.concurrency)) {
        const std::optional<std::int64_t> sample = next_(lane_index);
        if (!sample) {
            lane.exhausted = lane.all_dealt;
            return;
        }
        const bool fresh = active_.emplace(*sample, Active(lane_index)).second;
        LAB_ASSERT(fresh, "the plan gives every sample once");
        ++lane.before_flight;
        emit(CommandKind::prepare, lane_index, *sample);
    }
}

void Machine::on_prepared(std::int64_t sample, const Prepared& prepared, TimePoint now) {
    Active& active = active_.at(sample);
    Lane& lane = lane_of(active);
    if (takes_no_more(active)) {
        --lane.before_flight;
        left_out_ = true;
        emit(CommandKind::withdraw, active.lane, sample);
        active_.erase(sample);
        pump(now);
        return;
    }
    if (prepared.kind != PreparedKind::call) {
        --lane.before_flight;
        const bool answered = prepared.kind == PreparedKind::answered;
        counters_.answered += answered ? 1 : 0;
        last_error_ = answered ? last_error_ : "the prompt cannot be rendered";
        finish_sample(sample, answered, false, now);
        return;
    }
    if (lane.config.replay) {
        active.stage = Stage::ready;
        lane.ready.push_back(sample);
        pump(now);
        return;
    }
    if (blocked_.empty() && reserve(active, prepared)) {
        active.stage = Stage::committing;
        emit(CommandKind::commit, active.lane, sample);
    } else {
        active.stage = Stage::blocked;
        blocked_.emplace_back(sample, prepared);
        pump(now);
    }
}

void Machine::on_intents_committed(const std::vector<std::int64_t>& samples, TimePoint now) {
    for (const std::int64_t sample : samples) {
        const auto found = active_.find(sample);
        LAB_ASSERT(found != active_.end(), "a committed intent belongs to an active sample");
        Active& active = found->second;
        Lane& lane = lane_of(active);
        if (takes_no_more(active)) {
            --lane.before_flight;
            drop(sample);
            continue;
        }
        active.stage = Stage::ready;
        active.intent_on_disk = true;
        lane.ready.push_back(sample);
    }
    pump(now);
}

/// Only now may the sample be sent again: its last attempt, and what it may have cost, are in the
/// books.
void Machine::on_booked(const std::vector<std::int64_t>& samples, TimePoint now) {
    for (const std::int64_t sample : samples) {
        const auto found = active_.find(sample);
        if (found == active_.end() || found->second.stage != Stage::booking) {
            continue;  // it ended with that attempt
        }
        Active& active = found->second;
        const Prepared again = prepared_again(active);
        if (takes_no_more(active)) {
            drop(sample);
        } else if (active.has_intent || (blocked_.empty() && reserve(active, again))) {
            wait_for_retry(sample, active);
        } else {
            wait_for_budget(sample, active);
        }
    }
    pump(now);
}

void Machine::on_call_done(std::int64_t sample, const CallReport& report, TimePoint now) {
    Active& active = active_.at(sample);
    Lane& lane = lane_of(active);
    --lane.in_flight;
    --counters_.in_flight;
    if (!lane.config.replay) {
        if (lane.tokens) {
            // Reserved at the worst case; what was not used goes back.
            lane.tokens->correct(static_cast<double>(active.reserved_tokens - report.tokens), now);
        }
        learn(lane, active, *report.result, now);
        check_lane_health(active.lane, *report.result, now);
    }
    if (report.result->outcome == Outcome::ok) {
        settle(active, report);
        finish_sample(sample, true, true, now);
        return;
    }
    fail_or_retry(sample, report, now);
}

void Machine::wait_for_retry(std::int64_t sample, Active& active) {
    active.stage = Stage::waiting;
    lane_of(active).waiting.push({active.retry_at, sample});
    ++counters_.waiting;
}

void Machine::fail_or_retry(std::int64_t sample, const CallReport& report, TimePoint now) {
    Active& active = active_.at(sample);
    const Lane& lane = lane_of(active);
    const CallResult& result = *report.result;
    if (result.outcome == Outcome::cancelled) {
        // Cut short by stop_now(): whether it was billed nobody knows, so its intent stays on disk.
        release(active);
        active_.erase(sample);
        left_out_ = true;
        pump(now);
        return;
    }
    const bool doubtful = result.maybe_billed && active.has_intent;
    if (doubtful) {
        note_doubt(sample, active);
    }
    if (takes_no_more(active) && providers::is_retryable(result.outcome)) {
        drop(sample);
        pump(now);
        return;
    }
    const bool may_call =
        !config_.budget.max_calls ||
        config_.opening.calls + counters_.calls + reserved_calls_ < *config_.budget.max_calls;
    const std::optional<Duration> delay =
        providers::is_retryable(result.outcome) && !lane.config.replay
            ? retry_.next_delay(active.attempts, result)
            : std::nullopt;
    if (delay) {
        active.retry_at = now + *delay;
        if (doubtful || !may_call) {
            // That the budget has no call left is no failure of the sample: it waits for one.
            release(active);
        } else {
            ++reserved_calls_;
        }
        active.stage = Stage::booking;
        if (!doubtful) {
            emit(CommandKind::book, active.lane, sample);
        }
        pump(now);
        return;
    }
    settle(active, CallReport{.result = report.result, .cost = Money(), .tokens = 0});
    last_error_ = result.error.message;
    finish_sample(sample, false, true, now);
}

void Machine::finish_sample(std::int64_t sample, bool with_output, bool was_sent, TimePoint now) {
    const auto found = active_.find(sample);
    const int lane = found->second.lane;
    active_.erase(found);
    ++unstored_;
    lanes_[static_cast<std::size_t>(lane)].unstored += was_sent ? 1 : 0;
    (with_output ? counters_.done : counters_.failed) += 1;
    emit(CommandKind::store, lane, sample);
    const double allowed = config_.max_error_share * static_cast<double>(config_.planned);
    const std::int64_t failed = counters_.failed + failed_of_others_;
    if (!with_output && static_cast<double>(failed) > allowed && !stopping_) {
        stop(
            StopReason::too_many_errors,
            std::to_string(failed) + " of " + std::to_string(config_.planned) +
                " samples failed, more than run.max_error_share allows; the last: " + last_error_,
            now
        );
    }
    pump(now);
}

void Machine::on_stored(const std::vector<Stored>& samples, TimePoint now) {
    for (const Stored& one : samples) {
        --unstored_;
        Lane& lane = lanes_[static_cast<std::size_t>(one.lane)];
        lane.unstored -= one.was_sent ? 1 : 0;
        LAB_ASSERT(
            unstored_ >= 0 && lane.unstored >= 0, "no more samples are stored than were finished"
        );
    }
    pump(now);
}

void Machine::drop(std::int64_t sample) {
    Active& active = active_.at(sample);
    left_out_ = true;
    release(active);
    emit(CommandKind::withdraw, active.lane, sample);
    active_.erase(sample);
}

void Machine::withdraw_what_is_not_in_flight(std::optional<int> only_lane) {
    std::vector<std::int64_t> idle;
    const auto concerned = [&](int lane) { return !only_lane || *only_lane == lane; };
    for (const auto& [sample, active] : active_) {
        if (concerned(active.lane) &&
            (active.stage == Stage::ready || active.stage == Stage::waiting ||
             active.stage == Stage::blocked)) {
            idle.push_back(sample);
        }
    }
    std::ranges::sort(idle);
    std::erase_if(blocked_, [&](const auto& one) { return concerned(active_.at(one.first).lane); });
    for (const std::int64_t sample : idle) {
        drop(sample);
    }
    counters_.waiting = 0;
    for (int i = 0; i < static_cast<int>(lanes_.size()); ++i) {
        Lane& lane = lanes_[static_cast<std::size_t>(i)];
        if (concerned(i)) {
            lane.ready.clear();
            lane.waiting = {};
            lane.before_flight = 0;
        }
        counters_.waiting += static_cast<std::int64_t>(lane.waiting.size());
    }
    for (const auto& [sample, active] : active_) {
        // What is being prepared or committed comes back with an event and is withdrawn then.
        if (concerned(active.lane) &&
            (active.stage == Stage::preparing || active.stage == Stage::committing)) {
            ++lane_of(active).before_flight;
        }
    }
}

void Machine::stop(StopReason reason, std::string why, TimePoint now) {
    if (stopping_) {
        return;
    }
    stopping_ = true;
    stop_reason_ = reason;
    stop_words_ = std::move(why);
    withdraw_what_is_not_in_flight(std::nullopt);
    pump(now);
}

void Machine::stop_now(StopReason reason, std::string why, TimePoint now) {
    stop(reason, std::move(why), now);
    std::vector<std::int64_t> flying;
    for (const auto& [sample, active] : active_) {
        if (active.stage == Stage::in_flight) {
            flying.push_back(sample);
        }
    }
    std::ranges::sort(flying);
    for (const std::int64_t sample : flying) {
        emit(CommandKind::cancel, active_.at(sample).lane, sample);
    }
}

}  // namespace lab::engine
