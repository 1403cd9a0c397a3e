#include "platform/json/schema.h"

#include "base/text.h"
#include "platform/json/document.h"

#include <nlohmann/json.hpp>
#include <re2/re2.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

namespace lab {
namespace {

/// Schemas are ours, but a $ref that leads to itself must not hang.
constexpr int kDepthMax = 200;

const Json* find(const Json& object, std::string_view key) {
    const auto found = object.find(key);
    return found == object.end() ? nullptr : &*found;
}

std::string in_quotes(std::string_view text) { return "\"" + shorten(text, 60) + "\""; }

/// A value of an enum or const, as people would write it.
std::string shown(const Json& value) {
    return value.is_string() ? in_quotes(value.get_ref<const std::string&>())
                             : shorten(dump_json(value), 60);
}

std::string number_text(const Json& number) {
    return number.is_number_float() ? format_double(number.get<double>()) : dump_json(number);
}

/// Exact for every number JSON can hold: a long double has at least 64 bits of mantissa here, and
/// the library compares unsigned with signed integers modulo 2^64.
long double exactly(const Json& number) {
    if (number.is_number_unsigned()) {
        return static_cast<long double>(number.get<std::uint64_t>());
    }
    return number.is_number_integer() ? static_cast<long double>(number.get<std::int64_t>())
                                      : static_cast<long double>(number.get<double>());
}
static_assert(std::numeric_limits<long double>::digits >= 64);

bool is_whole(const Json& value) {
    return value.is_number_integer() ||
           (value.is_number_float() && std::trunc(value.get<double>()) == value.get<double>());
}

bool has_type(const Json& value, std::string_view type) {
    if (type == "integer") {
        return is_whole(value);
    }
    return (type == "number" && value.is_number()) || (type == "string" && value.is_string()) ||
           (type == "boolean" && value.is_boolean()) || (type == "object" && value.is_object()) ||
           (type == "array" && value.is_array()) || (type == "null" && value.is_null());
}

std::string_view type_in_words(std::string_view type) {
    static constexpr std::pair<std::string_view, std::string_view> kWords[] = {
        {"integer", "a whole number"},
        {"number", "a number"},
        {"string", "text"},
        {"boolean", "true or false"},
        {"object", "a mapping (name: value)"},
        {"array", "a list"},
        {"null", "null"},
    };
    for (const auto& [name, words] : kWords) {
        if (name == type) {
            return words;
        }
    }
    return type;
}

std::string value_in_words(const Json& value) {
    switch (value.type()) {
        case Json::value_t::null:
            return "nothing";
        case Json::value_t::boolean:
            return value.get<bool>() ? "true" : "false";
        case Json::value_t::object:
            return "a mapping";
        case Json::value_t::array:
            return "a list";
        case Json::value_t::string:
            return "text";
        default:
            return "the number " + number_text(value);
    }
}

/// "a, b or c"
std::string alternatives(const std::vector<std::string>& parts) {
    std::string out;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        out += i == 0 ? "" : i + 1 == parts.size() ? " or " : ", ";
        out += parts[i];
    }
    return out;
}

std::vector<std::string> types_of(const Json& schema) {
    std::vector<std::string> types;
    if (const Json* type = find(schema, "type")) {
        for (const Json& name : type->is_array() ? *type : Json::array({*type})) {
            types.push_back(name.get<std::string>());
        }
    }
    return types;
}

/// The commonest slips have a remedy that is worth a word.
std::string remedy(const Json& value, const std::vector<std::string>& wanted) {
    const auto wants = [&](std::string_view type) {
        return std::ranges::find(wanted, type) != wanted.end();
    };
    if (value.is_string()) {
        const auto& text = value.get_ref<const std::string&>();
        const std::string lowered = to_lower(text);
        if (wants("boolean") && (lowered == "yes" || lowered == "on" || lowered == "true")) {
            return ": write true";
        }
        if (wants("boolean") && (lowered == "no" || lowered == "off" || lowered == "false")) {
            return ": write false";
        }
        if ((wants("number") || wants("integer")) && !text.empty() &&
            text.find_first_not_of("0123456789.-") == std::string::npos) {
            return ": remove the quotes";
        }
    } else if (value.is_primitive() && !value.is_null() && wants("string")) {
        return ": put it in quotes";
    }
    return "";
}

std::string wrong_type(const Json& value, const std::vector<std::string>& wanted) {
    std::vector<std::string> words;
    for (const std::string& type : wanted) {
        words.emplace_back(type_in_words(type));
    }
    return "expected " + alternatives(words) + ", got " + value_in_words(value) +
           remedy(value, wanted);
}

class Checker {
  public:
    explicit Checker(const Json& root) : root_(root) {}

