#pragma once
#include "base/result.h"
#include "engine/machine.h"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace lab::engine {

/// A part of a run that one process works on: the positions [next, end) of a lane's order
/// (Plan::at).
struct Block {
    int shard = 0;
    int lane = 0;
    std::int64_t next = 0;
    std::int64_t end = 0;
};

/// How to cut a run for several processes: for each lane blocks of so many samples that there is
/// something to take for everybody until the end, and that taking one is rare. shard = 0, 1, ...
std::vector<Block> cut_into_blocks(const std::vector<std::int64_t>& lane_samples, int lane_slots);

/// What one of several processes asks the others, by way of the store.
struct CrewAsk {
    std::vector<int> finished;  ///< blocks whose samples are all stored
    std::vector<int> lanes;     ///< a further block of each, please
    bool wants_budget = false;
    OpeningBalance need;  ///< of the call that waits for it
    Exposure exposure;    ///< all that is in the books of this process by now
    std::vector<std::pair<int, Duration>> pauses;  ///< of lanes, as this process has learned them
};

struct CrewAnswer {
    std::vector<Block> blocks;
    std::vector<int> nothing_left;  ///< lanes that were asked for
    /// Of the run's budget, all that is not for this process to spend.
    OpeningBalance others_budget;
    bool is_all_of_it = false;  ///< of the budget, more than this cannot be had
    int members = 1;
    bool is_speaker = true;  ///< one of the members tells how the run goes on
    Exposure others;         ///< what the others have done, and those who have gone
    std::vector<std::pair<int, Duration>> pauses;
    std::string ending;  ///< not empty: everybody is to end, for this reason
    /// Which samples are stored by now, when one of the blocks was somebody else's before.
    std::optional<std::vector<bool>> stored;
};

/// The other processes that work on a run.
class Crew {
  public:
    virtual ~Crew() = default;
    /// On the driver's worker. Errors: conflict when the others have given this process up.
    virtual Result<CrewAnswer> ask(const CrewAsk& ask) = 0;
};

}  // namespace lab::engine
