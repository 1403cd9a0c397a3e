#pragma once
#include "service/caller.h"
#include "service/deps.h"
#include "storage/store/session_pool.h"

namespace lab::service {

/// One use of the service: who asks, until when, and over which connection to the store. Use cases
/// of the platform take it as their first parameter; it lives on one thread.
struct Request {
    const Ctx& ctx;
    const Deps& deps;
    storage::Session& session;
    const Caller& caller;
};

}  // namespace lab::service
