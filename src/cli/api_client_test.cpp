#include "cli/api_client.h"

#include <gtest/gtest.h>

#include <deque>

namespace lab::cli {
namespace {

/// Answers what it is told to, in order, and remembers what it was asked.
class FakeTransport final : public Transport {
  public:
    ApiResponse send(const ApiRequest& request) override {
        asked.push_back(request);
        ApiResponse out = answers.empty() ? ApiResponse{.status = 200} : answers.front();
        if (!answers.empty()) {
            answers.pop_front();
        }
        return out;
    }
    ApiResponse stream(const ApiRequest& request, const Sink& sink) override {
        ApiResponse out = send(request);
        if (out.status == 200) {
            sink(out.body);
        }
        return out;
    }
    void stop() override {}
    void pause(Duration how_long) override { pauses.push_back(how_long); }
    void on_interrupt(std::function<void()>) override {}
    std::string where() const override { return "the server http://fake"; }
    std::string url() const override { return "http://fake"; }

    std::vector<ApiRequest> asked;
    std::deque<ApiResponse> answers;
    std::vector<Duration> pauses;
};

ApiResponse no_connection() {
    return {.failure = http::TransferFailure::connect, .failure_message = "refused"};
}

ApiResponse broken_off() {
    return {.failure = http::TransferFailure::closed, .failure_message = "reset"};
}

struct Fixture {
    FakeTransport transport;
    RandomUuids uuids;
    ApiClient client{transport, uuids, {}};
};

TEST(ApiClient, TriesAgainWithoutAConnectionAndWaitsLongerEachTime) {
    Fixture f;
    f.transport.answers = {no_connection(), no_connection(), {.status = 200, .body = "[1]"}};
    const auto answer = f.client.post("/models", {{"name", "m"}});
    ASSERT_TRUE(answer);
    EXPECT_EQ(*answer, Json::array({1}));
    ASSERT_EQ(f.transport.pauses.size(), 2U);
    EXPECT_EQ(f.transport.pauses[1], 2 * f.transport.pauses[0]);
}

TEST(ApiClient, AWriteIsRepeatedWithTheSameIdempotencyKey) {
    Fixture f;
    f.transport.answers = {broken_off(), {.status = 503}, {.status = 201, .body = "{}"}};
    ASSERT_TRUE(f.client.post("/models", {{"name", "m"}}));
    ASSERT_EQ(f.transport.asked.size(), 3U);
    const auto key = http::find_header(f.transport.asked[0].headers, "idempotency-key");
    EXPECT_EQ(key.size(), 36U);
    EXPECT_EQ(key, http::find_header(f.transport.asked[2].headers, "idempotency-key"));
}

TEST(ApiClient, ALoginThatBrokeOffIsNotRepeated) {
    Fixture f;
    f.transport.answers = {broken_off()};
    const auto answer = f.client.post("/auth/refresh", Json::object());
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, Code::upstream_error);
    EXPECT_EQ(f.transport.asked.size(), 1U);
}

TEST(ApiClient, GivesUpAfterSoManyTries) {
    Fixture f;
    f.transport.answers.assign(9, no_connection());
    const auto answer = f.client.get("/models");
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, Code::unavailable);
    EXPECT_NE(answer.error().message.find("http://fake"), std::string::npos);
    EXPECT_EQ(f.transport.asked.size(), 4U);
}

TEST(ApiClient, WaitsAsLongAsTheServerAsksAndNoLongerThanAMinute) {
    Fixture f;
    f.transport.answers = {
        {.status = 429, .headers = {{"Retry-After", "7"}}}, {.status = 200, .body = "{}"}
    };
    ASSERT_TRUE(f.client.get("/models"));
    EXPECT_EQ(f.transport.pauses, std::vector<Duration>{std::chrono::seconds(7)});
    f.transport.answers = {{.status = 429, .headers = {{"Retry-After", "3600"}}}};
    const auto refused = f.client.get("/models");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::rate_limited);
    EXPECT_EQ(f.transport.pauses.size(), 1U);
}

