#include "cli/progress.h"

#include "base/text.h"
#include "report/terminal.h"

#include <sys/ioctl.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <vector>

namespace lab::cli {
namespace {

constexpr Duration kPlainEvery = std::chrono::seconds(5);
/// Between plain lines that changes ask for: several models may wait in turn.
constexpr Duration kPlainPause = std::chrono::seconds(1);
/// Shorter waits are how a run breathes, nothing to tell.
constexpr Duration kWaitMin = std::chrono::seconds(1);

std::string bar(double share, int width) {
    const int full = static_cast<int>(std::floor(share * width));
    std::string out;
    for (int i = 0; i < width; ++i) {
        out += i < full ? "\u2501" : "\u2500";
    }
    return out;
}

std::string short_count(double n) {
    char text[32];
    if (n < 10'000) {
        std::snprintf(text, sizeof text, "%.0f", n);
    } else if (n < 10'000'000) {
        std::snprintf(text, sizeof text, "%.1fk", n / 1000);
    } else {
        std::snprintf(text, sizeof text, "%.1fM", n / 1'000'000);
    }
    return text;
}

/// The columns of the terminal behind err, which may be another than that of out.
int columns_of(const Console& console) {
    winsize size{};
    const bool known = ::ioctl(::fileno(console.err), TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    return known ? size.ws_col : console.width;
}

bool is_told(const service::LaneProgress& lane) {
    switch (lane.state) {
        case service::LaneState::working:
        case service::LaneState::done:
            return false;
        case service::LaneState::own_limit:
        case service::LaneState::retrying:
        case service::LaneState::rate_limited:
            return lane.next_in && *lane.next_in >= kWaitMin;
        case service::LaneState::no_budget:
        case service::LaneState::broken:
        case service::LaneState::given_up:
            break;
    }
    return true;
}

/// What passes comes before what is lost for good: that is told again at the end.
int weight(service::LaneState state) {
    return state == service::LaneState::given_up ? 1 : 2 + static_cast<int>(state);
}

/// The lane that most needs an explanation, and how many others do.
struct Held {
    const service::LaneProgress* lane = nullptr;
    int others = 0;
};
Held held_up(const service::Progress& progress) {
    Held held;
    for (const service::LaneProgress& lane : progress.lanes) {
        if (is_told(lane)) {
            held.others += held.lane != nullptr ? 1 : 0;
            if (held.lane == nullptr || weight(lane.state) > weight(held.lane->state)) {
                held.lane = &lane;
            }
        }
    }
    return held;
}

/// What happens beside the figures, or does not.
std::string state_words(const service::Progress& p) {
    if (p.stopping) {
        return p.in_flight > 0 ? "stopping: " + std::to_string(p.in_flight) +
                                     " in flight (Ctrl-C again: stop now)"
                               : std::string("stopping: storing what was answered");
    }
    const Held held = held_up(p);
    if (held.lane == nullptr) {
        return {};
    }
    return report::printable(service::lane_words(*held.lane)) +
           (held.others > 0 ? " (+" + std::to_string(held.others) + ")" : "");
}

struct Segment {
    std::string text;
    int weight;  ///< the lightest goes first when there is no room; kStays = never
};
constexpr int kStays = 100;

std::vector<Segment> segments_of(const service::Progress& p, const ProgressStyle& style) {
    const auto planned = static_cast<double>(p.planned);
    const std::int64_t finished = p.already + p.done + p.failed;
    const double share = planned > 0 ? static_cast<double>(finished) / planned : 1;
    const double elapsed = std::chrono::duration<double>(p.elapsed).count();
    const double rate = elapsed > 0 ? static_cast<double>(p.done + p.failed) / elapsed : 0;
    std::vector<Segment> out;
    if (style.bar) {
        out.push_back({bar(share, 24), 5});
    }
    char text[64];
    std::snprintf(text, sizeof text, "%3.0f %% ", std::floor(share * 100));
    out.push_back({text + std::to_string(finished) + "/" + std::to_string(p.planned), kStays});
    out.push_back({short_count(rate) + "/s", 4});
    if (rate > 0 && finished < p.planned && !style.ended) {
        out.push_back({"ETA " + clock_text((planned - static_cast<double>(finished)) / rate), 7});
    }
    if (p.tokens > 0) {
        out.push_back({short_count(static_cast<double>(p.tokens)) + " tokens", 1});
    }
    if (p.unpriced > 0 || !p.cost.is_zero()) {
        out.push_back({p.unpriced > 0 ? std::string("cost n/a") : "$" + p.cost.rounded(4), 6});
    }
    if (p.cached > 0) {
        out.push_back({short_count(static_cast<double>(p.cached)) + " cached", 2});
    }
    if (p.retries > 0) {
        out.push_back({std::to_string(p.retries) + " retries", 3});
    }
    if (p.failed > 0) {
        out.push_back({std::to_string(p.failed) + " failed", 8});
    }
    if (std::string words = style.ended ? "" : state_words(p); !words.empty()) {
        out.push_back({std::move(words), kStays});
    }
    return out;
}

std::string joined(const std::vector<Segment>& segments) {
    std::string out;
    for (const Segment& segment : segments) {
        out += (out.empty() ? "" : "  ") + segment.text;
    }
    return out;
}

}  // namespace

std::string clock_text(double seconds) {
    const auto total = static_cast<long long>(std::max(0.0, std::round(seconds)));
    char text[32];
    if (total >= 3600) {
        std::snprintf(
            text, sizeof text, "%lld:%02lld:%02lld", total / 3600, total / 60 % 60, total % 60
        );
    } else {
        std::snprintf(text, sizeof text, "%lld:%02lld", total / 60, total % 60);
    }
    return text;
}

std::string progress_line(const service::Progress& progress, const ProgressStyle& style) {
    std::vector<Segment> segments = segments_of(progress, style);
    std::string out = joined(segments);
    const auto columns = static_cast<std::size_t>(std::max(0, style.columns));
    while (columns > 0 && count_code_points(out) > columns) {
        const auto lightest = std::ranges::min_element(segments, {}, &Segment::weight);
        if (lightest->weight == kStays) {
            std::u32string cut = to_code_points(out).substr(0, columns - 1);
            return to_utf8(cut) + "\u2026";
        }
        segments.erase(lightest);
        out = joined(segments);
    }
    return out;
}

void ProgressDisplay::show(const service::Progress& progress) {
    if (console_.err_is_terminal) {
        // Return, line, clear to the end. A line that fills the last column might wrap.
        const ProgressStyle style{.columns = std::max(20, columns_of(console_)) - 1, .bar = true};
        (void)write_all(console_.err, "\r" + progress_line(progress, style) + "\033[K");
        drawn_ = true;
        return;
    }
    const Held held = held_up(progress);
    const std::string reason = held.lane != nullptr ? service::lane_reason(*held.lane) : "";
    const bool news =
        (!reason.empty() && reason != last_reason_) || (progress.stopping && !said_stopping_);
    const Duration quiet = progress.elapsed - last_plain_.value_or(Duration(0));
    if (quiet >= kPlainEvery || (news && (quiet >= kPlainPause || !last_plain_))) {
        last_plain_ = progress.elapsed;
        last_reason_ = reason.empty() ? last_reason_ : reason;
        said_stopping_ = progress.stopping;
        note(console_, progress_line(progress, {}));
    }
}

void ProgressDisplay::say(std::string_view line) {
    if (drawn_) {
        (void)write_all(console_.err, "\r\033[K");
        drawn_ = false;
    }
    note(console_, line);
}

void ProgressDisplay::finish(const service::Progress& progress) {
    if (console_.err_is_terminal) {
        if (drawn_) {
            (void)write_all(console_.err, "\r\033[K");
        }
    } else {
        note(console_, progress_line(progress, {.ended = true}));
    }
}

}  // namespace lab::cli
