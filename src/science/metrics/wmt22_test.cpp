#include "platform/json/json.h"
#include "science/metrics/scorer.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>

/// The published BLEU and chrF of nine translation systems in two directions (Hendy et al. 2023,
/// arXiv 2302.09210), from the recorded outputs in examples/wmt22_gpt.
namespace lab::science {
namespace {

std::filesystem::path example_folder() {
    return std::filesystem::path(LAB_SOURCE_DIR) / "examples" / "wmt22_gpt";
}

/// Item id -> its field, from a JSONL file.
std::map<std::string, std::string> read_field(
    const std::filesystem::path& path, const char* field
) {
    std::map<std::string, std::string> out;
    std::ifstream file(path);
    EXPECT_TRUE(file.good()) << path;
    for (std::string line; std::getline(file, line);) {
        const auto row = parse_json(line);
        EXPECT_TRUE(row) << path << ": " << line;
        if (!row) {
            break;
        }
        const Json& id = row->at("id");
        const std::string key = id.is_string() ? id.get<std::string>() : dump_json(id);
        EXPECT_TRUE(out.emplace(key, row->at(field).get<std::string>()).second) << key;
    }
    return out;
}

double corpus_score(
    const Scorer& scorer,
    const std::map<std::string, std::string>& outputs,
    const std::map<std::string, std::string>& references
) {
    std::vector<double> sums(scorer.metrics()[0].stats_size, 0.0);
    for (const auto& [id, reference] : references) {
        const auto output = outputs.find(id);
        EXPECT_NE(output, outputs.end()) << id;
        const std::vector<std::string> one = {reference};
        const Scored scored = scorer.score(
            {.output = output == outputs.end() ? "" : output->second, .references = one}
        );
        for (std::size_t i = 0; i < sums.size(); ++i) {
            sums[i] += scored.values[0].stats[i];
        }
    }
    return scorer.aggregate(0, sums);
}

double round_to_tenth(double value) { return std::round(value * 10) / 10; }

class PublishedTranslations : public testing::TestWithParam<std::string> {};

TEST_P(PublishedTranslations, AreReproducedToThePrintedDigit) {
    const auto folder = example_folder();
    std::ifstream file(folder / "expected.json");
    ASSERT_TRUE(file.good()) << folder;
    const auto all = parse_json(std::string(std::istreambuf_iterator<char>(file), {})).value();
    const std::string direction = GetParam();
    const Json& expected = all.at(direction);
    const Json tokenizer = {{"tokenize", expected.at("bleu_tokenizer")}};
    const auto bleu = find_scorer_type("bleu")->make(tokenizer).value();
    const auto chrf = find_scorer_type("chrf")->make(Json::object()).value();
    const auto plus = find_scorer_type("chrf")->make({{"word_order", 2}}).value();
    const auto references = read_field(folder / (direction + ".jsonl"), "reference");
    EXPECT_EQ(references.size(), expected.at("n").get<std::size_t>());
    double worst = 0;
    for (const auto& [system, want] : expected.at("systems").items()) {
        const auto outputs =
            read_field(folder / "outputs" / direction / (system + ".jsonl"), "output");
        const double got_bleu = corpus_score(*bleu, outputs, references);
        const double got_chrf = corpus_score(*chrf, outputs, references);
        const double got_plus = corpus_score(*plus, outputs, references);
        EXPECT_DOUBLE_EQ(round_to_tenth(got_bleu), want.at("published_bleu").get<double>())
            << system;
        EXPECT_DOUBLE_EQ(round_to_tenth(got_chrf), want.at("published_chrf").get<double>())
            << system;
        EXPECT_NEAR(got_bleu, want.at("bleu").get<double>(), 1e-9) << system;
        EXPECT_NEAR(got_chrf, want.at("chrf2").get<double>(), 1e-9) << system;
        EXPECT_NEAR(got_plus, want.at("chrf2pp").get<double>(), 1e-9) << system;
        worst = std::max(
            {worst,
             std::abs(got_bleu - want.at("bleu").get<double>()),
             std::abs(got_chrf - want.at("chrf2").get<double>()),
             std::abs(got_plus - want.at("chrf2pp").get<double>())}
        );
    }
    std::printf("[ published] wmt22 %s: 9 systems, worst error %.3g\n", direction.c_str(), worst);
    EXPECT_EQ(expected.at("systems").size(), 9);
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
