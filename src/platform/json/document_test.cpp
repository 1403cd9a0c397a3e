#include "platform/json/document.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace lab {
namespace {

std::string problem(std::string_view text, const JsonLimits& limits = {}) {
    const auto parsed = parse_yaml(text, limits);
    return parsed ? "no problem: " + dump_json(parsed->value) : parsed.error().message;
}

Json value(std::string_view text) {
    auto parsed = parse_yaml(text);
    EXPECT_TRUE(parsed) << text << "\n" << (parsed ? "" : parsed.error().message);
    return parsed ? parsed->value : Json();
}

TEST(Yaml, ReadsTheCoreTypes) {
    const Json got = value(R"(
text: hello world
quoted: "5"
single: 'it''s'
yes_is_text: yes
on_is_text: on
off_is_text: off
time_is_text: 12:30:00
date_is_text: 2024-08-06
bools: [true, False, TRUE]
nulls: [null, ~, , Null]
integers: [0, -17, +5, 0o17, 0x1F, 007, 18446744073709551615, -9223372036854775808]
decimals: [0.15, .5, 2., 1e3, -1.5E-3, 1e-7]
versions: 1.2.3
dashes: "-"
block: |
  one
   two
folded: >-
  one
  two
)");
    const Json want = parse_json(R"({
"text":"hello world","quoted":"5","single":"it's","yes_is_text":"yes","on_is_text":"on",
"off_is_text":"off","time_is_text":"12:30:00","date_is_text":"2024-08-06",
"bools":[true,false,true],"nulls":[null,null,null,null],
"integers":[0,-17,5,15,31,7,18446744073709551615,-9223372036854775808],
"decimals":[0.15,0.5,2.0,1000.0,-0.0015,1e-7],"versions":"1.2.3","dashes":"-",
"block":"one\n two\n","folded":"one two"})")
                          .value();
    EXPECT_EQ(dump_json(got), dump_json(want));
}

TEST(Yaml, KeepsTheOrderOfMembers) {
    EXPECT_EQ(dump_json(value("z: 1\na: 2\nm: 3\n")), R"({"z":1,"a":2,"m":3})");
}

TEST(Yaml, ReadsIntegersToTheLastDigitOrRefusesThem) {
    EXPECT_EQ(value("a: 9007199254740993")["a"], 9007199254740993);
    EXPECT_EQ(
        problem("id: 123456789012345678901234"),
        "1:5: the integer has more than 64 bits: write it in quotes to keep it as text"
    );
    EXPECT_EQ(problem("a: -9223372036854775809").substr(0, 5), "1:4: ");
    EXPECT_EQ(problem("a: 1e999"), "1:4: the number is out of range");
    EXPECT_EQ(problem("a: [1, .inf]"), "1:8: infinity and NaN are not accepted");
    EXPECT_EQ(problem("a: -.INF"), "1:4: infinity and NaN are not accepted");
    EXPECT_EQ(problem("a: .nan"), "1:4: infinity and NaN are not accepted");
}

TEST(Yaml, SaysWhereItIsBroken) {
    EXPECT_EQ(problem(""), "1:1: the text is empty");
    EXPECT_EQ(problem("# nothing\n"), "1:1: the text is empty");
    EXPECT_EQ(
        problem("a: 1\na: 2\n"), "2:1: the key \"a\" is repeated, it stands in line 1 already"
    );
    EXPECT_EQ(
        problem("m:\n  - {x: 1, x: 2}"),
        "2:12: the key \"x\" is repeated, it stands in line 2 already"
    );
    EXPECT_EQ(problem("a: 1\n---\nb: 2\n"), "2:1: a second document: a file holds one");
    EXPECT_EQ(problem("{a: 1} rest"), "1:8: unexpected text after the end of the document");
    EXPECT_EQ(problem("a: [1,\n 2\n"), "1:4: the \"[\" that starts here is never closed");
    EXPECT_EQ(problem("a: {b: [1, 2\n"), "1:8: the \"[\" that starts here is never closed");
    EXPECT_EQ(problem("a: {b: 1\n"), "1:4: the \"{\" that starts here is never closed");
    EXPECT_EQ(problem("a: ]"), "1:4: a closing bracket without an opening one");
    EXPECT_EQ(problem("a:\n\tb: 1\n"), "2:1: a tab in the indentation: YAML wants spaces");
    EXPECT_EQ(problem("a:\n  - x\n\t- y\n"), "3:1: a tab in the indentation: YAML wants spaces");
    EXPECT_EQ(
        problem("a: b: c"),
        "1:5: a \": \" is not possible here: put the value in quotes, or check the indentation"
    );
    EXPECT_EQ(problem("k: - a"), "1:4: a list cannot start here: put \"- \" on a line of its own");
    EXPECT_EQ(
        problem("a: @b"), "1:4: no value can start with this character: put the value in quotes"
    );
    EXPECT_EQ(problem("? [a]\n: 1\n"), "1:3: a key must be text, not a list or a mapping");
    EXPECT_EQ(problem("~: 1\n"), "1:1: a key must be text: write it in quotes");
    EXPECT_EQ(
        problem("a: !!str 5"),
        "1:4: tags are not accepted: write text in quotes and everything else plain"
    );
    EXPECT_EQ(problem("a: !python/object {}").substr(0, 27), "1:4: tags are not accepted:");
}

