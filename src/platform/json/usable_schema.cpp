#include "platform/json/usable_schema.h"

#include "platform/json/document.h"

#include <nlohmann/json.hpp>
#include <re2/re2.h>

#include <algorithm>

namespace lab {
namespace {

constexpr int kDepthMax = 32;
constexpr std::size_t kPatternBytesMax = 1000;
constexpr std::size_t kChoicesMax = 1000;
constexpr std::size_t kProblemsMax = 20;

bool is_type_name(const Json& value) {
    constexpr std::string_view kTypes[] = {
        "integer", "number", "string", "boolean", "object", "array", "null"
    };
    const auto* const text = value.get_ptr<const std::string*>();
    return text != nullptr && std::ranges::find(kTypes, *text) != std::end(kTypes);
}

bool is_count(const Json& value) {
    return value.is_number_unsigned() ||
           (value.is_number_integer() && value.get<std::int64_t>() >= 0);
}

class Reader {
  public:
    Json read(const Json& schema, const std::string& path, int depth) {
        if (schema.is_boolean()) {
            return schema;
        }
        if (!schema.is_object() || depth > kDepthMax) {
            report(
                path, schema.is_object() ? "is nested too deeply" : "must be a schema: a mapping"
            );
            return true;
        }
        Json out = Json::object();
        for (const auto& [keyword, value] : schema.items()) {
            const std::string where = path_member(path, keyword);
            if (keyword == "properties") {
                read_properties(value, where, depth, out);
            } else if (keyword == "items" && value.is_array()) {
                continue;  // one schema for each place, as older drafts have it: not enforced
            } else if (keyword == "additionalProperties" || keyword == "items") {
                out[keyword] = read(value, where, depth + 1);
            } else {
                read_plain(keyword, value, where, out);
            }
        }
        return out;
    }
    std::vector<Detail> take() { return std::move(problems_); }

  private:
    void report(const std::string& path, std::string message) {
        if (problems_.size() < kProblemsMax) {
            problems_.push_back({path, std::move(message)});
        }
    }
    void keep(
        Json& out,
        const std::string& keyword,
        const Json& value,
        bool good,
        const std::string& path,
        const char* wanted
    ) {
        if (good) {
            out[keyword] = value;
        } else {
            report(path, wanted);
        }
    }
    void read_properties(const Json& value, const std::string& path, int depth, Json& out) {
        if (!value.is_object()) {
            report(path, "must be a mapping of names to schemas");
            return;
        }
        Json& properties = out["properties"] = Json::object();
        for (const auto& [name, schema] : value.items()) {
            properties[name] = read(schema, path_member(path, name), depth + 1);
        }
    }
    void read_plain(
        const std::string& keyword, const Json& value, const std::string& path, Json& out
    ) {
        if (keyword == "type") {
            const bool several =
                value.is_array() && !value.empty() && std::ranges::all_of(value, is_type_name);
            keep(out, keyword, value, several || is_type_name(value), path, kWantedType);
        } else if (keyword == "required") {
            const bool good = value.is_array() && std::ranges::all_of(value, [](const Json& name) {
                                  return name.is_string();
                              });
            keep(out, keyword, value, good, path, "must be a list of names");
        } else if (keyword == "enum") {
            const bool good = value.is_array() && !value.empty() && value.size() <= kChoicesMax;
            keep(out, keyword, value, good, path, "must be a list of 1 to 1000 values");
        } else if (keyword == "const") {
            out[keyword] = value;
        } else if (keyword == "pattern") {
            read_pattern(value, path, out);
        } else if (is_one_of(keyword, kCounts)) {
            keep(out, keyword, value, is_count(value), path, "must be a whole number from 0 on");
        } else if (is_one_of(keyword, kBounds)) {
            keep(out, keyword, value, value.is_number(), path, "must be a number");
        }
    }
    void read_pattern(const Json& value, const std::string& path, Json& out) {
        const auto* const text = value.get_ptr<const std::string*>();
        if (text == nullptr || text->size() > kPatternBytesMax) {
            report(path, "must be a regular expression of at most 1000 bytes");
            return;
        }
        // As check_schema compiles it.
        const re2::RE2 regex(*text, re2::RE2::Quiet);
        keep(out, "pattern", value, regex.ok(), path, "is no regular expression (RE2 syntax)");
    }
    template <std::size_t size>
    static bool is_one_of(std::string_view word, const std::string_view (&words)[size]) {
        return std::ranges::find(words, word) != std::end(words);
    }

    static constexpr const char* kWantedType =
        "must be integer, number, string, boolean, object, array or null, or a list of these";
    static constexpr std::string_view kCounts[] = {
        "minItems", "maxItems", "minLength", "maxLength"
    };
    static constexpr std::string_view kBounds[] = {
        "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"
    };
    std::vector<Detail> problems_;
};

}  // namespace

Result<Json> usable_schema(const Json& schema, std::string_view path) {
    Reader reader;
    Json out = reader.read(schema, std::string(path), 0);
    std::vector<Detail> problems = reader.take();
    if (!problems.empty()) {
        return Error(Code::validation, "this is no JSON Schema", std::move(problems));
    }
    return out;
}

}  // namespace lab
