#include "cli/progress.h"

#include "base/text.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <memory>
#include <optional>

namespace lab::cli {
namespace {
using namespace std::chrono_literals;
using service::LaneProgress;
using service::LaneState;
using service::Progress;

Progress some() {
    Progress p;
    p.planned = 20;
    p.done = 8;
    p.elapsed = 4s;
    p.tokens = 12'345;
    p.cost = Money::parse("0.0021").value();
    p.retries = 3;
    p.failed = 1;
    return p;
}

LaneProgress lane(LaneState state, Duration wait, const std::string& name = "m") {
    const std::optional<Duration> next_in = wait > 0s ? std::optional(wait) : std::nullopt;
    return {.model = name, .state = state, .next_in = next_in, .last_error = "answers 500"};
}

TEST(ProgressLine, TellsFiguresAndWhatIsLeft) {
    EXPECT_EQ(
        progress_line(some(), {}),
        " 45 % 9/20  2/s  ETA 0:05  12.3k tokens  $0.0021  3 retries  1 failed"
    );
}

TEST(ProgressLine, SaysWhyNothingHappens) {
    Progress p = some();
    p.lanes = {lane(LaneState::working, 0s, "other"), lane(LaneState::broken, 56200ms)};
    EXPECT_TRUE(progress_line(p, {}).ends_with("1 failed  m answers 500; next try in 57 s"));
    p.lanes.push_back(lane(LaneState::rate_limited, 3s, "slow"));
    EXPECT_TRUE(progress_line(p, {}).ends_with("m answers 500; next try in 57 s (+1)"))
        << "the worst is told, the others are counted";
    p.lanes = {lane(LaneState::rate_limited, 3s)};
    EXPECT_TRUE(progress_line(p, {}).ends_with("m: rate limited by the server, next call in 3 s"));
    p.lanes = {lane(LaneState::rate_limited, 900ms), lane(LaneState::own_limit, 100ms)};
    EXPECT_TRUE(progress_line(p, {}).ends_with("1 failed")) << "a moment is not worth a word";
}

TEST(ProgressLine, WhatWaitsComesBeforeWhatIsGone) {
    Progress p = some();
    LaneProgress gone = lane(LaneState::given_up, 0s);
    gone.last_error = "model gone does not answer: no";
    p.lanes = {gone};
    EXPECT_TRUE(progress_line(p, {}).ends_with("given up: model gone does not answer: no"));
    p.lanes.push_back(lane(LaneState::no_budget, 0s));
    EXPECT_TRUE(progress_line(p, {}).ends_with("m: waits for the budget (+1)"));
}

TEST(ProgressLine, FitsTheTerminalAndKeepsTheReason) {
    Progress p = some();
    p.lanes = {lane(LaneState::broken, 57s)};
    for (const int columns : {200, 100, 80, 60, 50}) {
        const std::string line = progress_line(p, {.columns = columns, .bar = true});
        EXPECT_LE(count_code_points(line), static_cast<std::size_t>(columns));
        EXPECT_NE(line.find("9/20"), std::string::npos) << line;
        EXPECT_TRUE(line.ends_with("m answers 500; next try in 57 s")) << line;
    }
    const std::string narrow = progress_line(p, {.columns = 20, .bar = true});
    EXPECT_EQ(count_code_points(narrow), 20U);
    EXPECT_TRUE(narrow.ends_with("\u2026")) << narrow;
}

TEST(ProgressLine, AServersWordsDoNotSteerTheTerminal) {
    Progress p = some();
    LaneProgress evil = lane(LaneState::broken, 9s);
    evil.last_error = "openai said \033[2J\r\nhello";
    p.lanes = {evil};
    const std::string line = progress_line(p, {});
    EXPECT_EQ(line.find_first_of("\033\r\n"), std::string::npos);
    EXPECT_NE(line.find("hello"), std::string::npos);
}

TEST(ProgressLine, WhileStoppingItCountsWhatIsInFlightAndNeverNothing) {
    Progress p = some();
    p.stopping = true;
    p.lanes = {lane(LaneState::broken, 57s)};
    p.in_flight = 3;
    EXPECT_TRUE(progress_line(p, {}).ends_with("  stopping: 3 in flight (Ctrl-C again: stop now)"));
    p.in_flight = 0;
    EXPECT_TRUE(progress_line(p, {}).ends_with("  stopping: storing what was answered"));
    const std::string last = progress_line(p, {.ended = true});
    EXPECT_TRUE(last.ends_with("1 failed")) << last;
    EXPECT_EQ(last.find("ETA"), std::string::npos);
}

/// What is printed where nobody draws lines anew.
class PlainProgress : public testing::Test {
  protected:
    std::vector<std::string> lines() {
        std::rewind(file_.get());
        std::string text(100'000, '\0');
        text.resize(std::fread(text.data(), 1, text.size(), file_.get()));
        std::vector<std::string> out;
        for (const std::string_view line : split(text, '\n')) {
            if (!line.empty()) {
                out.emplace_back(line);
            }
        }
        return out;
    }
    void show_until(Duration end) {
        for (; progress_.elapsed < end; progress_.elapsed += 100ms) {
            display_.show(progress_);
        }
    }

    std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_{std::tmpfile(), &std::fclose};
    Console console_{.err = file_.get()};
    ProgressDisplay display_{console_};
    Progress progress_ = [] {
        Progress p;
        p.planned = 20;
        return p;
    }();
};

TEST_F(PlainProgress, PrintsNowAndThen) {
    show_until(12s);
    EXPECT_EQ(lines().size(), 2U);
}

TEST_F(PlainProgress, TellsAChangeAtOnceAndOnce) {
    progress_.lanes = {lane(LaneState::broken, 60s)};
    show_until(4s);
    ASSERT_EQ(lines().size(), 1U) << "not every tick";
    EXPECT_TRUE(lines()[0].ends_with("m answers 500; next try in 60 s"));
    progress_.lanes[0].last_error = "answers 503";
    show_until(4200ms);
    ASSERT_EQ(lines().size(), 2U);
    progress_.lanes[0].state = LaneState::working;
    progress_.stopping = true;
    progress_.in_flight = 2;
    show_until(6s);
    ASSERT_EQ(lines().size(), 3U);
    EXPECT_NE(lines()[2].find("stopping: 2 in flight"), std::string::npos);
    progress_.in_flight = 0;
    display_.finish(progress_);
    EXPECT_EQ(lines().back().find("in flight"), std::string::npos);
}

TEST_F(PlainProgress, ModelsThatWaitInTurnDoNotFloodIt) {
    for (int i = 0; i < 100; ++i) {
        progress_.lanes = {lane(LaneState::broken, 60s, i % 2 == 0 ? "a" : "b")};
        show_until(progress_.elapsed + 100ms);
    }
    EXPECT_LE(lines().size(), 11U);
}

}  // namespace
}  // namespace lab::cli