TEST(Yaml, NoticesQuotesThatAreNeverClosed) {
    // The parser beneath takes both for complete when a newline ends the file.
    EXPECT_EQ(problem("a: \"x\nb: 3\n"), "1:4: the quoted text that starts here is never closed");
    EXPECT_EQ(problem("a: 'it''s\n"), "1:4: the quoted text that starts here is never closed");
    EXPECT_EQ(problem("a: \"x\\\"\n"), "1:4: the quoted text that starts here is never closed");
    EXPECT_NE(problem("a: \"x").find("the text ends inside quotes"), std::string::npos);
    EXPECT_EQ(value("a: \"x\\\"\"\nb: 'it''s'\n")["a"], "x\"");
}

TEST(Yaml, RefusesCharactersThatTheParserWouldSwallow) {
    EXPECT_EQ(problem("a: 1\nb: \xff\n"), "2:4: invalid UTF-8");
    EXPECT_EQ(problem("a: 1\n\x04q: 2\n"), "2:1: a control character");
    EXPECT_EQ(problem(std::string_view("a: \0b", 5)), "1:4: a control character");
    EXPECT_EQ(
        value("\xef\xbb\xbf"
              "a: 1\r\nb: 2\r\n"),
        parse_json(R"({"a":1,"b":2})").value()
    );
}

TEST(Yaml, CountsColumnsInCharacters) {
    const Document document = parse_yaml("{\"é\": 1, 'ü': {b: 2}}").value();
    EXPECT_EQ(document.map.locate("[\"\u00fc\"].b"), (Mark{1, 19}));
    EXPECT_EQ(problem("é: 1\nü: \"é\" x: 3\n").substr(0, 2), "2:");
    EXPECT_EQ(problem("{éé: 1, éé: 2}").substr(0, 5), "1:9: ");
}

TEST(Yaml, FollowsAliasesWithinLimits) {
    EXPECT_EQ(
        dump_json(value("a: &x {p: [1, 2]}\nb: *x\nc: [*x, &n 5, *n]\n")),
        R"({"a":{"p":[1,2]},"b":{"p":[1,2]},"c":[{"p":[1,2]},5,5]})"
    );
    EXPECT_EQ(problem("a: *x"), "1:4: an alias (*name) without its anchor (&name)");
    EXPECT_EQ(problem("a: &x [*x]"), "1:8: the alias is inside the value it names");
    EXPECT_EQ(problem("a: &x k\n*x : 2"), "2:1: a key must be text, not an alias");
    EXPECT_EQ(
        problem("a: &x {p: 1}\nb:\n  <<: *x\n"),
        "3:3: merge keys (<<) are not accepted: write the members out"
    );
    EXPECT_EQ(value("a: {'<<': 1}")["a"]["<<"], 1);
}

