#pragma once
#include "base/clock.h"
#include "providers/breaker.h"
#include "storage/store/resources.h"

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace lab::service {

using BreakerStates = std::map<std::string, providers::Breaker::State, std::less<>>;

/// Is told what the use cases did, for metrics: the one place where they say so. Called after the
/// store has it, on whatever thread it happened; never blocks. What is not overridden is ignored.
class Observer {
  public:
    virtual ~Observer() = default;
    virtual void created(storage::ResourceKind /*kind*/) {}
    /// `status`: completed, failed or cancelled. `took`: from its start on.
    virtual void experiment_ended(std::string_view /*status*/, Duration /*took*/) {}
    /// `status`: as runs are shown; also those that clients carry out.
    virtual void run_ended(std::string_view /*status*/) {}
    /// A run went back to the queue: its process died, or was told to stop.
    virtual void run_queued_again() {}
    /// Outputs that were scored, whatever came of it.
    virtual void evaluations_processed(std::int64_t /*count*/) {}
    virtual void dataset_uploaded(std::int64_t /*bytes*/) {}
    /// A run waits, because a breaker before one of its providers is open.
    virtual void breaker_refused(std::string_view /*service*/) {}
    /// How the breakers of a run's own stand now, by the name of the service ("openai-api"), the
    /// worst of its models; empty when the run is over. Told again and again, changed or not.
    virtual void breakers_of_run(const std::string& /*run*/, const BreakerStates& /*states*/) {}
};

/// Ignores everything.
Observer& no_observer();

}  // namespace lab::service