TEST(ApiClient, MistakesAreNotTriedAgainAndKeepWhatTheServerSays) {
    Fixture f;
    f.transport.answers = {
        {.status = 422,
         .body = R"({"error":{"code":"VALIDATION_ERROR","message":"no","details":)"
                 R"([{"field":"name","message":"is too long"}],"request_id":"r-1"}})"}
    };
    const auto refused = f.client.post("/models", Json::object());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::validation);
    EXPECT_EQ(refused.error().message, "no");
    const std::vector<Detail> details{{"name", "is too long"}, {"request id", "r-1"}};
    EXPECT_EQ(refused.error().details, details);
    EXPECT_EQ(f.transport.asked.size(), 1U);
}

TEST(ApiClient, TwoErrorsOfOneStatusAreToldApartByTheirNames) {
    EXPECT_EQ(
        error_of_response({.status = 400, .body = R"({"error":{"code":"INVALID_STATE"}})"}).code,
        Code::invalid_state
    );
    EXPECT_EQ(error_of_response({.status = 400, .body = "<html>"}).code, Code::bad_request);
    EXPECT_EQ(error_of_response({.status = 599, .body = ""}).code, Code::upstream_error);
}

TEST(ApiClient, WhatWasDeletedBeforeTheAnswerWasLostIsDeleted) {
    Fixture f;
    f.transport.answers = {broken_off(), {.status = 404}};
    EXPECT_TRUE(f.client.call({.method = "DELETE", .path = "/models/1"}));
    f.transport.answers = {{.status = 404}};
    EXPECT_FALSE(f.client.call({.method = "DELETE", .path = "/models/1"}));
}

TEST(ApiClient, SignedAddressesAndLoginsCarryNoCredential) {
    FakeTransport transport;
    RandomUuids uuids;
    ApiClientOptions options;
    options.credential = []() -> Result<http::Headers> {
        return http::Headers{{"X-API-Key", "secret"}};
    };
    ApiClient client(transport, uuids, std::move(options));
    ASSERT_TRUE(client.call({.path = "/models"}));
    ASSERT_TRUE(client.call({.method = "PUT", .path = "http://bucket/rows?signature=1"}));
    ASSERT_TRUE(client.post("/auth/login", Json::object()));
    EXPECT_EQ(http::find_header(transport.asked[0].headers, "x-api-key"), "secret");
    EXPECT_TRUE(http::find_header(transport.asked[1].headers, "x-api-key").empty());
    EXPECT_TRUE(http::find_header(transport.asked[2].headers, "x-api-key").empty());
}

TEST(ApiClient, ARefusedCredentialIsRenewedOnce) {
    FakeTransport transport;
    RandomUuids uuids;
    int renewed = 0;
    ApiClientOptions options;
    options.renew = [&]() -> Result<bool> {
        ++renewed;
        return true;
    };
    ApiClient client(transport, uuids, std::move(options));
    transport.answers = {{.status = 401}, {.status = 200, .body = "{}"}};
    EXPECT_TRUE(client.get("/models"));
    transport.answers = {{.status = 401}, {.status = 401}};
    EXPECT_FALSE(client.get("/models"));
    EXPECT_EQ(renewed, 2);
}

TEST(ApiClient, AStreamThatHasBegunIsNotBegunAgain) {
    Fixture f;
    f.transport.answers = {{.status = 200, .body = "rows", .failure = http::TransferFailure::closed}
    };
    std::string got;
    const auto taken = f.client.stream({.path = "/rows"}, [&](std::string_view piece) {
        got += piece;
        return true;
    });
    EXPECT_FALSE(taken);
    EXPECT_EQ(got, "rows");
    EXPECT_EQ(f.transport.asked.size(), 1U);
}

TEST(ApiRequest, QueriesAreEncoded) {
    const ApiRequest request{.path = "/models", .query = {{"q", "a b&c/ü"}, {"n", "1"}}};
    EXPECT_EQ(encode_target(request), "/models?q=a%20b%26c%2F%C3%BC&n=1");
}

}  // namespace
}  // namespace lab::cli
