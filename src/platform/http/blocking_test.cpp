#include "platform/http/blocking.h"

#include "support/fake_llm_server.h"

#include <gtest/gtest.h>

#include <thread>

namespace lab::http {
namespace {

using namespace std::chrono_literals;
using test::FakeLlmServer;
using test::respond;
using test::ServerRequest;

struct BlockingTest : testing::Test {
    SystemClock clock;
    Ctx ctx = Ctx(clock).within(30s);

    static Request get(std::string url) {
        Request out;
        out.method = "GET";
        out.url = std::move(url);
        return out;
    }
};

TEST_F(BlockingTest, AnAnswerComesBackOnAConnectionThatIsKept) {
    FakeLlmServer server([](const ServerRequest& request) {
        return respond(request.number == 2 ? 404 : 200, "to " + request.target, {{"X-A", "b"}});
    });
    BlockingClient client(clock, {});
    for (int i = 1; i <= 3; ++i) {
        const auto answer = client.call(ctx, get(server.url("/" + std::to_string(i))));
        ASSERT_TRUE(answer) << answer.error().message;
        EXPECT_EQ(answer->end.failure, TransferFailure::none) << answer->end.message;
        EXPECT_EQ(answer->status, i == 2 ? 404 : 200);
        EXPECT_EQ(answer->body, "to /" + std::to_string(i));
        EXPECT_EQ(find_header(answer->headers, "x-a"), "b");
    }
    EXPECT_EQ(server.connection_count(), 1);
}

TEST_F(BlockingTest, PathsAreSentAsTheyAreWritten) {
    FakeLlmServer server([](const ServerRequest& request) { return respond(200, request.target); });
    BlockingClient client(clock, {});
    const auto answer = client.call(ctx, get(server.url("/a/../b/./c//d?x=..")));
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->body, "/a/../b/./c//d?x=..");
}

TEST_F(BlockingTest, AHeadHasALengthAndNoBody) {
    FakeLlmServer server([](const ServerRequest& request) {
        return request.method == "HEAD"
                   ? test::Script{test::send_bytes("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n"
                     )}
                   : respond(
                         200, request.method + " " + std::string(request.header("content-length"))
                     );
    });
    BlockingClient client(clock, {});
    Request head = get(server.url("/x"));
    head.method = "HEAD";
    const auto answer = client.call(ctx, head);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->end.failure, TransferFailure::none) << answer->end.message;
    EXPECT_EQ(find_header(answer->headers, "content-length"), "5000");
    EXPECT_EQ(answer->body, "");
    // The same connection serves others afterwards; a PUT says that its body is empty.
    EXPECT_EQ(client.call(ctx, get(server.url("/x")))->body, "GET ");
    Request put = get(server.url("/x"));
    put.method = "PUT";
    EXPECT_EQ(client.call(ctx, put)->body, "PUT 0");
    EXPECT_EQ(server.connection_count(), 1);
}

TEST_F(BlockingTest, ABodyIsHandedOnUnlessItIsAnError) {
    FakeLlmServer server([](const ServerRequest& request) {
        return respond(request.target == "/bad" ? 500 : 200, "some words");
    });
    BlockingClient client(clock, {});
    std::string taken;
    const BlockingClient::Sink sink = [&](int status, const Headers&, std::string_view bytes) {
        EXPECT_EQ(status, 200);
        taken += bytes;
        return true;
    };
    EXPECT_EQ(client.call(ctx, get(server.url("/good")), sink)->body, "");
    EXPECT_EQ(taken, "some words");
    EXPECT_EQ(client.call(ctx, get(server.url("/bad")), sink)->body, "some words");
    EXPECT_EQ(taken, "some words");
}

TEST_F(BlockingTest, AFailureIsAnAnswer) {
    FakeLlmServer server([](const ServerRequest&) {
        return test::Script{test::send_bytes("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")} +
               test::Script{test::reset_connection()};
    });
    BlockingClient client(clock, {});
    const auto answer = client.call(ctx, get(server.url("/")));
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->end.failure, TransferFailure::closed);
    EXPECT_EQ(answer->status, 200);
}

TEST_F(BlockingTest, ItEndsWithItsContext) {
    FakeLlmServer server([](const ServerRequest&) { return test::Script{test::hang()}; });
    BlockingClient client(clock, {});
    const auto late = client.call(ctx.within(200ms), get(server.url("/")));
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().code, Code::timed_out);

    const CancelToken token;
    std::thread other([&] {
        EXPECT_TRUE(server.wait_for_requests(2));
        token.cancel(CancelReason::user);
    });
    const auto given_up = client.call(Ctx(clock, token).within(30s), get(server.url("/")));
    other.join();
    ASSERT_FALSE(given_up);
    EXPECT_EQ(given_up.error().code, Code::cancelled);
}

TEST_F(BlockingTest, SilenceInTheMiddleIsATimeout) {
    FakeLlmServer server([](const ServerRequest&) {
        return test::Script{test::send_bytes("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")} +
               test::Script{test::hang()};
    });
    BlockingClient client(clock, {});
    std::string taken;
    const BlockingClient::Sink sink = [&](int, const Headers&, std::string_view bytes) {
        taken += bytes;
        return true;
    };
    const auto answer = client.call(ctx, get(server.url("/")), sink, 100ms);
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->end.failure, TransferFailure::timeout);
    EXPECT_EQ(taken, "half");
}

TEST_F(BlockingTest, NoMoreCallsThanThereAreAllowed) {
    FakeLlmServer server([](const ServerRequest&) { return test::Script{test::hang()}; });
    BlockingClient client(clock, {}, 1);
    const CancelToken token;
    std::thread first([&] {
        EXPECT_FALSE(client.call(Ctx(clock, token).within(30s), get(server.url("/first"))));
    });
    EXPECT_TRUE(server.wait_for_requests(1));
    const auto second = client.call(ctx.within(200ms), get(server.url("/second")));
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, Code::timed_out);
    EXPECT_EQ(server.request_count(), 1);
    token.cancel(CancelReason::user);
    first.join();
}

TEST_F(BlockingTest, AWaitEndsWithItsContext) {
    EXPECT_TRUE(wait_for(ctx, 1ms));
    const TimePoint begun = clock.now();
    const Status late = wait_for(ctx.within(20ms), 30s);
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().code, Code::timed_out);
    EXPECT_LT(clock.now() - begun, 20s);
}

}  // namespace
}  // namespace lab::http
