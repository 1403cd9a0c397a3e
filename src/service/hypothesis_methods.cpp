#include "base/error.h"
#include "science/stats/anova.h"
#include "science/stats/shape.h"
#include "service/impl/hypothesis.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace lab::service {
namespace {

constexpr std::array kOneSample{Layout::one_sample};
constexpr std::array kTwo{Layout::two_groups, Layout::pairs};
constexpr std::array kPairs{Layout::pairs};
constexpr std::array kPairsOrOne{Layout::pairs, Layout::one_sample};
constexpr std::array kGroups{Layout::two_groups, Layout::pairs, Layout::many_groups};
constexpr std::array kCounts{
    Layout::one_sample, Layout::two_groups, Layout::pairs, Layout::many_groups
};
constexpr std::array kNumbers{Layout::association};
constexpr std::array kUpToTwo{Layout::one_sample, Layout::two_groups, Layout::pairs};

constexpr std::string_view kNeedsTwo = "two groups";
constexpr std::string_view kNeedsPairs = "two groups with every id once in each";
constexpr std::string_view kNeedsNumbers = "a numeric independent and a numeric dependent variable";

constexpr MethodInfo kMethods[] = {
    {Method::one_sample_t_test,
     "one_sample_t_test",
     "Is the mean another than config.threshold? (Student 1908)",
     "one group",
     kOneSample,
     false,
     true},
    {Method::t_test,
     "t_test",
     "Do two means differ? Equal variances (Student 1908)",
     kNeedsTwo,
     kTwo,
     false,
     true},
    {Method::welch_t_test,
     "welch_t_test",
     "Do two means differ? Any variances (Welch 1947)",
     kNeedsTwo,
     kTwo,
     false,
     true},
    {Method::paired_t_test,
     "paired_t_test",
     "Is the mean difference of pairs another than 0?",
     kNeedsPairs,
     kPairs,
     false,
     true},
    {Method::mann_whitney_u,
     "mann_whitney_u",
     "Does one of two groups tend to be larger? (Mann and Whitney 1947)",
     kNeedsTwo,
     kTwo,
     false,
     true},
    {Method::wilcoxon_signed_rank,
     "wilcoxon_signed_rank",
     "Do the differences of pairs tend to one side? (Wilcoxon 1945)",
     "two groups with every id once in each, or one group",
     kPairsOrOne,
     false,
     true},
    {Method::anova,
     "anova",
     "Do several means differ? Equal variances (Fisher 1925)",
     "two or more groups",
     kGroups,
     false,
     true},
    {Method::welch_anova,
     "welch_anova",
     "Do several means differ? Any variances (Welch 1951)",
     "two or more groups",
     kGroups,
     false,
     true},
    {Method::kruskal_wallis,
     "kruskal_wallis",
     "Does one of several groups tend to be larger? (Kruskal and Wallis 1952)",
     "two or more groups",
     kGroups,
     false,
     true},
    {Method::chi_squared,
     "chi_squared",
     "Do shares differ between groups, or from equal shares? (Pearson 1900)",
     "a categorical or binary outcome",
     kCounts,
     true,
     false},
    {Method::pearson_correlation,
     "pearson_correlation",
     "Do two numbers rise together along a line?",
     kNeedsNumbers,
     kNumbers,
     false,
     true},
    {Method::spearman_correlation,
     "spearman_correlation",
     "Do two numbers rise together, in ranks?",
     kNeedsNumbers,
     kNumbers,
     false,
     true},
    {Method::linear_regression,
     "linear_regression",
     "Does a number rise or fall with another? The slope of a line",
     kNeedsNumbers,
     kNumbers,
     false,
     true},
    {Method::bayesian,
     "bayesian",
     "How much more likely are the data with a difference than without? (Rouder 2009; Beta priors)",
     "one group or two; binary outcomes: two",
     kUpToTwo,
     true,
     true},
    {Method::bootstrap,
     "bootstrap",
     "Do two means differ? Drawn again and again (Efron and Tibshirani 1993)",
     "one group or two",
     kUpToTwo,
     false,
     true},
};

/// Few values, and clearly not normal: where a t test is not to be trusted.
constexpr std::size_t kFew = 30;
constexpr double kClearly = 0.05;

bool not_normal(std::span<const double> values) {
    return values.size() < kFew && science::shapiro_wilk(values).p < kClearly;
}

bool any_not_normal(const TestData& data) {
    return std::ranges::any_of(data.groups, [](const auto& group) { return not_normal(group); });
}

constexpr std::string_view kRanksBecause =
    "a group of fewer than 30 values is clearly not normal (Shapiro-Wilk p < 0.05)";

Choice by_ranks(bool ordinal, bool skewed, Choice ranks, Choice means) {
    if (ordinal) {
        ranks.reason += ": the outcome is ordinal";
        return ranks;
    }
    if (skewed) {
        ranks.reason += ": " + std::string(kRanksBecause);
        return ranks;
    }
    return means;
}

}  // namespace

