#include "science/stats/anova.h"
#include "science/stats/chi_squared.h"
#include "science/stats/shape.h"
#include "service/impl/hypothesis.h"
#include "service/impl/hypothesis_tests.h"

#include <fmt/format.h>

namespace lab::service {
namespace {

/// From here on means are nearly normal whatever the values are (central limit theorem).
constexpr std::size_t kEnoughForMeans = 100;
constexpr double kAlpha = 0.05;

Check normality_of(std::span<const double> values, const std::string& subject) {
    Check out{.assumption = "normality", .subject = subject};
    const bool many = values.size() > science::kShapiroWilkMax;
    const science::Normality found =
        many ? science::dagostino_k2(values) : science::shapiro_wilk(values);
    out.test = many ? "dagostino_k2" : "shapiro_wilk";
    out.statistic = found.statistic;
    out.p = found.p;
    out.violated = found.p < kAlpha && values.size() < kEnoughForMeans;
    if (out.violated) {
        out.message = fmt::format("{} is not normally distributed", subject);
    } else if (found.p < kAlpha) {
        out.message = fmt::format(
            "{} is not normally distributed, which matters little with {} values",
            subject,
            values.size()
        );
    } else if (found.p >= kAlpha) {
        out.message = fmt::format("nothing speaks against normality of {}", subject);
    } else {
        out.message = fmt::format("normality of {} cannot be tested", subject);
    }
    return out;
}

Check equal_variances(const TestData& data) {
    const science::OneWay found = science::levene(data.groups, science::SpreadCenter::median);
    Check out{.assumption = "equal_variances", .subject = "groups", .test = "brown_forsythe"};
    out.statistic = found.f;
    out.p = found.p;
    out.violated = found.p < kAlpha;
    out.message = out.violated ? "the groups have different variances"
                               : "nothing speaks against equal variances";
    return out;
}

/// Cochran 1954: no expected count below 1, at most a fifth below 5.
Check expected_counts(const TestData& data) {
    const science::ChiSquared found = chi_squared_of(data, false);
    Check out{.assumption = "expected_counts", .subject = "cells", .test = "cochran"};
    out.statistic = found.expected_min;
    out.violated = found.expected_min < 1 || found.expected_below_5 > 0.2;
    out.message = out.violated
                      ? fmt::format(
                            "expected counts are too small: {:.2g} at least, {:.0f} % below 5",
                            found.expected_min,
                            100 * found.expected_below_5
                        )
                      : "the expected counts are large enough";
    return out;
}

bool is_about_means(Method method) {
    return method == Method::one_sample_t_test || method == Method::t_test ||
           method == Method::welch_t_test || method == Method::paired_t_test ||
           method == Method::anova || method == Method::welch_anova || method == Method::bayesian;
}

}  // namespace

std::vector<Check> check_assumptions(Method method, const TestData& data) {
    std::vector<Check> out;
    const bool categorical = data.scale == Scale::categorical;
    if (method == Method::chi_squared) {
        out.push_back(expected_counts(data));
    } else if (is_about_means(method) && !categorical) {
        if (method == Method::paired_t_test ||
            (method == Method::bayesian && data.layout == Layout::pairs)) {
            out.push_back(normality_of(data.differences, "the differences"));
        } else {
            for (std::size_t i = 0; i < data.groups.size(); ++i) {
                out.push_back(normality_of(
                    data.groups[i], fmt::format("\"{}\" of {}", data.outcome, data.group_names[i])
                ));
            }
        }
        if (method == Method::t_test || method == Method::anova) {
            out.push_back(equal_variances(data));
        }
    } else if (method == Method::pearson_correlation) {
        out.push_back(normality_of(data.x, fmt::format("\"{}\"", data.predictor)));
        out.push_back(normality_of(data.y, fmt::format("\"{}\"", data.outcome)));
    } else if (method == Method::linear_regression) {
        out.push_back(normality_of(residuals_of(data), "the residuals"));
    }
    const bool paired_ignored = data.layout == Layout::pairs && method != Method::paired_t_test &&
                                method != Method::wilcoxon_signed_rank &&
                                method != Method::bayesian && method != Method::bootstrap;
    if (data.repeated_ids || paired_ignored) {
        out.push_back({
            .assumption = "independence",
            .subject = "observations",
            .test = "repeated ids",
            .violated = true,
            .message = paired_ignored
                           ? "every id is in both groups: the method takes them for different ones"
                           : "ids are repeated: observations of one id are not independent",
        });
    }
    return out;
}

}  // namespace lab::service
