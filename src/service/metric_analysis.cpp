#include "platform/json/document.h"
#include "science/stats/association.h"
#include "science/stats/descriptive.h"
#include "science/stats/shape.h"
#include "science/stats/t_tests.h"
#include "service/analyses.h"
#include "service/impl/observations.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>

namespace lab::service {
namespace {
using namespace science;

constexpr std::string_view kAt = "data.observations";

struct Column {
    std::vector<double> values;  ///< NaN = missing and left out
    std::size_t missing = 0;
    std::size_t filled = 0;
};

struct Ask {
    std::string type;
    std::vector<std::string> variables;
    Json parameters;
    double confidence = 0.95;
};

using Columns = std::vector<const Column*>;

/// Missing values by the strategy; with "fail" they stay and are counted.
void fill(Column& column, std::string_view strategy) {
    const std::vector<double> present = present_values(column.values);
    column.missing = column.values.size() - present.size();
    double instead = kNaN;
    if (strategy == "zero_fill") {
        instead = 0;
    } else if (strategy == "mean") {
        instead = mean(present);
    } else if (strategy == "median") {
        instead = median(present);
    }
    if (std::isnan(instead)) {
        return;
    }
    for (double& x : column.values) {
        x = std::isnan(x) ? instead : x;
    }
    column.filled = column.missing;
}

Json interval(const Interval& of) { return {{"lower", of.lo}, {"upper", of.hi}}; }

Json central_tendency(const std::vector<double>& values, const Ask& ask) {
    const double se = standard_error(values);
    Json out{
        {"mean", mean(values)},
        {"median", median(values)},
        {"trimmed_mean", trimmed_mean(values, 0.1)},
        {"geometric_mean", geometric_mean(values)},
        {"standard_error", se},
    };
    out["mean_confidence_interval"] = interval(
        t_interval(mean(values), se, static_cast<double>(values.size()) - 1, ask.confidence)
    );
    std::map<double, std::size_t> counts;
    for (const double x : values) {
        ++counts[x];
    }
    const auto most =
        std::ranges::max_element(counts, {}, [](const auto& one) { return one.second; });
    // Values that are all different have no mode.
    const bool has_mode = most != counts.end() && (most->second > 1 || values.size() == 1);
    out["mode"] = has_mode ? Json(most->first) : Json(nullptr);
    out["mode_count"] = has_mode ? most->second : 0;
    return out;
}

Json dispersion(const std::vector<double>& values) {
    const double sd = standard_deviation(values);
    const double middle = mean(values);
    const auto [least, most] = std::ranges::minmax(values);
    return {
        {"variance", sd * sd},
        {"standard_deviation", sd},
        {"standard_error", standard_error(values)},
        {"minimum", least},
        {"maximum", most},
        {"range", most - least},
        {"interquartile_range", interquartile_range(values)},
        {"median_absolute_deviation", median_absolute_deviation(values)},
        {"coefficient_of_variation", middle == 0 ? kNaN : sd / std::abs(middle)},
    };
}

Json distribution_shape(const std::vector<double>& values) {
    const bool many = values.size() > kShapiroWilkMax;
    const Normality normal = many ? dagostino_k2(values) : shapiro_wilk(values);
    Json out{
        {"skewness", skewness(values)},
        {"sample_skewness", sample_skewness(values)},
        {"excess_kurtosis", excess_kurtosis(values)},
        {"sample_excess_kurtosis", sample_kurtosis(values)},
    };
    out["normality"] = {
        {"test", many ? "dagostino_k2" : "shapiro_wilk"},
        {"statistic", normal.statistic},
        {"p_value", normal.p},
    };
    out["normal"] = std::isnan(normal.p) ? Json(nullptr) : Json(normal.p >= 1 - 0.95);
    return out;
}

Json percentiles(const std::vector<double>& values, const Ask& ask) {
    std::vector<double> sorted = values;
    std::ranges::sort(sorted);
    Json wanted = ask.parameters.value("percentiles", Json());
    if (wanted.is_null()) {
        wanted = {1, 5, 10, 25, 50, 75, 90, 95, 99};
    }
    const bool nearest = ask.parameters.value("method", "linear") == "nearest_rank";
    Json out = Json::object();
    for (const Json& percent : wanted) {
        out["p" + dump_json(percent)] = quantile_sorted(
            sorted,
            percent.get<double>() / 100,
            nearest ? QuantileType::nearest_rank : QuantileType::linear
        );
    }
    return out;
}

Json custom(const std::vector<double>& values, const Ask& ask) {
    const std::string function = ask.parameters.at("function").get<std::string>();
    const double argument = ask.parameters.value("argument", 0.0);
    const auto n = static_cast<double>(values.size());
    const auto share = [&](auto&& holds) {
        return static_cast<double>(std::ranges::count_if(values, holds)) / n;
    };
    double value = kNaN;
    if (function == "sum") {
        value = sum(values);
    } else if (function == "count") {
        value = n;
    } else if (function == "trimmed_mean") {
        value = trimmed_mean(values, argument);
    } else if (function == "geometric_mean") {
        value = geometric_mean(values);
    } else if (function == "harmonic_mean") {
        std::vector<double> inverse(values);
        std::ranges::transform(inverse, inverse.begin(), [](double x) { return 1 / x; });
        const bool positive = std::ranges::all_of(values, [](double x) { return x > 0; });
        value = positive ? 1 / mean(inverse) : kNaN;
    } else if (function == "root_mean_square") {
        std::vector<double> squares(values);
        std::ranges::transform(squares, squares.begin(), [](double x) { return x * x; });
        value = std::sqrt(mean(squares));
    } else if (function == "share_at_least") {
        value = share([&](double x) { return x >= argument; });
    } else if (function == "share_at_most") {
        value = share([&](double x) { return x <= argument; });
    }
    return {{"function", function}, {"value", value}};
}

Json correlation_of(const std::vector<double>& x, const std::vector<double>& y, const Ask& ask) {
    const bool ranks = ask.parameters.value("method", "pearson") == "spearman";
    const Association found =
        ranks ? spearman(x, y, ask.confidence) : pearson(x, y, ask.confidence);
    return {
        {"method", ranks ? "spearman" : "pearson"},
        {"coefficient", found.r},
        {"p_value", found.p},
        {"degrees_of_freedom", found.df},
        {"confidence_interval", interval(found.interval)},
    };
}

Json regression_of(const std::vector<double>& x, const std::vector<double>& y, const Ask& ask) {
    const LinearRegression fit = linear_regression(x, y, ask.confidence);
    return {
        {"slope", fit.slope},
        {"intercept", fit.intercept},
        {"slope_standard_error", fit.slope_se},
        {"intercept_standard_error", fit.intercept_se},
        {"slope_confidence_interval", interval(fit.slope_interval)},
        {"intercept_confidence_interval", interval(fit.intercept_interval)},
        {"t", fit.t},
        {"degrees_of_freedom", fit.df},
        {"p_value", fit.p},
        {"r_squared", fit.r_squared},
        {"adjusted_r_squared", fit.r_squared_adjusted},
        {"residual_standard_deviation", fit.residual_sd},
    };
}

Json describe(const std::vector<double>& values, const Ask& ask) {
    if (ask.type == "central_tendency") {
        return central_tendency(values, ask);
    }
    if (ask.type == "dispersion") {
        return dispersion(values);
    }
    if (ask.type == "distribution_shape") {
        return distribution_shape(values);
    }
    return ask.type == "percentile" ? percentiles(values, ask) : custom(values, ask);
}

/// Decimal rounding of every number below, as printing with so many decimals rounds.
void round_numbers(Json& value, int precision) {
    if (value.is_structured()) {
        for (Json& one : value) {
            round_numbers(one, precision);
        }
    } else if (value.is_number_float()) {
        const auto number = value.get<double>();
        // 17 digits say all there is of a double; more decimals change nothing.
        if (std::isfinite(number) && std::abs(number) < 1e15) {
            const std::string text = fmt::format("{:.{}f}", number, precision);
            double rounded = 0;
            std::from_chars(text.data(), text.data() + text.size(), rounded);
            value = rounded;
        }
    }
}

bool takes_two(std::string_view type) { return type == "correlation" || type == "regression"; }

/// Rows in which both sides are there.
Json of_two(const Column& x, const Column& y, const Ask& ask, std::size_t& used) {
    std::vector<double> xs;
    std::vector<double> ys;
    for (std::size_t i = 0; i < x.values.size(); ++i) {
        if (!std::isnan(x.values[i]) && !std::isnan(y.values[i])) {
            xs.push_back(x.values[i]);
            ys.push_back(y.values[i]);
        }
    }
    used = xs.size();
    return ask.type == "correlation" ? correlation_of(xs, ys, ask) : regression_of(xs, ys, ask);
}

Json compute(const Json& metric, const Ask& ask, const Columns& columns, bool refuse_missing) {
    Json out{{"name", metric.value("name", ask.type)}, {"type", ask.type}};
    out["variables"] = ask.variables;
    std::size_t missing = 0;
    std::size_t filled = 0;
    for (const Column* const column : columns) {
        missing += column->missing;
        filled += column->filled;
    }
    std::size_t used = 0;
    Json values;
    std::string error;
    if (refuse_missing && missing > 0) {
        error = fmt::format("{} values are missing, and config.missing_data is \"fail\"", missing);
    } else if (takes_two(ask.type)) {
        values = of_two(*columns[0], *columns[1], ask, used);
        if (values[ask.type == "correlation" ? "coefficient" : "slope"].is_number() &&
            std::isnan(values[ask.type == "correlation" ? "coefficient" : "slope"].get<double>())) {
            error = "at least three rows are needed, and the variables must vary";
        }
    } else {
        const std::vector<double> present = present_values(columns[0]->values);
        used = present.size();
        if (present.empty()) {
            error = "no row has a value";
        } else {
            values = describe(present, ask);
        }
    }
    out["status"] = error.empty() ? "computed" : "failed";
    out["n"] = used;
    out["missing"] = missing;
    out["filled"] = filled;
    out["values"] = error.empty() ? std::move(values) : Json(nullptr);
    if (!error.empty()) {
        out["error"] = error;
    }
    return out;
}

Ask read_ask(const Json& metric, double confidence) {
    Ask out;
    out.type = metric.at("type").get<std::string>();
    out.parameters = metric.value("parameters", Json::object());
    out.confidence = confidence;
    for (const Json& name : metric.at("variables")) {
        out.variables.push_back(name.get<std::string>());
    }
    return out;
}

void check_ask(const Ask& ask, const std::string& path, std::vector<Detail>& problems) {
    const std::size_t wanted = takes_two(ask.type) ? 2 : 1;
    if (ask.variables.size() != wanted) {
        problems.push_back(
            {path_member(path, "variables"),
             fmt::format(
                 "must name {}",
                 wanted == 2 ? "two: what explains, then what is explained" : "one variable"
             )}
        );
    }
    if (ask.type == "custom" && !ask.parameters.contains("function")) {
        problems.push_back(
            {path_member(path_member(path, "parameters"), "function"), "is needed by \"custom\""}
        );
    }
    const double argument = ask.parameters.value("argument", 0.0);
    if (ask.parameters.value("function", "") == "trimmed_mean" &&
        !(argument >= 0 && argument < 0.5)) {
        problems.push_back(
            {path_member(path_member(path, "parameters"), "argument"),
             "must be at least 0 and below 0.5"}
        );
    }
}

}  // namespace

Result<Json> analyse_metrics(const Json& body, std::string_view request_id) {
    std::vector<Detail> problems;
    const Observations data = read_observations(body.at("data").at("observations"), kAt, problems);
    const Json config = body.value("config", Json::object());
    const std::string strategy = config.value("missing_data", "skip");
    const double confidence = config.value("confidence_level", 0.95);
    std::map<std::string, Column> columns;
    std::vector<Ask> asks;
    for (std::size_t i = 0; i < body.at("metrics").size(); ++i) {
        asks.push_back(read_ask(body.at("metrics")[i], confidence));
        check_ask(asks.back(), path_index("metrics", i), problems);
        for (const std::string& name : asks.back().variables) {
            if (!problems.empty() || columns.contains(name)) {
                continue;
            }
            Column& column = columns[name];
            column.values = numeric_column(data, name, kAt, problems);
            fill(column, strategy);
        }
    }
    if (!problems.empty()) {
        return Error(Code::validation, "the analysis cannot be done as asked", std::move(problems));
    }
    Json results = Json::array();
    std::size_t failed = 0;
    for (std::size_t i = 0; i < asks.size(); ++i) {
        Columns used;
        for (const std::string& name : asks[i].variables) {
            used.push_back(&columns.at(name));
        }
        results.push_back(compute(body.at("metrics")[i], asks[i], used, strategy == "fail"));
        failed += results.back().at("status") == "failed" ? 1 : 0;
    }
    if (const auto precision = config.find("precision");
        precision != config.end() && precision->is_number()) {
        for (Json& result : results) {
            round_numbers(result["values"], precision->get<int>());
        }
    }
    return Json{
        {"request_id", body.value("request_id", std::string(request_id))},
        {"agent", "metric"},
        {"status", failed == 0 ? "completed" : (failed == asks.size() ? "failed" : "partial")},
        {"observations", data.rows.size()},
        {"missing_data", strategy},
        {"confidence_level", confidence},
        {"metrics", std::move(results)},
    };
}

}  // namespace lab::service
