#include "storage/objects/impl/test_s3.h"
#include "storage/objects/s3_client.h"
#include "support/fake_llm_server.h"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <thread>

// A store that is slow, broken or gone: played by a server that does what the test says.
namespace lab::storage {
namespace {

using namespace std::chrono_literals;
using lab::test::close_connection;
using lab::test::FakeLlmServer;
using lab::test::hang;
using lab::test::reset_connection;
using lab::test::respond;
using lab::test::Script;
using lab::test::send_bytes;
using lab::test::ServerRequest;
using test::S3Kit;

std::string error_body(const std::string& code) {
    return "<Error><Code>" + code + "</Code></Error>";
}

struct S3FaultsTest : testing::Test {
    S3Kit& connect(const FakeLlmServer& server) { return connect(server.url()); }
    S3Kit& connect(const std::string& endpoint) {
        S3Options options = test::quick({.bucket = "b", .endpoint = endpoint});
        options.part_bytes = 1000;
        options.call_timeout = call_timeout;
        kit.emplace(options, aws::Credentials{"AKID", "secret"});
        return *kit;
    }
    Duration call_timeout = 20s;
    SystemClock clock;
    Ctx ctx = Ctx(clock).within(30s);
    std::optional<S3Kit> kit;
    test::TestFolder folder;
};

TEST_F(S3FaultsTest, APassingProblemIsTriedAgainWithANewSignature) {
    FakeLlmServer server([](const ServerRequest& request) {
        switch (request.number) {
            case 1:
                return respond(503, error_body("SlowDown"));
            case 2:
                return Script{reset_connection()};
            case 3:
                return respond(500, "not even XML");
            default:
                return respond(200, "");
        }
    });
    const Status put = connect(server).client.put(ctx, "k", "bytes");
    EXPECT_TRUE(put) << put.error().message;
    ASSERT_EQ(server.request_count(), 4);
    for (const ServerRequest& request : server.requests()) {
        EXPECT_EQ(request.body, "bytes");
        EXPECT_EQ(request.target, "/b/k");
        EXPECT_TRUE(request.header("authorization").starts_with("AWS4-HMAC-SHA256 Credential=AKID/")
        );
        EXPECT_EQ(request.header("x-amz-content-sha256"), sha256_hex("bytes"));
    }
}

TEST_F(S3FaultsTest, AttemptsAreCounted) {
    FakeLlmServer server([](const ServerRequest&) { return respond(503, error_body("SlowDown")); });
    const Status put = connect(server).client.put(ctx, "k", "bytes");
    ASSERT_FALSE(put);
    EXPECT_EQ(put.error().code, Code::unavailable);
    EXPECT_EQ(put.error().message, "the object store cannot serve now: SlowDown");
    EXPECT_EQ(server.request_count(), 4);
}

TEST_F(S3FaultsTest, WhatWillNotGetBetterIsTriedOnce) {
    FakeLlmServer server([](const ServerRequest&) {
        return respond(403, error_body("AccessDenied"));
    });
    const Status put = connect(server).client.put(ctx, "k", "bytes");
    ASSERT_FALSE(put);
    EXPECT_EQ(put.error().code, Code::upstream_error);
    EXPECT_EQ(server.request_count(), 1);
}

TEST_F(S3FaultsTest, AServerThatIsNotThereIsUnavailable) {
    std::string gone;
    {
        const FakeLlmServer server([](const ServerRequest&) { return respond(200, ""); });
        gone = server.url();
    }
    const auto got = connect(gone).client.get(ctx, "k", 10);
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, Code::unavailable);
    EXPECT_EQ(got.error().message, "the object store cannot be reached");
}

TEST_F(S3FaultsTest, AServerThatSwallowsEverythingEndsWithTheDeadline) {
    FakeLlmServer server([](const ServerRequest&) { return Script{hang()}; });
    const TimePoint begun = clock.now();
    const Status put = connect(server).client.put(ctx.within(300ms), "k", "bytes");
    ASSERT_FALSE(put);
    EXPECT_EQ(put.error().code, Code::unavailable);
    EXPECT_EQ(put.error().message, "the object store did not answer in time");
    EXPECT_LT(clock.now() - begun, 10s);
    call_timeout = 50ms;
    EXPECT_FALSE(connect(server).client.put(ctx, "k", "bytes"));
    EXPECT_EQ(server.request_count(), 1 + 2) << "waiting as long four times helps nobody";
}

TEST_F(S3FaultsTest, NobodyWaitsForAServerThatJustDidNotAnswer) {
    std::atomic<bool> away = true;
    FakeLlmServer server([&](const ServerRequest&) {
        return away ? Script{reset_connection()} : respond(200, "");
    });
    S3Client& client = connect(server).client;
    ASSERT_FALSE(client.put(ctx, "k", "bytes"));
    EXPECT_EQ(server.request_count(), 4);
    const Status next = client.put(ctx, "k", "bytes");
    ASSERT_FALSE(next);
    EXPECT_EQ(next.error().code, Code::unavailable);
    EXPECT_EQ(next.error().message, "the object store broke off its answer");
    EXPECT_EQ(server.request_count(), 4);
    away = false;
    Status put = client.put(ctx, "k", "bytes");
    while (!put && ctx.check()) {
        put = client.put(ctx, "k", "bytes");
    }
    EXPECT_TRUE(put) << put.error().message;
    EXPECT_EQ(server.request_count(), 5);
    EXPECT_TRUE(client.put(ctx, "k", "bytes"));
}

TEST_F(S3FaultsTest, WhoGivesUpIsNotKeptWaiting) {
    FakeLlmServer server([](const ServerRequest&) { return Script{hang()}; });
    const CancelToken token;
    std::thread other([&] {
        EXPECT_TRUE(server.wait_for_requests(1));
        token.cancel(CancelReason::shutdown);
    });
    const Status put = connect(server).client.put(Ctx(clock, token).within(30s), "k", "bytes");
    other.join();
    ASSERT_FALSE(put);
    EXPECT_EQ(put.error().code, Code::cancelled);
}

TEST_F(S3FaultsTest, ABrokenDownloadGoesOnWhereItWas) {
    const std::string bytes = test::noise(10'000);
    FakeLlmServer server([&](const ServerRequest& request) {
        const std::string range(request.header("range"));
        const std::size_t first =
            range.empty() ? 0 : static_cast<std::size_t>(std::stoi(range.substr(6)));
        const std::string rest = bytes.substr(first);
        std::string head =
            range.empty() ? "HTTP/1.1 200 OK\r\n" : "HTTP/1.1 206 Partial Content\r\n";
        head += "ETag: \"e1\"\r\nContent-Length: " + std::to_string(rest.size()) + "\r\n\r\n";
        return Script{send_bytes(head + rest.substr(0, 1500)), close_connection()};
    });
    const auto got = connect(server).client.get(ctx, "k", 1U << 20);
    ASSERT_TRUE(got) << got.error().message;
    EXPECT_TRUE(*got == bytes);
    ASSERT_EQ(server.request_count(), 7) << "more than attempts: each of them got on";
    EXPECT_EQ(server.requests()[0].header("if-match"), "");
    EXPECT_EQ(server.requests()[1].header("range"), "bytes=1500-");
    EXPECT_EQ(server.requests()[1].header("if-match"), "\"e1\"");
    EXPECT_EQ(server.requests()[6].header("range"), "bytes=9000-");
}

TEST_F(S3FaultsTest, AnObjectThatChangesMeanwhileIsNotPutTogether) {
    FakeLlmServer server([&](const ServerRequest& request) {
        return request.number == 1
                   ? Script{send_bytes("HTTP/1.1 200 OK\r\nETag: \"e1\"\r\nContent-Length: 9\r\n\r\nhalf"), close_connection()}
                   : respond(412, error_body("PreconditionFailed"));
    });
    const auto got = connect(server).client.get(ctx, "k", 100);
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, Code::precondition_failed);
}

TEST_F(S3FaultsTest, AServerWithoutRangesIsFoundOut) {
    FakeLlmServer server([&](const ServerRequest&) { return respond(200, "all of it"); });
    std::string taken;
    const Status got =
        connect(server).client.get(ctx, "k", S3Range{.first = 4}, [&](std::string_view bytes) {
            return !(taken += bytes).empty();
        });
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().message, "the object store does not answer ranges");
    EXPECT_EQ(taken, "");
}

