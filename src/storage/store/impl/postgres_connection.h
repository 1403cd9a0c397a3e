#pragma once
#include "storage/store/postgres.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

struct pg_conn;
struct pg_result;

namespace lab::storage {

struct FreeResult {
    void operator()(pg_result* result) const;
};
using PostgresResult = std::unique_ptr<pg_result, FreeResult>;

/// Where to connect to: a URL taken apart. Hosts are tried one after the other by us, because
/// libpq's own walk over them knows no limit of time when it is not blocking.
struct PostgresTarget {
    struct Host {
        std::vector<std::pair<std::string, std::string>> words;  ///< host, hostaddr, port
    };
    PostgresOptions options;
    std::vector<std::pair<std::string, std::string>> words;  ///< what all hosts share
    std::vector<Host> hosts;                                 ///< at least one
    std::string session_attrs;                               ///< of target_session_attrs
};
/// Errors: validation.
Result<PostgresTarget> parse_postgres_url(PostgresOptions options);

/// One connection that never blocks: each wait ends with its Ctx, and after a limit of its own.
/// Whoever sends a command takes all its results. One thread at a time.
class PostgresConnection {
  public:
    /// Errors: unavailable (no host takes us; the cause says what each said), timed_out, cancelled.
    static Result<std::unique_ptr<PostgresConnection>> open(
        const Ctx& ctx, const PostgresTarget& target
    );
    ~PostgresConnection();
    PostgresConnection(const PostgresConnection&) = delete;
    PostgresConnection& operator=(const PostgresConnection&) = delete;

    pg_conn* raw() const { return raw_; }
    /// Behind PgBouncer, or something like it: nothing that belongs to a session is kept.
    bool is_pooled() const { return pooled_; }
    bool is_lost() const;
    void set_lost() { lost_ = true; }
    /// What libpq says of the last failure.
    std::string said() const;

    /// Starts a wait: until the deadline of `ctx` (none: nullptr), at most `wait_max` in all.
    void arm(const Ctx* ctx, Duration wait_max);
    /// How long the server may be silent over all waits from now on, before it counts as gone.
    void set_patience(Duration patience) { patience_ = patience; }
    /// Hands over what libpq holds back. Errors: as next().
    Status flush();
    /// The next result of the command under way, or nothing at its end. Errors: unavailable (lost),
    /// timed_out, cancelled: then the command is still running, see stop().
    Result<PostgresResult> next();
    /// Takes what is left of the command under way if it is here already: whether that was all.
    bool drain_arrived();
    /// Whether the wait under way has lasted so long that the server may be gone.
    bool is_silent() const;
    /// Asks the server to give up what it is doing; not for one that is silent.
    void cancel() noexcept;
    /// Ends the command under way on the server; afterwards the connection is idle, or lost. A
    /// server that has been silent is not asked, because nobody knows for how long it would be
    /// waited for: it ends what a client has left by itself.
    void stop() noexcept;
    /// Runs text without parameters; gives the last result. Errors: as next(), and the server's.
    Result<PostgresResult> run(const Query& query);
    /// Whether the other end has closed it. Costs no round trip.
    bool has_been_closed();

  private:
    PostgresConnection() = default;
    Status connect(
        const Ctx& ctx,
        const PostgresTarget& target,
        const PostgresTarget::Host& host,
        const std::string& session_attrs
    );
    Status greet();
    Status wait(short events);

    pg_conn* raw_ = nullptr;
    bool pooled_ = false;
    bool lost_ = false;
    const Ctx* ctx_ = nullptr;
    Duration wait_max_{0};
    Duration waited_{0};
    Duration patience_ = Duration::max();
};

}  // namespace lab::storage
