#include "service/runs.h"

#include "service/impl/test_lab.h"
#include "storage/store/resources.h"
#include "storage/store/run_lock.h"
#include "storage/store/runs.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

namespace lab::service {
namespace {
using namespace std::chrono_literals;
using domain::RunState;
using engine::test::kPaid;
using engine::test::qa_rows;
using engine::test::qa_yaml;
using providers::Outcome;
using test::FakeReply;

constexpr const char* kTwo =
    "{id: m, provider: openai, model: m1, parameters: {max_tokens: 10},"
    " pricing: {input_per_million: 1, output_per_million: 2}},"
    " {id: n, provider: openai, model: n1, parameters: {max_tokens: 10},"
    " pricing: {input_per_million: 1, output_per_million: 2}}";

class RunService : public test::Lab {
  protected:
    RunService() {
        answer("m", 8);
        answer("n", 5);
    }
    /// Right for the first so many items.
    void answer(const std::string& model, int right) {
        provider(model).script = [right](const providers::CallRequest& request, int) {
            const int number = std::stoi(request.item_id.substr(1));
            return FakeReply{
                .output = number < right ? "answer " + std::to_string(number) : "no idea"
            };
        };
    }
    std::string write_two(const std::string& more = "", const std::string& name = "two.yaml") {
        write_rows("rows.jsonl", qa_rows(10));
        return write(name, qa_yaml(kTwo) + more);
    }
    std::unique_ptr<RunReport> report(const std::vector<std::string>& ids) {
        auto out = report_runs(ctx_, deps_, ids);
        EXPECT_TRUE(out) << (out ? "" : out.error().message);
        return out ? *std::move(out) : nullptr;
    }
    std::vector<report::ItemRow> items(const RunReport& from) {
        std::vector<report::ItemRow> out;
        EXPECT_TRUE(from.items->each([&](const report::ItemRow& row) {
            out.push_back(row);
            return ok();
        }));
        return out;
    }
    storage::Session& session() {
        if (!session_) {
            session_ = deps_.database(ctx_).value()->open_session(ctx_).value();
        }
        return *session_;
    }
    void cancel(const domain::Run& run) {
        storage::Runs runs(session());
        EXPECT_TRUE(runs.set_state(ctx_, run.key, RunState::cancelled, "cancelled by hand", "t"));
    }
    Result<RunResult> resume(const std::string& id, const domain::Budget& budget = {}) {
        return resume_run(ctx_, deps_, id, budget, {});
    }

