#pragma once
#include "storage/events/clickhouse.h"
#include "storage/events/fact_store.h"

namespace lab::storage {

/// Facts in a database of ClickHouse (23.8 or later). Any thread.
class ClickHouseFacts final : public FactStore {
  public:
    /// As ClickHouse: `clock` outlives it.
    ClickHouseFacts(const Clock& clock, ClickHouseOptions options, http::ClientOptions http);

    Result<bool> make_tables(const Ctx& ctx) override;
    Status check(const Ctx& ctx) override;
    Status add(const Ctx& ctx, const FactBatch& batch) override;
    Status forget(const Ctx& ctx, const std::string& experiment_id) override;
    Result<std::vector<SeriesPoint>> series(
        const Ctx& ctx, const FactScope& scope, const std::string& metric, const SeriesSteps& steps
    ) override;
    Result<std::vector<RunValues>> by_run(
        const Ctx& ctx, const FactScope& scope, const std::string& metric
    ) override;
    Result<std::vector<LatencyRow>> latency(const Ctx& ctx, const FactScope& scope) override;
    Result<std::vector<CostRow>> costs(const Ctx& ctx, const FactScope& scope) override;

  private:
    http::BlockingClient http_;
    ClickHouse server_;
};

}  // namespace lab::storage
