#pragma once
#include "storage/store/impl/postgres_connection.h"

#include <array>
#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace lab::storage {

/// One connection to PostgreSQL with its prepared statements. One thread at a time.
///
/// Values travel in the form that suits any type the server infers for a parameter: numbers as
/// text, texts and blobs as their bytes. Results come in binary form.
///
/// Behind a pooler that hands connections out by transaction nothing is left on the server: no
/// prepared statement, no setting, no lock of a session.
class PostgresSession final : public Session {
  public:
    static Result<std::unique_ptr<PostgresSession>> open(
        const Ctx& ctx, const PostgresTarget& target, Durability durability = Durability::on_commit
    );
    ~PostgresSession() override;
    PostgresSession(const PostgresSession&) = delete;
    PostgresSession& operator=(const PostgresSession&) = delete;

    Result<std::int64_t> exec(const Ctx& ctx, const Query& query, std::span<const Value> values)
        override;
    Status exec_many(
        const Ctx& ctx,
        const Query& query,
        std::size_t count,
        const RowValues& values_of,
        std::vector<std::int64_t>& changed
    ) override;
    Status query(
        const Ctx& ctx, const Query& query, std::span<const Value> values, const RowCallback& on_row
    ) override;
    Status query_all(const Ctx& ctx, std::span<const Asked> asked) override;
    Status begin(const Ctx& ctx) override;
    Status commit(const Ctx& ctx) override;
    void rollback() noexcept override;
    Status hold(const Ctx& ctx, std::string_view what, std::int64_t key) override;
    Status sync(const Ctx& ctx) override;
    Status prepare(const Query& query) override;
    Status check(const Ctx& ctx) override;
    void set_patience(Duration patience) override { connection_->set_patience(patience); }

    /// Runs several statements without parameters or rows.
    Status run_script(const Ctx& ctx, std::string_view name, std::string_view sql);
    bool is_pooled() const { return connection_->is_pooled(); }

  private:
    struct Prepared {
        const char* sql = nullptr;  ///< to notice another query at the same address
        std::string name;
    };
    /// The rows of a query that is not at its end.
    struct Stream {
        std::deque<PostgresResult> arrived;
        Error error{Code::internal, ""};
        bool failed = false;
        bool ended = false;
    };

    PostgresSession(
        std::unique_ptr<PostgresConnection> connection,
        Duration statement_max,
        Durability durability
    );
    Status start(const Ctx& ctx, const Query& query);
    Result<const Prepared*> prepared(const Query& query);
    Status send(const Query& query, const Prepared* statement, std::span<const Value> values);
    void bind(std::span<const Value> values);
    /// The end of a command: its error, if one of its results is one.
    Result<PostgresResult> finish(std::string_view doing);
    Error failed(pg_result* result, std::string_view doing);
    /// Why a wait ended: the command is stopped.
    Error given_up(Error why, std::string_view doing);
    Status take(Stream& stream, std::string_view doing);
    Status each_row(Stream& stream, const Query& query, const RowCallback& on_row);
    /// A row of exec_many, in pipeline mode: the next row does not wait for the answer to this one.
    Status pipeline(
        const Ctx& ctx,
        const Query& query,
        std::size_t begin,
        std::size_t end,
        const RowValues& values_of,
        std::vector<std::int64_t>& changed
    );
    Status send_pipeline(
        const Query& query,
        const Prepared& statement,
        std::size_t begin,
        std::size_t end,
        const RowValues& values_of
    );
    /// What comes in answer to the next command. Errors: the server's, those of next().
    Status read_pipeline(const Query& query, const std::function<void(PostgresResult)>& take);
    Status read_changed(const Query& query, std::size_t count, std::vector<std::int64_t>& changed);
    Status ask_all(
        std::span<const Asked> asked, std::vector<std::pair<std::size_t, PostgresResult>>& answers
    );
    /// Afterwards the connection is out of pipeline mode and idle, or lost.
    enum class PipelineEnd : std::uint8_t { answered, given_up, unsent };
    void end_pipeline(PipelineEnd how) noexcept;
    Status copy(
        const Query& query,
        std::size_t count,
        const RowValues& values_of,
        std::vector<std::int64_t>& changed
    );
    Status send_copy(const Query& query, std::size_t count, const RowValues& values_of);
    Status run(const Ctx* ctx, const Query& query);
    Status set_local(const Ctx& ctx);

    std::unique_ptr<PostgresConnection> connection_;
    const Duration statement_max_;
    const std::string statement_max_text_;
    const Durability durability_;
    std::unordered_map<const Query*, Prepared> statements_;
    std::int64_t last_statement_ = 0;
    Stream* streaming_ = nullptr;  ///< the innermost query whose rows are being read
    TimePoint used_at_;
    // Of the command being sent.
    std::vector<const char*> values_;
    std::vector<int> lengths_;
    std::vector<int> formats_;
    std::vector<std::array<char, 32>> numbers_;
};

}  // namespace lab::storage