    /// `schema` is an object or true or false.
    void check(const Json& value, const Json& schema, const std::string& path) {
        if (!schema.is_object() || depth_ >= kDepthMax) {
            if (schema == Json(false)) {
                report(path, "nothing is allowed here");
            }
            return;
        }
        ++depth_;
        check_object_schema(value, schema, path);
        --depth_;
    }
    std::vector<Detail> take() { return std::move(problems_); }

  private:
    void report(const std::string& path, std::string message) {
        problems_.push_back({path, std::move(message)});
    }
    void check_object_schema(const Json& value, const Json& schema, const std::string& path) {
        if (const Json* target = reference(schema)) {
            check(value, *target, path);
        }
        const std::vector<std::string> types = types_of(schema);
        if (!types.empty() && std::ranges::none_of(types, [&](const std::string& type) {
                return has_type(value, type);
            })) {
            report(path, wrong_type(value, types));
            return;
        }
        if (check_choice(value, schema, path)) {
            check_number(value, schema, path);
            check_text(value, schema, path);
            check_list(value, schema, path);
            check_members(value, schema, path);
        }
        for (const char* keyword : {"oneOf", "anyOf"}) {
            if (const Json* branches = find(schema, keyword)) {
                check_branches(value, *branches, path, std::string_view(keyword) == "oneOf");
            }
        }
    }
    const Json* reference(const Json& schema) const {
        const Json* ref = find(schema, "$ref");
        if (ref == nullptr) {
            return nullptr;
        }
        constexpr std::string_view kPrefix = "#/$defs/";
        const auto& target = ref->get_ref<const std::string&>();
        const Json* defs = find(root_, "$defs");
        LAB_ASSERT(target.starts_with(kPrefix) && defs != nullptr, "a $ref leads to #/$defs");
        const Json* found = find(*defs, target.substr(kPrefix.size()));
        LAB_ASSERT(found != nullptr, "a $ref has its definition");
        return found;
    }
    /// The schema with its $ref resolved, for looking ahead.
    const Json& resolved(const Json& schema) const {
        const Json* target = schema.is_object() ? reference(schema) : nullptr;
        return target == nullptr ? schema : *target;
    }

    /// enum and const. False when the value is none of the choices.
    bool check_choice(const Json& value, const Json& schema, const std::string& path) {
        Json choices = Json::array();
        if (const Json* only = find(schema, "const")) {
            choices.push_back(*only);
        } else if (const Json* listed = find(schema, "enum")) {
            choices = *listed;
        } else {
            return true;
        }
        if (std::ranges::find(choices, value) != choices.end()) {
            return true;
        }
        report(path, not_a_choice(value, choices, noun_of(schema)));
        return false;
    }
    /// What a choice is called: "scorer", "provider".
    static std::string noun_of(const Json& schema) {
        const Json* noun = find(schema, "x-noun");
        return noun == nullptr ? "value" : noun->get<std::string>();
    }
    static std::string not_a_choice(
        const Json& value, const Json& choices, const std::string& noun
    ) {
        std::vector<std::string> words;
        std::vector<std::string> names;
        for (const Json& choice : choices) {
            words.push_back(shown(choice));
            if (choice.is_string()) {
                names.push_back(choice.get<std::string>());
            }
        }
        std::string near;
        if (value.is_string()) {
            near = nearest(value.get_ref<const std::string&>(), names);
        }
        const std::string got =
            value.is_primitive() && !value.is_null() ? shown(value) : value_in_words(value);
        if (!near.empty()) {
            return "unknown " + noun + " " + got + ", did you mean " + in_quotes(near) + "?";
        }
        return "must be " + alternatives(words) + ", got " + got;
    }

    void check_number(const Json& value, const Json& schema, const std::string& path) {
        if (!value.is_number()) {
            return;
        }
        const Json* bound = find(schema, "minimum");
        if (bound != nullptr && exactly(value) < exactly(*bound)) {
            report(path, "must be at least " + number_text(*bound) + got(value));
        }
        bound = find(schema, "maximum");
        if (bound != nullptr && exactly(value) > exactly(*bound)) {
            report(path, "must be at most " + number_text(*bound) + got(value));
        }
        bound = find(schema, "exclusiveMinimum");
        if (bound != nullptr && exactly(value) <= exactly(*bound)) {
            report(path, "must be greater than " + number_text(*bound) + got(value));
        }
        bound = find(schema, "exclusiveMaximum");
        if (bound != nullptr && exactly(value) >= exactly(*bound)) {
            report(path, "must be less than " + number_text(*bound) + got(value));
        }
    }
    static std::string got(const Json& number) { return ", got " + number_text(number); }

