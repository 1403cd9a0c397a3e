#pragma once
#include "providers/codec.h"

namespace lab::providers {

/// Reads chat completions and completions, whole or streamed.
std::unique_ptr<ResponseReader> make_openai_reader(
    const Endpoint& endpoint, const CallRequest& request
);

}  // namespace lab::providers
