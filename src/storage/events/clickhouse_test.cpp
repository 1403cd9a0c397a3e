#include "storage/events/clickhouse.h"

#include "storage/events/clickhouse_answers.h"
#include "storage/events/clickhouse_facts.h"
#include "support/clickhouse_server.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace lab::storage {
namespace {

http::Answer answer_of(int status, std::string body, http::Headers headers = {}) {
    return {.end = {}, .status = status, .headers = std::move(headers), .body = std::move(body)};
}

TEST(ClickHouseAnswers, TheExceptionIsThatOfTheHeaderOrTheBody) {
    EXPECT_EQ(
        clickhouse_exception(answer_of(404, "x", {{"X-ClickHouse-Exception-Code", "60"}})), 60
    );
    EXPECT_EQ(clickhouse_exception(answer_of(500, "Code: 81. DB::Exception: no")), 81);
    EXPECT_EQ(clickhouse_exception(answer_of(200, "1\n")), 0);
    EXPECT_EQ(clickhouse_exception(answer_of(500, "Code: -1")), 0);
}

TEST(ClickHouseAnswers, TheNameIsTheLastWordInParenthesesThatCanBeOne) {
    EXPECT_EQ(
        clickhouse_exception_name("Code: 60. Table (x) (UNKNOWN_TABLE) (version 26.9.2)"),
        "UNKNOWN_TABLE"
    );
    EXPECT_EQ(clickhouse_exception_name("nothing (here"), "");
    EXPECT_EQ(clickhouse_exception_name(""), "");
    EXPECT_EQ(clickhouse_exception_name("("), "");
}

TEST(ClickHouseAnswers, WhatMayPassIsToldFromWhatIsRefused) {
    EXPECT_FALSE(clickhouse_error(answer_of(200, "")));
    EXPECT_EQ(
        clickhouse_error(answer_of(500, "Code: 241. (MEMORY_LIMIT)"))->code, Code::unavailable
    );
    EXPECT_EQ(clickhouse_error(answer_of(503, ""))->code, Code::unavailable);
    EXPECT_EQ(
        clickhouse_error(answer_of(400, "Code: 62. (SYNTAX_ERROR)"))->code, Code::upstream_error
    );
    const auto login = clickhouse_error(answer_of(403, "Code: 516. host secret (AUTH)"));
    EXPECT_EQ(login->code, Code::unavailable);
    EXPECT_NE(login->message.find("CLICKHOUSE_USER"), std::string::npos);
    EXPECT_EQ(login->message.find("secret"), std::string::npos);
    // An exception behind a good status line: the answer broke off.
    EXPECT_TRUE(clickhouse_error(answer_of(200, "1\n", {{"x-clickhouse-exception-code", "159"}})));
    http::Answer refused;
    refused.end = {.failure = http::TransferFailure::connect, .message = "refused"};
    EXPECT_EQ(clickhouse_error(refused)->code, Code::unavailable);
}

TEST(ClickHouseArray, TextsCannotLeaveTheirQuotes) {
    EXPECT_EQ(clickhouse_array({}), "[]");
    EXPECT_EQ(clickhouse_array({"a", R"(b'\)"}), R"(['a','b\'\\'])");
}

/// A database of its own on the server.
class OnServer : public testing::Test {
  protected:
    void SetUp() override {
        if (!test::clickhouse_server()) {
            GTEST_SKIP() << test::kNoClickHouse;
        }
        static int count = 0;
        options_ = {
            .url = test::clickhouse_server()->url,
            .user = test::clickhouse_server()->user,
            .password = test::clickhouse_server()->password,
            .database = "test_" + std::to_string(++count),
        };
        facts_ = std::make_unique<ClickHouseFacts>(clock_, options_, http::ClientOptions{});
    }
    std::vector<Json> rows(std::string_view sql) {
        std::vector<Json> out;
        ClickHouse server(options_, http_);
        const Status asked = server.query(ctx_, sql, {}, [&](const Json& row) {
            out.push_back(row);
            return ok();
        });
        EXPECT_TRUE(asked) << asked.error().message << asked.error().cause;
        return out;
    }
    FactScope scope() const {
        return {.experiments = {place_.experiment_id}, .from_ms = 0, .to_ms = 2'000'000'000'000};
    }
    CallFact call(std::int64_t sample, std::string_view state, std::int64_t version) const {
        CallFact out;
        out.place = &place_;
        out.at_ms = kNow + version;
        out.run_at_ms = kNow;
        out.sample = sample;
        out.model = "m";
        out.state = state;
        out.attempts = 1;
        out.cost_pico = 9'000'000'000'000'000'000;
        out.latency_ns = 1'000 * (sample + 1);
        out.version = version;
        return out;
    }
    static constexpr std::int64_t kNow = 1'767'225'600'000;
    SystemClock clock_;
    Ctx ctx_{clock_};
    FactPlace place_{
        .org_id = "00000000-0000-4000-8000-000000000001",
        .experiment_id = "00000000-0000-4000-8000-000000000002",
        .run_id = "00000000-0000-4000-8000-000000000003",
    };
    http::BlockingClient http_{clock_, {}};
    ClickHouseOptions options_;
    std::unique_ptr<ClickHouseFacts> facts_;
};

TEST_F(OnServer, TablesAreMadeOnce) {
    EXPECT_FALSE(facts_->check(ctx_));
    EXPECT_TRUE(facts_->make_tables(ctx_).value());
    EXPECT_FALSE(facts_->make_tables(ctx_).value());
    EXPECT_TRUE(facts_->check(ctx_));
}

TEST_F(OnServer, WhatComesTwiceCountsOnce) {
    ASSERT_TRUE(facts_->make_tables(ctx_));
    FactBatch batch;
    for (std::int64_t i = 0; i < 100; ++i) {
        ASSERT_TRUE(batch.call(call(i, i == 0 ? "failed" : "done", 1)));
        ASSERT_TRUE(batch.metric(
            {.place = &place_,
             .at_ms = kNow,
             .metric = "f'1",
             .value = static_cast<double>(i),
             .model = "m",
             .number = i}
        ));
    }
    batch.event(
        {.place = &place_,
         .type = "run_created",
         .at = "2026-01-01T00:00:00.123456Z",
         .payload = "{}"}
    );
    for (int i = 0; i < 3; ++i) {
        const Status added = facts_->add(ctx_, batch);
        ASSERT_TRUE(added) << added.error().message << added.error().cause;
    }
    const auto costs = facts_->costs(ctx_, scope());
    ASSERT_TRUE(costs) << costs.error().cause;
    ASSERT_EQ(costs->size(), 1U);
    EXPECT_EQ(costs->front().samples, 100);
    EXPECT_EQ(costs->front().failed, 1);
    EXPECT_EQ(costs->front().cost_pico, std::numeric_limits<std::int64_t>::max());  // saturated
    const auto series = facts_->series(ctx_, scope(), "f'1", {});
    ASSERT_TRUE(series) << series.error().cause;
    ASSERT_EQ(series->size(), 1U);
    EXPECT_EQ(series->front().at, kNow / 1000);
    EXPECT_EQ(series->front().values.count, 100);
    EXPECT_DOUBLE_EQ(series->front().values.sum, 4950);
    EXPECT_DOUBLE_EQ(series->front().values.p50, 49.5);
    const auto latency = facts_->latency(ctx_, scope());
    ASSERT_TRUE(latency) << latency.error().cause;
    ASSERT_EQ(latency->size(), 1U);
    EXPECT_EQ(latency->front().failed, 1);
    EXPECT_EQ(latency->front().latency.count, 99);
    EXPECT_EQ(latency->front().first_token.count, 0);
    EXPECT_EQ(
        rows("SELECT count() FROM experiment_events FINAL FORMAT JSONCompactEachRow")[0][0], 1
    );
}

TEST_F(OnServer, OfASampleTheLatestCounts) {
    ASSERT_TRUE(facts_->make_tables(ctx_));
    FactBatch first;
    ASSERT_TRUE(first.call(call(1, "failed", 1)));
    ASSERT_TRUE(first.call(call(2, "failed", 1)));
    FactBatch second;
    ASSERT_TRUE(second.call(call(1, "done", 40LL * 24 * 3'600'000)));  // in another month
    CallFact gone = call(2, "", 3);
    gone.gone = true;
    ASSERT_TRUE(second.call(gone));
    // Who comes late changes nothing.
    for (const FactBatch* batch : {&second, &first, &second, &first}) {
        ASSERT_TRUE(facts_->add(ctx_, *batch));
    }
    const auto costs = facts_->costs(ctx_, scope());
    ASSERT_TRUE(costs) << costs.error().cause;
    ASSERT_EQ(costs->size(), 1U);
    EXPECT_EQ(costs->front().samples, 1);
    EXPECT_EQ(costs->front().failed, 0);
    // Nothing of it is left in the time when it had failed.
    FactScope before = scope();
    before.to_ms = kNow + 1'000;
    EXPECT_TRUE(facts_->costs(ctx_, before).value().empty());
}

TEST_F(OnServer, WhatIsForgottenIsGone) {
    ASSERT_TRUE(facts_->make_tables(ctx_));
    FactBatch batch;
    ASSERT_TRUE(batch.call(call(1, "done", 1)));
    ASSERT_TRUE(facts_->add(ctx_, batch));
    const Status forgotten = facts_->forget(ctx_, place_.experiment_id);
    ASSERT_TRUE(forgotten) << forgotten.error().message << forgotten.error().cause;
    const TimePoint end = clock_.now() + std::chrono::seconds(30);
    while (!facts_->costs(ctx_, scope()).value().empty()) {  // done in the background
        ASSERT_LT(clock_.now(), end);
    }
}

TEST_F(OnServer, AWrongPasswordIsSaidInWords) {
    options_.password = "wrong";
    ClickHouseFacts facts(clock_, options_, {});
    const auto made = facts.make_tables(ctx_);
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, Code::unavailable);
    EXPECT_NE(made.error().message.find("CLICKHOUSE_PASSWORD"), std::string::npos);
}

TEST_F(OnServer, AServerThatIsAwayIsUnavailable) {
    options_.url = "http://127.0.0.1:1";
    ClickHouseFacts facts(clock_, options_, {});
    EXPECT_EQ(facts.check(ctx_).error().code, Code::unavailable);
}

}  // namespace
}  // namespace lab::storage
