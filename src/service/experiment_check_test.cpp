#include "platform/json/document.h"
#include "providers/factory.h"
#include "service/datasets.h"
#include "service/impl/test_lab.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace lab::service {
namespace {

using engine::test::kPaid;
using engine::test::qa_rows;
using engine::test::qa_yaml;
using storage::test::files_below;

/// With the checks that the program has.
class ExperimentCheck : public test::Lab {
  protected:
    ExperimentCheck() {
        deps_.check_model = [this](const domain::ModelSpec& model, std::string_view path) {
            return providers::check_model(model, env_, path);
        };
        write_rows("rows.jsonl", qa_rows(5));
    }
    std::map<std::string, std::string> variables_{{"OPENAI_API_KEY", "key"}};
    providers::EnvLookup env_ = [this](const std::string& name) -> std::optional<std::string> {
        const auto found = variables_.find(name);
        return found == variables_.end() ? std::nullopt : std::optional(found->second);
    };
};

std::string read_text(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

/// Every node of a value, by JSON pointers, the whole included.
void nodes_of(
    const Json& value, const Json::json_pointer& at, std::vector<Json::json_pointer>& out
) {
    out.push_back(at);
    if (value.is_object()) {
        for (const auto& [key, member] : value.items()) {
            nodes_of(member, at / key, out);
        }
    } else if (value.is_array()) {
        for (std::size_t i = 0; i < value.size(); ++i) {
            nodes_of(value[i], at / i, out);
        }
    }
}

/// One entry of a list, or one member.
void erase(Json& value, const Json::json_pointer& node) {
    Json& parent = value[node.parent_pointer()];
    if (parent.is_object()) {
        parent.erase(node.back());
    } else {
        parent.erase(static_cast<std::size_t>(std::stoul(node.back())));
    }
}

TEST_F(ExperimentCheck, WhateverANodeBecomesTheAnswerIsALoadedFileOrItsProblems) {
    // By its name, because a file's rows are written to the disk each time.
    std::vector<std::string> rows;
    for (const char* n : {"1", "2", "3", "4", "5"}) {
        rows.push_back(
            std::string(R"({"id":"q)") + n + R"(","question":"how many?","answer":"so #### )" + n +
            "\"}"
        );
    }
    write_rows("gold.jsonl", rows);
    ASSERT_TRUE(import_dataset(ctx_, deps_, {.path = home_.file("gold.jsonl"), .name = "rows"}));
    auto whole = parse_yaml(read_text(LAB_SOURCE_DIR "/examples/reference.yaml"));
    ASSERT_TRUE(whole);
    Json good = std::move(whole->value);
    good["dataset"].erase("path");
    good["dataset"]["ref"] = "rows";
    const std::string path = write("mutated.json", dump_json(good));
    ASSERT_TRUE(load(path, Purpose::validate));
    std::vector<Json::json_pointer> nodes;
    nodes_of(good, Json::json_pointer(), nodes);
    ASSERT_GT(nodes.size(), 150U);
    const Json values = Json::parse(R"([null, -1, "x y", [{}], {"x": null}, "removed"])");
    int refused = 0;
    for (const Json::json_pointer& node : nodes) {
        for (const Json& value : values) {
            Json broken = good;
            if (value != "removed") {
                broken[node] = value;
            } else if (!node.empty()) {
                erase(broken, node);
            }
            write("mutated.json", dump_json(broken));
            const auto loaded = load_experiment_file(ctx_, deps_, path, Purpose::validate);
            if (loaded) {
                continue;
            }
            ++refused;
            const std::string what = node.to_string() + " = " + dump_json(value);
            ASSERT_EQ(loaded.error().code, Code::validation) << what;
            ASSERT_FALSE(loaded.error().details.empty()) << what;
            for (const Detail& detail : loaded.error().details) {
                EXPECT_TRUE(detail.field.starts_with(path + ":")) << what << ": " << detail.field;
                EXPECT_FALSE(detail.message.empty()) << what;
            }
        }
    }
    EXPECT_GT(refused, 500);
}

TEST_F(ExperimentCheck, SaysAllOfAFileAtOnce) {
    const std::string path = write(
        "all.yaml",
        "name: 5\n"
        "dataset: {path: rows.jsonl, fields: {reference: anser}}\n"
        "prompts:\n"
        "  - {id: a, template: '{{qestion}}'}\n"
        "  - {id: b, template: '{{question}} {{'}\n"
        "models:\n"
        "  - {id: m, provider: opnai, model: m}\n"
        "  - {id: n, provider: openai, model: n}\n"
        "variants: {sweep: {seed: [1, 2], n: [1, 2], stream: [true]}}\n"
        "scorers:\n"
        "  - {type: exact_mach, reference: '{{anwser}}'}\n"
        "  - {type: exact_match, id: ok}\n"
        "analysis: {primary: [ok, f2]}\n"
        "run: {concurency: 4}\n"
    );
    const std::string expected =
        "1:7: expected text, got the number 5: put it in quotes\n"
        "2:49: no row of the dataset has a field \"anser\", did you mean \"answer\"?\n"
        "4:23: row 1 of the dataset has no field \"qestion\", did you mean \"question\"?\n"
        "5:23: line 1, column 14: {{ is not closed by }} (write {{{{ for a literal {{)\n"
        "7:23: unknown provider \"opnai\", did you mean \"openai\"?\n"
        "9:41: one call gives one answer; use run.repetitions\n"
        "9:54: is set by the program, not by parameters\n"
        "11:12: unknown scorer \"exact_mach\", did you mean \"exact_match\"?\n"
        "11:35: row 1 of the dataset has no field \"anwser\", did you mean \"answer\"?\n"
        "13:26: no scorer gives the metric \"f2\"; the metrics are ok\n"
        "14:7: unknown key \"concurency\", did you mean \"concurrency\"?";
    EXPECT_EQ(problems(path), expected);
    EXPECT_EQ(problems(path, Purpose::validate), expected);
    EXPECT_TRUE(providers_.empty()) << "nobody was asked anything";
    EXPECT_TRUE(list_datasets(ctx_, deps_)->empty()) << "a run that is refused imports nothing";
}

TEST_F(ExperimentCheck, AMistakeIsNotToldAgainByWhatFollowsFromIt) {
    const std::string start = "name: x\ndataset: {path: rows.jsonl}\nprompts: ['{{question}}']\n";
    const std::string model = "models: [{provider: openai, model: m}]\n";
    const std::string scorer = "scorers: [{type: exact_match, reference: '{{answer}}'}]\n";
    const auto said = [&](const std::string& text) { return problems(write("x.yaml", text)); };
    EXPECT_EQ(
        said(
            start + model +
            "scorers: [{type: exact_match, refrence: '{{answer}}'}]\nanalysis: {primary: [acc]}\n"
        ),
        "5:31: unknown key \"refrence\", did you mean \"reference\"?\n"
        "6:22: no scorer gives the metric \"acc\"; the metrics are exact_match"
    );
    EXPECT_EQ(
        said(
            start + model + "scorers: [{type: regex, patern: x, id: r}]\nanalysis: {primary: [r]}\n"
        ),
        "5:25: unknown key \"patern\", did you mean \"pattern\"?"
    );
    EXPECT_EQ(
        said(
            start + model +
            "scorers: [{type: exact_match, reference: '{{answer}}'}, {type: exact_match, id: 5, "
            "reference: '{{answer}}'}]\n"
        ),
        "5:81: expected text, got the number 5: put it in quotes"
    ) << "with its id it would not give the metric of the first";
    EXPECT_EQ(
        said(
            start + "models: [{provider: opnai, model: m, pricng: {}}]\n" + scorer +
            "run: {budget: {max_cost_usd: 1}}\n"
        ),
        "4:21: unknown provider \"opnai\", did you mean \"openai\"?\n"
        "4:38: unknown key \"pricng\", did you mean \"pricing\"?"
    );
    EXPECT_EQ(
        said(
            "name: x\ndataset: {path: rows.jsonl, feilds: {q: question}}\nprompts: ['{{q}}']\n" +
            model + scorer
        ),
        "2:29: unknown key \"feilds\", did you mean \"fields\"?"
    );
    EXPECT_EQ(
        said(
            "name: x\ndataset: {path: rows.jsonl, fields: {q: qestion}}\nprompts: ['{{q}} "
            "{{z}}']\n" +
            model + scorer
        ),
        "2:41: no row of the dataset has a field \"qestion\", did you mean \"question\"?\n"
        "3:11: row 1 of the dataset has no field \"z\"; its fields are answer, id, question"
    );
    EXPECT_EQ(
        said(
            "name: x\ndataset: {path: rows.txt, format: jsnl}\nprompts: ['{{q}}']\n" + model +
            scorer
        ),
        "2:35: unknown value \"jsnl\", did you mean \"jsonl\"?"
    );
}

TEST_F(ExperimentCheck, APastedKeyIsNeverTheNameOfAVariable) {
    const std::string key = "sk-proj-0123456789abcdef0123456789";
    const std::string path =
        write("key.yaml", qa_yaml("{id: m, provider: openai, model: m, api_key_env: " + key + "}"));
    for (const Purpose purpose : {Purpose::run, Purpose::validate}) {
        EXPECT_THAT(problems(path, purpose), testing::HasSubstr("looks like a key"));
        EXPECT_EQ(problems(path, purpose).find(key), std::string::npos);
    }
}

TEST_F(ExperimentCheck, WithoutCertaintyWhichRowsAreUsedOnlyWhatNoRowHasIsMissing) {
    write_rows(
        "rows.jsonl",
        {R"({"id":1,"part":"test","q":"1","a":"1"})", R"({"id":2,"part":"dev","q":"2","hint":"x"})"}
    );
    const auto said = [&](const std::string& dataset) {
        return problems(write(
            "x.yaml",
            "name: x\ndataset: {path: rows.jsonl, " + dataset +
                "}\nprompts: ['{{q}} {{hint}} {{none}}']\nmodels: [{provider: openai, model: m}]\n"
                "scorers: [{type: exact_match, reference: '{{a}}'}]\n"
        ));
    };
    const std::string none =
        "3:11: no row of the dataset has a field \"none\"; its fields are a, id, part, q";
    EXPECT_EQ(
        said("split_field: part, split: 7"),
        "2:55: expected text or a mapping (name: value), got the number 7: put it in quotes\n" +
            none
    );
    EXPECT_EQ(said("limit: 0"), "2:36: must be at least 1, got 0\n" + none);
    EXPECT_EQ(said("split_field: part, split: tset"), "2:10: no row has part = \"tset\"\n" + none);
    EXPECT_EQ(
        said("split_field: prt, split: test"),
        "2:42: no row of the dataset has a field \"prt\", did you mean \"part\"?\n" + none
    );
    EXPECT_EQ(
        said("id: part, split_field: part, limt: 1"),
        "2:58: unknown key \"limt\", did you mean \"limit\"?\n" + none
    );
    EXPECT_EQ(
        said("split_field: part, split: test"),
        "3:11: row 1 of the dataset has no field \"hint\"; its fields are a, id, part, q\n"
        "3:11: row 1 of the dataset has no field \"none\"; its fields are a, id, part, q"
    );
}

TEST_F(ExperimentCheck, TemplatesAreCheckedWithoutRowsAndExamplesWithoutTheirNumber) {
    const auto said = [&](const std::string& dataset, const std::string& shots) {
        return problems(write(
            "x.yaml",
            "name: x\ndataset: {path: " + dataset +
                "}\nprompts:\n  - {id: p, template: '{{q', few_shot: {" + shots +
                ", template: '{{w}}'}}\n"
                "models: [{provider: openai, model: m}]\n"
                "scorers: [{type: exact_match, reference: '{{answer}} {{'}]\n"
        ));
    };
    const std::string broken =
        "4:23: line 1, column 1: {{ is not closed by }} (write {{{{ for a literal {{)";
    const std::string reference =
        "6:42: line 1, column 12: {{ is not closed by }} (write {{{{ for a literal {{)";
    EXPECT_EQ(
        said("nothing.jsonl", "count: 1"),
        "2:17: there is no file " + home_.file("nothing.jsonl") + "\n" + broken + "\n" + reference
    );
    const std::string no_w =
        "row 1 of the dataset has no field \"w\"; its fields are answer, id, question\n";
    EXPECT_EQ(
        said("rows.jsonl", "count: 5"),
        broken +
            "\n4:48: asks for 5 examples and the pool has 5 rows; it needs one more than it gives\n"
            "4:61: " +
            no_w + reference
    );
    EXPECT_EQ(
        said("rows.jsonl", "count: none"),
        broken + "\n4:48: expected a whole number, got text\n4:64: " + no_w + reference
    );
    EXPECT_EQ(
        said("rows.jsonl", "count: 1, split: dev"),
        broken +
            "\n4:58: no row of the dataset has a field \"split\"; its fields are answer, id, "
            "question\n" +
            reference
    );
}

TEST_F(ExperimentCheck, EachVariantIsCheckedWithWhatItSends) {
    const std::string models =
        "models:\n"
        "  - {id: a, provider: openai, model: a, parameters: {n: 2, messages: x}}\n"
        "  - {id: b, provider: anthropic, model: b, api_key_env: OPENAI_API_KEY}\n";
    const auto said = [&](const std::string& variants) {
        return problems(write(
            "x.yaml",
            "name: x\ndataset: {path: rows.jsonl}\nprompts: ['{{question}}']\n" + models +
                "variants: " + variants +
                "\nscorers: [{type: exact_match, reference: '{{answer}}'}]\n"
        ));
    };
    const std::string of_model =
        "5:57: one call gives one answer; use run.repetitions\n"
        "5:70: is set by the program, not by parameters\n";
    EXPECT_EQ(
        said("{sweep: {seed: [1, 2], n: [1, 3], temperature: [0, 1]}}"),
        of_model +
            "7:27: the protocol of anthropic has no such parameter\n"
            "7:30: the protocol of anthropic has no such parameter\n"
            "7:41: one call gives one answer; use run.repetitions"
    );
    EXPECT_EQ(
        said("[{model: a, parameters: {n: 1}}, {model: b, parameters: {n: 4, system: s}}]"),
        of_model +
            "7:71: one call gives one answer; use run.repetitions\n"
            "7:82: is set by the program, not by parameters"
    );
}

TEST_F(ExperimentCheck, AHardBudgetNeedsABoundInEveryVariant) {
    const auto said = [&](const std::string& parameters, const std::string& variants) {
        return problems(write(
            "x.yaml",
            "name: x\ndataset: {path: rows.jsonl}\nprompts: ['{{question}}']\n"
            "models: [{id: m, provider: openai, model: m, parameters: " +
                parameters + "}]\nvariants: " + variants +
                "\nscorers: [{type: exact_match, reference: '{{answer}}'}]\n"
                "run: {budget: {max_tokens: 1000}}\n"
        ));
    };
    const std::string needs =
        "a hard budget needs max_tokens, so that the most a call can cost is known";
    const std::string whole =
        "a hard budget needs max_tokens as a whole number, so that the most a call can cost is "
        "known";
    EXPECT_EQ(said("{top_p: 1}", "[{model: m}]"), "4:58: " + needs);
    EXPECT_EQ(said("{}", "{sweep: {top_p: [0, 1]}}"), "4:58: " + needs);
    EXPECT_EQ(
        said("{}", "[{parameters: {max_tokens: 5}}, {id: x, parameters: {top_p: 1}}, {id: y}]"),
        "5:63: " + needs + "\n5:76: " + needs
    );
    EXPECT_EQ(
        said("{max_tokens: 5}", "{sweep: {max_tokens: [5, null, many, 0]}}"),
        "5:36: " + whole + "\n5:42: " + whole + "\n5:48: " + whole
    );
    EXPECT_EQ(said("{max_tokens: '5'}", "[{id: a}, {id: b}]"), "4:71: " + whole);
    const std::string swept = write(
        "x.yaml",
        qa_yaml("{id: m, provider: openai, model: m}") +
            "variants: {sweep: {max_completion_tokens: [5, 6]}}\nrun: {budget: {max_tokens: 99}}\n"
    );
    EXPECT_TRUE(load(swept));
}

TEST_F(ExperimentCheck, RecordedOutputsMustBeReadable) {
    deps_.make_provider = [](const domain::ModelSpec& model) {
        return providers::make_provider(model, {});
    };
    const std::string path = write(
        "x.yaml", qa_yaml("{id: r, provider: replay, replay: {path: out.jsonl, output: otput}}")
    );
    EXPECT_EQ(
        problems(path, Purpose::validate),
        "4:51: there is no file of recorded outputs " + home_.file("out.jsonl")
    );
    write_rows("out.jsonl", {R"({"id":"q0","output":"x"})", R"({"id":"q1","output":"x"})"});
    const std::string out = home_.file("out.jsonl");
    EXPECT_EQ(
        problems(path),
        "4:51: " + out + ":1: the row has no field \"otput\"\n4:51: " + out +
            ":2: the row has no field \"otput\""
    );
    EXPECT_TRUE(load(path, Purpose::report)) << "what is stored is read without them";
}

TEST_F(ExperimentCheck, ToValidateNeedsNoStoreAndLeavesNothing) {
    int opened = 0;
    const auto store = deps_.database;
    deps_.database = [&](const Ctx& ctx) {
        ++opened;
        return store(ctx);
    };
    std::filesystem::create_directory(home_.file("scratch"));
    deps_.scratch_folder = home_.file("scratch");
    const std::string good = write("good.yaml", qa_yaml(kPaid));
    const auto experiment = load(good, Purpose::validate);
    ASSERT_TRUE(experiment);
    EXPECT_EQ(experiment->dataset.version, 0);
    EXPECT_EQ(forecast(*experiment)->calls, 5) << "the rows stay readable";
    const std::string bad = write("bad.yaml", qa_yaml("{id: m, provider: opnai, model: m}"));
    EXPECT_THAT(problems(bad, Purpose::validate), testing::HasSubstr("opnai"));
    EXPECT_THAT(problems(bad), testing::HasSubstr("opnai"));
    write("rows.jsonl", "{\"id\": 1}\nnot json\n");
    EXPECT_THAT(problems(good, Purpose::validate), testing::HasSubstr("line 2"));
    EXPECT_EQ(opened, 0);
    EXPECT_TRUE(files_below(home_.file("scratch")).empty());
    EXPECT_TRUE(std::filesystem::is_empty(home_.file("scratch")));
    EXPECT_FALSE(std::filesystem::exists(objects_.root()));

    deps_.scratch_folder = home_.file("nowhere");
    const auto refused = load_experiment_file(ctx_, deps_, good, Purpose::validate);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::io);
    EXPECT_THAT(refused.error().message, testing::HasSubstr("TMPDIR"));
}

TEST_F(ExperimentCheck, ToValidateLooksUpANameWithoutTheRightToWrite) {
    ASSERT_TRUE(import_dataset(ctx_, deps_, {.path = home_.file("rows.jsonl"), .name = "qa"}));
    deps_.database = [](const Ctx&) -> Result<storage::Database*> {
        return Error(Code::io, "the home is read-only");
    };
    const auto with = [&](const std::string& ref) {
        return write(
            "ref.yaml",
            "name: r\ndataset: {ref: " + ref + "}\nprompts: ['{{question}}']\nmodels: [" + kPaid +
                "]\nscorers: [{type: exact_match, reference: '{{answer}}'}]\n"
        );
    };
    const auto experiment = load(with("qa"), Purpose::validate);
    ASSERT_TRUE(experiment);
    EXPECT_EQ(experiment->dataset.version, 1);
    EXPECT_THAT(problems(with("qb"), Purpose::validate), testing::StartsWith("2:16: "));
    deps_.database_to_read = [](const Ctx&) -> Result<storage::Database*> {
        return Error(Code::not_found, "nothing was imported yet");
    };
    EXPECT_EQ(problems(with("qa"), Purpose::validate), "2:16: nothing was imported yet");
}

TEST_F(ExperimentCheck, WhatIsWrongWithTheMachineDoesNotHideWhatIsWrongWithTheFile) {
    deps_.database = [](const Ctx&) -> Result<storage::Database*> {
        return Error(Code::io, "the disk is full");
    };
    const auto loaded =
        load_experiment_file(ctx_, deps_, write("a.yaml", qa_yaml(kPaid)), Purpose::run);
    ASSERT_FALSE(loaded);
    EXPECT_EQ(loaded.error().code, Code::io);
    const std::string bad = "{id: m, provider: opnai, model: m}";
    EXPECT_EQ(
        problems(write("b.yaml", qa_yaml(bad))),
        "4:28: unknown provider \"opnai\", did you mean \"openai\"?"
    );
}

}  // namespace
}  // namespace lab::service
