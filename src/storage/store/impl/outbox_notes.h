#pragma once
#include "storage/store/outbox.h"

#include <span>

namespace lab::storage {

/// What repositories note while they write; nothing where no outbox is kept. Opens a transaction
/// when there has to be one and none is open.
class OutboxNotes {
  public:
    static Result<OutboxNotes> begin(const Ctx& ctx, Session& session);
    bool kept() const { return kept_; }
    Status samples(const Ctx& ctx, std::int64_t run, std::span<const std::int64_t> indexes);
    Status client_samples(const Ctx& ctx, std::int64_t run, std::span<const std::int64_t> numbers);
    /// Those whose keys are above `after` and not above `last`; `count` of them are the run's.
    Status points(
        const Ctx& ctx, std::int64_t run, std::int64_t after, std::int64_t last, std::int64_t count
    );
    Status carried(const Ctx& ctx, std::int64_t run);
    /// "run_" and what became of it. `at`: RFC 3339; empty = now.
    Status run_event(
        const Ctx& ctx,
        std::int64_t run,
        std::string_view type,
        std::string_view at,
        std::string_view payload
    );
    /// The event of a run in this state.
    Status run_state(
        const Ctx& ctx,
        std::int64_t run,
        domain::RunState state,
        std::string_view words,
        std::string_view at
    );
    Status experiment_event(
        const Ctx& ctx,
        std::int64_t experiment,
        std::string_view type,
        std::string_view at,
        std::string_view payload
    );
    /// As they are stored; empty where nothing is noted.
    Result<std::string> status_of_experiment(const Ctx& ctx, std::int64_t experiment);
    Result<std::string> state_of_run(const Ctx& ctx, std::int64_t run);
    /// Of its own transaction, if there is one.
    Status commit(const Ctx& ctx);

  private:
    explicit OutboxNotes(Session& session) : session_(&session) {}
    Result<std::string> word_of(const Ctx& ctx, const Query& query, std::int64_t key);
    Status add(
        const Ctx& ctx,
        std::string_view kind,
        std::int64_t run,
        std::string_view body,
        std::int64_t facts
    );
    Status add_indexes(
        const Ctx& ctx,
        std::string_view kind,
        std::int64_t run,
        std::span<const std::int64_t> indexes
    );
    Session* session_;
    bool kept_ = false;
    std::optional<Transaction> own_;
};

}  // namespace lab::storage
