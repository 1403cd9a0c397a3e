#include "platform/crypto/signing_keys.h"

#include "platform/crypto/mac.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>

namespace lab {
namespace {

TEST(SigningKeysTest, EachReplicaTakesWhatAnotherSigned) {
    const SigningKeys one("secret");
    const SigningKeys other("secret");
    const std::string mac = one.sign("text");
    EXPECT_EQ(mac.size(), 32U);
    EXPECT_TRUE(other.accept("text", mac));
    EXPECT_TRUE(other.accept("text", mac.substr(0, 16)));
    EXPECT_FALSE(other.accept("text", mac.substr(0, 15))) << "too short to mean anything";
    EXPECT_FALSE(other.accept("text", mac + "x"));
    EXPECT_FALSE(other.accept("text", ""));
    EXPECT_FALSE(other.accept("another text", mac));
    EXPECT_FALSE(SigningKeys("another secret").accept("text", mac));
    EXPECT_NE(mac, hmac_sha256("secret", "text")) << "the secret signs tokens; this is no token";
}

TEST(SigningKeysTest, WhatASecretSignedCountsUntilTheSecondRotation) {
    SigningKeys keys("first");
    const std::string mac = keys.sign("text");
    keys.use("second", "first");
    EXPECT_TRUE(keys.accept("text", mac));
    EXPECT_NE(keys.sign("text"), mac);
    EXPECT_EQ(keys.sign("text"), SigningKeys("second").sign("text"));
    EXPECT_EQ(keys.keys()->size(), 2U);
    // One that was started after the rotation.
    EXPECT_TRUE(SigningKeys("second", "first").accept("text", mac));
    keys.use("third", "second");
    EXPECT_FALSE(keys.accept("text", mac));
    keys.use("third", "third");
    EXPECT_EQ(keys.keys()->size(), 1U);
}

TEST(SigningKeysTest, ARotationMeetsNobodyHalfWay) {
    SigningKeys keys("first");
    std::atomic<bool> stop = false;
    std::thread rotating([&] {
        for (int i = 0; i < 200; ++i) {
            keys.use(i % 2 == 0 ? "second" : "first", i % 2 == 0 ? "first" : "second");
        }
        stop = true;
    });
    while (!stop) {
        EXPECT_TRUE(keys.accept("text", keys.sign("text")));
    }
    rotating.join();
}

}  // namespace
}  // namespace lab
