#include "base/text.h"
#include "base/time_text.h"
#include "service/audit.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace lab::service {
namespace {

constexpr std::string_view kActorTypes[] = {"user", "api_key", "system", "anonymous"};
constexpr std::string_view kResourceTypes[] = {
    "experiment",
    "run",
    "model",
    "dataset",
    "prompt_template",
    "evaluation",
    "user",
    "api_key",
    "system",
};

template <class Enum>
std::vector<std::string> words_of(std::size_t count) {
    std::vector<std::string> out;
    for (std::size_t i = 0; i < count; ++i) {
        out.emplace_back(to_string(static_cast<Enum>(i)));
    }
    return out;
}

void check_word(
    const std::optional<std::string>& word,
    const char* field,
    const std::vector<std::string>& known,
    std::vector<Detail>& problems
) {
    if (!word || std::ranges::find(known, *word) != known.end()) {
        return;
    }
    const std::string near = nearest(*word, known);
    problems.push_back(
        {field,
         near.empty() ? "must be one of " + join(known, ", ")
                      : "is unknown, did you mean \"" + near + "\"?"}
    );
}

void check_time(
    std::optional<std::string>& time, const char* field, std::vector<Detail>& problems
) {
    if (!time) {
        return;
    }
    if (const auto moment = parse_rfc3339(*time)) {
        time = format_rfc3339(*moment);
    } else {
        problems.push_back({field, "must be a time such as 2026-01-31T12:00:00Z"});
    }
}

/// The filter with its times in the one form that compares as text.
Result<storage::AuditFilter> check_filter(storage::AuditFilter filter) {
    constexpr std::size_t kTypes = static_cast<std::size_t>(AuditType::system_event) + 1;
    constexpr std::size_t kActions = static_cast<std::size_t>(AuditAction::config_change) + 1;
    constexpr std::size_t kOutcomes = static_cast<std::size_t>(AuditOutcome::denied) + 1;
    std::vector<Detail> problems;
    check_word(filter.event_type, "event_type", words_of<AuditType>(kTypes), problems);
    check_word(filter.action, "action", words_of<AuditAction>(kActions), problems);
    check_word(filter.outcome, "outcome", words_of<AuditOutcome>(kOutcomes), problems);
    check_word(
        filter.actor_type, "actor_type", {std::begin(kActorTypes), std::end(kActorTypes)}, problems
    );
    check_word(
        filter.resource_type,
        "resource_type",
        {std::begin(kResourceTypes), std::end(kResourceTypes)},
        problems
    );
    check_time(filter.after, "after", problems);
    check_time(filter.before, "before", problems);
    if (!problems.empty()) {
        return Error(Code::validation, "the filter cannot be used", std::move(problems));
    }
    return filter;
}

Json text_or_null(const std::string& text) { return text.empty() ? Json() : Json(text); }

Result<Json> show(const storage::AuditRow& row) {
    LAB_TRY(const Json event_type, parse_json(row.event_type));
    LAB_TRY(const Json actor, parse_json(row.actor));
    LAB_TRY(const Json resource, parse_json(row.resource));
    LAB_TRY(const Json action, parse_json(row.action));
    LAB_TRY(const Json outcome, parse_json(row.outcome));
    LAB_TRY(const Json details, parse_json(row.details));
    return Json{
        {"id", row.id},
        {"timestamp", row.timestamp},
        {"event_type", event_type},
        {"actor", actor},
        {"resource", resource},
        {"action", action},
        {"outcome", outcome},
        {"details", details},
        {"ip_address", text_or_null(row.ip_address)},
        {"user_agent", text_or_null(row.user_agent)},
        {"request_id", text_or_null(row.request_id)},
        {"duration_ms", row.duration_ms},
        {"created_at", row.created_at},
    };
}

}  // namespace

Result<NounList> list_audit(const Request& request, const AuditQuery& query) {
    LAB_CHECK(require(request.caller, domain::Permission::view_audit_logs));
    LAB_TRY(const storage::AuditFilter filter, check_filter(query.filter));
    storage::AuditTable table(request.session);
    const std::int64_t org = request.caller.org;
    storage::ResourcePage page = query.page;
    ++page.limit;  // one more tells whether there are more
    LAB_TRY(auto rows, table.list(request.ctx, org, filter, page));
    NounList out;
    LAB_TRY(out.total, table.count(request.ctx, org, filter));
    out.more = std::ssize(rows) > query.page.limit;
    if (out.more) {
        rows.pop_back();
        if (!rows.empty()) {
            out.last = storage::ResourceCursor{rows.back().timestamp, rows.back().id};
        }
    }
    for (const storage::AuditRow& row : rows) {
        LAB_TRY(out.rows.emplace_back(), show(row));
    }
    return out;
}

Result<Json> audit_statistics(const Request& request, const storage::AuditFilter& filter) {
    LAB_CHECK(require(request.caller, domain::Permission::view_audit_logs));
    LAB_TRY(const storage::AuditFilter checked, check_filter(filter));
    LAB_TRY(
        const storage::AuditStatistics all,
        storage::AuditTable(request.session).statistics(request.ctx, request.caller.org, checked)
    );
    return Json{
        {"total", all.total},
        {"successful", all.successful},
        {"failed", all.failed},
        {"denied", all.denied},
        {"unique_ips", all.unique_ips},
    };
}

}  // namespace lab::service
