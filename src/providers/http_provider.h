#pragma once
#include "platform/http/client.h"
#include "providers/codec.h"

namespace lab::providers {

/// A codec, the wire and a clock: latency from start() to the end of the response, time to the
/// first token from start() to the first piece of visible output (streams only). `http` and `clock`
/// outlive it; calls in flight may outlive it.
std::unique_ptr<Provider> make_http_provider(
    std::shared_ptr<const Codec> codec, http::Client& http, const Clock& clock
);

}  // namespace lab::providers
