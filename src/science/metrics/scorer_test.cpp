#include "science/metrics/scorer.h"

#include "platform/json/json.h"
#include "platform/json/schema.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <set>

namespace lab::science {
namespace {

std::unique_ptr<Scorer> make(std::string_view type, const char* options = "{}") {
    const ScorerType* found = find_scorer_type(type);
    EXPECT_NE(found, nullptr) << type;
    auto scorer = found->make(parse_json(options).value());
    EXPECT_TRUE(scorer) << (scorer ? "" : scorer.error().message);
    return scorer ? *std::move(scorer) : nullptr;
}

Scored score(
    const Scorer& scorer, std::string_view output, const std::vector<std::string>& references
) {
    return scorer.score({.output = output, .references = references});
}

double value(
    std::string_view type,
    const char* options,
    std::string_view output,
    const std::vector<std::string>& references
) {
    return score(*make(type, options), output, references).values.at(0).value;
}

/// Fields of the problems of bad options.
std::set<std::string> bad_fields(std::string_view type, const char* options) {
    const auto scorer = find_scorer_type(type)->make(parse_json(options).value());
    std::set<std::string> fields;
    if (!scorer) {
        EXPECT_EQ(scorer.error().code, Code::validation);
        for (const Detail& detail : scorer.error().details) {
            fields.insert(detail.field);
        }
    }
    return fields;
}

TEST(ScorerTypes, AreKnownByName) {
    std::vector<std::string_view> names;
    for (const ScorerType& type : scorer_types()) {
        names.push_back(type.name);
        EXPECT_EQ(find_scorer_type(type.name), &type);
        EXPECT_FALSE(type.description.empty());
    }
    EXPECT_EQ(
        names,
        (std::vector<std::string_view>{
            "exact_match",
            "contains",
            "regex",
            "numeric",
            "choice",
            "f1",
            "bleu",
            "chrf",
            "rouge",
            "rubric"
        })
    );
    EXPECT_EQ(find_scorer_type("blue"), nullptr);
}

TEST(ScorerTypes, SchemasAreClosedAndDescribeEveryOption) {
    for (const ScorerType& type : scorer_types()) {
        const Json schema = type.options_schema();
        EXPECT_EQ(schema.at("type"), "object") << type.name;
        EXPECT_EQ(schema.at("additionalProperties"), false) << type.name;
        for (const auto& [name, option] : schema.at("properties").items()) {
            EXPECT_FALSE(option.at("description").get<std::string>().empty()) << name;
            EXPECT_TRUE(option.contains("default") || schema.contains("required")) << name;
        }
    }
}

TEST(ScorerTypes, SchemasAcceptTheirOwnDefaultsAndRefuseOthers) {
    for (const ScorerType& type : scorer_types()) {
        const Json schema = type.options_schema();
        Json options = Json::object();
        for (const auto& [name, option] : schema.at("properties").items()) {
            options[name] = option.contains("default") ? option.at("default") : Json("x+");
        }
        EXPECT_TRUE(check_schema(options, schema).empty()) << type.name;
        options["no_such_option"] = true;
        EXPECT_EQ(check_schema(options, schema).size(), 1) << type.name;
    }
    const Json bleu = find_scorer_type("bleu")->options_schema();
    EXPECT_EQ(check_schema({{"tokenize", "ja"}, {"smooth_value", "x"}}, bleu).size(), 2);
    EXPECT_TRUE(check_schema({{"smooth_value", 0.5}}, bleu).empty());
}

/// The defaults that the schema promises are those the code uses: written out they change nothing.
TEST(ScorerTypes, DefaultsOfTheSchemaAreThoseOfTheCode) {
    for (const ScorerType& type : scorer_types()) {
        Json written = Json::object();
        Json least = Json::object();
        for (const auto& [name, option] : type.options_schema().at("properties").items()) {
            written[name] = option.contains("default") ? option.at("default") : Json("x+");
            if (!option.contains("default")) {
                least[name] = "x+";
            }
        }
        const auto explicitly = type.make(written);
        const auto silently = type.make(least);
        ASSERT_TRUE(explicitly && silently) << type.name;
        ASSERT_EQ((*explicitly)->metrics().size(), (*silently)->metrics().size());
        for (std::size_t i = 0; i < (*explicitly)->metrics().size(); ++i) {
            EXPECT_EQ((*explicitly)->metrics()[i].signature, (*silently)->metrics()[i].signature);
            EXPECT_EQ((*explicitly)->metrics()[i].name, (*silently)->metrics()[i].name);
        }
    }
}

TEST(ScorerTypes, EveryScoreHasOneValueForEachMetric) {
    for (const ScorerType& type : scorer_types()) {
        const auto scorer = make(type.name, type.name == "regex" ? R"({"pattern": "a"})" : "{}");
        const Scored scored = score(*scorer, "a b", {"a b"});
        ASSERT_EQ(scored.values.size(), scorer->metrics().size()) << type.name;
        for (std::size_t i = 0; i < scored.values.size(); ++i) {
            EXPECT_EQ(scored.values[i].stats.size(), scorer->metrics()[i].stats_size);
            EXPECT_FALSE(scorer->metrics()[i].signature.empty());
        }
    }
}

TEST(ExactMatchScorer, TakesTheBestOfSeveralReferences) {
    EXPECT_EQ(value("exact_match", "{}", " Paris\n", {"London", "Paris"}), 1);
    EXPECT_EQ(value("exact_match", "{}", "paris", {"Paris"}), 0);
    EXPECT_EQ(value("exact_match", R"({"ignore_case": true})", "paris", {"Paris"}), 1);
    EXPECT_EQ(value("exact_match", R"({"trim": false})", " Paris", {"Paris"}), 0);
    EXPECT_EQ(value("exact_match", R"({"normalize": "squad"})", "The U.S.A.", {"usa"}), 1);
    EXPECT_EQ(value("exact_match", R"({"ignore_whitespace": true})", "a b", {"ab"}), 1);
    EXPECT_EQ(value("exact_match", R"({"ignore_punctuation": true})", "yes!", {"yes"}), 1);
    EXPECT_EQ(score(*make("exact_match"), " x ", {"y"}).extracted, "x");
}

TEST(ContainsScorer, LooksInEitherDirection) {
    EXPECT_EQ(value("contains", "{}", "It is Paris.", {"Rome", "Paris"}), 1);
    EXPECT_EQ(value("contains", R"({"mode": "all"})", "It is Paris.", {"Rome", "Paris"}), 0);
    EXPECT_EQ(value("contains", R"({"mode": "all"})", "Rome, Paris", {"Rome", "Paris"}), 1);
    EXPECT_EQ(value("contains", "{}", "it is paris", {"Paris"}), 0);
    EXPECT_EQ(value("contains", R"({"ignore_case": true})", "it is paris", {"PARIS"}), 1);
    EXPECT_EQ(value("contains", "{}", "anything", {""}), 1);
    const char* reversed = R"({"direction": "reference_contains_output"})";
    EXPECT_EQ(value("contains", reversed, " Paris ", {"Paris, France"}), 1);
    EXPECT_EQ(value("contains", reversed, "Paris, France", {"Paris"}), 0);
    const Scored empty = score(*make("contains", reversed), "  ", {"Paris"});
    EXPECT_EQ(empty.values[0].value, 0);
    EXPECT_FALSE(empty.parsed);
}

TEST(RegexScorer, NeedsNoReference) {
    const auto scorer = make("regex", R"({"pattern": "\\byes\\b", "ignore_case": true})");
    EXPECT_FALSE(scorer->needs_reference());
    const Scored scored = score(*scorer, "Well, Yes.", {});
    EXPECT_EQ(scored.values[0].value, 1);
    EXPECT_EQ(scored.extracted, "Yes");
    EXPECT_EQ(value("regex", R"({"pattern": "yes", "mode": "fullmatch"})", "yes!", {}), 0);
    EXPECT_EQ(value("regex", R"({"pattern": "x*"})", "", {}), 1);
}

TEST(NumericScorer, ComparesDecimals) {
    EXPECT_EQ(value("numeric", "{}", "18.0", {"18"}), 1);
    EXPECT_EQ(value("numeric", "{}", "The total is $1,234.50.", {"1234.5"}), 1);
    EXPECT_EQ(value("numeric", "{}", "9007199254740993", {"9007199254740992"}), 0);
    EXPECT_EQ(value("numeric", "{}", "5", {"work ...\n#### 5"}), 1);
    EXPECT_EQ(value("numeric", R"({"tolerance_abs": 0.01})", "1.11", {"1.10"}), 1);
    EXPECT_EQ(value("numeric", R"({"tolerance_rel": 0.1})", "109", {"100"}), 1);
    EXPECT_EQ(value("numeric", R"({"tolerance_rel": 0.1})", "111", {"100"}), 0);
    EXPECT_EQ(value("numeric", R"({"number": "gsm8k_strict"})", "7 then #### 8", {"8"}), 1);
}

TEST(NumericScorer, AnOutputWithoutANumberIsWrongAndSaidSo) {
    const Scored scored = score(*make("numeric"), "I do not know", {"18"});
    EXPECT_EQ(scored.values[0].value, 0);
    EXPECT_FALSE(scored.parsed);
    const Scored wrong = score(*make("numeric"), "17", {"18"});
    EXPECT_EQ(wrong.values[0].value, 0);
    EXPECT_TRUE(wrong.parsed);
    EXPECT_EQ(wrong.extracted, "17");
}

TEST(NumericScorer, AReferenceWithoutANumberIsNotAvailable) {
    EXPECT_TRUE(std::isnan(value("numeric", "{}", "18", {"eighteen"})));
    EXPECT_EQ(value("numeric", "{}", "18", {"eighteen", "18"}), 1);
}

TEST(ChoiceScorer, FindsTheLetter) {
    const Scored right = score(*make("choice"), "So.\nAnswer: b", {"B"});
    EXPECT_EQ(right.values[0].value, 1);
    EXPECT_EQ(right.extracted, "B");
    const Scored none = score(*make("choice"), "B", {"B"});
    EXPECT_EQ(none.values[0].value, 0);
    EXPECT_FALSE(none.parsed);
    EXPECT_EQ(value("choice", R"({"style": "whole"})", "(B)", {"b"}), 1);
    EXPECT_EQ(value("choice", R"({"letters": "ABCDEFGHIJ"})", "Answer: J", {"J"}), 1);
    EXPECT_TRUE(std::isnan(value("choice", "{}", "Answer: B", {"Paris"})));
}

TEST(F1Scorer, TakesTheBestReference) {
    EXPECT_DOUBLE_EQ(value("f1", "{}", "two or three", {"2", "three or two", "two"}), 1);
    EXPECT_DOUBLE_EQ(value("f1", "{}", "a cat sat", {"cat"}), 2.0 / 3);
}

TEST(BleuScorer, AggregatesSumsAndNotScores) {
    const auto scorer = make("bleu");
    const MetricInfo& info = scorer->metrics()[0];
    EXPECT_EQ(info.kind, MetricKind::corpus);
    EXPECT_EQ(info.stats_size, 10);
    EXPECT_EQ(info.maximum, 100);
    const Scored good = score(*scorer, "the cat sat on the mat", {"the cat sat on the mat"});
    const Scored bad = score(*scorer, "hello", {"a dog"});
    EXPECT_NEAR(good.values[0].value, 100, 1e-9);
    EXPECT_EQ(bad.values[0].value, 0);
    std::vector<double> sums = good.values[0].stats;
    for (std::size_t i = 0; i < sums.size(); ++i) {
        sums[i] += bad.values[0].stats[i];
    }
    // Precisions 6/7, 5/5, 4/4, 3/3; lengths 7 and 8.
    EXPECT_NEAR(
        scorer->aggregate(0, sums), 100 * std::exp(1 - 8.0 / 7) * std::pow(6.0 / 7, 0.25), 1e-9
    );
}

TEST(ChrfScorer, IsNamedAfterItsWordOrder) {
    EXPECT_EQ(make("chrf")->metrics()[0].name, "chrf");
    const auto plus = make("chrf", R"({"word_order": 2})");
    EXPECT_EQ(plus->metrics()[0].name, "chrf++");
    EXPECT_EQ(plus->metrics()[0].stats_size, 24);
    const Scored scored = score(*plus, "the cat", {"the cat"});
    EXPECT_DOUBLE_EQ(scored.values[0].value, 100);
    EXPECT_DOUBLE_EQ(plus->aggregate(0, scored.values[0].stats), 100);
}

TEST(RougeScorer, GivesOneMetricForEachType) {
    const auto scorer = make("rouge");
    ASSERT_EQ(scorer->metrics().size(), 3);
    EXPECT_EQ(scorer->metrics()[2].name, "rougeL");
    const Scored scored = score(*scorer, "the cat ran", {"nothing", "the cat sat"});
    EXPECT_DOUBLE_EQ(scored.values[0].value, 2.0 / 3);
    EXPECT_DOUBLE_EQ(scored.values[1].value, 0.5);
    EXPECT_DOUBLE_EQ(scored.values[2].value, 2.0 / 3);
    EXPECT_EQ(
        value("rouge", R"({"types": ["rouge1"], "stemmer": true})", "running cats", {"run cat"}), 1
    );
}

TEST(Scorers, WithoutAnyReferenceTheScoreIsNotAvailable) {
    for (const char* type :
         {"exact_match", "contains", "f1", "numeric", "choice", "bleu", "chrf", "rouge"}) {
        EXPECT_TRUE(make(type)->needs_reference());
        EXPECT_TRUE(std::isnan(value(type, "{}", "x", {}))) << type;
    }
}

std::string unusable(
    std::string_view type, const std::vector<std::string>& references, const char* options = "{}"
) {
    return make(type, options)->unusable(references);
}

TEST(Scorers, AReferenceThatCannotBeUsedIsKnownBeforeAnyOutput) {
    EXPECT_EQ(unusable("numeric", {"four"}), "no number in the reference \"four\"");
    EXPECT_EQ(unusable("numeric", {"so #### 4"}), "");
    EXPECT_EQ(unusable("numeric", {"four", "4"}), "") << "one of them is enough";
    EXPECT_EQ(
        unusable("numeric", {"a", "b\n", "c", "d"}),
        "no number in the references \"a\", \"b\\n\", \"c\", ..."
    );
    EXPECT_EQ(
        unusable("numeric", {"4 apples"}, R"({"number": "whole"})"),
        "no number in the reference \"4 apples\""
    );
    EXPECT_EQ(unusable("choice", {"42"}), "none of the letters ABCD in the reference \"42\"");
    EXPECT_EQ(unusable("choice", {"E"}, R"({"letters": "ABCDE"})"), "");
    EXPECT_EQ(unusable("choice", {"(b)"}), "");
    EXPECT_EQ(unusable("contains", {""}), "the reference is empty: every output contains it");
    EXPECT_NE(unusable("contains", {"a", ""}), "") << "one empty one is enough";
    EXPECT_EQ(unusable("contains", {"a", ""}, R"({"mode": "all"})"), "");
    EXPECT_EQ(unusable("contains", {""}, R"({"direction": "reference_contains_output"})"), "");
    for (const ScorerType& type : scorer_types()) {
        if (type.name == "exact_match" || type.name == "f1" || type.name == "bleu") {
            EXPECT_EQ(unusable(type.name, {""}), "") << "any text can be compared with";
        }
    }
    EXPECT_LT(unusable("numeric", {std::string(5000, 'x')}).size(), 120U);
}

/// What is unusable is n/a whatever the output, and nothing else is.
TEST(Scorers, UnusableReferencesAreThoseThatGiveNoScore) {
    for (const std::string_view type : {"numeric", "choice"}) {
        for (const char* reference : {"", "four", "42", "A", "-1.5", "Answer: C", "E", "12 A"}) {
            const auto scorer = make(type);
            const std::vector<std::string> references = {reference};
            EXPECT_EQ(
                std::isnan(score(*scorer, "Answer: A 42", references).values[0].value),
                !scorer->unusable(references).empty()
            ) << type
              << ": " << reference;
        }
    }
}

TEST(Scorers, BadOptionsNameTheirField) {
    using Fields = std::set<std::string>;
    EXPECT_EQ(bad_fields("regex", R"({"pattern": "("})"), Fields{"pattern"});
    EXPECT_EQ(bad_fields("regex", "{}"), Fields{"pattern"});
    EXPECT_EQ(bad_fields("choice", R"({"letters": "AA"})"), Fields{"letters"});
    EXPECT_EQ(bad_fields("bleu", R"({"smooth_value": 1})"), Fields{"smooth_value"});
    EXPECT_EQ(
        bad_fields("bleu", R"({"tokenize": "ja", "lowercase": 1})"),
        (Fields{"lowercase", "tokenize"})
    );
    EXPECT_EQ(bad_fields("bleu", R"({"max_ngram_order": 2.5})"), Fields{"max_ngram_order"});
    EXPECT_EQ(bad_fields("numeric", R"({"tolerance_abs": -1})"), Fields{"tolerance_abs"});
    EXPECT_EQ(bad_fields("rouge", R"({"types": []})"), Fields{"types"});
    EXPECT_EQ(bad_fields("rouge", R"({"types": ["rouge1", "rouge1"]})"), Fields{"types"});
    EXPECT_EQ(bad_fields("rouge", R"({"types": ["rouge9"]})"), Fields{"types"});
    EXPECT_EQ(bad_fields("exact_match", R"({"trim": "yes"})"), Fields{"trim"});
    EXPECT_EQ(bad_fields("chrf", R"({"beta": 0})"), Fields{"beta"});
}

TEST(Scorers, TextThatIsNotUtf8IsScoredAndNotRefused) {
    const std::string broken = "caf\xe9 \xff\xfe";
    for (const ScorerType& type : scorer_types()) {
        const auto scorer = make(type.name, type.name == "regex" ? R"({"pattern": "a"})" : "{}");
        EXPECT_EQ(score(*scorer, broken, {"café"}).values.size(), scorer->metrics().size());
    }
}

TEST(TextScorers, SentenceLevelIsAMeanAndNotACorpusFigure) {
    const auto corpus = make("chrf");
    const auto sentence = make("chrf", R"({"level": "sentence"})");
    const MetricInfo& info = sentence->metrics().at(0);
    EXPECT_EQ(info.name, "chrf_sentence");
    EXPECT_EQ(info.kind, MetricKind::continuous);
    EXPECT_EQ(info.stats_size, 0U);
    EXPECT_NE(info.signature, corpus->metrics().at(0).signature);
    const Scored a = score(*corpus, "the cat sat", {"the cat sits"});
    const Scored b = score(*sentence, "the cat sat", {"the cat sits"});
    EXPECT_EQ(a.values.at(0).value, b.values.at(0).value);
    EXPECT_TRUE(b.values.at(0).stats.empty());
    EXPECT_NE(
        make("bleu", R"({"level": "sentence"})")->metrics().at(0).signature.find("eff:yes"),
        std::string::npos
    );
}

}  // namespace
}  // namespace lab::science
