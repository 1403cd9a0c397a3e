#include "service/impl/hypothesis_data.h"

#include "platform/json/document.h"
#include "service/analyses.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

namespace lab::service {
namespace {

constexpr std::string_view kAt = "experimental_data.observations";
constexpr std::string_view kVariables = "hypothesis.variables";
constexpr std::size_t kGroupsMax = 50;

struct Variable {
    std::string name;
    std::string role;
    std::string type;
};

std::vector<Variable> read_variables(
    const Json& hypothesis, const Observations& data, std::vector<Detail>& problems
) {
    std::vector<Variable> out;
    const auto given = hypothesis.find("variables");
    if (given == hypothesis.end() || given->empty()) {
        const std::vector<std::string> names = value_names(data);
        if (names.size() != 1) {
            problems.push_back(
                {std::string(kVariables),
                 "must say which value is dependent, as observations do not have exactly one"}
            );
            return out;
        }
        return {{names[0], "dependent", ""}};
    }
    for (std::size_t i = 0; i < given->size(); ++i) {
        const Json& one = (*given)[i];
        Variable variable{
            one.at("name").get<std::string>(), one.value("role", ""), one.value("data_type", "")
        };
        if (variable.role.empty()) {
            variable.role = given->size() == 1 ? "dependent" : "control";
        }
        if (std::ranges::any_of(out, [&](const auto& o) { return o.name == variable.name; })) {
            problems.push_back(
                {path_member(path_index(kVariables, i), "name"), "is the name of another variable"}
            );
        }
        out.push_back(std::move(variable));
    }
    const auto has = [&](std::string_view role) {
        return std::ranges::count(out, role, &Variable::role);
    };
    if (has("dependent") == 0) {
        problems.push_back({std::string(kVariables), "must have one with the role \"dependent\""});
    }
    if (has("independent") > 1) {
        problems.push_back(
            {std::string(kVariables), "must have at most one with the role \"independent\""}
        );
    }
    return out;
}

/// Without a type: numbers are numeric, anything else is categorical.
bool all_numbers(const Observations& data, std::string_view name) {
    return std::ranges::all_of(data.rows, [&](const Observations::Row& row) {
        const auto found = row.values->find(name);
        return found == row.values->end() || found->is_null() || found->is_number();
    });
}

Scale scale_of(const Variable& variable, const Observations& data) {
    if (variable.type == "continuous" || variable.type == "discrete") {
        return Scale::numeric;
    }
    if (variable.type == "ordinal") {
        return Scale::ordinal;
    }
    if (variable.type.empty() && all_numbers(data, variable.name)) {
        return Scale::numeric;
    }
    return Scale::categorical;
}

/// Levels in the order of their numbers, or of their names.
void sort_levels(LevelColumn& column) {
    const auto number = [](const std::string& text) {
        char* end = nullptr;
        const double value = std::strtod(text.c_str(), &end);
        return !text.empty() && *end == '\0' ? value : science::kNaN;
    };
    std::vector<std::size_t> order(column.levels.size());
    std::iota(order.begin(), order.end(), 0U);
    const bool numeric = std::ranges::all_of(column.levels, [&](const std::string& level) {
        return !std::isnan(number(level));
    });
    std::ranges::sort(order, [&](std::size_t a, std::size_t b) {
        return numeric ? number(column.levels[a]) < number(column.levels[b])
                       : column.levels[a] < column.levels[b];
    });
    std::vector<double> place(order.size());
    std::vector<std::string> levels;
    for (std::size_t i = 0; i < order.size(); ++i) {
        place[order[i]] = static_cast<double>(i);
        levels.push_back(column.levels[order[i]]);
    }
    for (double& code : column.codes) {
        code = std::isnan(code) ? code : place[static_cast<std::size_t>(code)];
    }
    column.levels = std::move(levels);
}

/// The group of every row, by number; NaN = none.
LevelColumn groups_of(
    const Observations& data, const Variable* independent, std::vector<Detail>& problems
) {
    LevelColumn out;
    std::map<std::string_view, double> places;
    if (std::ranges::any_of(data.rows, [](const auto& row) { return !row.group.empty(); })) {
        for (const auto& row : data.rows) {
            if (row.group.empty()) {
                out.codes.push_back(science::kNaN);
                continue;
            }
            const auto [found, fresh] =
                places.try_emplace(row.group, static_cast<double>(out.levels.size()));
            if (fresh) {
                out.levels.emplace_back(row.group);
            }
            out.codes.push_back(found->second);
        }
    } else if (independent != nullptr && scale_of(*independent, data) == Scale::categorical) {
        out = level_column(data, independent->name, kAt, problems);
    }
    if (out.levels.size() > kGroupsMax) {
        problems.push_back({std::string(kAt), "must be of at most 50 groups"});
        out.levels.clear();
    }
    return out;
}

/// Two groups are pairs when every id is once in each and every row has one.
bool pair_up(
    const Observations& data,
    const LevelColumn& groups,
    const std::vector<double>& values,
    TestData& out
) {
    std::map<std::string_view, std::array<double, 2>> pairs;
    std::size_t filled = 0;
    for (std::size_t i = 0; i < data.rows.size(); ++i) {
        const auto& row = data.rows[i];
        if (std::isnan(values[i]) || std::isnan(groups.codes[i])) {
            continue;
        }
        if (row.id.empty()) {
            return false;
        }
        auto& pair =
            pairs.try_emplace(row.id, std::array{science::kNaN, science::kNaN}).first->second;
        double& side = pair[static_cast<std::size_t>(groups.codes[i])];
        if (!std::isnan(side)) {
            return false;
        }
        side = values[i];
        ++filled;
    }
    if (filled != 2 * pairs.size() || pairs.size() < 2) {
        return false;
    }
    for (const auto& [id, pair] : pairs) {
        out.differences.push_back(pair[0] - pair[1]);
    }
    return true;
}

bool ids_repeat(const Observations& data) {
    std::set<std::string_view> seen;
    return std::ranges::any_of(data.rows, [&](const auto& row) {
        return !row.id.empty() && !seen.insert(row.id).second;
    });
}

void fill_groups(
    const Observations& data,
    const LevelColumn& groups,
    const std::vector<double>& values,
    TestData& out
) {
    const bool single = groups.levels.size() < 2;
    out.group_names = groups.levels.empty() ? std::vector<std::string>{"all"} : groups.levels;
    out.groups.resize(out.group_names.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
        const double group = groups.levels.empty() ? 0 : groups.codes[i];
        if (std::isnan(values[i]) || std::isnan(group)) {
            ++out.missing;
            continue;
        }
        out.groups[static_cast<std::size_t>(group)].push_back(values[i]);
        ++out.used;
    }
    out.layout = single ? Layout::one_sample
                        : (out.groups.size() == 2 ? Layout::two_groups : Layout::many_groups);
    if (out.layout == Layout::two_groups && !data.weighted && pair_up(data, groups, values, out)) {
        out.layout = Layout::pairs;
    } else {
        // A weight repeats an observation on purpose.
        out.repeated_ids = !data.weighted && ids_repeat(data);
    }
}

void fill_pairs_of_numbers(
    const std::vector<double>& x, const std::vector<double>& y, TestData& out
) {
    out.layout = Layout::association;
    for (std::size_t i = 0; i < x.size(); ++i) {
        if (std::isnan(x[i]) || std::isnan(y[i])) {
            ++out.missing;
            continue;
        }
        out.x.push_back(x[i]);
        out.y.push_back(y[i]);
        ++out.used;
    }
}

}  // namespace

std::vector<TestData> read_test_data(const Json& body, std::vector<Detail>& problems) {
    const Json& hypothesis = body.at("hypothesis");
    const Observations data =
        read_observations(body.at("experimental_data").at("observations"), kAt, problems);
    const std::vector<Variable> variables = read_variables(hypothesis, data, problems);
    if (!problems.empty()) {
        return {};
    }
    const auto independent = std::ranges::find(variables, "independent", &Variable::role);
    const Variable* const cause = independent == variables.end() ? nullptr : &*independent;
    const LevelColumn groups = groups_of(data, cause, problems);
    const bool numeric_cause = cause != nullptr && groups.levels.empty();
    std::vector<double> x;
    if (numeric_cause) {
        x = numeric_column(data, cause->name, kAt, problems);
    }
    std::vector<TestData> out;
    for (const Variable& variable : variables) {
        if (variable.role != "dependent" || !problems.empty()) {
            continue;
        }
        TestData one;
        one.outcome = variable.name;
        one.scale = scale_of(variable, data);
        one.threshold = body.value("config", Json::object()).value("threshold", 0.0);
        std::vector<double> values;
        if (one.scale == Scale::categorical) {
            LevelColumn column = level_column(data, variable.name, kAt, problems);
            sort_levels(column);
            values = std::move(column.codes);
            one.levels = std::move(column.levels);
        } else {
            values = numeric_column(data, variable.name, kAt, problems);
        }
        if (!problems.empty()) {
            return {};
        }
        if (numeric_cause) {
            one.predictor = cause->name;
            if (one.scale == Scale::categorical && one.levels.size() > 2) {
                problems.push_back(
                    {std::string(kVariables),
                     "a numeric independent variable needs a numeric or binary dependent one"}
                );
                return {};
            }
            one.scale = one.scale == Scale::categorical ? Scale::numeric : one.scale;
            one.levels.clear();
            fill_pairs_of_numbers(x, values, one);
            one.repeated_ids = !data.weighted && ids_repeat(data);
        } else {
            fill_groups(data, groups, values, one);
        }
        out.push_back(std::move(one));
    }
    return out;
}

}  // namespace lab::service
