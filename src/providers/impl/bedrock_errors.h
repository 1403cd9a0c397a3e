#pragma once
#include "providers/impl/answer.h"

#include <string_view>

namespace lab::providers {

/// Says what an error of Bedrock means: `type` as it stands in a header or in a stream
/// ("ThrottlingException:http://...", "throttlingException"). Source: "Common errors" and the
/// errors of Converse and ConverseStream in the API reference of Amazon Bedrock.
void refine_bedrock_error(ApiError& error, std::string_view type);

}  // namespace lab::providers
