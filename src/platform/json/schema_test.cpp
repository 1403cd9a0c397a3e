#include "platform/json/schema.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace lab {
namespace {

Json json(std::string_view text) {
    auto parsed = parse_json(text);
    EXPECT_TRUE(parsed) << text << (parsed ? "" : parsed.error().message);
    return parsed.value_or(Json());
}

/// "path: message" lines.
std::string problems(std::string_view schema, std::string_view value, std::string_view path = "") {
    std::string out;
    for (const Detail& detail : check_schema(json(value), json(schema), path)) {
        out += (out.empty() ? "" : "\n") + detail.field + ": " + detail.message;
    }
    return out;
}

TEST(Schema, NamesTheTypeThatWasExpected) {
    EXPECT_EQ(problems(R"({"type":"number"})", "1"), "");
    EXPECT_EQ(problems(R"({"type":"integer"})", "2.0"), "");
    EXPECT_EQ(problems(R"({"type":"number"})", R"("x")"), ": expected a number, got text");
    EXPECT_EQ(
        problems(R"({"type":"integer"})", "2.5"), ": expected a whole number, got the number 2.5"
    );
    EXPECT_EQ(problems(R"({"type":"string"})", "null"), ": expected text, got nothing");
    EXPECT_EQ(
        problems(R"({"type":["string","array"]})", "{}"), ": expected text or a list, got a mapping"
    );
    EXPECT_EQ(
        problems(R"({"type":"object"})", "[]"), ": expected a mapping (name: value), got a list"
    );
}

TEST(Schema, KnowsTheRemedyOfCommonSlips) {
    EXPECT_EQ(
        problems(R"({"type":"boolean"})", R"("yes")"),
        ": expected true or false, got text: write true"
    );
    EXPECT_EQ(
        problems(R"({"type":"boolean"})", R"("Off")"),
        ": expected true or false, got text: write false"
    );
    EXPECT_EQ(
        problems(R"({"type":"integer"})", R"("5")"),
        ": expected a whole number, got text: remove the quotes"
    );
    EXPECT_EQ(
        problems(R"({"type":"string"})", "5"), ": expected text, got the number 5: put it in quotes"
    );
}

TEST(Schema, NamesTheNearestKey) {
    constexpr std::string_view kSchema =
        R"({"type":"object","additionalProperties":false,"required":["name"],
            "properties":{"name":{"type":"string"},"concurrency":{"type":"integer","minimum":1}}})";
    EXPECT_EQ(
        problems(kSchema, R"({"name":"x","concurency":1})", "run"),
        "run.concurency: unknown key \"concurency\", did you mean \"concurrency\"?"
    );
    EXPECT_EQ(
        problems(kSchema, R"({"name":"x","zzz":1})"),
        "zzz: unknown key \"zzz\"; possible here: concurrency"
    );
    EXPECT_EQ(problems(kSchema, "{}"), "name: required key \"name\" is missing");
    EXPECT_EQ(
        problems(kSchema, R"({"Name":"x"})"),
        "name: required key \"name\" is missing\n"
        "Name: unknown key \"Name\", did you mean \"name\"?"
    );
}

TEST(Schema, ReportsEveryProblemAtOnce) {
    constexpr std::string_view kSchema =
        R"({"type":"object","additionalProperties":{"type":"number","maximum":1},
            "properties":{"list":{"type":"array","minItems":1,"maxItems":2,
            "items":{"type":"string","minLength":2,"maxLength":3}}}})";
    EXPECT_EQ(
        problems(kSchema, R"({"a":"x","b":2,"list":["a","","äöüß",5],"odd name":[]})"),
        "a: expected a number, got text\n"
        "b: must be at most 1, got 2\n"
        "list: must have at most 2 entries, has 4\n"
        "list[0]: must have at least 2 characters\n"
        "list[1]: must not be empty\n"
        "list[2]: must have at most 3 characters, has 4\n"
        "list[3]: expected text, got the number 5: put it in quotes\n"
        "[\"odd name\"]: expected a number, got a list"
    );
    EXPECT_EQ(problems(kSchema, R"({"list":[]})"), "list: must have at least 1 entry");
}

TEST(Schema, ChecksBoundsExactly) {
    EXPECT_EQ(problems(R"({"minimum":1})", "0"), ": must be at least 1, got 0");
    EXPECT_EQ(problems(R"({"exclusiveMinimum":0})", "0"), ": must be greater than 0, got 0");
    EXPECT_EQ(problems(R"({"exclusiveMaximum":1})", "1.0"), ": must be less than 1, got 1");
    EXPECT_EQ(problems(R"({"minimum":0,"maximum":1})", "0.5"), "");
    EXPECT_EQ(problems(R"({"minimum":0})", "18446744073709551615"), "");
    EXPECT_EQ(
        problems(R"({"maximum":9007199254740992})", "9007199254740993"),
        ": must be at most 9007199254740992, got 9007199254740993"
    );
    EXPECT_EQ(problems(R"({"maximum":18446744073709551615})", "-1"), "");
    EXPECT_EQ(problems(R"({"minimum":0})", R"("text has no size")"), "");
}

