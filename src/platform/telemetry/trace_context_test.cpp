#include "platform/telemetry/trace_context.h"

#include <gtest/gtest.h>

#include <mutex>
#include <set>
#include <thread>
#include <vector>

namespace lab {
namespace {

const std::string kTrace = "0af7651916cd43dd8448eb211c80319c";
const std::string kSpan = "b7ad6b7169203331";
const std::string kParent = "00-" + kTrace + "-" + kSpan + "-01";

/// 1, 2, 3 ...
class Counting final : public TraceIdSource {
  public:
    explicit Counting(std::uint64_t first = 1) : next_(first) {}
    std::uint64_t next() override { return next_++; }

  private:
    std::uint64_t next_;
};

// The example of section 3.2.1 and its neighbours.
TEST(TraceContext, ReadsTheExamplesOfTheRecommendation) {
    const auto sampled = parse_trace_context(kParent, "");
    ASSERT_TRUE(sampled);
    EXPECT_EQ(*sampled, (TraceContext{.trace_id = kTrace, .span_id = kSpan, .sampled = true}));
    EXPECT_FALSE(parse_trace_context("00-" + kTrace + "-" + kSpan + "-00", "")->sampled);
    EXPECT_EQ(format_traceparent(*sampled), kParent);
}

TEST(TraceContext, OfTheFlagsOnlySampledIsKnown) {
    const auto with = [](const char* flags) {
        return parse_trace_context("00-" + kTrace + "-" + kSpan + "-" + flags, "");
    };
    EXPECT_TRUE(with("ff")->sampled);
    EXPECT_TRUE(with("03")->sampled);
    EXPECT_FALSE(with("02")->sampled);
    EXPECT_FALSE(with("fe")->sampled);
    EXPECT_TRUE(format_traceparent(*with("ff")).ends_with("-01"));
}

TEST(TraceContext, ALaterVersionIsReadAsFarAsWeKnowIt) {
    EXPECT_TRUE(parse_trace_context("01" + kParent.substr(2), ""));
    EXPECT_TRUE(parse_trace_context("cc" + kParent.substr(2) + "-what-the-future-will-be", ""));
    EXPECT_TRUE(parse_trace_context("cc" + kParent.substr(2) + "-", ""));
    EXPECT_FALSE(parse_trace_context("cc" + kParent.substr(2) + ".what-the-future-will-be", ""));
    EXPECT_FALSE(parse_trace_context("ff" + kParent.substr(2), ""));
    EXPECT_TRUE(
        format_traceparent(*parse_trace_context("01" + kParent.substr(2), "")).starts_with("00-")
    );
}

// The cases of the W3C test suite (trace-context/test/test.py) that need no server.
TEST(TraceContext, RefusesWhatIsNotAsItHasToBe) {
    std::vector<std::string> bad{
        "",
        "00",
        kParent.substr(1),
        kParent.substr(0, 54),
        kParent + "-what-the-future-will-be-like",
        kParent + "-",
        kParent + " ",
        " " + kParent,
        kParent + "," + kParent,
        "00-" + std::string(32, '0') + "-" + kSpan + "-01",
        "00-" + kTrace + "-" + std::string(16, '0') + "-01",
        "00-" + kTrace + "-" + kSpan + "-.0",
        "00-" + kTrace + "-" + kSpan + "-0.",
        "00-" + kTrace + "-" + kSpan + "-1",
        "00-" + kTrace + "-" + kSpan + "-001",
        "00-" + kTrace + "-" + kSpan + "-0A",
        "0A-" + kTrace + "-" + kSpan + "-01",
        ".0-" + kTrace + "-" + kSpan + "-01",
        "00-" + kTrace.substr(1) + "-" + kSpan + "-01",
        "00-" + kTrace + "-" + kSpan.substr(1) + "-01",
        "00-" + kTrace + "0-" + kSpan + "-01",
        "00-.af7651916cd43dd8448eb211c80319c-" + kSpan + "-01",
        "00-0AF7651916CD43DD8448EB211C80319C-" + kSpan + "-01",
        "00-" + kTrace + "-B7AD6B7169203331-01",
        "00_" + kTrace + "_" + kSpan + "_01",
        "000" + kTrace + "-" + kSpan + "-01",
    };
    for (const std::string& text : bad) {
        EXPECT_FALSE(parse_trace_context(text, "a=1")) << text;
    }
    for (std::size_t i = 0; i < kParent.size(); ++i) {
        for (const char c : {'\0', ' ', 'g', 'A', '\xff'}) {
            std::string other = kParent;
            other[i] = c;
            EXPECT_FALSE(parse_trace_context(other, "")) << i;
        }
    }
}

TEST(TraceState, IsHandedOn) {
    const std::pair<std::string, std::string> cases[] = {
        {"", ""},
        {"foo=1", "foo=1"},
        {"rojo=00f067aa0ba902b7,congo=t61rcWkgMzE", "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"},
        {"foo=1,", "foo=1"},
        {",,foo=1, ,bar=2,", "foo=1,bar=2"},
        {"foo=1 \t , \t bar=2", "foo=1,bar=2"},
        {" foo=1", "foo=1"},
        {"foo= 1", "foo= 1"},
        {"foo=a b", "foo=a b"},
        {"a*b/c_d-9=~!@#$%^&*()", "a*b/c_d-9=~!@#$%^&*()"},
        {"fw529a3039@dt=FfAAAAAKAQAAAA", "fw529a3039@dt=FfAAAAAKAQAAAA"},
        {"0tenant@system=1", "0tenant@system=1"},
        {std::string(256, 'z') + "=1", std::string(256, 'z') + "=1"},
        {std::string(241, 't') + "@" + std::string(14, 'v') + "=1",
         std::string(241, 't') + "@" + std::string(14, 'v') + "=1"},
    };
    for (const auto& [before, after] : cases) {
        EXPECT_EQ(clean_tracestate(before), after) << before;
        EXPECT_EQ(parse_trace_context(kParent, before)->trace_state, after) << before;
    }
}

TEST(TraceState, IsDroppedWholeWhenAnyOfItIsBroken) {
    for (const std::string& bad : {
             std::string("foo"),
             std::string("foo="),
             std::string("=1"),
             std::string("foo =1"),
             std::string("FOO=1"),
             std::string("foo.bar=1"),
             std::string("0foo=1"),
             std::string("foo@=1"),
             std::string("@foo=1"),
             std::string("foo@@bar=1"),
             std::string("foo@bar@baz=1"),
             std::string("foo@0bar=1"),
             std::string("foo=1=2"),
             std::string("foo=1;bar=2"),
             std::string("foo=\xc3\xa9"),
             std::string("foo=a\nb"),
             std::string("foo=1,foo=1"),
             std::string("foo=1,bar=2,foo=3"),
             std::string("ok=1,,B=2"),
             std::string(257, 'z') + "=1",
             std::string(242, 't') + "@v=1",
             "t@" + std::string(15, 'v') + "=1",
             "foo=" + std::string(257, '1'),
         }) {
        EXPECT_EQ(clean_tracestate(bad), "") << bad;
        EXPECT_EQ(parse_trace_context(kParent, "x=1," + bad)->trace_state, "") << bad;
    }
}

TEST(TraceState, HasAtMost32Members) {
    std::string members;
    for (int i = 0; i < 32; ++i) {
        members += "bar" + std::to_string(i) + "=" + std::to_string(i) + ",";
    }
    EXPECT_EQ(clean_tracestate(members) + ",", members);
    EXPECT_EQ(clean_tracestate(members + "bar32=32"), "");
    EXPECT_EQ(clean_tracestate(std::string(100'000, ',')), "");
}

TEST(TraceState, WhatIsTooLongLosesLargeMembersFirst) {
    const auto member = [](const char* key, std::size_t bytes) {
        return std::string(key) + "=" + std::string(bytes - 2, 'x');
    };
    // Four members of 127 bytes and three commas are 511.
    const std::string most =
        member("a", 127) + "," + member("b", 127) + "," + member("c", 127) + "," + member("d", 127);
    EXPECT_EQ(clean_tracestate(most), most);
    EXPECT_EQ(clean_tracestate(member("l", 200) + "," + most), most);
    EXPECT_EQ(clean_tracestate(most + "," + member("l", 129)), most);
    EXPECT_EQ(clean_tracestate(most + ",e=1"), most);
    EXPECT_EQ(clean_tracestate("e=1," + most), "e=1," + most.substr(0, 127 * 3 + 2));
    // Of large ones the last goes first, and only as many as have to.
    EXPECT_EQ(
        clean_tracestate(member("l", 200) + "," + member("m", 200) + "," + member("n", 200)),
        member("l", 200) + "," + member("m", 200)
    );
}

TEST(TraceContext, ANewTraceHasNewIdsAndAChildANewSpan) {
    Counting ids(0x1234);
    const TraceContext root = start_trace(ids, true);
    EXPECT_EQ(root.trace_id, "00000000000012340000000000001235");
    EXPECT_EQ(root.span_id, "0000000000001236");
    TraceContext parent = root;
    parent.trace_state = "foo=1";
    const TraceContext child = child_of(parent, ids);
    EXPECT_EQ(child.trace_id, root.trace_id);
    EXPECT_EQ(child.span_id, "0000000000001237");
    EXPECT_TRUE(child.sampled);
    EXPECT_EQ(child.trace_state, "foo=1");
    EXPECT_EQ(parse_trace_context(format_traceparent(child), child.trace_state), child);
    EXPECT_FALSE(start_trace(ids, false).sampled);
}

TEST(TraceContext, IdsAreNeverZero) {
    class Zero final : public TraceIdSource {
        std::uint64_t next() override { return 0; }
    } zero;
    const TraceContext root = start_trace(zero, true);
    EXPECT_TRUE(parse_trace_context(format_traceparent(root), ""));
    EXPECT_TRUE(parse_trace_context(format_traceparent(child_of(root, zero)), ""));
}

TEST(TraceIds, AreReproducibleDistinctAndForAllThreads) {
    RandomTraceIds one(1, 2);
    RandomTraceIds same(1, 2);
    RandomTraceIds other(1, 3);
    const std::uint64_t first = one.next();
    EXPECT_EQ(first, same.next());
    EXPECT_NE(first, other.next());
    EXPECT_NE(RandomTraceIds().next(), RandomTraceIds().next());

    std::mutex mutex;
    std::set<std::uint64_t> seen;
    {
        std::vector<std::jthread> threads;
        for (int t = 0; t < 4; ++t) {
            threads.emplace_back([&] {
                std::vector<std::uint64_t> mine(5'000);
                for (std::uint64_t& id : mine) {
                    id = one.next();
                }
                const std::lock_guard lock(mutex);
                seen.insert(mine.begin(), mine.end());
            });
        }
    }
    EXPECT_EQ(seen.size(), 20'000U);
}

}  // namespace
}  // namespace lab
