#pragma once
#include "engine/lane_status.h"

#include <optional>
#include <string>

namespace lab::service {

using engine::LaneState;

/// What one model of a run is doing, or why it does nothing.
struct LaneProgress {
    std::string model;  ///< its id in the experiment
    LaneState state = LaneState::working;
    std::optional<Duration> next_in;  ///< when it may go on, where that is known
    std::string last_error;           ///< as LaneStatus::last_error
};

LaneProgress lane_progress(const engine::LaneStatus& status, TimePoint now);

/// Why nothing is sent to the model, for people: "m answers 500". Empty while it works or is done.
std::string lane_reason(const LaneProgress& lane);

/// The reason and when it goes on: "m answers 500; next try in 57 s".
std::string lane_words(const LaneProgress& lane);

}  // namespace lab::service
