#include "platform/json/usable_schema.h"

#include "platform/json/schema.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace lab {
namespace {

std::string problems(const char* text) {
    const auto out = usable_schema(Json::parse(text), "schema");
    std::string all;
    if (!out) {
        EXPECT_EQ(out.error().code, Code::validation);
        for (const Detail& problem : out.error().details) {
            all += problem.field + ": " + problem.message + "\n";
        }
    }
    return all;
}

TEST(UsableSchema, KeepsWhatIsEnforced) {
    const Json schema = Json::parse(R"({
        "type": "object", "required": ["id"], "additionalProperties": false,
        "properties": {
            "id": {"type": ["string", "integer"], "minLength": 1, "pattern": "^a"},
            "n": {"minimum": 0, "exclusiveMaximum": 1.5},
            "list": {"items": {"enum": [1, 2]}, "maxItems": 3},
            "any": true
        }
    })");
    const auto kept = usable_schema(schema);
    ASSERT_TRUE(kept);
    EXPECT_EQ(*kept, schema);
}

TEST(UsableSchema, DropsWhatIsNot) {
    // Each of these stops the program when check_schema is given it, or means nothing to it.
    const auto kept = usable_schema(Json::parse(R"({
        "$ref": "#/$defs/none", "x-noun": 3, "oneOf": 5, "format": "date", "title": "rows",
        "items": [{"type": "string"}], "properties": {"a": {"$ref": "other.json"}}
    })"));
    ASSERT_TRUE(kept);
    EXPECT_EQ(*kept, Json::parse(R"({"properties": {"a": {}}})"));
    EXPECT_TRUE(check_schema(Json::parse(R"({"a": 1})"), *kept).empty());
}

TEST(UsableSchema, NamesEveryKeywordWhoseValueIsNone) {
    EXPECT_EQ(
        problems(R"({"type": "text", "properties": {"a": {"pattern": "("}, "b": 5},
                     "minLength": -1, "maximum": "9", "required": [1], "enum": []})"),
        "schema.type: must be integer, number, string, boolean, object, array or null, or a list "
        "of these\n"
        "schema.properties.a.pattern: is no regular expression (RE2 syntax)\n"
        "schema.properties.b: must be a schema: a mapping\n"
        "schema.minLength: must be a whole number from 0 on\n"
        "schema.maximum: must be a number\n"
        "schema.required: must be a list of names\n"
        "schema.enum: must be a list of 1 to 1000 values\n"
    );
    EXPECT_EQ(problems("[]"), "schema: must be a schema: a mapping\n");
    EXPECT_EQ(problems("true"), "");
}

TEST(UsableSchema, DepthIsBounded) {
    std::string text = "{}";
    for (int i = 0; i < 40; ++i) {
        text = R"({"items":)" + text + "}";
    }
    EXPECT_TRUE(problems(text.c_str()).ends_with(": is nested too deeply\n"));
}

}  // namespace
}  // namespace lab
