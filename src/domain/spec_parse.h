#pragma once
#include "domain/spec.h"

#include <string>
#include <string_view>
#include <vector>

namespace lab::domain {

/// What the spec may name of rooms that domain cannot see; app fills it in.
struct SpecVocabulary {
    /// One entry for each scorer type: its name and the JSON Schema of its options. A type that
    /// needs no reference says so in its schema: `"x-reference": "none"`; for all others the
    /// reference is "{{reference}}" unless the file names another.
    std::vector<std::pair<std::string, Json>> scorers;
    Json extract_schema;  ///< schema of `extract` and `extract_reference`
    std::vector<std::string> providers;
};

/// JSON Schema (2020-12) of an experiment file, descriptions included; published by
/// `llm-research schema experiment` and the source of docs/experiment-file.md.
Json experiment_schema(const SpecVocabulary& vocabulary);

/// An experiment and everything that is wrong with it.
struct ParsedSpec {
    /// With problems it serves further checks and nothing else: what could not be read has its
    /// default, counts and indexes are within their bounds, and any list may be empty.
    ExperimentSpec spec;
    /// Each with the path of the value that is wrong or missing ("models[1].limits"), never of one
    /// around it: a problem of a mapping or list as a whole means that it could not be read.
    std::vector<Detail> problems;
};

/// Checks `source` against the schema and everything the schema cannot say (duplicate ids, unknown
/// variants; metric names are checked later by the service, which knows the scorers' metrics), all
/// at once, and reads what can be read.
ParsedSpec read_spec(const Json& source, const SpecVocabulary& vocabulary);

/// The same for who wants a valid one. Errors: validation, every problem in `details`.
Result<ExperimentSpec> parse_spec(const Json& source, const SpecVocabulary& vocabulary);

/// jsonl, json, csv or tsv by the file's extension; empty when that does not tell.
std::string format_of_path(std::string_view path);

/// docs/experiment-file.md's table of all fields, from experiment_schema.
std::string schema_markdown(const Json& schema);
/// The table of the keys of one object schema alone; empty without keys.
std::string schema_table(const Json& schema);

}  // namespace lab::domain
