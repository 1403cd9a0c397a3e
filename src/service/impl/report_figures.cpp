#include "service/impl/report_figures.h"

namespace lab::service {

report::LatencySummary latency_of(const std::vector<float>& seconds) {
    std::vector<double> values(seconds.begin(), seconds.end());
    std::ranges::sort(values);
    report::LatencySummary out;
    out.n = static_cast<std::int64_t>(values.size());
    out.mean = science::mean(values);
    out.p50 = science::quantile_sorted(values, 0.50);
    out.p90 = science::quantile_sorted(values, 0.90);
    out.p95 = science::quantile_sorted(values, 0.95);
    out.p99 = science::quantile_sorted(values, 0.99);
    out.max = values.empty() ? std::nan("") : values.back();
    return out;
}

}  // namespace lab::service
