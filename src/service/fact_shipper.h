#pragma once
#include "service/deps.h"
#include "service/run_facts.h"
#include "storage/events/fact_store.h"
#include "storage/store/outbox.h"

#include <deque>

namespace lab::service {

/// Tells analytics what the outbox says, and takes it out of the outbox when that is done: after a
/// failure or a crash the same rows are sent again, and count once. One thread at a time.
class FactShipper {
  public:
    struct Options {
        std::int64_t entries_max = 2000;           ///< of the outbox, looked at together
        std::size_t batch_bytes = 16U << 20;       ///< of rows; about what one batch holds
        int rounds_max = 16;                       ///< looks, before others hear how far it is
        Duration turn = std::chrono::seconds(15);  ///< how long a silent process keeps its turn
        std::function<void(std::int64_t rows)> told = {};  ///< after each batch
    };
    /// Both outlive it.
    FactShipper(const Deps& deps, storage::FactStore& store, Options options);

    struct Shipped {
        bool more = false;              ///< something waits still
        bool waits_for_others = false;  ///< it is another process' turn
        std::int64_t entries = 0;
        std::int64_t rows = 0;
    };
    /// Until nothing waits any more, or for some rounds. Makes the tables first, once, and tells
    /// everything there is where there were none. What was told before an error or the end of `ctx`
    /// is told.
    Status ship(const Ctx& ctx, storage::Session& session, Shipped& shipped);
    /// Lets another process have its turn at once.
    void leave(const Ctx& ctx, storage::Session& session);

  private:
    struct Round;
    Status begin(const Ctx& ctx, storage::Session& session);
    Status tell(Round& round, const storage::OutboxEntry& entry);
    struct Wanted;
    Status tell_samples(Round& round, std::int64_t run, Wanted wanted);
    void tell_history(const RunFacts& facts);
    Status tell_event(Round& round, const storage::OutboxEntry::Event& event);
    Result<const RunFacts*> facts_of(Round& round, std::int64_t run);
    Status flush(Round& round, std::size_t bytes_min);

    const Deps& deps_;
    storage::FactStore& store_;
    const Options options_;
    bool ready_ = false;  ///< the tables are there
    storage::FactBatch batch_;
    std::deque<RunFacts> known_;  ///< of late
};

}  // namespace lab::service
