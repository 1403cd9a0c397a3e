#include "base/ctx.h"

#include "support/manual_clock.h"

#include <gtest/gtest.h>

namespace lab {
namespace {
using namespace std::chrono_literals;

TEST(Ctx, ChildNeverOutlivesItsParent) {
    test::ManualClock clock;
    const Ctx parent = Ctx(clock).within(1s);
    EXPECT_EQ(parent.within(5s).deadline(), parent.deadline());
    EXPECT_EQ(parent.within(200ms).remaining(), 200ms);
}

TEST(Ctx, ReportsDeadlineAndCancellation) {
    test::ManualClock clock;
    const Ctx ctx = Ctx(clock).within(1s);
    EXPECT_TRUE(ctx.check());
    clock.advance(1s);
    EXPECT_EQ(ctx.check().error().code, Code::timed_out);
    EXPECT_EQ(ctx.remaining(), 0s);
    ctx.token().cancel(CancelReason::user);
    ctx.token().cancel(CancelReason::shutdown);
    EXPECT_EQ(ctx.token().reason(), CancelReason::user) << "the first reason wins";
    EXPECT_EQ(ctx.check().error().code, Code::cancelled);
}

TEST(Clock, FormatsWallTimeAsRfc3339) {
    EXPECT_EQ(
        format_rfc3339(WallTime(std::chrono::microseconds(0))), "1970-01-01T00:00:00.000000Z"
    );
    EXPECT_EQ(
        format_rfc3339(WallTime(std::chrono::microseconds(1'700'000'000'123'456))),
        "2023-11-14T22:13:20.123456Z"
    );
    EXPECT_EQ(
        format_rfc3339(WallTime(std::chrono::microseconds(-1))), "1969-12-31T23:59:59.999999Z"
    );
}

}  // namespace
}  // namespace lab
