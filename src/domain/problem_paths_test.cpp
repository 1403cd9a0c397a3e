#include "domain/problem_paths.h"

#include "platform/json/schema.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace lab::domain {
namespace {

TEST(ProblemPaths, CoverWhatIsBelowAndTouchWhatIsAbove) {
    const ProblemPaths paths({{"models[1].limits", "is wrong"}, {"scorers[0]", "is wrong"}});
    for (const char* path :
         {"models[1].limits",
          "models[1].limits.concurrency",
          "scorers[0]",
          "scorers[0].reference[2]"}) {
        EXPECT_TRUE(paths.covers(path)) << path;
        EXPECT_TRUE(paths.touches(path)) << path;
    }
    for (const char* path : {"models", "models[1]", "scorers"}) {
        EXPECT_FALSE(paths.covers(path)) << path;
        EXPECT_TRUE(paths.touches(path)) << path;
    }
    for (const char* path :
         {"models[1].limit", "models[1].limitss", "models[11]", "models[1].id", "scorers[01]", "m"
         }) {
        EXPECT_FALSE(paths.touches(path)) << path;
    }
    EXPECT_TRUE(paths.touches(""));
    EXPECT_FALSE(paths.covers(""));
    EXPECT_TRUE(ProblemPaths({{"", "a list"}}).covers("models[0].id"));
    EXPECT_FALSE(ProblemPaths().touches(""));
}

TEST(ProblemPaths, AnUnknownKeyCountsAsTheOneItWasTakenFor) {
    const Json schema = Json::parse(R"({
        "type": "object", "additionalProperties": false,
        "properties": {"reference": {}, "list": {
            "type": "array", "items": {"type": "object", "additionalProperties": false,
            "properties": {"pricing": {}}}}}
    })");
    const Json value = Json::parse(R"({"refrence": 1, "list": [{"pric ing": 1}, {"other": 1}]})");
    const ProblemPaths paths(check_schema(value, schema));
    EXPECT_TRUE(paths.covers("refrence"));
    EXPECT_TRUE(paths.covers("reference"));
    EXPECT_TRUE(paths.covers("reference[0]"));
    EXPECT_TRUE(paths.misspelled("reference"));
    EXPECT_FALSE(paths.misspelled("refrence"));
    EXPECT_TRUE(paths.covers("list[0][\"pric ing\"]"));
    EXPECT_TRUE(paths.covers("list[0].pricing.input"));
    EXPECT_TRUE(paths.touches("list[0]"));
    EXPECT_FALSE(paths.covers("list[1].pricing")) << "nothing near was proposed";
}

}  // namespace
}  // namespace lab::domain
