#include "storage/store/observed.h"

#include <algorithm>
#include <array>
#include <unordered_map>

namespace lab::storage {
namespace {

constexpr StatementKind kBegin{"begin", "none"};
constexpr StatementKind kCommit{"commit", "none"};
constexpr StatementKind kHold{"other", "none"};

bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

bool equals_fold(std::string_view text, std::string_view upper) {
    return std::ranges::equal(text, upper, [](char a, char b) {
        return (a >= 'a' && a <= 'z' ? static_cast<char>(a - 32) : a) == b;
    });
}

/// The next word of a statement, which is shortened by it; punctuation is no word.
std::string_view next_word(std::string_view& sql) {
    while (!sql.empty() && !is_letter(sql.front())) {
        sql.remove_prefix(1);
    }
    const auto end = std::ranges::find_if_not(sql, is_letter);
    const std::string_view word = sql.substr(0, static_cast<std::size_t>(end - sql.begin()));
    sql.remove_prefix(word.size());
    return word;
}

class ObservedSession final : public Session {
  public:
    ObservedSession(
        std::unique_ptr<Session> session, const Clock& clock, StatementObserver& observer
    )
        : session_(std::move(session)),
          clock_(clock),
          observer_(observer),
          begin_(observer.meter(kBegin)),
          commit_(observer.meter(kCommit)),
          hold_(observer.meter(kHold)) {}

    Result<std::int64_t> exec(const Ctx& ctx, const Query& query, std::span<const Value> values)
        override {
        StatementMeter& meter = meter_of(query);
        const TimePoint begun = clock_.now();
        auto changed = session_->exec(ctx, query, values);
        meter.done(query.name, clock_.now() - begun, changed ? nullptr : &changed.error());
        return changed;
    }

    Status exec_many(
        const Ctx& ctx,
        const Query& query,
        std::size_t count,
        const RowValues& values_of,
        std::vector<std::int64_t>& changed
    ) override {
        return told(meter_of(query), query.name, [&] {
            return session_->exec_many(ctx, query, count, values_of, changed);
        });
    }

    Status query(
        const Ctx& ctx, const Query& query, std::span<const Value> values, const RowCallback& on_row
    ) override {
        StatementMeter& meter = meter_of(query);
        const TimePoint begun = clock_.now();
        Status read = session_->query(ctx, query, values, on_row);
        meter.done(query.name, clock_.now() - begun, read ? nullptr : &read.error());
        return read;
    }

    /// What they took together is that of the first.
    Status query_all(const Ctx& ctx, std::span<const Asked> asked) override {
        if (asked.empty()) {
            return ok();
        }
        const Query& first = asked.front().query;
        return told(meter_of(first), first.name, [&] { return session_->query_all(ctx, asked); });
    }

    Status begin(const Ctx& ctx) override {
        return told(begin_, kBegin.type, [&] { return session_->begin(ctx); });
    }
    Status commit(const Ctx& ctx) override {
        return told(commit_, kCommit.type, [&] { return session_->commit(ctx); });
    }
    void rollback() noexcept override { session_->rollback(); }
    Status sync(const Ctx& ctx) override { return session_->sync(ctx); }
    Status prepare(const Query& query) override { return session_->prepare(query); }
    Status hold(const Ctx& ctx, std::string_view what, std::int64_t key) override {
        return told(hold_, "hold", [&] { return session_->hold(ctx, what, key); });
    }
    Status check(const Ctx& ctx) override { return session_->check(ctx); }
    void set_patience(Duration patience) override { session_->set_patience(patience); }

  private:
    template <class Work>
    Status told(StatementMeter& meter, std::string_view name, const Work& work) {
        const TimePoint begun = clock_.now();
        Status done = work();
        meter.done(name, clock_.now() - begun, done ? nullptr : &done.error());
        return done;
    }

    /// Queries are constants: the address of the text stands for it.
    StatementMeter& meter_of(const Query& query) {
        const auto [found, is_new] = meters_.try_emplace(query.sql.data(), nullptr);
        if (is_new) {
            found->second = &observer_.meter(kind_of(query.sql));
        }
        return *found->second;
    }

    std::unique_ptr<Session> session_;
    const Clock& clock_;
    StatementObserver& observer_;
    StatementMeter& begin_;
    StatementMeter& commit_;
    StatementMeter& hold_;
    std::unordered_map<const char*, StatementMeter*> meters_;
};

class ObservedDatabase final : public Database {
  public:
    ObservedDatabase(
        std::unique_ptr<Database> database, const Clock& clock, StatementObserver& observer
    )
        : database_(std::move(database)), clock_(clock), observer_(observer) {}

    Result<std::unique_ptr<Session>> open_session(const Ctx& ctx, Durability durability) override {
        auto session = database_->open_session(ctx, durability);
        if (!session) {
            observer_.connection_failed(session.error());
            return session.error();
        }
        return std::make_unique<ObservedSession>(*std::move(session), clock_, observer_);
    }
    Status migrate(const Ctx& ctx) override { return database_->migrate(ctx); }

  private:
    std::unique_ptr<Database> database_;
    const Clock& clock_;
    StatementObserver& observer_;
};

}  // namespace

StatementKind kind_of(std::string_view sql) {
    constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kTypes{{
        {"SELECT", "select"},
        {"WITH", "select"},
        {"INSERT", "insert"},
        {"REPLACE", "insert"},
        {"UPDATE", "update"},
        {"DELETE", "delete"},
    }};
    StatementKind out{.type = "other", .table = "none"};
    std::string_view word = next_word(sql);
    for (const auto& [verb, type] : kTypes) {
        if (equals_fold(word, verb)) {
            out.type = type;
        }
    }
    for (; !word.empty(); word = next_word(sql)) {
        if (equals_fold(word, "FROM") || equals_fold(word, "INTO") ||
            (equals_fold(word, "UPDATE") && out.type == "update")) {
            const std::string_view table = next_word(sql);
            if (!table.empty() && !equals_fold(table, "SELECT")) {
                out.table = table;
                break;
            }
        }
    }
    return out;
}

std::unique_ptr<Database> observe_database(
    std::unique_ptr<Database> database, const Clock& clock, StatementObserver& observer
) {
    return std::make_unique<ObservedDatabase>(std::move(database), clock, observer);
}

}  // namespace lab::storage