    std::unique_ptr<storage::Session> session_;
};

TEST_F(RunService, RunsAndBooksTheRun) {
    std::vector<std::string> said;
    std::int64_t most = 0;
    RunHooks hooks;
    hooks.started = [&](const domain::Run& run) { said.push_back(run.id); };
    hooks.progress = [&](const Progress& p) {
        EXPECT_EQ(p.planned, 400);
        most = std::max(most, p.done);
    };
    const RunResult result = run(write_two("run: {repetitions: 20, concurrency: 1}\n"), hooks);
    EXPECT_EQ(result.run.state, RunState::completed);
    EXPECT_FALSE(result.error);
    EXPECT_EQ(result.progress.done, 400);
    EXPECT_EQ(result.progress.calls, 400);
    EXPECT_EQ(result.progress.cost.exact(), "0.008");
    EXPECT_EQ(said, std::vector<std::string>{result.run.id});
    EXPECT_GT(most, 0) << "progress was told";
    const domain::Run stored = get_run(ctx_, deps_, "last").value();
    EXPECT_EQ(stored.id, result.run.id);
    EXPECT_EQ(stored.state, RunState::completed);
    EXPECT_EQ(stored.number, 1);
    EXPECT_EQ(stored.planned, 400);
    EXPECT_FALSE(stored.completed_at.empty());
    const Json manifest = parse_json(stored.manifest).value();
    EXPECT_EQ(manifest["dataset"]["rows"], 10);
    EXPECT_EQ(manifest["price_table"], "2026-01");
    EXPECT_EQ(manifest["software_version"], "1.2.3");
    EXPECT_EQ(manifest["metrics"][0]["name"], "exact_match");
    EXPECT_EQ(list_runs(ctx_, deps_, 10)->size(), 1U);
}

TEST_F(RunService, ACompletedRunIsNeitherResumedNorCancelled) {
    const RunResult result = run(write_two());
    EXPECT_EQ(resume(result.run.id).error().code, Code::invalid_state);
    EXPECT_EQ(cancel_run(ctx_, deps_, result.run.id).error().code, Code::invalid_state);
    EXPECT_EQ(resume("nobody").error().code, Code::not_found);
    EXPECT_EQ(provider("m").calls(), 10);
}

TEST_F(RunService, AnInterruptedRunGoesOn) {
    RunHooks hooks;
    std::function<void()> interrupt;
    bool registered = false;
    hooks.on_interrupt = [&](std::function<void()> on) {
        registered = registered || on != nullptr;
        interrupt = std::move(on);
    };
    provider("m").on_start = [&](const providers::CallRequest&) {
        if (provider("m").calls() == 4) {
            loop_.post([&] { interrupt(); });
        }
    };
    const RunResult first = run(write_two("run: {concurrency: 2}\n"), hooks);
    EXPECT_EQ(first.run.state, RunState::interrupted);
    EXPECT_TRUE(registered);
    EXPECT_FALSE(interrupt) << "taken back at the end";
    EXPECT_LT(first.progress.done, 20);
    EXPECT_GT(first.progress.done, 0);
    provider("m").on_start = [](const providers::CallRequest&) {};
    const auto second = resume(first.run.id);
    ASSERT_TRUE(second) << second.error().message;
    EXPECT_EQ(second->run.state, RunState::completed);
    EXPECT_EQ(second->progress.already, first.progress.done);
    EXPECT_EQ(second->progress.already + second->progress.done, 20);
    EXPECT_EQ(provider("m").calls() + provider("n").calls(), 20) << "nothing is paid for twice";
}

TEST_F(RunService, WhatCostMoreThanTheBudgetIsSaidInTheReport) {
    for (const char* model : {"m", "n"}) {
        provider(model).script = [](const providers::CallRequest& request, int) {
            FakeReply reply{.output = request.item_id};
            reply.usage = {.input = 20, .output = 100};  // ten were allowed
            return reply;
        };
    }
    const std::string paid = ", more than the budget of $";
    const auto warned = [&](const RunResult& result, const std::string& words) {
        const std::vector<std::string> warnings = report({result.run.id})->report.warnings;
        return std::ranges::any_of(warnings, [&](const std::string& warning) {
            return warning.contains(result.run.id) && warning.contains(words);
        });
    };
    const RunResult all = run(write_two("run: {budget: {max_cost_usd: 0.001}}\n"));
    EXPECT_EQ(all.run.state, RunState::completed) << "all were in flight at once";
    EXPECT_TRUE(warned(all, "the calls cost $0.0044" + paid + "0.001: the server charged more"));
    const RunResult some =
        run(write_two("run: {concurrency: 1, budget: {max_cost_usd: 0.0005}}\n", "some.yaml"));
    EXPECT_EQ(some.run.state, RunState::budget_exhausted);
    EXPECT_TRUE(warned(some, "the calls cost $" + some.progress.cost.exact() + paid + "0.0005"));
    EXPECT_LE(some.progress.calls, 4);
}

TEST_F(RunService, ProgressSaysWhatEachModelWaitsFor) {
    provider("n").script = [](const providers::CallRequest&, int attempt) {
        FakeReply reply{.outcome = Outcome::rate_limited, .http_status = 429};
        reply.hints.retry_after = 30s;
        reply.outcome = attempt == 1 ? Outcome::rate_limited : Outcome::ok;
        return reply;
    };
    std::set<std::string> said;
    RunHooks hooks;
    hooks.progress = [&](const Progress& p) {
        ASSERT_EQ(p.lanes.size(), 2U);
        EXPECT_EQ(p.lanes[0].model, "m");
        EXPECT_EQ(lane_reason(p.lanes[0]), "");
        said.insert(lane_words(p.lanes[1]));
    };
    EXPECT_EQ(run(write_two(), hooks).run.state, RunState::completed);
    EXPECT_TRUE(said.contains("n: rate limited by the server, next call in 20 s")) << said.size();
}

TEST_F(RunService, AnExhaustedBudgetGoesOnWithALargerOne) {
    const RunResult first =
        run(write_qa("run: {concurrency: 1, budget: {max_cost_usd: 0.0001}}\n"));
    EXPECT_EQ(first.run.state, RunState::budget_exhausted);
    EXPECT_EQ(first.progress.done, 4) << "4 x 20 + 40 > 100";
    EXPECT_EQ(resume(first.run.id)->run.state, RunState::budget_exhausted);
    domain::Budget more;
    more.max_cost = Money::parse("1").value();
    const auto last = resume(first.run.id, more);
    ASSERT_TRUE(last) << last.error().message;
    EXPECT_EQ(last->run.state, RunState::completed);
    EXPECT_EQ(provider("m").calls(), 10);
}

TEST_F(RunService, AFailedRunTriesItsFailuresAgain) {
    provider("m").script = [](const providers::CallRequest&, int) {
        return FakeReply{.outcome = Outcome::refused, .message = "no", .http_status = 400};
    };
    const RunResult first = run(write_qa());
    EXPECT_EQ(first.run.state, RunState::failed);
    EXPECT_FALSE(first.run.stop_reason.empty());
    answer("m", 10);
    const auto second = resume(first.run.id);
    ASSERT_TRUE(second) << second.error().message;
    EXPECT_EQ(second->run.state, RunState::completed);
    EXPECT_EQ(second->progress.done, 10);
}

TEST_F(RunService, ACancelledRunStaysCancelled) {
    const RunResult first = run(write_qa("run: {concurrency: 1, budget: {max_calls: 3}}\n"));
    ASSERT_EQ(first.run.state, RunState::budget_exhausted);
    const auto cancelled = cancel_run(ctx_, deps_, first.run.id);
    ASSERT_TRUE(cancelled) << cancelled.error().message;
    EXPECT_EQ(cancelled->state, RunState::cancelled);
    EXPECT_EQ(resume(first.run.id).error().code, Code::invalid_state);
    EXPECT_EQ(report({first.run.id})->report.totals.done, 3) << "its results are kept";
}

TEST_F(RunService, WhatIsCancelledWhileItIsTakenUpSendsNothing) {
    RunHooks hooks;
    hooks.on_interrupt = [&](const std::function<void()>& handler) {
        if (handler) {
            cancel(storage::Runs(session()).get(ctx_, "last").value());
        }
    };
    hooks.started = [](const domain::Run&) { FAIL() << "it has not started"; };
    const RunResult result = run(write_qa(), hooks);
    EXPECT_EQ(result.run.state, RunState::cancelled);
    EXPECT_EQ(result.run.stop_reason, "cancelled by hand");
    EXPECT_EQ(provider("m").calls(), 0);
}

TEST_F(RunService, WhatIsPausedWhileItIsTakenUpSendsNothing) {
    const RunResult first = run(write_qa("run: {concurrency: 1, budget: {max_calls: 3}}\n"));
    storage::Runs runs(session());
    ASSERT_TRUE(runs.set_state(ctx_, first.run.key, RunState::running, "", "t"));  // by a queue
    RunHooks hooks;
    hooks.on_interrupt = [&](const std::function<void()>& handler) {
        storage::Resources experiments(session(), storage::ResourceKind::experiment);
        auto found = experiments.find_anywhere(ctx_, first.run.experiment_id).value();
        if (handler && found) {
            found->status = "paused";
            EXPECT_TRUE(experiments.update(ctx_, *found).value());
        }
    };
    domain::Budget more;
    more.max_calls = 100;
    const auto second = resume_run(ctx_, deps_, first.run.id, more, hooks);
    ASSERT_TRUE(second) << second.error().message;
    EXPECT_EQ(second->run.state, RunState::interrupted);
    EXPECT_EQ(provider("m").calls(), 3);
    EXPECT_EQ(resume(first.run.id, more)->run.state, RunState::completed) << "by hand it goes on";
}

TEST_F(RunService, ACancelledRunIsSoWhateverBecomesOfItsLastCalls) {
    std::function<void()> interrupt;
    RunHooks hooks;
    hooks.on_interrupt = [&](std::function<void()> handler) {
        if (handler) {
            interrupt = std::move(handler);
        }
    };
    provider("m").on_start = [&](const providers::CallRequest&) {
        if (provider("m").calls() == 9) {  // the last: the engine will call the run completed
            cancel(storage::Runs(session()).get(ctx_, "last").value());
            loop_.post([&] { interrupt(); });
        }
    };
    const RunResult result = run(write_qa("run: {concurrency: 1}\n"), hooks);
    EXPECT_EQ(result.run.state, RunState::cancelled);
    EXPECT_EQ(get_run(ctx_, deps_, "last")->state, RunState::cancelled);
    interrupt();  // by somebody who had the handler still
    EXPECT_EQ(provider("m").calls(), 10);
}

TEST_F(RunService, ARunSomebodyWorksOnIsLeftAlone) {
    const RunResult first = run(write_qa("run: {concurrency: 1, budget: {max_calls: 3}}\n"));
    const auto lock = storage::RunLock::acquire(deps_.lock_folder, first.run.id);
    ASSERT_TRUE(lock);
    EXPECT_EQ(resume(first.run.id).error().code, Code::conflict);
    EXPECT_EQ(cancel_run(ctx_, deps_, first.run.id).error().code, Code::conflict);
    EXPECT_EQ(get_run(ctx_, deps_, first.run.id)->state, RunState::budget_exhausted);
}

// Reports.

TEST_F(RunService, AReportHoldsTheFigures) {
    const RunResult result =
        run(write_two("gate: [{metric: exact_match, variant: m, min: 0.8}]\n"));
    const auto made = report({"last"});
    ASSERT_TRUE(made);
    const report::Report& r = made->report;
    ASSERT_EQ(r.runs.size(), 1U);
    EXPECT_EQ(r.runs[0].id, result.run.id);
    EXPECT_EQ(r.runs[0].items, 10);
    ASSERT_EQ(r.variants.size(), 2U);
    EXPECT_EQ(r.variants[0].id, "m");
    EXPECT_TRUE(r.variants[0].baseline);
    EXPECT_DOUBLE_EQ(r.variants[0].metrics[0].value, 0.8);
    EXPECT_DOUBLE_EQ(r.variants[1].metrics[0].value, 0.5);
    ASSERT_EQ(r.comparisons.size(), 1U);
    EXPECT_EQ(r.comparisons[0].a, 1U);
    EXPECT_EQ(r.comparisons[0].comparison.only_b, 3);
    EXPECT_DOUBLE_EQ(r.comparisons[0].comparison.difference, -0.3);
    EXPECT_EQ(r.totals.calls, 20);
    EXPECT_EQ(r.totals.retries, 0);
    EXPECT_EQ(r.totals.cost->exact(), "0.0004");
    EXPECT_DOUBLE_EQ(r.variants[0].latency.p50, static_cast<double>(0.01F));
    ASSERT_EQ(r.gates.size(), 1U);
    EXPECT_TRUE(r.gates_passed());
    EXPECT_FALSE(r.answer.empty());
    EXPECT_TRUE(r.warnings.empty());
    const auto rows = items(*made);
    ASSERT_EQ(rows.size(), 10U);
    EXPECT_EQ(rows[7].id, "q7");
    EXPECT_EQ(rows[7].input, "question 7") << "what it was compared with is not shown as asked";
    EXPECT_EQ(rows[7].reference, "answer 7");
    ASSERT_EQ(rows[7].samples.size(), 2U);
    EXPECT_EQ(rows[7].samples[0][0].output, "answer 7");
    EXPECT_EQ(rows[7].samples[0][0].scores, std::vector<double>{1});
    EXPECT_EQ(rows[7].samples[1][0].scores, std::vector<double>{0});
}

TEST_F(RunService, AReportOfAnUnfinishedRunSaysWhatIsMissing) {
    provider("m").script = [](const providers::CallRequest& request, int attempt) {
        FakeReply reply{.output = "answer " + request.item_id.substr(1)};
        reply.outcome = attempt == 1 ? Outcome::overloaded : Outcome::ok;
        return reply;
    };
    run(write_qa("run: {concurrency: 1, budget: {max_calls: 7}}\n"));
    const auto made = report({"last"});
    const report::Totals& t = made->report.totals;
    EXPECT_EQ(t.planned, 10);
    EXPECT_EQ(t.calls, 7);
    EXPECT_EQ(provider("m").calls(), 7);
    EXPECT_EQ(t.done + t.missing, 10);
    EXPECT_EQ(t.failed, 0) << "that the budget has no call left is no failure of a sample";
    EXPECT_EQ(t.done, 3);
    EXPECT_EQ(t.retries, 3);
    ASSERT_EQ(made->report.warnings.size(), 1U);
    EXPECT_NE(made->report.warnings[0].find("budget_exhausted"), std::string::npos);
    const auto rows = items(*made);
    std::int64_t present = 0;
    for (const report::ItemRow& row : rows) {
        present += row.samples[0][0].present ? 1 : 0;
    }
    EXPECT_EQ(present, t.done + t.failed);
}

TEST_F(RunService, ARowThatWasNeverSentIsNoRetryLess) {
    auto rows = qa_rows(10);
    rows[3] = R"({"id":"q3","answer":"x"})";
    // Validation would refuse this file; a run that was stored before could hold it.
    provider("m").script = [](const providers::CallRequest& request, int attempt) {
        FakeReply reply{.output = request.item_id};
        const bool first = attempt == 1 && request.item_id == "q5";
        reply.outcome = first ? Outcome::overloaded : Outcome::ok;
        return reply;
    };
    const auto experiment = load(write_qa("run: {max_error_share: 1}\n"));
    experiment->items = std::make_unique<engine::Items>(
        engine::Items::select(engine::test::dataset_of(rows), experiment->spec.dataset).value()
    );
    experiment->renderer = std::make_unique<engine::Renderer>(
        engine::Renderer::make(experiment->spec, *experiment->items).value()
    );
    ASSERT_TRUE(run_experiment(ctx_, deps_, *experiment, {}));
    const report::Totals t = report({"last"})->report.totals;
    EXPECT_EQ(t.failed, 1);
    EXPECT_EQ(t.calls, 10);
    EXPECT_EQ(t.retries, 1);
}

TEST_F(RunService, AReplayMakesNoCallsEvenWhereARecordIsMissing) {
    write_rows("rows.jsonl", qa_rows(10));
    provider("r").script = [](const providers::CallRequest& request, int) {
        FakeReply reply{.output = "answer " + request.item_id.substr(1), .at_once = true};
        reply.outcome = request.item_id == "q4" ? Outcome::refused : Outcome::ok;
        return reply;
    };
    const RunResult result = run(write(
        "r.yaml",
        qa_yaml("{id: r, provider: replay, replay: {path: x.jsonl}}") +
            "run: {max_error_share: 1}\n"
    ));
    EXPECT_EQ(result.run.state, RunState::completed);
    const report::Totals t = report({"last"})->report.totals;
    EXPECT_EQ(t.replayed, 9);
    EXPECT_EQ(t.failed, 1);
    EXPECT_EQ(t.calls, 0);
    EXPECT_EQ(t.retries, 0);
    EXPECT_EQ(t.cost, Money());
}

TEST_F(RunService, TwoRunsAreComparedItemByItem) {
    const RunResult first = run(write_qa());
    answer("m", 3);
    const RunResult second = run(write_qa());
    EXPECT_EQ(second.run.number, 2);
    const auto made = report({first.run.id, second.run.id});
    ASSERT_TRUE(made);
    const report::Report& r = made->report;
    ASSERT_EQ(r.variants.size(), 2U);
    EXPECT_EQ(r.variants[0].id, "#1 m");
    EXPECT_EQ(r.variants[1].id, "#2 m");
    EXPECT_DOUBLE_EQ(r.variants[0].metrics[0].value, 0.8);
    EXPECT_DOUBLE_EQ(r.variants[1].metrics[0].value, 0.3);
    ASSERT_EQ(r.comparisons.size(), 1U);
    EXPECT_EQ(r.comparisons[0].comparison.n, 10);
    EXPECT_EQ(r.comparisons[0].comparison.only_b, 5);
    EXPECT_EQ(r.totals.calls, 20);
    EXPECT_EQ(items(*made)[0].samples.size(), 2U);
}

TEST_F(RunService, RunsOfTwoExperimentsAreToldApart) {
    const RunResult first = run(write_qa("hypothesis: {metric: exact_match, baseline: m}\n"));
    write_qa();
    std::string other = qa_yaml(kPaid);
    other.replace(other.find("name: qa"), 8, "name: other");
    const RunResult second = run(write("other.yaml", other));
    EXPECT_EQ(second.run.number, 1) << "of its own experiment";
    const auto made = report({first.run.id, second.run.id});
    ASSERT_TRUE(made);
    ASSERT_EQ(made->report.variants.size(), 2U);
    EXPECT_EQ(made->report.variants[0].id, "qa #1 m");
    EXPECT_EQ(made->report.variants[1].id, "other #1 m");
    EXPECT_EQ(made->report.hypothesis, "");
    EXPECT_FALSE(made->report.answer.contains("Declared")) << made->report.answer;
}

TEST_F(RunService, FailedSamplesThatCouldTurnTheVerdictAreWarnedOf) {
    // n answers the first half of the items, all right, and fails on the others, of which m has
    // every one right.
    answer("m", 0);
    provider("m").script = [](const providers::CallRequest& request, int) {
        const int number = std::stoi(request.item_id.substr(1));
        return FakeReply{
            .output = number >= 10 ? "answer " + std::to_string(number) : "no",
            .finish_reason = number == 3 ? "content_filter" : "stop",
            .usage = {.input = 10, .output = 5, .estimated = number < 5}
        };
    };
    provider("n").script = [](const providers::CallRequest& request, int) {
        const int number = std::stoi(request.item_id.substr(1));
        FakeReply reply{.output = "answer " + std::to_string(number)};
        reply.outcome = number < 10 ? Outcome::ok : Outcome::refused;
        return reply;
    };
    write_rows("rows.jsonl", qa_rows(20));
    run(write("half.yaml", qa_yaml(kTwo) + "run: {max_error_share: 1}\n"));
    const report::Report r = report({"last"})->report;
    ASSERT_EQ(r.comparisons.size(), 1U);
    const science::Comparison& c = r.comparisons[0].comparison;
    EXPECT_EQ(c.verdict, science::Verdict::better);
    EXPECT_EQ(c.lost, 10);
    EXPECT_EQ(c.lowest.difference, 0) << "ten right on either side";
    ASSERT_EQ(r.warnings.size(), 3U);
    EXPECT_TRUE(r.warnings[0].starts_with("n against m (exact_match): 10 samples failed"))
        << r.warnings[0];
    EXPECT_TRUE(r.warnings[1].contains("m: 1 of 20 outputs were refused")) << r.warnings[1];
    EXPECT_TRUE(r.warnings[2].contains("for 5 of 20 answers")) << r.warnings[2];
    EXPECT_EQ(r.totals.refused, 1);
    EXPECT_EQ(r.totals.estimated, 5);
    EXPECT_EQ(r.totals.counted, 30);
}

TEST_F(RunService, RepetitionsShowHowMuchAnswersVary) {
    provider("m").script = [](const providers::CallRequest& request, int attempt) {
        const int number = std::stoi(request.item_id.substr(1));
        return FakeReply{.output = attempt == 1 ? "answer " + std::to_string(number) : "no"};
    };
    run(write_qa("run: {repetitions: 2}\n"));
    const report::Report r = report({"last"})->report;
    EXPECT_DOUBLE_EQ(r.variants[0].metrics[0].parts.inside, 0.5) << "right once of two, each item";
    EXPECT_EQ(r.variants[0].metrics[0].parts.items, 0);
}

TEST_F(RunService, ItemsOfComparedRunsStandUnderTheMetricsTheyShare) {
    write_rows("rows.jsonl", qa_rows(10));
    const std::string head =
        "name: x\ndataset: {path: rows.jsonl}\nprompts: ['{{question}}']\nmodels: [" +
        std::string(kPaid) + "]\nscorers:\n";
    const std::string exact = "  - {type: exact_match, reference: '{{answer}}'}\n";
    const std::string f1 = "  - {type: f1, reference: '{{answer}}'}\n";
    provider("m").script = [](const providers::CallRequest& request, int) {
        return FakeReply{.output = "the answer is " + request.item_id.substr(1)};
    };
    const RunResult both = run(write("both.yaml", head + exact + f1));
    const RunResult turned = run(write("turned.yaml", head + f1 + exact));
    const RunResult alone = run(write("alone.yaml", head + f1));
    const auto pair = report({both.run.id, turned.run.id});
    ASSERT_EQ(pair->report.metrics.size(), 2U);
    const auto row = items(*pair)[2];
    EXPECT_EQ(row.samples[0][0].scores, row.samples[1][0].scores)
        << "the same output has the same scores, wherever the metric stands in its run";
    const auto one = report({both.run.id, alone.run.id});
    ASSERT_EQ(one->report.metrics.size(), 1U);
    EXPECT_EQ(one->report.metrics[0].info.name, "f1");
    for (const report::ItemRow& each : items(*one)) {
        ASSERT_EQ(each.samples[0][0].scores.size(), 1U);
        EXPECT_EQ(each.samples[0][0].scores, each.samples[1][0].scores);
        EXPECT_GT(each.samples[0][0].scores[0], 0.5) << "f1, not exact match";
    }
}

TEST_F(RunService, WhatCannotBePairedIsRefused) {
    const RunResult first = run(write_qa());
    EXPECT_EQ(report_runs(ctx_, deps_, {first.run.id, "last"}).error().code, Code::validation)
        << "a run against itself";
    write_rows("rows.jsonl", qa_rows(11));
    const RunResult other = run(write("other.yaml", qa_yaml(kPaid)));
    const Error datasets = report_runs(ctx_, deps_, {first.run.id, other.run.id}).error();
    EXPECT_EQ(datasets.code, Code::validation);
    EXPECT_NE(datasets.message.find("different dataset versions"), std::string::npos);

    const auto sampled = [&](int seed) {
        write_rows("rows.jsonl", qa_rows(10));
        return run(write(
            "sampled.yaml",
            "name: s\ndataset: {path: rows.jsonl, sample: 5, seed: " + std::to_string(seed) +
                "}\nprompts: ['{{question}}']\nmodels: [" + std::string(kPaid) +
                "]\nscorers: [{type: exact_match, reference: '{{answer}}'}]\n"
        ));
    };
    const RunResult one = sampled(1);
    const RunResult same = sampled(1);
    const RunResult two = sampled(2);
    EXPECT_TRUE(report_runs(ctx_, deps_, {one.run.id, same.run.id}));
    const auto refused = report_runs(ctx_, deps_, {one.run.id, two.run.id});
    ASSERT_FALSE(refused) << "five items each, and not the same five";
    EXPECT_EQ(refused.error().code, Code::validation);
    EXPECT_NE(refused.error().message.find("different items"), std::string::npos);

    const RunResult bleu = run(write(
        "bleu.yaml",
        "name: b\ndataset: {path: rows.jsonl}\nprompts: ['{{question}}']\nmodels: [" +
            std::string(kPaid) + "]\nscorers: [{type: bleu, reference: '{{answer}}'}]\n"
    ));
    EXPECT_NE(
        report_runs(ctx_, deps_, {first.run.id, bleu.run.id})
            .error()
            .message.find("no metric in common"),
        std::string::npos
    );
}

TEST_F(RunService, ARepeatedRunReportsTheSameResults) {
    const auto results = [&] {
        const auto made = report({"last"});
        std::string out;
        for (const report::ItemRow& row : items(*made)) {
            for (const auto& variant : row.samples) {
                out += row.id + " " + variant[0].output + "\n";
            }
        }
        for (const report::ComparisonRow& row : made->report.comparisons) {
            out += row.comparison.sentence + "\n";
        }
        return out + made->report.answer;
    };
    run(write_two("run: {seed: 4}\n"));
    const std::string first = results();
    run(write_two("run: {seed: 4}\n"));
    EXPECT_EQ(results(), first);
}

}  // namespace
}  // namespace lab::service
