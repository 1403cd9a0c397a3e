#pragma once
#include "platform/redis/blocking_client.h"

namespace lab::storage {

/// BlockingClient::call as a span below what this thread works on. Its keys and values are nobody's
/// business.
Result<redis::Value> traced_call(
    redis::BlockingClient& client, redis::Command command, Duration patience
);

}  // namespace lab::storage
