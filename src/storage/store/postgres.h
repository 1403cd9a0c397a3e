#pragma once
#include "storage/store/session.h"

#include <memory>
#include <string>

namespace lab::storage {

struct PostgresOptions {
    /// As libpq takes it: postgresql://user:password@host:port/database?sslmode=..., also with
    /// several hosts. With several and no target_session_attrs, the one that takes writes is meant.
    std::string url;
    bool is_copy = false;  ///< read only: with several hosts, a standby is preferred
    std::string application_name = "llm-research";  ///< when the URL does not say
    /// For one host; a host that does not answer gives way to the next. The look-up of a name is
    /// the system's, with the system's limits.
    Duration connect_timeout = std::chrono::seconds(3);
    /// No statement takes longer, whatever the deadline of the caller. At least 1 ms.
    Duration statement_timeout = std::chrono::seconds(60);
};

/// PostgreSQL 15 or later, directly or behind PgBouncer. Nothing is connected yet. Errors:
/// validation when the URL is none (the URL is not repeated: it holds a password).
Result<std::unique_ptr<Database>> open_postgres(PostgresOptions options);

}  // namespace lab::storage
