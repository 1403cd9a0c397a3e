#pragma once
#include "api/application.h"

namespace lab::api {

/// A request on its way through.
struct Application::Visit {
    Router::Match match;
    std::optional<Error> refused;  ///< before the pool was asked
    service::Caller caller;
    service::RateDecision rate{.limited = false};
    std::string cause;
    TimePoint begun{};
    TraceContext trace;
    std::unique_ptr<BodyWriter> writer;  ///< takes the body that is on its way
    bool shed = false;                   ///< refused because there was more to do than can be done
    std::string cors_origin;             ///< of the page that asks, when it may read the answer
};

inline WorkPool::Priority pool_priority(Priority priority) {
    return static_cast<WorkPool::Priority>(priority);
}

}  // namespace lab::api
