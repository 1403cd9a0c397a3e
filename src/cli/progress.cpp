#include "cli/progress.h"

#include "base/text.h"

#include <algorithm>
#include <cmath>

namespace lab::cli {
namespace {

constexpr Duration kPlainEvery = std::chrono::seconds(5);

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

std::string ProgressDisplay::line(const service::Progress& p) const {
    const auto planned = static_cast<double>(p.planned);
    const std::int64_t finished = p.already + p.done + p.failed;
    const double share = planned > 0 ? static_cast<double>(finished) / planned : 1;
    const double elapsed = std::chrono::duration<double>(p.elapsed).count();
    const double rate = elapsed > 0 ? static_cast<double>(p.done + p.failed) / elapsed : 0;
    std::string out;
    if (console_.err_is_terminal) {
        out += bar(share, 24) + " ";
    }
    char text[160];
    std::snprintf(text, sizeof text, "%3.0f %% ", std::floor(share * 100));
    out += text;
    out += std::to_string(finished) + "/" + std::to_string(p.planned);
    out += "  " + short_count(rate) + "/s";
    if (rate > 0 && finished < p.planned) {
        out += "  ETA " + clock_text((planned - static_cast<double>(finished)) / rate);
    }
    if (p.tokens > 0) {
        out += "  " + short_count(static_cast<double>(p.tokens)) + " tokens";
    }
    if (p.unpriced > 0 || !p.cost.is_zero()) {
        out += p.unpriced > 0 ? std::string("  cost n/a") : "  $" + p.cost.rounded(4);
    }
    if (p.cached > 0) {
        out += "  " + short_count(static_cast<double>(p.cached)) + " cached";
    }
    if (p.retries > 0) {
        out += "  " + std::to_string(p.retries) + " retries";
    }
    if (p.failed > 0) {
        out += "  " + std::to_string(p.failed) + " failed";
    }
    if (p.stopping) {
        out += "  stopping: " + std::to_string(p.in_flight) + " in flight (Ctrl-C again: stop now)";
    } else if (p.waiting > 0 && p.in_flight == 0) {
        out += "  waiting to retry";
    }
    return out;
}

void ProgressDisplay::show(const service::Progress& progress) {
    if (console_.err_is_terminal) {
        // Return, line, clear to the end.
        (void)write_all(console_.err, "\r" + line(progress) + "\033[K");
        drawn_ = true;
    } else if (progress.elapsed - last_plain_ >= kPlainEvery) {
        last_plain_ = progress.elapsed;
        note(console_, line(progress));
    }
}

void ProgressDisplay::finish(const service::Progress& progress) {
    if (console_.err_is_terminal) {
        if (drawn_) {
            (void)write_all(console_.err, "\r\033[K");
        }
    } else {
        note(console_, line(progress));
    }
}

}  // namespace lab::cli
