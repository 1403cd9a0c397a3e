#include "domain/spec_parse.h"
#include "service/impl/judging.h"
#include "service/impl/test_platform.h"
#include "service/models.h"
#include "service/platform_datasets.h"
#include "service/prompts.h"

namespace lab::service {
namespace {

class Judging : public test::PlatformTest {
  protected:
    Judging() {
        deps_.vocabulary = &vocabulary_;
        deps_.database = [this](const Ctx&) -> Result<storage::Database*> {
            return database_.get();
        };
        deps_.check_model = [](const domain::ModelSpec&, std::string_view) {
            return std::vector<Detail>();
        };
        vocabulary_.scorers = {{"rubric", Json::object()}};
        judge_ = plant(
            storage::ResourceKind::model,
            ann_,
            "judge",
            Json::parse(R"({"provider": "openai", "model_identifier": "j-1"})")
        );
        rows_ = create(ann_, dataset_noun(), R"({"name": "d", "format": "jsonl"})")["id"];
        const auto taken = take_bytes(
            as(ann_),
            rows_,
            {.format = "jsonl"},
            R"({"id": "1", "input": "2+2", "output": "4", "reference": "four"})"
        );
        EXPECT_TRUE(taken) << words(taken.error());
    }
    Json config(const char* more = "{}") const {
        Json out = {{"dataset_id", rows_}, {"judge_config", {{"model_id", judge_}}}};
        out.merge_patch(Json::parse(more));
        return out;
    }
    Result<JudgePlan> plan(const Caller& caller, const Json& config) {
        return plan_judge(as(caller), "n", "org", config);
    }
    domain::SpecVocabulary vocabulary_;
    std::string judge_;
    std::string rows_;
};

TEST_F(Judging, OfRowsIsAnExperimentOfTheJudge) {
    const auto planned = plan(ann_, config(R"({"random_seed": 7, "budget": {"max_calls": 5}})"));
    ASSERT_TRUE(planned) << words(planned.error());
    EXPECT_FALSE(planned->models);
    const Json& spec = planned->judge.source;
    EXPECT_EQ(spec["models"][0]["model"], "j-1");
    EXPECT_EQ(spec["variants"][0]["id"], "output");
    EXPECT_EQ(spec["scorers"][0]["criteria"][0]["name"], "quality");
    EXPECT_EQ(spec["run"], Json::parse(R"({"seed": 7, "budget": {"max_calls": 5}})"));
    const std::string text = spec["prompts"][0]["template"];
    for (const char* part :
         {"{{input}}", "{{reference}}", "{{output}}", "{\"quality\": <1 to 5>}"}) {
        EXPECT_NE(text.find(part), std::string::npos) << part;
    }
    EXPECT_EQ(planned->about["model"], "j-1");
    EXPECT_EQ(planned->about["judged"][0]["variant"], "output");
}

TEST_F(Judging, PutsWhatIsJudgedIntoTheNamesOfAPromptOfOnesOwn) {
    const std::string id = create(
        ann_,
        prompt_noun(),
        R"({"name": "p", "system_prompt": "{{scale}}", "template": "{{input}}|{{output}}|{{reference}}|{{tone}}"})"
    )["id"];
    Judged judged;
    judged.subjects = {
        {.id = "a", .model = {}, .output = "judged.m1.output", .input = "judged.m1.input"},
        {.id = "b", .model = {}, .output = "judged.m2.output", .input = "judged.m2.input"}
    };
    judged.reference = "reference";
    judged.own = "item.";
    judged.clustered = true;
    Json with = config(R"({"judge_config": {"scale": {"min": 0, "max": 10}}})");
    with["judge_config"]["prompt_template_id"] = id;
    const auto compiled = compile_judge(as(ann_), "n", with, judged, rows_);
    ASSERT_TRUE(compiled) << words(compiled.error());
    const Json& prompts = compiled->source["prompts"];
    EXPECT_EQ(
        prompts[1]["template"],
        "{{judged.m2.input}}|{{judged.m2.output}}|{{reference}}|{{item.tone}}"
    );
    EXPECT_EQ(prompts[0]["system"], "from 0 (worst) to 10 (best)");
    EXPECT_EQ(compiled->source["analysis"]["cluster"], "cluster");
    // What a caller may not see is not there for them.
    const std::string hidden = create(
        bob_, prompt_noun(), R"({"name": "h", "template": "{{output}}", "visibility": "private"})"
    )["id"];
    with["judge_config"]["prompt_template_id"] = hidden;
    EXPECT_NE(
        refusal(compile_judge(as(ann_), "n", with, judged, rows_))
            .find("config.judge_config.prompt_template_id: there is no prompt"),
        std::string::npos
    );
}

TEST_F(Judging, OfAnotherTenantsThingsIsRefused) {
    const std::string refused = refusal(plan(eve_, config()));
    EXPECT_NE(refused.find("config.dataset_id: "), std::string::npos) << refused;
    Json of_run = config(R"({"dataset_id": null, "parameters": {"run_id": "last"}})");
    EXPECT_NE(
        refusal(plan(ann_, of_run)).find("config.parameters.run_id: there is no run"),
        std::string::npos
    ) << "an id, and no shorthand of the command line";
}

TEST_F(Judging, KnowsTheOutputsOfARunByItsVariants) {
    domain::ExperimentSpec spec;
    spec.models = {{.id = "x", .model = "x-1"}, {.id = "replayed"}};
    spec.variants = {{.id = "x/p", .model = 0}, {.id = "replayed/p", .model = 1}};
    spec.scorers = {{.type = "regex"}};
    Judged judged = outputs_of(spec);
    ASSERT_EQ(judged.subjects.size(), 2U);
    EXPECT_EQ(judged.subjects[0].model, "x-1");
    EXPECT_EQ(judged.subjects[1].model, "replayed");
    EXPECT_EQ(judged.subjects[1].output, "judged.m2.output");
    EXPECT_EQ(judged.reference, "") << "nothing was compared with one";
    EXPECT_FALSE(judged.clustered);
    spec.scorers.push_back({.type = "exact_match", .references = {"{{answer}}"}});
    spec.run.repetitions = 2;
    judged = outputs_of(spec);
    EXPECT_EQ(judged.reference, "reference");
    EXPECT_TRUE(judged.clustered);
}

TEST_F(Judging, WaitsOnlyForOutputsThatAreNotThereYet) {
    domain::Run run;
    run.body = R"({"judge": {"source_run_id": "r"}})";
    EXPECT_EQ(awaited_outputs(run), "r");
    run.dataset_hash = "abc";
    EXPECT_EQ(awaited_outputs(run), "");
    run.dataset_hash = run.body = "";
    EXPECT_EQ(awaited_outputs(run), "");
    run.body = R"({"judge": {"dataset_id": "d"}})";
    EXPECT_EQ(awaited_outputs(run), "");
}

}  // namespace
}  // namespace lab::service
