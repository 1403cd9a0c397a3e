#pragma once
#include "storage/store/session.h"

#include <string>

namespace lab::storage {

struct SqliteOptions {
    /// A file (its folder is made when missing), or ":memory:": sessions of one Database share its
    /// data, which goes with it. In memory a writer waits for readers; on disk it does not.
    std::string path;
    Duration busy_timeout = std::chrono::seconds(10);
    std::int64_t cache_kib = 8192;  ///< page cache of one session
};

/// WAL, synchronous=FULL, foreign keys on. Errors: io with what is wrong and what to do.
Result<std::unique_ptr<Database>> open_sqlite(const Ctx& ctx, SqliteOptions options);

/// For `doctor`: reads the whole database and says what is wrong with it. Errors: io, the message
/// holds the first findings. Takes about a second per 200 MB.
Status verify_sqlite(const Ctx& ctx, Session& session);

/// Writes the database as it is at this moment into a new file, whole and compact, while others go
/// on reading and writing. Errors: io (there is such a file, no space).
Status copy_sqlite(const Ctx& ctx, Session& session, const std::string& path);

/// Whether nobody else has the database open; then all of it is in the one file, without a log
/// beside it. Errors: conflict when somebody has; io.
Status close_sqlite_log(const Ctx& ctx, const std::string& path);

}  // namespace lab::storage
