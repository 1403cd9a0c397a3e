#include "platform/redis/slots.h"

#include <gtest/gtest.h>

namespace lab::redis {
namespace {

Value parsed(std::string_view bytes) {
    ReplyReader reader;
    reader.feed(bytes);
    auto value = reader.next();
    EXPECT_TRUE(value && *value);
    return value && *value ? **value : Value();
}

// The specification's own check value, and what CLUSTER KEYSLOT of a Redis 7.0 server answers.
TEST(Slots, AreThoseOfTheSpecification) {
    EXPECT_EQ(slot_of("123456789"), 0x31c3);
    EXPECT_EQ(slot_of("foo"), 12182);
    EXPECT_EQ(slot_of("bar"), 5061);
    EXPECT_EQ(slot_of("hello"), 866);
    EXPECT_EQ(slot_of(""), 0);
}

TEST(Slots, OnlyWhatStandsInBracesCounts) {
    EXPECT_EQ(slot_of("{user1000}.following"), slot_of("user1000"));
    EXPECT_EQ(slot_of("a{b}{c}"), slot_of("b"));
    EXPECT_EQ(slot_of("foo{{bar}}zap"), slot_of("{bar"));
    EXPECT_NE(slot_of("foo{}{bar}"), slot_of("bar"));
    EXPECT_NE(slot_of("foo{bar"), slot_of("bar"));
}

TEST(SlotMaps, AreReadAndChanged) {
    const Address asked{"10.0.0.9", 6379};
    auto map = SlotMap::read(
        parsed("*2\r\n*4\r\n:0\r\n:99\r\n*3\r\n$8\r\n10.0.0.1\r\n:7000\r\n$2\r\nid\r\n"
               "*3\r\n$8\r\n10.0.0.2\r\n:7001\r\n$2\r\nid\r\n"
               "*3\r\n:200\r\n:300\r\n*2\r\n$0\r\n\r\n:7002\r\n"),
        asked
    );
    ASSERT_TRUE(map);
    ASSERT_NE(map->owner(99), nullptr);
    EXPECT_EQ(*map->owner(99), (Address{"10.0.0.1", 7000}));
    EXPECT_EQ(map->owner(100), nullptr);
    ASSERT_NE(map->owner(300), nullptr);
    EXPECT_EQ(*map->owner(300), (Address{"10.0.0.9", 7002}))
        << "a node without a name is the one asked";
    EXPECT_EQ(map->assigned(), 201U);
    EXPECT_EQ(map->masters().size(), 2U);
    map->set_owner(100, {"10.0.0.1", 7000});
    EXPECT_EQ(*map->owner(100), (Address{"10.0.0.1", 7000}));
    EXPECT_EQ(map->masters().size(), 2U);
}

TEST(SlotMaps, WhatIsNoneIsRefused) {
    for (const char* bad :
         {"+OK\r\n",
          "*1\r\n:1\r\n",
          "*1\r\n*3\r\n:0\r\n:16384\r\n*2\r\n+a\r\n:1\r\n",
          "*1\r\n*3\r\n:-1\r\n:1\r\n*2\r\n+a\r\n:1\r\n",
          "*1\r\n*3\r\n:0\r\n:1\r\n*2\r\n+a\r\n:0\r\n",
          "*1\r\n*3\r\n:0\r\n:1\r\n*1\r\n+a\r\n"}) {
        EXPECT_FALSE(SlotMap::read(parsed(bad), {"a", 1})) << bad;
    }
}

TEST(Redirects, SayWhereTheSlotIs) {
    const Address asked{"10.0.0.9", 6379};
    const auto moved = redirect_of(parsed("-MOVED 3999 127.0.0.1:6381\r\n"), asked);
    ASSERT_TRUE(moved);
    EXPECT_FALSE(moved->is_ask);
    EXPECT_EQ(moved->slot, 3999);
    EXPECT_EQ(moved->to, (Address{"127.0.0.1", 6381}));
    const auto ask = redirect_of(parsed("-ASK 1 :6381\r\n"), asked);
    ASSERT_TRUE(ask);
    EXPECT_TRUE(ask->is_ask);
    EXPECT_EQ(ask->to, (Address{"10.0.0.9", 6381}));
    const auto six = redirect_of(parsed("-MOVED 1 2001:db8::1:6381\r\n"), asked);
    ASSERT_TRUE(six);
    EXPECT_EQ(six->to, (Address{"2001:db8::1", 6381}));
    for (const char* other :
         {"-ERR no\r\n",
          "-MOVED\r\n",
          "-MOVED 1\r\n",
          "-MOVED x a:1\r\n",
          "-MOVED 16384 a:1\r\n",
          "-MOVED 1 a:0\r\n",
          "-MOVED 1 a:x\r\n",
          "-MOVED 1 a\r\n",
          "+MOVED 1 a:1\r\n"}) {
        EXPECT_FALSE(redirect_of(parsed(other), asked)) << other;
    }
}

}  // namespace
}  // namespace lab::redis
