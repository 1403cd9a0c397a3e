#pragma once
#include "base/result.h"

#include <string>
#include <string_view>

namespace lab::storage {

/// What went wrong with a file, and what to do about it. `action` completes "cannot ...":
/// "write", "open". `number` is an errno value. Code::io.
Error file_error(std::string_view action, const std::string& path, int number);

/// Makes a folder and those above it, readable by their owner alone. Errors: io.
Status make_folders(const std::string& path);

/// Makes a rename or a new file in `folder` survive a power cut. Errors: io.
Status sync_folder(const std::string& folder);

}  // namespace lab::storage
