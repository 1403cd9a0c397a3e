#pragma once
#include "science/stats/descriptive.h"
#include "science/stats/intervals.h"

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// The parts of analyse_hypothesis: data in the form a test wants, the choice of a method, the
/// methods, the checks of what they assume.
namespace lab::service {

using science::Interval;
using science::kNaN;

enum class Method : std::uint8_t {
    one_sample_t_test,
    t_test,
    welch_t_test,
    paired_t_test,
    mann_whitney_u,
    wilcoxon_signed_rank,
    anova,
    welch_anova,
    kruskal_wallis,
    chi_squared,
    pearson_correlation,
    spearman_correlation,
    linear_regression,
    bayesian,
    bootstrap,
};

/// How the data are laid out.
enum class Layout : std::uint8_t {
    one_sample,   ///< no groups, nothing numeric to go with
    two_groups,   ///< different items
    pairs,        ///< two groups, every id once in each
    many_groups,  ///< three or more
    association,  ///< a number beside a number
};
enum class Scale : std::uint8_t { numeric, ordinal, categorical };

struct MethodInfo {
    Method method;
    std::string_view name;       ///< on the wire
    std::string_view summary;    ///< what it asks
    std::string_view needs;      ///< layouts, in words
    std::span<const Layout> on;  ///< layouts it works on
    bool categorical;            ///< takes outcomes without order
    bool numeric;                ///< takes numbers
};
std::span<const MethodInfo> methods();
const MethodInfo& info_of(Method method);
std::optional<Method> find_method(std::string_view name);

/// One outcome, ready for a test. Rows with a missing value are left out.
struct TestData {
    std::string outcome;
    Layout layout = Layout::one_sample;
    Scale scale = Scale::numeric;
    std::vector<std::string> group_names;     ///< in order of appearance; one when there is none
    std::vector<std::vector<double>> groups;  ///< values, or numbers of levels
    std::vector<std::string> levels;          ///< of a categorical outcome
    std::vector<double> differences;          ///< pairs: first less second group
    std::vector<double> x;                    ///< association: what goes with y
    std::vector<double> y;
    std::string predictor;
    double threshold = 0;  ///< one_sample: what the mean is held against
    std::size_t used = 0;
    std::size_t missing = 0;
    bool repeated_ids = false;  ///< an id stands in several rows that are no pairs
};

struct TestOptions {
    double alpha = 0.05;
    double required_power = 0.8;
    int bootstrap_iterations = 10'000;
    std::uint64_t seed = 0;
};

struct Effect {
    std::string measure;
    double value = kNaN;
    Interval interval;
    std::string magnitude;  ///< negligible, small, medium, large; empty where nothing is agreed
};

/// Power of a test for an effect (in the unit of the first Effect) and `scale` times the data.
using PowerOf = std::function<double(double effect, double scale)>;

struct TestOutcome {
    Method method{};
    std::string statistic_name;
    double statistic = kNaN;
    std::vector<double> df;
    double p = kNaN;
    std::string estimate_of;  ///< what the interval is of; empty = there is none
    double estimate = kNaN;
    Interval interval;
    std::string interval_method;
    std::vector<Effect> effects;  ///< the first is the one power is about
    PowerOf power;
    double power_effect = kNaN;   ///< observed, in the unit of `power`
    double medium_effect = kNaN;  ///< Cohen's medium, in the unit of `power`
    double log_bayes_factor = kNaN;
    double probability_greater = kNaN;
    std::vector<std::string> notes;
    std::string failure;  ///< why there is no result; empty = there is one
};

/// What a method assumes, and how the data look.
struct Check {
    std::string assumption;  ///< normality, equal_variances, expected_counts, independence
    std::string subject;     ///< group or variable
    std::string test;
    double statistic = kNaN;
    double p = kNaN;
    bool violated = false;
    std::string message;
};

struct Choice {
    Method method{};
    std::string reason;
};
/// The rule when no method is named. Categories: chi-squared. Pairs: paired t, or Wilcoxon when
/// the outcome is ordinal or fewer than 30 differences are clearly not normal. Two groups: Welch's
/// t, or Mann-Whitney on the same grounds. More: ANOVA, Welch's when variances differ,
/// Kruskal-Wallis on the same grounds. Two numbers: Spearman when ordinal or on the same grounds,
/// else Pearson, for trends the slope of a line. One sample: t, or Wilcoxon on the same grounds.
Choice choose_method(const TestData& data, bool trend);
/// Why a named method cannot be used on these data; nullopt = it can.
std::optional<std::string> refuse_method(Method method, const TestData& data);

TestOutcome run_test(Method method, const TestData& data, const TestOptions& options);
std::vector<Check> check_assumptions(Method method, const TestData& data);

}  // namespace lab::service
