#pragma once
#include "service/evaluations.h"

namespace lab::service {

/// JSON Schema of what may be written of one of this kind.
const Json& evaluation_schema(EvaluationKind kind);

/// Noun::check of samples and run summaries: what they refer to is there for the caller's eyes.
Status check_record(const Request& request, Json& body, const storage::Resource* before);
/// Noun::check of definitions: the same, and what a schema cannot say of `config`.
Status check_definition(const Request& request, Json& body, const storage::Resource* before);

}  // namespace lab::service
