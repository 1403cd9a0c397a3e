#include "domain/run.h"

#include <array>
#include <utility>

namespace lab::domain {
namespace {
constexpr std::array<std::pair<RunState, std::string_view>, 9> kStates{{
    {RunState::pending, "pending"},
    {RunState::running, "running"},
    {RunState::completed, "completed"},
    {RunState::failed, "failed"},
    {RunState::interrupted, "interrupted"},
    {RunState::budget_exhausted, "budget_exhausted"},
    {RunState::cancelled, "cancelled"},
    {RunState::queued, "queued"},
    {RunState::timed_out, "timed_out"},
}};
}  // namespace

std::string_view to_string(RunState state) {
    return kStates[static_cast<std::size_t>(state)].second;
}

std::optional<RunState> run_state_from(std::string_view text) {
    for (const auto& [state, name] : kStates) {
        if (name == text) {
            return state;
        }
    }
    return std::nullopt;
}

}  // namespace lab::domain
