#include "api/admission.h"

namespace lab::api {
namespace {

/// Once refused, work is taken again when the load is this much below the limit.
constexpr double kBack = 0.95;

/// Whether `value` is over `limit`; who is over it already stays so until it is clearly below.
bool is_over(bool before, double value, double limit) {
    return value >= (before ? limit * kBack : limit);
}

}  // namespace

void Admission::observe(const Load& load) {
    const auto waiting = static_cast<double>(load.waiting);
    const auto waiting_max = static_cast<double>(limits_.waiting_max);
    const bool background = refuses_background_;
    refuses_background_ = is_over(background, load.cpu, limits_.cpu_max) ||
                          is_over(background, load.memory, limits_.memory_max) ||
                          is_over(background, waiting, waiting_max);
    const bool normal = refuses_normal_;
    const double memory_end = (1 + limits_.memory_max) / 2;
    refuses_normal_ =
        is_over(normal, load.memory, memory_end) || is_over(normal, waiting, waiting_max);
}

bool Admission::admits(Priority priority) const {
    switch (priority) {
        case Priority::critical:
            return true;
        case Priority::normal:
            return !refuses_normal_;
        case Priority::background:
            break;
    }
    return !refuses_background_;
}

bool Admission::is_fresh(Priority priority, Duration waited) const {
    return priority == Priority::critical || waited <= limits_.wait_max;
}

std::string_view to_string(Priority priority) {
    switch (priority) {
        case Priority::critical:
            return "critical";
        case Priority::normal:
            return "normal";
        case Priority::background:
            break;
    }
    return "background";
}

}  // namespace lab::api
