#include "storage/store/impl/sqlite_session.h"

#include "storage/objects/file_error.h"
#include "storage/store/impl/sqlite_error.h"

#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <ctime>

namespace lab::storage {
namespace {

/// About half a millisecond of work between two looks at the clock.
constexpr int kProgressOps = 4000;
/// A checkpoint is tried when the log has grown to 32 MB (pages of 4 KiB).
constexpr int kCheckpointFrames = 8000;
/// From 64 MB on the next writer waits for readers, a little, so that the log can start over.
constexpr int kRestartFrames = 16'384;
constexpr Duration kRestartWaitMax = std::chrono::milliseconds(5);
constexpr int kRestartAttempts = 20;
constexpr Duration kWaitStepMax = std::chrono::milliseconds(20);

constexpr Query kBegin{"begin", "BEGIN IMMEDIATE"};
constexpr Query kBeginExclusive{"begin_exclusive", "BEGIN EXCLUSIVE"};
constexpr Query kCommit{"commit", "COMMIT"};
constexpr Query kRollback{"rollback", "ROLLBACK"};
constexpr Query kOpenLog{"open_log", "SELECT 1 FROM sqlite_master LIMIT 1"};

class SqliteRow final : public Row {
  public:
    explicit SqliteRow(sqlite3_stmt* statement) : statement_(statement) {}
    bool is_null(int column) const override {
        return sqlite3_column_type(statement_, column) == SQLITE_NULL;
    }
    std::int64_t integer(int column) const override {
        return sqlite3_column_int64(statement_, column);
    }
    double real(int column) const override { return sqlite3_column_double(statement_, column); }
    std::string_view text(int column) const override {
        const auto* const data =
            reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
        return {data != nullptr ? data : "", bytes(column)};
    }
    std::string_view blob(int column) const override {
        const auto* const data = static_cast<const char*>(sqlite3_column_blob(statement_, column));
        return {data != nullptr ? data : "", bytes(column)};
    }

  private:
    std::size_t bytes(int column) const {
        return static_cast<std::size_t>(sqlite3_column_bytes(statement_, column));
    }
    sqlite3_stmt* statement_;
};

/// A view may have no address when it is empty; SQLite would take that for NULL.
const char* address_of(std::string_view bytes) {
    return bytes.data() != nullptr ? bytes.data() : "";
}

int bind_value(sqlite3_stmt* statement, int position, const Value& value) {
    switch (value.index()) {
        case 1:
            return sqlite3_bind_int64(statement, position, *std::get_if<1>(&value));
        case 2:
            return sqlite3_bind_double(statement, position, *std::get_if<2>(&value));
        case 3: {
            const std::string_view text = *std::get_if<3>(&value);
            return sqlite3_bind_text64(
                statement, position, address_of(text), text.size(), SQLITE_STATIC, SQLITE_UTF8
            );
        }
        case 4: {
            const std::string_view bytes = std::get_if<4>(&value)->bytes;
            return sqlite3_bind_blob64(
                statement, position, address_of(bytes), bytes.size(), SQLITE_STATIC
            );
        }
        default:
            return sqlite3_bind_null(statement, position);
    }
}

}  // namespace

SqliteSession::Statement::Statement(Statement&& other) noexcept { *this = std::move(other); }
SqliteSession::Statement& SqliteSession::Statement::operator=(Statement&& other) noexcept {
    std::swap(handle, other.handle);
    std::swap(sql, other.sql);
    std::swap(positions, other.positions);
    std::swap(running, other.running);
    return *this;
}
SqliteSession::Statement::~Statement() { sqlite3_finalize(handle); }

/// Says who waits while a call is under way; calls may be nested (a row's callback may ask again).
class SqliteSession::Waiting {
  public:
    Waiting(SqliteSession& session, const Ctx* ctx, Duration wait_max)
        : session_(session),
          ctx_(session.ctx_),
          wait_max_(session.wait_max_),
          waited_(session.waited_) {
        session.ctx_ = ctx;
        session.wait_max_ = wait_max;
        session.waited_ = Duration::zero();
    }
    ~Waiting() {
        session_.ctx_ = ctx_;
        session_.wait_max_ = wait_max_;
        session_.waited_ = waited_;
    }
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;

