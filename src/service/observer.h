#pragma once
#include "base/clock.h"
#include "storage/store/resources.h"

#include <cstdint>
#include <string_view>

namespace lab::service {

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
};

/// Ignores everything.
Observer& no_observer();

}  // namespace lab::service
