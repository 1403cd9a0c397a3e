#include "api/impl/file_reply.h"

#include <gtest/gtest.h>

namespace lab::api {
namespace {

std::string range(std::string_view header, std::int64_t size) {
    const auto found = parse_range(header, size);
    return found ? std::to_string(found->first) + "-" + std::to_string(found->last) : "all";
}

TEST(FileRange, IsReadAsTheStandardSays) {
    EXPECT_EQ(range("bytes=0-99", 1000), "0-99");
    EXPECT_EQ(range("Bytes=10-", 1000), "10-999");
    EXPECT_EQ(range("bytes=-5", 1000), "995-999");
    EXPECT_EQ(range("bytes=-5000", 1000), "0-999");
    EXPECT_EQ(range("bytes=990-5000", 1000), "990-999");
    EXPECT_EQ(range("bytes=0-0", 1000), "0-0");
}

TEST(FileRange, ThatIsNoneAsksForAll) {
    for (const char* header :
         {"",
          "bytes",
          "bytes=",
          "bytes=-",
          "bytes=5-3",
          "bytes=a-b",
          "lines=1-2",
          "bytes=1-2,4-5",
          "bytes=--5",
          "bytes=99999999999999999999-"}) {
        EXPECT_EQ(range(header, 1000), "all") << header;
    }
}

TEST(FileRange, BeyondTheEndIsKnown) {
    EXPECT_EQ(range("bytes=1000-", 1000), "1000-999");
    EXPECT_EQ(range("bytes=-0", 1000), "1000-999");
    EXPECT_EQ(range("bytes=0-", 0), "0--1");
}

}  // namespace
}  // namespace lab::api
