#include "science/metrics/impl/options.h"

#include "base/text.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>

namespace lab::science {

const Json* OptionReader::find(const char* key) const {
    if (!options_.is_object()) {
        return nullptr;
    }
    const auto found = options_.find(key);
    return found == options_.end() || found->is_null() ? nullptr : &*found;
}

bool OptionReader::has(const char* key) const { return find(key) != nullptr; }

void OptionReader::fail(std::string key, std::string message) {
    problems_.push_back({std::move(key), std::move(message)});
}

bool OptionReader::flag(const char* key, bool fallback) {
    const Json* value = find(key);
    if (value == nullptr) {
        return fallback;
    }
    if (!value->is_boolean()) {
        fail(key, "expected true or false");
        return fallback;
    }
    return value->get<bool>();
}

double OptionReader::number(const char* key, double fallback, double minimum, double maximum) {
    const Json* value = find(key);
    if (value == nullptr) {
        return fallback;
    }
    const double number = value->is_number() ? value->get<double>() : std::nan("");
    if (!(number >= minimum && number <= maximum)) {
        fail(
            key,
            "expected a number from " + format_double(minimum) + " to " + format_double(maximum)
        );
        return fallback;
    }
    return number;
}

std::size_t OptionReader::count(
    const char* key, std::size_t fallback, std::size_t minimum, std::size_t maximum
) {
    const double value = number(
        key,
        static_cast<double>(fallback),
        static_cast<double>(minimum),
        static_cast<double>(maximum)
    );
    if (value != std::floor(value)) {
        fail(key, "expected a whole number");
        return fallback;
    }
    return static_cast<std::size_t>(value);
}

std::string OptionReader::text(const char* key, const std::string& fallback) {
    const Json* value = find(key);
    if (value == nullptr) {
        return fallback;
    }
    if (!value->is_string()) {
        fail(key, "expected a text");
        return fallback;
    }
    return value->get<std::string>();
}

std::string OptionReader::word(
    const char* key, const std::string& fallback, const std::vector<std::string>& allowed
) {
    const std::string value = text(key, fallback);
    if (std::ranges::find(allowed, value) == allowed.end()) {
        fail(key, "expected one of " + join(allowed, ", "));
        return fallback;
    }
    return value;
}

std::vector<std::string> OptionReader::words(
    const char* key,
    const std::vector<std::string>& fallback,
    const std::vector<std::string>& allowed
) {
    const Json* value = find(key);
    if (value == nullptr) {
        return fallback;
    }
    std::vector<std::string> out;
    for (const Json& one : value->is_array() ? *value : Json::array({*value})) {
        const std::string text = one.is_string() ? one.get<std::string>() : std::string();
        if (std::ranges::find(allowed, text) == allowed.end()) {
            fail(key, "expected one or more of " + join(allowed, ", "));
            return fallback;
        }
        if (std::ranges::find(out, text) != out.end()) {
            fail(key, text + " is named twice");
            return fallback;
        }
        out.push_back(text);
    }
    if (out.empty()) {
        fail(key, "expected one or more of " + join(allowed, ", "));
        return fallback;
    }
    return out;
}

Status OptionReader::status() const {
    if (problems_.empty()) {
        return ok();
    }
    return Error(Code::validation, "the options of the scorer are not valid", problems_);
}

std::string quoted_references(std::span<const std::string> references) {
    constexpr std::size_t kBytesMax = 60;
    constexpr std::size_t kNamedMax = 3;
    std::string out = references.size() == 1 ? "the reference " : "the references ";
    for (std::size_t i = 0; i < std::min(references.size(), kNamedMax); ++i) {
        out += i > 0 ? ", " : "";
        append_json_string(out, shorten(references[i], kBytesMax));
    }
    return out + (references.size() > kNamedMax ? ", ..." : "");
}

Json flag_schema(bool fallback, std::string_view description) {
    return Json{{"type", "boolean"}, {"default", fallback}, {"description", description}};
}

Json word_schema(
    const std::vector<std::string>& allowed, const char* fallback, std::string_view description
) {
    return Json{{"enum", allowed}, {"default", fallback}, {"description", description}};
}

Json number_schema(double fallback, double minimum, double maximum, std::string_view description) {
    return Json{
        {"type", "number"},
        {"minimum", minimum},
        {"maximum", maximum},
        {"default", fallback},
        {"description", description}
    };
}

Json count_schema(
    std::size_t fallback, std::size_t minimum, std::size_t maximum, std::string_view description
) {
    return Json{
        {"type", "integer"},
        {"minimum", minimum},
        {"maximum", maximum},
        {"default", fallback},
        {"description", description}
    };
}

Json options_object(Json properties, const std::vector<std::string>& required) {
    Json schema{{"type", "object"}, {"properties", std::move(properties)}};
    if (!required.empty()) {
        schema["required"] = required;
    }
    schema["additionalProperties"] = false;
    return schema;
}

}  // namespace lab::science
