#pragma once
#include "domain/spec_parse.h"
#include "storage/events/facts.h"
#include "storage/store/client_runs.h"
#include "storage/store/fact_rows.h"

#include <functional>
#include <memory>

namespace lab::engine {
class ScoreBook;
}

namespace lab::service {

/// What the store has of one run, as facts: the same ones whenever they are made, so that whoever
/// gets them twice can tell. One thread.
class RunFacts {
  public:
    /// A run whose spec cannot be read any more has calls without scores and models.
    RunFacts(const domain::SpecVocabulary& vocabulary, storage::FactRun run);
    ~RunFacts();
    RunFacts(RunFacts&&) noexcept;

    const storage::FactRun& run() const { return run_; }
    /// Whether its ids are UUIDs, as those of the service are.
    bool has_place() const;
    /// A sample and its scores.
    Status call(const storage::StoredCall& call, storage::FactSink& to) const;
    /// There is none of this index any more.
    Status gone(std::int64_t index, std::int64_t at_ms, storage::FactSink& to) const;
    Status carried(const storage::CarriedCalls& calls, storage::FactSink& to) const;
    Status client_sample(const storage::ClientSample& sample, storage::FactSink& to) const;
    Status point(const storage::MetricPoint& point, storage::FactSink& to) const;

  private:
    storage::CallFact begin(std::int64_t at_ms, std::int64_t sample) const;
    void name_variant(std::int64_t variant, storage::CallFact& fact) const;

    storage::FactRun run_;
    storage::FactPlace place_;
    std::int64_t created_ms_ = 0;
    std::int64_t begun_ms_ = 0;
    domain::ExperimentSpec spec_;
    std::unique_ptr<engine::ScoreBook> book_;  ///< none: not of the engine
};

/// Everything of the run, in pages. `between`: called while no statement is open.
Status all_facts(
    const Ctx& ctx,
    storage::Session& session,
    const RunFacts& facts,
    storage::FactSink& to,
    const std::function<Status()>& between
);

/// Milliseconds since 1970; of a text that is no time 0.
std::int64_t milliseconds_of(std::string_view rfc3339);
std::int64_t milliseconds_of(WallTime time);

}  // namespace lab::service
