#include "storage/store/impl/postgres_session.h"

#include "base/hash.h"
#include "storage/store/impl/postgres_error.h"
#include "storage/store/impl/postgres_row.h"

#include <libpq-fe.h>

#include <algorithm>
#include <charconv>

namespace lab::storage {
namespace {

/// Statements a session remembers; beyond, each is sent whole every time.
constexpr std::size_t kPreparedMax = 1'000;
/// What lay idle for less is trusted without a round trip.
constexpr Duration kTrustedFor = std::chrono::seconds(15);
constexpr Duration kRollbackMax = std::chrono::seconds(2);
/// The server ends a statement itself; we wait a little longer for it to say so.
constexpr Duration kGrace = std::chrono::seconds(2);

constexpr Query kBegin{"begin", "BEGIN"};
constexpr Query kCommit{"commit", "COMMIT"};
constexpr Query kRollback{"rollback", "ROLLBACK"};
constexpr Query kCheck{"check", "SELECT 1"};
// The locks of a transaction go with it, also behind a pooler.
constexpr Query kHold{"hold", "SELECT pg_advisory_xact_lock($1)"};
// $2: whether for the transaction alone. A server looks every 10 s whether its client is still
// there; a transaction that nobody goes on with is rolled back.
constexpr Query kSetTimeout{
    "set_timeout",
    "SELECT set_config('statement_timeout', $1, CAST($2 AS BOOLEAN)), "
    "set_config('idle_in_transaction_session_timeout', '30s', CAST($2 AS BOOLEAN)), "
    "set_config('client_connection_check_interval', '10s', CAST($2 AS BOOLEAN))"
};
constexpr Query kSetLazy{
    "set_lazy", "SELECT set_config('synchronous_commit', 'off', CAST($1 AS BOOLEAN))"
};
// A commit waits until the log is on the disk up to its own record, and with it everything that was
// committed before by anybody. The message is what there is to commit: without a record of its own
// a transaction would wait for nothing.
constexpr Query kSync{
    "sync",
    "BEGIN; SET LOCAL synchronous_commit = on; "
    "SELECT pg_logical_emit_message(true, 'llm-research', 'sync'); COMMIT"
};

const char* address_of(std::string_view bytes) {
    return bytes.data() != nullptr ? bytes.data() : "";
}

bool is_blank(std::string_view sql) { return sql.find_first_not_of(" \t\n;") == sql.npos; }

std::string milliseconds(Duration duration) {
    return std::to_string(std::max<std::int64_t>(
        1, std::chrono::duration_cast<std::chrono::milliseconds>(duration).count()
    ));
}

}  // namespace

PostgresSession::PostgresSession(
    std::unique_ptr<PostgresConnection> connection, Duration statement_max, Durability durability
)
    : connection_(std::move(connection)),
      statement_max_(statement_max),
      statement_max_text_(milliseconds(statement_max)),
      durability_(durability) {}

PostgresSession::~PostgresSession() = default;

Result<std::unique_ptr<PostgresSession>> PostgresSession::open(
    const Ctx& ctx, const PostgresTarget& target, Durability durability
) {
    LAB_TRY(auto connection, PostgresConnection::open(ctx, target));
    std::unique_ptr<PostgresSession> session(
        new PostgresSession(std::move(connection), target.options.statement_timeout, durability)
    );
    session->used_at_ = ctx.clock().now();
    if (!session->is_pooled()) {
        const Value timeout[] = {std::string_view(session->statement_max_text_), std::int64_t{0}};
        LAB_CHECK(session->exec(ctx, kSetTimeout, timeout));
        if (durability == Durability::on_sync) {
            const Value lasting[] = {std::int64_t{0}};
            LAB_CHECK(session->exec(ctx, kSetLazy, lasting));
        }
    }
    return session;
}

/// Before anything is sent: the connection is there, and nobody's rows are on their way.
Status PostgresSession::start(const Ctx& ctx, const Query& query) {
    LAB_CHECK(ctx.check());
    if (connection_->is_lost()) {
        return connection_lost(query.name, "it was lost before");
    }
    used_at_ = ctx.clock().now();
    if (streaming_ != nullptr) {
        while (!streaming_->ended) {
            LAB_CHECK(take(*streaming_, "rows"));
        }
    }
    connection_->arm(&ctx, statement_max_ + kGrace);
    return ok();
}

void PostgresSession::bind(std::span<const Value> values) {
    values_.clear();
    lengths_.clear();
    formats_.clear();
    numbers_.clear();
    numbers_.reserve(values.size());  // they stay where they are
    const auto add = [&](const char* data, std::size_t size, int format) {
        values_.push_back(data);
        lengths_.push_back(static_cast<int>(size));
        formats_.push_back(format);
    };
    const auto add_number = [&](auto number) {
        std::array<char, 32>& text = numbers_.emplace_back();
        *std::to_chars(text.data(), text.data() + text.size() - 1, number).ptr = '\0';
        add(text.data(), 0, 0);
    };
    for (const Value& value : values) {
        if (const auto* const number = std::get_if<std::int64_t>(&value)) {
            add_number(*number);
        } else if (const auto* const real = std::get_if<double>(&value)) {
            add_number(*real);
        } else if (const auto* const text = std::get_if<std::string_view>(&value)) {
            add(address_of(*text), text->size(), 1);
        } else if (const auto* const blob = std::get_if<Blob>(&value)) {
            add(address_of(blob->bytes), blob->bytes.size(), 1);
        } else {
            add(nullptr, 0, 0);
        }
    }
}

/// nullptr: the text is sent every time.
Result<const PostgresSession::Prepared*> PostgresSession::prepared(const Query& query) {
    if (is_blank(query.sql)) {
        return Error(Code::internal, "query " + std::string(query.name) + " is not one statement");
    }
    if (is_pooled()) {
        return nullptr;
    }
    const auto found = statements_.find(&query);
    if (found != statements_.end() && found->second.sql == query.sql.data()) {
        return &found->second;
    }
    if (found == statements_.end() && statements_.size() >= kPreparedMax) {
        return nullptr;
    }
    const std::string name = std::string(query.name) + "_" + std::to_string(++last_statement_);
    const std::string sql(query.sql);
    if (PQsendPrepare(connection_->raw(), name.c_str(), sql.c_str(), 0, nullptr) == 0) {
        return connection_lost(query.name, connection_->said());
    }
    if (Status flushed = connection_->flush(); !flushed) {
        return given_up(flushed.error(), query.name);
    }
    LAB_CHECK(finish(query.name));
    Prepared& kept = statements_[&query];
    kept = {.sql = query.sql.data(), .name = name};
    return &kept;
}

Status PostgresSession::send(
    const Query& query, const Prepared* statement, std::span<const Value> values
) {
    bind(values);
    const int count = static_cast<int>(values.size());
    constexpr int kBinary = 1;
    const int sent = statement != nullptr ? PQsendQueryPrepared(
                                                connection_->raw(),
                                                statement->name.c_str(),
                                                count,
                                                values_.data(),
                                                lengths_.data(),
                                                formats_.data(),
                                                kBinary
                                            )
                                          : PQsendQueryParams(
                                                connection_->raw(),
                                                std::string(query.sql).c_str(),
                                                count,
                                                nullptr,
                                                values_.data(),
                                                lengths_.data(),
                                                formats_.data(),
                                                kBinary
                                            );
    if (sent == 0) {
        return connection_->is_lost()
                   ? connection_lost(query.name, connection_->said())
                   : Error(
                         Code::payload_too_large,
                         "a value is too large for the database (" + std::string(query.name) + ")"
                     );
    }
    return ok();
}

Error PostgresSession::failed(pg_result* result, std::string_view doing) {
    const char* const state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    if (state == nullptr) {
        connection_->set_lost();
        return connection_lost(doing, PQresultErrorMessage(result));
    }
    const std::string_view code = state;
    const char* const words = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    // A server that became a standby, or goes away, is of no more use to this session. A plan that
    // a migration has overtaken is made anew next time.
    if (code == "25006" || code.starts_with("57P")) {
        connection_->set_lost();
    } else if (code == "0A000" || code == "26000") {
        statements_.clear();
    }
    return postgres_error(code, doing, words != nullptr ? words : "");
}

Error PostgresSession::given_up(Error why, std::string_view doing) {
    connection_->stop();
    if (why.cause.empty()) {
        why.cause = std::string(doing);
    }
    return why;
}

Result<PostgresResult> PostgresSession::finish(std::string_view doing) {
    PostgresResult last;
    for (;;) {
        auto result = connection_->next();
        if (!result) {
            return given_up(result.error(), doing);
        }
        if (!*result) {
            break;
        }
        if (!last || PQresultStatus(last.get()) != PGRES_FATAL_ERROR) {
            last = *std::move(result);
        }
    }
    if (!last) {
        connection_->set_lost();
        return connection_lost(doing, connection_->said());
    }
    if (PQresultStatus(last.get()) == PGRES_FATAL_ERROR) {
        return failed(last.get(), doing);
    }
    return last;
}

Result<std::int64_t> PostgresSession::exec(
    const Ctx& ctx, const Query& query, std::span<const Value> values
) {
    LAB_CHECK(start(ctx, query));
    LAB_TRY(const Prepared* statement, prepared(query));
    LAB_CHECK(send(query, statement, values));
    if (Status flushed = connection_->flush(); !flushed) {
        return given_up(flushed.error(), query.name);
    }
    LAB_TRY(const PostgresResult result, finish(query.name));
    return changed_rows(result.get());
}

/// One result of a query under way; at its end the stream has ended.
Status PostgresSession::take(Stream& stream, std::string_view doing) {
    auto result = connection_->next();
    if (!result) {
        stream.ended = true;
        stream.failed = true;
        stream.error = given_up(result.error(), doing);
        return stream.error;
    }
    if (!*result) {
        stream.ended = true;
        return ok();
    }
    if (PQresultStatus(result->get()) == PGRES_FATAL_ERROR) {
        stream.failed = true;
        stream.error = failed(result->get(), doing);
    } else if (PQntuples(result->get()) > 0) {
        stream.arrived.push_back(*std::move(result));
    }
    return ok();
}

Status PostgresSession::each_row(Stream& stream, const Query& query, const RowCallback& on_row) {
    bool is_first = true;
    for (;;) {
        while (stream.arrived.empty() && !stream.ended) {
            LAB_CHECK(take(stream, query.name));
        }
        if (stream.arrived.empty()) {
            return stream.failed ? Status(stream.error) : ok();
        }
        const PostgresResult result = std::move(stream.arrived.front());
        stream.arrived.pop_front();
        if (is_first) {
            LAB_CHECK(check_columns(result.get(), query.name));
            is_first = false;
        }
        const PostgresRow row(result.get());
        LAB_CHECK(on_row(row));
    }
}

Status PostgresSession::query(
    const Ctx& ctx, const Query& query, std::span<const Value> values, const RowCallback& on_row
) {
    LAB_CHECK(start(ctx, query));
    LAB_TRY(const Prepared* statement, prepared(query));
    LAB_CHECK(send(query, statement, values));
    // Row by row: a page of large outputs need not fit into memory twice.
    PQsetSingleRowMode(connection_->raw());
    if (Status flushed = connection_->flush(); !flushed) {
        return given_up(flushed.error(), query.name);
    }
    Stream stream;
    struct Streaming {
        PostgresSession& session;
        Stream& stream;
        Stream* outer;
        Streaming(PostgresSession& s, Stream& own)
            : session(s), stream(own), outer(std::exchange(s.streaming_, &own)) {}
        ~Streaming() {
            // Whoever does not want the rest does not wait for it.
            if (!stream.ended) {
                session.connection_->stop();
            }
            session.streaming_ = outer;
        }
        Streaming(const Streaming&) = delete;
        Streaming& operator=(const Streaming&) = delete;
    } streaming(*this, stream);
    return each_row(stream, query, on_row);
}

Status PostgresSession::run(const Ctx* ctx, const Query& query) {
    if (connection_->is_lost()) {
        return connection_lost(query.name, "it was lost before");
    }
    connection_->arm(ctx, statement_max_ + kGrace);
    const auto done = connection_->run(query);
    if (!done) {
        return given_up(done.error(), query.name);
    }
    return ok();
}

Status PostgresSession::begin(const Ctx& ctx) {
    LAB_CHECK(start(ctx, kBegin));
    LAB_ASSERT(
        PQtransactionStatus(connection_->raw()) == PQTRANS_IDLE, "transactions are not nested"
    );
    LAB_CHECK(run(&ctx, kBegin));
    if (!is_pooled()) {
        return ok();
    }
    const Status set = set_local(ctx);
    if (!set) {
        rollback();
    }
    return set;
}

/// Behind a pooler a setting lives as long as the transaction.
Status PostgresSession::set_local(const Ctx& ctx) {
    const Value timeout[] = {std::string_view(statement_max_text_), std::int64_t{1}};
    LAB_CHECK(exec(ctx, kSetTimeout, timeout));
    if (durability_ == Durability::on_sync) {
        const Value local[] = {std::int64_t{1}};
        LAB_CHECK(exec(ctx, kSetLazy, local));
    }
    return ok();
}

/// Not cut short by the caller's deadline: the work is done, only its end is waited for.
Status PostgresSession::commit(const Ctx& /*ctx*/) {
    const auto state = PQtransactionStatus(connection_->raw());
    if (connection_->is_lost()) {
        return connection_lost(kCommit.name, "it was lost before the commit");
    }
    if (state != PQTRANS_INTRANS) {
        rollback();
        return Error(Code::internal, "a transaction with a failed statement cannot be committed");
    }
    connection_->arm(nullptr, statement_max_ + kGrace);
    const auto done = connection_->run(kCommit);
    if (done) {
        // What cannot be committed is rolled back, and the server calls that a success.
        return std::string_view(PQcmdStatus(done->get())) == "COMMIT"
                   ? ok()
                   : Status(Error(Code::internal, "the database rolled a transaction back"));
    }
    Error error = given_up(done.error(), kCommit.name);
    if (connection_->is_lost()) {
        error.code = Code::unavailable;
        error.message =
            "the connection to the database was lost while a change was being stored: look whether "
            "it is there before it is tried again";
    }
    return error;
}

void PostgresSession::rollback() noexcept {
    if (connection_->is_lost()) {
        return;  // the server rolls back what its client leaves behind
    }
    if (streaming_ != nullptr && !streaming_->ended) {
        connection_->stop();
        streaming_->ended = true;
        streaming_->failed = true;
        streaming_->error = Error(Code::internal, "a transaction ended while its rows were read");
    }
    if (PQtransactionStatus(connection_->raw()) == PQTRANS_ACTIVE) {
        connection_->stop();
    }
    if (connection_->is_lost() || PQtransactionStatus(connection_->raw()) == PQTRANS_IDLE) {
        return;
    }
    connection_->arm(nullptr, kRollbackMax);
    if (!connection_->run(kRollback)) {
        connection_->set_lost();
    }
}

Status PostgresSession::hold(const Ctx& ctx, std::string_view what, std::int64_t key) {
    LAB_ASSERT(
        connection_->is_lost() || PQtransactionStatus(connection_->raw()) != PQTRANS_IDLE,
        "things are held within a transaction"
    );
    // Two things that meet in one number wait for each other for nothing: that is all.
    const auto number =
        static_cast<std::int64_t>(mix64(fnv1a64(what) ^ mix64(static_cast<std::uint64_t>(key))));
    const Value values[] = {number};
    LAB_CHECK(exec(ctx, kHold, values));
    return ok();
}

Status PostgresSession::sync(const Ctx& ctx) {
    LAB_CHECK(start(ctx, kSync));
    const Status done = run(&ctx, kSync);
    if (!done) {
        rollback();
    }
    return done;
}

Status PostgresSession::prepare(const Query& query) {
    if (is_blank(query.sql)) {
        return Error(Code::internal, "query " + std::string(query.name) + " is not one statement");
    }
    if (connection_->is_lost()) {
        return connection_lost(query.name, "it was lost before");
    }
    connection_->arm(nullptr, statement_max_);
    if (!is_pooled()) {
        LAB_CHECK(prepared(query));
        return ok();
    }
    if (PQsendPrepare(connection_->raw(), "", std::string(query.sql).c_str(), 0, nullptr) == 0) {
        return connection_lost(query.name, connection_->said());
    }
    LAB_CHECK(connection_->flush());
    LAB_CHECK(finish(query.name));
    return ok();
}

Status PostgresSession::check(const Ctx& ctx) {
    const TimePoint used_at = used_at_;
    if (connection_->has_been_closed()) {
        return connection_lost(kCheck.name, connection_->said());
    }
    if (PQtransactionStatus(connection_->raw()) != PQTRANS_IDLE) {
        return Error(Code::unavailable, "a transaction was left open");
    }
    if (ctx.clock().now() - used_at < kTrustedFor) {
        return ok();
    }
    LAB_CHECK(exec(ctx, kCheck, {}));
    return ok();
}

Status PostgresSession::run_script(const Ctx& ctx, std::string_view name, std::string_view sql) {
    const Query query{name, sql};
    LAB_CHECK(start(ctx, query));
    return run(&ctx, query);
}

}  // namespace lab::storage
