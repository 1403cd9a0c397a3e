#include "api/impl/test_application.h"

/// More requests than can be served, and clients that do not wait for their answer.
namespace lab::api {
namespace {

using test::FakeExchange;
using testing::HasSubstr;

class FaceUnderLoad : public test::Face {};

TEST_F(FaceUnderLoad, ShedsBackgroundFirstAndCriticalNever) {
    admission_.observe({.cpu = 1});
    const http::Response busy = shed(head_of("GET", "/report", {}));
    EXPECT_EQ(busy.status, 503);
    EXPECT_EQ(code_of(busy), "OVERLOADED");
    EXPECT_EQ(header(busy, "retry-after"), "1");
    EXPECT_EQ(get("/open").status, 200);
    admission_.observe({.waiting = 1000});
    EXPECT_EQ(shed(head_of("GET", "/open", {})).status, 503);
    EXPECT_EQ(get("/health").status, 200);
    EXPECT_EQ(ask(head_of("POST", "/auth/token", {})).status, 200);
    EXPECT_THAT(shed_, testing::ElementsAre("background", "normal"));
    EXPECT_THAT(served_, testing::ElementsAre("/report 503 shed", "/open 503 shed"));
    face().end_refusals();
    EXPECT_EQ(get("/open").status, 503);  // who ends lets nobody wait
}

TEST_F(FaceUnderLoad, DoesNotBeginWhatHasWaitedTooLong) {
    face();
    std::promise<void> go;
    ASSERT_TRUE(pool_.submit(WorkPool::Priority::critical, [&] { go.get_future().wait(); }));
    auto exchange = std::make_shared<FakeExchange>(head_of("GET", "/open", {}), "");
    std::future<http::Response> answer = exchange->answer();
    face().on_request(exchange);
    clock_.advance(std::chrono::seconds(6));
    go.set_value();
    ASSERT_EQ(answer.wait_for(std::chrono::seconds(20)), std::future_status::ready);
    EXPECT_EQ(code_of(answer.get()), "OVERLOADED");
    EXPECT_TRUE(steps_.empty());
}

TEST_F(FaceUnderLoad, RefusesWhatFindsNoPlaceInTheQueue) {
    face();
    std::promise<void> go;
    std::promise<void> begun;
    ASSERT_TRUE(pool_.submit(WorkPool::Priority::critical, [&] {
        begun.set_value();
        go.get_future().wait();
    }));
    begun.get_future().wait();
    std::vector<std::future<http::Response>> answers;
    for (int i = 0; i < 9; ++i) {
        auto exchange = std::make_shared<FakeExchange>(head_of("GET", "/open", {}), "");
        answers.push_back(exchange->answer());
        face().on_request(exchange);
    }
    clock_.advance(HeldRefusals::kHold);
    go.set_value();
    std::map<int, int> statuses;
    for (std::future<http::Response>& answer : answers) {
        ASSERT_EQ(answer.wait_for(std::chrono::seconds(20)), std::future_status::ready);
        ++statuses[answer.get().status];
    }
    EXPECT_THAT(statuses, testing::ElementsAre(testing::Pair(200, 8), testing::Pair(503, 1)));
}

TEST_F(FaceUnderLoad, ShowsNothingOfWhatBrokeInside) {
    const http::Response broken = get("/broken");
    EXPECT_EQ(broken.status, 500);
    EXPECT_EQ(code_of(broken), "INTERNAL_ERROR");
    EXPECT_EQ(broken.body.find("secret"), std::string::npos);
    EXPECT_EQ(get("/throws").status, 500);
    const http::RequestHead& head = last_->head();
    face().on_response_sent({
        .head = &head,
        .context = last_->context(),
        .status = 500,
        .bytes_in = 1,
        .bytes_out = 1,
        .duration = Duration(1),
        .complete = true,
    });
    EXPECT_THAT(served_, testing::ElementsAre("/throws 500 a package did"));
}

// The listener tells of a client that has gone at once, while a pool thread still finds out who it
// was and what became of it. ThreadSanitizer sees it when the two do not know of each other.
TEST_F(FaceUnderLoad, TellsOfAClientThatLeftWhileItsAnswerIsMade) {
    for (int i = 0; i < 50; ++i) {
        auto exchange = std::make_shared<FakeExchange>(head_of("GET", "/broken", as("viewer")), "");
        std::future<http::Response> answer = exchange->answer();
        face().on_request(exchange);
        const auto tell = [&] {
            served_.clear();
            face().on_response_sent({
                .head = &exchange->head(),
                .context = exchange->context(),
                .status = 0,
                .bytes_in = 1,
                .bytes_out = 0,
                .duration = Duration(1),
                .complete = false,
            });
        };
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        auto state = std::future_status::timeout;
        while (state != std::future_status::ready && std::chrono::steady_clock::now() < end) {
            tell();
            state = answer.wait_for(std::chrono::seconds(0));
        }
        ASSERT_EQ(state, std::future_status::ready);
        tell();
        ASSERT_THAT(served_, testing::ElementsAre("/broken 0 disk"));
    }
}

}  // namespace
}  // namespace lab::api
