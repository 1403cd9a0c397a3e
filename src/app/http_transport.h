#pragma once
#include "cli/transport.h"

#include <memory>

namespace lab::app {

/// The API of a server over HTTP. `url`: "https://lab.example.org", perhaps with a path in front of
/// the API's. Certificates are verified. Errors: validation (no usable URL).
Result<std::unique_ptr<cli::Transport>> make_http_transport(std::string url);

}  // namespace lab::app
