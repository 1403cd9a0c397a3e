#include "base/result.h"

#include <gtest/gtest.h>

namespace lab {
namespace {

Result<int> half(int n) {
    if (n % 2 != 0) {
        return Error(Code::validation, "odd");
    }
    return n / 2;
}

Result<int> quarter(int n) {
    LAB_TRY(const int h, half(n));
    LAB_CHECK(half(h));
    return half(h);
}

TEST(Result, PassesErrorsOn) {
    EXPECT_EQ(quarter(8).value(), 2);
    EXPECT_EQ(quarter(6).error().message, "odd");
    EXPECT_EQ(quarter(3).error().code, Code::validation);
}

TEST(Code, TableHasARowForEveryCode) {
    EXPECT_EQ(info(Code::bad_request).http_status, 400);
    EXPECT_EQ(info(Code::internal).http_status, 500);
    EXPECT_EQ(info(Code::internal).wire_name, "INTERNAL_ERROR");
    EXPECT_EQ(info(Code::validation).exit_code, 2);
    EXPECT_EQ(info(Code::cancelled).exit_code, 130);
    EXPECT_TRUE(info(Code::rate_limited).retryable);
}

}  // namespace
}  // namespace lab
