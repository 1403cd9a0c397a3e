#include "storage/store/audit_log.h"

#include "storage/store/impl/count_rows.h"
#include "storage/store/impl/queries.h"

namespace lab::storage {
namespace {

constexpr Query kAdd{"add_audit", R"sql(
    INSERT INTO audit_log (
        id, org, timestamp, event_type, actor, resource, action, outcome, details, ip_address,
        user_agent, request_id, duration_ms, created_at, event_kind, actor_kind, actor_id,
        resource_kind, resource_id, action_name, outcome_status
    ) VALUES (
        $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,
        $21
    )
    ON CONFLICT (id) DO NOTHING
)sql"};

// One optional condition: no value, no condition.
#define LAB_IF(parameter, condition) "AND (CAST(" parameter " AS TEXT) IS NULL OR " condition ") "
#define LAB_AUDIT_MATCH                                                         \
    "FROM audit_log WHERE org = $1 " LAB_IF("$2", "event_kind = $2") LAB_IF(    \
        "$3", "actor_kind = $3"                                                 \
    ) LAB_IF("$4", "actor_id = $4") LAB_IF("$5", "resource_kind = $5")          \
        LAB_IF("$6", "resource_id = $6") LAB_IF("$7", "action_name = $7")       \
            LAB_IF("$8", "outcome_status = $8") LAB_IF("$9", "ip_address = $9") \
                LAB_IF("$10", "request_id = $10") "AND timestamp >= $11 AND timestamp < $12 "
#define LAB_AUDIT_COLUMNS                                                                \
    "SELECT id, org, timestamp, event_type, actor, resource, action, outcome, details, " \
    "ip_address, user_agent, request_id, duration_ms, created_at "
constexpr Query kList{
    "list_audit",
    LAB_AUDIT_COLUMNS LAB_AUDIT_MATCH
    "AND (CAST($13 AS TEXT) IS NULL OR (timestamp, id) > ($13, $14)) "
    "ORDER BY timestamp ASC, id ASC LIMIT $15 OFFSET $16"
};
constexpr Query kListDescending{
    "list_audit_desc",
    LAB_AUDIT_COLUMNS LAB_AUDIT_MATCH
    "AND (CAST($13 AS TEXT) IS NULL OR (timestamp, id) < ($13, $14)) "
    "ORDER BY timestamp DESC, id DESC LIMIT $15 OFFSET $16"
};
constexpr Query kCount{"count_audit", LAB_COUNT_ROWS(LAB_AUDIT_MATCH)};
constexpr Query kStatistics{
    "audit_statistics",
    "SELECT COUNT(*), COUNT(CASE WHEN outcome_status = 'success' THEN 1 END), "
    "COUNT(CASE WHEN outcome_status = 'failure' THEN 1 END), "
    "COUNT(CASE WHEN outcome_status = 'denied' THEN 1 END), "
    "COUNT(DISTINCT NULLIF(ip_address, '')) " LAB_AUDIT_MATCH
};
#undef LAB_IF
#undef LAB_AUDIT_MATCH
#undef LAB_AUDIT_COLUMNS

constexpr const Query* kQueries[] = {&kAdd, &kList, &kListDescending, &kCount, &kStatistics};

Value optional_text(const std::optional<std::string>& text) {
    return text ? Value(std::string_view(*text)) : Value(nullptr);
}

/// Times are always bounded, so that the index by time is used.
std::vector<Value> conditions(std::int64_t org, const AuditFilter& filter) {
    constexpr std::string_view kFirst = "0000";
    constexpr std::string_view kLast = "9999-12-31T23:59:60";
    return {
        org,
        optional_text(filter.event_type),
        optional_text(filter.actor_type),
        optional_text(filter.actor_id),
        optional_text(filter.resource_type),
        optional_text(filter.resource_id),
        optional_text(filter.action),
        optional_text(filter.outcome),
        optional_text(filter.ip),
        optional_text(filter.request_id),
        filter.after ? std::string_view(*filter.after) : kFirst,
        filter.before ? std::string_view(*filter.before) : kLast,
    };
}

AuditRow read_row(const Row& row) {
    AuditRow out;
    out.id = row.text(0);
    out.org = row.integer(1);
    out.timestamp = row.text(2);
    out.event_type = row.text(3);
    out.actor = row.text(4);
    out.resource = row.text(5);
    out.action = row.text(6);
    out.outcome = row.text(7);
    out.details = row.text(8);
    out.ip_address = row.text(9);
    out.user_agent = row.text(10);
    out.request_id = row.text(11);
    out.duration_ms = row.integer(12);
    out.created_at = row.text(13);
    return out;
}

}  // namespace

std::span<const Query* const> audit_queries() { return kQueries; }

Status AuditTable::add(const Ctx& ctx, const AuditRow& row, const AuditWords& words) {
    const Value values[] = {
        std::string_view(row.id),
        row.org,
        std::string_view(row.timestamp),
        std::string_view(row.event_type),
        std::string_view(row.actor),
        std::string_view(row.resource),
        std::string_view(row.action),
        std::string_view(row.outcome),
        std::string_view(row.details),
        std::string_view(row.ip_address),
        std::string_view(row.user_agent),
        std::string_view(row.request_id),
        row.duration_ms,
        std::string_view(row.created_at),
        std::string_view(words.event_type),
        std::string_view(words.actor_type),
        std::string_view(words.actor_id),
        std::string_view(words.resource_type),
        std::string_view(words.resource_id),
        std::string_view(words.action),
        std::string_view(words.outcome),
    };
    LAB_CHECK(session_.exec(ctx, kAdd, values));
    return ok();
}

Result<std::vector<AuditRow>> AuditTable::list(
    const Ctx& ctx, std::int64_t org, const AuditFilter& filter, const ResourcePage& page
) {
    std::vector<Value> values = conditions(org, filter);
    if (page.after) {
        values.emplace_back(std::string_view(page.after->sort_value));
        values.emplace_back(std::string_view(page.after->id));
    } else {
        values.emplace_back(nullptr);
        values.emplace_back(nullptr);
    }
    values.emplace_back(page.limit);
    values.emplace_back(page.offset);
    std::vector<AuditRow> out;
    const Query& query = page.descending ? kListDescending : kList;
    LAB_CHECK(session_.query(ctx, query, values, [&](const Row& row) {
        out.push_back(read_row(row));
        return ok();
    }));
    return out;
}

Result<RowCount> AuditTable::count(const Ctx& ctx, std::int64_t org, const AuditFilter& filter) {
    return count_rows(ctx, session_, kCount, conditions(org, filter));
}

Result<AuditStatistics> AuditTable::statistics(
    const Ctx& ctx, std::int64_t org, const AuditFilter& filter
) {
    AuditStatistics out;
    LAB_CHECK(session_.query(ctx, kStatistics, conditions(org, filter), [&](const Row& row) {
        out.total = row.integer(0);
        out.successful = row.integer(1);
        out.failed = row.integer(2);
        out.denied = row.integer(3);
        out.unique_ips = row.integer(4);
        return ok();
    }));
    return out;
}

}  // namespace lab::storage
