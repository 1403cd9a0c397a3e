#include "platform/config/config_file.h"

#include "platform/config/toml.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

namespace lab {
namespace {

class ConfigFileTest : public testing::Test {
  protected:
    void SetUp() override { std::filesystem::remove_all(folder_); }
    void TearDown() override { std::filesystem::remove_all(folder_); }
    ConfigFile load() { return ConfigFile::load(path_).value(); }
    std::string folder_ = testing::TempDir() + "lab_config_file";
    std::string path_ = folder_ + "/deep/config.toml";
};

TEST_F(ConfigFileTest, WhatWasSetIsReadBackByTheSettings) {
    ConfigFile file = load();
    ASSERT_TRUE(file.set("", "timeout_secs", "7"));
    ASSERT_TRUE(file.create("lab", ""));
    ASSERT_TRUE(file.set("lab", "api_url", "https://lab.example.org"));
    ASSERT_TRUE(file.use("lab"));
    ASSERT_TRUE(file.save());
    const EnvLookup env = [this](const std::string& name) -> std::optional<std::string> {
        return name == "LLM_RESEARCH_CONFIG" ? std::optional(path_)
               : name == "HOME"              ? std::optional<std::string>("/h")
                                             : std::nullopt;
    };
    const auto settings = load_settings(env, {});
    ASSERT_TRUE(settings) << settings.error().message;
    EXPECT_EQ(settings->api_url, "https://lab.example.org");
    EXPECT_EQ(settings->timeout_secs, 7);
    EXPECT_EQ(settings->profile, "lab");
    EXPECT_EQ(settings->max_retries, 3);
}

TEST_F(ConfigFileTest, ProfilesBeginAsOthersAndGo) {
    ConfigFile file = load();
    ASSERT_TRUE(file.create("one", ""));
    ASSERT_TRUE(file.set("one", "output", "json"));
    ASSERT_TRUE(file.create("two", "one"));
    EXPECT_EQ(file.settings_of("two").value(), Json({{"output", "json"}}));
    EXPECT_EQ(file.create("two", "").error().code, Code::conflict);
    EXPECT_EQ(file.create("no name", "").error().code, Code::validation);
    ASSERT_TRUE(file.use("two"));
    ASSERT_TRUE(file.remove("two"));
    EXPECT_FALSE(file.root().contains("profile"));
    EXPECT_EQ(file.use("two").error().code, Code::not_found);
}

TEST_F(ConfigFileTest, RefusesWhatIsNoSettingOrNoValueOfIt) {
    ConfigFile file = load();
    EXPECT_NE(file.set("", "api_ulr", "x").error().message.find("api_url"), std::string::npos);
    EXPECT_FALSE(file.set("", "timeout_secs", "soon"));
    EXPECT_FALSE(file.set("", "max_retries", "21"));
    EXPECT_FALSE(file.set("", "output", "xml"));
    EXPECT_FALSE(file.set("", "color", "maybe"));
    EXPECT_TRUE(file.set("", "color", "false"));
    EXPECT_EQ(file.root(), Json({{"color", false}}));
}

TEST_F(ConfigFileTest, WhatIsNoNumberInTheEndStaysAText) {
    ConfigFile file = load();
    ASSERT_TRUE(file.set("", "home", "007"));
    EXPECT_EQ(file.root(), Json({{"home", "007"}}));
    ASSERT_TRUE(file.set("", "max_retries", "7"));
    EXPECT_EQ(file.root()["max_retries"], 7);
}

TEST_F(ConfigFileTest, WhatIsNotUtf8WouldBreakTheFileAndIsNotTaken) {
    ConfigFile file = load();
    EXPECT_EQ(file.set("", "home", "\xff").error().code, Code::validation);
    EXPECT_TRUE(file.root().empty());
}

TEST_F(ConfigFileTest, ProfilesThatAreNoTablesAreRefused) {
    std::filesystem::create_directories(folder_ + "/deep");
    for (const char* text : {"profiles = \"a\"\n", "[profiles]\na = \"b\"\n"}) {
        std::ofstream(path_) << text;
        const auto file = ConfigFile::load(path_);
        ASSERT_FALSE(file) << text;
        EXPECT_EQ(file.error().code, Code::validation);
        EXPECT_NE(file.error().message.find("table"), std::string::npos) << file.error().message;
    }
}

TEST_F(ConfigFileTest, NoProfileIsNoneThatCouldBeRemoved) {
    ConfigFile file = load();
    EXPECT_EQ(file.remove("").error().code, Code::validation);
}

TEST_F(ConfigFileTest, ABrokenFileIsNamedWithItsPlaceAndNotReplaced) {
    std::filesystem::create_directories(folder_ + "/deep");
    std::ofstream(path_) << "profile = \"x\"\nprofiles = {\n";
    const auto file = ConfigFile::load(path_);
    ASSERT_FALSE(file);
    EXPECT_TRUE(file.error().message.starts_with(path_ + ":")) << file.error().message;
}

TEST_F(ConfigFileTest, ABrokenFileCanBeginAnew) {
    std::filesystem::create_directories(folder_ + "/deep");
    std::ofstream(path_) << "output = [";
    auto file = ConfigFile::anew(path_);
    ASSERT_TRUE(file);
    ASSERT_TRUE(file->save());
    const auto now = ConfigFile::load(path_);
    ASSERT_TRUE(now);
    EXPECT_TRUE(now->root().empty());
    EXPECT_FALSE(ConfigFile::anew(""));
}

TEST_F(ConfigFileTest, FilesAreReplacedWithTheRightsAskedFor) {
    ASSERT_TRUE(replace_file(path_, "one", 0644));
    ASSERT_TRUE(replace_file(path_, "two", 0600));
    struct stat found{};
    ASSERT_EQ(::stat(path_.c_str(), &found), 0);
    EXPECT_EQ(found.st_mode & 0777U, 0600U);
    std::string text;
    std::ifstream(path_) >> text;
    EXPECT_EQ(text, "two");
}

TEST(Toml, ReadsBackWhatItWrites) {
    const Json value = {
        {"a", "x\"y\n"},
        {"b", 3},
        {"c", true},
        {"d", {{"e", {1, 2}}, {"f", "ü"}}},
    };
    const auto read = parse_toml(dump_toml(value));
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(canonical_json(read->value), canonical_json(value));
}

TEST(Toml, NamesTheLineOfAMistakeAndKnowsPlaces) {
    const auto broken = parse_toml("a = 1\nb = \n");
    ASSERT_FALSE(broken);
    EXPECT_TRUE(broken.error().message.starts_with("2:")) << broken.error().message;
    const auto good = parse_toml("[profiles.ci]\nhome = \"/p\"\n");
    ASSERT_TRUE(good);
    EXPECT_EQ(good->map.locate_key("profiles.ci.home").line, 2);
}

TEST_F(ConfigFileTest, LinksStayAndTheFileBehindThemChanges) {
    namespace fs = std::filesystem;
    fs::create_directories(folder_ + "/deep");
    fs::create_directories(folder_ + "/kept");
    fs::create_symlink("../kept/one.toml", path_);
    fs::create_symlink(folder_ + "/kept/two.toml", folder_ + "/kept/one.toml");
    for (const char* text : {"new = 1", "old = 2"}) {  // at first there is nothing behind them
        ASSERT_TRUE(replace_file(path_, text, 0644));
        EXPECT_TRUE(fs::is_symlink(path_));
        EXPECT_TRUE(fs::is_symlink(folder_ + "/kept/one.toml"));
        std::ifstream file(folder_ + "/kept/two.toml");
        std::string line;
        std::getline(file, line);
        EXPECT_EQ(line, text);
    }
    fs::create_symlink("round.toml", folder_ + "/round.toml");
    const auto round = replace_file(folder_ + "/round.toml", "x", 0644);
    ASSERT_FALSE(round);
    EXPECT_EQ(round.error().code, Code::io);
    EXPECT_TRUE(round.error().message.contains("round.toml")) << round.error().message;
}

}  // namespace
}  // namespace lab
