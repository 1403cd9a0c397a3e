#pragma once
#include "base/money.h"
#include "storage/store/session.h"

#include <optional>
#include <string_view>
#include <vector>

namespace lab::storage {

/// The right to work on a run. Whoever takes it over has a greater fence (a fencing token:
/// Kleppmann 2016), so that what the one before still writes is refused.
struct RunLease {
    std::int64_t run = 0;  ///< its key
    std::int64_t fence = 0;
    bool operator==(const RunLease&) const = default;
};

/// Of a budget.
struct Spending {
    Money cost;
    std::int64_t tokens = 0;
    std::int64_t calls = 0;
    bool operator==(const Spending&) const = default;
};

/// What the work of one member comes to: his entries in the books, calls that go on at their
/// worst, and the samples he has finished.
struct MemberBooks {
    Spending spent;
    std::int64_t done = 0;
    std::int64_t failed = 0;
    bool operator==(const MemberBooks&) const = default;
};

/// How a run stands that somebody works on.
struct RunStanding {
    RunLease lease;
    std::string run_state;
    std::string experiment_status;
};

/// Leases of runs: of one process each, or of the members of a crew (RunCrews). Times are the
/// database's, so that the clocks of workers do not matter. Borrows the session; same thread rule.
class RunLeases {
  public:
    /// What of a lease that somebody else has whose time is not over.
    enum class Held : std::uint8_t {
        respect,
        take_over,  ///< he is known to be dead
    };

    explicit RunLeases(Session& session) : session_(session) {}
    /// For `owner` (a process) alone, until `lasts` from now. Gives the fence; nullopt when another
    /// has it. Within a transaction. Errors: conflict when there is no such run.
    Result<std::optional<std::int64_t>> take(
        const Ctx& ctx, std::int64_t run, std::string_view owner, Duration lasts, Held held
    );
    /// Beside those who have it. nullopt when it is not a crew's, or nobody may join that any more.
    /// Within a transaction.
    Result<std::optional<std::int64_t>> join(
        const Ctx& ctx, std::int64_t run, std::string_view owner, Duration lasts
    );
    /// All that `owner` holds, for `lasts` from now; also those whose time was over and that nobody
    /// has taken. Gives what he holds, and how it stands.
    Result<std::vector<RunStanding>> renew(const Ctx& ctx, std::string_view owner, Duration lasts);
    /// Others need not wait. Without effect when it was taken over.
    Status release(const Ctx& ctx, const RunLease& lease);
    /// Within a transaction that writes for the run: keeps others from taking it until the end.
    /// `books`: what his work comes to when the transaction is committed.
    /// Errors: conflict when another has taken it over.
    Status guard(
        const Ctx& ctx, const RunLease& lease, const std::optional<MemberBooks>& books = {}
    );

  private:
    Status add_member(
        const Ctx& ctx, const RunLease& lease, std::string_view owner, Duration lasts
    );
    Session& session_;
};

}  // namespace lab::storage
