#include "science/metrics/choice.h"

#include "science/metrics/extract.h"
#include "support/vectors.h"

#include <gtest/gtest.h>

namespace lab::science {
namespace {

using nlohmann::json;

std::string choice_in(const char* text, ChoiceStyle style, const char* letters = "ABCD") {
    const auto finder = ChoiceFinder::make(letters, style).value();
    const auto letter = finder.find(text);
    return letter ? std::string(1, *letter) : "none";
}

TEST(Choice, AgreesWithSimpleEvalsAndTheBigBenchHardRule) {
    const auto finder = ChoiceFinder::make("ABCD", ChoiceStyle::simple_evals).value();
    const auto extractor = make_extractor(Json::array(
        {{{"regex", "[Tt]he answer is (.*)"}, {"trim", true}, {"otherwise", "whole"}},
         {{"strip_suffix", "."}}}
    ));
    ASSERT_TRUE(extractor);
    test::for_each_vector(
        "mcq_extract",
        [&](const json& in, const json&, const json& want, auto& check) {
            const auto text = in.at("text").get<std::string>();
            const auto letter = finder.find(text);
            check.equal(
                "letter",
                letter ? json(std::string(1, *letter)) : json(),
                want.at("simple_evals_letter")
            );
            const Extracted answer = extractor->apply(text);
            check.equal("found", answer.found, true);
            check.equal("bbh", answer.text, want.at("bbh_cot_answer"));
        }
    );
}

TEST(Choice, StylesDifferWhereTheyShould) {
    EXPECT_EQ(choice_in("Answer: Apple", ChoiceStyle::simple_evals), "A");
    EXPECT_EQ(choice_in("Answer: Apple", ChoiceStyle::word_boundary), "none");
    EXPECT_EQ(choice_in("**Answer:** (b)", ChoiceStyle::word_boundary), "B");
    EXPECT_EQ(choice_in("**Answer**: $C$", ChoiceStyle::word_boundary), "C");
    EXPECT_EQ(choice_in("Either A or B. I take C", ChoiceStyle::last), "C");
    EXPECT_EQ(choice_in("option (D).", ChoiceStyle::last), "D");
    EXPECT_EQ(choice_in("a banana", ChoiceStyle::last), "none");
    EXPECT_EQ(choice_in(" (b). ", ChoiceStyle::whole), "B");
    EXPECT_EQ(choice_in("**C**", ChoiceStyle::whole), "C");
    EXPECT_EQ(choice_in("C is right", ChoiceStyle::whole), "none");
    EXPECT_EQ(choice_in("E", ChoiceStyle::whole), "none");
    EXPECT_EQ(choice_in("E", ChoiceStyle::whole, "abcde"), "E");
    EXPECT_EQ(choice_in("", ChoiceStyle::whole), "none");
}

TEST(Choice, TheReferenceMayBeBareOrWritten) {
    const auto finder = ChoiceFinder::make("ABCD", ChoiceStyle::simple_evals).value();
    EXPECT_EQ(finder.find_reference("(c)"), 'C');
    EXPECT_EQ(finder.find_reference("Answer: D"), 'D');
    EXPECT_EQ(finder.find_reference("Paris"), std::nullopt);
}

TEST(Choice, LettersAreChecked) {
    EXPECT_FALSE(ChoiceFinder::make("", ChoiceStyle::last));
    EXPECT_FALSE(ChoiceFinder::make("AB]", ChoiceStyle::last));
    EXPECT_FALSE(ChoiceFinder::make("ABa", ChoiceStyle::last));
}

}  // namespace
}  // namespace lab::science
