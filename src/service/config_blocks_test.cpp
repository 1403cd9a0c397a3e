#include "service/impl/config_blocks.h"

#include "platform/json/document.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <set>

namespace lab::service {
namespace {

using Problems = std::vector<std::string>;

Json json(std::string_view text) { return Json::parse(text); }

ConfigProblem into(Problems& problems) {
    return
        [&](std::string path, std::string message) { problems.push_back(path + ": " + message); };
}

Json selected(std::string_view ref, Problems& problems, std::int64_t rows = 200) {
    Json dataset = Json::object();
    select_rows(json(ref), rows, "refs[0]", dataset, into(problems));
    return dataset;
}

TEST(SelectRows, BecomesTheDatasetSectionOfAFile) {
    Problems problems;
    EXPECT_EQ(
        selected(R"({"split":"test","split_field":"part"})", problems),
        json(R"({"split":"test","split_field":"part"})")
    );
    EXPECT_EQ(
        selected(R"({"sampling":{"size":{"percent":2.5},"seed":4}})", problems),
        json(R"({"sample":5,"seed":4})")
    );
    EXPECT_EQ(
        selected(R"({"sampling":{"method":"sequential","size":{"count":7}}})", problems),
        json(R"({"limit":7})")
    );
    EXPECT_EQ(
        selected(
            R"({"sampling":{"method":"stratified","size":{"count":7},"stratify_by":"level"}})",
            problems
        ),
        json(R"({"sample":7,"seed":0,"stratify":"level"})")
    );
    EXPECT_EQ(
        selected(
            R"({"filters":[{"field":"level","value":3},{"field":"kind","operator":"in","value":["a","b"]}]})",
            problems
        ),
        json(R"({"where":{"level":3,"kind":["a","b"]}})")
    );
    EXPECT_TRUE(problems.empty());
}

TEST(SelectRows, TellsWhatCannotBe) {
    Problems problems;
    selected(R"({"split":"test","sampling":{"size":{"percent":10}}})", problems);
    selected(R"({"sampling":{"method":"stratified","size":{"count":7}}})", problems);
    selected(R"({"filters":[{"field":"a","operator":"in","value":1}]})", problems);
    ASSERT_EQ(problems.size(), 3);
    EXPECT_TRUE(problems[0].starts_with("refs[0].sampling.size: with a split or filters"));
    EXPECT_EQ(
        problems[1], "refs[0].sampling.stratify_by: names the field whose shares are to be kept"
    );
    EXPECT_EQ(problems[2], "refs[0].filters[0].value: eq takes one value, in takes a list");
}

TEST(MetricConfigs, BecomeScorersAndGates) {
    Problems problems;
    Json scorers = Json::array();
    Json gates = Json::array();
    add_metric_configs(
        json(R"([
            {"name":"strict","metric_type":"exact_match","parameters":{"ignore_case":true},
             "threshold":{"above":0.5}},
            {"name":"bleu","threshold":{"between":[10,40]},"weight":2},
            {"name":"nonsense"},
            {"name":"chrf","threshold":{"above":1,"below":2}},
            {"name":"regex","parameters":{"pattern":"a"}}
        ])"),
        "{{answer}}",
        [&](const std::string& metric, const std::string& path) -> std::string {
            if (metric == "nonsense") {
                problems.push_back(path);
                return "";
            }
            return metric;
        },
        scorers,
        gates,
        into(problems)
    );
    EXPECT_EQ(scorers, json(R"([
        {"type":"exact_match","id":"strict","reference":"{{answer}}","ignore_case":true},
        {"type":"bleu","reference":"{{answer}}"},
        {"type":"chrf","reference":"{{answer}}"},
        {"type":"regex","pattern":"a"}
    ])"));
    EXPECT_EQ(
        gates, json(R"([{"metric":"strict","min":0.5},{"metric":"bleu","min":10,"max":40}])")
    );
    EXPECT_EQ(
        problems,
        (Problems{
            "metric_configs[2].name",
            "metric_configs[3].threshold: takes one of above, below, equal and between"
        })
    );
}

Json searched(std::string_view search, Problems& problems, std::uint64_t seed = 1) {
    Json source = Json::object();
    add_search(json(search), seed, {"m"}, {"p", "q"}, source, into(problems));
    return source;
}

TEST(Search, AGridIsASweep) {
    Problems problems;
    EXPECT_EQ(
        searched(R"({"strategy":"grid","spaces":{"temperature":[0,1],"top_p":[0.5]}})", problems),
        json(R"({"variants":{"sweep":{"temperature":[0,1],"top_p":[0.5]}}})")
    );
    EXPECT_TRUE(problems.empty());
}

TEST(Search, RandomTrialsStayInsideAndComeAgainWithTheSeed) {
    Problems problems;
    constexpr std::string_view kSearch =
        R"({"strategy":"random","max_trials":50,"spaces":{
            "temperature":{"min":0.2,"max":0.9},"top_k":{"min":1,"max":3,"type":"int"},
            "penalty":{"min":0.001,"max":1,"log":true},"style":["a","b"]}})";
    const Json variants = searched(kSearch, problems)["variants"];
    ASSERT_EQ(variants.size(), 100);  // two prompts
    std::set<std::string> ids;
    std::set<std::string> styles;
    int small = 0;
    for (const Json& variant : variants) {
        const Json& p = variant["parameters"];
        EXPECT_GE(p["temperature"], 0.2);
        EXPECT_LE(p["temperature"], 0.9);
        EXPECT_TRUE(p["top_k"].is_number_integer());
        EXPECT_GE(p["top_k"], 1);
        EXPECT_LE(p["top_k"], 3);
        small += p["penalty"] < 0.1 ? 1 : 0;
        styles.insert(p["style"].get<std::string>());
        ids.insert(variant["id"].get<std::string>());
    }
    EXPECT_EQ(ids.size(), 100);
    EXPECT_EQ(styles.size(), 2);
    EXPECT_GT(small, 40);  // two of three decades: evenly drawn it were 10
    EXPECT_EQ(searched(kSearch, problems)["variants"], variants);
    EXPECT_NE(searched(kSearch, problems, 2)["variants"], variants);
    EXPECT_TRUE(problems.empty());
}

TEST(Search, TellsWhatCannotBe) {
    Problems problems;
    searched(R"({"strategy":"bayesian","spaces":{"a":[1]}})", problems);
    searched(R"({"strategy":"grid","spaces":{"a":{"min":0,"max":1}}})", problems);
    searched(R"({"strategy":"random","spaces":{"a":{"min":1,"max":0}}})", problems);
    searched(R"({"strategy":"random","spaces":{"a":{"min":0,"max":1,"log":true}}})", problems);
    searched(R"({"strategy":"random","spaces":{}})", problems);
    ASSERT_EQ(problems.size(), 5);
    EXPECT_TRUE(problems[0].starts_with("search.strategy: bayesian decides"));
    EXPECT_EQ(problems[1], "search.spaces.a: a grid takes a list of values");
    EXPECT_EQ(problems[2], "search.spaces.a: max must be greater than min");
    EXPECT_EQ(problems[3], "search.spaces.a: a logarithmic space begins above 0");
    EXPECT_EQ(problems[4], "search.spaces: takes 1 to 20 parameters");
}

}  // namespace
}  // namespace lab::service
