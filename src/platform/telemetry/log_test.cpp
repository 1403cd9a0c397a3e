#include "platform/telemetry/log.h"

#include "platform/json/json.h"
#include "support/manual_clock.h"
#include "support/memory_log.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <limits>
#include <thread>

namespace lab {
namespace {

using test::ManualClock;
using test::MemoryLogSink;
using namespace std::chrono_literals;

constexpr Duration kLong = 10s;

class Log : public testing::Test {
  protected:
    explicit Log(Logger::Options options = {.filter = LogFilter(LogLevel::trace)})
        : log_(sink_, clock_, std::move(options)) {}
    std::string last_text() {
        EXPECT_TRUE(log_.flush(kLong));
        const auto lines = sink_.lines();
        return lines.empty() ? "" : lines.back();
    }
    Json last() {
        const std::string text = last_text();
        const auto line = parse_json(text);
        EXPECT_TRUE(line) << line.error().message << ": " << text;
        return line ? *line : Json();
    }
    ManualClock clock_;
    MemoryLogSink sink_;
    Logger log_;
};

TEST_F(Log, ALineHasExactlyTheDocumentedMembers) {
    LogContext context;
    context.trace_id = "4bf92f3577b34da6a3ce929d0e0e4736";
    context.span_id = "00f067aa0ba902b7";
    context.request_id = "req-1";
    context.user_id = "u-1";
    context.experiment_id = "e-1";
    context.run_id = "r-1";
    log_.info(
        "http", "request served", {{"status", 200}, {"duration_ms", 12.5}, {"path", "/x"}}, context
    );
    EXPECT_EQ(
        last_text(),
        R"({"timestamp":"2023-11-14T22:13:21.000000Z","level":"INFO",)"
        R"("target":"llm_research_api::http","message":"request served",)"
        R"("trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00f067aa0ba902b7",)"
        R"("request_id":"req-1","user_id":"u-1","experiment_id":"e-1","run_id":"r-1",)"
        R"("duration_ms":12.5,"fields":{"status":200,"path":"/x"}})"
    );
    log_.error("llm_research_api::db", "slow query");
    EXPECT_EQ(
        last_text(),
        R"({"timestamp":"2023-11-14T22:13:21.000000Z","level":"ERROR",)"
        R"("target":"llm_research_api::db","message":"slow query",)"
        R"("trace_id":null,"span_id":null,"request_id":null,"fields":{}})"
    );
}

TEST_F(Log, ValuesKeepTheirTypes) {
    log_.info(
        "t",
        "m",
        {{"int", -1},
         {"big", std::numeric_limits<std::uint64_t>::max()},
         {"small", std::numeric_limits<std::int64_t>::min()},
         {"double", 0.1},
         {"float", 0.5F},
         {"nan", std::nan("")},
         {"inf", -std::numeric_limits<double>::infinity()},
         {"yes", true},
         {"none", nullptr},
         {"text", std::string("x")},
         {"view", std::string_view("y")},
         {"empty", ""}}
    );
    EXPECT_EQ(
        dump_json(last()["fields"]),
        R"({"int":-1,"big":18446744073709551615,"small":-9223372036854775808,"double":0.1,)"
        R"("float":0.5,"nan":"NaN","inf":"-Infinity","yes":true,"none":null,"text":"x","view":"y",)"
        R"("empty":""})"
    );
}

TEST_F(Log, NothingInATextEndsTheLineOrMovesTheCursor) {
    const std::string evil =
        "a\nb\r\"c\"\\\t\x1b[31m\x7f\xc2\x9b"
        "d\xe2\x80\xa8"
        "e\xe2\x80\xae"
        "f\xff\xc3"
        "g" +
        std::string(1, '\0');
    log_.info("http\n", evil, {{evil, evil}});
    const std::string text = last_text();
    for (const char c : text) {
        EXPECT_GE(static_cast<unsigned char>(c), 0x20) << text;
        EXPECT_NE(c, '\x7f');
    }
    const Json line = last();
    // What was valid reads back as it was; what was not is U+FFFD.
    std::string valid = evil;
    valid.replace(valid.find('\xff'), 2, "\xef\xbf\xbd\xef\xbf\xbd");
    EXPECT_EQ(line["message"].get<std::string>(), valid);
    EXPECT_EQ(line["fields"].begin().key(), valid);
    EXPECT_EQ(line["fields"].begin().value().get<std::string>(), valid);
    EXPECT_NE(text.find(R"(\u001b[31m\u007f\u009bd\u2028e\u202ef)"), text.npos) << text;
}

TEST_F(Log, SecretsAreHiddenEverywhere) {
    LogContext context;
    context.request_id = "sk-abcdefgh12345";
    context.user_id = "ada@example.org";
    log_.info(
        "auth",
        "jwt refused: Bearer hunter2",
        {{"password", "hunter2"},
         {"api_key", "hunter2"},
         {"api_key_number", 4711},
         {"token", 4711},
         {"password_set", true},
         {"token", nullptr},
         {"total_tokens", 12},
         {"max_tokens", "hunter2"},
         {"key_prefix", "ab12cd34"},
         {"url", "postgres://u:hunter2@h/d"},
         {"mail", "to ada@example.org"}},
        context
    );
    const std::string text = last_text();
    for (const char* secret : {"hunter2", "ada@", "sk-abc", "4711"}) {
        EXPECT_EQ(text.find(secret), text.npos) << secret << ": " << text;
    }
    EXPECT_EQ(
        dump_json(last()["fields"]),
        R"({"password":"[redacted]","api_key":"[redacted]","api_key_number":"[redacted]",)"
        R"("token":"[redacted]","password_set":true,"total_tokens":12,"max_tokens":"[redacted]",)"
        R"("key_prefix":"ab12cd34","url":"postgres://[redacted]@h/d","mail":"to [redacted]"})"
    );
    EXPECT_EQ(last()["message"], "jwt refused: Bearer [redacted]");
}

TEST_F(Log, ALineIsBoundedAndSaysWhatIsMissing) {
    const std::string huge(1U << 20, 'x');
    log_.info(
        "t", huge, {{"a", huge}, {"b", huge}, {"c", huge}, {"d", huge}, {"e", huge}, {"f", 1}}
    );
    const std::string text = last_text();
    EXPECT_LE(text.size(), Logger::kLineBytesMax);
    EXPECT_GT(text.size(), Logger::kLineBytesMax / 2);
    const Json line = last();
    EXPECT_TRUE(line["message"].get<std::string>().ends_with(" bytes]"));
    EXPECT_TRUE(line["fields"]["a"].get<std::string>().ends_with(" bytes]"));
    EXPECT_GE(line["fields"]["fields_left_out"], 2);
    // How much is missing adds up.
    const auto a = line["fields"]["a"].get<std::string>();
    const std::size_t shown = a.find("...[+");
    EXPECT_EQ(shown + std::stoul(a.substr(shown + 5)), huge.size());
}

TEST_F(Log, EscapesDoNotBurstTheBound) {
    const std::string controls(1U << 20, '\x01');
    const std::string quotes(1U << 20, '"');
    const std::string wide = [] {
        std::string out;
        for (int i = 0; i < 100'000; ++i) {
            out += "\xe2\x9c\x93";
        }
        return out;
    }();
    for (const std::string& text : {controls, quotes, wide}) {
        std::vector<LogField> fields(200, {"n", 1});
        std::vector<std::string> names;
        for (int i = 0; i < 200; ++i) {
            names.push_back("n" + std::to_string(i) + text.substr(0, 300));
        }
        for (std::size_t i = 0; i < fields.size(); ++i) {
            fields[i] = {names[i], text};
        }
        log_.log(LogLevel::warn, text, text, fields, {text, text, text, text, text, text});
        EXPECT_LE(last_text().size(), Logger::kLineBytesMax);
        EXPECT_TRUE(last().is_object());
    }
}

TEST_F(Log, ASecretAtTheCutIsNotCutInHalf) {
    // 64 KiB are looked at; the address stands across that border, and everything before it shrinks
    // to a marker, so that the border would be visible.
    const std::string before = "password='" + std::string((64U << 10) - 30, 'x') + "' ";
    log_.info("t", before + "postgres://user:hunter2@host/db and more");
    const std::string text = last_text();
    EXPECT_EQ(text.find("hunter"), text.npos);
    EXPECT_EQ(text.find("user"), text.npos);
    EXPECT_NE(text.find("bytes]"), text.npos);
}

TEST_F(Log, OfTwoFieldsOfOneNameTheFirstCounts) {
    log_.info("t", "m", {{"a", 1}, {"a", 2}, {"duration_ms", "not a number"}});
    EXPECT_EQ(dump_json(last()["fields"]), R"({"a":1,"duration_ms":"not a number"})");
    EXPECT_FALSE(last().contains("duration_ms"));
}

class PrettyLog : public Log {
  protected:
    PrettyLog() : Log({.format = LogFormat::pretty, .filter = LogFilter(LogLevel::trace)}) {}
};
class CompactLog : public Log {
  protected:
    CompactLog() : Log({.format = LogFormat::compact, .filter = LogFilter(LogLevel::trace)}) {}
};

TEST_F(PrettyLog, IsForReading) {
    LogContext context;
    context.request_id = "req-1";
    context.trace_id = "4bf9";
    log_.warn(
        "http",
        "slow\nquery",
        {{"path", "/x y"}, {"n", 3}, {"duration_ms", 5}, {"key", "k"}},
        context
    );
    EXPECT_EQ(
        last_text(),
        R"(2023-11-14T22:13:21.000000Z  WARN llm_research_api::http: slow\nquery duration_ms=5 )"
        R"(trace_id=4bf9 request_id=req-1 path="/x y" n=3 key=[redacted])"
    );
}

TEST_F(CompactLog, IsForTerminals) {
    LogContext context;
    context.request_id = "req-1";
    context.trace_id = "4bf9";
    log_.error("http", "broken \"pipe\"", {{"a", ""}, {"b", "x=\"1\""}}, context);
    EXPECT_EQ(
        last_text(), R"(22:13:21.000 ERROR http: broken "pipe" request_id=req-1 a="" b="x=\"1\"")"
    );
}

TEST(LogFormats, HaveNames) {
    EXPECT_EQ(parse_log_format("JSON"), LogFormat::json);
    EXPECT_EQ(parse_log_format("pretty"), LogFormat::pretty);
    EXPECT_EQ(parse_log_format("compact"), LogFormat::compact);
    EXPECT_FALSE(parse_log_format("xml"));
    EXPECT_FALSE(parse_log_format(""));
}

TEST_F(Log, TheFilterDecidesAndCanBeExchanged) {
    log_.set_filter(*LogFilter::parse("warn,http=debug", LogLevel::info));
    EXPECT_TRUE(log_.enabled(LogLevel::debug, "http"));
    EXPECT_FALSE(log_.enabled(LogLevel::trace, "http"));
    EXPECT_FALSE(log_.enabled(LogLevel::info, "db"));
    EXPECT_TRUE(log_.enabled(LogLevel::warn, "db"));
    EXPECT_FALSE(log_.enabled(LogLevel::off, "db"));
    log_.info("db", "no");
    log_.debug("http", "yes");
    log_.set_filter(LogFilter(LogLevel::off));
    log_.error("db", "no");
    log_.set_filter(LogFilter(LogLevel::trace));
    log_.trace("db", "yes");
    EXPECT_TRUE(log_.flush(kLong));
    EXPECT_EQ(sink_.lines().size(), 2U);
    EXPECT_EQ(sink_.text().find("\"no\""), std::string::npos);
}

// --- The queue -----------------------------------------------------------------------------------

class SmallLog : public Log {
  protected:
    SmallLog() : Log({.filter = LogFilter(LogLevel::trace), .queue_lines_max = 16}) {}
    /// The writer stands in the sink with one line, which counts as queued.
    void block() {
        sink_.hold();
        log_.info("t", "first");
        ASSERT_TRUE(sink_.wait_for_writes(1));
    }
};

TEST_F(SmallLog, WhenFullDropsCountsAndTellsWithoutWaiting) {
    block();
    for (int i = 0; i < 100; ++i) {
        log_.info("t", "flood");
    }
    EXPECT_EQ(log_.dropped(), 100U - 13U);  // 14 of 16 are for ordinary lines, one is with the sink
    EXPECT_FALSE(log_.flush(1ms));
    sink_.release();
    ASSERT_TRUE(log_.flush(kLong));
    const auto lines = sink_.lines();
    ASSERT_EQ(lines.size(), 15U);
    const Json told = *parse_json(lines.back());
    EXPECT_EQ(told["level"], "WARN");
    EXPECT_EQ(told["target"], "llm_research_api::log");
    EXPECT_EQ(told["fields"]["dropped"], 87);
    log_.info("t", "afterwards");
    EXPECT_EQ(last()["message"], "afterwards");
}

TEST_F(SmallLog, ErrorsHaveRoomWhenOthersHaveNone) {
    block();
    for (int i = 0; i < 100; ++i) {
        log_.info("t", "flood");
    }
    const std::uint64_t before = log_.dropped();
    log_.error("t", "why");
    log_.error("t", "why too");
    EXPECT_EQ(log_.dropped(), before);
    log_.error("t", "too many");
    EXPECT_EQ(log_.dropped(), before + 1);
    sink_.release();
    ASSERT_TRUE(log_.flush(kLong));
    EXPECT_NE(sink_.text().find("\"why\""), std::string::npos);
    EXPECT_NE(sink_.text().find("\"why too\""), std::string::npos);
}

TEST(LogQueue, IsBoundedInBytesToo) {
    const ManualClock clock;
    MemoryLogSink sink;
    Logger log(sink, clock, {.filter = LogFilter(LogLevel::trace), .queue_bytes_max = 64U << 10});
    sink.hold();
    const std::string large(3'000, 'x');
    for (int i = 0; i < 1'000; ++i) {
        log.info("t", large);
    }
    EXPECT_GE(log.dropped(), 970U);
    EXPECT_LE(log.dropped(), 990U);
    sink.release();
    EXPECT_TRUE(log.flush(kLong));
}

TEST(LogQueue, AnErrorIsWrittenThoughOthersAreOnTheWay) {
    // 64 lines follow the error at once; its write does not wait for them.
    const ManualClock clock;
    MemoryLogSink sink;
    Logger log(sink, clock, {.filter = LogFilter(LogLevel::trace)});
    sink.hold();
    log.info("t", "held");
    ASSERT_TRUE(sink.wait_for_writes(1));
    log.error("t", "urgent");
    for (int i = 0; i < 64; ++i) {
        log.info("t", "later");
    }
    sink.release();
    ASSERT_TRUE(log.flush(kLong));
    EXPECT_TRUE(sink.wait_for_writes(3));
    EXPECT_EQ(sink.lines().size(), 66U);
}

TEST(LogQueue, ClosingWritesWhatIsThere) {
    const ManualClock clock;
    MemoryLogSink sink;
    {
        Logger log(sink, clock, {});
        for (int i = 0; i < 1'000; ++i) {
            log.info("t", "m", {{"i", i}});
        }
        log.close(kLong);
        log.info("t", "too late");
        EXPECT_EQ(log.dropped(), 1U);
    }
    const auto lines = sink.lines();
    ASSERT_EQ(lines.size(), 1'000U);
    EXPECT_EQ((*parse_json(lines.back()))["fields"]["i"], 999);
}

TEST(LogQueue, ClosingGivesUpASinkThatDoesNotTake) {
    const ManualClock clock;
    MemoryLogSink sink;
    sink.hold();
    const auto start = std::chrono::steady_clock::now();
    {
        Logger log(sink, clock, {});
        for (int i = 0; i < 100; ++i) {
            log.info("t", "m");
        }
        log.close(10ms);
        EXPECT_EQ(log.dropped(), 100U);
    }
    EXPECT_LT(std::chrono::steady_clock::now() - start, 5s);
    EXPECT_EQ(sink.text(), "");
}

TEST(LogQueue, ManyThreadsWriteWholeLines) {
    const ManualClock clock;
    MemoryLogSink sink;
    Logger log(sink, clock, {.filter = *LogFilter::parse("info,a=trace", LogLevel::info)});
    constexpr int kThreads = 4;
    constexpr int kLines = 500;
    {
        std::vector<std::jthread> threads;
        for (int t = 0; t < kThreads; ++t) {
            threads.emplace_back([&, t] {
                for (int i = 0; i < kLines; ++i) {
                    log.debug(i % 2 == 0 ? "a" : "b", "m", {{"t", t}, {"i", i}});
                    if (i % 100 == 0) {
                        log.set_filter(*LogFilter::parse("info,a=trace", LogLevel::info));
                    }
                }
            });
        }
    }
    ASSERT_TRUE(log.flush(kLong));
    ASSERT_EQ(log.dropped(), 0U);
    std::vector<int> next(kThreads, 0);
    for (const std::string& line : sink.lines()) {
        const auto fields = (*parse_json(line))["fields"];
        int& expected = next[fields["t"].get<std::size_t>()];
        EXPECT_EQ(fields["i"], expected);  // the lines of one thread stay in order
        expected += 2;
    }
    EXPECT_EQ(next, std::vector<int>(kThreads, kLines));
}

}  // namespace
}  // namespace lab
