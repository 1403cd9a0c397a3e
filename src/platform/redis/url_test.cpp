#include "platform/redis/url.h"

#include <gtest/gtest.h>

namespace lab::redis {
namespace {

TEST(RedisUrl, SaysWhereWhoAndWhich) {
    auto url = parse_url("rediss://ann:p%40ss@cache.example:6380,other/3");
    ASSERT_TRUE(url);
    EXPECT_TRUE(url->tls);
    EXPECT_EQ(url->user, "ann");
    EXPECT_EQ(url->password, "p@ss");
    EXPECT_EQ(url->database, 3);
    EXPECT_EQ(url->hosts, (std::vector<Address>{{"cache.example", 6380}, {"other", 6379}}));
    url = parse_url("redis://redis.cluster.internal:6379");
    ASSERT_TRUE(url);
    EXPECT_FALSE(url->tls);
    EXPECT_EQ(url->password + url->user, "");
    EXPECT_EQ(url->hosts, (std::vector<Address>{{"redis.cluster.internal", 6379}}));
    url = parse_url("redis://:only/slash@[::1]:7000/");
    ASSERT_TRUE(url);
    EXPECT_EQ(url->password, "only/slash");
    EXPECT_EQ(url->hosts, (std::vector<Address>{{"::1", 7000}}));
}

TEST(RedisUrl, WhatItCannotMeanIsRefusedWithoutASecret) {
    for (const char* bad :
         {"http://a",
          "redis://",
          "redis://hunter2@host",
          "redis://user:@host",
          "redis://:hunter2%zz@host",
          "redis://:hunter2@host:0",
          "redis://:hunter2@host:70000",
          "redis://:hunter2@ho st",
          "redis://:hunter2@host/first",
          "redis://:hunter2@host?tls=1",
          "redis://:hunter2@[::1",
          "redis://:hunter2@[::1]x",
          "redis://:hunter2@a,,b"}) {
        const auto url = parse_url(bad);
        ASSERT_FALSE(url) << bad;
        EXPECT_EQ(url.error().code, Code::validation);
        EXPECT_EQ(url.error().message.find("hunter2"), std::string::npos) << url.error().message;
    }
}

}  // namespace
}  // namespace lab::redis
