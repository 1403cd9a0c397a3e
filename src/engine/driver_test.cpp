#include "engine/driver.h"

#include "engine/impl/test_world.h"
#include "platform/process/event_loop.h"
#include "platform/process/worker.h"
#include "support/kept_spans.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace lab::engine {
namespace {
using namespace std::chrono_literals;
using providers::Outcome;
using test::FakeReply;
using test::Process;
using test::qa_rows;
using test::qa_yaml;
using test::World;

/// Right for items with an even number, wrong for others.
FakeReply qa_reply(const providers::CallRequest& request) {
    const int number = std::stoi(request.item_id.substr(1));
    return {.output = number % 2 == 0 ? "answer " + std::to_string(number) : "no idea"};
}

void answer_as_qa(World& world) {
    for (const auto& provider : world.providers) {
        provider->script = [](const providers::CallRequest& request, int) {
            return qa_reply(request);
        };
    }
}

constexpr storage::Query kCountIntents{
    "count_intents", "SELECT COUNT(*), COALESCE(SUM(sample = $2), 0) FROM intents WHERE run = $1"
};

struct Intents {
    std::int64_t open = 0;
    bool own = false;  ///< one of them is for the sample asked about
};
Intents open_intents(World& world, std::int64_t sample = -1) {
    Intents out;
    const storage::Value values[] = {world.run, sample};
    EXPECT_TRUE(world.reader->query(world.ctx, kCountIntents, values, [&](const storage::Row& row) {
        out = {row.integer(0), row.integer(1) > 0};
        return ok();
    }));
    return out;
}

TEST(Driver, AnswersEverySampleOnce) {
    World world(
        qa_yaml("{id: a, provider: openai, model: a1}, {id: b, provider: openai, model: b1}") +
            "run: {repetitions: 3, concurrency: 4}\n",
        qa_rows(50)
    );
    answer_as_qa(world);
    Process process(world);
    const RunEnd& end = process.run();
    EXPECT_EQ(end.reason, StopReason::completed);
    EXPECT_FALSE(end.error);
    EXPECT_EQ(end.counters.done, 300);
    EXPECT_EQ(end.counters.calls, 300);
    EXPECT_EQ(end.counters.in_flight, 0);
    EXPECT_EQ(end.counters.unpriced, 300) << "no price is known";
    EXPECT_EQ(world.provider(0).calls(), 150);
    EXPECT_EQ(world.provider(1).calls(), 150);
    EXPECT_EQ(world.provider(0).in_flight_max, 4);
    const auto stored = world.stored();
    ASSERT_EQ(stored.size(), 300U);
    for (std::size_t i = 0; i < stored.size(); ++i) {
        const domain::SampleResult& one = stored[i];
        ASSERT_EQ(one.index, static_cast<std::int64_t>(i));
        EXPECT_EQ(one.variant, static_cast<int>(i / 150));
        EXPECT_EQ(one.item, static_cast<std::int64_t>(i / 3 % 50));
        EXPECT_EQ(one.repetition, static_cast<int>(i % 3));
        EXPECT_EQ(one.item_id, "q" + std::to_string(one.item));
        EXPECT_EQ(one.state, domain::SampleState::done);
        EXPECT_EQ(one.attempts, 1);
        EXPECT_EQ(one.usage, (domain::Usage{.input = 10, .output = 5}));
        EXPECT_FALSE(one.cost);
        EXPECT_FALSE(one.cached);
        EXPECT_TRUE(one.cache_key.empty()) << "the cache is off";
        EXPECT_EQ(one.latency, 10ms);
        EXPECT_EQ(one.time_to_first_token, 5ms);
        const SampleScores scores = decode_scores(one.scores, *world.scores).value();
        EXPECT_EQ(scores.values, std::vector<double>{one.item % 2 == 0 ? 1.0 : 0.0});
    }
    EXPECT_EQ(open_intents(world).open, 0);
    EXPECT_TRUE(world.loop.idle()) << "nothing is left on the loop";
}

TEST(Driver, EachSampleIsASpanWithItsScoreBelow) {
    World world(qa_yaml("{id: a, provider: openai, model: a1}"), qa_rows(3));
    answer_as_qa(world);
    lab::test::KeptSpans kept;
    {
        const SpanScope scope(kept.place());
        Process process(world);
        EXPECT_EQ(process.run().reason, StopReason::completed);
    }
    std::set<std::array<char, 16>> samples;
    int scores = 0;
    for (const SpanRecord& span : kept.spans()) {
        if (span.name == "sample") {
            samples.insert(span.span_id);
            EXPECT_EQ(span.parent_id, kept.place().span_id);
            EXPECT_EQ(
                *lab::test::attribute_of(span, "llm_research.variant"), SpanValue(std::string("a"))
            );
            EXPECT_EQ(
                *lab::test::attribute_of(span, "llm_research.sample.attempts"),
                SpanValue(std::int64_t{1})
            );
        }
    }
    for (const SpanRecord& span : kept.spans()) {
        if (span.name == "score exact_match") {
            ++scores;
            EXPECT_TRUE(samples.contains(span.parent_id));
        }
    }
    EXPECT_EQ(samples.size(), 3U);
    EXPECT_EQ(scores, 3);
}

TEST(Driver, AsksWithTheRenderedPromptAndTheVariantsParameters) {
    World world(
        "name: two\ndataset: {path: r.jsonl}\n"
        "prompts: [{id: short, template: '{{question}}'}, {id: long, system: S, template: 'Q: "
        "{{question}}'}]\n"
        "models: [{id: m, provider: openai, model: m-1, stream: false,"
        " parameters: {temperature: 0.5}}]\n"
        "scorers: [{type: exact_match, reference: '{{answer}}'}]\n"
        "run: {timeout: 7s}\n",
        qa_rows(1)
    );
    std::vector<std::vector<domain::Message>> asked;
    world.provider().on_start = [&](const providers::CallRequest& request) {
        asked.push_back(request.messages);
        EXPECT_EQ(request.model, "m-1");
        EXPECT_EQ(dump_json(*request.parameters), R"({"temperature":0.5})");
        EXPECT_FALSE(request.stream);
        EXPECT_EQ(request.item_id, "q0");
        EXPECT_EQ(request.timeout, 7s);
    };
    Process process(world);
    EXPECT_EQ(process.run().reason, StopReason::completed);
    std::ranges::sort(asked, {}, [](const auto& messages) { return messages.size(); });
    ASSERT_EQ(asked.size(), 2U);
    EXPECT_EQ(asked[0], (std::vector<domain::Message>{{"user", "question 0"}}));
    EXPECT_EQ(asked[1], (std::vector<domain::Message>{{"system", "S"}, {"user", "Q: question 0"}}));
}

TEST(Driver, WritesTheIntentBeforeItAsks) {
    World world(qa_yaml(test::kPaid) + "run: {concurrency: 5, seed: 3}\n", qa_rows(60), false);
    std::int64_t asked = 0;
    std::int64_t most = 0;
    world.provider().on_start = [&](const providers::CallRequest& request) {
        const auto sample = std::stoll(request.item_id.substr(1));
        const Intents intents = open_intents(world, sample);
        EXPECT_TRUE(intents.own) << "sample " << sample << " is asked without its intent";
        most = std::max(most, intents.open);
        ++asked;
    };
    Process process(world, [] { return 3ms; });
    EXPECT_EQ(process.run().reason, StopReason::completed);
    EXPECT_EQ(asked, 60);
    // Those in flight, those committed ahead, those answered whose result is on its way.
    EXPECT_LE(most, 5 * 4) << "what a run holds grows with its concurrency";
    EXPECT_EQ(open_intents(world).open, 0);
    const storage::Ledger ledger = world.ledger();
    EXPECT_EQ(ledger.settled, world.bill());
    EXPECT_EQ(ledger.settled.exact(), "0.0012");
    EXPECT_EQ(ledger.uncertain, 0);
}

TEST(Driver, CountsEveryRetry) {
    World world(qa_yaml(test::kPaid) + "run: {concurrency: 8}\n", qa_rows(40));
    world.provider().script = [](const providers::CallRequest& request, int attempt) {
        const int number = std::stoi(request.item_id.substr(1));
        FakeReply reply = qa_reply(request);
        if (attempt <= number % 4) {
            constexpr Outcome kFailures[] = {
                Outcome::rate_limited, Outcome::overloaded, Outcome::nonsense
            };
            reply.outcome = kFailures[attempt - 1];
            reply.http_status = attempt == 1 ? 429 : 500;
        }
        return reply;
    };
    Process process(world);
    const RunEnd& end = process.run();
    EXPECT_EQ(end.reason, StopReason::completed);
    EXPECT_EQ(end.counters.done, 40);
    EXPECT_EQ(end.counters.retries, 10 * (0 + 1 + 2 + 3));
    EXPECT_EQ(end.counters.calls, 100);
    EXPECT_EQ(end.counters.rate_limited, 30);
    EXPECT_EQ(world.provider().calls(), 100);
    for (const domain::SampleResult& one : world.stored()) {
        EXPECT_EQ(one.attempts, 1 + one.item % 4);
        EXPECT_EQ(one.state, domain::SampleState::done);
        EXPECT_EQ(one.http_status, 200);
        EXPECT_EQ(one.error_message, "") << "what went wrong on the way is no result";
    }
    EXPECT_EQ(world.ledger().calls, 100);
    EXPECT_EQ(world.ledger().settled, world.bill());
}

TEST(Driver, WaitsAsLongAsTheServerAsks) {
    World world(qa_yaml(test::kPaid), qa_rows(1));
    world.provider().script = [](const providers::CallRequest& request, int attempt) {
        FakeReply reply = qa_reply(request);
        if (attempt == 1) {
            reply.outcome = Outcome::rate_limited;
            reply.hints.retry_after = 3s;
        }
        return reply;
    };
    Process process(world);
    EXPECT_EQ(process.run().reason, StopReason::completed);
    const auto& log = world.provider().log;
    ASSERT_EQ(log.size(), 2U);
    EXPECT_GE(log[1].at - log[0].at, 3s);
    EXPECT_LE(log[1].at - log[0].at, 3s + 310ms) << "a tenth of jitter at most";
}

TEST(Driver, ARefusalIsAFailedSampleAndNoWrongAnswer) {
    World world(qa_yaml(test::kPaid) + "run: {max_error_share: 1}\n", qa_rows(20));
    world.provider().script = [](const providers::CallRequest& request, int) {
        FakeReply reply = qa_reply(request);
        if (request.item_id.ends_with('3')) {
            reply.outcome = Outcome::refused;
            reply.http_status = 400;
            reply.message = "content policy";
        }
        return reply;
    };
    Process process(world);
    const RunEnd& end = process.run();
    EXPECT_EQ(end.reason, StopReason::completed);
    EXPECT_EQ(end.counters.failed, 2);
    EXPECT_EQ(end.counters.done, 18);
    const auto stored = world.stored();
    EXPECT_EQ(stored[3].state, domain::SampleState::failed);
    EXPECT_EQ(stored[3].error_code, "UPSTREAM_ERROR");
    EXPECT_EQ(stored[3].error_message, "content policy");
    EXPECT_EQ(stored[3].http_status, 400);
    EXPECT_EQ(stored[3].scores, "");
    EXPECT_EQ(stored[3].cost, Money()) << "nothing is booked for a refusal";
    EXPECT_EQ(open_intents(world).open, 0);
}

TEST(Driver, ARowThatCannotBeRenderedIsNeverSent) {
    auto rows = qa_rows(10);
    rows[4] = R"({"id":"q4","answer":"answer 4"})";
    World world(qa_yaml(test::kPaid) + "run: {max_error_share: 1}\n", rows);
    Process process(world);
    EXPECT_EQ(process.run().reason, StopReason::completed);
    EXPECT_EQ(world.provider().calls(), 9);
    const domain::SampleResult broken = world.stored()[4];
    EXPECT_EQ(broken.state, domain::SampleState::failed);
    EXPECT_EQ(broken.error_code, info(Code::validation).wire_name);
    EXPECT_NE(broken.error_message.find("question"), std::string::npos) << broken.error_message;
    EXPECT_EQ(broken.attempts, 0);
    EXPECT_EQ(broken.cost, Money()) << "what was never sent costs nothing";
    EXPECT_EQ(world.ledger().unpriced, 0);
}

TEST(Driver, StopsWhenTooManySamplesFail) {
    World world(
        qa_yaml(test::kPaid) + "run: {max_error_share: 0.1, concurrency: 4}\n", qa_rows(100)
    );
    world.provider().script = [](const providers::CallRequest& request, int) {
        FakeReply reply = qa_reply(request);
        reply.outcome =
            std::stoi(request.item_id.substr(1)) % 3 == 0 ? Outcome::refused : Outcome::ok;
        return reply;
    };
    Process process(world);
    const RunEnd& end = process.run();
    EXPECT_EQ(end.reason, StopReason::too_many_errors);
    EXPECT_NE(end.words.find("of 100 samples"), std::string::npos) << end.words;
    EXPECT_GE(end.counters.failed, 11);
    EXPECT_LE(end.counters.failed, 11 + 4) << "those in flight end too";
    EXPECT_EQ(open_intents(world).open, 0);
    // Failures are tried again by the next process.
    world.provider().script = [](const providers::CallRequest& request, int) {
        return qa_reply(request);
    };
    Process again(world);
    EXPECT_EQ(again.run().reason, StopReason::completed);
    EXPECT_EQ(world.ledger().done, 100);
    EXPECT_EQ(world.ledger().failed, 0);
}

TEST(Driver, GivesUpOnAnEndpointThatRefusesEverything) {
    World world(qa_yaml(test::kPaid) + "run: {max_error_share: 1, concurrency: 2}\n", qa_rows(200));
    world.provider().script = [](const providers::CallRequest&, int) {
        return FakeReply{
            .outcome = Outcome::refused, .message = "no such model", .http_status = 404
        };
    };
    Process process(world);
    const RunEnd& end = process.run();
    EXPECT_EQ(end.reason, StopReason::endpoint_down);
    EXPECT_NE(end.words.find("no such model"), std::string::npos) << end.words;
    EXPECT_LE(world.provider().calls(), 12);
    EXPECT_EQ(open_intents(world).open, 0);
}

TEST(Driver, AModelThatIsGoneDoesNotStopTheOthersAndAResumeTriesWhatIsMissing) {
    World world(
        qa_yaml("{id: a, provider: openai, model: a1}, {id: b, provider: openai, model: b1}") +
            "run: {concurrency: 4}\n",
        qa_rows(50)
    );
    answer_as_qa(world);
    const auto script = world.provider(1).script;
    world.provider(1).script = [](const providers::CallRequest&, int) {
        return FakeReply{
            .outcome = Outcome::network,
            .message = "b1 cannot be reached",
            .http_status = 0,
            .unreachable = true
        };
    };
    {
        Process process(world, [] { return 2ms; });
        const RunEnd& end = process.run();
        EXPECT_EQ(end.reason, StopReason::endpoint_down);
        EXPECT_EQ(end.words, "model b does not answer: b1 cannot be reached");
        EXPECT_EQ(world.provider(0).calls(), 50);
        EXPECT_LE(world.provider(1).calls(), 8);
        const std::vector<LaneStatus> status = process.driver->lane_status();
        ASSERT_EQ(status.size(), 2U);
        EXPECT_EQ(status[0].state, LaneState::done);
        EXPECT_EQ(status[1].state, LaneState::given_up);
        EXPECT_EQ(status[1].name, "b");
        EXPECT_EQ(status[1].last_error, end.words);
        EXPECT_EQ(world.ledger().done, 50);
        EXPECT_EQ(open_intents(world).open, 0);
    }
    world.provider(1).script = script;
    Process again(world);
    EXPECT_EQ(again.run().reason, StopReason::completed);
    EXPECT_EQ(world.provider(0).calls(), 50) << "what is there is not asked for again";
    EXPECT_EQ(world.ledger().done, 100);
}

TEST(Driver, AStartThatBreaksOffIsTriedAgain) {
    World world(qa_yaml(test::kPaid) + "run: {concurrency: 4}\n", qa_rows(20));
    world.provider().script = [](const providers::CallRequest& request, int attempt) {
        FakeReply reply = qa_reply(request);
        reply.outcome = attempt == 1 ? Outcome::network : Outcome::ok;
        reply.billed = true;
        return reply;
    };
    Process process(world);
    EXPECT_EQ(process.run().reason, StopReason::completed);
    EXPECT_EQ(world.ledger().done, 20);
    EXPECT_EQ(world.provider().calls(), 40);
    EXPECT_EQ(world.ledger().uncertain, 20);
}

TEST(Driver, OneInterruptFinishesWhatIsInFlight) {
    World world(qa_yaml(test::kPaid) + "run: {concurrency: 8}\n", qa_rows(100));
    answer_as_qa(world);
    {
        Process process(world, [] { return 2ms; });
        process.start();
        ASSERT_TRUE(world.loop.run_until([&] { return world.provider().calls() >= 50; }));
        const std::int64_t sent = world.provider().calls();
        ASSERT_GT(world.provider().in_flight(), 0);
        process.driver->interrupt();
        const RunEnd& end = process.finish();
        EXPECT_EQ(end.reason, StopReason::interrupted);
        EXPECT_EQ(world.provider().calls(), sent) << "nothing more is sent";
        EXPECT_EQ(world.provider().cancelled, 0);
        EXPECT_EQ(end.counters.done, sent);
        EXPECT_EQ(world.ledger().done, sent) << "what was in flight is saved";
        EXPECT_EQ(open_intents(world).open, 0) << "what was not sent is withdrawn";
        process.driver->interrupt();  // late: nothing happens
    }
    Process again(world);
    EXPECT_EQ(again.run().reason, StopReason::completed);
    EXPECT_EQ(world.provider().calls(), 100) << "no stored result is asked for again";
    EXPECT_EQ(world.ledger().uncertain, 0);
    EXPECT_EQ(world.ledger().settled, world.bill());
}

TEST(Driver, TwoInterruptsCutCallsShort) {
    World world(qa_yaml(test::kPaid) + "run: {concurrency: 8}\n", qa_rows(100));
    answer_as_qa(world);
    std::int64_t flying = 0;
    {
        Process process(world, [] { return 2ms; });
        process.start();
        ASSERT_TRUE(world.loop.run_until([&] { return world.provider().calls() >= 50; }));
        flying = world.provider().in_flight();
        ASSERT_GT(flying, 0);
        const TimePoint then = world.clock.now();
        process.driver->interrupt();
        process.driver->interrupt();
        EXPECT_EQ(world.provider().in_flight(), 0);
        const RunEnd& end = process.finish();
        EXPECT_EQ(end.reason, StopReason::interrupted);
        EXPECT_LE(world.clock.now() - then, 10ms) << "it waits for the disk and nothing else";
        EXPECT_EQ(world.provider().cancelled, flying);
        EXPECT_EQ(open_intents(world).open, flying) << "whether those were billed nobody knows";
    }
    Process again(world);
    EXPECT_EQ(again.run().reason, StopReason::completed);
    EXPECT_EQ(world.provider().calls(), 100 + flying);
    const storage::Ledger ledger = world.ledger();
    EXPECT_EQ(ledger.uncertain, flying);
    EXPECT_LE(ledger.settled, world.bill());
    EXPECT_LE(world.bill(), ledger.settled + ledger.uncertain_cost);
}

TEST(Driver, AnInterruptedRetryIsForgottenAndTriedByTheNextProcess) {
    World world(
        qa_yaml(test::kPaid) + "run: {concurrency: 4, retry: {initial: 50s}}\n", qa_rows(8)
    );
    world.provider().script = [](const providers::CallRequest& request, int attempt) {
        FakeReply reply = qa_reply(request);
        reply.outcome = attempt == 1 ? Outcome::overloaded : Outcome::ok;
        return reply;
    };
    {
        Process process(world);
        process.start();
        ASSERT_TRUE(world.loop.run_until([&] { return process.driver->counters().waiting >= 2; }));
        process.driver->interrupt();
        EXPECT_EQ(process.finish().reason, StopReason::interrupted);
        EXPECT_TRUE(world.loop.idle()) << "no timer is left behind";
        EXPECT_EQ(open_intents(world).open, 0);
    }
    Process again(world);
    EXPECT_EQ(again.run().reason, StopReason::completed);
    EXPECT_EQ(world.ledger().done, 8);
}

TEST(Driver, AnInterruptThatComesWhenAllIsAnsweredDoesNotSpoilTheRun) {
    World world(qa_yaml(test::kPaid) + "run: {concurrency: 8}\n", qa_rows(8));
    answer_as_qa(world);
    Process process(world, [] { return 5ms; });
    process.start();
    ASSERT_TRUE(world.loop.run_until([&] { return world.provider().in_flight() == 8; }));
    process.driver->interrupt();
    EXPECT_EQ(process.finish().reason, StopReason::completed) << "nothing was left out";
    EXPECT_EQ(world.ledger().done, 8);
}

TEST(Driver, AReplayNeedsNoIntents) {
    World world(
        qa_yaml("{id: r, provider: replay, replay: {path: x.jsonl}}") + "run: {concurrency: 4}\n",
        qa_rows(500)
    );
    world.provider().script = [](const providers::CallRequest& request, int) {
        FakeReply reply = qa_reply(request);
        reply.at_once = true;
        return reply;
    };
    world.provider().on_start = [&](const providers::CallRequest&) {
        ASSERT_EQ(open_intents(world).open, 0);
    };
    Process process(world);
    const RunEnd& end = process.run();
    EXPECT_EQ(end.reason, StopReason::completed);
    EXPECT_EQ(end.counters.done, 500);
    EXPECT_EQ(end.counters.cost, Money());
    for (const domain::SampleResult& one : world.stored()) {
        EXPECT_TRUE(one.replayed);
        EXPECT_EQ(one.cost, Money());
    }
    EXPECT_EQ(world.ledger().calls, 0) << "a replayed answer is no call";
    EXPECT_EQ(world.ledger().unpriced, 0);
}

TEST(Driver, AReplayWaitsForTheDisk) {
    World world(
        qa_yaml("{id: r, provider: replay, replay: {path: x.jsonl}}") + "run: {repetitions: 120}\n",
        qa_rows(100)
    );
    world.provider().script = [](const providers::CallRequest& request, int) {
        FakeReply reply = qa_reply(request);
        reply.at_once = true;
        return reply;
    };
    std::int64_t most = 0;
    world.provider().on_start = [&](const providers::CallRequest&) {
        if (world.provider().calls() % 500 == 0) {
            most = std::max(most, world.provider().calls() - world.ledger().done);
        }
    };
    Process process(world, [] { return 1s; });
    EXPECT_EQ(process.run().reason, StopReason::completed);
    EXPECT_EQ(world.ledger().done, 12'000);
    EXPECT_GT(most, 4'000) << "the test saw it work ahead";
    EXPECT_LE(most, 8'192 + 2 * 512) << "finished samples do not pile up while the disk is slow";
}

TEST(Driver, AModelWithoutSamplesDoesNotHoldTheRunUp) {
    World world(
        qa_yaml("{id: a, provider: openai, model: a1}, {id: b, provider: openai, model: b1}") +
            "variants: [{model: b, prompt: p}]\n",
        qa_rows(5)
    );
    Process process(world);
    EXPECT_EQ(process.run().reason, StopReason::completed);
    EXPECT_EQ(world.provider(0).calls(), 0);
    EXPECT_EQ(world.provider(1).calls(), 5);
}

TEST(Driver, ARunWithNothingLeftEndsAtOnce) {
    World world(qa_yaml(test::kPaid), qa_rows(5));
    answer_as_qa(world);
    {
        Process process(world);
        EXPECT_EQ(process.run().reason, StopReason::completed);
    }
    Process again(world);
    const RunEnd& end = again.run();
    EXPECT_EQ(end.reason, StopReason::completed);
    EXPECT_EQ(end.counters.done, 0);
    EXPECT_EQ(world.provider().calls(), 5);
}

/// The real loop and the real worker: what one thread does and what the other is for the thread
/// sanitizer to judge.
TEST(Driver, SharesNothingBetweenLoopAndWorker) {
    World world(
        qa_yaml(test::kPaid) + "run: {concurrency: 16, repetitions: 4, cache: read_write}\n",
        qa_rows(60),
        false
    );
    SystemClock clock;
    EventLoop loop(clock);
    lab::test::FakeProvider provider(loop);
    provider.script = [](const providers::CallRequest& request, int attempt) {
        FakeReply reply = qa_reply(request);
        reply.latency = std::chrono::microseconds(100);
        reply.at_once = attempt == 2;
        return reply;
    };
    const auto worker_session =
        world.database->open_session(world.ctx, storage::Durability::on_sync).value();
    const auto disk_session = world.open_session();
    const auto loop_session = world.open_session();
    storage::Journal journal(*worker_session);
    storage::Journal disk_journal(*disk_session);
    storage::Journal cache(*loop_session);
    std::optional<RunEnd> end;
    {
        ThreadWorker worker;
        ThreadWorker disk;
        Driver driver(
            RunInput{
                .spec = &world.spec,
                .plan = &*world.plan,
                .items = &*world.items,
                .renderer = &*world.renderer,
                .scores = &*world.scores,
                .providers = {&provider},
                .pricing = {world.spec.models[0].pricing},
                .run = world.run,
            },
            DriverDeps{
                .loop = &loop,
                .worker = &worker,
                .disk = &disk,
                .journal = &journal,
                .disk_journal = &disk_journal,
                .cache_reader = &cache,
                .ctx = Ctx(clock),
            }
        );
        loop.post([&] {
            driver.start([&](RunEnd one) {
                end = std::move(one);
                loop.stop();
            });
        });
        loop.run();
    }
    ASSERT_TRUE(end);
    EXPECT_EQ(end->reason, StopReason::completed);
    EXPECT_EQ(world.ledger().done, 240);
    EXPECT_EQ(provider.calls(), 240);
}

}  // namespace
}  // namespace lab::engine
