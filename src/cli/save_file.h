#pragma once
#include "base/result.h"

#include <cstdio>
#include <functional>
#include <string>

namespace lab::cli {

/// Puts what `write` writes at `path`, as a whole or not at all; into a device or a pipe as it
/// comes, since in the place of one there must be no file. Errors: io, naming the path and the
/// reason; those of `write`.
Status save_file(const std::string& path, const std::function<Status(std::FILE*)>& write);

}  // namespace lab::cli
