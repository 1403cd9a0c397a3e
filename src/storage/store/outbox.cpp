#include "storage/store/outbox.h"

#include "storage/store/impl/outbox_notes.h"
#include "storage/store/impl/queries.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <charconv>

namespace lab::storage {
namespace {

using Kind = OutboxEntry::Kind;

/// So that an entry stays small, whatever a batch holds.
constexpr std::size_t kIndexesMax = 1000;
constexpr std::string_view kTurn = "analytics";
constexpr std::array<std::string_view, 6> kKinds{
    "samples", "client_samples", "points", "carried", "whole_run", "event"
};

constexpr Query kAddNote{"add_note", R"sql(
    INSERT INTO outbox (kind, run, body, facts, noted_ms) VALUES ($1, $2, $3, $4, lab_now_ms())
)sql"};
constexpr Query kAddRunEvent{"note_run_event", R"sql(
    INSERT INTO outbox (kind, run, body, facts, noted_ms)
    SELECT 'event', r.key,
           CAST($2 AS TEXT) || '|' || CAST($3 AS TEXT) || '|' || o.id || '|' || e.id || '|' || r.id
               || '|' || CAST($4 AS TEXT),
           1, lab_now_ms()
    FROM runs r JOIN experiments e ON e.key = r.experiment JOIN orgs o ON o.key = e.org
    WHERE r.key = $1
)sql"};
constexpr Query kAddExperimentEvent{"note_experiment_event", R"sql(
    INSERT INTO outbox (kind, run, body, facts, noted_ms)
    SELECT 'event', 0,
           CAST($2 AS TEXT) || '|' || CAST($3 AS TEXT) || '|' || o.id || '|' || e.id || '||'
               || CAST($4 AS TEXT),
           1, lab_now_ms()
    FROM experiments e JOIN orgs o ON o.key = e.org
    WHERE e.key = $1
)sql"};
constexpr Query kExperimentStatus{
    "experiment_status", "SELECT status FROM experiments WHERE key = $1"
};
constexpr Query kRunState{"run_state", "SELECT state FROM runs WHERE key = $1"};
constexpr Query kFirstNotes{"first_notes", R"sql(
    SELECT key, kind, run, body, noted_ms FROM outbox ORDER BY key LIMIT $1
)sql"};
constexpr Query kRemoveNote{"remove_note", "DELETE FROM outbox WHERE key = $1"};
constexpr Query kOutboxState{"outbox_state", R"sql(
    SELECT COUNT(*), CAST(COALESCE(SUM(facts), 0) AS BIGINT),
           COALESCE(lab_now_ms() - MIN(noted_ms), 0)
    FROM outbox
)sql"};
constexpr Query kNoteAllRuns{"note_all_runs", R"sql(
    INSERT INTO outbox (kind, run, body, facts, noted_ms)
    SELECT 'whole_run', key, '', planned, lab_now_ms() FROM runs ORDER BY key
)sql"};
constexpr Query kNoteAllExperiments{"note_all_experiments", R"sql(
    INSERT INTO outbox (kind, run, body, facts, noted_ms)
    SELECT 'event', 0,
           'experiment_created|' || e.created_at || '|' || o.id || '|' || e.id || '||{}',
           1, lab_now_ms()
    FROM experiments e JOIN orgs o ON o.key = e.org ORDER BY e.key
)sql"};
constexpr Query kTakeTurn{"take_turn", R"sql(
    INSERT INTO outbox_turns (name, owner, until_ms) VALUES ($1, $2, lab_now_ms() + $3)
    ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, until_ms = excluded.until_ms
    WHERE outbox_turns.owner = excluded.owner OR outbox_turns.until_ms < lab_now_ms()
)sql"};
constexpr Query kEndTurn{
    "end_turn", "UPDATE outbox_turns SET until_ms = 0 WHERE name = $1 AND owner = $2"
};

constexpr const Query* kQueries[] = {
    &kAddNote,
    &kAddRunEvent,
    &kAddExperimentEvent,
    &kExperimentStatus,
    &kRunState,
    &kFirstNotes,
    &kRemoveNote,
    &kOutboxState,
    &kNoteAllRuns,
    &kNoteAllExperiments,
    &kTakeTurn,
    &kEndTurn,
};

/// Knows whether a transaction is open, which is all that notes need.
class NotedSession final : public Session {
  public:
    explicit NotedSession(std::unique_ptr<Session> session) : session_(std::move(session)) {}
    bool in_transaction() const { return in_transaction_; }

