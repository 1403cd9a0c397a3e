#include "fuzz/fuzz.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <vector>

namespace lab::fuzz {
namespace {

namespace fs = std::filesystem;

std::map<std::string, Target>& known_targets() {
    static std::map<std::string, Target> targets;
    return targets;
}

std::vector<std::string> target_names() {
    std::vector<std::string> out;
    for (const auto& [name, target] : known_targets()) {
        out.push_back(name);
    }
    return out;
}

fs::path corpora() { return fs::path(LAB_SOURCE_DIR) / "tests" / "fuzz" / "corpus"; }

std::string text_of(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

/// What is kept of a target, through it, without libFuzzer. A finding ends the process: its last
/// line names the file.
class Replay : public testing::TestWithParam<std::string> {};

TEST_P(Replay, OfEverySeedHolds) {
    const Target target = known_targets().at(GetParam());
    std::vector<fs::path> seeds;
    for (const auto& entry : fs::directory_iterator(corpora() / GetParam())) {
        seeds.push_back(entry.path());
    }
    ASSERT_FALSE(seeds.empty());
    std::ranges::sort(seeds);
    for (const fs::path& seed : seeds) {
        const std::string text = text_of(seed);
        std::fprintf(stderr, "%s\n", seed.c_str());
        target(text);
        // As a broken connection leaves it.
        target(std::string_view(text).substr(0, text.size() / 2));
    }
}

INSTANTIATE_TEST_SUITE_P(Fuzz, Replay, testing::ValuesIn(target_names()), [](const auto& info) {
    return info.param;
});

TEST(Replay, HasATargetForEveryCorpus) {
    for (const auto& entry : fs::directory_iterator(corpora())) {
        EXPECT_TRUE(known_targets().contains(entry.path().filename().string())) << entry.path();
    }
}

}  // namespace

bool add_target(const char* name, Target target) {
    known_targets().emplace(name, target);
    return true;
}

}  // namespace lab::fuzz
