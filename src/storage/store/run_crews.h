#pragma once
#include "storage/store/run_leases.h"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lab::storage {

/// A part of a run: the positions [first, until) of the order in which a lane takes its samples.
struct Shard {
    int number = 0;
    int lane = 0;
    std::int64_t first = 0;
    std::int64_t until = 0;
    bool is_begun = false;  ///< somebody had it before: some of its samples may be stored
    bool operator==(const Shard&) const = default;
};

/// One of those who work on a run.
struct CrewMember {
    std::int64_t fence = 0;
    bool is_alive = true;  ///< his time is not over
    Spending granted;      ///< of the run's budget, for him to spend
    MemberBooks books;
};

struct CrewStanding {
    MemberBooks gone;  ///< of those who have left or died, and of what there was before the crew
    bool is_short = false;            ///< of money: nobody joins any more
    std::string ending;               ///< not empty: why everybody is to end
    std::vector<CrewMember> members;  ///< by fence
};

/// Who works together on a run, and on which part of it each. All of it within a transaction that
/// begins with lock(), which puts the members in a row; renewals do not wait for it. Borrows the
/// session; same thread rule.
class RunCrews {
  public:
    explicit RunCrews(Session& session) : session_(session) {}
    Status lock(const Ctx& ctx, std::int64_t run);
    /// By whoever holds the run alone (RunLeases::take): these are its parts, and others may join.
    /// `before`: what the books of the run say already. What was dealt before is forgotten.
    Status deal(
        const Ctx& ctx,
        const RunLease& lease,
        std::span<const Shard> shards,
        const MemberBooks& before
    );
    Result<CrewStanding> standing(const Ctx& ctx, std::int64_t run);
    /// A part of the lane that nobody has; nullopt when there is none.
    Result<std::optional<Shard>> claim(const Ctx& ctx, const RunLease& lease, int lane);
    Status finish(const Ctx& ctx, const RunLease& lease, int shard);
    Result<std::int64_t> count_unfinished(const Ctx& ctx, std::int64_t run);
    Status grant(const Ctx& ctx, const RunLease& lease, const Spending& granted);
    /// His parts are for others, his open calls become uncertain, his books the crew's. For whoever
    /// leaves, and those whose time is over. Gives the number of the calls.
    Result<std::int64_t> remove(const Ctx& ctx, const RunLease& lease);
    /// Everybody is to end for that reason. The first one stays.
    Status end(const Ctx& ctx, std::int64_t run, std::string_view why);
    /// There is too little money left for several. Nobody joins any more.
    Status run_short(const Ctx& ctx, std::int64_t run);
    /// Nobody joins until it is dealt again.
    Status close(const Ctx& ctx, std::int64_t run);
    /// Nobody is to send calls of the lane for so long. Outside of a transaction, too.
    Status pause(const Ctx& ctx, std::int64_t run, int lane, Duration lasts);
    /// By lane: for how long. Those that are over are left out.
    Result<std::vector<std::pair<int, Duration>>> pauses(const Ctx& ctx, std::int64_t run);

    /// Runs of a service that somebody works on and others may help with, those with the fewest
    /// members first; not those of `owner`.
    Result<std::vector<std::string>> list_joinable(
        const Ctx& ctx, std::string_view owner, std::int64_t limit
    );

  private:
    Session& session_;
};

}  // namespace lab::storage
