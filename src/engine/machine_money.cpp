#include "engine/machine.h"

/// The machine's books: what is reserved, held back, settled.
namespace lab::engine {

bool Machine::within_budget(Money cost, std::int64_t tokens, std::int64_t calls) const {
    const domain::Budget& budget = config_.budget;
    const Money all_cost =
        config_.opening.cost + counters_.cost + counters_.doubtful_cost + reserved_cost_ + cost;
    const std::int64_t all_tokens = config_.opening.tokens + counters_.tokens +
                                    counters_.doubtful_tokens + reserved_tokens_ + tokens;
    const std::int64_t all_calls =
        config_.opening.calls + counters_.calls + reserved_calls_ + calls;
    return (!budget.max_cost || all_cost <= *budget.max_cost) &&
           (!budget.max_tokens || all_tokens <= *budget.max_tokens) &&
           (!budget.max_calls || all_calls <= *budget.max_calls);
}

bool Machine::reserve(Active& active, const Prepared& prepared) {
    const Money cost = prepared.cost.value_or(Money());
    if (!within_budget(cost, prepared.tokens, 1)) {
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
bool Machine::retry_blocked(TimePoint now) {
    bool some_go_on = false;
    while (!blocked_.empty() && !stopping_) {
        const auto [sample, prepared] = blocked_.front();
        Active& active = active_.at(sample);
        if (!reserve(active, prepared)) {
            if (open_intents_ == 0 && has_all_budget_) {
                stop(StopReason::budget_exhausted, "the next call could exceed the budget", now);
            }
            return some_go_on;
        }
        blocked_.pop_front();
        if (active.intent_on_disk) {
            --lane_of(active).before_flight;
            wait_for_retry(sample, active);
            some_go_on = true;
            continue;
        }
        active.stage = Stage::committing;
        emit(CommandKind::commit, active.lane, sample);
    }
    return some_go_on;
}

void Machine::settle(Active& active, const CallReport& report) {
    if (!active.has_intent) {
        return;
    }
    release(active);
    const Money cost = report.cost.value_or(Money());
    overcharged_ =
        overcharged_ || cost > active.reserved_cost || report.tokens > active.reserved_tokens;
    counters_.cost += cost;
    counters_.unpriced += report.cost ? 0 : 1;
    counters_.tokens += report.tokens;
}

void Machine::note_doubt(std::int64_t sample, const Active& active) {
    ++counters_.doubtful;
    counters_.doubtful_cost += active.reserved_cost;
    counters_.doubtful_tokens += active.reserved_tokens;
    emit(CommandKind::book, active.lane, sample);
}

/// Its intent is on the disk; what it would take must be reserved again before it is retried.
void Machine::wait_for_budget(std::int64_t sample, Active& active) {
    active.stage = Stage::blocked;
    ++lane_of(active).before_flight;
    blocked_.emplace_back(sample, prepared_again(active));
}

/// The head of the lane was to be sent, and the money for it is gone.
void Machine::hold_back(Lane& lane) {
    const std::int64_t sample = lane.ready.front();
    lane.ready.pop_front();
    Active& active = active_.at(sample);
    release(active);
    active.stage = Stage::blocked;
    blocked_.emplace_back(sample, prepared_again(active));
}

Prepared Machine::prepared_again(const Active& active) {
    return {.cost = active.reserved_cost, .tokens = active.reserved_tokens};
}

/// Empty while the budget holds. It is the server's doing when it charged more than a call could
/// take, by its max_tokens; a resumed run may also have been given less than it had spent.
std::string Machine::overspent_words() const {
    const domain::Budget& budget = config_.budget;
    const Money cost = config_.opening.cost + counters_.cost + counters_.doubtful_cost;
    const std::int64_t tokens =
        config_.opening.tokens + counters_.tokens + counters_.doubtful_tokens;
    std::string words;
    if (budget.max_cost && cost > *budget.max_cost) {
        words = "the calls cost $" + cost.exact() + ", more than the budget of $" +
                budget.max_cost->exact();
    } else if (budget.max_tokens && tokens > *budget.max_tokens) {
        words = "the calls took " + std::to_string(tokens) + " tokens, more than the budget of " +
                std::to_string(*budget.max_tokens);
    }
    if (!words.empty() && overcharged_) {
        words += ": the server charged more than the calls could take at most";
    }
    return words;
}

}  // namespace lab::engine
