#include "providers/impl/call_span.h"

#include "providers/observed.h"

#include <nlohmann/json.hpp>

#include <array>
#include <utility>

namespace lab::providers {
namespace {

/// Where the conventions have a name of their own.
std::string_view provider_name(std::string_view provider) {
    constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kNames{{
        {"google", "gcp.gemini"},
        {"azure", "azure.ai.openai"},
        {"mistral", "mistral_ai"},
        {"aws", "aws.bedrock"},
    }};
    for (const auto& [ours, theirs] : kNames) {
        if (provider == ours) {
            return theirs;
        }
    }
    return provider;
}

/// "api.openai.com" of "https://api.openai.com/v1".
std::string_view host_of(std::string_view endpoint) {
    const std::size_t scheme = endpoint.find("://");
    if (scheme == endpoint.npos) {
        return {};
    }
    const std::string_view rest = endpoint.substr(scheme + 3);
    const std::string_view authority = rest.substr(0, rest.find_first_of("/?#"));
    const std::size_t user = authority.rfind('@');
    const std::string_view host = user == authority.npos ? authority : authority.substr(user + 1);
    return host.starts_with('[') ? host.substr(0, host.find(']') + 1)
                                 : host.substr(0, host.find(':'));
}

void set_parameters(Span& span, const Json& parameters) {
    constexpr std::array<std::pair<const char*, const char*>, 8> kNames{{
        {"temperature", "gen_ai.request.temperature"},
        {"top_p", "gen_ai.request.top_p"},
        {"top_k", "gen_ai.request.top_k"},
        {"max_tokens", "gen_ai.request.max_tokens"},
        {"max_completion_tokens", "gen_ai.request.max_tokens"},
        {"frequency_penalty", "gen_ai.request.frequency_penalty"},
        {"presence_penalty", "gen_ai.request.presence_penalty"},
        {"seed", "gen_ai.request.seed"},
    }};
    for (const auto& [ours, theirs] : kNames) {
        const auto found = parameters.find(ours);
        if (found == parameters.end()) {
            continue;
        }
        if (found->is_number_integer()) {
            span.set(theirs, found->get<std::int64_t>());
        } else if (found->is_number()) {
            span.set(theirs, found->get<double>());
        }
    }
}

double seconds_of(Duration time) { return std::chrono::duration<double>(time).count(); }

}  // namespace

Span begin_call_span(
    std::string_view provider,
    std::string_view model,
    const CallRequest& request,
    std::string_view endpoint
) {
    if (!current_place().records()) {
        return {};
    }
    Span span = child_span("chat " + std::string(model), SpanKind::client);
    span.set("gen_ai.operation.name", "chat");
    span.set("gen_ai.provider.name", provider_name(provider));
    span.set("gen_ai.system", provider_name(provider));  // what older readers look for
    span.set("gen_ai.request.model", model);
    if (const std::string_view host = host_of(endpoint); !host.empty()) {
        span.set("server.address", host);
    }
    if (request.parameters != nullptr && request.parameters->is_object()) {
        set_parameters(span, *request.parameters);
    }
    return span;
}

void end_call_span(Span span, const CallResult& result, std::optional<Money> cost) {
    if (!span.recorded()) {
        return;
    }
    if (result.http_status != 0) {
        span.set("http.response.status_code", result.http_status);
    }
    if (!result.request_id.empty()) {
        span.set("llm_research.provider.request_id", result.request_id);
    }
    if (result.outcome != Outcome::ok) {
        span.fail(to_string(result.outcome));
        return;
    }
    if (!result.model_reported.empty()) {
        span.set("gen_ai.response.model", result.model_reported);
    }
    if (!result.finish_reason.empty()) {
        span.set_list("gen_ai.response.finish_reasons", {result.finish_reason});
    }
    const domain::Usage& usage = result.usage;
    span.set("gen_ai.usage.input_tokens", usage.input + usage.cache_read + usage.cache_write);
    span.set("gen_ai.usage.output_tokens", usage.output + usage.reasoning);
    if (usage.cache_read > 0) {
        span.set("gen_ai.usage.cache_read.input_tokens", usage.cache_read);
    }
    if (usage.cache_write > 0) {
        span.set("gen_ai.usage.cache_creation.input_tokens", usage.cache_write);
    }
    span.set("llm_research.usage.estimated", usage.estimated);
    if (const auto first = result.time_to_first_token) {
        span.set("llm_research.time_to_first_token_s", seconds_of(*first));
    }
    if (cost) {
        span.set("llm_research.cost_usd", static_cast<double>(cost->pico()) * 1e-12);
    }
}

}  // namespace lab::providers
