#pragma once
#include "storage/events/fact_batch.h"
#include "storage/events/fact_figures.h"

namespace lab::storage {

/// A copy of the facts, kept for analysis. Any thread. Errors of all: unavailable; upstream_error;
/// those of `ctx`.
class FactStore : public FactFigures {
  public:
    /// Makes the tables where there are none; true: there were none, or not all of them.
    virtual Result<bool> make_tables(const Ctx& ctx) = 0;
    /// Whether it can be used: for health checks.
    virtual Status check(const Ctx& ctx) = 0;
    /// All rows of the batch, or an error; then some of them may be there, and the same batch may
    /// be sent again.
    virtual Status add(const Ctx& ctx, const FactBatch& batch) = 0;
    /// Takes away what is known of an experiment, but that it was deleted.
    virtual Status forget(const Ctx& ctx, const std::string& experiment_id) = 0;
};

}  // namespace lab::storage
