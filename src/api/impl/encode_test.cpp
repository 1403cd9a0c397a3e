#include "api/impl/encode.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace lab::api {
namespace {

std::string address(
    const std::string& peer, const std::vector<std::string>& fields, const char* name
) {
    http::RequestHead head;
    head.peer.address = peer;
    for (const std::string& field : fields) {
        head.headers.emplace_back(name, field);
    }
    return client_address(head, {"10.0.0.1", "10.0.0.2"});
}

TEST(ClientAddress, IsThePeerUnlessThePeerIsAProxyThatIsTrusted) {
    EXPECT_EQ(address("192.0.2.7", {"198.51.100.1"}, "X-Forwarded-For"), "192.0.2.7");
    EXPECT_EQ(address("10.0.0.1", {}, "X-Forwarded-For"), "10.0.0.1");
    EXPECT_EQ(address("10.0.0.1", {"198.51.100.1"}, "x-forwarded-for"), "198.51.100.1");
}

TEST(ClientAddress, IsTheLastHopThatNoProxyAdded) {
    EXPECT_EQ(
        address("10.0.0.1", {"203.0.113.9, 198.51.100.1, 10.0.0.2"}, "X-Forwarded-For"),
        "198.51.100.1"
    );
    EXPECT_EQ(address("10.0.0.1", {"10.0.0.2, ,"}, "X-Forwarded-For"), "10.0.0.1");
}

TEST(ClientAddress, OfSeveralFieldsComesFromTheLast) {
    // The first is what the client itself may have sent.
    EXPECT_EQ(
        address("10.0.0.1", {"203.0.113.9", "198.51.100.1"}, "X-Forwarded-For"), "198.51.100.1"
    );
}

TEST(ClientAddress, IsShortAndUtf8WhateverTheFieldHolds) {
    const std::string got = address("10.0.0.1", {std::string(500, '\xff')}, "X-Forwarded-For");
    EXPECT_LE(got.size(), 3U * 64);
    EXPECT_EQ(got.find('\xff'), std::string::npos);
}

}  // namespace
}  // namespace lab::api
