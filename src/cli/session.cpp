#include "cli/session.h"

namespace lab::cli {

Result<ApiClientOptions> client_options(const Invocation& in, Transport& transport) {
    ApiClientOptions options;
    options.retries_max = static_cast<int>(in.settings.max_retries);
    options.timeout = std::chrono::seconds(in.settings.timeout_secs);
    if (in.console.verbose) {
        options.trace = [&in](const std::string& line) { note(in.console, line); };
    }
    if (!transport.is_local() && !in.api_key.empty()) {
        options.credential = [key = in.api_key]() -> Result<http::Headers> {
            return http::Headers{{"X-API-Key", key}};
        };
    }
    return options;
}

}  // namespace lab::cli
