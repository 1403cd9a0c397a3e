#include "storage/store/run_events.h"

#include "storage/store/impl/queries.h"

namespace lab::storage {
namespace {

constexpr Query kAddEvent{"add_run_event", R"sql(
    INSERT INTO run_events (run, number, type, data) VALUES ($1, $2, $3, $4)
    ON CONFLICT (run, number) DO NOTHING
)sql"};
constexpr Query kForgetEvents{"forget_run_events", R"sql(
    DELETE FROM run_events WHERE run = $1 AND number <= $2
)sql"};
constexpr Query kReadEvents{"read_run_events", R"sql(
    SELECT e.number, e.type, e.data FROM run_events e JOIN runs r ON r.key = e.run
    WHERE r.id = $1 AND e.number > $2 ORDER BY e.number LIMIT $3
)sql"};
constexpr Query kLastEvent{"last_run_event", R"sql(
    SELECT COALESCE(MAX(number), 0) FROM run_events WHERE run = $1
)sql"};

constexpr const Query* kQueries[] = {&kAddEvent, &kForgetEvents, &kReadEvents, &kLastEvent};

}  // namespace

std::span<const Query* const> run_event_queries() { return kQueries; }

Status RunEventLog::append(
    const Ctx& ctx, std::int64_t run, const std::vector<StoredRunEvent>& events
) {
    if (events.empty()) {
        return ok();
    }
    LAB_TRY(auto transaction, Transaction::begin(ctx, session_));
    for (const StoredRunEvent& event : events) {
        const Value values[] = {
            run, event.number, std::string_view(event.type), std::string_view(event.data)
        };
        LAB_CHECK(session_.exec(ctx, kAddEvent, values));
    }
    const Value old[] = {run, events.back().number - kKept};
    LAB_CHECK(session_.exec(ctx, kForgetEvents, old));
    return transaction.commit(ctx);
}

Result<std::vector<StoredRunEvent>> RunEventLog::read(
    const Ctx& ctx, std::string_view run_id, std::int64_t after
) {
    std::vector<StoredRunEvent> out;
    const Value values[] = {run_id, after, kKept};
    LAB_CHECK(session_.query(ctx, kReadEvents, values, [&](const Row& row) {
        out.push_back(
            {.number = row.integer(0),
             .type = std::string(row.text(1)),
             .data = std::string(row.text(2))}
        );
        return ok();
    }));
    return out;
}

Result<std::int64_t> RunEventLog::last_number(const Ctx& ctx, std::int64_t run) {
    std::int64_t out = 0;
    const Value key[] = {run};
    LAB_CHECK(session_.query(ctx, kLastEvent, key, [&](const Row& row) {
        out = row.integer(0);
        return ok();
    }));
    return out;
}

}  // namespace lab::storage
