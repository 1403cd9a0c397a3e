#pragma once
#include "domain/run.h"
#include "domain/sample.h"
#include "domain/spec.h"
#include "engine/items.h"
#include "engine/plan.h"
#include "engine/render.h"
#include "engine/score.h"
#include "service/deps.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace lab::service {

/// An experiment with everything it names opened and checked: ready to run or to report.
/// Pinned in memory, because its parts point at each other.
struct Experiment {
    domain::ExperimentSpec spec;
    std::string base_folder;  ///< relative paths of the spec start here
    domain::DatasetVersion dataset;
    std::unique_ptr<engine::Items> items;
    std::unique_ptr<engine::Renderer> renderer;
    std::unique_ptr<engine::ScoreBook> scores;
    std::unique_ptr<engine::Plan> plan;
    std::vector<std::optional<domain::Pricing>> pricing;  ///< by model
    std::vector<std::string> warnings;

    Experiment() = default;
    Experiment(const Experiment&) = delete;
    Experiment& operator=(const Experiment&) = delete;
};

enum class Purpose : std::uint8_t {
    run,       ///< keys must be there, budgets must be enforceable
    validate,  ///< as run, but a missing key is a warning
    report,    ///< only what reading stored results needs
};

/// Reads an experiment file (YAML or JSON) and checks all of it before any call is made. Errors:
/// validation, every problem in `details` with `field` = "file:line:column"; not_found; io.
Result<std::unique_ptr<Experiment>> load_experiment_file(
    const Ctx& ctx, const Deps& deps, const std::string& path, Purpose purpose
);

/// The same from the JSON stored with a run; `dataset_hash` names the rows it ran on.
Result<std::unique_ptr<Experiment>> load_stored_experiment(
    const Ctx& ctx,
    const Deps& deps,
    const Json& source,
    const std::string& base_folder,
    const std::string& dataset_hash,
    Purpose purpose
);

/// What a run would take, printed by `validate`.
struct Forecast {
    struct Row {
        std::string variant;
        std::int64_t calls = 0;
        std::int64_t input_tokens = 0;                  ///< estimated from the text
        std::optional<std::int64_t> output_tokens_max;  ///< from max_tokens; absent without
        std::optional<Money> cost_max;                  ///< absent when the price is unknown
    };
    std::vector<Row> rows;
    std::int64_t calls = 0;
    std::int64_t input_tokens = 0;
    std::optional<Money> cost_max;
};
/// Renders up to 200 items of each variant and scales up. Errors: validation.
Result<Forecast> forecast(const Experiment& experiment);

}  // namespace lab::service
