#include "science/metrics/extract.h"

#include "platform/json/json.h"
#include "platform/json/schema.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace lab::science {
namespace {

/// The text found, or "(none)".
std::string extract(const char* steps, std::string_view output) {
    const auto extractor = make_extractor(parse_json(steps).value());
    if (!extractor) {
        return "(invalid) " + extractor.error().message;
    }
    const Extracted result = extractor->apply(output);
    EXPECT_TRUE(result.found || result.text.empty());
    return result.found ? result.text : "(none)";
}

std::vector<Detail> problems(const char* steps) {
    const auto extractor = make_extractor(parse_json(steps).value());
    return extractor ? std::vector<Detail>{} : extractor.error().details;
}

TEST(Extract, WithoutStepsTheWholeOutputIsFound) {
    EXPECT_EQ(extract("[]", " as it is \n"), " as it is \n");
    EXPECT_EQ(extract("null", "x"), "x");
    EXPECT_TRUE(make_extractor(Json::array())->empty());
}

TEST(Extract, RegexGivesTheGroupAskedFor) {
    EXPECT_EQ(extract(R"j({"regex": "(\\d+)-(\\d+)"})j", "on 12-34 and 56-78"), "12");
    EXPECT_EQ(
        extract(R"j({"regex": "(\\d+)-(\\d+)", "group": 2, "which": "last"})j", "12-34 56-78"), "78"
    );
    EXPECT_EQ(extract(R"j({"regex": "(\\d+)-(\\d+)", "group": 0})j", "on 12-34"), "12-34");
    EXPECT_EQ(extract(R"j({"regex": "\\d+"})j", "on 12-34"), "12");
    EXPECT_EQ(extract(R"j({"regex": "(?P<n>\\d+)", "group": "n"})j", "on 12"), "12");
    EXPECT_EQ(extract(R"j({"regex": "yes", "ignore_case": true})j", "YES!"), "YES");
    EXPECT_EQ(extract(R"j({"regex": "(a)|(b)"})j", "b"), "(none)");
    EXPECT_EQ(extract(R"j({"regex": "x"})j", "abc"), "(none)");
}

TEST(Extract, AfterAndBeforeCutAtText) {
    EXPECT_EQ(extract(R"j({"after": "A:"})j", "A: 1 A: 2"), " 1 A: 2");
    EXPECT_EQ(
        extract(R"j([{"after": "A:", "which": "last"}, {"trim": true}])j", "A: 1 A: 2\n"), "2"
    );
    EXPECT_EQ(
        extract(
            R"j({"after": "the Answer is", "ignore_case": true, "trim": true})j",
            "THE ANSWER IS  42"
        ),
        "42"
    );
    EXPECT_EQ(extract(R"j({"after": "a.b", "ignore_case": true})j", "axb A.B c"), " c");
    EXPECT_EQ(extract(R"j({"before": "\n\n"})j", "first\n\nsecond\n\nthird"), "first");
    EXPECT_EQ(extract(R"j({"before": ".", "which": "last"})j", "a.b.c"), "a.b");
    EXPECT_EQ(extract(R"j({"after": "nothing"})j", "abc"), "(none)");
    EXPECT_EQ(extract(R"j({"after": "end"})j", "the end"), "");
}

TEST(Extract, TheRuleOfGsm8kTakesWhatStandsBehindTheLastMark) {
    const char* rule = R"j([{"after": "A:", "which": "last"}, {"trim": true}])j";
    EXPECT_EQ(extract(rule, "She makes $224 a day at the farmers' market\nA: 224"), "224");
    EXPECT_EQ(extract(rule, "no mark"), "(none)");
}

TEST(Extract, OtherwiseWholeKeepsTheText) {
    EXPECT_EQ(
        extract(R"j([{"after": "X:", "otherwise": "whole"}, {"strip_suffix": "."}])j", "abc."),
        "abc"
    );
    EXPECT_EQ(
        extract(R"j([{"lower": true}, {"regex": "x", "otherwise": "whole"}])j", "ABC"), "abc"
    );
    EXPECT_EQ(extract(R"j({"after": "X:", "otherwise": "none"})j", "abc"), "(none)");
    // Trim belongs to what was found, not to the text that stays.
    EXPECT_EQ(
        extract(R"j({"after": "X:", "otherwise": "whole", "trim": true})j", " abc "), " abc "
    );
}

TEST(Extract, LinesThatAreBlankDoNotCount) {
    EXPECT_EQ(extract(R"j({"line": "last"})j", "one\ntwo\n \n\n"), "two");
    EXPECT_EQ(extract(R"j({"line": "first"})j", "\n\r\n one\r\ntwo"), " one");
    EXPECT_EQ(extract(R"j({"line": "first"})j", " \n "), "(none)");
}

TEST(Extract, CodeFencesAreTakenOff) {
    const char* rule = R"j({"strip_code_fence": true})j";
    EXPECT_EQ(extract(rule, "```json\n{\"a\": 1}\n```"), "{\"a\": 1}");
    EXPECT_EQ(extract(rule, "Here it is:\n```\nx = 1\n\ny = 2\n```\nDone."), "x = 1\n\ny = 2");
    EXPECT_EQ(extract(rule, "````\n```\ninner\n```\n````"), "```\ninner\n```");
    EXPECT_EQ(extract(rule, "~~~py\nx\n~~~"), "x");
    EXPECT_EQ(extract(rule, "```\ncut short"), "cut short");
    EXPECT_EQ(extract(rule, "no fence"), "no fence");
    EXPECT_EQ(extract(rule, "```\n```"), "");
}

TEST(Extract, JsonPathReadsOneValue) {
    EXPECT_EQ(extract(R"j({"json_path": "/a/b"})j", R"j({"a": {"b": "text"}})j"), "text");
    EXPECT_EQ(extract(R"j({"json_path": "/a/1"})j", R"j({"a": [1, 2.50]})j"), "2.5");
    EXPECT_EQ(extract(R"j({"json_path": ""})j", R"j( {"a" : [ 1 ] } )j"), R"j({"a":[1]})j");
    EXPECT_EQ(extract(R"j({"json_path": "/x~1y/~0"})j", R"j({"x/y": {"~": true}})j"), "true");
    EXPECT_EQ(extract(R"j({"json_path": "/a"})j", R"j({"b": 1})j"), "(none)");
    EXPECT_EQ(extract(R"j({"json_path": "/a"})j", R"j({"a": null})j"), "(none)");
    EXPECT_EQ(extract(R"j({"json_path": "/a"})j", "not JSON"), "(none)");
    EXPECT_EQ(
        extract(R"j({"json_path": "/a/99999999999999999999999"})j", R"j({"a": [1]})j"), "(none)"
    );
    EXPECT_EQ(extract(R"j({"json_path": "/a/-"})j", R"j({"a": [1]})j"), "(none)");
    EXPECT_EQ(
        extract(
            R"j([{"strip_code_fence": true}, {"json_path": "/n"}])j", "```json\n{\"n\": 7}\n```"
        ),
        "7"
    );
}

TEST(Extract, SmallStepsTrimLowerAndStrip) {
    EXPECT_EQ(extract(R"j([{"trim": true}, {"lower": true}])j", "\xc2\xa0 ÄB \n"), "äb");
    EXPECT_EQ(extract(R"j({"strip_suffix": "."})j", "5.."), "5.");
    EXPECT_EQ(extract(R"j({"strip_prefix": "A) "})j", "A) x"), "x");
    EXPECT_EQ(extract(R"j({"strip_suffix": "longer than it"})j", "x"), "x");
}