    void check_text(const Json& value, const Json& schema, const std::string& path) {
        if (!value.is_string()) {
            return;
        }
        const auto& text = value.get_ref<const std::string&>();
        const std::size_t length = count_code_points(text);
        if (const Json* least = find(schema, "minLength"); least && length < *least) {
            report(
                path,
                text.empty() ? "must not be empty"
                             : "must have at least " + dump_json(*least) + " characters"
            );
            return;
        }
        if (const Json* most = find(schema, "maxLength"); most && length > *most) {
            report(
                path,
                "must have at most " + dump_json(*most) + " characters, has " +
                    std::to_string(length)
            );
        }
        if (const Json* pattern = find(schema, "pattern")) {
            const re2::RE2 regex(pattern->get_ref<const std::string&>(), re2::RE2::Quiet);
            LAB_ASSERT(regex.ok(), "a pattern of a schema is a regular expression");
            if (!re2::RE2::PartialMatch(text, regex)) {
                // The value is not repeated: this may be where somebody pasted a key.
                const Json* hint = find(schema, "x-hint");
                report(
                    path,
                    hint != nullptr ? "must be " + hint->get<std::string>()
                                    : "must match " + pattern->get<std::string>()
                );
            }
        }
    }

    void check_list(const Json& value, const Json& schema, const std::string& path) {
        if (!value.is_array()) {
            return;
        }
        const auto entries = [](const Json& n) {
            return dump_json(n) + (n == 1 ? " entry" : " entries");
        };
        if (const Json* least = find(schema, "minItems"); least && value.size() < *least) {
            report(path, "must have at least " + entries(*least));
        }
        if (const Json* most = find(schema, "maxItems"); most && value.size() > *most) {
            report(
                path,
                "must have at most " + entries(*most) + ", has " + std::to_string(value.size())
            );
        }
        if (const Json* items = find(schema, "items")) {
            for (std::size_t i = 0; i < value.size(); ++i) {
                check(value[i], *items, path_index(path, i));
            }
        }
    }

    void check_members(const Json& value, const Json& schema, const std::string& path) {
        if (!value.is_object()) {
            return;
        }
        if (const Json* required = find(schema, "required")) {
            for (const Json& name : *required) {
                const auto& key = name.get_ref<const std::string&>();
                if (!value.contains(key)) {
                    report(
                        path_member(path, key), "required key " + in_quotes(key) + " is missing"
                    );
                }
            }
        }
        const Json none = Json::object();
        const Json* properties = find(schema, "properties");
        properties = properties == nullptr ? &none : properties;
        const Json* additional = find(schema, "additionalProperties");
        for (const auto& [key, member] : value.items()) {
            const std::string member_path = path_member(path, key);
            if (const Json* known = find(*properties, key)) {
                check(member, *known, member_path);
            } else if (additional != nullptr && *additional == Json(false)) {
                report(member_path, unknown_key(key, *properties, value));
            } else if (additional != nullptr) {
                check(member, *additional, member_path);
            }
        }
    }
    static std::string unknown_key(
        const std::string& key, const Json& properties, const Json& object
    ) {
        // A key that stands there already is hardly what was meant.
        std::vector<std::string> free;
        for (const auto& [name, schema] : properties.items()) {
            if (!object.contains(name)) {
                free.push_back(name);
            }
        }
        const std::string near = nearest(key, free);
        std::string message = "unknown key " + in_quotes(key);
        if (!near.empty()) {
            return message + ", did you mean " + in_quotes(near) + "?";
        }
        return message + (free.empty() ? "" : "; possible here: " + shorten(join(free, ", "), 200));
    }

