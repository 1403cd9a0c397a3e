#pragma once
#include "providers/provider.h"

namespace lab::providers {

/// Tokens that a text of so many bytes has in an ordinary language and tokenizer: four bytes each.
/// For usage that a provider did not report.
std::int64_t estimate_tokens(std::size_t bytes);

/// Upper bound of the input tokens of a request. Tokenizers that work on bytes never make more
/// tokens than the text has bytes; each message costs a few more for its frame. Parameters that are
/// objects or lists (tools, schemas) are read by the model as well.
std::int64_t input_tokens_bound(const CallRequest& request);

/// Bytes of all messages.
std::size_t input_bytes(const CallRequest& request);

/// The first of these parameters that is a whole number of at least 1, if any.
std::optional<std::int64_t> integer_parameter(
    const Json* parameters, std::initializer_list<const char*> names
);

/// What is assumed of a model whose limit nobody knows, when the request has no limit either.
inline constexpr std::int64_t kOutputTokensUnknown = 32'768;

}  // namespace lab::providers