TEST(Yaml, DefusesAliasBombs) {
    std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
    for (int i = 1; i < 12; ++i) {
        const std::string last = "*a" + std::to_string(i - 1);
        bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
        for (int k = 0; k < 10; ++k) {
            bomb += (k > 0 ? ", " : "") + last;
        }
        bomb += "]\n";
    }
    const auto parsed = parse_yaml(bomb);
    ASSERT_FALSE(parsed);
    EXPECT_EQ(parsed.error().code, Code::payload_too_large);
    EXPECT_EQ(parsed.error().message.substr(0, 2), "5:") << parsed.error().message;

    std::string deep = "a0: &a0 [x]\n";
    for (int i = 1; i < 80; ++i) {
        deep += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [*a" +
                std::to_string(i - 1) + "]\n";
    }
    EXPECT_EQ(parse_yaml(deep).error().message, "64:12: nested too deeply");
}

TEST(Yaml, EnforcesItsLimits) {
    EXPECT_TRUE(parse_yaml(std::string(64, '[') + "a" + std::string(64, ']')));
    EXPECT_EQ(
        parse_yaml(std::string(65, '[') + "a" + std::string(65, ']')).error().code,
        Code::payload_too_large
    );
    // Deeper than the parser beneath itself goes.
    EXPECT_EQ(parse_yaml(std::string(100'000, '[')).error().code, Code::payload_too_large);
    EXPECT_EQ(parse_yaml("a: 1", {.bytes_max = 3}).error().code, Code::payload_too_large);
    EXPECT_EQ(parse_yaml("{a: 1, b: 2}", {.keys_max = 1}).error().code, Code::payload_too_large);
}

TEST(Yaml, AcceptsJsonWithItsOwnEscapes) {
    const std::string_view text =
        "\xef\xbb\xbf\n{\n\t\"a\": \"\\ud83d\\ude00 \\/\",\n"
        "\t\"b\\n\": [1, {\"c\":null}, \"x\"],\n\t\"n\": 0.15}\n";
    const Document document = parse_yaml(text).value();
    EXPECT_EQ(document.value["a"], "\U0001F600 /");
    EXPECT_EQ(document.value["n"], 0.15);
    EXPECT_EQ(document.map.locate("a"), (Mark{3, 7}));
    EXPECT_EQ(document.map.locate_key("a"), (Mark{3, 2}));
    EXPECT_EQ(document.map.locate("[\"b\\n\"][1].c"), (Mark{4, 18}));
    EXPECT_EQ(document.map.locate_key("[\"b\\n\"][1].c"), (Mark{4, 14}));
    EXPECT_EQ(document.map.locate("[\"b\\n\"][2]"), (Mark{4, 25}));
    EXPECT_EQ(document.map.locate("n"), (Mark{5, 7}));
    EXPECT_EQ(
        problem("{\"a\": 1,\n \"a\": 2}"),
        "2:2: the key \"a\" is repeated, it stands in line 1 already"
    );
    EXPECT_EQ(problem("{\"a\": [1, 2"), "1:7: the \"[\" that starts here is never closed");
}

TEST(SourceMap, LocatesValuesKeysAndTheNearestAncestor) {
    const Document document = parse_yaml(
                                  "name: x\n"
                                  "models:\n"
                                  "  - id: a\n"
                                  "    limits:\n"
                                  "      concurrency: 4\n"
                                  "  - id: b\n"
                                  "    odd key: {q.r: 1}\n"
                                  "    empty:\n"
                                  "last: 1\n"
    )
                                  .value();
    const SourceMap& map = document.map;
    EXPECT_EQ(map.locate("name"), (Mark{1, 7}));
    EXPECT_EQ(map.locate_key("name"), (Mark{1, 1}));
    EXPECT_EQ(map.locate("models[0]"), (Mark{3, 5}));
    EXPECT_EQ(map.locate("models[0].limits.concurrency"), (Mark{5, 20}));
    EXPECT_EQ(map.locate_key("models[0].limits.concurrency"), (Mark{5, 7}));
    EXPECT_EQ(map.locate("models[0].limits.tokens"), (Mark{5, 7})) << "the mapping's start";
    EXPECT_EQ(map.locate_key("models[0].pricing.input"), (Mark{3, 5}));
    EXPECT_EQ(map.locate("models[1][\"odd key\"][\"q.r\"]"), (Mark{7, 20}));
    EXPECT_EQ(map.locate("models[1][\"odd key\"][\"q.s\"].t"), (Mark{7, 14}));
    EXPECT_EQ(map.locate("models[1].empty"), (Mark{8, 5})) << "an empty value: its key";
    EXPECT_EQ(map.locate("models[7]"), (Mark{3, 3}));
    EXPECT_EQ(map.locate(""), (Mark{1, 1}));
    EXPECT_EQ(map.locate("nowhere"), (Mark{1, 1}));
    EXPECT_EQ(SourceMap().locate("x"), (Mark{0, 0}));
}

TEST(SourceMap, DescribesProblemsInTheOrderOfTheText) {
    const SourceMap map = parse_yaml("a: 1\nbb:\n  cc: 2\n").value().map;
    EXPECT_EQ(describe_problem({"bb.cc", "too small"}, map, "x.yaml"), "x.yaml:3:7: too small");
    EXPECT_EQ(
        describe_problem({"bb.cc", "unknown key \"cc\""}, map, ""), "3:3: unknown key \"cc\""
    );
    EXPECT_EQ(describe_problem({"a", "too small"}, SourceMap(), "x.yaml"), "x.yaml: too small");
    const Error error(
        Code::validation, "two problems", {{"bb.cc", "late"}, {"a", "early"}, {"bb.cc", "late"}}
    );
    EXPECT_EQ(
        describe_problems(error, map, "f"),
        (std::vector<std::string>{"f:1:4: early", "f:3:7: late"})
    );
    EXPECT_EQ(
        describe_problems(Error(Code::bad_request, "1:2: broken"), map, "f"),
        (std::vector<std::string>{"f:1:2: broken"})
    );
}

TEST(SourceMap, KeepsMessagesWithoutAPlaceApart) {
    EXPECT_EQ(
        describe_problems(Error(Code::payload_too_large, "too large"), SourceMap(), "f"),
        (std::vector<std::string>{"f: too large"})
    );
}

TEST(SourceMap, WritesPaths) {
    EXPECT_EQ(path_member("", "a"), "a");
    EXPECT_EQ(path_member("a", "b-c_1"), "a.b-c_1");
    EXPECT_EQ(path_member("a", "b.c"), "a[\"b.c\"]");
    EXPECT_EQ(path_member("", "q\"]"), "[\"q\\\"]\"]");
    EXPECT_EQ(path_index(path_member("a", ""), 3), "a[\"\"][3]");
}

}  // namespace
}  // namespace lab
