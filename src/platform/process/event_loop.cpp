#include "platform/process/event_loop.h"

#include "platform/process/event_loop_native.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>

namespace lab {

EventLoop::EventLoop(const Clock& clock) : native_(std::make_unique<Native>(clock)) {}

EventLoop::~EventLoop() = default;

const Clock& EventLoop::clock() const { return native_->clock; }

// Work goes through a queue of our own, and Asio is told only when the queue was empty: a burst of
// a thousand posts costs one wake-up.
void EventLoop::post(Work work) {
    Native& native = *native_;
    {
        const std::lock_guard lock(native.mutex);
        native.posted.push_back(std::move(work));
        if (std::exchange(native.drain_queued, true)) {
            return;
        }
    }
    boost::asio::post(native.io, [&native] { native.run_posted(); });
}

void EventLoop::Native::run_posted() {
    {
        const std::lock_guard lock(mutex);
        drain_queued = false;
        being_run.swap(posted);
    }
    // What this work posts runs in the next round, so that sockets and timers get their turn.
    for (Work& work : being_run) {
        work();
        work = nullptr;
    }
    being_run.clear();
}

EventLoop::TimerId EventLoop::call_at(TimePoint when, Work work) {
    Native& native = *native_;
    const TimerId id = ++native.last_timer;
    native.timers.emplace(id, std::move(work));
    native.heap.push_back({when, id});
    std::push_heap(native.heap.begin(), native.heap.end());
    if (when < native.alarm_at) {
        native.arm_alarm();
    }
    return id;
}

void EventLoop::cancel_timer(TimerId id) {
    Native& native = *native_;
    if (native.timers.erase(id) == 0) {
        return;
    }
    // A loop that sets and cancels long timers all the time must not keep their husks.
    if (native.heap.size() > 64 && native.heap.size() > 4 * native.timers.size()) {
        std::erase_if(native.heap, [&](const Native::Due& due) {
            return !native.timers.contains(due.id);
        });
        std::make_heap(native.heap.begin(), native.heap.end());
    }
}

// The alarm is only ever moved forward in time when it rings: one that rings too early costs a look
// at the heap, moving it costs a system call.
void EventLoop::Native::arm_alarm() {
    alarm_at = heap.front().when;
    alarm.expires_after(std::max(Duration::zero(), alarm_at - clock.now()));
    alarm.async_wait([this](const boost::system::error_code& error) {
        if (!error) {
            run_due_timers();
        }
    });
}

void EventLoop::Native::run_due_timers() {
    alarm_at = TimePoint::min();  // nobody arms it while timers run
    const TimePoint now = clock.now();
    const TimerId newest = last_timer;
    std::vector<Due> later;  // due already, but set by a timer of this round
    while (!heap.empty() && heap.front().when <= now) {
        const Due due = heap.front();
        std::pop_heap(heap.begin(), heap.end());
        heap.pop_back();
        const auto found = timers.find(due.id);
        if (found == timers.end()) {
            continue;
        }
        if (due.id > newest) {
            later.push_back(due);
            continue;
        }
        Work work = std::move(found->second);
        timers.erase(found);
        work();
    }
    for (const Due& due : later) {
        heap.push_back(due);
        std::push_heap(heap.begin(), heap.end());
    }
    while (!heap.empty() && !timers.contains(heap.front().id)) {
        std::pop_heap(heap.begin(), heap.end());
        heap.pop_back();
    }
    alarm_at = TimePoint::max();
    if (!heap.empty()) {
        arm_alarm();
    }
}

void EventLoop::run() {
    const auto guard = boost::asio::make_work_guard(native_->io);
    native_->io.run();
    native_->io.restart();
}

void EventLoop::stop() { native_->io.stop(); }

}  // namespace lab