    void check_branches(
        const Json& value, const Json& branches, const std::string& path, bool exactly_one
    );
    std::vector<Detail> problems_of(
        const Json& value, const Json& branch, const std::string& path
    ) {
        std::vector<Detail> before = std::exchange(problems_, {});
        check(value, branch, path);
        return std::exchange(problems_, std::move(before));
    }
    bool fits_type(const Json& value, const Json& branch) const {
        const std::vector<std::string> types = types_of(resolved(branch));
        return types.empty() || std::ranges::any_of(types, [&](const std::string& type) {
                   return has_type(value, type);
               });
    }
    /// The member that tells the branches apart by a const, and its problem; empty when there is
    /// none or when it is right.
    std::optional<Detail> wrong_kind(
        const Json& value, const std::vector<const Json*>& branches, const std::string& path
    ) const;
    /// nullptr unless `branch` demands a constant for the member.
    const Json* constant_of(const Json& branch, std::string_view member) const {
        const Json* properties = find(resolved(branch), "properties");
        const Json* property = properties == nullptr ? nullptr : find(*properties, member);
        return property == nullptr ? nullptr : find(*property, "const");
    }
    bool kind_differs(const Json& value, const Json& branch) const {
        const Json* properties = value.is_object() ? find(resolved(branch), "properties") : nullptr;
        if (properties == nullptr) {
            return false;
        }
        return std::ranges::any_of(properties->items(), [&](const auto& property) {
            const Json* wanted = find(property.value(), "const");
            const Json* got = find(value, property.key());
            return wanted != nullptr && (got == nullptr || *got != *wanted);
        });
    }

    const Json& root_;
    std::vector<Detail> problems_;
    int depth_ = 0;
};

std::optional<Detail> Checker::wrong_kind(
    const Json& value, const std::vector<const Json*>& branches, const std::string& path
) const {
    if (!value.is_object() || branches.size() < 2) {
        return std::nullopt;
    }
    const Json* properties = find(resolved(*branches[0]), "properties");
    if (properties == nullptr) {
        return std::nullopt;
    }
    for (const auto& [member, schema] : properties->items()) {
        Json choices = Json::array();
        for (const Json* branch : branches) {
            if (const Json* constant = constant_of(*branch, member)) {
                choices.push_back(*constant);
            }
        }
        if (choices.size() != branches.size()) {
            continue;
        }
        const Json* got = find(value, member);
        if (got == nullptr) {
            return Detail{
                path_member(path, member), "required key " + in_quotes(member) + " is missing"
            };
        }
        if (std::ranges::find(choices, *got) == choices.end()) {
            return Detail{path_member(path, member), not_a_choice(*got, choices, noun_of(schema))};
        }
        return std::nullopt;
    }
    return std::nullopt;
}

/// Reports the problems of the branch that was meant: the one of the value's type and kind, and
/// among those the one with the fewest problems.
void Checker::check_branches(
    const Json& value, const Json& branches, const std::string& path, bool exactly_one
) {
    std::vector<const Json*> fitting;
    std::vector<std::string> types;
    for (const Json& branch : branches) {
        if (fits_type(value, branch)) {
            fitting.push_back(&branch);
        }
        for (const std::string& type : types_of(resolved(branch))) {
            if (std::ranges::find(types, type) == types.end()) {
                types.push_back(type);
            }
        }
    }
    if (fitting.empty()) {
        report(path, wrong_type(value, types));
        return;
    }
    if (auto problem = wrong_kind(value, fitting, path)) {
        problems_.push_back(*std::move(problem));
        return;
    }
    std::optional<std::vector<Detail>> best;
    std::size_t matches = 0;
    for (const Json* branch : fitting) {
        if (fitting.size() > 1 && kind_differs(value, *branch)) {
            continue;
        }
        std::vector<Detail> found = problems_of(value, *branch, path);
        matches += found.empty() ? 1 : 0;
        if (!best || found.size() < best->size()) {
            best = std::move(found);
        }
    }
    if (matches > 1 && exactly_one) {
        report(path, "fits more than one of the possible forms");
    } else if (!best) {
        report(path, "fits none of the possible forms");
    } else {
        std::ranges::move(*best, std::back_inserter(problems_));
    }
}

}  // namespace

std::vector<Detail> check_schema(const Json& value, const Json& schema, std::string_view path) {
    Checker checker(schema);
    checker.check(value, schema, std::string(path));
    return checker.take();
}

Json without_absent(const Json& value, const Json& schema) {
    if (!value.is_object()) {
        return value;
    }
    const Json properties = schema.value("properties", Json::object());
    const Json required = schema.value("required", Json::array());
    Json out = value;
    for (const auto& [name, member] : value.items()) {
        const auto property = properties.find(name);
        if (member.is_null() && property != properties.end() &&
            std::ranges::find(required, Json(name)) == required.end() &&
            !check_schema(member, *property).empty()) {
            out.erase(name);
        }
    }
    return out;
}

}  // namespace lab
