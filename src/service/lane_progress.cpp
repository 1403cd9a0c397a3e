#include "service/lane_progress.h"

#include "base/text.h"

#include <cmath>

namespace lab::service {
namespace {

constexpr std::size_t kReasonBytesMax = 160;

/// "57 s", "12 min", "3 h"; rounded up, so that it never says "0 s".
std::string wait_text(Duration wait) {
    const double seconds = std::max(1.0, std::chrono::duration<double>(wait).count());
    struct Unit {
        double below;
        double seconds;
        const char* name;
    };
    constexpr Unit kUnits[] = {{120, 1, " s"}, {7200, 60, " min"}, {INFINITY, 3600, " h"}};
    const Unit* unit = kUnits;
    while (seconds >= unit->below) {
        ++unit;
    }
    return std::to_string(std::llround(std::ceil(seconds / unit->seconds))) + unit->name;
}

}  // namespace

LaneProgress lane_progress(const engine::LaneStatus& status, TimePoint now) {
    LaneProgress out{
        .model = status.name, .state = status.state, .next_in = {}, .last_error = status.last_error
    };
    if (status.until > now) {
        out.next_in = status.until - now;
    }
    return out;
}

std::string lane_reason(const LaneProgress& lane) {
    switch (lane.state) {
        case LaneState::working:
        case LaneState::done:
            break;
        case LaneState::own_limit:
            return lane.model + ": held to its limits per minute";
        case LaneState::no_budget:
            return lane.model + ": waits for the budget";
        case LaneState::rate_limited:
            return lane.model + ": rate limited by the server";
        case LaneState::given_up:
            return shorten("given up: " + lane.last_error, kReasonBytesMax);
        case LaneState::retrying:
        case LaneState::broken: {
            const bool says_what_it_answers = lane.last_error.starts_with("answers ");
            return shorten(
                lane.model + (says_what_it_answers ? " " : ": ") + lane.last_error, kReasonBytesMax
            );
        }
    }
    return {};
}

std::string lane_words(const LaneProgress& lane) {
    std::string words = lane_reason(lane);
    if (words.empty() || !lane.next_in) {
        return words;
    }
    const bool failed = lane.state == LaneState::broken || lane.state == LaneState::retrying;
    return words + (failed ? "; next try in " : ", next call in ") + wait_text(*lane.next_in);
}

}  // namespace lab::service
