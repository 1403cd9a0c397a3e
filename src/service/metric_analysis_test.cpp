#include "platform/json/schema.h"
#include "service/analyses.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cmath>

// Figures are those of numpy 2.4.6 and scipy 1.17.1 on the same values.
namespace lab::service {
namespace {

Json body_of(std::initializer_list<Json> values) {
    Json out = Json::object();
    out["metrics"] = Json::array();
    out["data"]["observations"] = Json::array();
    double x = 0;
    for (const Json& value : values) {
        Json one = Json::object();
        one["values"]["x"] = x++;
        one["values"]["score"] = value;
        out["data"]["observations"].push_back(std::move(one));
    }
    out["config"] = Json::object();
    return out;
}

Json& ask(Json& body, const char* type, Json variables = Json::array({"score"})) {
    Json metric = Json::object();
    metric["type"] = type;
    metric["variables"] = std::move(variables);
    body["metrics"].push_back(std::move(metric));
    return body["metrics"].back();
}

Json analysed(const Json& body) {
    const auto problems = check_schema(body, metric_schema());
    EXPECT_TRUE(problems.empty()) << problems[0].field << ": " << problems[0].message;
    auto answer = analyse_metrics(body, "request");
    EXPECT_TRUE(answer) << (answer ? "" : answer.error().details[0].message);
    return answer ? *std::move(answer) : Json::object();
}

void expect_near(const Json& got, double want) {
    ASSERT_TRUE(got.is_number()) << got;
    EXPECT_NEAR(got.get<double>(), want, 1e-9 * std::abs(want) + 1e-12);
}

TEST(Metrics, DescribeAColumn) {
    Json body = body_of({2, 4, 4, 4, 5, 5, 7, 9, 12, 1.5});
    ask(body, "central_tendency");
    ask(body, "dispersion");
    ask(body, "distribution_shape");
    ask(body, "percentile")["parameters"]["percentiles"] = Json::array({5, 50, 95});
    Json& sum = ask(body, "custom");
    sum["name"] = "total";
    sum["parameters"]["function"] = "sum";
    const Json got = analysed(body);
    EXPECT_EQ(got["request_id"], "request");
    EXPECT_EQ(got["status"], "completed");
    const Json& center = got["metrics"][0]["values"];
    expect_near(center["mean"], 5.35);
    expect_near(center["median"], 4.5);
    expect_near(center["mode"], 4);
    expect_near(center["mean_confidence_interval"]["lower"], 3.0625351330881148);
    expect_near(got["metrics"][1]["values"]["standard_deviation"], 3.1976553910638965);
    expect_near(got["metrics"][2]["values"]["skewness"], 0.877872433206316);
    expect_near(got["metrics"][2]["values"]["excess_kurtosis"], -0.05243383997695572);
    expect_near(got["metrics"][3]["values"]["p5"], 1.725);
    expect_near(got["metrics"][3]["values"]["p95"], 10.65);
    EXPECT_EQ(got["metrics"][4]["name"], "total");
    expect_near(got["metrics"][4]["values"]["value"], 53.5);
}

TEST(Metrics, OfTwoColumnsAreCorrelationAndRegression) {
    Json body = body_of({1, 3, 2, 5});
    ask(body, "correlation", Json::array({"x", "score"}));
    ask(body, "regression", Json::array({"x", "score"}));
    const Json got = analysed(body);
    expect_near(got["metrics"][0]["values"]["coefficient"], 0.8315218406202999);
    expect_near(got["metrics"][1]["values"]["slope"], 1.1);
    expect_near(got["metrics"][1]["values"]["intercept"], 1.1);
}

TEST(Metrics, TreatMissingValuesAsAsked) {
    const auto mean_with = [](const char* strategy) {
        Json body = body_of({1, 2, 9, nullptr});
        body["config"]["missing_data"] = strategy;
        ask(body, "central_tendency");
        return analysed(body)["metrics"][0];
    };
    expect_near(mean_with("skip")["values"]["mean"], 4);
    expect_near(mean_with("zero_fill")["values"]["mean"], 3);
    expect_near(mean_with("mean")["values"]["mean"], 4);
    expect_near(mean_with("median")["values"]["mean"], 3.5);
    EXPECT_EQ(mean_with("median")["filled"], 1);
    EXPECT_EQ(mean_with("fail")["status"], "failed");
    EXPECT_EQ(mean_with("skip")["n"], 3);
}

TEST(Metrics, AreRoundedToThePrecision) {
    Json body = body_of({1, 2, 2});
    ask(body, "central_tendency");
    body["config"]["precision"] = 2;
    expect_near(analysed(body)["metrics"][0]["values"]["mean"], 1.67);
    body["config"]["precision"] = 0;
    expect_near(analysed(body)["metrics"][0]["values"]["mean"], 2);
    body["config"]["precision"] = 20;
    EXPECT_EQ(analysed(body)["metrics"][0]["values"]["mean"], 5.0 / 3);
    body["config"]["precision"] = 21;
    EXPECT_EQ(check_schema(body, metric_schema())[0].field, "config.precision");
}

TEST(Metrics, CountAnObservationAsOftenAsItsWeightSays) {
    Json body = body_of({1, 4});
    body["data"]["observations"][1]["weight"] = 2;
    ask(body, "central_tendency");
    expect_near(analysed(body)["metrics"][0]["values"]["mean"], 3);
    EXPECT_EQ(analysed(body)["observations"], 3);
}

TEST(Metrics, ThatCannotBeComputedFailAlone) {
    Json body = body_of({1, 1, 1});
    ask(body, "correlation", Json::array({"x", "score"}));
    ask(body, "dispersion");
    const Json got = analysed(body);
    EXPECT_EQ(got["status"], "partial");
    EXPECT_EQ(got["metrics"][0]["status"], "failed");
    EXPECT_EQ(got["metrics"][1]["values"]["standard_deviation"], 0);
}

TEST(Metrics, ThatAreAskedWrongAreRefusedWithTheirPlace) {
    const auto refusal = [](const Json& body) {
        const auto answer = analyse_metrics(body, "request");
        return answer ? std::string("not refused") : answer.error().details.at(0).field;
    };
    Json body = body_of({1, "two"});
    ask(body, "dispersion");
    EXPECT_EQ(refusal(body), "data.observations[1].values.score");
    body = body_of({1, 2});
    ask(body, "correlation");
    EXPECT_EQ(refusal(body), "metrics[0].variables");
    body = body_of({1, 2});
    ask(body, "custom");
    EXPECT_EQ(refusal(body), "metrics[0].parameters.function");
}

}  // namespace
}  // namespace lab::service
