#include "providers/impl/codec_base.h"

#include "providers/impl/reader.h"
#include "providers/impl/tokens.h"

#include <nlohmann/json.hpp>

namespace lab::providers {
namespace {

/// Room for an answer of 4 MiB in a stream of small pieces, or for log-probabilities.
constexpr std::size_t kBodyBytesMax = 16U << 20;
constexpr std::size_t kBodyBytesMaxWithLogprobs = 64U << 20;
constexpr Duration kConnectTimeout = std::chrono::seconds(10);

bool asks_for_logprobs(const Json* parameters) {
    return parameters != nullptr && parameters->is_object() &&
           (parameters->contains("logprobs") || parameters->contains("responseLogprobs"));
}

}  // namespace

BaseCodec::BaseCodec(Endpoint endpoint, std::string url, http::Headers own_headers)
    : endpoint_(std::move(endpoint)), shown_(std::move(url)), headers_(std::move(own_headers)) {
    headers_.insert(headers_.begin(), {"Content-Type", "application/json"});
    headers_.insert(headers_.end(), endpoint_.headers.begin(), endpoint_.headers.end());
}

std::string BaseCodec::redact(std::string text) const {
    return redact_key(std::move(text), endpoint_.key);
}

domain::Usage BaseCodec::worst_case(const CallRequest& request) const {
    domain::Usage usage;
    usage.input = input_tokens_bound(request);
    const std::int64_t limit =
        endpoint_.output_tokens_max > 0 ? endpoint_.output_tokens_max : kOutputTokensUnknown;
    usage.output = output_tokens_asked(request).value_or(limit);
    usage.estimated = true;
    return usage;
}

http::Request BaseCodec::make_request(const CallRequest& request, std::string url, std::string body)
    const {
    http::Request out;
    out.url = std::move(url);
    out.headers = headers_;
    out.body = std::move(body);
    out.total_timeout = request.timeout;
    out.connect_timeout = std::min(kConnectTimeout, request.timeout);
    out.body_bytes_max =
        asks_for_logprobs(request.parameters) ? kBodyBytesMaxWithLogprobs : kBodyBytesMax;
    return out;
}

std::size_t body_bytes_estimate(const CallRequest& request) {
    return input_bytes(request) + 64 * request.messages.size() + 256;
}

}  // namespace lab::providers
