#include "service/credentials.h"
#include "service/experiment_config.h"
#include "service/impl/test_platform.h"
#include "service/models.h"
#include "service/platform_datasets.h"

namespace lab::service {
namespace {

/// Configs that hold a whole experiment file as `spec`.
class ExperimentDocument : public test::PlatformTest {
  protected:
    ExperimentDocument() {
        dataset_ = create(ann_, dataset_noun(), R"({"name": "sums"})")["id"].get<std::string>();
        EXPECT_TRUE(take_bytes(as(ann_), dataset_, {}, "{\"id\":\"a\",\"answer\":\"2\"}\n"));
        model_ = create(
                     root_,
                     model_noun(),
                     R"({"name": "small", "provider": "openai", "model_identifier": "gpt-x",
                "config": {"pricing": {"input_per_million": 1}, "credential": "lab"}})"
        )["id"]
                     .get<std::string>();
    }

    Json config(Json spec) const {
        return {
            {"dataset_refs", Json::array({{{"dataset_id", dataset_}, {"version", 1}}})},
            {"spec", std::move(spec)},
        };
    }
    Json spec(Json model) const {
        return {
            {"name", "in the file"},
            {"dataset", {{"limit", 1}}},
            {"models", Json::array({std::move(model)})},
            {"scorers", Json::array({{{"type", "exact_match"}, {"reference", "{{answer}}"}}})},
        };
    }

    std::string dataset_;
    std::string model_;
};

TEST_F(ExperimentDocument, KeepsTheFileAndTakesRowsAndModelsFromTheService) {
    const Json model = {
        {"id", "m"}, {"model_id", model_}, {"parameters", {{"max_tokens", 7}}}, {"pricing", nullptr}
    };
    const auto compiled = compile_config(as(ann_), "named here", config(spec(model)));
    ASSERT_TRUE(compiled) << words(compiled.error());
    const Json& source = compiled->source;
    EXPECT_EQ(source["name"], "named here");
    EXPECT_EQ(source["dataset"]["ref"], compiled->dataset_hash);
    EXPECT_EQ(source["dataset"]["limit"], 1);
    const Json& made = source["models"][0];
    EXPECT_EQ(made["id"], "m");
    EXPECT_EQ(made["provider"], "openai");
    EXPECT_EQ(made["model"], "gpt-x");
    // The credential of the model, by the name that only the operator can give a value.
    EXPECT_TRUE(is_credential_variable(made["api_key_env"].get<std::string>()));
    EXPECT_EQ(made["pricing"]["input_per_million"], 1);
    EXPECT_EQ(made["parameters"]["max_tokens"], 7);
    EXPECT_FALSE(made.contains("model_id"));
}

TEST_F(ExperimentDocument, TakesNothingOfTheMachineOfItsAuthor) {
    Json document = spec(
        {{"id", "m"},
         {"provider", "openai"},
         {"api_key_env", "JWT_SECRET"},
         {"headers", {{"Authorization", "x"}}}}
    );
    document["dataset"]["path"] = "/etc/passwd";
    document["report"] = Json::array({{{"path", "/tmp/x.html"}}});
    Json whole = config(document);
    whole["budget"] = {{"max_calls", 1}};
    const std::string said = refusal(compile_config(as(root_), "x", whole));
    for (const char* field :
         {"config.spec.dataset.path",
          "config.spec.report",
          "config.spec.models[0].provider",
          "config.spec.models[0].api_key_env",
          "config.spec.models[0].headers",
          "config.spec.models[0].model_id",
          "config.budget"}) {
        EXPECT_NE(said.find(std::string("| ") + field + ": "), std::string::npos)
            << field << " in " << said;
    }
}

TEST_F(ExperimentDocument, SeesOnlyWhatItsStarterSees) {
    const Json own = config(spec({{"id", "m"}, {"model_id", model_}}));
    const std::string said = refusal(compile_config(as(eve_), "x", own));
    EXPECT_NE(said.find("config.spec.models[0].model_id"), std::string::npos) << said;
    EXPECT_NE(said.find("config.dataset_refs[0]"), std::string::npos) << said;
}

}  // namespace
}  // namespace lab::service
