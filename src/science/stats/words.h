#pragma once
#include "science/metrics/scorer.h"

#include <string>
#include <string_view>

/// How figures are said, so that every report says the same. Numbers are rounded here and nowhere
/// before; NaN is "n/a"; a p-value is never "0".
namespace lab::science {

struct Comparison;
struct MissingBound;

/// How the differences of a metric are written: value * scale, with so many decimals and a unit.
struct Wording {
    double scale = 1;
    std::string unit;  ///< "points" or empty
    int decimals = 3;
};
/// Shares of right answers in percentage points, scores on 0-100 in points, others as they are.
Wording wording_for(const MetricInfo& metric);

/// "2.9e-45", "0.0027", "0.57", "1", "< 1e-300", "n/a".
std::string format_p(double p);
/// The same; at the floor of its test "<= 1.0e-04".
std::string format_p(double p, bool at_floor);
/// "p = 0.0027", "p < 1e-300", "p <= 1.0e-04" at the floor of its test, "p n/a".
std::string p_equation(double p, bool at_floor = false);
/// A whole number with separators: "2,310"; beyond a billion "more than a billion".
std::string format_count(double count);
/// value * scale without unit; more decimals where a small value would round to 0.
std::string format_amount(double value, const Wording& wording);
/// "95 %", "99.9 %".
std::string format_percent(double share);

/// How the samples that failed could change the verdict: "40 samples failed: had they all spoken
/// against this, the verdict would be \"no difference shown\" (-5.0 points, p = 0.21)". `bound`:
/// the one that changes it.
std::string missing_sentence(const Comparison& comparison, const MissingBound& bound);

/// The verdict in one sentence, seen from a: "better by 21.5 points (18.7 to 24.4), p = 2.9e-45
/// (Holm, 6 comparisons)".
std::string verdict_sentence(const Comparison& comparison);

}  // namespace lab::science
