#include "base/text.h"
#include "domain/spec_parse.h"
#include "science/metrics/extract.h"
#include "science/metrics/scorer.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <fstream>
#include <sstream>

namespace lab::science {
namespace {

std::string kind_words(MetricKind kind) {
    switch (kind) {
        case MetricKind::binary:
            return "right or wrong";
        case MetricKind::continuous:
            return "a score";
        case MetricKind::corpus:
            break;
    }
    return "one figure of the whole set";
}

/// Options that must be there, as a file would give them.
Json least_options(const Json& schema) {
    Json out = Json::object();
    for (const Json& key : schema.value("required", Json::array())) {
        out[key.get<std::string>()] = "x";
    }
    return out;
}

std::string scorer_section(const ScorerType& type) {
    const Json schema = type.options_schema();
    std::string out = "### `type: " + std::string(type.name) + "`\n\n";
    out += std::string(type.description) + "\n\n";
    const auto scorer = type.make(least_options(schema));
    EXPECT_TRUE(scorer) << type.name;
    std::vector<std::string> metrics;
    for (const MetricInfo& metric : (*scorer)->metrics()) {
        metrics.push_back("`" + metric.name + "`");
    }
    out += "Metrics: " + join(metrics, ", ") + " (" +
           kind_words((*scorer)->metrics().front().kind) + ").\n\n";
    const std::string table = domain::schema_table(schema);
    return out + (table.empty() ? "No options of its own.\n\n" : table);
}

std::string generated() {
    std::string out = "\n";
    for (const ScorerType& type : scorer_types()) {
        out += scorer_section(type);
    }
    out += "### Extract steps\n\n";
    const Json schema = extract_schema();
    const Json& step = schema.at("oneOf").at(0);
    out += schema.at("description").get<std::string>() + " " +
           step.at("description").get<std::string>() + "\n\n";
    return out + domain::schema_table(step);
}

TEST(ExperimentFileDocument, HoldsEveryScorerAndEveryExtractStep) {
    constexpr std::string_view kStart = "<!-- scorers: generated from the registry -->\n";
    constexpr std::string_view kEnd = "<!-- end of the scorers -->\n";
    std::ifstream file(LAB_SOURCE_DIR "/docs/experiment-file.md", std::ios::binary);
    std::ostringstream read;
    read << file.rdbuf();
    const std::string text = read.str();
    const std::size_t begin = text.find(kStart);
    const std::size_t end = text.find(kEnd);
    ASSERT_NE(begin, std::string::npos);
    ASSERT_NE(end, std::string::npos);
    const std::string want = text.substr(0, begin + kStart.size()) + generated() + text.substr(end);
    if (text != want) {
        const std::string path = testing::TempDir() + "experiment-file.md";
        std::ofstream(path) << want;
        ADD_FAILURE() << "docs/experiment-file.md is stale: copy " << path << " over it";
    }
}

}  // namespace
}  // namespace lab::science
