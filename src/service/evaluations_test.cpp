#include "service/evaluations.h"

#include "service/experiments.h"
#include "service/impl/test_platform.h"
#include "storage/store/runs.h"

namespace lab::service {
namespace {

class Evaluations : public test::PlatformTest {
  protected:
    Evaluations() {
        experiment_ = create(ann_, experiment_noun(), R"({"name": "x"})")["id"].get<std::string>();
        auto run = create_run(as(ann_), experiment_, Json::object());
        EXPECT_TRUE(run);
        run_ = (*run)["id"].get<std::string>();
    }
    Json sample(const char* more = "{}") const {
        Json out = {
            {"experiment_id", experiment_},
            {"sample_id", "s1"},
            {"input", "2+2?"},
            {"output", "4"},
            {"latency_ms", 12.5},
            {"token_count", 7},
        };
        out.update(Json::parse(more));
        return out;
    }
    Json summary() const {
        return {{"experiment_id", experiment_}, {"run_id", run_}, {"metrics", {{"bleu", 31.5}}}};
    }
    static Json definition(const char* config = "{}", const char* type = "automated") {
        return {{"name", "nightly"}, {"evaluation_type", type}, {"config", Json::parse(config)}};
    }
    Json make(const Caller& who, const Json& body) {
        const auto made = create_evaluations(as(who), body);
        EXPECT_TRUE(made) << (made ? "" : words(made.error()));
        return made ? made->shown : Json::object();
    }
    std::string refused(const Json& body) { return refusal(create_evaluations(as(ann_), body)); }
    std::int64_t count(const Caller& who, const storage::ResourceFilter& filter = {}) {
        const auto found = list_nouns(as(who), evaluation_noun(), filter, {});
        EXPECT_TRUE(found);
        return found ? found->total.rows : -1;
    }
    std::string experiment_;
    std::string run_;
};

TEST_F(Evaluations, AreOfThreeKindsThatTheirMembersTell) {
    const Json one = make(ann_, sample());
    EXPECT_EQ(one["kind"], "sample");
    EXPECT_EQ(one["status"], "completed");
    EXPECT_TRUE(one["run_id"].is_null() && one["expected_output"].is_null());
    EXPECT_FALSE(one.contains("name"));
    EXPECT_EQ(one["metrics"], Json::object());
    const Json two = make(ann_, summary());
    EXPECT_EQ(two["kind"], "run_summary");
    EXPECT_EQ(two["metrics"]["bleu"], 31.5);
    const Json three = make(ann_, definition());
    EXPECT_EQ(three["kind"], "definition");
    EXPECT_EQ(three["status"], "pending");
    EXPECT_EQ(three["run_count"], 0);
    EXPECT_TRUE(three["last_run_at"].is_null());
    const Json changed = update(
        ann_,
        evaluation_noun(),
        three["id"].get<std::string>(),
        R"({"kind": null, "description": "every night"})"
    );
    EXPECT_EQ(changed["kind"], "definition") << "null takes nothing away that has but one value";
    EXPECT_EQ(changed["description"], "every night");
    // Samples have no names: as many as one likes.
    make(ann_, sample());
    EXPECT_EQ(count(ann_), 4);
    EXPECT_EQ(count(ann_, {.kind = "sample"}), 2);
    EXPECT_EQ(count(ann_, {.experiment_id = experiment_}), 3);
    EXPECT_EQ(count(ann_, {.run_id = run_}), 1);
    EXPECT_EQ(count(ann_, {.facet = "automated"}), 1);
    EXPECT_EQ(count(ann_, {.status = "pending"}), 1);
    Json twice = definition();
    EXPECT_EQ(
        refused(twice).find("CONFLICT: there is an evaluation of yours named \"nightly\""), 0U
    );
}

TEST_F(Evaluations, SayEveryMemberThatIsWrong) {
    Json bad = sample(R"({"input": "", "latency_ms": -1, "token_count": 1.5, "cost": "a lot"})");
    bad.erase("output");
    const std::string words = refused(bad);
    for (const char* field : {"input: ", "latency_ms: ", "token_count: ", "cost: ", "\"output\""}) {
        EXPECT_NE(words.find(field), std::string::npos) << field << " in " << words;
    }
    EXPECT_NE(
        refused({{"tags", {"a"}}}).find("| kind: the members do not tell"), std::string::npos
    );
    EXPECT_NE(
        refused({{"kind", "smaple"}}).find("| kind: there is no such kind"), std::string::npos
    );
    Json named = sample(R"({"kind": "sample", "name": "x"})");
    EXPECT_NE(refused(named).find("unknown key \"name\""), std::string::npos);
    Json text = summary();
    text["metrics"]["bleu"] = "good";
    EXPECT_NE(refused(text).find("metrics.bleu: "), std::string::npos);
    EXPECT_NE(refused(definition("{}", "automatic")).find("evaluation_type: "), std::string::npos);
    EXPECT_NE(
        refused(definition(R"({"sample_size": 0})")).find("config.sample_size: "), std::string::npos
    );
    EXPECT_EQ(count(ann_), 0);
}

TEST_F(Evaluations, ReferOnlyToWhatTheCallerMaySee) {
    const std::string hidden =
        create(bob_, experiment_noun(), R"({"name": "h", "visibility": "private"})")["id"]
            .get<std::string>();
    const std::string nobodys = make_uuid(9, 9);
    Json body = sample();
    std::vector<std::string> answers;
    for (const std::string& id : {hidden, nobodys}) {
        body["experiment_id"] = id;
        answers.push_back(refused(body));
        EXPECT_NE(
            answers.back().find("experiment_id: there is no experiment with this id"),
            std::string::npos
        );
    }
    EXPECT_EQ(answers[0], answers[1]) << "what is hidden does not exist";
    body = summary();
    body["run_id"] = nobodys;
    EXPECT_NE(refused(body).find("run_id: the experiment has no run"), std::string::npos);
    const std::string id = nobodys;
    body = definition();
    body["config"] = {
        {"dataset_id", id},
        {"model_ids", {id}},
        {"prompt_template_id", id},
        {"judge_config", {{"model_id", id}, {"prompt_template_id", id}}},
    };
    const std::string words = refused(body);
    for (const char* field :
         {"config.dataset_id: there is no dataset",
          "config.model_ids[0]: there is no model",
          "config.prompt_template_id: there is no prompt",
          "config.judge_config.model_id: there is no model",
          "config.judge_config.prompt_template_id: there is no prompt"}) {
        EXPECT_NE(words.find(field), std::string::npos) << field << " in " << words;
    }
    EXPECT_EQ(create_evaluations(as(eve_), sample()).error().details[0].field, "experiment_id")
        << "of another tenant";
}

TEST_F(Evaluations, OfAPrivateExperimentArePrivate) {
    const std::string mine =
        create(ann_, experiment_noun(), R"({"name": "m", "visibility": "private"})")["id"]
            .get<std::string>();
    Json body = sample();
    body["experiment_id"] = mine;
    const Json one = make(ann_, body);
    EXPECT_EQ(one["visibility"], "private");
    EXPECT_EQ(count(bob_), 0);
    EXPECT_EQ(code_of(get_noun(as(bob_), evaluation_noun(), one["id"])), Code::not_found);
    EXPECT_EQ(count(eve_), 0);
}

TEST_F(Evaluations, ChangeByTheLawOfTheirKind) {
    const std::string id = make(ann_, sample())["id"];
    const auto changed =
        update_evaluation(as(ann_), id, Json::parse(R"({"expected_output": "4"})"), 1);
    ASSERT_TRUE(changed) << words(changed.error());
    EXPECT_EQ(changed->json["expected_output"], "4");
    EXPECT_EQ(changed->json["input"], "2+2?");
    EXPECT_EQ(changed->revision, 2);
    const auto update = [&](const char* change) {
        return code_of(update_evaluation(as(ann_), id, Json::parse(change), std::nullopt));
    };
    EXPECT_EQ(update(R"({"kind": "definition"})"), Code::validation);
    EXPECT_EQ(update(R"({"name": "x"})"), Code::validation);
    EXPECT_EQ(update(R"({"output": ""})"), Code::validation);
    EXPECT_EQ(update(R"({"output": null})"), Code::validation);
    EXPECT_EQ(
        code_of(update_evaluation(as(ann_), id, Json::parse(R"({"output": "5"})"), 1)),
        Code::precondition_failed
    );
    // What it is about may be gone meanwhile: the record stays, and can be corrected.
    ASSERT_TRUE(remove_noun(as(ann_), experiment_noun(), experiment_, std::nullopt));
    EXPECT_TRUE(update_evaluation(as(ann_), id, Json::parse(R"({"tags": ["a"]})"), std::nullopt));
    ASSERT_TRUE(remove_noun(as(ann_), evaluation_noun(), id, std::nullopt));
    EXPECT_EQ(count(ann_), 0);
}

TEST_F(Evaluations, OfAnArrayAreStoredAllOrNone) {
    Json many = Json::array({sample(), summary(), definition()});
    const Json made = make(ann_, many);
    ASSERT_EQ(made.size(), 3U);
    EXPECT_EQ(made[0]["kind"], "sample");
    EXPECT_EQ(made[1]["kind"], "run_summary");
    EXPECT_EQ(made[2]["name"], "nightly");
    many = Json::array({sample(), sample(), sample(), sample(R"({"output": ""})"), sample()});
    many[4].erase("input");
    const std::string words = refused(many);
    EXPECT_NE(words.find("[3].output: "), std::string::npos) << words;
    EXPECT_NE(words.find("[4]"), std::string::npos) << words;
    EXPECT_EQ(count(ann_), 3);
    // The last one is refused by the store: those in front of it are gone with it.
    const std::string clash = refused(Json::array({sample(), definition()}));
    EXPECT_EQ(clash.find("CONFLICT: [1]: there is an"), 0U) << clash;
    EXPECT_EQ(count(ann_), 3);
    EXPECT_NE(refused(Json::array()).find("must have 1 to 1000"), std::string::npos);
    EXPECT_EQ(make(ann_, Json(std::vector<Json>(1000, sample()))).size(), 1000U);
    EXPECT_NE(
        refused(Json(std::vector<Json>(1001, sample()))).find("must have 1 to 1000"),
        std::string::npos
    );
    EXPECT_NE(refused(Json::array({1})).find("[0]: expected an object"), std::string::npos);
}

TEST_F(Evaluations, AreWrittenByRunnersAndByKeysWithTheirScope) {
    EXPECT_EQ(code_of(create_evaluations(as(vic_), sample())), Code::forbidden);
    Caller key = ann_;
    key.kind = Caller::Kind::api_key;
    key.key_id = "k";
    key.scopes = {"metrics:read"};
    key.granted = domain::permissions_of_scopes(key.scopes);
    EXPECT_EQ(code_of(create_evaluations(as(key), sample())), Code::forbidden);
    key.scopes.emplace_back("metrics:write");
    const std::string id = make(key, sample())["id"];
    EXPECT_TRUE(update_evaluation(as(key), id, Json::parse(R"({"tags": ["a"]})"), std::nullopt));
    // The scope narrows what the role grants, and grants nothing itself.
    Caller viewer = key;
    viewer.roles = {domain::Role::viewer};
    EXPECT_EQ(code_of(create_evaluations(as(viewer), sample())), Code::forbidden);
}

TEST_F(Evaluations, OfSomeTypesNeedMore) {
    const std::string id = plant(storage::ResourceKind::model, ann_, "m", Json::object());
    Json body = definition("{}", "comparison");
    body["config"]["model_ids"] = {id};
    EXPECT_NE(refused(body).find("config.model_ids: a comparison needs"), std::string::npos);
    body = definition("{}", "llm_judge");
    body["config"]["judge_config"] = {
        {"model_id", id},
        {"criteria",
         {{{"name", "a"}, {"weight", 0}}, {{"name", "a"}, {"description", "x"}, {"weight", 0}}}},
        {"scale", {{"min", 5}, {"max", 5}}},
    };
    const std::string words = refused(body);
    EXPECT_NE(words.find("criteria[1].name: there is another"), std::string::npos) << words;
    EXPECT_NE(words.find("criteria: some weight"), std::string::npos) << words;
    EXPECT_NE(words.find("scale.max: must be above min"), std::string::npos) << words;
}

}  // namespace
}  // namespace lab::service
