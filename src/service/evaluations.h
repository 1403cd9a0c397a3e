#pragma once
#include "service/nouns.h"

/// Evaluations: one collection of three kinds, told apart by `kind` or by their members. A `sample`
/// is one judged output, a `run_summary` the figures of a run, both reported by whoever computed
/// them; a `definition` says what is to be evaluated, and can be run (evaluation_runs.h).
namespace lab::service {

enum class EvaluationKind : std::uint8_t { sample, run_summary, definition };
std::string_view to_string(EvaluationKind kind);

/// For what is the same for all kinds: reading, listing, removing.
const Noun& evaluation_noun();
/// For what differs: members, and what they may be.
const Noun& evaluation_noun(EvaluationKind kind);

/// Automated, human, ...: what `evaluation_type` may be.
const std::vector<std::string>& evaluation_types();
/// pending, running, ...: what `status` may be.
const std::vector<std::string>& evaluation_states();

/// JSON Schema of what create_evaluations takes.
const Json& evaluations_schema();

struct NewEvaluations {
    Json shown;  ///< as the body: an object, or an array in the same order
    std::int64_t revision = 1;
    std::size_t count = 0;
};
/// One, or an array of 1 to kEvaluationsMax, all or none. Errors: as create_noun; what is referred
/// to and not there for the caller's eyes is validation of the member.
Result<NewEvaluations> create_evaluations(const Request& request, const Json& body);
inline constexpr std::size_t kEvaluationsMax = 1000;

/// As update_noun, by the law of its kind, which stays.
Result<Shown> update_evaluation(
    const Request& request,
    const std::string& id,
    const Json& changes,
    std::optional<std::int64_t> if_revision
);

/// The body's own member that names the experiment which carries the runs of a definition.
inline constexpr std::string_view kRunsMember = "runs_in";

}  // namespace lab::service
