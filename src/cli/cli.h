#pragma once
#include "platform/config/settings.h"
#include "service/deps.h"

#include <cstdio>
#include <functional>
#include <string>
#include <vector>

namespace lab::cli {

/// One line of `doctor`.
struct Finding {
    std::string check;
    bool good = true;
    std::string found;
    std::string advice;  ///< what to do; empty when good
};

/// What the command line needs of the program; app fills it in. Nothing is opened before a command
/// asks, so that --help answers at once.
struct Deps {
    EnvLookup env;
    std::string version;
    std::string build;  ///< compiler and options, for `version -v`
    /// Opens the services with these settings; called at most once.
    std::function<Result<service::Deps*>(const Settings&)> open;
    std::function<std::vector<Finding>(const Settings&)> doctor;
    /// What experiment files may name; needs no store.
    std::function<const domain::SpecVocabulary&()> vocabulary;
    /// What Ctrl-C and SIGTERM call, on the loop's thread; nullptr = the default action.
    std::function<void(std::function<void()>)> on_interrupt;
    std::FILE* out = stdout;
    std::FILE* err = stderr;
};

/// Runs one command line. Data goes to out, messages to err. Gives the exit code: 0 passed, 100 a
/// gate failed, 2 the input is wrong, 130 interrupted, 1 anything else.
int run(int argc, const char* const* argv, Deps& deps);

}  // namespace lab::cli
