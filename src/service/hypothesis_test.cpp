#include "service/impl/hypothesis.h"

#include "platform/json/schema.h"
#include "service/analyses.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <numeric>

// Figures are those of scipy 1.17.1, statsmodels 0.15.0 and mpmath 1.4.1 on the same values.
namespace lab::service {
namespace {

using Values = std::vector<double>;
const Values kA{5.1, 4.9, 6.2, 5.8, 6.0, 5.5, 5.3, 6.7, 5.9, 6.1, 5.4, 5.6};
const Values kB{4.1, 5.0, 4.4, 4.9, 5.2, 4.6, 4.3, 5.1, 4.8, 4.7};
const Values kC{6.9, 7.4, 6.6, 7.1, 7.8, 6.4, 7.0, 7.3};

void add_group(Json& observations, const std::string& group, const Values& values, bool ids) {
    for (std::size_t i = 0; i < values.size(); ++i) {
        Json one = Json::object();
        one["values"]["score"] = values[i];
        one["group"] = group;
        if (ids) {
            one["id"] = "item " + std::to_string(i);
        }
        observations.push_back(std::move(one));
    }
}

Json body_of(std::initializer_list<std::pair<const char*, Values>> groups, bool ids = false) {
    Json out = Json::object();
    out["request_id"] = "r-1";
    out["hypothesis"]["name"] = "n";
    out["hypothesis"]["statement"] = "a is better than b";
    out["hypothesis"]["type"] = "comparative";
    out["experimental_data"]["observations"] = Json::array();
    for (const auto& [name, values] : groups) {
        add_group(out["experimental_data"]["observations"], name, values, ids);
    }
    out["config"] = Json::object();
    return out;
}

/// Counts of "yes" and "no" in two groups.
Json counts_body(int yes_a, int no_a, int yes_b, int no_b) {
    Json out = body_of({});
    const auto add = [&](const char* group, const char* value, int times) {
        Json one = Json::object();
        one["values"]["passed"] = value;
        one["group"] = group;
        one["weight"] = times;
        out["experimental_data"]["observations"].push_back(std::move(one));
    };
    add("a", "yes", yes_a);
    add("a", "no", no_a);
    add("b", "yes", yes_b);
    add("b", "no", no_b);
    return out;
}

Json pairs_of_numbers(const Values& x, const Values& y, const char* type) {
    Json out = body_of({});
    out["hypothesis"]["type"] = type;
    Json cause = Json::object();
    cause["name"] = "size";
    cause["role"] = "independent";
    Json effect = Json::object();
    effect["name"] = "score";
    effect["role"] = "dependent";
    out["hypothesis"]["variables"] = Json::array({cause, effect});
    for (std::size_t i = 0; i < x.size(); ++i) {
        Json one = Json::object();
        one["values"]["size"] = x[i];
        one["values"]["score"] = y[i];
        out["experimental_data"]["observations"].push_back(std::move(one));
    }
    return out;
}

Json analysed(const Json& body) {
    const auto problems = check_schema(body, hypothesis_schema());
    EXPECT_TRUE(problems.empty()) << problems[0].field << ": " << problems[0].message;
    auto answer = analyse_hypothesis(body, "request");
    EXPECT_TRUE(answer) << (answer ? "" : answer.error().details[0].message);
    return answer ? *std::move(answer) : Json::object();
}

void expect_near(const Json& got, double want) {
    ASSERT_TRUE(got.is_number()) << got;
    EXPECT_NEAR(got.get<double>(), want, 1e-9 * std::abs(want) + 1e-15);
}

std::string refusal(const Json& body) {
    const auto answer = analyse_hypothesis(body, "request");
    if (answer || answer.error().details.empty()) {
        return "not refused";
    }
    EXPECT_EQ(answer.error().code, Code::validation);
    return answer.error().details[0].field + ": " + answer.error().details[0].message;
}

TEST(Hypothesis, OfTwoGroupsIsTestedByWelch) {
    const Json got = analysed(body_of({{"a", kA}, {"b", kB}}));
    EXPECT_EQ(got["request_id"], "r-1");
    EXPECT_EQ(got["status"], "accepted");
    EXPECT_EQ(got["test_method"], "welch_t_test");
    expect_near(got["test_statistic"], 5.369130917893267);
    expect_near(got["p_value"], 3.184155643048314e-05);
    expect_near(got["degrees_of_freedom"][0], 19.563510208685873);
    expect_near(got["confidence_interval"]["lower"], 0.6099148865135613);
    expect_near(got["confidence_interval"]["upper"], 1.3867517801531066);
    EXPECT_EQ(got["effect_size"]["measure"], "cohens_d");
    EXPECT_EQ(got["effect_size"]["magnitude"], "large");
    expect_near(got["effect_size"]["value"], 2.2272891248588738);
    expect_near(got["achieved_power"], 0.9985545346371506);
    expect_near(got["power"]["for_medium_effect"], 0.19935397455355652);
    EXPECT_EQ(got["sample_adequacy"], "inadequate");
    EXPECT_TRUE(got["assumption_violations"].empty());
}

TEST(Hypothesis, NamedMethodsAreHonoured) {
    const auto with = [](Json body, const char* method) {
        body["config"]["test_method"] = method;
        return analysed(body);
    };
    const Json two = body_of({{"a", kA}, {"b", kB}});
    expect_near(with(two, "t_test")["p_value"], 4.329328336106815e-05);
    expect_near(with(two, "mann_whitney_u")["p_value"], 0.00032357708055903185);
    const Json three = body_of({{"a", kA}, {"b", kB}, {"c", kC}});
    expect_near(with(three, "kruskal_wallis")["test_statistic"], 23.67182283552192);
    const Json bayesian = with(two, "bayesian");
    // The integral with 30 digits; pingouin's own says 406.63.
    expect_near(bayesian["test_statistic"], 406.67506825213278);
    EXPECT_EQ(bayesian["status"], "accepted");
    EXPECT_TRUE(std::isnan(bayesian["p_value"].get<double>()));
}

TEST(Hypothesis, OfSeveralGroupsIsTestedByAnovaAndPairByPair) {
    const Json got = analysed(body_of({{"a", kA}, {"b", kB}, {"c", kC}}));
    EXPECT_EQ(got["test_method"], "anova");
    expect_near(got["test_statistic"], 61.339715090072694);
    expect_near(got["p_value"], 9.093313843349913e-11);
    const Json& pairs = got["diagnostics"]["pairwise"];
    ASSERT_EQ(pairs.size(), 3U);
    expect_near(pairs[0]["p_value"], 4.329328336106815e-05);
    EXPECT_GE(pairs[0]["corrected_p_value"], pairs[0]["p_value"]);
}

TEST(Hypothesis, OfIdsInBothGroupsIsPaired) {
    const Values p{12.1, 11.4, 13.3, 12.8, 10.9, 12.2, 11.7, 13.0};
    const Values q{11.2, 11.0, 12.1, 12.9, 10.1, 11.6, 10.8, 12.4};
    Json body = body_of({{"new", p}, {"old", q}}, true);
    const Json got = analysed(body);
    EXPECT_EQ(got["test_method"], "paired_t_test");
    expect_near(got["test_statistic"], 4.7733083673076315);
    expect_near(got["p_value"], 0.0020279309842040696);
    body["config"]["test_method"] = "wilcoxon_signed_rank";
    expect_near(analysed(body)["p_value"], 0.015625);
    body["config"]["test_method"] = "t_test";
    EXPECT_EQ(analysed(body)["assumption_violations"][0]["assumption"], "independence");
}

TEST(Hypothesis, OfCategoriesIsTestedByChiSquared) {
    const Json got = analysed(counts_body(30, 10, 18, 22));
    EXPECT_EQ(got["test_method"], "chi_squared");
    expect_near(got["test_statistic"], 7.5);
    expect_near(got["p_value"], 0.0061698993205441645);
    EXPECT_EQ(got["effect_size"]["measure"], "phi");
    const Json& odds = got["effect_sizes"][2];
    EXPECT_EQ(odds["measure"], "odds_ratio");
    expect_near(odds["value"], 3.6666666666666665);
    EXPECT_EQ(got["sample_adequacy"], "marginal");
    const Json small = analysed(counts_body(9, 3, 4, 8));
    expect_near(small["test_statistic"], 2.6853146853146854);
    expect_near(small["p_value"], 0.1012772166332762);
    EXPECT_EQ(small["status"], "inconclusive");
}

TEST(Hypothesis, OfTwoNumbersIsACorrelationAndOfATrendALine) {
    Values x(12);
    std::iota(x.begin(), x.end(), 1);
    const Values y{2.1, 2.9, 4.2, 4.8, 6.1, 6.8, 8.3, 8.9, 9.7, 11.2, 11.8, 13.1};
    const Json got = analysed(pairs_of_numbers(x, y, "correlational"));
    EXPECT_EQ(got["test_method"], "pearson_correlation");
    expect_near(got["test_statistic"], 0.9985008293297566);
    expect_near(got["p_value"], 5.948678557589711e-14);
    const Json trend = analysed(pairs_of_numbers(x, y, "trend"));
    EXPECT_EQ(trend["test_method"], "linear_regression");
    expect_near(trend["confidence_interval"]["estimate"], 0.9947552447552448);
    expect_near(trend["p_value"], 5.948678557589701e-14);
}

TEST(Hypothesis, OfOneGroupIsHeldAgainstTheThreshold) {
    Json body = body_of({{"a", kA}});
    body["hypothesis"]["type"] = "threshold";
    body["config"]["threshold"] = 5;
    const Json got = analysed(body);
    EXPECT_EQ(got["test_method"], "one_sample_t_test");
    expect_near(got["test_statistic"], 4.82131734142214);
    expect_near(got["p_value"], 0.0005347499107279362);
}

TEST(Hypothesis, IsRejectedOnlyWhereAnEffectWouldHaveBeenFound) {
    Values even;
    for (int i = 0; i < 120; ++i) {
        even.push_back(i % 7);
    }
    Values other(even.rbegin(), even.rend());
    const Json many = analysed(body_of({{"a", even}, {"b", other}}));
    EXPECT_EQ(many["status"], "rejected");
    EXPECT_EQ(many["sample_adequacy"], "adequate");
    const Json few = analysed(body_of({{"a", {1, 2, 3, 4}}, {"b", {1, 3, 2, 5}}}));
    EXPECT_EQ(few["status"], "inconclusive");
}

TEST(Hypothesis, ThatCannotBeComputedHasFailedAndSaysWhy) {
    const Json flat = analysed(body_of({{"a", {1, 1, 1}}, {"b", {1, 1, 1}}}));
    EXPECT_EQ(flat["status"], "failed");
    EXPECT_NE(flat["conclusion"].get<std::string>().find("does not vary"), std::string::npos);
    const Json lonely = analysed(body_of({{"a", {1, 2, 3}}, {"b", {4}}}));
    EXPECT_EQ(lonely["status"], "failed");
    EXPECT_NE(lonely["conclusion"].get<std::string>().find("b has 1 value"), std::string::npos);
}

TEST(Hypothesis, OfGroupsThatLieWorldsApartIsAcceptedWithPowerOne) {
    const Values low{1, 2, 3, 2, 1, 3};
    const Values high{1e9, 1e9 + 1, 1e9 + 2, 1e9 + 1, 1e9, 1e9 + 2};
    for (const char* method : {"t_test", "welch_t_test", "anova", "bayesian", "mann_whitney_u"}) {
        Json body = body_of({{"a", low}, {"b", high}});
        body["config"]["test_method"] = method;
        const Json got = analysed(body);
        EXPECT_EQ(got["status"], "accepted") << method;
        EXPECT_EQ(got["achieved_power"], 1) << method;
    }
}

TEST(Hypothesis, OfSeveralOutcomesIsCorrected) {
    Json body = body_of({{"a", kA}, {"b", kB}});
    for (Json& one : body["experimental_data"]["observations"]) {
        one["values"]["other"] = one["values"]["score"].get<double>() * 2;
    }
    for (const char* name : {"score", "other"}) {
        Json variable = Json::object();
        variable["name"] = name;
        variable["role"] = "dependent";
        body["hypothesis"]["variables"].push_back(variable);
    }
    body["config"]["correction_method"] = "bonferroni";
    const Json got = analysed(body);
    expect_near(got["corrected_p_value"], 2 * got["p_value"].get<double>());
    ASSERT_EQ(got["other_variables"].size(), 1U);
    EXPECT_EQ(got["other_variables"][0]["variable"], "other");
    body["config"]["apply_correction"] = false;
    EXPECT_EQ(analysed(body)["corrected_p_value"], got["p_value"]);
}

TEST(Hypothesis, ByBootstrapIsTheSameForTheSameSeed) {
    Json body = body_of({{"a", kA}, {"b", kB}});
    body["config"]["test_method"] = "bootstrap";
    body["config"]["bootstrap_iterations"] = 2000;
    body["config"]["random_seed"] = 11;
    const Json got = analysed(body);
    EXPECT_EQ(dump_json(got), dump_json(analysed(body)));
    EXPECT_EQ(got["status"], "accepted");
    body["config"]["random_seed"] = 12;
    EXPECT_NE(got["confidence_interval"], analysed(body)["confidence_interval"]);
}

TEST(Hypothesis, LeavesMissingValuesOutAndSaysSo) {
    Json body = body_of({{"a", kA}, {"b", kB}});
    body["experimental_data"]["observations"][0]["values"]["score"] = nullptr;
    body["experimental_data"]["sample_size"] = 25;
    const Json got = analysed(body);
    EXPECT_EQ(got["sample"]["missing"], 1);
    EXPECT_EQ(got["sample"]["used"], 21);
    EXPECT_EQ(got["recommendations"].size(), 3U) << got["recommendations"];
}

TEST(Hypothesis, ThatDoesNotFitItsMethodIsRefusedWithItsPlace) {
    Json body = body_of({{"a", kA}, {"b", kB}, {"c", kC}});
    body["config"]["test_method"] = "t_test";
    EXPECT_EQ(
        refusal(body),
        "config.test_method: t_test needs two groups; the data of \"score\" have 3 group(s)"
    );
    body["config"]["test_method"] = "pearson_correlation";
    EXPECT_NE(refusal(body).find("numeric independent"), std::string::npos);
    body = body_of({{"a", kA}, {"b", kB}});
    body["experimental_data"]["observations"][3]["weight"] = 0.5;
    EXPECT_NE(refusal(body).find("observations[3].weight"), std::string::npos);
    body["experimental_data"]["observations"][3]["weight"] = 1'000'000;
    EXPECT_NE(refusal(body).find("at most 100,000"), std::string::npos);
    body["experimental_data"]["observations"][3] = {{"values", {{"score", 1}, {"other", 2}}}};
    EXPECT_NE(refusal(body).find("which value is dependent"), std::string::npos);
}

TEST(Hypothesis, BeyondItsLimitsIsRefusedByTheSchema) {
    const auto problem = [](const auto& change) {
        Json body = body_of({{"a", kA}, {"b", kB}});
        change(body);
        const auto problems = check_schema(body, hypothesis_schema());
        return problems.empty() ? std::string("fits") : problems[0].field;
    };
    EXPECT_EQ(problem([](Json&) {}), "fits");
    EXPECT_EQ(
        problem([](Json& b) { b["hypothesis"]["name"] = std::string(256, 'n'); }), "hypothesis.name"
    );
    EXPECT_EQ(
        problem([](Json& b) { b["hypothesis"]["statement"] = std::string(2001, 'n'); }),
        "hypothesis.statement"
    );
    EXPECT_EQ(
        problem([](Json& b) { b["hypothesis"]["null_hypothesis"] = ""; }),
        "hypothesis.null_hypothesis"
    );
    EXPECT_EQ(problem([](Json& b) { b["hypothesis"]["type"] = "guess"; }), "hypothesis.type");
    EXPECT_EQ(
        problem([](Json& b) { b["hypothesis"]["significance_level"] = 0; }),
        "hypothesis.significance_level"
    );
    EXPECT_EQ(
        problem([](Json& b) { b["config"]["bootstrap_iterations"] = 99; }),
        "config.bootstrap_iterations"
    );
    EXPECT_EQ(problem([](Json& b) { b["config"]["test_method"] = "t"; }), "config.test_method");
    EXPECT_EQ(
        problem([](Json& b) { b["experimental_data"]["observations"] = Json::array(); }),
        "experimental_data.observations"
    );
}

TEST(Agents, DescribeWhatTheyTake) {
    EXPECT_EQ(list_agents()["total"], 2);
    const Json agent = describe_agent("hypothesis");
    EXPECT_EQ(agent["methods"].size(), methods().size());
    EXPECT_EQ(agent["input_schema"], hypothesis_schema());
    EXPECT_EQ(describe_agent("metric")["input_schema"], metric_schema());
    for (const MethodInfo& method : methods()) {
        EXPECT_EQ(find_method(method.name), method.method);
    }
}

}  // namespace
}  // namespace lab::service
