#include "providers/impl/tokens.h"

#include <nlohmann/json.hpp>

namespace lab::providers {
namespace {
constexpr std::int64_t kTokensPerMessage = 8;
constexpr std::int64_t kTokensPerRequest = 16;
}  // namespace

std::int64_t estimate_tokens(std::size_t bytes) {
    return static_cast<std::int64_t>((bytes + 3) / 4);
}

std::size_t input_bytes(const CallRequest& request) {
    std::size_t bytes = 0;
    for (const domain::Message& message : request.messages) {
        bytes += message.content.size();
    }
    return bytes;
}

std::int64_t input_tokens_bound(const CallRequest& request) {
    std::int64_t tokens = static_cast<std::int64_t>(input_bytes(request)) + kTokensPerRequest +
                          kTokensPerMessage * static_cast<std::int64_t>(request.messages.size());
    if (request.parameters != nullptr && request.parameters->is_object()) {
        for (const auto& [name, value] : request.parameters->items()) {
            if (value.is_structured()) {
                tokens += static_cast<std::int64_t>(dump_json(value).size());
            }
        }
    }
    return tokens;
}

std::optional<std::int64_t> integer_parameter(
    const Json* parameters, std::initializer_list<const char*> names
) {
    if (parameters == nullptr || !parameters->is_object()) {
        return std::nullopt;
    }
    for (const char* name : names) {
        const auto found = parameters->find(name);
        if (found != parameters->end() && found->is_number_integer() &&
            found->get<std::int64_t>() >= 1) {
            return found->get<std::int64_t>();
        }
    }
    return std::nullopt;
}

}  // namespace lab::providers
