#pragma once
#include "base/error.h"
#include "platform/json/json.h"

#include <functional>
#include <string>
#include <vector>

/// The richer blocks of an experiment's config in the API (metric_configs, search, the selection of
/// dataset_refs), turned into the sections of an experiment file. Pure.
namespace lab::service {

/// The largest number below 2^64 that a double holds too: beyond it JSON numbers are no longer the
/// ones that were sent.
inline constexpr std::uint64_t kSeedMax = 18'446'744'073'709'549'568ULL;

/// What is told of a mistake: the member of the config, and a sentence.
using ConfigProblem = std::function<void(std::string path, std::string message)>;

/// JSON Schemas of the blocks.
Json dataset_refs_schema();
Json metric_configs_schema();
Json search_schema();
Json reproducibility_schema();
Json resources_schema();

/// The split, sampling and filters of one dataset_refs entry, put into `dataset`. `rows`: how many
/// the version has, for a size in percent.
void select_rows(
    const Json& ref,
    std::int64_t rows,
    const std::string& path,
    Json& dataset,
    const ConfigProblem& problem
);

/// Whether a scorer of this type compares with a reference.
bool needs_reference(std::string_view scorer_type);
/// Scorers and gates of metric_configs. `type_of` gives the scorer's type for a metric's name, or
/// tells of the problem and gives nothing.
void add_metric_configs(
    const Json& configs,
    const std::string& reference,
    const std::function<std::string(const std::string& metric, const std::string& path)>& type_of,
    Json& scorers,
    Json& gates,
    const ConfigProblem& problem
);

/// The variants of a search over parameters: grid is a sweep, random a list of trials drawn with
/// the seed for every model with every prompt.
void add_search(
    const Json& search,
    std::uint64_t seed,
    const std::vector<std::string>& models,
    const std::vector<std::string>& prompts,
    Json& source,
    const ConfigProblem& problem
);

}  // namespace lab::service