/// Begins, takes two parts of 1,000 bytes and one of 500, completes.
Script answer_upload(const ServerRequest& request) {
    if (request.method == "POST" && request.target.ends_with("?uploads=")) {
        return respond(
            200,
            "<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>"
        );
    }
    if (request.method == "PUT") {
        return respond(200, "", {{"ETag", "\"" + std::to_string(request.body.size()) + "\""}});
    }
    return request.method == "POST" ? respond(200, "<CompleteMultipartUploadResult/>")
                                    : respond(204, "");
}

TEST_F(S3FaultsTest, AnUploadInPartsIsWhatTheProtocolSays) {
    FakeLlmServer server(answer_upload);
    const std::string bytes = test::noise(2500);
    test::write_file(folder.file("f"), bytes);
    const Status put = connect(server).client.put_file(
        ctx, "k", folder.file("f"), {.content_type = "text/csv", .only_if_absent = true}
    );
    ASSERT_TRUE(put) << put.error().message;
    const auto requests = server.requests();
    ASSERT_EQ(requests.size(), 5U);
    EXPECT_EQ(requests[0].header("content-type"), "text/csv");
    EXPECT_EQ(requests[1].target, "/b/k?partNumber=1&uploadId=u1");
    EXPECT_TRUE(requests[1].body + requests[2].body + requests[3].body == bytes);
    EXPECT_EQ(requests[3].header("x-amz-content-sha256"), sha256_hex(bytes.substr(2000)));
    EXPECT_EQ(requests[4].target, "/b/k?uploadId=u1");
    EXPECT_EQ(requests[4].header("if-none-match"), "*");
    EXPECT_EQ(requests[4].body, write_s3_parts({{1, "\"1000\""}, {2, "\"1000\""}, {3, "\"500\""}}));
}

