#include "science/metrics/rubric.h"

#include "base/text.h"
#include "science/metrics/scorer.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cmath>

namespace lab::science {
namespace {

RatingReader reader_of(std::vector<Criterion> criteria, RatingScale scale = {}) {
    auto made = RatingReader::make(std::move(criteria), std::move(scale));
    EXPECT_TRUE(made) << (made ? "" : made.error().details.front().message);
    return *std::move(made);
}

/// "4,-,2.5"
std::string read(const RatingReader& reader, std::string_view verdict) {
    std::string out;
    for (const std::optional<double>& one : reader.read(verdict)) {
        out += out.empty() ? "" : ",";
        out += one ? format_double(*one) : "-";
    }
    return out;
}

TEST(Rubric, TakesTheLastObjectThatNamesACriterion) {
    const RatingReader two = reader_of({{"correctness"}, {"Writing style"}});
    EXPECT_EQ(read(two, R"({"correctness": 4, "writing_style": 2})"), "4,2");
    EXPECT_EQ(
        read(two, "It {is} right.\n```json\n{\"Correctness\": 5, \"Writing-Style\": 1}\n```"), "5,1"
    );
    EXPECT_EQ(
        read(two, R"(First {"correctness": 1, "writing style": 1}, no: {"correctness": 3,
                            "writing style": 4} and {"other": 1})"),
        "3,4"
    );
    EXPECT_EQ(
        read(two, R"({"correctness": {"reason": "uses {x} and \"}\"", "score": 4},
                      "writing style": {"rating": "2/5"}})"),
        "4,2"
    );
    EXPECT_EQ(
        read(two, R"({"ratings": {"correctness": "3", "writing style": 2.5}, "why": "-"})"), "3,2.5"
    );
    EXPECT_EQ(read(two, R"({"correctness": 4})"), "4,-") << "the other was not rated";
}

TEST(Rubric, TakesWhatIsWrittenInLines) {
    const RatingReader two = reader_of({{"correctness"}, {"writing style"}});
    EXPECT_EQ(read(two, "Correctness: 4\n**Writing style**: 3/5 because"), "4,3");
    EXPECT_EQ(read(two, "correctness = 1 ... correctness: 2\nwriting_style: 5"), "2,5");
    EXPECT_EQ(read(two, "incorrectness: 4\nwriting style: 4/10"), "-,-") << "out of something else";
    EXPECT_EQ(read(two, "Rating: 4"), "-,-") << "of which?";
}

TEST(Rubric, OfOneCriterionTakesABareRating) {
    const RatingReader one = reader_of({{"quality"}}, {.minimum = 1, .maximum = 10});
    EXPECT_EQ(read(one, "Fine, all in all. Rating: [[7]]"), "7");
    EXPECT_EQ(read(one, "[[3]] at first, then [[ 8.5 ]]"), "8.5");
    EXPECT_EQ(read(one, "Score: 6/10"), "6");
    EXPECT_EQ(read(one, "Rating: 8."), "8");
    EXPECT_EQ(read(one, "quality: 9"), "9");
    EXPECT_EQ(read(one, " 10 "), "10");
    EXPECT_EQ(read(one, "10/10"), "10");
    EXPECT_EQ(read(one, "I give it 10 points"), "-") << "a number somewhere is no rating";
    EXPECT_EQ(read(one, ""), "-");
}

TEST(Rubric, IsNotOnTheScaleWhenItIsBeyond) {
    const RatingReader one = reader_of({{"quality"}});
    for (const char* verdict :
         {R"({"quality": 6})",
          R"({"quality": 0})",
          R"({"quality": true})",
          R"({"quality": null})",
          R"({"quality": 1e999})",
          R"({"quality": "NaN"})",
          "[[6]]",
          "Rating: -1",
          "Rating: 4%",
          "Score: 1.5e1",
          "5/10"}) {
        EXPECT_EQ(read(one, verdict), "-") << verdict;
    }
    const RatingReader labelled = reader_of(
        {{"quality"}}, {.minimum = 0, .maximum = 2, .labels = {{0, "poor"}, {2, "Very good"}}}
    );
    EXPECT_EQ(read(labelled, R"({"quality": "very_good"})"), "2");
    EXPECT_EQ(read(labelled, " Poor "), "0");
    EXPECT_EQ(read(labelled, "poorly"), "-");
}

