#include "platform/json/document.h"
#include "science/stats/corrections.h"
#include "service/analyses.h"
#include "service/impl/hypothesis_data.h"
#include "service/impl/hypothesis_tests.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>

namespace lab::service {
namespace {

constexpr std::size_t kAdequate = 100;
constexpr std::size_t kMarginal = 30;
constexpr std::size_t kPairwiseGroupsMax = 10;
/// Jeffreys' "substantial" evidence, for and against.
constexpr double kBayesFactorBar = 3;

struct Plan {
    TestOptions options;
    bool trend = false;
    bool correct = true;
    std::string correction = "holm";
    bool effects = true;
    bool diagnostics = true;
    std::optional<Method> method;
};

struct Tested {
    TestData data;
    Choice choice;
    TestOutcome outcome;
    std::vector<Check> checks;
    double p_corrected = kNaN;
};

Plan read_plan(const Json& body) {
    Plan out;
    const Json& hypothesis = body.at("hypothesis");
    const Json config = body.value("config", Json::object());
    out.trend = hypothesis.at("type") == "trend";
    out.options.alpha = hypothesis.value("significance_level", 0.05);
    out.options.required_power = hypothesis.value("required_power", 0.8);
    out.options.bootstrap_iterations = config.value("bootstrap_iterations", 10'000);
    out.options.seed = config.value("random_seed", std::uint64_t{0});
    out.correct = config.value("apply_correction", true);
    out.correction = config.value("correction_method", "holm");
    out.effects = config.value("compute_effect_size", true);
    out.diagnostics = config.value("generate_diagnostics", true);
    if (const auto named = config.find("test_method");
        named != config.end() && named->is_string()) {
        out.method = find_method(named->get_ref<const std::string&>());
    }
    return out;
}

std::vector<double> adjust(const std::string& method, std::span<const double> p) {
    if (method == "bonferroni") {
        return science::bonferroni(p);
    }
    if (method == "benjamini_hochberg") {
        return science::benjamini_hochberg(p);
    }
    if (method == "benjamini_yekutieli") {
        return science::benjamini_yekutieli(p);
    }
    return science::holm(p);
}

Json interval_json(const Interval& interval) {
    if (std::isnan(interval.lo) && std::isnan(interval.hi)) {
        return nullptr;
    }
    return {{"lower", interval.lo}, {"upper", interval.hi}};
}

Json effect_json(const Effect& effect, double confidence) {
    Json out{{"measure", effect.measure}, {"value", effect.value}};
    out["magnitude"] = effect.magnitude.empty() ? Json(nullptr) : Json(effect.magnitude);
    out["confidence_interval"] = interval_json(effect.interval);
    if (!out["confidence_interval"].is_null()) {
        out["confidence_interval"]["level"] = confidence;
    }
    return out;
}

Json check_json(const Check& check) {
    return {
        {"assumption", check.assumption},
        {"subject", check.subject},
        {"test", check.test},
        {"statistic", check.statistic},
        {"p_value", check.p},
        {"message", check.message},
    };
}

struct Powers {
    double achieved = kNaN;
    double medium = kNaN;
    double needed = kNaN;  ///< observations in all for the observed effect
};

Powers powers_of(const Tested& tested, const TestOptions& options) {
    const TestOutcome& outcome = tested.outcome;
    Powers out;
    if (!outcome.power || !outcome.failure.empty()) {
        return out;
    }
    out.achieved = outcome.power(outcome.power_effect, 1);
    out.medium = outcome.power(outcome.medium_effect, 1);
    if (!(out.achieved < options.required_power) || !(std::abs(outcome.power_effect) > 1e-6)) {
        return out;
    }
    double low = 1;
    double high = 2;
    const auto reached = [&](double scale) {
        return outcome.power(outcome.power_effect, scale) >= options.required_power;
    };
    while (high < 1e6 && !reached(high)) {
        low = high;
        high *= 2;
    }
    for (int i = 0; i < 40 && high - low > 1e-4 * high; ++i) {
        const double middle = (low + high) / 2;
        (reached(middle) ? high : low) = middle;
    }
    if (reached(high)) {
        out.needed = std::ceil(high * static_cast<double>(tested.data.used));
    }
    return out;
}

std::string_view adequacy_of(std::size_t n) {
    return n >= kAdequate ? "adequate" : (n >= kMarginal ? "marginal" : "inadequate");
}

/// What the data say of the alternative hypothesis: accepted = it is.
std::string_view status_of(const Tested& tested, const Powers& powers, const Plan& plan) {
    const TestOutcome& outcome = tested.outcome;
    if (!outcome.failure.empty()) {
        return "failed";
    }
    if (!std::isnan(outcome.log_bayes_factor)) {
        const double bar = std::log(kBayesFactorBar);
        return outcome.log_bayes_factor >= bar
                   ? "accepted"
                   : (outcome.log_bayes_factor <= -bar ? "rejected" : "inconclusive");
    }
    if (tested.p_corrected <= plan.options.alpha) {
        return "accepted";
    }
    // Not to have found something says something only where it would have been found. The power for
    // the observed effect cannot tell: it is low whenever p is high.
    return powers.medium >= plan.options.required_power ? "rejected" : "inconclusive";
}

std::string conclusion_of(std::string_view status, const Tested& tested, const Plan& plan) {
    const TestOutcome& outcome = tested.outcome;
    if (status == "failed") {
        return "The test could not be computed: " + outcome.failure + ".";
    }
    if (!std::isnan(outcome.log_bayes_factor)) {
        return fmt::format(
            "The data are {:.3g} times as likely with an effect as without.", outcome.statistic
        );
    }
    const std::string p =
        fmt::format("p = {:.3g}, level {:g}", tested.p_corrected, plan.options.alpha);
    if (status == "accepted") {
        return "The data speak for the alternative hypothesis (" + p + ").";
    }
    if (status == "rejected") {
        return "No effect is shown (" + p + "), though one of medium size would have been found.";
    }
    return "No effect is shown (" + p +
           "), and the data are too few to exclude one of medium size.";
}

Json groups_json(const TestData& data) {
    Json out = Json::array();
    for (std::size_t i = 0; i < data.groups.size(); ++i) {
        const auto& group = data.groups[i];
        Json one{{"name", data.group_names[i]}, {"n", group.size()}};
        if (data.scale == Scale::categorical) {
            std::vector<std::size_t> counts(data.levels.size(), 0);
            for (const double code : group) {
                ++counts[static_cast<std::size_t>(code)];
            }
            one["counts"] = Json::object();
            for (std::size_t level = 0; level < counts.size(); ++level) {
                one["counts"][data.levels[level]] = counts[level];
            }
        } else {
            one["mean"] = science::mean(group);
            one["standard_deviation"] = science::standard_deviation(group);
            one["median"] = science::median(group);
        }
        out.push_back(std::move(one));
    }
    return out;
}

/// Which groups differ, when there are several: all pairs, corrected together.
Json pairwise_json(const Tested& tested, const Plan& plan) {
    const TestData& data = tested.data;
    Json out = Json::array();
    if (data.layout != Layout::many_groups || data.groups.size() > kPairwiseGroupsMax) {
        return out;
    }
    const Method method =
        tested.outcome.method == Method::chi_squared ? Method::chi_squared
        : tested.outcome.method == Method::kruskal_wallis
            ? Method::mann_whitney_u
            : (tested.outcome.method == Method::anova ? Method::t_test : Method::welch_t_test);
    std::vector<double> p;
    for (std::size_t a = 0; a < data.groups.size(); ++a) {
        for (std::size_t b = a + 1; b < data.groups.size(); ++b) {
            TestData pair;
            pair.outcome = data.outcome;
            pair.scale = data.scale;
            pair.levels = data.levels;
            pair.layout = Layout::two_groups;
            pair.group_names = {data.group_names[a], data.group_names[b]};
            pair.groups = {data.groups[a], data.groups[b]};
            pair.used = data.groups[a].size() + data.groups[b].size();
            const TestOutcome outcome = run_test(method, pair, plan.options);
            p.push_back(outcome.p);
            Json one{
                {"groups", pair.group_names},
                {"test_method", info_of(method).name},
                {"statistic", outcome.statistic},
                {"p_value", outcome.p},
            };
            if (plan.effects && !outcome.effects.empty()) {
                one["effect_size"] = effect_json(outcome.effects[0], 1 - plan.options.alpha);
            }
            out.push_back(std::move(one));
        }
    }
    const std::vector<double> corrected = plan.correct ? adjust(plan.correction, p) : p;
    for (std::size_t i = 0; i < p.size(); ++i) {
        out[i]["corrected_p_value"] = corrected[i];
    }
    return out;
}

void add_numbers(Json& out, const Tested& tested, const Plan& plan) {
    const TestOutcome& outcome = tested.outcome;
    const double confidence = 1 - plan.options.alpha;
    out["test_method"] = info_of(outcome.method).name;
    out["test_method_reason"] = tested.choice.reason;
    out["statistic_name"] = outcome.statistic_name;
    out["test_statistic"] = outcome.statistic;
    out["degrees_of_freedom"] = outcome.df;
    out["p_value"] = outcome.p;
    out["corrected_p_value"] = tested.p_corrected;
    if (!std::isnan(outcome.log_bayes_factor)) {
        out["log_bayes_factor"] = outcome.log_bayes_factor;
        if (!std::isnan(outcome.probability_greater)) {
            out["probability_greater"] = outcome.probability_greater;
        }
    }
    out["confidence_interval"] = interval_json(outcome.interval);
    if (!out["confidence_interval"].is_null()) {
        out["confidence_interval"]["level"] = confidence;
        out["confidence_interval"]["of"] = outcome.estimate_of;
        out["confidence_interval"]["estimate"] = outcome.estimate;
        out["confidence_interval"]["method"] = outcome.interval_method;
    }
    out["effect_size"] = nullptr;
    out["effect_sizes"] = Json::array();
    if (plan.effects) {
        for (const Effect& effect : outcome.effects) {
            out["effect_sizes"].push_back(effect_json(effect, confidence));
        }
        if (!outcome.effects.empty()) {
            out["effect_size"] = out["effect_sizes"][0];
        }
    }
}

Json recommendations_of(
    const Json& body, const Tested& tested, const Powers& powers, std::string_view status
) {
    Json out = Json::array();
    const TestData& data = tested.data;
    if (data.used < kMarginal) {
        out.push_back(fmt::format(
            "Collect more: {} observations were used; with fewer than 30 little can be shown.",
            data.used
        ));
    }
    if (status == "inconclusive" && !std::isnan(powers.needed)) {
        out.push_back(fmt::format(
            "Some {:.0f} observations in all would show an effect like the observed one.",
            powers.needed
        ));
    }
    for (const Check& check : tested.checks) {
        if (!check.violated) {
            continue;
        }
        if (check.assumption == "normality") {
            out.push_back(
                "Compare with a method for ranks, or with bootstrap: " + check.message + "."
            );
        } else if (check.assumption == "equal_variances") {
            out.push_back("Use a method of Welch: " + check.message + ".");
        } else if (check.assumption == "expected_counts") {
            out.push_back("Join rare levels or collect more: " + check.message + ".");
        } else {
            out.push_back("Average inside each id, or pair them: " + check.message + ".");
        }
    }
    if (data.missing > 0) {
        out.push_back(fmt::format(
            "{} observations lack a value and were left out: ask why they are missing.",
            data.missing
        ));
    }
    const Json& given = body.at("experimental_data");
    if (const auto stated = given.find("sample_size");
        stated != given.end() && stated->is_number() &&
        stated->get<double>() != static_cast<double>(data.used + data.missing)) {
        out.push_back(fmt::format(
            "sample_size says {}, {} observations came: complete the data or the number.",
            dump_json(*stated),
            data.used + data.missing
        ));
    }
    if (body.at("hypothesis").at("type") == "causal") {
        out.push_back("A test shows a difference; that it is caused needs random assignment.");
    }
    return out;
}

Json answer_of(const Json& body, const Tested& tested, const Plan& plan) {
    const Powers powers = powers_of(tested, plan.options);
    const std::string_view status = status_of(tested, powers, plan);
    Json out{
        {"variable", tested.data.outcome},
        {"status", status},
        {"conclusion", conclusion_of(status, tested, plan)},
    };
    add_numbers(out, tested, plan);
    out["achieved_power"] = powers.achieved;
    out["power"] = {
        {"required", plan.options.required_power},
        {"achieved", powers.achieved},
        {"for_medium_effect", powers.medium},
        {"observations_needed", powers.needed},
    };
    out["sample_adequacy"] = adequacy_of(tested.data.used);
    out["sample"] = {
        {"used", tested.data.used},
        {"missing", tested.data.missing},
        {"groups", groups_json(tested.data)},
    };
    out["assumption_violations"] = Json::array();
    Json checks = Json::array();
    for (const Check& check : tested.checks) {
        Json one = check_json(check);
        if (check.violated) {
            out["assumption_violations"].push_back(one);
        }
        one["violated"] = check.violated;
        checks.push_back(std::move(one));
    }
    out["recommendations"] = recommendations_of(body, tested, powers, status);
    out["notes"] = tested.outcome.notes;
    if (plan.diagnostics) {
        out["diagnostics"] = {{"assumptions", checks}, {"pairwise", pairwise_json(tested, plan)}};
    }
    return out;
}

Result<std::vector<Tested>> test_all(const Json& body, const Plan& plan) {
    std::vector<Detail> problems;
    std::vector<TestData> all = read_test_data(body, problems);
    std::vector<Tested> out;
    for (TestData& data : all) {
        Tested one;
        if (plan.method) {
            one.choice = {*plan.method, "named in config.test_method"};
            if (const auto why = refuse_method(*plan.method, data)) {
                problems.push_back({"config.test_method", *why});
            }
        } else {
            one.choice = choose_method(data, plan.trend);
        }
        if (one.choice.method == Method::bootstrap &&
            static_cast<std::int64_t>(plan.options.bootstrap_iterations) *
                    static_cast<std::int64_t>(data.used) >
                kBootstrapDrawsMax) {
            problems.push_back(
                {"config.bootstrap_iterations",
                 fmt::format(
                     "must be at most {} with {} observations",
                     kBootstrapDrawsMax / static_cast<std::int64_t>(data.used),
                     data.used
                 )}
            );
        }
        one.data = std::move(data);
        out.push_back(std::move(one));
    }
    if (!problems.empty()) {
        return Error(Code::validation, "the analysis cannot be done as asked", std::move(problems));
    }
    std::vector<double> p;
    for (Tested& one : out) {
        one.outcome = run_test(one.choice.method, one.data, plan.options);
        if (one.outcome.failure.empty()) {
            one.checks = check_assumptions(one.choice.method, one.data);
        }
        p.push_back(one.outcome.p);
    }
    const std::vector<double> corrected = plan.correct ? adjust(plan.correction, p) : p;
    for (std::size_t i = 0; i < out.size(); ++i) {
        out[i].p_corrected = corrected[i];
    }
    return out;
}

}  // namespace

Result<Json> analyse_hypothesis(const Json& body, std::string_view request_id) {
    const Plan plan = read_plan(body);
    LAB_TRY(const std::vector<Tested> tested, test_all(body, plan));
    const Json& hypothesis = body.at("hypothesis");
    Json out = Json::object();
    out["request_id"] = body.value("request_id", std::string(request_id));
    out["agent"] = "hypothesis";
    out["hypothesis_id"] = hypothesis.value("id", Json(nullptr));
    out["hypothesis_name"] = hypothesis.at("name");
    out["hypothesis_type"] = hypothesis.at("type");
    out["significance_level"] = plan.options.alpha;
    out["correction"] = {
        {"applied", plan.correct && tested.size() > 1},
        {"method", plan.correct ? Json(plan.correction) : Json(nullptr)},
        {"tests", tested.size()},
    };
    out["random_seed"] = plan.options.seed;
    // The first dependent variable is the answer; the others stand beside it.
    out.update(answer_of(body, tested.front(), plan));
    out["other_variables"] = Json::array();
    for (std::size_t i = 1; i < tested.size(); ++i) {
        out["other_variables"].push_back(answer_of(body, tested[i], plan));
    }
    return out;
}

}  // namespace lab::service
