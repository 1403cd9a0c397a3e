#pragma once
#include "science/stats/chi_squared.h"
#include "service/impl/hypothesis.h"

namespace lab::service {

/// Counts of a categorical outcome by group; the levels of one group against equal shares.
science::ChiSquared chi_squared_of(const TestData& data, bool yates);
science::CountTable count_table(const TestData& data);
/// Of the line through x and y.
std::vector<double> residuals_of(const TestData& data);

enum class Yardstick : std::uint8_t { d, delta, r, eta_squared, w };
/// Cohen 1988: d 0.2, 0.5, 0.8; r and w 0.1, 0.3, 0.5; eta^2 0.01, 0.06, 0.14. Cliff's delta 0.147,
/// 0.33, 0.474 (Romano 2006).
std::string magnitude_of(Yardstick yardstick, double value);

/// Methods of hypothesis_tests.cpp ask these.
TestOutcome test_counts(const TestData& data, const TestOptions& options);
TestOutcome test_association(Method method, const TestData& data, const TestOptions& options);
TestOutcome test_bayesian(const TestData& data, const TestOptions& options);

/// Power of the two-sided t tests, `efficiency` of the data counting (ranks: 3 / pi).
PowerOf two_sample_power(const TestData& data, double alpha, double efficiency);
PowerOf one_sample_power(double n, double alpha, double efficiency);

}  // namespace lab::service