TEST(Rubric, IsReadInTimeLinearInTheVerdict) {
    const RatingReader one = reader_of({{"quality"}});
    EXPECT_EQ(read(one, std::string(4U << 20U, '{')), "-");
    EXPECT_EQ(read(one, std::string(4U << 20U, '[') + "[[4]]"), "4");
    std::string nested;
    for (int i = 0; i < 100'000; ++i) {
        nested += R"({"a":)";
    }
    EXPECT_EQ(read(one, nested + R"({"quality": 2})"), "2");
}

TEST(Rubric, WeighsWhatCounts) {
    const RatingReader three = reader_of({{"a", 2}, {"b", 1}, {"c", 0}});
    EXPECT_DOUBLE_EQ(three.overall({4, 1, 5}).value_or(-1), 3);
    EXPECT_DOUBLE_EQ(three.overall({4, 1, std::nullopt}).value_or(-1), 3) << "c does not count";
    EXPECT_FALSE(three.overall({4, std::nullopt, 5}).has_value());
}

TEST(Rubric, RefusesWhatCannotBeRead) {
    const auto problem = [](std::vector<Criterion> criteria, RatingScale scale = {}) {
        const auto made = RatingReader::make(std::move(criteria), std::move(scale));
        EXPECT_FALSE(made);
        return made ? "" : made.error().details.front().field;
    };
    EXPECT_EQ(problem({}), "criteria");
    EXPECT_EQ(problem({{"a", 0}}), "criteria");
    EXPECT_EQ(problem({{"a_b"}, {"A b"}}), "criteria[1].name");
    EXPECT_EQ(problem({{"a"}, {"Overall"}}), "criteria[1].name");
    EXPECT_EQ(problem({{" "}}), "criteria[0].name");
    EXPECT_EQ(problem({{"a"}}, {.minimum = 5, .maximum = 5}), "maximum");
    EXPECT_EQ(problem({{"a"}}, {.labels = {{9, "best"}}}), "labels");
}

TEST(Rubric, IsAScorerWhoseUnreadVerdictsAreMissing) {
    const ScorerType* const type = find_scorer_type("rubric");
    ASSERT_NE(type, nullptr);
    const auto scorer = type->make(Json::parse(
        R"({"criteria": [{"name": "a", "weight": 3}, {"name": "b"}], "minimum": 0, "maximum": 10,
            "labels": {"10": "perfect"}})"
    ));
    ASSERT_TRUE(scorer);
    ASSERT_EQ((*scorer)->metrics().size(), 3U);
    EXPECT_EQ((*scorer)->metrics()[0].name, "overall");
    EXPECT_EQ((*scorer)->metrics()[1].maximum, 10);
    EXPECT_EQ((*scorer)->metrics()[1].signature, "rubric:a*3,b|scale:0-10|version:llm-research-1");
    const Scored good =
        (*scorer)->score({.output = R"({"a": 8, "b": "perfect"})", .references = {}});
    EXPECT_TRUE(good.parsed);
    EXPECT_DOUBLE_EQ(good.values[0].value, 8.5);
    EXPECT_EQ(good.extracted, R"({"a":8.0,"b":10.0})");
    const Scored half = (*scorer)->score({.output = "a: 7", .references = {}});
    EXPECT_FALSE(half.parsed);
    EXPECT_TRUE(std::isnan(half.values[0].value)) << "no mean over what is there";
    EXPECT_EQ(half.values[1].value, 7);
    EXPECT_TRUE(std::isnan(half.values[2].value));
    EXPECT_EQ((*type->make(Json::object()))->metrics().size(), 1U);
}

}  // namespace
}  // namespace lab::science
