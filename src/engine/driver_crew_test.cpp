#include "engine/driver.h"
#include "engine/impl/test_world.h"

#include <gtest/gtest.h>

#include <algorithm>

/// What a driver asks the others for, and how it follows them. That several of them together do a
/// run as one would is shown where the crew is real: service/run_crew_test.cpp.
namespace lab::engine {
namespace {
using namespace std::chrono_literals;
using lab::test::ManualWorker;
using test::FakeReply;
using test::qa_rows;
using test::qa_yaml;
using test::World;

/// Gives blocks from a list, one of a lane at a time.
class ScriptedCrew final : public Crew {
  public:
    Result<CrewAnswer> ask(const CrewAsk& ask) override {
        asks.push_back(ask);
        if (error) {
            return *error;
        }
        CrewAnswer out = answer;
        for (const int lane : ask.lanes) {
            const auto found = std::ranges::find(blocks, lane, &Block::lane);
            if (found == blocks.end()) {
                out.nothing_left.push_back(lane);
            } else {
                out.blocks.push_back(*found);
                blocks.erase(found);
            }
        }
        return out;
    }
    std::vector<int> finished() const {
        std::vector<int> out;
        for (const CrewAsk& one : asks) {
            out.insert(out.end(), one.finished.begin(), one.finished.end());
        }
        return out;
    }
    std::vector<Block> blocks;
    CrewAnswer answer;
    std::optional<Error> error;
    std::vector<CrewAsk> asks;
};

class CrewDriver : public testing::Test {
  protected:
    World world{
        qa_yaml("{id: m, provider: openai, model: m1, parameters: {max_tokens: 10}}") +
            "run: {concurrency: 4, cache: off}\n",
        qa_rows(40)
    };
    ScriptedCrew crew;
    std::optional<RunEnd> end;
    std::unique_ptr<storage::Session> session = world.open_session();
    std::unique_ptr<storage::Session> disk_session = world.open_session();
    storage::Journal journal{*session};
    storage::Journal disk_journal{*disk_session};
    ManualWorker worker{world.loop, [] { return 1ms; }};
    ManualWorker disk{world.loop, [] { return 1ms; }};
    std::optional<Driver> driver;

    void start() {
        RunInput input;
        input.spec = &world.spec;
        input.plan = &*world.plan;
        input.items = &*world.items;
        input.renderer = &*world.renderer;
        input.scores = &*world.scores;
        input.providers.push_back(&world.provider());
        input.pricing.emplace_back();
        input.run = world.run;
        input.finished.resize(40);
        driver.emplace(
            std::move(input),
            DriverDeps{
                .loop = &world.loop,
                .worker = &worker,
                .disk = &disk,
                .journal = &journal,
                .disk_journal = &disk_journal,
                .ctx = world.ctx,
                .crew = &crew,
            }
        );
        driver->start([this](RunEnd one) { end = std::move(one); });
    }
    void run() {
        start();
        EXPECT_TRUE(world.loop.run_until([this] { return end.has_value(); })) << "the run hangs";
    }
};

TEST_F(CrewDriver, TakesBlocksBeforeItRunsOutAndSaysWhichAreDone) {
    crew.blocks = {
        {.shard = 3, .lane = 0, .next = 0, .end = 10},
        {.shard = 7, .lane = 0, .next = 20, .end = 31}
    };
    run();
    EXPECT_EQ(end->reason, StopReason::completed);
    EXPECT_EQ(world.ledger().done, 21);
    std::vector<int> done = crew.finished();
    done.insert(done.end(), driver->finished_blocks().begin(), driver->finished_blocks().end());
    EXPECT_EQ(done, (std::vector<int>{3, 7}));
    std::set<std::int64_t> expected;
    for (const auto& [first, last] : {std::pair(0, 10), std::pair(20, 31)}) {
        for (int at = first; at < last; ++at) {
            expected.insert(world.plan->at(0, at).index);
        }
    }
    for (const domain::SampleResult& one : world.stored()) {
        EXPECT_TRUE(expected.contains(one.index)) << one.index;
    }
}

TEST_F(CrewDriver, ABlockWithSamplesThatWereLeftOutIsNotDone) {
    crew.blocks = {{.shard = 0, .lane = 0, .next = 0, .end = 40}};
    world.provider().script = [](const auto&, int) { return FakeReply{.latency = 50ms}; };
    start();
    EXPECT_TRUE(world.loop.run_until([&] { return world.provider().calls() >= 8; }));
    driver->interrupt();
    EXPECT_TRUE(world.loop.run_until([&] { return end.has_value(); }));
    EXPECT_EQ(end->reason, StopReason::interrupted);
    EXPECT_TRUE(crew.finished().empty());
    EXPECT_TRUE(driver->finished_blocks().empty());
}

TEST_F(CrewDriver, WhatSomebodyElseHasStoredIsNotSentAgain) {
    crew.blocks = {{.shard = 0, .lane = 0, .next = 0, .end = 40}};
    std::vector<bool> stored(40);
    for (int at = 0; at < 30; ++at) {
        stored[static_cast<std::size_t>(world.plan->at(0, at).index)] = true;
    }
    crew.answer.stored = stored;
    run();
    EXPECT_EQ(world.provider().calls(), 10);
    EXPECT_EQ(world.ledger().done, 10);
    EXPECT_EQ(driver->finished_blocks(), std::vector<int>{0});
}

TEST_F(CrewDriver, EndsWhenTheOthersEnd) {
    crew.blocks = {{.shard = 0, .lane = 0, .next = 0, .end = 40}};
    world.provider().script = [](const auto&, int) { return FakeReply{.latency = 400ms}; };
    start();
    EXPECT_TRUE(world.loop.run_until([&] { return world.provider().calls() >= 8; }));
    crew.answer.ending = "too much failed elsewhere";
    EXPECT_TRUE(world.loop.run_until([&] { return end.has_value(); }));
    EXPECT_EQ(end->words, "too much failed elsewhere");
    EXPECT_LT(world.ledger().done, 40);
}

TEST_F(CrewDriver, WhoIsGivenUpByTheOthersStops) {
    crew.blocks = {{.shard = 0, .lane = 0, .next = 0, .end = 40}};
    world.provider().script = [](const auto&, int) { return FakeReply{.latency = 400ms}; };
    start();
    EXPECT_TRUE(world.loop.run_until([&] { return world.provider().calls() >= 4; }));
    crew.error = Error(Code::conflict, "another worker has taken the run over");
    EXPECT_TRUE(world.loop.run_until([&] { return end.has_value(); }));
    EXPECT_EQ(end->reason, StopReason::internal_error);
    ASSERT_TRUE(end->error.has_value());
    EXPECT_EQ(end->error->code, Code::conflict);
    EXPECT_EQ(world.provider().in_flight(), 0) << "nothing more is paid for";
}

TEST_F(CrewDriver, HearsOfTheOthersTwiceASecond) {
    crew.blocks = {{.shard = 0, .lane = 0, .next = 0, .end = 40}};
    crew.answer.others = {.spent = {}, .done = 12, .failed = 3};
    crew.answer.is_speaker = false;
    world.provider().script = [](const auto&, int) { return FakeReply{.latency = 1s}; };
    run();
    EXPECT_EQ(driver->others().done, 12);
    EXPECT_FALSE(driver->is_speaker());
    EXPECT_GT(crew.asks.size(), 18U);  // ten seconds
    EXPECT_LT(crew.asks.size(), 30U);
}

}  // namespace
}  // namespace lab::engine
