#include "platform/config/settings.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <map>

namespace lab {
namespace {

EnvLookup environment(std::map<std::string, std::string> values) {
    return [values = std::move(values)](const std::string& name) -> std::optional<std::string> {
        const auto found = values.find(name);
        return found == values.end() ? std::nullopt : std::optional(found->second);
    };
}

class ConfigFile {
  public:
    explicit ConfigFile(const std::string& text) : path_(testing::TempDir() + "lab_settings.yaml") {
        std::ofstream(path_) << text;
    }
    ~ConfigFile() { std::remove(path_.c_str()); }
    const std::string& path() const { return path_; }

  private:
    std::string path_;
};

TEST(Settings, DefaultsFollowXdg) {
    EXPECT_EQ(
        load_settings(environment({{"HOME", "/h"}}), {})->home, "/h/.local/share/llm-research"
    );
    EXPECT_EQ(
        load_settings(environment({{"HOME", "/h"}, {"XDG_DATA_HOME", "/d"}}), {})->home,
        "/d/llm-research"
    );
    EXPECT_EQ(
        load_settings(environment({{"HOME", "/h"}, {"XDG_DATA_HOME", "relative"}}), {})->home,
        "/h/.local/share/llm-research"
    );
}

TEST(Settings, ATildeIsTheHomeFolder) {
    const ConfigFile file("home: ~/lab\n");
    const std::map<std::string, std::string> base{
        {"HOME", "/h"}, {"LLM_RESEARCH_CONFIG", file.path()}
    };
    EXPECT_EQ(load_settings(environment(base), {})->home, "/h/lab");
    EXPECT_EQ(load_settings(environment(base), {.home = "~"})->home, "/h");
    EXPECT_EQ(load_settings(environment(base), {.home = "~ann/x"})->home, "~ann/x");
}

TEST(Settings, OfABrokenFileThePlaceIsKnown) {
    const ConfigFile file("home: [\n");
    const std::map<std::string, std::string> base{
        {"HOME", "/h"}, {"LLM_RESEARCH_CONFIG", file.path()}
    };
    EXPECT_FALSE(load_settings(environment(base), {}));
    const auto settings = load_settings(environment(base), {.without_file = true});
    ASSERT_TRUE(settings);
    EXPECT_EQ(settings->config_file, file.path());
}

TEST(Settings, OptionBeatsEnvironmentBeatsProfile) {
    const ConfigFile file("profile: ci\nprofiles:\n  ci: {home: /p, output: json}\n  x: {}\n");
    const std::map<std::string, std::string> base{
        {"HOME", "/h"}, {"LLM_RESEARCH_CONFIG", file.path()}
    };
    EXPECT_EQ(load_settings(environment(base), {})->home, "/p");
    auto with = base;
    with["LLM_RESEARCH_HOME"] = "/e";
    EXPECT_EQ(load_settings(environment(with), {})->home, "/e");
    EXPECT_EQ(load_settings(environment(with), {.home = "/o"})->home, "/o");
    EXPECT_EQ(load_settings(environment(base), {.profile = "x"})->output, "table");
    EXPECT_EQ(load_settings(environment(base), {})->origins[1].from, "profile ci");
}

TEST(Settings, NamesWhatIsWrongAndWhere) {
    const ConfigFile file("profiles:\n  ci:\n    hmoe: /p\n");
    const auto result = load_settings(
        environment(
            {{"HOME", "/h"}, {"LLM_RESEARCH_CONFIG", file.path()}, {"LLM_RESEARCH_OUTPUT", "xls"}}
        ),
        {.profile = "nope"}
    );
    ASSERT_FALSE(result);
    ASSERT_EQ(result.error().details.size(), 3U);
    EXPECT_NE(result.error().details[0].field.find(":3:"), std::string::npos);
    EXPECT_NE(result.error().details[0].message.find("did you mean \"home\""), std::string::npos);
    EXPECT_NE(result.error().details[1].message.find("no profile \"nope\""), std::string::npos);
    EXPECT_NE(result.error().details[2].message.find("\"xls\""), std::string::npos);
}

TEST(Settings, NoColorMeansNoColorWhateverItsValue) {
    EXPECT_FALSE(load_settings(environment({{"HOME", "/h"}, {"NO_COLOR", "1"}}), {})->color);
    EXPECT_TRUE(load_settings(environment({{"HOME", "/h"}, {"NO_COLOR", ""}}), {})->color);
    EXPECT_FALSE(load_settings(environment({{"HOME", "/h"}}), {.no_color = true})->color);
}

TEST(Settings, AHomeIsNeeded) { EXPECT_FALSE(load_settings(environment({}), {})); }

}  // namespace
}  // namespace lab
