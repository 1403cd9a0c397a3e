#pragma once
#include "report/model.h"

#include <cstddef>
#include <string>
#include <vector>

/// The plots of the HTML report as SVG text. Each is drawn for a width: at 520 and more labels
/// stand beside, below that above what they name. Empty when there is nothing to draw.
namespace lab::report {

/// Dot and interval of every variant, best first; the baseline is hollow.
std::string interval_plot(const Report& report, std::size_t metric, double width);

/// Difference with interval around 0 and the verdict in words; `rows` are of one metric.
std::string comparison_plot(
    const Report& report, const std::vector<const ComparisonRow*>& rows, double width
);

/// What a variant's price is measured in.
enum class Price : unsigned char { none, money, tokens };
/// Money when the cost of at least two variants is known and not all are 0; else tokens if known,
/// which those counted from the text are not.
Price price_of(const Report& report);
/// Figure against price with the Pareto front: variants that no other beats in both. Dots are
/// named; in narrow pictures, or where not all names find a place beside their dots, numbered as
/// report.variants.
inline constexpr std::size_t kNamesMax = 12;
std::string cost_plot(const Report& report, std::size_t metric, double width);
bool cost_plot_is_numbered(const Report& report, std::size_t metric, double width);
/// The variants on the front, in order of price.
std::vector<std::size_t> pareto_front(const Report& report, std::size_t metric, Price price);
double price_value(const VariantSummary& variant, Price price);

/// Latencies of every variant in a row of its own, with median and 95th percentile.
std::string latency_plot(const Report& report, double width);
/// Item scores of every variant in a row of its own.
std::string score_plot(const Report& report, std::size_t metric, double width);

}  // namespace lab::report