TEST_F(S3FaultsTest, PartsOfAnUploadThatFailsAreTakenBack) {
    FakeLlmServer server([](const ServerRequest& request) {
        return request.target.find("partNumber=2") != std::string::npos
                   ? respond(403, error_body("AccessDenied"))
                   : answer_upload(request);
    });
    test::write_file(folder.file("f"), test::noise(2500));
    const Status put = connect(server).client.put_file(ctx, "k", folder.file("f"));
    ASSERT_FALSE(put);
    EXPECT_EQ(put.error().code, Code::upstream_error);
    EXPECT_EQ(server.requests().back().method, "DELETE");
    EXPECT_EQ(server.requests().back().target, "/b/k?uploadId=u1");
}

TEST_F(S3FaultsTest, PartsAreTakenBackThoughTheCallerHasGone) {
    FakeLlmServer server([](const ServerRequest& request) {
        return request.target.find("partNumber=2") != std::string::npos ? Script{hang()}
                                                                        : answer_upload(request);
    });
    test::write_file(folder.file("f"), test::noise(2500));
    const CancelToken token;
    std::thread other([&] {
        EXPECT_TRUE(server.wait_for_requests(3));
        token.cancel(CancelReason::user);
    });
    const Status put =
        connect(server).client.put_file(Ctx(clock, token).within(30s), "k", folder.file("f"));
    other.join();
    ASSERT_FALSE(put);
    EXPECT_EQ(put.error().code, Code::cancelled);
    EXPECT_EQ(server.requests().back().method, "DELETE");
}

TEST_F(S3FaultsTest, ACompletionThatSaysAnErrorIsTriedAgain) {
    std::atomic<int> completions = 0;
    FakeLlmServer server([&](const ServerRequest& request) {
        const bool completes = request.method == "POST" && request.target.ends_with("uploadId=u1");
        return completes && ++completions == 1 ? respond(200, error_body("InternalError"))
                                               : answer_upload(request);
    });
    test::write_file(folder.file("f"), test::noise(2500));
    const Status put = connect(server).client.put_file(ctx, "k", folder.file("f"));
    EXPECT_TRUE(put) << put.error().message;
    EXPECT_EQ(completions, 2);
}

TEST_F(S3FaultsTest, AFileThatBecomesShorterIsNotSent) {
    FakeLlmServer server([&](const ServerRequest& request) {
        if (request.target.find("partNumber=1") != std::string::npos) {
            std::filesystem::resize_file(folder.file("f"), 1200);
        }
        return answer_upload(request);
    });
    test::write_file(folder.file("f"), test::noise(2500));
    const Status put = connect(server).client.put_file(ctx, "k", folder.file("f"));
    ASSERT_FALSE(put);
    EXPECT_EQ(put.error().code, Code::io);
    EXPECT_EQ(server.requests().back().method, "DELETE");
}

TEST_F(S3FaultsTest, ExpiredCredentialsAreFetchedAgain) {
    FakeLlmServer server([](const ServerRequest& request) {
        return request.number == 1 ? respond(400, error_body("ExpiredToken")) : respond(200, "");
    });
    EXPECT_TRUE(connect(server).client.put(ctx, "k", "x"));
    EXPECT_EQ(server.request_count(), 2);
}

}  // namespace
}  // namespace lab::storage
