#pragma once
#include "domain/spec.h"

#include <vector>

namespace lab::domain {

/// What the spec may name of rooms that domain cannot see; app fills it in.
struct SpecVocabulary {
    /// One entry for each scorer type: its name and the JSON Schema of its options.
    std::vector<std::pair<std::string, Json>> scorers;
    Json extract_schema;  ///< schema of `extract` and `extract_reference`
    std::vector<std::string> providers;
};

/// JSON Schema (2020-12) of an experiment file, descriptions included; published by
/// `llm-research schema experiment` and the source of docs/experiment-file.md.
Json experiment_schema(const SpecVocabulary& vocabulary);

/// Checks `source` against the schema and everything the schema cannot say (duplicate ids, unknown
/// variants, metric names are checked later by the service, which knows the scorers' metrics), all
/// at once. Errors: validation, every problem in `details` with its path ("models[1].limits").
Result<ExperimentSpec> parse_spec(const Json& source, const SpecVocabulary& vocabulary);

}  // namespace lab::domain
