#include "service/impl/run_view.h"

#include "base/time_text.h"
#include "service/experiments.h"
#include "service/impl/score_summary.h"
#include "storage/store/journal.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>

namespace lab::service {
namespace {

using domain::Run;
using domain::RunState;

Json text_or_null(const std::string& text) { return text.empty() ? Json() : Json(text); }

Json error_of(const Run& run, const Json& body) {
    if (run.state == RunState::budget_exhausted) {
        return run.stop_reason.empty() ? Json("the budget is spent") : Json(run.stop_reason);
    }
    if (run.state == RunState::failed || run.state == RunState::timed_out) {
        return body.contains("error") ? body["error"] : Json(run.stop_reason);
    }
    return nullptr;
}

/// The engine's stages as steps of a workflow. Scoring and storing go along with the calls, and
/// figures are computed when they are asked for: their states follow.
struct Step {
    std::string_view name;
    std::string_view kind;
    std::string_view needs;  ///< empty: nothing
};
constexpr std::array<Step, 6> kSteps = {{
    {"load", "data_loading", ""},
    {"infer", "inference", "load"},
    {"evaluate", "evaluation", "infer"},
    {"store", "storage", "evaluate"},
    {"aggregate", "aggregation", "store"},
    {"report", "reporting", "aggregate"},
}};

Json steps_of(const Run& run, std::int64_t processed) {
    const std::string_view state = shown_state(run);
    const bool begun = !run.started_at.empty();
    Json out = Json::array();
    for (const Step& step : kSteps) {
        const bool along =
            step.kind == "inference" || step.kind == "evaluation" || step.kind == "storage";
        std::string_view said = "pending";
        if (run.state == RunState::completed || (step.kind == "data_loading" && begun)) {
            said = "completed";
        } else if (along && begun) {
            said = run.state == RunState::interrupted ? std::string_view("paused") : state;
        } else if (is_terminal(run.state)) {
            said = "cancelled";  // what stood in front of it has not come to its end
        }
        Json one = {{"name", step.name}, {"kind", step.kind}, {"status", said}};
        one["depends_on"] = step.needs.empty() ? Json::array() : Json::array({step.needs});
        if (along) {
            const double share = run.planned == 0 ? 0
                                                  : static_cast<double>(processed) /
                                                        static_cast<double>(run.planned);
            one["progress"] = std::min(1.0, share);
        } else {
            one["progress"] = said == "completed" ? 1.0 : 0.0;
        }
        out.push_back(std::move(one));
    }
    return out;
}

/// Milliseconds from the start to the end, or to now; null before it starts.
Json duration_of(const Run& run, WallTime now) {
    const auto begin = parse_rfc3339(run.started_at);
    const auto end = run.completed_at.empty() ? now : parse_rfc3339(run.completed_at);
    if (!begin || !end) {
        return nullptr;
    }
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(*end - *begin);
    return std::max<std::int64_t>(0, took.count());
}

/// When it will be done at the pace it had so far; null while nobody can tell.
Json estimate(const Run& run, std::int64_t processed, WallTime now) {
    const auto begin = parse_rfc3339(run.started_at);
    if (run.state != RunState::running || !begin || processed == 0 || run.planned == 0) {
        return nullptr;
    }
    const double pace =
        std::chrono::duration<double>(now - *begin).count() / static_cast<double>(processed);
    const double left =
        pace * static_cast<double>(std::max<std::int64_t>(0, run.planned - processed));
    constexpr double kSecondsMax = 86'400.0 * 365;
    return format_rfc3339(
        now + std::chrono::duration_cast<WallTime::duration>(
                  std::chrono::duration<double>(std::min(left, kSecondsMax))
              )
    );
}

}  // namespace

std::string_view shown_state(const Run& run) {
    switch (run.state) {
        case RunState::interrupted:
            return "queued";  // it goes on when somebody resumes it
        case RunState::budget_exhausted:
            return "failed";
        default:
            return to_string(run.state);
    }
}

bool is_terminal(RunState state) {
    return state == RunState::completed || state == RunState::failed ||
           state == RunState::cancelled || state == RunState::timed_out ||
           state == RunState::budget_exhausted;
}

Result<Json> show_run(const Request& request, const Run& run) {
    LAB_TRY(const Json body, parse_json(run.body));
    LAB_TRY(
        const storage::Ledger books, storage::Journal(request.session).ledger(request.ctx, run.key)
    );
    LAB_TRY(const std::int64_t client, count_client_samples(request, run.key));
    const ClientTotals reported = ClientTotals::from(body);
    const std::int64_t processed = books.done + books.failed + client;
    const WallTime now = request.deps.clock->wall();
    Json out = Json::object();
    out["id"] = run.id;
    out["experiment_id"] = run.experiment_id;
    out["run_number"] = run.number;
    out["name"] = run.name.empty() ? "run " + std::to_string(run.number) : run.name;
    out["status"] = shown_state(run);
    out["origin"] = run.origin;
    out["config"] = body.value("config", Json::object());
    out["started_at"] = text_or_null(run.started_at);
    out["completed_at"] = text_or_null(run.completed_at);
    out["duration_ms"] = duration_of(run, now);
    out["error"] = error_of(run, body);
    out["progress"] = {
        {"total_samples", std::max(run.planned, processed)},
        {"processed_samples", processed},
        {"current_step", run.state == RunState::running ? Json("inference") : Json()},
        {"estimated_completion", estimate(run, processed, now)},
    };
    out["totals"] = {
        {"successful_samples", books.done + client - reported.failed},
        {"failed_samples", books.failed + reported.failed},
        {"total_tokens", books.usage.total() + reported.tokens},
        {"total_cost", (books.settled + reported.cost).exact()},
    };
    out["steps"] = run.origin == "engine" ? steps_of(run, processed) : Json::array();
    out["environment"] = body.value("environment", Json::object());
    LAB_TRY(out["manifest"], parse_json(run.manifest.empty() ? "{}" : run.manifest));
    out["parent_run_id"] = body.value("parent_run_id", Json());
    out["created_by"] = text_or_null(run.created_by);
    out["created_at"] = run.created_at;
    return out;
}

}  // namespace lab::service