    Result<std::int64_t> exec(const Ctx& ctx, const Query& query, std::span<const Value> values)
        override {
        return session_->exec(ctx, query, values);
    }
    Status exec_many(
        const Ctx& ctx,
        const Query& query,
        std::size_t count,
        const RowValues& values_of,
        std::vector<std::int64_t>& changed
    ) override {
        return session_->exec_many(ctx, query, count, values_of, changed);
    }
    Status query_all(const Ctx& ctx, std::span<const Asked> asked) override {
        return session_->query_all(ctx, asked);
    }
    void set_patience(Duration patience) override { session_->set_patience(patience); }
    Status query(
        const Ctx& ctx, const Query& query, std::span<const Value> values, const RowCallback& on_row
    ) override {
        return session_->query(ctx, query, values, on_row);
    }
    Status begin(const Ctx& ctx) override {
        Status begun = session_->begin(ctx);
        in_transaction_ = in_transaction_ || begun;
        return begun;
    }
    Status commit(const Ctx& ctx) override {
        Status done = session_->commit(ctx);
        in_transaction_ = in_transaction_ && !done;  // else it is rolled back
        return done;
    }
    void rollback() noexcept override {
        session_->rollback();
        in_transaction_ = false;
    }
    Status hold(const Ctx& ctx, std::string_view what, std::int64_t key) override {
        return session_->hold(ctx, what, key);
    }
    Status sync(const Ctx& ctx) override { return session_->sync(ctx); }
    Status prepare(const Query& query) override { return session_->prepare(query); }
    Status check(const Ctx& ctx) override { return session_->check(ctx); }

  private:
    std::unique_ptr<Session> session_;
    bool in_transaction_ = false;
};

class NotedDatabase final : public Database {
  public:
    explicit NotedDatabase(std::unique_ptr<Database> database) : database_(std::move(database)) {}
    Result<std::unique_ptr<Session>> open_session(const Ctx& ctx, Durability durability) override {
        LAB_TRY(auto session, database_->open_session(ctx, durability));
        return std::make_unique<NotedSession>(std::move(session));
    }
    Status migrate(const Ctx& ctx) override { return database_->migrate(ctx); }

