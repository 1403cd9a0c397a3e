#pragma once
#include "report/impl/test_demo.h"

#include <functional>
#include <span>
#include <string>
#include <vector>

/// What the reports of test_demo.h are put together from.
namespace lab::report {

/// Per metric, variant and item; corpus metrics have statistics as well.
struct Columns {
    std::vector<std::vector<std::vector<double>>> values;
    std::vector<std::vector<std::vector<double>>> stats;
    std::vector<std::function<double(std::span<const double>)>> aggregate;
    std::vector<int> clusters;
};

struct Analysis {
    bool all_pairs = false;
    science::AnalysisOptions options;
};

/// Means over repetitions of what the rows say.
Columns columns_of(const Demo& demo);
Histogram histogram_of(const std::vector<double>& values, std::size_t bins);
void analyse(Demo& demo, const Columns& columns, const Analysis& how);
void count_samples(Demo& demo);
Demo start(std::string experiment, std::string description, std::string dataset);
VariantSummary variant_named(const std::string& id, const std::string& prompt);
MetricColumn binary_metric(const std::string& name, const std::string& scorer);
std::vector<std::string> usual_methods(const Report& report);

}  // namespace lab::report
