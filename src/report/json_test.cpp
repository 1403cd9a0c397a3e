#include "report/json.h"

#include "base/text.h"
#include "platform/json/document.h"
#include "platform/json/json.h"
#include "report/impl/test_demo.h"
#include "report/tree.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace lab::report {
namespace {

std::string json_of(const Demo& demo, bool pretty = false) {
    const DemoItems items(demo.rows);
    return rendered([&](const Sink& sink) { return write_json(demo.report, &items, sink, pretty); }
    );
}

Json parsed(const std::string& text) {
    auto out = parse_json(text);
    EXPECT_TRUE(out) << (out ? "" : out.error().message);
    return out ? *std::move(out) : Json();
}

/// The bytes of the member "results".
std::string results_text(const std::string& json) {
    const std::size_t at = json.find("\"results\":{");
    EXPECT_NE(at, std::string::npos);
    return json.substr(at);
}

TEST(ReportJson, SaysWhatTheRunFound) {
    const Demo demo = demo_gsm8k();
    const Json json = parsed(json_of(demo));
    EXPECT_EQ(json["schema_version"], 1);
    EXPECT_EQ(json["run"]["experiment"], "gsm8k-four-models");
    EXPECT_EQ(json["manifest"]["seed"], 42);
    const Json& best = json["results"]["variants"][3]["metrics"]["accuracy"];
    EXPECT_EQ(best["successes"], 742);
    EXPECT_EQ(best["n"], 1319);
    EXPECT_DOUBLE_EQ(best["value"].get<double>(), 742.0 / 1319.0);
    EXPECT_EQ(best["interval"].size(), 2U);
    const Json& comparison = json["results"]["comparisons"][5];
    EXPECT_EQ(comparison["a"], "175b_verification");
    EXPECT_EQ(comparison["b"], "175b_finetuning");
    EXPECT_EQ(comparison["only_a"], 360);
    EXPECT_EQ(comparison["only_b"], 76);
    EXPECT_EQ(comparison["verdict"], "better");
    EXPECT_EQ(comparison["family"], 6);
    EXPECT_EQ(comparison["p_at_floor"], false);
    EXPECT_EQ(comparison["n_needed_of"], "items");
    EXPECT_TRUE(comparison["missing_lowest"].is_null()) << "nothing failed";
}

TEST(ReportJson, StreamsEveryItemWithItsScores) {
    const Demo demo = demo_gsm8k();
    const Json json = parsed(json_of(demo));
    const Json& items = json["results"]["items"];
    ASSERT_EQ(items.size(), 1319U);
    std::int64_t right = 0;
    for (const Json& item : items) {
        ASSERT_EQ(item["samples"].size(), 4U);
        right += item["samples"][3]["scores"]["accuracy"] == 1.0 ? 1 : 0;
    }
    EXPECT_EQ(right, 742);
    EXPECT_EQ(items[0]["id"], "gsm8k-0001");
    EXPECT_EQ(items[0]["samples"][3]["extracted"]["numeric"], "18");
    EXPECT_EQ(items[0]["samples"][3]["state"], "done");
}

TEST(ReportJson, ResultsDoNotKnowRunsTimesOrMoney) {
    Demo demo = demo_live();
    const std::string before = results_text(json_of(demo));
    Report& report = demo.report;
    report.runs[0].id = "another";
    report.runs[0].number = 99;
    report.runs[0].started_at = report.runs[0].completed_at = "2031-01-01T00:00:00Z";
    report.totals.calls += 7;
    report.totals.retries += 7;
    report.totals.cost = std::nullopt;
    report.warnings.clear();
    report.errors.clear();
    for (VariantSummary& variant : report.variants) {
        variant.cached = variant.replayed = 17;
        variant.cost = Money{};
        variant.usage.output = 1;
        variant.latency.p50 = 3;
        variant.latency_histogram = {};
        variant.time_to_first_token.n = 0;
    }
    for (ItemRow& row : demo.rows) {
        for (std::vector<ItemSample>& samples : row.samples) {
            for (ItemSample& sample : samples) {
                sample.cached = !sample.cached;
                sample.error = sample.failed ? "another attempt, another time-out" : "";
            }
        }
    }
    const std::string after = json_of(demo);
    EXPECT_EQ(before, results_text(after));
    EXPECT_NE(after.find("\"another\""), std::string::npos);
}

TEST(ReportJson, NumbersReadBackAsTheSameDouble) {
    const Demo demo = demo_bbh();
    const Json json = parsed(json_of(demo));
    for (std::size_t v = 0; v < 2; ++v) {
        const science::Estimate& e = demo.report.variants[v].metrics[0];
        const Json& tree = json["results"]["variants"][v]["metrics"]["exact_match"];
        EXPECT_EQ(tree["value"].get<double>(), e.value);
        EXPECT_EQ(tree["se"].get<double>(), e.se);
        EXPECT_EQ(tree["interval"][1].get<double>(), e.interval.hi);
    }
}

TEST(ReportJson, NaNIsNull) {
    const Json json = parsed(json_of(demo_nothing()));
    const Json& results = json["results"];
    EXPECT_TRUE(results["variants"][0]["metrics"]["accuracy"]["value"].is_null());
    EXPECT_TRUE(results["variants"][0]["metrics"]["accuracy"]["interval"].is_null());
    EXPECT_TRUE(results["comparisons"][0]["p"].is_null());
    EXPECT_EQ(results["comparisons"][0]["verdict"], "undetermined");
    EXPECT_EQ(results["items"][0]["samples"][0]["state"], "not_run");
    EXPECT_TRUE(json["variants_runtime"][0]["latency"].is_null());
}

TEST(ReportJson, PrettyAndCompactSayTheSame) {
    const Demo demo = demo_live();
    const std::string pretty = json_of(demo, true);
    EXPECT_EQ(parsed(pretty), parsed(json_of(demo)));
    EXPECT_NE(pretty.find("\n  \"totals\": {\n    \"planned\": 6400,"), std::string::npos);
}

TEST(ReportJson, SeveralRunsAreAList) {
    Demo demo = demo_nothing();
    demo.report.runs.push_back(demo.report.runs[0]);
    const Json json = parsed(json_of(demo));
    EXPECT_EQ(json["runs"].size(), 2U);
    EXPECT_FALSE(json.contains("run"));
}

TEST(ReportJson, HostileTextStaysText) {
    const Demo demo = demo_hostile();
    const Json json = parsed(json_of(demo));
    const std::string expected = sanitize_utf8(kHostile);
    EXPECT_EQ(json["answer"], expected);
    EXPECT_EQ(json["manifest"], expected);
    EXPECT_EQ(json["results"]["items"][0]["samples"][0]["output"], expected);
}

TEST(ReportJson, TheFirstErrorOfTheSinkEndsIt) {
    const Demo demo = demo_large(2000);
    const DemoItems items(demo.rows);
    int calls = 0;
    const Status status = write_json(demo.report, &items, [&](std::string_view) -> Status {
        ++calls;
        return Error(Code::io, "the disk is full");
    });
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().message, "the disk is full");
    EXPECT_EQ(calls, 1);
}

