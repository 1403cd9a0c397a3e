#pragma once
#include "base/result.h"

#include <string>
#include <string_view>

struct sqlite3;

namespace lab::storage {

/// What an (extended) result code of SQLite means to whoever waits for the answer. `path`: the
/// database, for the message; `doing`: the query's name, for ours. SQLITE_BUSY and SQLITE_INTERRUPT
/// are the session's to explain.
Error sqlite_error(sqlite3* connection, int code, const std::string& path, std::string_view doing);

}  // namespace lab::storage
