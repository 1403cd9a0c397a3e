#include "platform/otlp/impl/verdict.h"

#include <gtest/gtest.h>

namespace lab::otlp {
namespace {

using End = Answer::End;

Reply grpc(const std::string& status, std::string body = "") {
    return {
        .broken = "", .status = 200, .headers = {{"grpc-status", status}}, .body = std::move(body)
    };
}
Reply http(int status) { return {.broken = "", .status = status, .headers = {}, .body = ""}; }

TEST(OtlpVerdict, TakesTheMessageOutOfItsFrame) {
    const Answer answer = grpc_verdict(grpc("0", std::string("\0\0\0\0\2ab", 7)));
    EXPECT_EQ(answer.end, End::taken);
    EXPECT_EQ(answer.response, "ab");
    EXPECT_EQ(grpc_verdict(grpc("0")).end, End::taken);
}

TEST(OtlpVerdict, KnowsWhichCodesOfGrpcPass) {
    for (int code = 1; code <= 17; ++code) {
        const bool passes = code == 1 || code == 4 || code == 8 || code == 10 || code == 11 ||
                            code == 14 || code == 15;
        EXPECT_EQ(
            grpc_verdict(grpc(std::to_string(code))).end, passes ? End::unreachable : End::refused
        ) << code;
    }
}

TEST(OtlpVerdict, WhatGrpcSaidCountsThoughTheStreamWasBrokenOff) {
    Reply early = grpc("12");
    early.broken = "HTTP/2 stream 1 was not closed cleanly";
    early.headers.emplace_back("grpc-message", "unknown%20service");
    const Answer answer = grpc_verdict(early);
    EXPECT_EQ(answer.end, End::refused);
    EXPECT_EQ(answer.problem, "gRPC status 12: unknown service");
}

TEST(OtlpVerdict, TheTrailerCountsBeforeTheHead) {
    Reply both = grpc("0");
    both.headers.emplace_back("grpc-status", "14");
    EXPECT_EQ(grpc_verdict(both).end, End::unreachable);
}

TEST(OtlpVerdict, WhoeverDoesNotSpeakGrpcMayLater) {
    EXPECT_EQ(grpc_verdict(http(502)).end, End::unreachable);
    EXPECT_EQ(grpc_verdict(http(502)).problem, "no gRPC there: HTTP status 502");
    EXPECT_EQ(grpc_verdict(grpc("x")).end, End::unreachable);
    Reply broken = http(0);
    broken.broken = "Failed to connect";
    EXPECT_EQ(grpc_verdict(broken).problem, "Failed to connect");
}

TEST(OtlpVerdict, KnowsWhichStatusesOfHttpPass) {
    EXPECT_EQ(http_verdict(http(200)).end, End::taken);
    for (const int status : {429, 502, 503, 504}) {
        EXPECT_EQ(http_verdict(http(status)).end, End::unreachable) << status;
    }
    for (const int status : {301, 400, 401, 403, 404, 413, 500, 501}) {
        EXPECT_EQ(http_verdict(http(status)).end, End::refused) << status;
    }
}

TEST(OtlpVerdict, WaitsAsLongAsItIsAskedTo) {
    Reply busy = http(503);
    busy.headers.emplace_back("retry-after", "7");
    EXPECT_EQ(http_verdict(busy).retry_after, std::chrono::seconds(7));
    busy.headers[0].second = "999999999";
    EXPECT_EQ(http_verdict(busy).retry_after, std::chrono::minutes(5));
    busy.headers[0].second = "Wed, 21 Oct 2026 07:28:00 GMT";
    EXPECT_EQ(http_verdict(busy).retry_after, std::nullopt);
}

TEST(OtlpVerdict, ShowsNoSecretOfWhatTheOtherSideSays) {
    Reply echo = grpc("16");
    echo.headers.emplace_back(
        "grpc-message", "bad authorization: Bearer abcdefghijklmnopqrstuvwxyz0123456789"
    );
    EXPECT_EQ(grpc_verdict(echo).problem.find("abcdefghij"), std::string::npos);
    echo.headers.back().second = std::string(5000, 'x');
    EXPECT_LT(grpc_verdict(echo).problem.size(), 400U);
}

}  // namespace
}  // namespace lab::otlp
