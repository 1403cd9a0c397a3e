#pragma once
#include "storage/store/resources.h"
#include "storage/store/row_count.h"
#include "storage/store/session.h"

#include <optional>
#include <string>
#include <vector>

namespace lab::storage {

/// What the JSON members of a row say, once more as words to look for.
struct AuditWords {
    std::string event_type;
    std::string actor_type;
    std::string actor_id;
    std::string resource_type;
    std::string resource_id;
    std::string action;
    std::string outcome;
};

/// One line of the audit log. The six in the middle are JSON.
struct AuditRow {
    std::string id;  ///< UUID
    std::int64_t org = 1;
    std::string timestamp;   ///< when it happened
    std::string event_type;  ///< {"type": "security"}
    std::string actor;       ///< {"type": "user", "id": ..., "email": ...}
    std::string resource;    ///< {"type": "experiment", "id": ...}
    std::string action;      ///< "update", with the quotes
    std::string outcome;     ///< {"status": "denied", "reason": ...}
    std::string details;     ///< {...}
    std::string ip_address;
    std::string user_agent;
    std::string request_id;
    std::int64_t duration_ms = 0;
    std::string created_at;  ///< when it was written
};

/// Every condition that is set must hold. Times are compared as text, so they are written as
/// format_rfc3339() does.
struct AuditFilter {
    std::optional<std::string> event_type;
    std::optional<std::string> actor_type;
    std::optional<std::string> actor_id;
    std::optional<std::string> resource_type;
    std::optional<std::string> resource_id;
    std::optional<std::string> action;
    std::optional<std::string> outcome;
    std::optional<std::string> ip;
    std::optional<std::string> request_id;
    std::optional<std::string> after;   ///< at this moment or later
    std::optional<std::string> before;  ///< earlier than this moment
};

struct AuditStatistics {
    std::int64_t total = 0;
    std::int64_t successful = 0;
    std::int64_t failed = 0;
    std::int64_t denied = 0;
    std::int64_t unique_ips = 0;
};

/// Rows are added and read; nothing changes or removes one. Borrows the session; same thread rule.
class AuditTable {
  public:
    explicit AuditTable(Session& session) : session_(session) {}
    /// A row that is there already (its id) stays as it is: who does not know whether a commit went
    /// through may add again.
    Status add(const Ctx& ctx, const AuditRow& row, const AuditWords& words);
    /// By timestamp; `page.sort` is not looked at.
    Result<std::vector<AuditRow>> list(
        const Ctx& ctx, std::int64_t org, const AuditFilter& filter, const ResourcePage& page
    );
    Result<RowCount> count(const Ctx& ctx, std::int64_t org, const AuditFilter& filter);
    /// Of all that match, however many they are.
    Result<AuditStatistics> statistics(const Ctx& ctx, std::int64_t org, const AuditFilter& filter);

  private:
    Session& session_;
};

}  // namespace lab::storage
