#include "engine/driver.h"

#include <algorithm>

/// How the driver shares a run with other processes: it takes blocks of it, and money, before it
/// runs out of them, and hears of the others.
namespace lab::engine {
namespace {

/// How often the others are heard of when there is nothing to ask them for.
constexpr Duration kAskEvery = std::chrono::milliseconds(500);
/// Samples of a replayed lane that are under way at once are many (Machine::take_new).
constexpr std::int64_t kReplayAhead = 512;
/// Shorter ones are over before anybody has heard of them.
constexpr Duration kPauseWorthTelling = std::chrono::milliseconds(500);

}  // namespace

CrewAsk Driver::make_ask(TimePoint now) {
    CrewAsk ask;
    for (std::size_t lane = 0; lane < blocks_.size(); ++lane) {
        std::int64_t left = 0;
        for (const Block& block : blocks_[lane]) {
            left += block.end - block.next;
        }
        const domain::ModelSpec& model = input_.spec->models[lane];
        const std::int64_t slots =
            model.limits.concurrency > 0 ? model.limits.concurrency : input_.spec->run.concurrency;
        const bool is_replay = input_.providers[lane]->is_replay();
        if (!lane_over_[lane] && machine_.takes_from(lane) &&
            left < (is_replay ? kReplayAhead : slots)) {
            ask.lanes.push_back(static_cast<int>(lane));
        }
    }
    if (const auto need = machine_.wants_budget()) {
        ask.wants_budget = true;
        ask.need = *need;
    }
    const std::vector<Duration> pauses = machine_.pauses(now);
    for (std::size_t lane = 0; lane < pauses.size(); ++lane) {
        if (pauses[lane] >= kPauseWorthTelling && now + pauses[lane] > pauses_told_[lane]) {
            ask.pauses.emplace_back(static_cast<int>(lane), pauses[lane]);
        }
    }
    return ask;
}

void Driver::ask_crew() {
    if (deps_.crew == nullptr || asking_ || ended_ || machine_.finished()) {
        return;
    }
    const TimePoint now = deps_.loop->clock().now();
    CrewAsk ask = make_ask(now);
    const bool has_reason = !ask.lanes.empty() || ask.wants_budget || !ask.pauses.empty();
    if (!has_reason && now < ask_at_) {
        if (!ask_timer_) {
            ask_timer_ = deps_.loop->call_at(ask_at_, [this, alive = alive_] {
                if (*alive) {
                    ask_timer_.reset();
                    ask_crew();
                }
            });
        }
        return;
    }
    asking_ = true;
    ask.finished = std::exchange(finished_blocks_, {});
    ask.exposure = machine_.exposure();
    for (const auto& [lane, lasts] : ask.pauses) {
        pauses_told_[static_cast<std::size_t>(lane)] = now + lasts;
    }
    deps_.worker->submit([this, alive = alive_, loop = deps_.loop, ask = std::move(ask)] {
        auto answer = deps_.crew->ask(ask);
        loop->post([this, alive, answer = std::move(answer)]() mutable {
            if (*alive) {
                on_answer(std::move(answer));
            }
        });
    });
}

void Driver::on_answer(Result<CrewAnswer> answer) {
    asking_ = false;
    if (ended_) {
        tell_end();
        return;
    }
    if (!answer) {
        fail(answer.error());
        return;
    }
    ask_at_ = deps_.loop->clock().now() + kAskEvery;
    follow(*std::move(answer));
    turn();
}

void Driver::follow(CrewAnswer answer) {
    const TimePoint now = deps_.loop->clock().now();
    others_ = answer.others;
    is_speaker_ = answer.is_speaker;
    if (answer.stored) {
        input_.finished = *std::move(answer.stored);
    }
    for (const Block& block : answer.blocks) {
        blocks_[static_cast<std::size_t>(block.lane)].push_back(block);
    }
    Companions companions{
        .members = answer.members,
        .failed = answer.others.failed,
        .budget = answer.others_budget,
        .is_all_of_it = answer.is_all_of_it,
        .pauses = std::vector<Duration>(blocks_.size()),
    };
    for (const auto& [lane, lasts] : answer.pauses) {
        if (lane >= 0 && static_cast<std::size_t>(lane) < companions.pauses.size()) {
            companions.pauses[static_cast<std::size_t>(lane)] = lasts;
        }
    }
    machine_.on_companions(companions, now);
    if (!answer.nothing_left.empty()) {
        for (const int lane : answer.nothing_left) {
            lane_over_[static_cast<std::size_t>(lane)] = true;
        }
        machine_.on_nothing_left(answer.nothing_left, now);
    }
    if (!answer.ending.empty()) {
        machine_.stop(StopReason::too_many_errors, answer.ending, now);
    }
}

}  // namespace lab::engine