TEST(ReportYaml, ReadsBackAsTheSameTree) {
    for (const auto& make : {demo_live, demo_bbh, demo_nothing, demo_empty, demo_hostile}) {
        const Demo demo = make();
        const std::string yaml =
            rendered([&](const Sink& sink) { return write_yaml(demo.report, sink); });
        const auto document = parse_yaml(yaml);
        ASSERT_TRUE(document) << document.error().message;
        // Through JSON text, so that NaN is null and invalid UTF-8 is replaced on both sides.
        const Json expected = parsed(dump_json(report_tree(demo.report)));
        EXPECT_EQ(document->value, expected);
    }
}

TEST(ReportYaml, QuotesWhatLooksLikeSomethingElse) {
    Demo demo = demo_empty();
    demo.report.methods = {
        "yes",  "No",   "null", "~",     "1.5",          "0x1F", "2025-03-01", "- a",
        "a: b", "a #b", "",     " a",    "a ",           "[a]",  "{a}",        "&a",
        "*a",   "!a",   "@a",   "`a",    "%a",           "|",    ">",          "\"a\"",
        "'a'",  "?",    "=",    "a\nb",  "\xE2\x80\xA8", "\x7F", "\xC2\x85",   "\xEF\xBB\xBF",
        "1e3",  ".inf", "<<",   "null ", "plain words",  "on"
    };
    const std::string yaml =
        rendered([&](const Sink& sink) { return write_yaml(demo.report, sink); });
    const auto document = parse_yaml(yaml);
    ASSERT_TRUE(document) << document.error().message;
    EXPECT_EQ(document->value["methods"].get<std::vector<std::string>>(), demo.report.methods);
    EXPECT_NE(yaml.find("- plain words\n"), std::string::npos);
}

}  // namespace
}  // namespace lab::report
