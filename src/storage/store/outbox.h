#pragma once
#include "domain/run.h"
#include "storage/store/session.h"

#include <optional>
#include <string>
#include <vector>

namespace lab::storage {

/// The same database, whose sessions note for analytics what repositories write of runs and
/// experiments, in the transaction that writes it. Nobody else pays for it.
std::unique_ptr<Database> keep_outbox(std::unique_ptr<Database> database);

/// One thing that analytics has still to be told.
struct OutboxEntry {
    enum class Kind : std::uint8_t {
        samples,         ///< look at these samples of the engine again: `indexes`
        client_samples,  ///< and at these of a client: `indexes` are their numbers
        points,          ///< and at points of a client, by key: above the first of `indexes`, up to
                         ///< the second
        carried,         ///< and at what was spent on samples that are not stored
        whole_run,       ///< and at everything of the run
        event,           ///< something happened: `event`
    };
    /// What happened to a run or an experiment.
    struct Event {
        std::string type;  ///< experiment_created, run_started, artifact_uploaded, ...
        std::string at;    ///< RFC 3339
        std::string org_id;
        std::string experiment_id;
        std::string run_id;   ///< empty: it is of the experiment
        std::string payload;  ///< JSON object
    };
    std::int64_t key = 0;
    Kind kind = Kind::event;
    std::int64_t run = 0;               ///< key of the run; 0 = none
    std::vector<std::int64_t> indexes;  ///< ascending
    Event event;
    std::int64_t noted_ms = 0;  ///< since 1970, by the database
};

struct OutboxState {
    std::int64_t entries = 0;
    std::int64_t facts = 0;  ///< samples, points and events behind them
    Duration oldest{0};      ///< how long the first one waits
};

/// For whoever tells analytics. Borrows the session; same thread rule.
class Outbox {
  public:
    explicit Outbox(Session& session) : session_(session) {}
    /// The oldest entries. Errors: internal when one cannot be read.
    Result<std::vector<OutboxEntry>> first(const Ctx& ctx, std::int64_t limit);
    /// They were told. One transaction.
    Status remove(const Ctx& ctx, const std::vector<OutboxEntry>& entries);
    Result<OutboxState> state(const Ctx& ctx);
    /// Everything that there is of all runs and experiments is to be told again. One transaction.
    Status note_everything(const Ctx& ctx);
    /// Whether it is this process' turn for the next `lease`. Two may think so for a moment, when
    /// one slept: what they tell is the same.
    Result<bool> take_turn(const Ctx& ctx, std::string_view owner, Duration lease);
    Status end_turn(const Ctx& ctx, std::string_view owner);

  private:
    Session& session_;
};

}  // namespace lab::storage
