#pragma once
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

/// The life of an experiment of the service: which state may follow which.
namespace lab::domain {

enum class ExperimentState : std::uint8_t {
    draft,
    ready,
    running,
    paused,
    completed,
    failed,
    cancelled,
    archived,
};
std::string_view to_string(ExperimentState state);
std::optional<ExperimentState> experiment_state_from(std::string_view text);

/// States that may follow; a state may always follow itself.
const std::vector<ExperimentState>& states_after(ExperimentState state);
bool may_follow(ExperimentState from, ExperimentState to);

}  // namespace lab::domain
