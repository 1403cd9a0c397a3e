#include "engine/score.h"

#include "engine/impl/test_world.h"

#include <gtest/gtest.h>

#include <cmath>

namespace lab::engine {
namespace {

domain::ExperimentSpec spec_with(const std::string& scorers, const std::string& more = "") {
    return test::spec_of(
        "name: s\ndataset: {path: r.jsonl}\nprompts: ['{{q}}']\n"
        "models: [{id: m, provider: openai, model: m}]\nscorers:\n" +
        scorers + more
    );
}

ScoreBook book_with(const std::string& scorers, const std::string& more = "") {
    auto book = ScoreBook::make(spec_with(scorers, more));
    EXPECT_TRUE(book) << (book ? "" : test::problems_of(book.error()));
    return *std::move(book);
}

std::string refusal(const std::string& scorers, const std::string& more = "") {
    const auto book = ScoreBook::make(spec_with(scorers, more));
    EXPECT_FALSE(book);
    return book ? "" : test::problems_of(book.error());
}

Json row_of(std::string_view text) { return parse_json(text).value(); }

SampleScores score(const ScoreBook& book, std::string_view output, std::string_view row) {
    const auto encoded = book.score(output, row_of(row));
    EXPECT_TRUE(encoded) << (encoded ? "" : encoded.error().message);
    auto scores = decode_scores(encoded.value_or(""), book);
    EXPECT_TRUE(scores) << encoded.value_or("");
    return scores.value_or(SampleScores());
}

constexpr const char* kExact = "  - {type: exact_match, reference: '{{a}}'}\n";

TEST(ScoreBook, ScoresComeBackAsTheyWere) {
    const ScoreBook book = book_with(
        std::string(kExact) + "  - {type: bleu, reference: '{{a}}'}\n" +
        "  - {type: f1, reference: '{{a}}'}\n"
    );
    ASSERT_EQ(book.scorers(), 3U);
    EXPECT_EQ(book.scorer_name(1), "bleu");
    const SampleScores scores = score(book, "the big cat sat", R"({"a":"the cat sat"})");
    ASSERT_EQ(scores.values.size(), book.slots().size());
    std::size_t corpus = 0;
    for (std::size_t slot = 0; slot < book.slots().size(); ++slot) {
        const MetricSlot& s = book.slots()[slot];
        EXPECT_EQ(scores.stats[slot].size(), s.info.stats_size);
        corpus += s.info.kind == science::MetricKind::corpus ? 1 : 0;
        if (s.info.name == "exact_match") {
            EXPECT_EQ(scores.values[slot], 0);
        }
        if (s.info.name == "f1") {
            // SQuAD: "the" is left out; 2 of 3 and 2 of 2 tokens are shared.
            EXPECT_DOUBLE_EQ(scores.values[slot], 2 * (2.0 / 3) * 1 / (2.0 / 3 + 1));
        }
    }
    EXPECT_EQ(corpus, 1U);
    EXPECT_EQ(scores.parsed, (std::vector<bool>{true, true, true}));
}

TEST(ScoreBook, EveryDoubleSurvivesTheStore) {
    const ScoreBook book = book_with("  - {type: chrf, reference: '{{a}}'}\n");
    for (const char* output : {"a", "ab c", "the quick brown fox", "", "日本語 テキスト"}) {
        const Json row = row_of(R"({"a":"the quick brown fox jumps"})");
        const std::string encoded = book.score(output, row).value();
        const SampleScores once = decode_scores(encoded, book).value();
        EXPECT_EQ(encoded, book.score(output, row).value()) << "the same text each time";
        std::vector<double> sums = once.stats[0];
        const double figure = book.aggregate(0, sums);
        EXPECT_TRUE(std::isfinite(figure));
        EXPECT_GE(figure, 0);
        EXPECT_LE(figure, 100);
    }
}

TEST(ScoreBook, AnExactAnswerScoresOne) {
    const ScoreBook book = book_with(kExact);
    EXPECT_EQ(score(book, "yes", R"({"a":"yes"})").values, std::vector<double>{1});
    EXPECT_EQ(score(book, "no", R"({"a":"yes"})").values, std::vector<double>{0});
    EXPECT_EQ(score(book, "7", R"({"a":7})").values, std::vector<double>{1}) << "numbers as text";
}

TEST(ScoreBook, AnOutputWithoutAnAnswerIsWrongAndSaysSo) {
    const ScoreBook book =
        book_with("  - {type: exact_match, reference: '{{a}}', extract: {after: 'A: '}}\n");
    const SampleScores found = score(book, "well. A: yes", R"({"a":"yes"})");
    EXPECT_EQ(found.values, std::vector<double>{1});
    EXPECT_EQ(found.parsed, std::vector<bool>{true});
    EXPECT_EQ(found.extracted, std::vector<std::string>{"yes"});
    const SampleScores lost = score(book, "yes", R"({"a":"yes"})");
    EXPECT_EQ(lost.values, std::vector<double>{0}) << "wrong, although the text is the reference";
    EXPECT_EQ(lost.parsed, std::vector<bool>{false});
    EXPECT_EQ(lost.extracted, std::vector<std::string>{""});
    // An empty reference is no gift either.
    EXPECT_EQ(score(book, "nothing", R"({"a":""})").values, std::vector<double>{0});
}

std::string reference_problems(const ScoreBook& book, std::string_view row) {
    std::string out;
    for (const Detail& detail : book.check_references(row_of(row))) {
        out += (out.empty() ? "" : "\n") + detail.field + ": " + detail.message;
    }
    return out;
}

TEST(ScoreBook, ReferencesThatCannotBeUsedAreKnownFromTheRow) {
    const ScoreBook book = book_with(
        std::string(kExact) + "  - {type: numeric, reference: '{{a}}'}\n" +
        "  - {type: choice, reference_list: l}\n"
    );
    EXPECT_EQ(reference_problems(book, R"({"a":"4","l":["x","B"]})"), "");
    EXPECT_EQ(
        reference_problems(book, R"({"a":"four","l":["42"]})"),
        "scorers[1].reference: no number in the reference \"four\"\n"
        "scorers[2].reference_list: none of the letters ABCD in the reference \"42\""
    );
    EXPECT_EQ(
        reference_problems(book, R"({"a":["4","5"],"l":["A"]})"),
        "scorers[0].reference: the field \"a\" is a list: for several right answers set "
        "`reference_list: a`\n"
        "scorers[1].reference: the field \"a\" is a list: for several right answers set "
        "`reference_list: a`"
    );
    EXPECT_EQ(reference_problems(book, "{}"), "") << "missing fields are reported elsewhere";
}

TEST(ScoreBook, AReferenceFromWhichNothingIsExtractedIsNone) {
    const ScoreBook book = book_with(
        "  - {type: exact_match, reference: '{{a}}', extract_reference: {after: '#### '}}\n"
    );
    EXPECT_EQ(reference_problems(book, R"({"a":"so #### 4"})"), "");
    EXPECT_EQ(
        reference_problems(book, R"({"a":"four"})"),
        "scorers[0].extract_reference: finds no answer in the reference"
    );
    EXPECT_TRUE(std::isnan(score(book, "", R"({"a":"four"})").values[0]))
        << "an empty output does not equal it";
    const ScoreBook steps = book_with(
        "  - {type: exact_match, reference: '{{a}}', extract_reference: {json_path: '/0'}}\n"
    );
    EXPECT_EQ(reference_problems(steps, R"({"a":["x","y"]})"), "") << "the list is taken apart";
}

TEST(ScoreBook, AScorersOwnParsingCountsToo) {
    const ScoreBook book = book_with("  - {type: numeric, reference: '{{a}}'}\n");
    const SampleScores lost = score(book, "no number here", R"({"a":"4"})");
    EXPECT_EQ(lost.parsed, std::vector<bool>{false});
    EXPECT_EQ(lost.values, std::vector<double>{0});
    const SampleScores found = score(book, "so it is 4.", R"({"a":"4"})");
    EXPECT_EQ(found.parsed, std::vector<bool>{true});
    EXPECT_EQ(found.values, std::vector<double>{1});
}

TEST(ScoreBook, ExtractionStepsWorkOnWhatIsLeft) {
    const ScoreBook book = book_with(
        "  - {type: exact_match, reference: '{{a}}', extract: [{strip_code_fence: true},"
        " {after: 'answer'}, {regex: '([A-Z]+)'}, {lower: true}],"
        " extract_reference: [{after: '#### '}]}\n"
    );
    EXPECT_EQ(
        score(book, "```\nthe answer IS big\n```", R"({"a":"2+2 #### is"})").values,
        std::vector<double>{1}
    );
    EXPECT_EQ(book.references(0, row_of(R"({"a":"2+2 #### is"})")), std::vector<std::string>{"is"});
}

TEST(ScoreBook, SeveralReferencesCountByTheBest) {
    const ScoreBook two = book_with("  - {type: exact_match, reference: ['{{a}}', 'the {{b}}']}\n");
    EXPECT_EQ(score(two, "x", R"({"a":"x","b":"y"})").values, std::vector<double>{1});
    EXPECT_EQ(score(two, "the y", R"({"a":"x","b":"y"})").values, std::vector<double>{1});
    EXPECT_EQ(score(two, "y", R"({"a":"x","b":"y"})").values, std::vector<double>{0});
    const ScoreBook list = book_with("  - {type: exact_match, reference_list: answers.all}\n");
    EXPECT_EQ(score(list, "2", R"({"answers":{"all":["one",2]}})").values, std::vector<double>{1});
    for (const char* bad : {R"({"answers":{"all":[]}})", R"({"answers":{"all":"x"}})", "{}"}) {
        const auto refused = list.score("x", row_of(bad));
        ASSERT_FALSE(refused) << bad;
        EXPECT_EQ(refused.error().code, Code::validation);
        EXPECT_TRUE(list.references(0, row_of(bad)).empty());
    }
}

TEST(ScoreBook, NamesTheFieldsItNeeds) {
    const ScoreBook book = book_with(
        "  - {type: exact_match, reference: ['{{a}}', '{{b.c}} {{a}}']}\n"
        "  - {type: f1, reference_list: answers}\n"
        "  - {type: regex, pattern: x}\n"
    );
    std::string out;
    for (const Detail& detail : book.needed_fields()) {
        out += detail.field + " " + detail.message + "\n";
    }
    EXPECT_EQ(
        out,
        "scorers[0].reference a\nscorers[0].reference b.c\nscorers[0].reference a\n"
        "scorers[1].reference_list answers\n"
    );
}

TEST(ScoreBook, AMissingReferenceFieldIsAnError) {
    const auto refused = book_with(kExact).score("x", row_of(R"({"b":1})"));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::validation);
}

TEST(ScoreBook, WhatIsNotANumberStaysNotANumber) {
    const ScoreBook book = book_with(kExact);
    const SampleScores scores = decode_scores(R"({"v":[null],"p":[1],"x":[""]})", book).value();
    EXPECT_TRUE(std::isnan(scores.values[0]));
}

TEST(ScoreBook, LongExtractsAreShortened) {
    const ScoreBook book =
        book_with("  - {type: exact_match, reference: '{{a}}', extract: {after: 'A: '}}\n");
    const SampleScores scores = score(book, "A: " + std::string(5000, 'x'), R"({"a":"y"})");
    EXPECT_LE(scores.extracted[0].size(), 310U);
    EXPECT_TRUE(scores.extracted[0].ends_with("..."));
    EXPECT_EQ(score(book_with(kExact), "plain", R"({"a":"y"})").extracted[0], "")
        << "the output itself is not stored twice";
}

TEST(ScoreBook, StoredScoresOfOtherScorersAreRefused) {
    const ScoreBook book = book_with("  - {type: bleu, reference: '{{a}}'}\n");
    const std::string good = book.score("x y", row_of(R"({"a":"x y"})")).value();
    ASSERT_TRUE(decode_scores(good, book));
    const ScoreBook other = book_with(kExact);
    EXPECT_EQ(decode_scores(good, other).has_value(), other.slots().size() == book.slots().size())
        << "statistics that nobody asks for are skipped";
    EXPECT_FALSE(decode_scores(other.score("x", row_of(R"({"a":"x"})")).value(), book));
    for (const char* bad :
         {"",
          "{}",
          "[]",
          "7",
          R"({"v":[1,2],"p":[1],"x":[""]})",
          R"({"v":[1],"p":[],"x":[""]})",
          R"({"v":[1],"p":[1]})",
          R"({"v":[1],"s":[[1,2]],"p":[1],"x":[""]})"}) {
        EXPECT_FALSE(decode_scores(bad, book)) << bad;
    }
}

TEST(ScoreBook, TheFirstMetricOfEachScorerIsPrimaryUnlessTheAnalysisSays) {
    const std::string scorers = std::string(kExact) + "  - {type: rouge, reference: '{{a}}'}\n";
    const auto primaries = [](const ScoreBook& book) {
        std::string out;
        for (const MetricSlot& slot : book.slots()) {
            out += slot.primary ? slot.info.name + " " : "";
        }
        return out;
    };
    EXPECT_EQ(primaries(book_with(scorers)), "exact_match rouge1 ");
    EXPECT_EQ(primaries(book_with(scorers, "analysis: {primary: [rougeL]}\n")), "rougeL ");
}

TEST(ScoreBook, AnIdNamesTheMetrics) {
    const ScoreBook book = book_with(
        "  - {type: exact_match, id: strict, reference: '{{a}}'}\n"
        "  - {type: rouge, id: r, reference: '{{a}}'}\n"
    );
    EXPECT_EQ(book.slots()[0].info.name, "strict");
    EXPECT_EQ(book.slots()[1].info.name, "r.rouge1");
    EXPECT_EQ(book.scorer_name(0), "strict");
}

TEST(ScoreBook, MetricsOfOneNameAreRefused) {
    const std::string problem = refusal(
        "  - {type: exact_match, reference: '{{a}}'}\n"
        "  - {type: exact_match, reference: '{{b}}', ignore_case: true}\n"
    );
    EXPECT_EQ(
        problem,
        "scorers[1]: gives the metric \"exact_match\", which another scorer gives too: set `id` on "
        "one of them"
    );
}

TEST(ScoreBook, UnknownMetricsGetASuggestion) {
    EXPECT_EQ(
        refusal(
            std::string(kExact) + "  - {type: f1, reference: '{{a}}'}\n",
            "analysis: {primary: [exact_mach]}\n"
            "hypothesis: {metric: f2, baseline: m}\n"
            "gate: [{metric: accuracy, min: 0.5}, {figure: cost_usd, max: 1}]\n"
        ),
        "analysis.primary[0]: no scorer gives the metric \"exact_mach\", did you mean "
        "\"exact_match\"?\n"
        "hypothesis.metric: no scorer gives the metric \"f2\", did you mean \"f1\"?\n"
        "gate[0].metric: no scorer gives the metric \"accuracy\"; the metrics are exact_match, f1"
    );
}

TEST(ScoreBook, BrokenOptionsAreReportedTogetherWhereTheyStand) {
    const std::string problems = refusal(
        "  - {type: regex, pattern: '('}\n"
        "  - {type: exact_match, reference: '{{a'}\n"
        "  - {type: f1, reference: '{{a}}', extract: [{trim: true}, {regex: '['}]}\n"
        "  - {type: contains, reference: '{{a}}', extract_reference: {regex: ')'}}\n"
    );
    EXPECT_NE(problems.find("scorers[0].pattern: "), std::string::npos) << problems;
    EXPECT_NE(problems.find("scorers[1].reference: line 1"), std::string::npos) << problems;
    EXPECT_NE(problems.find("scorers[2].extract[1].regex: "), std::string::npos) << problems;
    EXPECT_NE(problems.find("scorers[3].extract_reference.regex: "), std::string::npos) << problems;
}

}  // namespace
}  // namespace lab::engine
