#include "cli/impl/command_line.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <memory>

namespace lab::cli {
namespace {

class CommandLineTest : public testing::Test {
  protected:
    /// Reads one line; what it prints is in out_ and err_.
    std::optional<int> read(std::vector<const char*> arguments) {
        arguments.insert(arguments.begin(), "llm-research");
        deps_.env = [](const std::string&) { return std::nullopt; };
        deps_.version = "1.2.3";
        deps_.out = std::tmpfile();
        deps_.err = std::tmpfile();
        line_ = std::make_unique<CommandLine>(deps_.version);
        const auto code = line_->read(static_cast<int>(arguments.size()), arguments.data(), deps_);
        out_ = take(deps_.out);
        err_ = take(deps_.err);
        return code;
    }
    static std::string take(std::FILE* file) {
        std::rewind(file);
        std::string text(1U << 16, '\0');
        text.resize(std::fread(text.data(), 1, text.size(), file));
        std::fclose(file);
        return text;
    }
    Deps deps_;
    std::unique_ptr<CommandLine> line_;
    std::string out_;
    std::string err_;
};

TEST_F(CommandLineTest, SaysWhatItAsksForAndDoesNothing) {
    EXPECT_EQ(read({"models", "-o", "json", "get", "m-1", "-v"}), std::nullopt);
    EXPECT_EQ(line_->path(), "llm-research models get");
    EXPECT_EQ(line_->globals().overrides.output, "json");
    EXPECT_TRUE(line_->globals().verbose);
    EXPECT_EQ(out_ + err_, "");
}

TEST_F(CommandLineTest, HelpAndVersionAreOutputs) {
    EXPECT_EQ(read({"--version"}), 0);
    EXPECT_EQ(out_, "llm-research 1.2.3\n");
    EXPECT_EQ(read({"models", "get", "--help"}), 0);
    EXPECT_NE(out_.find("ID"), std::string::npos) << out_;
    EXPECT_EQ(err_, "");
}

TEST_F(CommandLineTest, AMistakeSaysWhatMayHaveBeenMeant) {
    EXPECT_EQ(read({"modles", "list"}), 2);
    EXPECT_NE(err_.find("models"), std::string::npos) << err_;
    EXPECT_EQ(out_, "");
}

// "delete .." would have asked for the path above: DELETE /experiments/.. is DELETE /.
TEST_F(CommandLineTest, AnIdThatWouldLeaveItsPlaceIsNone) {
    for (const char* id : {"", ".", ".."}) {
        EXPECT_EQ(read({"experiments", "delete", id, "--force"}), 2) << id;
        EXPECT_NE(err_.find("is no id"), std::string::npos) << err_;
    }
    EXPECT_EQ(read({"experiments", "delete", "...", "--force"}), std::nullopt);
    EXPECT_EQ(read({"experiments", "get", "a/../b"}), std::nullopt) << "a slash is escaped";
}

}  // namespace
}  // namespace lab::cli
