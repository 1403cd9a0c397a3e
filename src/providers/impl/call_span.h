#pragma once
#include "platform/telemetry/span.h"
#include "providers/provider.h"

#include <optional>
#include <string_view>

namespace lab::providers {

/// A call as a span, below what the thread works on; nothing where nobody traces. Attributes are
/// those of OpenTelemetry's semantic conventions for generative AI (1.38); neither prompts nor
/// outputs are among them.
Span begin_call_span(
    std::string_view provider,
    std::string_view model,
    const CallRequest& request,
    std::string_view endpoint
);
void end_call_span(Span span, const CallResult& result, std::optional<Money> cost);

}  // namespace lab::providers
