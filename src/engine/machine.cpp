#include "engine/machine.h"

#include <algorithm>

namespace lab::engine {
namespace {

using providers::CallResult;
using providers::Outcome;

/// A lane whose breaker opened this often without one success in between is given up: with the
/// default breaker that is after about two minutes of silence.
constexpr std::int64_t kOpeningsToGiveUp = 3;
/// So many refusals in a row before the first success mean a wrong key or model name, not bad luck.
constexpr std::int64_t kRefusalsToGiveUp = 10;
/// Samples of a lane that may wait for their retry while others use the slots.
constexpr std::int64_t waiting_max(std::int64_t concurrency) {
    return std::max<std::int64_t>(256, 4 * concurrency);
}

/// Room for a second's worth, at least for one call.
std::optional<providers::TokenBucket> bucket(const std::optional<double>& per_minute) {
    if (!per_minute) {
        return std::nullopt;
    }
    return providers::TokenBucket(*per_minute, std::max(1.0, *per_minute / 60.0));
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
        lanes_.emplace_back(lane);
    }
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
    for (int i = 0; i < static_cast<int>(lanes_.size()); ++i) {
        send_ready(i, now);
        take_new(i);
    }
    if (active_.empty() && unstored_ == 0) {
        const bool all_taken =
            std::ranges::all_of(lanes_, [](const Lane& l) { return l.exhausted; });
        if (stopping_ || all_taken) {
            finished_ = true;
            // An interruption that came when there was nothing left to leave out changed nothing.
            const bool too_late =
                stop_reason_ == StopReason::interrupted && all_taken && !left_out_;
            if (stop_reason_ == StopReason::none || too_late) {
                stop_reason_ = StopReason::completed;
                stop_words_.clear();
            }
        }
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
    while (!stopping_ && !lane.exhausted && blocked_.empty() && unstored_ < config_.unstored_max &&
           lane.before_flight < ahead &&
           static_cast<std::int64_t>(lane.waiting.size()) < waiting_max(lane.config.concurrency)) {
        const std::optional<std::int64_t> sample = next_(lane_index);
        if (!sample) {
            lane.exhausted = true;
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
    Lane& lane = lanes_[static_cast<std::size_t>(active.lane)];
    if (stopping_) {
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
        retry_blocked(now);
    }
}

bool Machine::reserve(Active& active, const Prepared& prepared) {
    const domain::Budget& budget = config_.budget;
    const Money cost = prepared.cost.value_or(Money());
    const Money committed =
        config_.opening.cost + counters_.cost + counters_.doubtful_cost + reserved_cost_;
    const std::int64_t tokens =
        config_.opening.tokens + counters_.tokens + counters_.doubtful_tokens + reserved_tokens_;
    const std::int64_t calls = config_.opening.calls + counters_.calls + reserved_calls_;
    if ((budget.max_cost && committed + cost > *budget.max_cost) ||
        (budget.max_tokens && tokens + prepared.tokens > *budget.max_tokens) ||
        (budget.max_calls && calls + 1 > *budget.max_calls)) {
        return false;
    }
    active.has_intent = true;
    active.reserved_cost = cost;
    active.reserved_tokens = prepared.tokens;
    reserved_cost_ += cost;
    reserved_tokens_ += prepared.tokens;
    ++reserved_calls_;
    ++open_intents_;
    return true;
}

void Machine::release(Active& active) {
    if (!active.has_intent) {
        return;
    }
    active.has_intent = false;
    reserved_cost_ -= active.reserved_cost;
    reserved_tokens_ -= active.reserved_tokens;
    --open_intents_;
    reserved_calls_ -= active.stage == Stage::in_flight ? 0 : 1;
}

/// What does not fit now may fit when calls in flight turn out cheaper than their worst case. Only
/// when nothing is reserved any more is the budget spent.
void Machine::retry_blocked(TimePoint now) {
    while (!blocked_.empty() && !stopping_) {
        const auto [sample, prepared] = blocked_.front();
        Active& active = active_.at(sample);
        if (!reserve(active, prepared)) {
            if (open_intents_ == 0) {
                stop(StopReason::budget_exhausted, "the next call could exceed the budget", now);
            }
            return;
        }
        blocked_.erase(blocked_.begin());
        if (active.intent_on_disk) {
            --lanes_[static_cast<std::size_t>(active.lane)].before_flight;
            wait_for_retry(sample, active);
            continue;
        }
        active.stage = Stage::committing;
        emit(CommandKind::commit, active.lane, sample);
    }
}

void Machine::on_intents_committed(const std::vector<std::int64_t>& samples, TimePoint now) {
    for (const std::int64_t sample : samples) {
        const auto found = active_.find(sample);
        LAB_ASSERT(found != active_.end(), "a committed intent belongs to an active sample");
        Active& active = found->second;
        Lane& lane = lanes_[static_cast<std::size_t>(active.lane)];
        if (stopping_) {
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
        if (stopping_) {
            drop(sample);
        } else if (active.has_intent || (blocked_.empty() && reserve(active, again))) {
            wait_for_retry(sample, active);
        } else {
            wait_for_budget(sample, active);
        }
    }
    retry_blocked(now);
    pump(now);
}

void Machine::on_call_done(std::int64_t sample, const CallReport& report, TimePoint now) {
    Active& active = active_.at(sample);
    Lane& lane = lanes_[static_cast<std::size_t>(active.lane)];
    --lane.in_flight;
    --counters_.in_flight;
    if (!lane.config.replay) {
        if (lane.tokens) {
            // Reserved at the worst case; what was not used goes back.
            lane.tokens->correct(static_cast<double>(active.reserved_tokens - report.tokens), now);
        }
        learn(lane, active, *report.result, now);
        check_lane_health(lane, *report.result, now);
    }
    if (report.result->outcome == Outcome::ok) {
        settle(active, report);
        finish_sample(sample, true, true, now);
        return;
    }
    fail_or_retry(sample, report, now);
}

void Machine::learn(Lane& lane, const Active& active, const CallResult& result, TimePoint now) {
    const bool overload =
        result.outcome == Outcome::rate_limited || result.outcome == Outcome::overloaded;
    counters_.rate_limited += result.outcome == Outcome::rate_limited ? 1 : 0;
    if (overload) {
        lane.concurrency.on_overload();
    } else if (result.outcome == Outcome::ok) {
        lane.concurrency.on_success();
    }
    if (result.counts_for_breaker) {
        lane.breaker.on_failure(now);
    } else if (result.outcome == Outcome::ok || result.outcome == Outcome::refused) {
        lane.breaker.on_success(now);  // it answers, whatever it says
    } else {
        lane.breaker.on_neutral();
    }
    const providers::RateHints& hints = result.hints;
    if (hints.requests_remaining == 0 && hints.requests_reset) {
        lane.paused_until = std::max(lane.paused_until, now + *hints.requests_reset);
    }
    if (hints.tokens_remaining && hints.tokens_reset &&
        *hints.tokens_remaining < active.reserved_tokens / 2) {
        lane.paused_until = std::max(lane.paused_until, now + *hints.tokens_reset);
    }
}

void Machine::check_lane_health(Lane& lane, const CallResult& result, TimePoint now) {
    if (result.outcome == Outcome::ok) {
        lane.opened_without_success = 0;
        lane.refused_in_a_row = 0;
        lane.ever_succeeded = true;
    }
    lane.refused_in_a_row += result.outcome == Outcome::refused ? 1 : 0;
    if (lane.breaker.times_opened() > lane.times_opened_seen) {
        lane.times_opened_seen = lane.breaker.times_opened();
        ++lane.opened_without_success;
    }
    // Nobody there from the first call on is a wrong address, not an outage to sit out.
    const bool nobody = !lane.ever_succeeded && result.outcome == Outcome::network;
    if (lane.opened_without_success >= (nobody ? 1 : kOpeningsToGiveUp)) {
        stop(
            StopReason::endpoint_down,
            "model " + lane.config.name + " does not answer: " + result.error.message,
            now
        );
    } else if (!lane.ever_succeeded && lane.refused_in_a_row >= kRefusalsToGiveUp) {
        stop(
            StopReason::endpoint_down,
            "model " + lane.config.name + " refuses every call: " + result.error.message,
            now
        );
    }
}

void Machine::settle(Active& active, const CallReport& report) {
    if (!active.has_intent) {
        return;
    }
    release(active);
    counters_.cost += report.cost.value_or(Money());
    counters_.unpriced += report.cost ? 0 : 1;
    counters_.tokens += report.tokens;
}

void Machine::note_doubt(std::int64_t sample, const Active& active) {
    ++counters_.doubtful;
    counters_.doubtful_cost += active.reserved_cost;
    counters_.doubtful_tokens += active.reserved_tokens;
    emit(CommandKind::book, active.lane, sample);
}

void Machine::wait_for_retry(std::int64_t sample, Active& active) {
    active.stage = Stage::waiting;
    lanes_[static_cast<std::size_t>(active.lane)].waiting.push({active.retry_at, sample});
    ++counters_.waiting;
}

/// Its intent is on the disk; what it would take must be reserved again before it is retried.
void Machine::wait_for_budget(std::int64_t sample, Active& active) {
    active.stage = Stage::blocked;
    ++lanes_[static_cast<std::size_t>(active.lane)].before_flight;
    blocked_.emplace_back(sample, prepared_again(active));
}

Prepared Machine::prepared_again(const Active& active) {
    return {.cost = active.reserved_cost, .tokens = active.reserved_tokens};
}

void Machine::fail_or_retry(std::int64_t sample, const CallReport& report, TimePoint now) {
    Active& active = active_.at(sample);
    Lane& lane = lanes_[static_cast<std::size_t>(active.lane)];
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
    if (stopping_ && providers::is_retryable(result.outcome)) {
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
    if (!with_output && static_cast<double>(counters_.failed) > allowed && !stopping_) {
        stop(
            StopReason::too_many_errors,
            std::to_string(counters_.failed) + " of " + std::to_string(config_.planned) +
                " samples have no output, more than run.max_error_share allows; the last: " +
                last_error_,
            now
        );
    }
    retry_blocked(now);
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

void Machine::withdraw_everything_not_in_flight() {
    std::vector<std::int64_t> idle;
    for (const auto& [sample, active] : active_) {
        if (active.stage == Stage::ready || active.stage == Stage::waiting ||
            active.stage == Stage::blocked) {
            idle.push_back(sample);
        }
    }
    std::ranges::sort(idle);
    for (const std::int64_t sample : idle) {
        drop(sample);
    }
    blocked_.clear();
    for (Lane& lane : lanes_) {
        lane.ready.clear();
        lane.waiting = {};
        lane.before_flight = 0;
    }
    for (const auto& [sample, active] : active_) {
        // What is being prepared or committed comes back with an event and is withdrawn then.
        if (active.stage == Stage::preparing || active.stage == Stage::committing) {
            ++lanes_[static_cast<std::size_t>(active.lane)].before_flight;
        }
    }
    counters_.waiting = 0;
}

void Machine::stop(StopReason reason, std::string why, TimePoint now) {
    if (stopping_) {
        return;
    }
    stopping_ = true;
    stop_reason_ = reason;
    stop_words_ = std::move(why);
    withdraw_everything_not_in_flight();
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
