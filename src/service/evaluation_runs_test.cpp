#include "service/evaluation_runs.h"

#include "science/metrics/scorer.h"
#include "service/evaluation_compare.h"
#include "service/impl/test_platform.h"
#include "storage/store/runs.h"

namespace lab::service {
namespace {

class NoControl final : public RunControl {
  public:
    void wake() override { ++woken; }
    void interrupt(const std::string& run) override { interrupted.push_back(run); }
    int woken = 0;
    std::vector<std::string> interrupted;
};

class EvaluationRuns : public test::PlatformTest {
  protected:
    EvaluationRuns() {
        vocabulary_.scorers = {{"exact_match", Json::object()}, {"numeric", Json::object()}};
        deps_.vocabulary = &vocabulary_;
    }
    std::string define(const char* config, const char* type = "human", const char* more = "{}") {
        Json body = {
            {"name", "d" + std::to_string(++made_)},
            {"evaluation_type", type},
            {"config", Json::parse(config)},
        };
        body.update(Json::parse(more));
        const auto made = create_evaluations(as(ann_), body);
        EXPECT_TRUE(made) << (made ? "" : words(made.error()));
        return made ? made->shown["id"].get<std::string>() : "";
    }
    std::string begin(const std::string& id, const char* body = "{}") {
        const auto run = run_evaluation(as(ann_), control_, id, Json::parse(body));
        EXPECT_TRUE(run) << (run ? "" : words(run.error()));
        return run ? (*run)["id"].get<std::string>() : "";
    }
    /// One score an item, "complete" behind the last.
    std::string scored(const std::string& id, const std::vector<double>& values, int first = 0) {
        const std::string run = begin(id);
        Json scores = Json::array();
        for (std::size_t i = 0; i < values.size(); ++i) {
            scores.push_back(
                {{"item_id", std::to_string(first + static_cast<int>(i))},
                 {"metrics", {{"score", values[i]}}}}
            );
        }
        const auto said = add_scores(as(ann_), id, run, {{"scores", scores}, {"complete", true}});
        EXPECT_TRUE(said) << (said ? "" : words(said.error()));
        return run;
    }
    Json shown(const std::string& id) { return get(ann_, evaluation_noun(), id); }
    Json compared(const std::vector<std::string>& runs, const char* more = "{}") {
        Json body = {{"run_ids", runs}};
        body.update(Json::parse(more));
        const auto found = compare_runs(as(ann_), body);
        EXPECT_TRUE(found) << (found ? "" : words(found.error()));
        return found ? *found : Json::object();
    }
    NoControl control_;
    domain::SpecVocabulary vocabulary_;
    int made_ = 0;
};

TEST_F(EvaluationRuns, AreCountedOnTheirDefinition) {
    const std::string id = define("{}");
    EXPECT_EQ(list_evaluation_runs(as(ann_), id, std::nullopt, 20, 0)->total, 0);
    const std::string first = begin(id);
    EXPECT_EQ(shown(id)["run_count"], 1);
    EXPECT_EQ(shown(id)["status"], "running");
    EXPECT_FALSE(shown(id).contains(std::string(kRunsMember)));
    begin(id, R"({"config_overrides": {"sample_size": 7}})");
    EXPECT_EQ(shown(id)["run_count"], 2);
    EXPECT_FALSE(shown(id)["config"].contains("sample_size")) << "overrides are of one run";
    const auto runs = list_evaluation_runs(as(vic_), id, std::nullopt, 20, 0);
    ASSERT_TRUE(runs);
    ASSERT_EQ(runs->total, 2);
    EXPECT_EQ(runs->rows[0]["run_number"], 2);
    const auto newest = list_evaluation_runs(as(vic_), id, std::nullopt, 1, 0);
    ASSERT_TRUE(newest && newest->more);
    const auto older = list_evaluation_runs(as(vic_), id, newest->last, 1, 0);
    ASSERT_TRUE(older && !older->more);
    EXPECT_EQ(older->rows[0]["run_number"], 1);
    EXPECT_EQ(runs->rows[0]["config"]["sample_size"], 7);
    EXPECT_EQ(runs->rows[1]["evaluation_id"], id);
    EXPECT_FALSE(runs->rows[1].contains("experiment_id"));
    // What carries them is nobody's experiment.
    EXPECT_EQ(list_nouns(as(root_), experiment_noun(), {}, {})->total, 0);
    // An earlier run that ends now says nothing of the definition; the last one does.
    const Json complete = {{"complete", true}};
    ASSERT_TRUE(add_scores(as(ann_), id, first, complete));
    EXPECT_EQ(shown(id)["status"], "running");
    ASSERT_TRUE(add_scores(as(ann_), id, runs->rows[0]["id"], complete));
    EXPECT_EQ(shown(id)["status"], "completed");
    // They go with their definition.
    ASSERT_TRUE(remove_noun(as(ann_), evaluation_noun(), id, std::nullopt));
    EXPECT_EQ(code_of(storage::Runs(*session_).get(ctx_, first)), Code::not_found);
}

TEST_F(EvaluationRuns, AreForThoseWhoMayRunAndSee) {
    const std::string id = define("{}", "human", R"({"visibility": "private"})");
    const std::string run = begin(id);
    EXPECT_EQ(code_of(run_evaluation(as(vic_), control_, id, {})), Code::forbidden);
    for (const Caller* who : {&bob_, &eve_}) {
        EXPECT_EQ(code_of(run_evaluation(as(*who), control_, id, {})), Code::not_found);
        EXPECT_EQ(code_of(get_evaluation_run(as(*who), id, run)), Code::not_found);
        EXPECT_EQ(code_of(evaluation_results(as(*who), id, run, {})), Code::not_found);
        EXPECT_FALSE(*find_visible_run(as(*who), run));
    }
    EXPECT_TRUE(*find_visible_run(as(ann_), run));
    // A run is found under its own definition alone.
    EXPECT_EQ(code_of(get_evaluation_run(as(ann_), define("{}"), run)), Code::not_found);
}

TEST_F(EvaluationRuns, OfTheEngineAreCheckedWholeBeforeTheyAreQueued) {
    const auto refused = [&](const std::string& id) {
        return refusal(run_evaluation(as(ann_), control_, id, Json::object()));
    };
    EXPECT_NE(
        refused(define(R"({"metrics": ["numreic"]})", "automated"))
            .find("config.metrics[0]: unknown metric \"numreic\", did you mean \"numeric\"?"),
        std::string::npos
    );
    EXPECT_NE(
        refused(define(R"({"metrics": [{"name": "a", "metric_type": "x"}]})", "automated"))
            .find("config.metrics[0].metric_type: unknown metric \"x\"; known are accuracy"),
        std::string::npos
    );
    const std::string bare = refused(define(R"({"metrics": ["accuracy"]})", "automated"));
    EXPECT_NE(bare.find("config.dataset_id: no datasets configured"), std::string::npos) << bare;
    EXPECT_NE(
        refused(define("{}", "comparison")).find("config.model_ids: a comparison needs"),
        std::string::npos
    );
    EXPECT_NE(
        refused(define("{}", "llm_judge")).find("judge_config: is needed"), std::string::npos
    );
    EXPECT_EQ(control_.woken, 0);
    EXPECT_EQ(shown(define("{}", "automated"))["run_count"], 0);
}

TEST_F(EvaluationRuns, OfPeopleEndWhenEveryExpectedSampleIsScored) {
    const std::string id = define(R"({"sample_size": 2})");
    const std::string run = begin(id);
    const auto add = [&](const char* scores) {
        return add_scores(as(ann_), id, run, Json::parse(scores));
    };
    const auto first = add(R"([{"item_id": "a", "metrics": {"s": 1}},
                               {"item_id": "a", "rater": "r", "metrics": {"s": 2}}])");
    ASSERT_TRUE(first) << words(first.error());
    EXPECT_EQ((*first)["added"], 2);
    EXPECT_EQ((*first)["run"]["status"], "running") << "two raters, one item";
    EXPECT_EQ((*add(R"([{"item_id": "a", "metrics": {"s": 1}}])"))["added"], 0);
    EXPECT_EQ(code_of(add(R"([{"item_id": "b"}])")), Code::validation);
    EXPECT_EQ(code_of(add(R"([{"metrics": {"s": 1}}])")), Code::validation);
    EXPECT_EQ(code_of(add(R"([{"name": "s", "item_id": "b"}])")), Code::validation);
    EXPECT_EQ((*add(R"([{"name": "loss", "value": 0.5}])"))["added"], 1) << "a point of the run";
    EXPECT_EQ(
        (*add(R"([{"item_id": "b", "name": "s", "value": 4}])"))["run"]["status"], "completed"
    );
    EXPECT_EQ(code_of(add("[]")), Code::invalid_state);
    const auto results = evaluation_results(as(vic_), id, run, {});
    ASSERT_TRUE(results) << words(results.error());
    EXPECT_EQ((*results)["metrics"]["s"]["mean"], (1.5 + 4) / 2);
    EXPECT_EQ((*results)["metrics"]["s"]["n"], 2);
    EXPECT_EQ((*results)["reported"]["loss"], 0.5);
    EXPECT_EQ((*results)["samples"]["data"].size(), 3U);
    EXPECT_TRUE((*results)["overall_score"].is_null());
}

TEST_F(EvaluationRuns, AreCancelledOnce) {
    const std::string id = define("{}");
    const std::string run = begin(id);
    const auto cancel = [&] { return cancel_evaluation_run(as(ann_), control_, id, run); };
    EXPECT_EQ((*cancel())["status"], "cancelled");
    EXPECT_EQ((*cancel())["status"], "cancelled");
    EXPECT_EQ(shown(id)["status"], "cancelled");
    EXPECT_EQ(control_.interrupted, std::vector<std::string>{run});
    EXPECT_EQ(code_of(add_scores(as(ann_), id, run, Json::array())), Code::invalid_state);
}

TEST_F(EvaluationRuns, OverTheSameItemsAreComparedItemByItem) {
    const std::string id = define(R"({"metrics": [{"name": "score"}]})");
    // Items differ far more than the runs: only pairs can tell.
    std::vector<double> low;
    std::vector<double> high;
    for (int i = 0; i < 20; ++i) {
        low.push_back(10 * i);
        high.push_back(10 * i + 1 + 0.1 * (i % 3));
    }
    const std::string a = scored(id, low);
    const std::string b = scored(id, high);
    const Json paired = compared({a, b});
    const Json& line = paired["metrics"]["score"];
    EXPECT_EQ(line["best_run_id"], b);
    EXPECT_EQ(line["winner"], b);
    EXPECT_EQ(paired["winner"], b);
    ASSERT_EQ(line["tests"].size(), 1U);
    EXPECT_EQ(line["tests"][0]["paired"], true);
    EXPECT_EQ(line["tests"][0]["n"], 20);
    EXPECT_EQ(line["tests"][0]["significant"], true);
    EXPECT_NEAR(line["improvement"]["absolute"].get<double>(), 1.095, 1e-9);
    EXPECT_NEAR(line["improvement"]["relative"].get<double>(), 1.095 / 95, 1e-9);
    // The same scores of other items say nothing.
    const std::string c = scored(id, high, 1000);
    const Json apart = compared({a, c});
    EXPECT_EQ(apart["metrics"]["score"]["tests"][0]["paired"], false);
    EXPECT_EQ(apart["metrics"]["score"]["tests"][0]["effect_size_name"], "Hedges g");
    EXPECT_TRUE(apart["winner"].is_null());
    // Three runs: three tests, corrected together.
    const Json three = compared({a, b, c});
    EXPECT_EQ(three["comparisons"], 3);
    EXPECT_GE(
        three["metrics"]["score"]["tests"][0]["corrected_p_value"].get<double>(),
        three["metrics"]["score"]["tests"][0]["p_value"].get<double>()
    );
    EXPECT_TRUE(three["winner"].is_null()) << "b is not shown to be better than c";
}

TEST_F(EvaluationRuns, OfAMetricWhereLessIsBetterAreWonByTheLeast) {
    const std::string id = define(
        R"({"metrics": [{"name": "score", "higher_is_better": false, "threshold": {"below": 6}}]})",
        "custom"
    );
    const std::string slow = scored(id, {5, 6, 7, 8, 9, 10, 11, 12});
    const std::string quick = scored(id, {1, 2.1, 3, 4.1, 5, 6.1, 7, 8.1});
    const Json found = compared({slow, quick});
    EXPECT_EQ(found["metrics"]["score"]["best_run_id"], quick);
    EXPECT_EQ(found["winner"], quick);
    EXPECT_EQ(found["metrics"]["score"]["tests"][0]["verdict"], "better");
    EXPECT_LT(found["metrics"]["score"]["improvement"]["absolute"].get<double>(), 0);
    const auto passed = [&](const std::string& run) {
        return (*evaluation_results(as(ann_), id, run, {}))["metrics"]["score"]["passed"];
    };
    EXPECT_EQ(passed(quick), true);
    EXPECT_EQ(passed(slow), false);
}

TEST_F(EvaluationRuns, ThatCannotBeComparedSayWhich) {
    const std::string id = define("{}");
    const std::string run = scored(id, {1, 2, 3});
    const std::string empty = begin(id);
    const auto refused = [&](const Json& body) { return refusal(compare_runs(as(ann_), body)); };
    EXPECT_NE(
        refused({{"run_ids", {run, run}}}).find("run_ids[1]: is named twice"), std::string::npos
    );
    EXPECT_NE(
        refused({{"run_ids", {run, make_uuid(9, 9)}}}).find("run_ids[1]: there is no run"),
        std::string::npos
    );
    EXPECT_NE(refused({{"run_ids", {run, empty}}}).find("no metric in common"), std::string::npos);
    EXPECT_NE(
        refused({{"run_ids", {run, scored(id, {1})}}, {"metrics", {"score", "bleu"}}}
        ).find("metrics[1]: not every run has \"bleu\""),
        std::string::npos
    );
}

TEST_F(EvaluationRuns, CanUseEveryMetricThatIsListed) {
    const auto types = list_metric_types(as(vic_));
    ASSERT_TRUE(types) << words(types.error());
    EXPECT_GE(types->size(), science::scorer_types().size());
    for (const Json& one : *types) {
        EXPECT_NE(science::find_scorer_type(one["name"].get<std::string>()), nullptr);
        EXPECT_EQ(one["direction"], "higher_is_better") << one["name"];
        EXPECT_LT(one["minimum"].get<double>(), one["maximum"].get<double>()) << one["name"];
    }
}

}  // namespace
}  // namespace lab::service
