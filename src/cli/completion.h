#pragma once
#include "base/result.h"

#include <string>

namespace CLI {
class App;
}

namespace lab::cli {

/// A completion script for bash, zsh or fish, made from the command tree. Errors: validation.
Result<std::string> completion_script(const CLI::App& app, const std::string& shell);

}  // namespace lab::cli
