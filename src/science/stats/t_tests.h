#pragma once
#include "science/stats/intervals.h"

#include <cstdint>
#include <limits>
#include <span>

/// Tests of means. NaN where a test cannot be computed (too few values, no variation).
namespace lab::science {

/// One-sample test of the differences d = a - b.
struct PairedT {
    std::int64_t n = 0;
    double mean_difference = std::numeric_limits<double>::quiet_NaN();
    double sd = std::numeric_limits<double>::quiet_NaN();  ///< of the differences
    double se = std::numeric_limits<double>::quiet_NaN();
    double t = std::numeric_limits<double>::quiet_NaN();
    double df = std::numeric_limits<double>::quiet_NaN();
    double p_two_sided = std::numeric_limits<double>::quiet_NaN();
    double p_greater = std::numeric_limits<double>::quiet_NaN();  ///< H1: a > b
    double p_less = std::numeric_limits<double>::quiet_NaN();
    Interval interval;
};
/// Student 1908; vectors paired_t.json. No variation (se = 0): t and p are NaN, since no amount of
/// equal differences is a proof.
PairedT paired_t(std::span<const double> differences, double confidence);

struct TwoSampleT {
    double mean_difference = std::numeric_limits<double>::quiet_NaN();
    double se = std::numeric_limits<double>::quiet_NaN();
    double t = std::numeric_limits<double>::quiet_NaN();
    double df = std::numeric_limits<double>::quiet_NaN();
    double p_two_sided = std::numeric_limits<double>::quiet_NaN();
    Interval interval;
};
/// Different items: Welch 1947 with Satterthwaite's df. Vectors two_sample_t.json.
TwoSampleT welch_t(std::span<const double> a, std::span<const double> b, double confidence);
/// Student's test with a pooled variance; for comparison with others, Welch is the default.
TwoSampleT pooled_t(std::span<const double> a, std::span<const double> b, double confidence);
/// p of equal spread, |x - median| (Brown and Forsythe 1974); at least 3 values a side.
double brown_forsythe_p(std::span<const double> a, std::span<const double> b);

/// Two one-sided tests (Schuirmann 1987): small when |true difference| < margin. margin > 0,
/// se > 0; infinite df is the normal test. The larger of the two p-values.
double equivalence_p(double difference, double se, double df, double margin);

}  // namespace lab::science
