#include "storage/objects/s3_address.h"

#include <gtest/gtest.h>

namespace lab::storage {
namespace {

using Style = S3Place::Style;

TEST(S3Address, ABucketStandsWhereItsServerWantsIt) {
    const S3Place amazon{.bucket = "lab", .region = "eu-west-1"};
    EXPECT_EQ(s3_url(amazon, "a/b.c"), "https://lab.s3.eu-west-1.amazonaws.com/a/b.c");
    EXPECT_EQ(s3_url(amazon, ""), "https://lab.s3.eu-west-1.amazonaws.com/");
    const S3Place china{.bucket = "lab", .region = "cn-north-1"};
    EXPECT_EQ(s3_url(china, "a"), "https://lab.s3.cn-north-1.amazonaws.com.cn/a");
    // The certificate *.s3.REGION.amazonaws.com does not cover it.
    const S3Place dotted{.bucket = "lab.prod"};
    EXPECT_EQ(s3_url(dotted, "a"), "https://s3.us-east-1.amazonaws.com/lab.prod/a");
    const S3Place other{.bucket = "lab", .endpoint = "http://127.0.0.1:7070"};
    EXPECT_EQ(s3_url(other, "a"), "http://127.0.0.1:7070/lab/a");
    EXPECT_EQ(s3_url(other, ""), "http://127.0.0.1:7070/lab");
    const S3Place below{.bucket = "lab", .endpoint = "https://x.example.org/s3/"};
    EXPECT_EQ(s3_url(below, "a"), "https://x.example.org/s3/lab/a");
    const S3Place host{.bucket = "lab", .endpoint = "https://x.org:9000", .style = Style::host};
    EXPECT_EQ(s3_url(host, "a"), "https://lab.x.org:9000/a");
    const S3Place path{.bucket = "lab", .style = Style::path};
    EXPECT_EQ(s3_url(path, "a"), "https://s3.us-east-1.amazonaws.com/lab/a");
}

TEST(S3Address, KeysAndQueriesAreEncodedOnce) {
    const S3Place place{.bucket = "b", .endpoint = "http://h"};
    EXPECT_EQ(s3_url(place, "a b/\xC3\xA9+%41"), "http://h/b/a%20b/%C3%A9%2B%2541");
    EXPECT_EQ(
        s3_url(place, "k", {{"uploadId", "x+/="}, {"partNumber", "1"}}),
        "http://h/b/k?partNumber=1&uploadId=x%2B%2F%3D"
    );
    EXPECT_EQ(s3_url(place, "", {{"prefix", "a/"}}), "http://h/b?prefix=a%2F");
    EXPECT_EQ(s3_url(place, "k", {{"uploads", ""}}), "http://h/b/k?uploads=");
}

TEST(S3Address, KeysThatServersReadDifferentlyAreRefused) {
    for (const char* good :
         {"a", "a/b/c.jsonl", "a/.hidden", "a/..b", "\xC3\xA9/x y(1).txt", "~"}) {
        EXPECT_TRUE(check_s3_key(good)) << good;
    }
    for (const std::string& bad :
         {std::string(),
          std::string("/a"),
          std::string("a/"),
          std::string("a//b"),
          std::string("a/../b"),
          std::string(".."),
          std::string("a/./b"),
          std::string("a\nb"),
          std::string("a\0b", 3),
          std::string("\xff"),
          std::string(1025, 'a')}) {
        const Status checked = check_s3_key(bad);
        ASSERT_FALSE(checked) << bad;
        EXPECT_EQ(checked.error().code, Code::validation);
    }
    EXPECT_TRUE(check_s3_key(std::string(1024, 'a')));
}

}  // namespace
}  // namespace lab::storage
