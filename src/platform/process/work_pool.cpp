#include "platform/process/work_pool.h"

#include <algorithm>

namespace lab {

WorkPool::WorkPool(Options options) : options_(options) {
    for (std::size_t i = 0; i < std::max<std::size_t>(1, options.threads); ++i) {
        threads_.emplace_back([this] { run(); });
    }
}

WorkPool::~WorkPool() { stop(); }

bool WorkPool::submit(Priority priority, Executor::Work&& work) {
    {
        const std::lock_guard lock(mutex_);
        auto& queue = queues_[static_cast<std::size_t>(priority)];
        const std::size_t most =
            priority == Priority::background ? options_.queue_max / 2 : options_.queue_max;
        if (stopping_ || queue.size() >= most) {
            return false;
        }
        queue.push_back(std::move(work));
    }
    wake_.notify_one();
    return true;
}

void WorkPool::stop() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_all();
    for (std::thread& thread : threads_) {
        if (thread.joinable()) {
            thread.join();
        }
    }
}

std::size_t WorkPool::waiting_locked() const {
    std::size_t sum = 0;
    for (const auto& queue : queues_) {
        sum += queue.size();
    }
    return sum;
}

std::size_t WorkPool::waiting() const {
    const std::lock_guard lock(mutex_);
    return waiting_locked();
}

void WorkPool::run() {
    std::unique_lock lock(mutex_);
    for (;;) {
        wake_.wait(lock, [&] { return stopping_ || waiting_locked() > 0; });
        const auto queue = std::ranges::find_if(queues_, [](const auto& q) { return !q.empty(); });
        if (queue == queues_.end()) {
            return;  // stopping, and everything is done
        }
        Executor::Work work = std::move(queue->front());
        queue->pop_front();
        lock.unlock();
        work();
        work = nullptr;
        lock.lock();
    }
}

}  // namespace lab
