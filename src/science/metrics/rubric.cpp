#include "science/metrics/rubric.h"

#include "base/text.h"
#include "platform/json/document.h"
#include "science/metrics/decimal.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>

namespace lab::science {
namespace {

/// Of a verdict the end is read: the ratings stand behind the reasons.
constexpr std::size_t kReadBytesMax = 256U << 10;
/// Opening braces that are tried, from the last one on.
constexpr int kObjectsMax = 64;
/// A number, and what it is said to be out of.
constexpr const char* kNumber = R"(([-+]?\d+(?:\.\d+)?)(?:[ \t]*/[ \t]*(\d+(?:\.\d+)?))?)";

/// Where the number ends: 1e9 is not 1.
constexpr const char* kEnd = R"((?:[^\pL\pN./%]|\.(?:[^\pL\pN]|$)|$))";

/// "Factual_accuracy " is "factual accuracy".
std::string plain_name(std::string_view name) {
    std::string out = to_lower(trim(name));
    std::ranges::replace(out, '_', ' ');
    std::ranges::replace(out, '-', ' ');
    return out;
}

/// The name as it may be written in a verdict.
std::string name_pattern(std::string_view name) {
    std::string out;
    for (const char c : name) {
        out += c == '_' || c == '-' || c == ' ' ? "[-_ ]" : Regex::quote(std::string_view(&c, 1));
    }
    return out;
}

/// Where the object that opens at `open` closes; npos when it does not.
std::size_t closing_brace(std::string_view text, std::size_t open) {
    int depth = 0;
    bool quoted = false;
    for (std::size_t i = open; i < text.size(); ++i) {
        const char c = text[i];
        if (quoted) {
            i += c == '\\' ? 1 : 0;
            quoted = c != '"';
        } else if (c == '"') {
            quoted = true;
        } else if (c == '{') {
            ++depth;
        } else if (c == '}' && --depth == 0) {
            return i;
        }
    }
    return std::string_view::npos;
}

std::optional<double> number_of(std::string_view text) {
    const auto decimal = Decimal::parse(text);
    if (!decimal) {
        return std::nullopt;
    }
    const auto json = parse_json(decimal->text());
    return json && json->is_number() ? std::optional(json->get<double>()) : std::nullopt;
}

}  // namespace

Result<RatingReader> RatingReader::make(std::vector<Criterion> criteria, RatingScale scale) {
    std::vector<Detail> problems;
    std::vector<std::string> names;
    double weights = 0;
    for (std::size_t i = 0; i < criteria.size(); ++i) {
        const std::string path = path_index("criteria", i);
        const std::string name = plain_name(criteria[i].name);
        if (name.empty()) {
            problems.push_back({path + ".name", "must say something"});
        } else if (std::ranges::find(names, name) != names.end()) {
            problems.push_back({path + ".name", "there is another one of this name"});
        } else if (criteria.size() > 1 && name == "overall") {
            problems.push_back({path + ".name", "\"overall\" is the weighted mean of all"});
        }
        names.push_back(name);
        weights += criteria[i].weight;
    }
    if (criteria.empty() || !(weights > 0)) {
        problems.push_back({"criteria", "some weight must be above 0"});
    }
    if (!(scale.minimum < scale.maximum)) {
        problems.push_back({"maximum", "must be above the minimum"});
    }
    for (const auto& [value, label] : scale.labels) {
        if (!(value >= scale.minimum && value <= scale.maximum)) {
            problems.push_back({"labels", "\"" + shorten(label, 60) + "\" is not on the scale"});
        }
    }
    if (!problems.empty()) {
        return Error(Code::validation, "no ratings can be read this way", std::move(problems));
    }
    RatingReader out(std::move(criteria), std::move(scale));
    constexpr const char* kBetween = R"([*"'`]*[ \t]*[:=][ \t]*[*"'`]*)";
    for (const Criterion& one : out.criteria_) {
        LAB_TRY(
            Regex line,
            Regex::compile(
                "(?m)(?:^|[^\\pL\\pN])" + name_pattern(trim(one.name)) + kBetween + kNumber + kEnd,
                true
            )
        );
        out.lines_.push_back(std::move(line));
    }
    for (const std::string& pattern :
         {R"(\[\[[ \t]*)" + std::string(kNumber) + R"([ \t]*\]\])",
          R"((?m)\b(?:rating|score))" + std::string(kBetween) + kNumber + kEnd}) {
        LAB_TRY(Regex single, Regex::compile(pattern, true));
        out.singles_.push_back(std::move(single));
    }
    return out;
}

std::optional<double> RatingReader::on_scale(std::optional<double> value) const {
    return value && *value >= scale_.minimum && *value <= scale_.maximum ? value : std::nullopt;
}

/// "4", "4/5", "good".
std::optional<double> RatingReader::read_text(std::string_view text) const {
    const std::string_view said = trim(text);
    for (const auto& [value, label] : scale_.labels) {
        if (plain_name(label) == plain_name(said)) {
            return value;
        }
    }
    const std::size_t slash = said.find('/');
    if (slash != std::string_view::npos &&
        number_of(trim(said.substr(slash + 1))) != scale_.maximum) {
        return std::nullopt;
    }
    return on_scale(number_of(trim(said.substr(0, slash))));
}

bool RatingReader::read_object(std::string_view text, std::vector<std::optional<double>>& out)
    const {
    const auto json = parse_json(text);
    if (!json || !json->is_object()) {
        return false;
    }
    bool any = false;
    for (const auto& [key, value] : json->items()) {
        const std::string name = plain_name(key);
        for (std::size_t i = 0; i < criteria_.size(); ++i) {
            if (plain_name(criteria_[i].name) != name) {
                continue;
            }
            any = true;
            const Json* said = &value;
            for (const char* member : {"rating", "score"}) {
                if (value.is_object() && value.contains(member)) {
                    said = &value[member];
                    break;
                }
            }
            if (said->is_number()) {
                out[i] = on_scale(said->get<double>());
            } else if (said->is_string()) {
                out[i] = read_text(said->get_ref<const std::string&>());
            }
        }
    }
    return any;
}

bool RatingReader::read_objects(std::string_view verdict, std::vector<std::optional<double>>& out)
    const {
    std::size_t open = verdict.rfind('{');
    for (int tries = 0; open != std::string_view::npos && tries < kObjectsMax; ++tries) {
        const std::size_t close = closing_brace(verdict, open);
        if (close != std::string_view::npos &&
            read_object(verdict.substr(open, close + 1 - open), out)) {
            return true;
        }
        open = open == 0 ? std::string_view::npos : verdict.rfind('{', open - 1);
    }
    return false;
}

std::optional<double> RatingReader::read_match(const Regex& pattern, std::string_view verdict)
    const {
    Regex::Groups groups;
    if (!pattern.search_last(verdict, groups)) {
        return std::nullopt;
    }
    const std::optional<std::string_view> of = groups[2];
    if (of && number_of(*of) != scale_.maximum) {
        return std::nullopt;  // out of something else
    }
    return on_scale(number_of(groups[1].value_or("")));
}

std::vector<std::optional<double>> RatingReader::read(std::string_view verdict) const {
    verdict.remove_prefix(verdict.size() - std::min(verdict.size(), kReadBytesMax));
    std::vector<std::optional<double>> out(criteria_.size());
    if (read_objects(verdict, out)) {
        return out;
    }
    for (std::size_t i = 0; i < criteria_.size(); ++i) {
        out[i] = read_match(lines_[i], verdict);
    }
    if (criteria_.size() > 1 || out.front()) {
        return out;
    }
    for (const Regex& pattern : singles_) {
        out.front() = read_match(pattern, verdict);
        if (out.front()) {
            return out;
        }
    }
    out.front() = read_text(verdict);
    return out;
}

std::optional<double> RatingReader::overall(const std::vector<std::optional<double>>& ratings
) const {
    double sum = 0;
    double weights = 0;
    for (std::size_t i = 0; i < criteria_.size(); ++i) {
        const std::optional<double> rating = ratings[i];
        if (criteria_[i].weight <= 0) {
            continue;
        }
        if (!rating) {
            return std::nullopt;
        }
        sum += criteria_[i].weight * *rating;
        weights += criteria_[i].weight;
    }
    return sum / weights;
}

}  // namespace lab::science
