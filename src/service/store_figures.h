#pragma once
#include "service/request.h"
#include "storage/events/fact_figures.h"

namespace lab::service {

/// The figures from the store itself: slower than a copy made for them, with the same numbers.
/// Lives as long as the request. Errors: also validation, when more than five million values would
/// have to be looked at.
class StoreFigures final : public storage::FactFigures {
  public:
    explicit StoreFigures(const Request& request) : request_(request) {}
    Result<std::vector<storage::SeriesPoint>> series(
        const Ctx& ctx,
        const storage::FactScope& scope,
        const std::string& metric,
        const storage::SeriesSteps& steps
    ) override;
    Result<std::vector<storage::RunValues>> by_run(
        const Ctx& ctx, const storage::FactScope& scope, const std::string& metric
    ) override;
    Result<std::vector<storage::LatencyRow>> latency(
        const Ctx& ctx, const storage::FactScope& scope
    ) override;
    Result<std::vector<storage::CostRow>> costs(const Ctx& ctx, const storage::FactScope& scope)
        override;

  private:
    const Request& request_;
};

}  // namespace lab::service