  private:
    SqliteSession& session_;
    const Ctx* ctx_;
    Duration wait_max_;
    Duration waited_;
};

/// A statement between bind and reset.
class SqliteSession::Run {
  public:
    explicit Run(Statement& statement) : statement_(statement) { statement_.running = true; }
    ~Run() {
        sqlite3_reset(statement_.handle);
        statement_.running = false;
    }
    Run(const Run&) = delete;
    Run& operator=(const Run&) = delete;

  private:
    Statement& statement_;
};

/// What SQLite calls back.
struct SqliteSession::Hooks {
    static int on_progress(void* self) {
        const Ctx* const ctx = static_cast<SqliteSession*>(self)->ctx_;
        return ctx != nullptr && !ctx->check() ? 1 : 0;
    }
    static int on_busy(void* self, int /*times*/) {
        return static_cast<SqliteSession*>(self)->wait_a_little() ? 1 : 0;
    }
    static void now_ms(sqlite3_context* context, int /*count*/, sqlite3_value** /*values*/) {
        const Ctx* const ctx = static_cast<SqliteSession*>(sqlite3_user_data(context))->ctx_;
        if (ctx == nullptr) {
            sqlite3_result_error(context, "there is no clock", -1);
            return;
        }
        const auto now = ctx->clock().wall().time_since_epoch();
        sqlite3_result_int64(
            context, std::chrono::duration_cast<std::chrono::milliseconds>(now).count()
        );
    }
    /// After each commit. A checkpoint that fails costs nothing but a longer log: the commit is
    /// safe in it, and the next commit says when the disk is full.
    static int on_wal(void* self, sqlite3* connection, const char* database, int frames) {
        auto& session = *static_cast<SqliteSession*>(self);
        if (frames < kCheckpointFrames) {
            session.wal_restart_at_frames_ = kRestartFrames;
            return SQLITE_OK;
        }
        if (frames < session.wal_restart_at_frames_) {
            const int mode = SQLITE_CHECKPOINT_PASSIVE;
            sqlite3_wal_checkpoint_v2(connection, database, mode, nullptr, nullptr);
            return SQLITE_OK;
        }
        session.wal_restart_at_frames_ = frames + kRestartFrames / 4;
        // A reader that begins anew while it is waited for can keep an attempt from succeeding;
        // the next attempt finds it up to date. So: many short ones.
        for (int attempt = 0; attempt < kRestartAttempts; ++attempt) {
            const Waiting waiting(session, session.ctx_, kRestartWaitMax);
            const int mode = SQLITE_CHECKPOINT_RESTART;
            if (sqlite3_wal_checkpoint_v2(connection, database, mode, nullptr, nullptr) !=
                SQLITE_BUSY) {
                break;
            }
        }
        return SQLITE_OK;
    }
};

/// Before another attempt at a lock that somebody else holds: false when it is time to give up.
/// The waiting is counted, not measured, so that it ends with any clock.
bool SqliteSession::wait_a_little() {
    if (waited_ >= wait_max_ || (ctx_ != nullptr && !ctx_->check())) {
        return false;
    }
    Duration step = std::clamp<Duration>(waited_ / 4, std::chrono::microseconds(100), kWaitStepMax);
    step = std::min(step, wait_max_ - waited_);
    if (ctx_ != nullptr) {
        step = std::min(step, ctx_->remaining());
    }
    std::timespec time{.tv_sec = 0, .tv_nsec = static_cast<long>(step.count())};
    ::nanosleep(&time, nullptr);
    waited_ += std::max<Duration>(step, std::chrono::microseconds(1));
    return true;
}

Error SqliteSession::error(int code, std::string_view doing) const {
    const int kind = code & 0xff;
    if (ctx_ != nullptr && (kind == SQLITE_INTERRUPT || kind == SQLITE_BUSY)) {
        if (const Status status = ctx_->check(); !status) {
            return status.error();
        }
    }
    Error out = sqlite_error(connection_, code, target_.options.path, doing);
    if (kind == SQLITE_BUSY || kind == SQLITE_LOCKED) {
        const auto seconds = std::chrono::duration<double>(waited_).count();
        std::array<char, 32> text{};
        std::snprintf(text.data(), text.size(), "%.1f s", seconds);
        out.message = "another process has held the database " + target_.options.path + " for " +
                      text.data() + ": try again when it is done";
    }
    return out;
}

Result<std::unique_ptr<SqliteSession>> SqliteSession::open(
    const Ctx& ctx, const SqliteTarget& target, Durability durability
) {
    LAB_CHECK(ctx.check());
    std::unique_ptr<SqliteSession> session(new SqliteSession(target));
    LAB_CHECK(session->connect());
    LAB_CHECK(session->configure(ctx, durability));
    return session;
}

SqliteSession::~SqliteSession() {
    statements_.clear();
    sqlite3_close_v2(connection_);
}

Status SqliteSession::connect() {
    const bool in_memory = !target_.uri.empty();
    const std::string& name = in_memory ? target_.uri : target_.options.path;
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX |
                      SQLITE_OPEN_EXRESCODE | (in_memory ? SQLITE_OPEN_URI : 0);
    const int code = sqlite3_open_v2(name.c_str(), &connection_, flags, nullptr);
    if (code != SQLITE_OK) {
        return error(code, "open");
    }
    // A file that may only be read is opened all the same, and would fail at the first result.
    if (sqlite3_db_readonly(connection_, "main") == 1) {
        const bool denied = ::access(target_.options.path.c_str(), W_OK) != 0 && errno != EROFS;
        return file_error("write", target_.options.path, denied ? EACCES : EROFS);
    }
    sqlite3_busy_handler(connection_, &Hooks::on_busy, this);
    sqlite3_progress_handler(connection_, kProgressOps, &Hooks::on_progress, this);
    // The clock of leases, which PostgreSQL's schema has as a function of this name.
    const int made = sqlite3_create_function_v2(
        connection_,
        "lab_now_ms",
        0,
        SQLITE_UTF8 | SQLITE_DIRECTONLY,
        this,
        &Hooks::now_ms,
        nullptr,
        nullptr,
        nullptr
    );
    return made == SQLITE_OK ? ok() : Status(error(made, "open"));
}

Status SqliteSession::set_pragma(const Ctx& ctx, const char* sql) {
    return run_script(ctx, "pragma", sql);
}

Status SqliteSession::configure(const Ctx& ctx, Durability durability) {
    sqlite3_db_config(connection_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    sqlite3_db_config(connection_, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
    sqlite3_db_config(connection_, SQLITE_DBCONFIG_ENABLE_FKEY, 1, nullptr);
    // A pragma takes no parameters; what is written into it is a number of ours.
    std::array<char, 64> cache{};
    const std::int64_t kib = std::clamp<std::int64_t>(target_.options.cache_kib, 64, 1 << 20);
    std::snprintf(
        cache.data(), cache.size(), "PRAGMA cache_size = -%lld", static_cast<long long>(kib)
    );
    LAB_CHECK(set_pragma(ctx, cache.data()));
    // In WAL mode NORMAL writes a commit to the log and leaves the disk to sync().
    const bool at_once = durability == Durability::on_commit;
    LAB_CHECK(set_pragma(ctx, at_once ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL")
    );
    LAB_CHECK(set_pragma(ctx, "PRAGMA mmap_size = 0"));
    // Overwriting what is deleted would cost a second write for every intent.
    LAB_CHECK(set_pragma(ctx, "PRAGMA secure_delete = OFF"));
    LAB_CHECK(set_pragma(ctx, "PRAGMA journal_size_limit = 67108864"));
    if (!target_.uri.empty()) {
        return ok();
    }
    LAB_CHECK(use_wal(ctx));
    sqlite3_wal_hook(connection_, &Hooks::on_wal, this);
    wal_restart_at_frames_ = kRestartFrames;
    return ok();
}

/// The first to open a new database changes its mode, for which it must be alone: whoever comes at
/// the same moment tries again.
Status SqliteSession::use_wal(const Ctx& ctx) {
    const Waiting waiting(*this, &ctx, target_.options.busy_timeout);
    const auto keep_answer = [](void* answer, int /*columns*/, char** values, char** /*names*/) {
        *static_cast<std::string*>(answer) = values[0] != nullptr ? values[0] : "";
        return 0;
    };
    for (;;) {
        std::string mode;
        const int code =
            sqlite3_exec(connection_, "PRAGMA journal_mode = WAL", keep_answer, &mode, nullptr);
        if (code == SQLITE_OK && mode == "wal") {
            return ok();
        }
        if (code == SQLITE_OK) {
            return Error(
                Code::io,
                "the disk that holds " + target_.options.path +
                    " does not do what a safe journal needs: set LLM_RESEARCH_HOME to a folder on "
                    "a local disk"
            );
        }
        if ((code & 0xff) != SQLITE_BUSY || !wait_a_little()) {
            return error(code, "journal_mode");
        }
    }
}

Result<SqliteSession::Statement> SqliteSession::compile(const Query& query) {
    Statement statement;
    const char* rest = nullptr;
    const int code = sqlite3_prepare_v3(
        connection_,
        query.sql.data(),
        static_cast<int>(query.sql.size()),
        SQLITE_PREPARE_PERSISTENT,
        &statement.handle,
        &rest
    );
    if (code != SQLITE_OK) {
        return error(code, query.name);
    }
    const char* const end = query.sql.data() + query.sql.size();
    if (statement.handle == nullptr ||
        std::any_of(rest, end, [](char c) { return c != ' ' && c != '\n' && c != ';'; })) {
        return Error(Code::internal, "query " + std::string(query.name) + " is not one statement");
    }
    statement.sql = query.sql.data();
    const int count = sqlite3_bind_parameter_count(statement.handle);
    for (int i = 1; i <= count; ++i) {
        const std::string parameter = "$" + std::to_string(i);
        const int position = sqlite3_bind_parameter_index(statement.handle, parameter.c_str());
        if (position == 0) {
            return Error(
                Code::internal,
                "query " + std::string(query.name) + ": parameters are $1 to $n, without gaps"
            );
        }
        statement.positions.push_back(position);
    }
    return statement;
}

Result<SqliteSession::Statement*> SqliteSession::statement_for(const Query& query) {
    const auto found = statements_.find(&query);
    if (found != statements_.end() && found->second.sql == query.sql.data()) {
        return &found->second;
    }
    LAB_TRY(auto fresh, compile(query));
    Statement& kept = statements_[&query];
    LAB_ASSERT(!kept.running, "a query keeps its text while it runs");
    kept = std::move(fresh);
    return &kept;
}

Status SqliteSession::bind(
    const Statement& statement, const Query& query, std::span<const Value> values
) {
    if (values.size() != statement.positions.size()) {
        return Error(
            Code::internal,
            "query " + std::string(query.name) + " takes " +
                std::to_string(statement.positions.size()) + " values, not " +
                std::to_string(values.size())
        );
    }
    for (std::size_t i = 0; i < values.size(); ++i) {
        const int code = bind_value(statement.handle, statement.positions[i], values[i]);
        if (code != SQLITE_OK) {
            return error(code, query.name);
        }
    }
    return ok();
}

Result<std::int64_t> SqliteSession::exec(
    const Ctx& ctx, const Query& query, std::span<const Value> values
) {
    LAB_CHECK(ctx.check());
    const Waiting waiting(*this, &ctx, target_.options.busy_timeout);
    LAB_TRY(Statement * statement, statement_for(query));
    LAB_ASSERT(!statement->running, "a statement that changes rows does not call itself");
    const Run run(*statement);
    LAB_CHECK(bind(*statement, query, values));
    const int before = sqlite3_total_changes(connection_);
    errno = 0;  // so that a failure of the disk can be told from an older one
    int code = sqlite3_step(statement->handle);
    while (code == SQLITE_ROW) {
        code = sqlite3_step(statement->handle);
    }
    if (code != SQLITE_DONE) {
        return error(code, query.name);
    }
    // changes() keeps the number of an earlier statement when this one changed nothing.
    const bool changed = sqlite3_total_changes(connection_) != before;
    return changed ? sqlite3_changes64(connection_) : std::int64_t{0};
}

Status SqliteSession::query(
    const Ctx& ctx, const Query& query, std::span<const Value> values, const RowCallback& on_row
) {
    LAB_CHECK(ctx.check());
    const Waiting waiting(*this, &ctx, target_.options.busy_timeout);
    LAB_TRY(Statement * statement, statement_for(query));
    // The callback of a row may run the same query: then that one has a statement of its own.
    Statement own;
    if (statement->running) {
        LAB_TRY(own, compile(query));
        statement = &own;
    }
    const Run run(*statement);
    LAB_CHECK(bind(*statement, query, values));
    const SqliteRow row(statement->handle);
    for (;;) {
        errno = 0;
        const int code = sqlite3_step(statement->handle);
        if (code == SQLITE_DONE) {
            return ok();
        }
        if (code != SQLITE_ROW) {
            return error(code, query.name);
        }
        LAB_CHECK(on_row(row));
    }
}

Status SqliteSession::begin(const Ctx& ctx) {
    LAB_ASSERT(sqlite3_get_autocommit(connection_) != 0, "transactions are not nested");
    LAB_CHECK(exec(ctx, kBegin, {}));
    return ok();
}

Status SqliteSession::begin_exclusive(const Ctx& ctx) {
    LAB_ASSERT(sqlite3_get_autocommit(connection_) != 0, "transactions are not nested");
    LAB_CHECK(exec(ctx, kBeginExclusive, {}));
    return ok();
}

/// Not cut short by the caller's deadline: the work is done, only the disk is waited for.
Status SqliteSession::commit(const Ctx& /*ctx*/) {
    const Waiting waiting(*this, nullptr, target_.options.busy_timeout);
    LAB_TRY(Statement * statement, statement_for(kCommit));
    const Run run(*statement);
    errno = 0;
    const int code = sqlite3_step(statement->handle);
    if (code != SQLITE_DONE) {
        return error(code, kCommit.name);
    }
    return ok();
}

void SqliteSession::rollback() noexcept {
    // A failure such as a full disk has ended the transaction already.
    if (sqlite3_get_autocommit(connection_) != 0) {
        return;
    }
    const Waiting waiting(*this, nullptr, Duration::zero());
    if (const auto statement = statement_for(kRollback)) {
        const Run run(**statement);
        sqlite3_step((*statement)->handle);
    }
}

/// A transaction that may write is alone from its first statement on.
Status SqliteSession::hold(const Ctx& ctx, std::string_view /*what*/, std::int64_t /*key*/) {
    LAB_ASSERT(sqlite3_get_autocommit(connection_) == 0, "things are held within a transaction");
    return ctx.check();
}

Status SqliteSession::check(const Ctx& /*ctx*/) {
    if (sqlite3_get_autocommit(connection_) == 0) {
        return Error(Code::unavailable, "a transaction was left open");
    }
    return ok();
}

Status SqliteSession::sync(const Ctx& ctx) {
    if (!target_.uri.empty()) {
        return ok();
    }
    // The log is one file for all sessions; this one opens it with its first read.
    LAB_CHECK(query(ctx, kOpenLog, {}, [](const Row&) { return ok(); }));
    sqlite3_file* log = nullptr;
    int code = sqlite3_file_control(connection_, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
    if (code == SQLITE_OK && log != nullptr && log->pMethods != nullptr) {
        errno = 0;
        code = log->pMethods->xSync(log, SQLITE_SYNC_NORMAL);
    }
    return code == SQLITE_OK ? ok() : error(code, "sync");
}

Status SqliteSession::prepare(const Query& query) {
    LAB_CHECK(statement_for(query));
    return ok();
}

Status SqliteSession::run_script(const Ctx& ctx, std::string_view name, std::string_view sql) {
    LAB_CHECK(ctx.check());
    const Waiting waiting(*this, &ctx, target_.options.busy_timeout);
    errno = 0;
    const int code = sqlite3_exec(connection_, std::string(sql).c_str(), nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) {
        return error(code, name);
    }
    return ok();
}

}  // namespace lab::storage
