#include "science/metrics/regex.h"

#include "support/vectors.h"

#include <gtest/gtest.h>

namespace lab::science {
namespace {

using nlohmann::json;

TEST(Regex, AgreesWithPythonOnTheCommonSyntax) {
    test::for_each_vector(
        "regex_match",
        [](const json& in, const json&, const json& want, auto& check) {
            const auto regex = Regex::compile(in.at("pattern").get<std::string>());
            ASSERT_TRUE(regex) << regex.error().message;
            const auto text = in.at("text").get<std::string>();
            Regex::Groups groups;
            check.equal("fullmatch", regex->full_match(text, groups), want.at("fullmatch"));
            const bool found = regex->search(text, groups);
            check.equal("search", found, want.at("search"));
            check.equal("match", found ? json(*groups[0]) : json(), want.at("match0"));
            json captured = json::array();
            for (std::size_t i = 1; i < groups.size(); ++i) {
                captured.push_back(groups[i] ? json(*groups[i]) : json());
            }
            check.equal("groups", found ? captured : json(), want.at("groups"));
        }
    );
}

TEST(Regex, FindsTheLastMatch) {
    const auto regex = Regex::compile("a+(b?)").value();
    Regex::Groups groups;
    ASSERT_TRUE(regex.search_last("ab aaab aa", groups));
    EXPECT_EQ(*groups[0], "aa");
    EXPECT_EQ(*groups[1], "");
    EXPECT_FALSE(regex.search_last("xyz", groups));
    const auto empty = Regex::compile("x*").value();
    ASSERT_TRUE(empty.search_last("é", groups));
    EXPECT_EQ(*groups[0], "");
    ASSERT_TRUE(empty.search_last("", groups));
}

TEST(Regex, BadPatternsAreAnErrorWithTheReason) {
    for (const char* pattern : {"(", "[a", "a{1001}", "(?=x)", "(a)\\1", "*"}) {
        const auto regex = Regex::compile(pattern);
        ASSERT_FALSE(regex) << pattern;
        EXPECT_EQ(regex.error().code, Code::validation);
        EXPECT_NE(regex.error().message.find("regular expression"), std::string::npos);
    }
    EXPECT_FALSE(Regex::compile(std::string(10'001, 'a')));
}

TEST(Regex, TheClassicDenialOfServiceIsHarmless) {
    const auto regex = Regex::compile("(a+)+$").value();
    Regex::Groups groups;
    EXPECT_FALSE(regex.search(std::string(200'000, 'a') + "!", groups));
}

TEST(Regex, QuotedTextMatchesItself) {
    const std::string text = std::string("a.b*(c)\n\\d\0x", 13);
    const auto regex = Regex::compile(Regex::quote(text)).value();
    Regex::Groups groups;
    EXPECT_TRUE(regex.full_match(text, groups));
    EXPECT_FALSE(regex.full_match("axb*(c)", groups));
}

TEST(Regex, GroupsHaveNames) {
    const auto regex = Regex::compile("(?P<year>\\d+)-(?P<month>\\d+)").value();
    EXPECT_EQ(regex.group_count(), 2);
    EXPECT_EQ(regex.find_group("month"), 2);
    EXPECT_EQ(regex.find_group("day"), std::nullopt);
    EXPECT_EQ(regex.group_names(), (std::vector<std::string>{"month", "year"}));
}

}  // namespace
}  // namespace lab::science
