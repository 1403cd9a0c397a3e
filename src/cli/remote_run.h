#pragma once
#include "cli/commands.h"

#include <string>

namespace lab::cli {

/// Runs an experiment file at a server: checks it here first, sends what the server does not have
/// (rows by their SHA-256, models), follows the run and delivers the reports as a local run does.
/// Ctrl-C lets go of the run, which goes on. `detach`: say ids and return once it is queued. Gives
/// the exit code. Errors: validation (the file; what a server cannot be told), those of the API.
Result<int> run_remote(const Invocation& in, const std::string& file, bool detach);

}  // namespace lab::cli
