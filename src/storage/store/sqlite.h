#pragma once
#include "storage/store/session.h"

#include <string>

namespace lab::storage {

struct SqliteOptions {
    std::string path;  ///< file, or ":memory:" (then every session is the same connection's data)
    Duration busy_timeout = std::chrono::seconds(10);
    std::int64_t cache_kib = 8192;  ///< page cache of one session
};

/// WAL, synchronous=FULL, foreign keys on. Errors: io with what is wrong and what to do.
Result<std::unique_ptr<Database>> open_sqlite(const Ctx& ctx, SqliteOptions options);

}  // namespace lab::storage