  private:
    std::unique_ptr<Database> database_;
};

std::string_view next_part(std::string_view& text, char end) {
    const std::size_t at = std::min(text.find(end), text.size());
    const std::string_view part = text.substr(0, at);
    text.remove_prefix(std::min(at + 1, text.size()));
    return part;
}

Error unreadable(std::int64_t key) {
    return {Code::internal, "entry " + std::to_string(key) + " of the outbox cannot be read"};
}

Status read_indexes(std::string_view text, OutboxEntry& out) {
    while (!text.empty()) {
        const std::string_view one = next_part(text, ',');
        std::int64_t index = 0;
        const auto read = std::from_chars(one.data(), one.data() + one.size(), index);
        if (read.ec != std::errc() || read.ptr != one.data() + one.size()) {
            return unreadable(out.key);
        }
        out.indexes.push_back(index);
    }
    return ok();
}

Result<OutboxEntry> read_entry(const Row& row) {
    OutboxEntry out;
    out.key = row.integer(0);
    const auto* const kind = std::ranges::find(kKinds, row.text(1));
    if (kind == kKinds.end()) {
        return unreadable(out.key);
    }
    out.kind = static_cast<Kind>(kind - kKinds.begin());
    out.run = row.integer(2);
    out.noted_ms = row.integer(4);
    std::string_view body = row.text(3);
    if (out.kind == Kind::event) {
        out.event.type = next_part(body, '|');
        out.event.at = next_part(body, '|');
        out.event.org_id = next_part(body, '|');
        out.event.experiment_id = next_part(body, '|');
        out.event.run_id = next_part(body, '|');
        out.event.payload = body;
    } else {
        LAB_CHECK(read_indexes(body, out));
    }
    return out;
}

}  // namespace

std::span<const Query* const> outbox_queries() { return kQueries; }

std::unique_ptr<Database> keep_outbox(std::unique_ptr<Database> database) {
    return std::make_unique<NotedDatabase>(std::move(database));
}

Result<std::vector<OutboxEntry>> Outbox::first(const Ctx& ctx, std::int64_t limit) {
    std::vector<OutboxEntry> out;
    const Value values[] = {limit};
    LAB_CHECK(session_.query(ctx, kFirstNotes, values, [&](const Row& row) -> Status {
        LAB_TRY(auto entry, read_entry(row));
        out.push_back(std::move(entry));
        return ok();
    }));
    return out;
}

// By key, never by range: who began earlier may commit later, with a smaller key.
Status Outbox::remove(const Ctx& ctx, const std::vector<OutboxEntry>& entries) {
    if (entries.empty()) {
        return ok();
    }
    LAB_TRY(auto transaction, Transaction::begin(ctx, session_));
    for (const OutboxEntry& entry : entries) {
        const Value values[] = {entry.key};
        LAB_CHECK(session_.exec(ctx, kRemoveNote, values));
    }
    return transaction.commit(ctx);
}

Result<OutboxState> Outbox::state(const Ctx& ctx) {
    OutboxState out;
    LAB_CHECK(session_.query(ctx, kOutboxState, {}, [&](const Row& row) {
        out.entries = row.integer(0);
        out.facts = row.integer(1);
        out.oldest = std::chrono::milliseconds(std::max<std::int64_t>(row.integer(2), 0));
        return ok();
    }));
    return out;
}

Status Outbox::note_everything(const Ctx& ctx) {
    LAB_TRY(auto transaction, Transaction::begin(ctx, session_));
    LAB_CHECK(session_.exec(ctx, kNoteAllExperiments, {}));
    LAB_CHECK(session_.exec(ctx, kNoteAllRuns, {}));
    return transaction.commit(ctx);
}

Result<bool> Outbox::take_turn(const Ctx& ctx, std::string_view owner, Duration lease) {
    const std::int64_t milliseconds =
        std::chrono::duration_cast<std::chrono::milliseconds>(lease).count();
    const Value values[] = {kTurn, owner, milliseconds};
    LAB_TRY(const std::int64_t taken, session_.exec(ctx, kTakeTurn, values));
    return taken == 1;
}

Status Outbox::end_turn(const Ctx& ctx, std::string_view owner) {
    const Value values[] = {kTurn, owner};
    LAB_CHECK(session_.exec(ctx, kEndTurn, values));
    return ok();
}

Result<OutboxNotes> OutboxNotes::begin(const Ctx& ctx, Session& session) {
    OutboxNotes out(session);
    const auto* const noted = dynamic_cast<const NotedSession*>(&session);
    out.kept_ = noted != nullptr;
    if (noted != nullptr && !noted->in_transaction()) {
        LAB_TRY(auto own, Transaction::begin(ctx, session));
        out.own_.emplace(std::move(own));
    }
    return out;
}

Status OutboxNotes::commit(const Ctx& ctx) {
    std::optional<Transaction>& own = own_;
    return own ? own->commit(ctx) : ok();
}

Status OutboxNotes::add(
    const Ctx& ctx,
    std::string_view kind,
    std::int64_t run,
    std::string_view body,
    std::int64_t facts
) {
    const Value values[] = {kind, run, body, facts};
    LAB_CHECK(session_->exec(ctx, kAddNote, values));
    return ok();
}

Status OutboxNotes::add_indexes(
    const Ctx& ctx, std::string_view kind, std::int64_t run, std::span<const std::int64_t> indexes
) {
    while (kept_ && !indexes.empty()) {
        const auto some = indexes.first(std::min(indexes.size(), kIndexesMax));
        indexes = indexes.subspan(some.size());
        std::string body;
        for (const std::int64_t index : some) {
            body += (body.empty() ? "" : ",") + std::to_string(index);
        }
        LAB_CHECK(add(ctx, kind, run, body, std::ssize(some)));
    }
    return ok();
}

Status OutboxNotes::samples(
    const Ctx& ctx, std::int64_t run, std::span<const std::int64_t> indexes
) {
    return add_indexes(ctx, "samples", run, indexes);
}

Status OutboxNotes::client_samples(
    const Ctx& ctx, std::int64_t run, std::span<const std::int64_t> numbers
) {
    return add_indexes(ctx, "client_samples", run, numbers);
}

Status OutboxNotes::points(
    const Ctx& ctx, std::int64_t run, std::int64_t after, std::int64_t last, std::int64_t count
) {
    const std::string body = std::to_string(after) + "," + std::to_string(last);
    return kept_ && count > 0 ? add(ctx, "points", run, body, count) : ok();
}

Status OutboxNotes::carried(const Ctx& ctx, std::int64_t run) {
    return kept_ ? add(ctx, "carried", run, "", 1) : ok();
}

Status OutboxNotes::run_event(
    const Ctx& ctx,
    std::int64_t run,
    std::string_view type,
    std::string_view at,
    std::string_view payload
) {
    if (!kept_) {
        return ok();
    }
    const std::string now = at.empty() ? format_rfc3339(ctx.clock().wall()) : std::string(at);
    const Value values[] = {run, type, std::string_view(now), payload};
    LAB_CHECK(session_->exec(ctx, kAddRunEvent, values));
    return ok();
}

Status OutboxNotes::run_state(
    const Ctx& ctx,
    std::int64_t run,
    domain::RunState state,
    std::string_view words,
    std::string_view at
) {
    const std::string type =
        "run_" +
        std::string(state == domain::RunState::running ? "started" : domain::to_string(state));
    const Json payload = words.empty() ? Json::object() : Json{{"reason", words}};
    return run_event(ctx, run, type, at, dump_json(payload));
}

Result<std::string> OutboxNotes::word_of(const Ctx& ctx, const Query& query, std::int64_t key) {
    std::string out;
    if (kept_) {
        const Value values[] = {key};
        LAB_CHECK(session_->query(ctx, query, values, [&](const Row& row) {
            out = row.text(0);
            return ok();
        }));
    }
    return out;
}

Result<std::string> OutboxNotes::status_of_experiment(const Ctx& ctx, std::int64_t experiment) {
    return word_of(ctx, kExperimentStatus, experiment);
}

Result<std::string> OutboxNotes::state_of_run(const Ctx& ctx, std::int64_t run) {
    return word_of(ctx, kRunState, run);
}

Status OutboxNotes::experiment_event(
    const Ctx& ctx,
    std::int64_t experiment,
    std::string_view type,
    std::string_view at,
    std::string_view payload
) {
    if (!kept_) {
        return ok();
    }
    const Value values[] = {experiment, type, at, payload};
    LAB_CHECK(session_->exec(ctx, kAddExperimentEvent, values));
    return ok();
}

}  // namespace lab::storage
