#include "platform/telemetry/log_filter.h"

#include <gtest/gtest.h>

namespace lab {
namespace {

using enum LogLevel;
constexpr std::string_view kRoot = "llm_research_api";

LogLevel level_of(std::string_view filter, std::string_view target) {
    const auto parsed = LogFilter::parse(filter, error);
    EXPECT_TRUE(parsed) << filter << ": " << parsed.error().message;
    return parsed ? parsed->level_for(target, kRoot) : off;
}

TEST(LogFilter, ReadsWhatTheRunbookSets) {
    EXPECT_EQ(level_of("info,llm_research_api=debug", "http"), debug);
    EXPECT_EQ(level_of("info,llm_research_api=debug", "llm_research_api::http"), debug);
    EXPECT_EQ(level_of("info,llm_research_api=debug,http=trace", "http"), trace);
    EXPECT_EQ(level_of("info,llm_research_api=debug,http=trace", "db"), debug);
}

TEST(LogFilter, ATargetFitsAtItsBoundariesOnly) {
    for (const char* filter :
         {"http=trace", "llm_research_api::http=trace", "llm_research_api.http=trace"}) {
        EXPECT_EQ(level_of(filter, "http"), trace) << filter;
        EXPECT_EQ(level_of(filter, "http::server"), trace) << filter;
        EXPECT_EQ(level_of(filter, "http.server.tls"), trace) << filter;
        EXPECT_EQ(level_of(filter, "llm_research_api::http"), trace) << filter;
        EXPECT_EQ(level_of(filter, "llm_research_api.http.server"), trace) << filter;
        EXPECT_EQ(level_of(filter, "http_client"), error) << filter;
        EXPECT_EQ(level_of(filter, "httpd"), error) << filter;
        EXPECT_EQ(level_of(filter, "htt"), error) << filter;
        EXPECT_EQ(level_of(filter, "db.http"), error) << filter;
        EXPECT_EQ(level_of(filter, ""), error) << filter;
    }
    EXPECT_EQ(level_of("llm_research_api_x=trace", "http"), error);
    EXPECT_EQ(level_of("llm_research_api=trace", "llm_research_api_x"), trace);
}

TEST(LogFilter, TheLongestTargetCountsAndOfEqualOnesTheLast) {
    EXPECT_EQ(level_of("http=warn,http.server=trace,info", "http.server.tls"), trace);
    EXPECT_EQ(level_of("http.server=trace,http=warn,info", "http.server"), trace);
    EXPECT_EQ(level_of("http.server=trace,http=warn,info", "http.client"), warn);
    EXPECT_EQ(level_of("http.server=trace,http=warn,info", "db"), info);
    EXPECT_EQ(level_of("http=warn,http=debug", "http"), debug);
    EXPECT_EQ(level_of("http=warn,llm_research_api::http=debug", "http"), debug);
    EXPECT_EQ(level_of("http=trace,llm_research_api=off", "http"), trace);
    EXPECT_EQ(level_of("warn,debug", "http"), debug);
}

TEST(LogFilter, IsGenerousWithCaseAndBlanks) {
    EXPECT_EQ(level_of(" INFO , http = Trace ,,", "http"), trace);
    EXPECT_EQ(level_of(" INFO , http = Trace ,,", "db"), info);
    EXPECT_EQ(level_of("", "db"), error);
    EXPECT_EQ(level_of("http", "http"), trace);
    EXPECT_EQ(level_of("warning", "http"), warn);
    EXPECT_EQ(level_of("http=off", "http"), off);
}

TEST(LogFilter, RefusesWhatItWouldMisunderstand) {
    for (const char* text : {
             "http=",
             "=info",
             "http=loud",
             "info,http=5",
             "http=info=debug",
             "http[span]=info",
             "ht tp=info",
             "info/regex",
             "::http=info",
             "http::=info",
             "a..b=info",
             "a:b=info",
             "http=info;db=warn",
         }) {
        const auto parsed = LogFilter::parse(text, info);
        ASSERT_FALSE(parsed) << text;
        EXPECT_EQ(parsed.error().code, Code::validation);
        EXPECT_EQ(parsed.error().message.find("http"), std::string::npos);
    }
    EXPECT_TRUE(LogFilter::parse("info,db=loud", info).error().message.starts_with("directive 2 "));
    std::string many;
    for (int i = 0; i < 64; ++i) {
        many += "t" + std::to_string(i) + "=info,";
    }
    EXPECT_TRUE(LogFilter::parse(many, info));
    EXPECT_FALSE(LogFilter::parse(many + "one=info", info));
    EXPECT_FALSE(LogFilter::parse(std::string(200, 'x') + "=info", info));
}

TEST(LogFilter, KnowsTheBoundsOfItsLevels) {
    const auto filter = LogFilter::parse("info,http=trace,db=off", error);
    EXPECT_EQ(filter->lowest(), trace);
    EXPECT_EQ(filter->highest(), off);
    EXPECT_EQ(LogFilter(warn).lowest(), warn);
    EXPECT_EQ(LogFilter(warn).highest(), warn);
}

}  // namespace
}  // namespace lab