TEST(Extract, EveryMistakeIsReportedWithItsPlace) {
    const auto found = problems(
        R"j([{"regex": "("}, {"trim": true}, {"aftr": "x"}, {"regex": "a", "group": 2}, {"before": "x", "wich": "last"}, {"line": "third"}, 7])j"
    );
    ASSERT_EQ(found.size(), 6);
    EXPECT_EQ(found[0].field, "[0].regex");
    EXPECT_EQ(found[1].field, "[2].aftr");
    EXPECT_NE(found[1].message.find("did you mean \"after\""), std::string::npos);
    EXPECT_EQ(found[2].field, "[3].group");
    EXPECT_EQ(found[3].field, "[4].wich");
    EXPECT_NE(found[3].message.find("did you mean \"which\""), std::string::npos);
    EXPECT_EQ(found[4].field, "[5].line");
    EXPECT_EQ(found[5].field, "[6]");
}

TEST(Extract, OneStepOutsideAListHasFieldsWithoutIndex) {
    EXPECT_EQ(problems(R"j({"regex": "["})j")[0].field, "regex");
    EXPECT_EQ(problems("{}")[0].field, "");
    EXPECT_EQ(problems("3")[0].field, "");
}

TEST(Extract, WhatHasNoMeaningIsRefused) {
    for (const char* steps :
         {R"j({"trim": false})j",
          R"j({"after": ""})j",
          R"j({"after": 3})j",
          R"j({"after": "x", "before": "y"})j",
          R"j({"after": "x", "group": 1})j",
          R"j({"lower": true, "which": "last"})j",
          R"j({"regex": "x", "which": "second"})j",
          R"j({"regex": "x", "ignore_case": "yes"})j",
          R"j({"regex": "(?P<a>x)", "group": "b"})j",
          R"j({"regex": "x", "group": -1})j",
          R"j({"regex": "x", "otherwise": "half"})j",
          R"j({"json_path": "a/b"})j",
          R"j({"json_path": "/a~2"})j",
          R"j({"line": true})j"}) {
        EXPECT_FALSE(problems(steps).empty()) << steps;
    }
}

TEST(Extract, TheSchemaTakesOneStepOrAList) {
    const Json schema = extract_schema();
    for (const char* steps :
         {R"j({"after": "x", "which": "last"})j",
          R"j([{"regex": "(a)", "group": 1}, {"regex": "(?P<n>b)", "group": "n"}])j",
          R"j([{"line": "last"}, {"strip_code_fence": true}, {"json_path": ""}])j",
          "[]"}) {
        const Json value = parse_json(steps).value();
        const auto found = check_schema(value, schema);
        EXPECT_TRUE(found.empty()) << steps << (found.empty() ? "" : found[0].message);
        EXPECT_TRUE(make_extractor(value)) << steps;
    }
    for (const char* steps :
         {R"j({"aftr": "x"})j", R"j([{"line": "third"}])j", R"j([{"after": 3}])j", "7"}) {
        EXPECT_FALSE(check_schema(parse_json(steps).value(), schema).empty()) << steps;
    }
}

TEST(Extract, TheSchemaNamesEveryKey) {
    const Json schema = extract_schema();
    const Json& properties = schema.at("oneOf").at(0).at("properties");
    for (const char* key :
         {"regex",
          "after",
          "before",
          "line",
          "json_path",
          "strip_code_fence",
          "trim",
          "lower",
          "strip_prefix",
          "strip_suffix",
          "group",
          "which",
          "ignore_case",
          "otherwise"}) {
        ASSERT_TRUE(properties.contains(key)) << key;
        EXPECT_FALSE(properties.at(key).at("description").get<std::string>().empty());
    }
    EXPECT_EQ(properties.size(), 14);
}

}  // namespace
}  // namespace lab::science
