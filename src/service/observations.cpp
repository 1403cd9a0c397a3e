#include "service/impl/observations.h"

#include "base/text.h"
#include "platform/json/document.h"
#include "science/stats/descriptive.h"
#include "service/analyses.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <set>

namespace lab::service {
namespace {

constexpr double kWeightMax = 1'000'000;
constexpr std::size_t kProblemsMax = 20;

void report(std::vector<Detail>& problems, std::string field, std::string message) {
    if (problems.size() < kProblemsMax) {
        problems.push_back({std::move(field), std::move(message)});
    }
}

const Json* value_of(const Observations::Row& row, std::string_view name) {
    const auto found = row.values->find(name);
    return found == row.values->end() || found->is_null() ? nullptr : &*found;
}

std::string place(const Observations::Row& row, std::string_view name, std::string_view at) {
    return path_member(path_member(path_index(at, row.at), "values"), name);
}

std::string level_text(const Json& value) {
    if (value.is_string()) {
        return value.get<std::string>();
    }
    return value.is_boolean() ? (value.get<bool>() ? "true" : "false") : dump_json(value);
}

}  // namespace

Json observations_schema() {
    const Json value{{"type", {"number", "string", "boolean", "null"}}};
    const Json one{
        {"type", "object"},
        {"properties",
         {{"id", {{"type", "string"}, {"minLength", 1}, {"maxLength", 255}}},
          {"values", {{"type", "object"}, {"additionalProperties", value}}},
          {"group", {{"type", {"string", "null"}}, {"minLength", 1}, {"maxLength", 255}}},
          {"weight", {{"type", {"number", "null"}}, {"minimum", 0}, {"maximum", kWeightMax}}}}},
        {"required", {"values"}},
        {"additionalProperties", false},
    };
    return {{"type", "array"}, {"minItems", 1}, {"maxItems", kObservationsMax}, {"items", one}};
}

Observations read_observations(
    const Json& list, std::string_view at, std::vector<Detail>& problems
) {
    Observations out;
    out.given = list.size();
    out.rows.reserve(list.size());
    for (std::size_t i = 0; i < list.size(); ++i) {
        const Json& one = list[i];
        Observations::Row row{&one.at("values"), {}, {}, i};
        if (const auto id = one.find("id"); id != one.end()) {
            row.id = id->get_ref<const std::string&>();
        }
        if (const auto group = one.find("group"); group != one.end() && group->is_string()) {
            row.group = group->get_ref<const std::string&>();
        }
        double weight = 1;
        if (const auto given = one.find("weight"); given != one.end() && given->is_number()) {
            weight = given->get<double>();
        }
        if (weight != std::floor(weight)) {
            report(
                problems,
                path_member(path_index(at, i), "weight"),
                "must be a whole number: the observation counts so many times"
            );
            continue;
        }
        out.weighted = out.weighted || weight != 1;
        if (static_cast<double>(out.rows.size()) + weight > static_cast<double>(kObservationsMax)) {
            report(
                problems, std::string(at), "must be at most 100,000 observations, weights counted"
            );
            return out;
        }
        out.rows.insert(out.rows.end(), static_cast<std::size_t>(weight), row);
    }
    return out;
}

std::vector<std::string> value_names(const Observations& data) {
    std::vector<std::string> out;
    std::set<std::string_view> seen;
    for (const auto& row : data.rows) {
        for (const auto& [name, value] : row.values->items()) {
            if (out.size() < kLevelsMax && !seen.contains(name)) {
                out.push_back(name);
                seen.insert(row.values->find(name).key());
            }
        }
    }
    return out;
}

std::vector<double> numeric_column(
    const Observations& data,
    std::string_view name,
    std::string_view at,
    std::vector<Detail>& problems
) {
    std::vector<double> out;
    out.reserve(data.rows.size());
    for (const auto& row : data.rows) {
        const Json* const value = value_of(row, name);
        if (value == nullptr) {
            out.push_back(science::kNaN);
        } else if (value->is_number()) {
            out.push_back(value->get<double>());
        } else if (value->is_boolean()) {
            out.push_back(value->get<bool>() ? 1 : 0);
        } else {
            report(problems, place(row, name, at), "must be a number");
            out.push_back(science::kNaN);
        }
    }
    return out;
}

LevelColumn level_column(
    const Observations& data,
    std::string_view name,
    std::string_view at,
    std::vector<Detail>& problems
) {
    LevelColumn out;
    out.codes.reserve(data.rows.size());
    std::map<std::string, std::size_t> places;
    for (const auto& row : data.rows) {
        const Json* const value = value_of(row, name);
        if (value == nullptr) {
            out.codes.push_back(science::kNaN);
            continue;
        }
        const auto [found, fresh] = places.try_emplace(level_text(*value), out.levels.size());
        if (fresh && out.levels.size() == kLevelsMax) {
            report(
                problems,
                place(row, name, at),
                "is one value too many: a category has at most 100 of them"
            );
            return out;
        }
        if (fresh) {
            out.levels.push_back(found->first);
        }
        out.codes.push_back(static_cast<double>(found->second));
    }
    return out;
}

}  // namespace lab::service