TEST(Schema, ChecksChoices) {
    EXPECT_EQ(problems(R"({"enum":["holm","bh","none"]})", R"("bh")"), "");
    EXPECT_EQ(
        problems(R"({"enum":["holm","bh","none"]})", R"("holmm")"),
        ": unknown value \"holmm\", did you mean \"holm\"?"
    );
    EXPECT_EQ(
        problems(R"({"enum":["holm","bh","none"]})", R"("tukey")"),
        ": must be \"holm\", \"bh\" or \"none\", got \"tukey\""
    );
    EXPECT_EQ(
        problems(R"({"enum":["bleu"],"x-noun":"scorer"})", R"("blue")"),
        ": unknown scorer \"blue\", did you mean \"bleu\"?"
    );
    EXPECT_EQ(problems(R"({"enum":[1,2]})", "1.0"), "");
    EXPECT_EQ(problems(R"({"enum":[1,null]})", "[]"), ": must be 1 or null, got a list");
    EXPECT_EQ(problems(R"({"const":"a"})", "true"), ": must be \"a\", got true");
}

TEST(Schema, ChecksPatternsWithoutRepeatingTheValue) {
    constexpr std::string_view kSchema = R"({"type":"string","pattern":"^[A-Z_]+$"})";
    EXPECT_EQ(problems(kSchema, R"("KEY")"), "");
    EXPECT_EQ(problems(kSchema, R"("sk-secret")"), ": must match ^[A-Z_]+$");
    EXPECT_EQ(
        problems(R"({"pattern":"^a","x-hint":"a word with a"})", R"("b")"),
        ": must be a word with a"
    );
}

TEST(Schema, FollowsReferences) {
    constexpr std::string_view kSchema =
        R"({"$defs":{"tree":{"type":"object","additionalProperties":false,
            "properties":{"left":{"$ref":"#/$defs/tree"}}}},"$ref":"#/$defs/tree"})";
    EXPECT_EQ(problems(kSchema, R"({"left":{"left":{}}})"), "");
    EXPECT_EQ(
        problems(kSchema, R"({"left":{"left":{"rigt":1}}})"),
        "left.left.rigt: unknown key \"rigt\"; possible here: left"
    );
}

constexpr std::string_view kForms = R"({"$defs":{
  "regex":{"type":"object","additionalProperties":false,"required":["type","pattern"],
           "properties":{"type":{"const":"regex"},"pattern":{"type":"string"}}},
  "exact":{"type":"object","additionalProperties":false,"required":["type"],
           "properties":{"type":{"const":"exact_match"},"case":{"type":"boolean"}}}},
  "oneOf":[{"type":"string","enum":["exact_match"]},
           {"$ref":"#/$defs/regex"},{"$ref":"#/$defs/exact"}]})";

TEST(Schema, ReportsTheFormThatWasMeant) {
    EXPECT_EQ(problems(kForms, R"("exact_match")"), "");
    EXPECT_EQ(problems(kForms, R"({"type":"regex","pattern":"a"})"), "");
    EXPECT_EQ(
        problems(kForms, R"("exact_mach")"),
        ": unknown value \"exact_mach\", did you mean \"exact_match\"?"
    );
    EXPECT_EQ(
        problems(kForms, R"({"type":"exact_match","caze":true})"),
        "caze: unknown key \"caze\", did you mean \"case\"?"
    );
    EXPECT_EQ(
        problems(kForms, R"({"type":"regx","pattern":"a"})", "scorers[0]"),
        "scorers[0].type: unknown value \"regx\", did you mean \"regex\"?"
    );
    EXPECT_EQ(problems(kForms, R"({"pattern":"a"})"), "type: required key \"type\" is missing");
    EXPECT_EQ(problems(kForms, "[]"), ": expected text or a mapping (name: value), got a list");
    EXPECT_EQ(
        problems(R"({"oneOf":[{"type":"number"},{"type":"integer"}]})", "5"),
        ": fits more than one of the possible forms"
    );
    EXPECT_EQ(problems(R"({"anyOf":[{"type":"number"},{"type":"integer"}]})", "5"), "");
}

TEST(Schema, ChoosesTheFormWithTheFewestProblems) {
    constexpr std::string_view kSchema =
        R"({"anyOf":[
            {"type":"object","required":["a","b"],"properties":{"a":{"type":"number"}}},
            {"type":"object","required":["c"],"properties":{"c":{"type":"number"}}}]})";
    EXPECT_EQ(problems(kSchema, R"({"c":"x"})"), "c: expected a number, got text");
    EXPECT_EQ(problems(kSchema, R"({"a":1})"), "b: required key \"b\" is missing");
}

TEST(Schema, NullStandsForAbsenceWhereItIsNoValue) {
    const Json schema = Json::parse(R"({"properties": {"name": {"type": "string"},
        "text": {"type": "string"}, "time": {"type": ["string", "null"]}}, "required": ["name"]})");
    EXPECT_EQ(
        without_absent(
            Json::parse(R"({"name": null, "text": null, "time": null, "other": null})"), schema
        ),
        Json::parse(R"({"name": null, "time": null, "other": null})")
    );
    EXPECT_EQ(without_absent(Json::parse("[null]"), schema), Json::parse("[null]"));
}

}  // namespace
}  // namespace lab
