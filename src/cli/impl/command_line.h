#pragma once
#include "cli/commands.h"

#include <memory>
#include <optional>
#include <string>

namespace lab::cli {

/// The whole tree of commands, and what one command line chose of it. Nothing is carried out here;
/// of files only those are looked at that options name as @FILE.
class CommandLine {
  public:
    explicit CommandLine(const std::string& version);
    ~CommandLine();
    CommandLine(const CommandLine&) = delete;
    CommandLine& operator=(const CommandLine&) = delete;

    /// nullopt: there is an action() to carry out. Else the exit code; what there is to say (help,
    /// the version, a mistake) has been printed.
    std::optional<int> read(int argc, const char* const* argv, const Deps& deps);

    const Globals& globals() const { return globals_; }
    /// What the command does. Lives as long as this.
    const Action& action() const;
    /// "llm-research runs list"
    std::string path() const;

  private:
    std::unique_ptr<CLI::App> app_;
    Globals globals_;
    std::optional<Action> action_;
};

}  // namespace lab::cli