std::span<const MethodInfo> methods() { return kMethods; }

const MethodInfo& info_of(Method method) {
    const auto* const found = std::ranges::find(kMethods, method, &MethodInfo::method);
    LAB_ASSERT(found != std::end(kMethods), "every method is in the table");
    return *found;
}

std::optional<Method> find_method(std::string_view name) {
    const auto* const found = std::ranges::find(kMethods, name, &MethodInfo::name);
    return found == std::end(kMethods) ? std::nullopt : std::optional(found->method);
}

Choice choose_method(const TestData& data, bool trend) {
    if (data.scale == Scale::categorical) {
        return {Method::chi_squared, "the outcome is categorical"};
    }
    const bool ordinal = data.scale == Scale::ordinal;
    switch (data.layout) {
        case Layout::one_sample:
            return by_ranks(
                ordinal,
                any_not_normal(data),
                {Method::wilcoxon_signed_rank, "one group"},
                {Method::one_sample_t_test, "one group of numbers"}
            );
        case Layout::pairs:
            return by_ranks(
                ordinal,
                not_normal(data.differences),
                {Method::wilcoxon_signed_rank, "every id is once in each of two groups"},
                {Method::paired_t_test, "every id is once in each of two groups"}
            );
        case Layout::two_groups:
            return by_ranks(
                ordinal,
                any_not_normal(data),
                {Method::mann_whitney_u, "two groups"},
                {Method::welch_t_test, "two groups of numbers"}
            );
        case Layout::many_groups: {
            const bool unequal =
                science::levene(data.groups, science::SpreadCenter::median).p < kClearly;
            Choice means{Method::anova, "several groups of numbers"};
            if (unequal) {
                means = {
                    Method::welch_anova,
                    "several groups of numbers with unequal variances (Brown-Forsythe p < 0.05)"
                };
            }
            return by_ranks(
                ordinal, any_not_normal(data), {Method::kruskal_wallis, "several groups"}, means
            );
        }
        case Layout::association:
            return by_ranks(
                ordinal,
                not_normal(data.x) || not_normal(data.y),
                {Method::spearman_correlation, "a number beside a number"},
                trend ? Choice{Method::linear_regression, "a trend of a number over a number"}
                      : Choice{Method::pearson_correlation, "a number beside a number"}
            );
    }
    return {};
}

std::optional<std::string> refuse_method(Method method, const TestData& data) {
    const MethodInfo& info = info_of(method);
    if (std::ranges::find(info.on, data.layout) == info.on.end()) {
        const std::string have =
            data.layout == Layout::association
                ? "have a numeric independent variable"
                : fmt::format("have {} group(s)", data.groups.size()) +
                      (data.layout == Layout::two_groups ? " of different ids" : "");
        return fmt::format(
            "{} needs {}; the data of \"{}\" {}", info.name, info.needs, data.outcome, have
        );
    }
    const bool categorical = data.scale == Scale::categorical;
    const bool binary = categorical && data.levels.size() <= 2;
    if (method == Method::bayesian && categorical &&
        (!binary || data.layout == Layout::one_sample)) {
        return "bayesian takes a categorical outcome only with two groups and two values";
    }
    if (categorical && !binary && !info.categorical) {
        return fmt::format(
            "{} needs numbers; \"{}\" is categorical: use chi_squared", info.name, data.outcome
        );
    }
    if (!categorical && !info.numeric) {
        return fmt::format(
            "{} needs a categorical or binary outcome; \"{}\" is numeric", info.name, data.outcome
        );
    }
    return std::nullopt;
}

}  // namespace lab::service
