#pragma once
#include "base/executor.h"
#include "support/manual_clock.h"

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <utility>

namespace lab::test {

/// An event loop on a clock that stands still: posted work and timers run when the test pumps, on
/// its thread. What is posted runs in order and before timers; timers run in the order of their
/// time, those of one moment in the order they were set.
class ManualExecutor final : public Executor {
  public:
    explicit ManualExecutor(ManualClock& clock) : clock_(clock) {}

    void post(Work work) override { posted_.push_back(std::move(work)); }
    TimerId call_at(TimePoint when, Work work) override {
        const TimerId id = ++last_id_;
        due_.emplace(id, when);
        timers_.emplace(std::pair(when, id), std::move(work));
        return id;
    }
    void cancel_timer(TimerId id) override {
        if (const auto found = due_.find(id); found != due_.end()) {
            timers_.erase({found->second, id});
            due_.erase(found);
        }
    }
    const Clock& clock() const override { return clock_; }

    /// Runs one piece of what is due; false when nothing is.
    bool step() {
        Work work;
        if (!posted_.empty()) {
            work = std::move(posted_.front());
            posted_.pop_front();
        } else if (!timers_.empty() && timers_.begin()->first.first <= clock_.now()) {
            work = std::move(timers_.begin()->second);
            due_.erase(timers_.begin()->first.second);
            timers_.erase(timers_.begin());
        } else {
            return false;
        }
        work();
        return true;
    }
    /// Runs what is due, then lets the clock jump to the next timer, and so on until `done()`
    /// holds. false: nothing is left to wait for, `limit` has passed, or the loop goes round and
    /// round.
    template <class Done>
    bool run_until(const Done& done, Duration limit = std::chrono::hours(24)) {
        const TimePoint last = clock_.now() + limit;
        for (int steps = 0; steps < kStepsMax; ++steps) {
            if (done()) {
                return true;
            }
            if (step()) {
                continue;
            }
            if (timers_.empty() || timers_.begin()->first.first > last) {
                return false;
            }
            clock_.advance(timers_.begin()->first.first - clock_.now());
        }
        return false;
    }
    bool idle() const { return posted_.empty() && timers_.empty(); }
    std::size_t timers() const { return timers_.size(); }

  private:
    static constexpr int kStepsMax = 20'000'000;
    ManualClock& clock_;
    std::deque<Work> posted_;
    std::map<std::pair<TimePoint, TimerId>, Work> timers_;
    std::map<TimerId, TimePoint> due_;
    TimerId last_id_ = 0;
};

/// A worker whose work takes time on the manual clock: each piece runs, in order and never two at
/// once, `latency()` after it could begin. Destroyed with work waiting, it drops it, as a killed
/// process does.
class ManualWorker final : public Worker {
  public:
    explicit ManualWorker(
        ManualExecutor& loop, std::function<Duration()> latency = [] { return Duration(0); }
    )
        : loop_(loop), latency_(std::move(latency)) {}
    ~ManualWorker() override {
        if (timer_ != 0) {
            loop_.cancel_timer(timer_);
        }
    }
    ManualWorker(const ManualWorker&) = delete;
    ManualWorker& operator=(const ManualWorker&) = delete;

    void submit(Executor::Work work) override {
        queue_.push_back(std::move(work));
        if (queue_.size() == 1) {
            schedule();
        }
    }
    std::size_t waiting() const { return queue_.size(); }

  private:
    void schedule() {
        timer_ = loop_.call_at(loop_.clock().now() + latency_(), [this] {
            timer_ = 0;
            queue_.front()();
            queue_.pop_front();
            if (!queue_.empty()) {
                schedule();
            }
        });
    }
    ManualExecutor& loop_;
    std::function<Duration()> latency_;
    std::deque<Executor::Work> queue_;
    Executor::TimerId timer_ = 0;
};

/// Runs what it is given before submit() returns.
class InlineWorker final : public Worker {
  public:
    void submit(Executor::Work work) override { work(); }
};

}  // namespace lab::test
