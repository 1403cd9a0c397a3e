#include "api/impl/held_refusals.h"

#include <utility>

namespace lab::api {

void HeldRefusals::hold(
    TimePoint now, std::shared_ptr<http::Exchange> exchange, http::Response response
) {
    Held oldest;
    {
        const std::lock_guard lock(mutex_);
        held_.push_back({now + kHold, std::move(exchange), std::move(response)});
        if (ended_ || held_.size() > kHeldMax) {
            oldest = std::move(held_.front());
            held_.pop_front();
        }
        next_ = held_.empty() ? TimePoint::max() : held_.front().until;
    }
    if (oldest.exchange) {
        oldest.exchange->respond(std::move(oldest.response));
    }
}

void HeldRefusals::release(TimePoint now) {
    if (now < next_.load(std::memory_order_relaxed)) {
        return;
    }
    std::deque<Held> due;
    {
        const std::lock_guard lock(mutex_);
        while (!held_.empty() && held_.front().until <= now) {
            due.push_back(std::move(held_.front()));
            held_.pop_front();
        }
        next_ = held_.empty() ? TimePoint::max() : held_.front().until;
    }
    for (Held& one : due) {
        one.exchange->respond(std::move(one.response));
    }
}

void HeldRefusals::end() {
    {
        const std::lock_guard lock(mutex_);
        ended_ = true;
    }
    release(TimePoint::max());
}

}  // namespace lab::api
