#include "service/experiment.h"

#include "service/impl/test_lab.h"

#include <gtest/gtest.h>

namespace lab::service {
namespace {

using engine::test::kPaid;
using engine::test::qa_rows;
using engine::test::qa_yaml;

class ExperimentFile : public test::Lab {};

TEST_F(ExperimentFile, OpensEverythingItNames) {
    const auto experiment = load(write_qa("run: {repetitions: 3}\n"));
    ASSERT_TRUE(experiment);
    EXPECT_EQ(experiment->items->count(), 10);
    EXPECT_EQ(experiment->plan->samples(), 30);
    EXPECT_EQ(experiment->base_folder, home_.path());
    EXPECT_EQ(experiment->dataset.rows, 10);
    EXPECT_EQ(experiment->dataset.version, 1);
    ASSERT_EQ(experiment->pricing.size(), 1U);
    EXPECT_TRUE(experiment->pricing[0]);
    EXPECT_TRUE(experiment->warnings.empty());
    EXPECT_EQ(experiment->scores->slots()[0].info.name, "exact_match");
}

TEST_F(ExperimentFile, ReportsEveryProblemAtOnceWhereItStands) {
    write_rows("rows.jsonl", qa_rows(10));
    without_base_ = {"b"};
    const std::string path = write(
        "bad.yaml",
        "name: bad\n"
        "dataset: {path: rows.jsonl}\n"
        "prompts:\n"
        "  - id: p\n"
        "    system: 'You are {{persona}}.'\n"
        "    template: '{{qestion}}'\n"
        "models:\n"
        "  - {id: a, provider: openai, model: a1, parameters: {max_tokens: 5}}\n"
        "  - id: b\n"
        "    provider: openai\n"
        "    model: b1\n"
        "scorers:\n"
        "  - {type: exact_match, reference: '{{anser}}'}\n"
        "analysis: {cluster: topic}\n"
        "run:\n"
        "  budget: {max_cost_usd: 1}\n"
    );
    EXPECT_EQ(
        problems(path),
        "5:13: row 1 of the dataset has no field \"persona\"; its fields are answer, id, question\n"
        "6:15: row 1 of the dataset has no field \"qestion\", did you mean \"question\"?\n"
        "8:5: run.budget.max_cost_usd needs prices, and none are known for \"a1\": set "
        "pricing.input_per_million and pricing.output_per_million\n"
        "9:5: a hard budget needs max_tokens, so that the most a call can cost is known\n"
        "9:5: is missing\n"
        "9:5: run.budget.max_cost_usd needs prices, and none are known for \"b1\": set "
        "pricing.input_per_million and pricing.output_per_million\n"
        "13:36: row 1 of the dataset has no field \"anser\", did you mean \"answer\"?\n"
        "14:21: row 1 of the dataset has no field \"topic\"; its fields are answer, id, question"
    );
    EXPECT_TRUE(providers_.empty()) << "nobody was asked anything";
}

TEST_F(ExperimentFile, ReportsWhatTheSchemaFindsWhereItStands) {
    const std::string path = write(
        "bad.yaml",
        "name: bad\n"
        "dataset: {path: rows.jsonl, limt: 3}\n"
        "prompts: ['{{question}}']\n"
        "models:\n"
        "  - {provider: opnai, model: m}\n"
        "scorers: [exact_mach]\n"
        "run: {concurrency: 0}\n"
    );
    const std::string found = problems(path);
    EXPECT_NE(found.find("2:29: unknown key \"limt\""), std::string::npos) << found;
    EXPECT_NE(found.find("\"limit\""), std::string::npos) << found;
    EXPECT_NE(found.find("5:16: "), std::string::npos) << found;
    EXPECT_NE(found.find("\"openai\""), std::string::npos) << found;
    EXPECT_NE(found.find("6:11: "), std::string::npos) << found;
    EXPECT_NE(found.find("7:20: "), std::string::npos) << found;
}

TEST_F(ExperimentFile, FindsTheRowThatLacksAField) {
    auto rows = qa_rows(9000);
    rows[7311] = R"({"id":"odd","answer":"x"})";
    rows[8000] = R"({"id":"null","question":"x","answer":null})";
    write_rows("rows.jsonl", rows);
    const std::string path = write("qa.yaml", qa_yaml(kPaid));
    EXPECT_EQ(
        problems(path),
        "3:29: row 7312 of the dataset has no field \"question\"\n"
        "5:42: row 8001 of the dataset has no field \"answer\""
    );
    const std::string limited = write(
        "limited.yaml",
        "name: l\ndataset: {path: rows.jsonl, limit: 7000}\nprompts: ['{{question}}']\nmodels: [" +
            std::string(kPaid) + "]\nscorers: [{type: exact_match, reference: '{{answer}}'}]\n"
    );
    EXPECT_EQ(load(limited)->items->count(), 7000) << "only rows that are used matter";
}

TEST_F(ExperimentFile, ExamplesAreCheckedOnTheRowsTheyComeFrom) {
    const std::string head = "name: f\ndataset: {path: rows.jsonl, split: test}\nprompts:\n";
    const std::string tail = "models: [" + std::string(kPaid) +
                             "]\nscorers: [{type: exact_match, reference: '{{a}}'}]\n";
    std::vector<std::string> rows = {
        R"({"split":"test","q":"1","a":"1"})",
        R"({"split":"train","q":"2","a":"2","why":"because"})",
        R"({"split":"train","q":"3","a":"3","why":"so"})",
    };
    write_rows("rows.jsonl", rows);
    const std::string good = write(
        "good.yaml",
        head +
            "  - {id: p, template: '{{q}}', few_shot: {count: 1, split: train, template: "
            "'{{q}} {{why}}'}}\n" +
            tail
    );
    EXPECT_TRUE(load(good)) << "an item need not have what only examples show";
    rows[2] = R"({"split":"train","q":"3","a":"3"})";
    write_rows("rows.jsonl", rows);
    EXPECT_EQ(problems(good), "4:77: row 3 of the dataset has no field \"why\"");
}

TEST_F(ExperimentFile, AReferenceListMustBeAList) {
    write_rows(
        "rows.jsonl", {R"({"q":"1","all":["a"]})", R"({"q":"2","all":"b"})", R"({"q":"3"})"}
    );
    const std::string path = write(
        "list.yaml",
        "name: l\ndataset: {path: rows.jsonl}\nprompts: ['{{q}}']\nmodels: [" + std::string(kPaid) +
            "]\nscorers: [{type: exact_match, reference_list: all}]\n"
    );
    EXPECT_EQ(
        problems(path), "5:47: row 2 of the dataset: the field \"all\" is not a list of references"
    );
}

TEST_F(ExperimentFile, ReferencesThatNothingCanBeScoredAgainstAreSaidBeforeAnyCall) {
    const auto path_with = [&](const std::string& answers, const std::string& scorers) {
        std::vector<std::string> rows;
        for (int i = 0; i < 4; ++i) {
            const std::string n = std::to_string(i);
            rows.push_back(
                R"({"id":"q)" + n + R"(","question":"q","list":["a"],"answer":)" +
                (i % 2 == 0 ? "\"1\"" : answers) + "}"
            );
        }
        write_rows("rows.jsonl", rows);
        const std::string qa = qa_yaml(kPaid);
        return write("odd.yaml", qa.substr(0, qa.find("scorers:")) + "scorers:\n" + scorers);
    };
    EXPECT_EQ(
        problems(path_with(
            "\"four\"",
            "  - {type: exact_match, reference: '{{list}}'}\n"
            "  - {type: numeric, reference: '{{answer}}'}\n"
            "  - {type: choice, reference: '{{answer}}'}\n"
        )),
        "6:36: row 1 of the dataset: the field \"list\" is a list: for several right answers set "
        "`reference_list: list`; so it is in 4 of 4 rows\n"
        "7:32: row 2 of the dataset: no number in the reference \"four\"; so it is in 2 of 4 rows\n"
        "8:31: row 1 of the dataset: none of the letters ABCD in the reference \"1\"; so it is in "
        "4 "
        "of 4 rows"
    );
    EXPECT_TRUE(load(path_with("\"4\"", "  - {type: numeric, reference: '{{answer}}'}\n")));
    EXPECT_EQ(provider("m").calls(), 0);
}

TEST_F(ExperimentFile, ABudgetNeedsToKnowTheWorst) {
    write_rows("rows.jsonl", qa_rows(3));
    const auto with = [&](const std::string& model, const std::string& budget) {
        return write("qa.yaml", qa_yaml(model) + "run: {budget: {" + budget + "}}\n");
    };
    const std::string priced = "pricing: {input_per_million: 1, output_per_million: 1}";
    const std::string open = "{id: m, provider: openai, model: m1, " + priced + "}";
    EXPECT_NE(problems(with(open, "max_cost_usd: 1")).find("needs max_tokens"), std::string::npos);
    EXPECT_NE(problems(with(open, "max_tokens: 9")).find("needs max_tokens"), std::string::npos);
    EXPECT_TRUE(load(with(open, "max_calls: 9"))) << "calls can be counted without";
    const std::string unpriced =
        "{id: m, provider: openai, model: m1, parameters: {max_tokens: 3}}";
    EXPECT_NE(problems(with(unpriced, "max_cost_usd: 1")).find("needs prices"), std::string::npos);
    EXPECT_TRUE(load(with(unpriced, "max_tokens: 1000")));
    EXPECT_TRUE(load(with("{id: r, provider: replay, replay: {path: x.jsonl}}", "max_cost_usd: 1")))
        << "a replay costs nothing";
    EXPECT_TRUE(load(with(
        "{id: m, provider: openai, model: m1, parameters: {max_completion_tokens: 3}, " + priced +
            "}",
        "max_cost_usd: 1"
    )));
}

TEST_F(ExperimentFile, AMissingKeyStopsARunAndWarnsAValidation) {
    const std::string path = write_qa();
    without_key_ = {"m"};
    EXPECT_EQ(problems(path, Purpose::run), "4:10: KEY_OF_m is not set");
    const auto checked = load(path, Purpose::validate);
    ASSERT_TRUE(checked);
    EXPECT_EQ(checked->warnings, std::vector<std::string>{"KEY_OF_m is not set"});
    without_base_ = {"m"};
    EXPECT_EQ(problems(path, Purpose::validate), "4:10: is missing");
    EXPECT_TRUE(load(path, Purpose::report)) << "who reads results needs no endpoint";
}

TEST_F(ExperimentFile, ThatCannotBeReadSaysWhy) {
    const auto code_of = [&](const std::string& path) {
        const auto loaded = load_experiment_file(ctx_, deps_, path, Purpose::run);
        EXPECT_FALSE(loaded);
        EXPECT_NE(loaded.error().message.find(path), std::string::npos) << loaded.error().message;
        return loaded.error().code;
    };
    EXPECT_EQ(code_of(home_.file("none.yaml")), Code::not_found);
    EXPECT_EQ(code_of(home_.path()), Code::bad_request);
    EXPECT_EQ(
        code_of(write("big.yaml", std::string((8U << 20) + 1, '#'))), Code::payload_too_large
    );
    const auto cut = load_experiment_file(
        ctx_, deps_, write("cut.yaml", "name: x\nprompts: [a, 'b\n"), Purpose::run
    );
    ASSERT_FALSE(cut);
    EXPECT_EQ(cut.error().code, Code::bad_request);
    ASSERT_EQ(cut.error().details.size(), 1U);
    EXPECT_TRUE(cut.error().details[0].field.starts_with(home_.file("cut.yaml:")));
}

TEST_F(ExperimentFile, AMissingOrBrokenDatasetIsAProblemOfTheFile) {
    const std::string path = write("qa.yaml", qa_yaml(kPaid));
    std::string found = problems(path);
    EXPECT_TRUE(found.starts_with("2:17: ")) << found;
    EXPECT_NE(found.find("rows.jsonl"), std::string::npos) << found;
    write("rows.jsonl", "{\"id\":1}\nnot json\n[1]\n");
    found = problems(path);
    EXPECT_TRUE(found.starts_with("2:17: ")) << found;
    EXPECT_NE(found.find("line 2: "), std::string::npos) << found;
    EXPECT_NE(found.find("line 3: "), std::string::npos) << found;
    write_rows("rows.jsonl", {qa_rows(2)[1], qa_rows(1)[0], qa_rows(2)[1]});
    EXPECT_EQ(problems(path), "2:10: rows 1 and 3 have the same id \"q1\"");
    write(
        "ref.yaml",
        "name: r\ndataset: {ref: nobody@3}\nprompts: ['{{q}}']\nmodels: [" + std::string(kPaid) +
            "]\nscorers: [{type: regex, pattern: x}]\n"
    );
    found = problems(home_.file("ref.yaml"));
    EXPECT_TRUE(found.starts_with("2:16: ")) << found;
}

TEST_F(ExperimentFile, AStoredExperimentKeepsItsRowsAndItsFolder) {
    write_rows("rows.jsonl", qa_rows(4));
    const std::string path = write(
        "replay.yaml", qa_yaml("{id: r, provider: replay, replay: {path: sub/../out.jsonl}}")
    );
    const auto first = load(path);
    ASSERT_TRUE(first);
    EXPECT_EQ(first->spec.models[0].replay->path, home_.file("out.jsonl"));
    write_rows("rows.jsonl", qa_rows(9));
    auto again = load_stored_experiment(
        ctx_,
        deps_,
        first->spec.source,
        first->base_folder,
        first->dataset.content_hash,
        Purpose::report
    );
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ((*again)->items->count(), 4) << "the file has changed, the rows of the run have not";
    EXPECT_EQ((*again)->spec.models[0].replay->path, home_.file("out.jsonl"));
    EXPECT_EQ(load(path)->items->count(), 9);
}

TEST_F(ExperimentFile, TheForecastAddsUp) {
    const auto experiment = load(write_qa("run: {repetitions: 2}\n"));
    ASSERT_TRUE(experiment);
    const Forecast out = forecast(*experiment).value();
    ASSERT_EQ(out.rows.size(), 1U);
    EXPECT_EQ(out.calls, 20);
    EXPECT_EQ(out.rows[0].output_tokens_max, 200);
    // "Q: question N" and 12 bytes of overhead, at four bytes a token.
    EXPECT_EQ(out.input_tokens, (13 + 12) * 10 / 4 * 20 / 10);
    EXPECT_EQ(
        out.cost_max->pico(),
        out.input_tokens * 1'000'000 + *out.rows[0].output_tokens_max * 2'000'000
    );
    write_rows("rows.jsonl", qa_rows(3));
    const auto open = load(write("open.yaml", qa_yaml("{id: m, provider: openai, model: m}")));
    const Forecast unknown = forecast(*open).value();
    EXPECT_FALSE(unknown.cost_max) << "n/a, not 0";
    EXPECT_FALSE(unknown.rows[0].output_tokens_max);
}

}  // namespace
}  // namespace lab::service
