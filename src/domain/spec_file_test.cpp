#include "domain/spec_parse.h"
#include "platform/json/document.h"
#include "support/vocabulary.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace lab::domain {
namespace {

const std::filesystem::path kRoot = LAB_SOURCE_DIR;

std::string read(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    EXPECT_TRUE(file.good()) << path;
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

/// One problem a line, as `validate` prints them, without the file's name.
std::string problems_of(const std::string& text) {
    std::string out;
    const auto document = parse_yaml(text);
    if (!document) {
        return document.error().message + "\n";
    }
    const auto spec = parse_spec(document->value, test::small_vocabulary());
    if (!spec) {
        for (const std::string& line : describe_problems(spec.error(), document->map, "")) {
            out += line + "\n";
        }
    }
    return out;
}

TEST(BadFiles, SayEveryProblemWithItsPlace) {
    int files = 0;
    for (const auto& entry : std::filesystem::directory_iterator(kRoot / "tests/data/bad")) {
        if (entry.path().extension() != ".yaml") {
            continue;
        }
        ++files;
        std::filesystem::path expected = entry.path();
        expected.replace_extension(".expected");
        EXPECT_EQ(problems_of(read(entry.path())), read(expected)) << entry.path().filename();
    }
    EXPECT_GE(files, 10);
}

TEST(BadFiles, NeverRepeatAKey) {
    const std::string said = problems_of(read(kRoot / "tests/data/bad/secrets.yaml"));
    EXPECT_EQ(said.find("0123456789"), std::string::npos) << said;
}

TEST(ReferenceFile, ParsesAndNamesEveryFieldOfTheSchema) {
    const std::string text = read(kRoot / "examples/reference.yaml");
    EXPECT_EQ(problems_of(text), "");
    const Json value = parse_yaml(text).value().value;
    const Json schema = experiment_schema(test::small_vocabulary());
    // Fields that exclude each other stand in comments: the name must be there at least.
    std::vector<const Json*> open{&schema["properties"]};
    for (const char* definition : {"message", "scorer_exact_match"}) {
        open.push_back(&schema["$defs"][definition]["properties"]);
    }
    while (!open.empty()) {
        const Json& node = *open.back();
        open.pop_back();
        for (const auto& [name, member] : node.items()) {
            if (member.is_object() &&
                (member.contains("type") || member.contains("anyOf") || member.contains("$ref") ||
                 member.contains("const")) &&
                name != "items" && !name.empty()) {
                EXPECT_NE(text.find(name + ":"), std::string::npos) << name;
            }
            const auto look = [&](const Json& inner, const auto& self) -> void {
                if (inner.is_object() && inner.contains("properties")) {
                    open.push_back(&inner["properties"]);
                }
                if (inner.is_object() && inner.contains("items")) {
                    self(inner["items"], self);
                }
                for (const char* keyword : {"anyOf", "oneOf"}) {
                    if (inner.is_object() && inner.contains(keyword)) {
                        for (const Json& branch : inner[keyword]) {
                            self(branch, self);
                        }
                    }
                }
            };
            look(member, look);
        }
    }
}

TEST(ExperimentFileDocument, ShowsAnExampleThatWorksAndAMessageThatIsTrue) {
    const std::string text = read(kRoot / "docs/experiment-file.md");
    constexpr std::string_view kFence = "```yaml\n";
    const std::size_t start = text.find(kFence) + kFence.size();
    std::string example = text.substr(start, text.find("```", start) - start);
    EXPECT_EQ(problems_of(example), "");
    const std::size_t option = example.find("ignore_case");
    ASSERT_NE(option, std::string::npos);
    example.erase(option + 6, 1);
    EXPECT_NE(text.find("\ncapitals.yaml:" + problems_of(example)), std::string::npos)
        << problems_of(example);
}

TEST(ExperimentFileDocument, HoldsTheTablesOfTheSchema) {
    constexpr std::string_view kStart = "<!-- fields: generated from the schema -->\n";
    const std::string text = read(kRoot / "docs/experiment-file.md");
    const std::size_t at = text.find(kStart);
    ASSERT_NE(at, std::string::npos);
    const std::string tables = "\n" + schema_markdown(experiment_schema({}));
    const std::string want = text.substr(0, at + kStart.size()) + tables;
    if (text != want) {
        const std::string path = testing::TempDir() + "experiment-file.md";
        std::ofstream(path) << want;
        ADD_FAILURE() << "docs/experiment-file.md is stale: copy " << path << " over it";
    }
}

}  // namespace
}  // namespace lab::domain
