#pragma once
#include "api/application.h"
#include "platform/crypto/sha256.h"

#include <mutex>

namespace lab::api {

/// A request on its way through. Of one thread at a time, with one exception: when the client goes
/// away, the I/O thread tells of it (on_response_sent) while a pool thread may still be at work.
struct Application::Visit {
    /// Held to write what is told, `caller`, `cause`, `shed` and `span`, and while it is told.
    mutable std::mutex telling;
    Router::Match match;
    std::optional<Error> refused;  ///< before the pool was asked
    service::Caller caller;
    service::RateDecision rate{.limited = false};
    std::string cause;
    TimePoint begun{};
    TraceContext trace;
    std::string parent_span;             ///< of the caller; empty when the trace begins here
    SpanPlace place;                     ///< where the work of this request stands
    Span span;                           ///< of a trace that is recorded
    std::unique_ptr<BodyWriter> writer;  ///< takes the body that is on its way
    std::optional<Sha256> body_hash;     ///< of that body, when it may come twice
    bool shed = false;                   ///< refused because there was more to do than can be done
    std::string cors_origin;             ///< of the page that asks, when it may read the answer

    void set_caller(service::Caller who) {
        const std::scoped_lock lock(telling);
        caller = std::move(who);
    }
    void set_cause(std::string why) {
        const std::scoped_lock lock(telling);
        cause = std::move(why);
    }
    void set_shed() {
        const std::scoped_lock lock(telling);
        shed = true;
    }
};

inline WorkPool::Priority pool_priority(Priority priority) {
    return static_cast<WorkPool::Priority>(priority);
}

}  // namespace lab::api
