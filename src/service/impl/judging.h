#pragma once
#include "domain/run.h"
#include "domain/spec.h"
#include "service/experiment_config.h"

#include <functional>
#include <optional>
#include <string>
#include <vector>

/// Evaluations of the type `llm_judge`: a model rates outputs that are there by criteria. Such a
/// run is a run of the engine like every other: the rows hold the outputs, the one model is the
/// judge, every judged model has a variant of its own, and the scorer `rubric` reads the verdicts.
/// So the figures of a judge are those of every metric, compared item by item.
///
/// What is judged is a field of a dataset's rows, or the outputs of a finished run, or those of
/// models that are run first. Outputs of runs become a dataset of the caller's, which can be looked
/// at and judged again.
namespace lab::service {

/// Outputs that are judged together, and where they stand in a row.
struct Subject {
    std::string id;      ///< the variant that said them, or the field they stand in
    std::string model;   ///< the provider's name of the model that did; empty = unknown
    std::string output;  ///< field of a row
    std::string input;   ///< field with what was asked; empty = the rows do not say
};

/// What is judged.
struct Judged {
    std::vector<Subject> subjects;
    std::string reference;   ///< field of a row; empty = there is none
    std::string own;         ///< in front of the names of an item's own fields: "" or "item."
    bool clustered = false;  ///< rows of the same `cluster` are not independent
};

/// The outputs of a run of this experiment, in the rows that store_outputs makes of them.
Judged outputs_of(const domain::ExperimentSpec& spec);

/// The experiment of the judge. `rows`: id of the dataset. Errors: validation with the members of
/// the definition ("config.judge_config.criteria[1].name").
Result<CompiledConfig> compile_judge(
    const Request& request,
    const std::string& name,
    const Json& config,
    const Judged& judged,
    const std::string& rows
);

/// A refusal of that experiment with the members of the definition.
Error at_judge(Error error);

/// Outputs of a run as rows of a dataset.
struct StoredOutputs {
    std::string dataset_id;
    std::string content_hash;
    std::int64_t rows = 0;
    std::int64_t dropped = 0;  ///< items that lack the output of some variant
};
/// One row for each item and repetition: {id, source, cluster, item, reference, judged: {m1:
/// {input, output}, m2: ...}}, the variants in their order. Items that some variant has no output
/// for are left out: comparisons are made item by item. The dataset belongs to the caller.
/// `stopped`: looked at between rows. Errors: validation (no item is left, or too many are),
/// cancelled.
Result<StoredOutputs> store_outputs(
    const Request& request,
    const domain::Run& run,
    const std::string& visibility,
    const std::function<bool()>& stopped = {}
);

/// What a definition asks for, checked.
struct JudgePlan {
    std::optional<CompiledConfig> models;  ///< to be run first
    CompiledConfig judge;
    Json about = Json::object();  ///< kept with the run as `judge`
};
/// Errors: validation with every problem; what can be known before there are outputs is checked.
Result<JudgePlan> plan_judge(
    const Request& request,
    const std::string& name,
    const std::string& visibility,
    const Json& config
);
/// Queues the run of the models, if there is one, and that of the judge, which is given back and
/// waits for the other. `body`: what is kept with both.
Result<domain::Run> queue_judge(
    const Request& request,
    const storage::Resource& carrier,
    const JudgePlan& plan,
    const Json& body
);

/// The run whose outputs this one waits for; empty when it has all it needs.
std::string awaited_outputs(const domain::Run& run);
/// Gives a judge's run its rows when the models are done; nothing to do for other runs. `request`:
/// of the carrier of runs. Errors: invalid_state when the models failed; those of store_outputs.
Status prepare_judge(
    const Request& request, const domain::Run& run, const std::function<bool()>& stopped
);

}  // namespace lab::service
