#pragma once
#include "base/clock.h"
#include "platform/http/client.h"
#include "providers/provider.h"

#include <optional>
#include <string_view>

namespace lab::providers {

/// "6m0s", "1s", "20ms", "1h2m3.5s", "2m59.56s", "250us"; a bare number is seconds. Nothing below
/// zero, nothing above ten days.
std::optional<Duration> parse_duration(std::string_view text);
/// An HTTP date ("Sun, 06 Nov 1994 08:49:37 GMT") or RFC 3339 ("2025-01-01T00:00:00Z").
std::optional<WallTime> parse_time(std::string_view text);

/// What a response says about rates and retries. `now` is needed for servers that name a moment
/// instead of a time span; the response's own Date header is preferred to it.
/// Sources: RFC 9110 section 10.2.3 (Retry-After); the rate limit pages of OpenAI, Azure OpenAI,
/// Groq (x-ratelimit-*) and Anthropic (anthropic-ratelimit-*).
RateHints read_hints(const http::Headers& headers, WallTime now);

/// The provider's own name for a request, from its headers; empty when it gives none.
std::string_view find_request_id(const http::Headers& headers);

}  // namespace lab::providers
