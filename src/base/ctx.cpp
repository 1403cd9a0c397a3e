#include "base/ctx.h"

namespace lab {

Duration Ctx::remaining() const {
    if (!has_deadline()) {
        return Duration::max();
    }
    const TimePoint now = clock_->now();
    return now < deadline_ ? deadline_ - now : Duration::zero();
}

Status Ctx::check() const {
    switch (token_.reason()) {
        case CancelReason::none:
            break;
        case CancelReason::user:
            return Error(Code::cancelled, "interrupted");
        case CancelReason::deadline:
            return Error(Code::timed_out, "the deadline passed");
        case CancelReason::budget:
            return Error(Code::budget_exceeded, "the budget is spent");
        case CancelReason::shutdown:
            return Error(Code::cancelled, "shutting down");
    }
    if (has_deadline() && clock_->now() >= deadline_) {
        return Error(Code::timed_out, "the deadline passed");
    }
    return ok();
}

}  // namespace lab
