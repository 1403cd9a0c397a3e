#include "platform/json/json.h"
#include "science/metrics/extract.h"
#include "science/metrics/scorer.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>

/// What others published about the recorded outputs in examples/ comes out of our scorers.
namespace lab::science {
namespace {

std::filesystem::path example(const char* name) {
    return std::filesystem::path(LAB_SOURCE_DIR) / "examples" / name;
}

Json read_json(const std::filesystem::path& path) {
    std::ifstream file(path);
    EXPECT_TRUE(file.good()) << path;
    const auto json = parse_json(std::string(std::istreambuf_iterator<char>(file), {}));
    EXPECT_TRUE(json) << path;
    return json ? *json : Json();
}

/// Item id -> its row, from a JSONL file.
std::map<std::string, Json> read_rows(const std::filesystem::path& path) {
    std::map<std::string, Json> rows;
    std::ifstream file(path);
    EXPECT_TRUE(file.good()) << path;
    for (std::string line; std::getline(file, line);) {
        auto row = parse_json(line);
        EXPECT_TRUE(row) << path << ": " << line;
        if (row) {
            const std::string id = row->at("id").get<std::string>();
            EXPECT_TRUE(rows.emplace(id, *std::move(row)).second) << id;
        }
    }
    return rows;
}

std::unique_ptr<Scorer> make(const char* type, const Json& options = Json::object()) {
    return find_scorer_type(type)->make(options).value();
}

/// The score of one extracted answer; an answer not found is wrong.
double score_answer(
    const Scorer& scorer,
    const Extractor& extractor,
    const std::string& output,
    const std::string& reference
) {
    const Extracted answer = extractor.apply(output);
    const std::vector<std::string> references = {reference};
    return answer.found
               ? scorer.score({.output = answer.text, .references = references}).values[0].value
               : 0;
}

TEST(PublishedGsm8k, EveryFlagOfTheFourModelsIsReproduced) {
    const auto items = read_rows(example("gsm8k") / "dataset.jsonl");
    EXPECT_EQ(items.size(), 1319);
    const auto numeric = make("numeric");
    const auto behind_mark =
        make_extractor(Json::array({{{"after", "A:"}, {"which", "last"}}, {{"trim", true}}})
        ).value();
    const auto behind_hashes = make_extractor({{"after", "#### "}}).value();
    const std::map<std::string, int> published = {
        {"6b_finetuning", 286},
        {"6b_verification", 515},
        {"175b_finetuning", 458},
        {"175b_verification", 742},
    };
    for (const auto& [model, correct] : published) {
        const auto rows = read_rows(example("gsm8k") / "outputs" / (model + ".jsonl"));
        EXPECT_EQ(rows.size(), 1319);
        int right = 0;
        int different = 0;
        for (const auto& [id, row] : rows) {
            const Extracted reference =
                behind_hashes.apply(items.at(id).at("answer").get<std::string>());
            const double value = score_answer(
                *numeric, behind_mark, row.at("output").get<std::string>(), reference.text
            );
            right += value == 1 ? 1 : 0;
            different += (value == 1) != row.at("is_correct").get<bool>() ? 1 : 0;
        }
        EXPECT_EQ(right, correct) << model;
        EXPECT_EQ(different, 0) << model;
    }
}

TEST(PublishedBigBenchHard, TheSixteenAccuraciesAreReproduced) {
    const auto items = read_rows(example("bbh") / "dataset.jsonl");
    const Json tasks = read_json(example("bbh") / "expected.json").at("tasks");
    EXPECT_EQ(tasks.size(), 8);
    const auto exact = make("exact_match");
    const Extractor whole;
    const auto chain =
        make_extractor(
            Json::array(
                {{{"regex", "[Tt]he answer is (.*)"}, {"trim", true}, {"otherwise", "whole"}},
                 {{"strip_suffix", "."}}}
            )
        ).value();
    for (const std::string prompt : {"direct", "cot"}) {
        std::map<std::string, int> right;
        std::map<std::string, int> total;
        for (const auto& [id, row] : read_rows(example("bbh") / "outputs" / (prompt + ".jsonl"))) {
            const Json& item = items.at(id);
            const auto task = item.at("task").get<std::string>();
            ++total[task];
            right[task] += score_answer(
                               *exact,
                               prompt == "cot" ? chain : whole,
                               row.at("output").get<std::string>(),
                               item.at("target").get<std::string>()
                           ) == 1;
        }
        for (const auto& [task, want] : tasks.items()) {
            EXPECT_EQ(total[task], want.at("n").get<int>()) << task;
            EXPECT_EQ(right[task], want.at(prompt).at("correct").get<int>()) << task << prompt;
            EXPECT_NEAR(
                100.0 * right[task] / total[task],
                want.at("published_" + prompt).get<double>(),
                1e-9
            ) << task;
        }
    }
}

double corpus_score(
    const Scorer& scorer,
    const std::map<std::string, Json>& outputs,
    const std::map<std::string, Json>& items
) {
    std::vector<double> sums(scorer.metrics()[0].stats_size, 0.0);
    for (const auto& [id, item] : items) {
        const auto output = outputs.at(id).at("output").get<std::string>();
        const std::vector<std::string> references = {item.at("reference").get<std::string>()};
        const Scored scored = scorer.score({.output = output, .references = references});
        for (std::size_t i = 0; i < sums.size(); ++i) {
            sums[i] += scored.values[0].stats[i];
        }
    }
    return scorer.aggregate(0, sums);
}

double round_to_tenth(double value) { return std::round(value * 10) / 10; }

class PublishedTranslations : public testing::TestWithParam<std::string> {};

/// Nine systems in two directions: Hendy et al. 2023, arXiv 2302.09210; full precision: sacrebleu
/// 2.6.0.
TEST_P(PublishedTranslations, BleuAndChrfAreReproducedToThePrintedDigit) {
    const auto folder = example("wmt22_gpt");
    const std::string direction = GetParam();
    const Json expected = read_json(folder / "expected.json").at(direction);
    const auto bleu = make("bleu", {{"tokenize", expected.at("bleu_tokenizer")}});
    const auto chrf = make("chrf");
    const auto plus = make("chrf", {{"word_order", 2}});
    const auto items = read_rows(folder / (direction + ".jsonl"));
    EXPECT_EQ(items.size(), expected.at("n").get<std::size_t>());
    double worst = 0;
    const auto compare = [&](const char* what, double got, const Json& want) {
        EXPECT_NEAR(got, want.get<double>(), 1e-9) << what;
        worst = std::max(worst, std::abs(got - want.get<double>()));
    };
    for (const auto& [system, want] : expected.at("systems").items()) {
        SCOPED_TRACE(system);
        const auto outputs = read_rows(folder / "outputs" / direction / (system + ".jsonl"));
        const double got_bleu = corpus_score(*bleu, outputs, items);
        const double got_chrf = corpus_score(*chrf, outputs, items);
        EXPECT_DOUBLE_EQ(round_to_tenth(got_bleu), want.at("published_bleu").get<double>());
        EXPECT_DOUBLE_EQ(round_to_tenth(got_chrf), want.at("published_chrf").get<double>());
        compare("bleu", got_bleu, want.at("bleu"));
        compare("chrf", got_chrf, want.at("chrf2"));
        compare("chrf++", corpus_score(*plus, outputs, items), want.at("chrf2pp"));
    }
    EXPECT_EQ(expected.at("systems").size(), 9);
    std::printf("[ published] %s: 9 systems, worst error %.3g\n", direction.c_str(), worst);
}

INSTANTIATE_TEST_SUITE_P(
    Wmt22,
    PublishedTranslations,
    testing::Values("de-en", "en-zh"),
    [](const auto& info) {
        return info.param == "de-en" ? std::string("GermanEnglish") : std::string("EnglishChinese");
    }
);

}  // namespace
}  // namespace lab::science
