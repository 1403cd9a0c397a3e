#include "domain/experiment.h"

#include <algorithm>
#include <array>

namespace lab::domain {
namespace {

using enum ExperimentState;

constexpr std::array<std::string_view, 8> kNames{
    "draft", "ready", "running", "paused", "completed", "failed", "cancelled", "archived"
};

const std::array<std::vector<ExperimentState>, 8>& table() {
    static const std::array<std::vector<ExperimentState>, 8> kAfter{{
        {ready, running, archived},
        {running, draft, archived},
        {paused, completed, failed, cancelled},
        {running, completed, failed, cancelled, archived},
        {running, archived},
        {running, archived},
        {running, archived},
        {ready},
    }};
    return kAfter;
}

}  // namespace

std::string_view to_string(ExperimentState state) {
    return kNames[static_cast<std::size_t>(state)];
}

std::optional<ExperimentState> experiment_state_from(std::string_view text) {
    const auto at = std::ranges::find(kNames, text);
    return at == kNames.end() ? std::nullopt
                              : std::optional(static_cast<ExperimentState>(at - kNames.begin()));
}

const std::vector<ExperimentState>& states_after(ExperimentState state) {
    return table()[static_cast<std::size_t>(state)];
}

bool may_follow(ExperimentState from, ExperimentState to) {
    const auto& after = states_after(from);
    return from == to || std::ranges::find(after, to) != after.end();
}

}  // namespace lab::domain
