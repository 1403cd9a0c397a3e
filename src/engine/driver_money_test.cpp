#include "engine/driver.h"
#include "engine/impl/test_world.h"

#include <gtest/gtest.h>

#include <set>

/// Budgets that are hard, and answers that are not paid for twice.
namespace lab::engine {
namespace {
using namespace std::chrono_literals;
using providers::Outcome;
using test::FakeReply;
using test::kPaid;
using test::Process;
using test::qa_rows;
using test::qa_yaml;
using test::World;

std::string with_budget(const std::string& budget, int concurrency = 8) {
    return qa_yaml(kPaid) + "run: {concurrency: " + std::to_string(concurrency) +
           ", max_error_share: 1, budget: {" + budget + "}}\n";
}

TEST(Budget, ACostIsNeverExceededAndIsUsedUp) {
    // An answer costs 20 millionths, at worst 40.
    for (const int budget : {1, 39, 40, 41, 100, 419, 420, 1000}) {
        World world(with_budget("max_cost_usd: 1"), qa_rows(100));
        const Money limit = Money::from_pico(budget * 1'000'000LL);
        world.spec.run.budget.max_cost = limit;
        Process process(world, [] { return 2ms; });
        const RunEnd& end = process.run();
        EXPECT_EQ(end.reason, StopReason::budget_exhausted);
        EXPECT_LE(world.bill(), limit);
        // The next call could cost 40: what is left does not allow that.
        EXPECT_GT(world.bill() + Money::from_pico(40'000'000), limit);
        EXPECT_EQ(world.ledger().settled, world.bill()) << "results are kept";
        EXPECT_EQ(world.ledger().done, world.provider().calls());
        EXPECT_EQ(storage::Journal(*world.reader).reclaim_intents(world.ctx, world.run).value(), 0);
    }
}

TEST(Budget, AServerThatChargesTooMuchIsStoppedWithWhatIsInFlight) {
    World world(with_budget("max_cost_usd: 0.002"), qa_rows(100));
    world.provider().script = [](const providers::CallRequest& request, int) {
        FakeReply reply{.output = request.item_id};
        reply.usage = {.input = 20, .output = 500};  // ten were allowed
        return reply;
    };
    const Money one = Money::parse("0.00102").value();
    {
        Process process(world, [] { return 2ms; });
        const RunEnd& end = process.run();
        EXPECT_EQ(end.reason, StopReason::budget_exhausted);
        EXPECT_LE(world.provider().calls(), 8 + 1) << "the second answer leaves nothing";
        EXPECT_EQ(world.ledger().settled, world.bill()) << "results are kept";
        EXPECT_NE(
            end.words.find(
                "the calls cost $" + world.bill().exact() + ", more than the budget of $0.002: "
            ),
            std::string::npos
        ) << end.words;
        EXPECT_EQ(storage::Journal(*world.reader).reclaim_intents(world.ctx, world.run).value(), 0)
            << "what was held back is withdrawn";
    }
    EXPECT_GE(world.bill(), one + one);
    const std::int64_t calls = world.provider().calls();
    Process again(world);
    EXPECT_EQ(again.run().reason, StopReason::budget_exhausted);
    EXPECT_EQ(world.provider().calls(), calls);
    EXPECT_NE(again.end->words.find("more than the budget"), std::string::npos);
}

TEST(Budget, AResumedRunGoesOnWhereTheBooksStand) {
    World world(with_budget("max_cost_usd: 0.0005"), qa_rows(60));
    {
        Process process(world);
        EXPECT_EQ(process.run().reason, StopReason::budget_exhausted);
    }
    const std::int64_t calls = world.provider().calls();
    EXPECT_EQ(calls, 24) << "24 x 20 + 40 > 500";
    {
        Process process(world);
        EXPECT_EQ(process.run().reason, StopReason::budget_exhausted);
        EXPECT_EQ(world.provider().calls(), calls) << "the budget is that of the run";
    }
    world.spec.run.budget.max_cost = Money::parse("0.01").value();
    Process process(world);
    EXPECT_EQ(process.run().reason, StopReason::completed);
    EXPECT_EQ(world.provider().calls(), 60);
}

TEST(Budget, TokensAreNeverExceeded) {
    World world(with_budget("max_tokens: 500"), qa_rows(100));
    Process process(world);
    EXPECT_EQ(process.run().reason, StopReason::budget_exhausted);
    EXPECT_LE(world.provider().billed_tokens, 500);
    EXPECT_GT(world.provider().billed_tokens, 500 - 30);
}

TEST(Budget, CallsCountRetriesToo) {
    World world(with_budget("max_calls: 50"), qa_rows(100));
    world.provider().script = [](const providers::CallRequest& request, int attempt) {
        FakeReply reply{.output = request.item_id};
        reply.outcome = attempt == 1 ? Outcome::overloaded : Outcome::ok;
        return reply;
    };
    Process process(world);
    const RunEnd& end = process.run();
    EXPECT_EQ(end.reason, StopReason::budget_exhausted);
    EXPECT_EQ(world.provider().calls(), 50);
    EXPECT_EQ(end.counters.calls, 50);
}

TEST(Budget, WhatMayHaveBeenBilledCountsAtItsWorst) {
    World world(with_budget("max_cost_usd: 0.002"), qa_rows(100));
    world.provider().script = [](const providers::CallRequest& request, int attempt) {
        FakeReply reply{.output = request.item_id};
        reply.usage = {.input = 20, .output = 10};
        if (attempt == 1 && request.item_id.ends_with('0')) {
            reply.outcome = Outcome::network;
            reply.billed = true;
        }
        return reply;
    };
    Process process(world, [] { return 2ms; });
    EXPECT_EQ(process.run().reason, StopReason::budget_exhausted);
    EXPECT_LE(world.bill(), *world.spec.run.budget.max_cost);
    const storage::Ledger ledger = world.ledger();
    EXPECT_LT(ledger.settled, world.bill());
    EXPECT_EQ(ledger.settled + ledger.uncertain_cost, world.bill());
    EXPECT_GT(ledger.uncertain, 0);
}

TEST(Budget, CallsAreCountedAcrossInterruptions) {
    World world(with_budget("max_calls: 120", 4), qa_rows(100));
    world.provider().script = [](const providers::CallRequest& request, int attempt) {
        FakeReply reply{.output = request.item_id};
        reply.outcome = attempt % 3 != 0 ? Outcome::overloaded : Outcome::ok;
        return reply;
    };
    for (int round = 0; round < 40; ++round) {
        Process process(world, [] { return 2ms; });
        process.start();
        const std::int64_t before = world.provider().calls();
        world.loop.run_until([&] { return world.provider().calls() >= before + 7; }, 300s);
        if (!process.end) {
            process.driver->interrupt();
        }
        const RunEnd& end = process.finish();
        if (end.reason == StopReason::budget_exhausted) {
            break;
        }
        EXPECT_EQ(world.ledger().calls, world.provider().calls())
            << "what was sent stays counted, answered or not";
    }
    EXPECT_LE(world.provider().calls(), 120);
    EXPECT_GT(world.provider().calls(), 110);
}

TEST(Budget, CallsAreCountedAcrossCrashes) {
    World world(with_budget("max_calls: 300", 4), qa_rows(100));
    world.provider().script = [](const providers::CallRequest& request, int attempt) {
        FakeReply reply{.output = request.item_id};
        reply.outcome = attempt % 4 != 0 ? Outcome::overloaded : Outcome::ok;
        return reply;
    };
    for (int round = 0; round < 40; ++round) {
        Process process(world);
        process.start();
        const std::int64_t before = world.provider().calls();
        world.loop.run_until([&] { return process.end || world.provider().calls() >= before + 30; }
        );
    }
    EXPECT_LE(world.provider().calls(), 300);
    EXPECT_GT(world.provider().calls(), 100);
}

TEST(Budget, AnUnknownPriceIsNotZero) {
    World world(qa_yaml("{id: m, provider: openai, model: m1}"), qa_rows(7));
    Process process(world);
    const RunEnd& end = process.run();
    EXPECT_EQ(end.reason, StopReason::completed);
    EXPECT_EQ(end.counters.unpriced, 7);
    EXPECT_EQ(world.ledger().unpriced, 7);
    for (const domain::SampleResult& one : world.stored()) {
        EXPECT_FALSE(one.cost);
    }
}

TEST(Budget, ManyModelsShareOneBudget) {
    World world(
        qa_yaml(
            std::string(kPaid) + ", {id: n, provider: openai, model: n1, parameters: {max_tokens: "
                                 "10}, pricing: {input_per_million: 3, output_per_million: 6}}"
        ) + "run: {concurrency: 3, budget: {max_cost_usd: 0.002}}\n",
        qa_rows(100)
    );
    world.provider(1).script = [](const providers::CallRequest& request, int attempt) {
        FakeReply reply{.latency = 3ms, .output = request.item_id};
        reply.usage = attempt % 2 == 0 ? domain::Usage{.input = 20, .output = 10}
                                       : domain::Usage{.input = 1, .output = 1};
        return reply;
    };
    Process process(world, [] { return 1ms; });
    EXPECT_EQ(process.run().reason, StopReason::budget_exhausted);
    EXPECT_LE(world.bill(), *world.spec.run.budget.max_cost);
    EXPECT_EQ(world.ledger().settled, world.bill());
    EXPECT_GT(world.bill().pico(), 1'800'000'000);
}

// The response cache.

std::string with_cache(const std::string& mode, const std::string& more = "") {
    return qa_yaml(kPaid) + "run: {concurrency: 4, cache: " + mode + more + "}\n";
}

TEST(Cache, TheSecondRunCostsNothingAndSaysSo) {
    World world(with_cache("read_write"), qa_rows(30));
    {
        Process process(world);
        EXPECT_EQ(process.run().counters.answered, 0);
    }
    const std::string first = world.results();
    const Money bill = world.bill();
    world.run = world.new_run();
    Process process(world);
    const RunEnd& end = process.run();
    EXPECT_EQ(end.reason, StopReason::completed);
    EXPECT_EQ(end.counters.answered, 30);
    EXPECT_EQ(end.counters.done, 30);
    EXPECT_EQ(end.counters.calls, 0);
    EXPECT_EQ(end.counters.cost, Money());
    EXPECT_EQ(world.provider().calls(), 30);
    EXPECT_EQ(world.bill(), bill);
    EXPECT_EQ(world.results(), first) << "the same outputs, scored the same";
    for (const domain::SampleResult& one : world.stored()) {
        EXPECT_TRUE(one.cached);
        EXPECT_EQ(one.cost, Money());
        EXPECT_EQ(one.attempts, 0);
        EXPECT_EQ(one.finish_reason, "stop");
    }
    EXPECT_EQ(world.ledger().cached, 30);
    EXPECT_EQ(world.ledger().calls, 0);
    EXPECT_EQ(world.ledger().settled, Money());
}

TEST(Cache, RepetitionsAreAskedApart) {
    World world(with_cache("read_write", ", repetitions: 3"), qa_rows(5));
    world.provider().script = [](const providers::CallRequest& request, int attempt) {
        return FakeReply{.output = request.item_id + " try " + std::to_string(attempt)};
    };
    {
        Process process(world);
        EXPECT_EQ(process.run().counters.answered, 0);
    }
    EXPECT_EQ(world.provider().calls(), 15) << "a repetition is no repeat of the other's answer";
    const std::string first = world.results();
    world.run = world.new_run();
    Process process(world);
    EXPECT_EQ(process.run().counters.answered, 15);
    EXPECT_EQ(world.results(), first) << "each repetition finds its own answer";
}

TEST(Cache, WhatMakesAnotherRequestIsInTheKey) {
    const auto calls_after = [](const std::function<void(World&)>& change) {
        World world(with_cache("read_write"), qa_rows(3));
        {
            Process process(world);
            process.run();
        }
        change(world);
        world.run = world.new_run();
        Process process(world);
        EXPECT_EQ(process.run().reason, StopReason::completed);
        return world.provider().calls();
    };
    EXPECT_EQ(calls_after([](World&) {}), 3);
    EXPECT_EQ(calls_after([](World& w) { w.spec.name = "another"; }), 3);
    EXPECT_EQ(calls_after([](World& w) { w.spec.run.seed = 5; }), 6);
    EXPECT_EQ(calls_after([](World& w) { w.spec.models[0].model = "m2"; }), 6);
    EXPECT_EQ(calls_after([](World& w) { w.spec.models[0].headers = {{"X-Beta", "1"}}; }), 6);
    EXPECT_EQ(calls_after([](World& w) { w.provider().endpoint_name = "elsewhere"; }), 6);
    EXPECT_EQ(calls_after([](World& w) { w.spec.variants[0].parameters["top_p"] = 0.5; }), 6);
    EXPECT_EQ(calls_after([](World& w) { w.spec.run.cache = domain::CacheMode::off; }), 6);
    const auto with_prompt = [](World& w) {
        w.spec.prompts[0].messages[0].content = "Answer: {{question}}";
        w.renderer.emplace(Renderer::make(w.spec, *w.items).value());
    };
    EXPECT_EQ(calls_after(with_prompt), 6);
    const auto with_role = [](World& w) {
        w.spec.prompts[0].messages[0].role = "system";
        w.renderer.emplace(Renderer::make(w.spec, *w.items).value());
    };
    EXPECT_EQ(calls_after(with_role), 6);
}

TEST(Cache, ReadOnlyFindsAndLeavesNothing) {
    World world(with_cache("read_only"), qa_rows(6));
    {
        Process process(world);
        EXPECT_EQ(process.run().counters.answered, 0);
    }
    world.run = world.new_run();
    {
        Process process(world);
        EXPECT_EQ(process.run().counters.answered, 0) << "the first run left nothing to be found";
    }
    EXPECT_EQ(world.provider().calls(), 12);
    world.spec.run.cache = domain::CacheMode::read_write;
    world.run = world.new_run();
    {
        Process process(world);
        process.run();
    }
    EXPECT_EQ(world.provider().calls(), 18);
    world.spec.run.cache = domain::CacheMode::read_only;
    world.run = world.new_run();
    Process process(world);
    EXPECT_EQ(process.run().counters.answered, 6);
    EXPECT_EQ(world.provider().calls(), 18);
}

TEST(Cache, VariantsThatAskTheSameShareTheAnswersOfOneRun) {
    World world(
        with_cache("read_write") +
            "variants: [{id: a, model: m, prompt: p}, {id: b, model: m, prompt: p}]\n",
        qa_rows(200)
    );
    Process process(world, [] { return 2ms; });
    const RunEnd& end = process.run();
    EXPECT_EQ(end.reason, StopReason::completed);
    EXPECT_EQ(end.counters.done, 400);
    EXPECT_EQ(end.counters.answered + end.counters.calls, 400);
    EXPECT_GT(end.counters.answered, 150) << "but for those that were asked at the same time";
    EXPECT_EQ(world.ledger().done, 400);
    EXPECT_EQ(world.ledger().settled, world.bill());
}

TEST(Cache, AFailureIsNeverServed) {
    World world(with_cache("read_write", ", max_error_share: 1"), qa_rows(4));
    world.provider().script = [](const providers::CallRequest&, int attempt) {
        FakeReply reply;
        reply.outcome = attempt == 1 ? Outcome::refused : Outcome::ok;
        return reply;
    };
    {
        Process process(world);
        EXPECT_EQ(process.run().counters.failed, 4);
    }
    world.run = world.new_run();
    Process process(world);
    const RunEnd& end = process.run();
    EXPECT_EQ(end.counters.answered, 0);
    EXPECT_EQ(end.counters.done, 4);
}

TEST(Cache, HitsDoNotWaitForABudget) {
    World world(with_cache("read_write"), qa_rows(10));
    {
        Process process(world);
        process.run();
    }
    world.spec.run.budget.max_cost = Money::from_pico(1);
    world.run = world.new_run();
    Process process(world);
    EXPECT_EQ(process.run().reason, StopReason::completed);
}

}  // namespace
}  // namespace lab::engine
