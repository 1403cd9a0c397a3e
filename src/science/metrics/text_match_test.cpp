#include "science/metrics/text_match.h"

#include "base/text.h"
#include "support/vectors.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace lab::science {
namespace {

using nlohmann::json;

bool any_equal(
    const std::string& prediction,
    const std::vector<std::string>& references,
    const TextRules& rules
) {
    return std::ranges::any_of(references, [&](const auto& reference) {
        return normalize_text(prediction, rules) == normalize_text(reference, rules);
    });
}

TEST(TextMatch, AgreesWithPythonAndTheSquadScript) {
    test::for_each_vector(
        "exact_match_squad",
        [](const json& in, const json&, const json& want, auto& check) {
            const auto prediction = in.at("prediction").get<std::string>();
            const auto references = in.at("references").get<std::vector<std::string>>();
            check.equal(
                "exact", any_equal(prediction, references, {.trim = false}), want.at("exact")
            );
            check.equal(
                "stripped", any_equal(prediction, references, {}), want.at("exact_stripped")
            );
            const TextRules lower{.trim = false, .ignore_case = true};
            check.equal("lower", any_equal(prediction, references, lower), want.at("exact_lower"));
            check.equal(
                "normalized", squad_normalize(prediction), want.at("normalized_prediction")
            );
            const TextRules squad{.squad = true};
            check.number(
                "em", any_equal(prediction, references, squad) ? 1 : 0, want.at("squad_em")
            );
            double f1 = 0;
            for (const auto& reference : references) {
                f1 = std::max(f1, squad_f1(prediction, reference));
            }
            check.number("f1", f1, want.at("squad_f1"));
        }
    );
}

TEST(TextMatch, IgnoresWhatItIsToldToIgnore) {
    EXPECT_EQ(normalize_text(" a  b\n", {.trim = true}), "a  b");
    EXPECT_EQ(normalize_text(" a\xc2\xa0 b\n", {.ignore_whitespace = true}), "ab");
    EXPECT_EQ(normalize_text("«Yes», (really)!", {.ignore_punctuation = true}), "Yes really");
    EXPECT_EQ(normalize_text("STRASSE ΟΔΟΣ", {.ignore_case = true}), "strasse οδος");
    EXPECT_EQ(normalize_text(" x ", {.trim = false}), " x ");
}

TEST(TextMatch, ComposedAndDecomposedLettersDiffer) {
    EXPECT_NE(normalize_text("\xc3\xa9", {}), normalize_text("e\xcc\x81", {}));
}

TEST(TextMatch, OnlyWholeWordsAreArticles) {
    EXPECT_EQ(squad_normalize("The anthem of a theatre, an a_b"), "anthem of theatre ab");
    EXPECT_EQ(squad_normalize("a-the"), "athe");
    EXPECT_EQ(squad_normalize("a—the"), "—");
}

}  // namespace
}  // namespace lab::science
