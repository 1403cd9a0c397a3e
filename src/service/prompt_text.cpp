#include "service/impl/prompt_text.h"

#include "base/text.h"
#include "platform/json/document.h"
#include "science/prompt/template.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cinttypes>
#include <cstdio>

namespace lab::service {
namespace {

constexpr std::size_t kRenderedBytesMax = 8U << 20;
constexpr std::size_t kFindingsMax = 50;

bool is_of_type(const Json& value, std::string_view type) {
    // Anything can be written as text.
    return type == "string" || (type == "number" && value.is_number()) ||
           (type == "boolean" && value.is_boolean()) || (type == "array" && value.is_array()) ||
           (type == "object" && value.is_object());
}

std::string_view type_in_words(std::string_view type) {
    if (type == "number") {
        return "a number";
    }
    if (type == "boolean") {
        return "true or false";
    }
    return type == "array" ? "a list" : "a mapping";
}

std::string wrong_type(std::string_view type) {
    return "must be " + std::string(type_in_words(type)) + ", as it is declared";
}

/// One text of a prompt.
struct Part {
    std::string_view name;
    const std::string* text;
};

std::vector<Part> parts_of(const Json& body) {
    std::vector<Part> out;
    for (const char* name : {"template", "system_prompt"}) {
        if (const auto found = body.find(name); found != body.end() && found->is_string()) {
            out.push_back({name, found->get_ptr<const std::string*>()});
        }
    }
    return out;
}

std::vector<std::string> names_in(const std::string& text) {
    const auto parsed = science::Template::parse(text);
    return parsed ? parsed->variables() : std::vector<std::string>();
}

const Json* declaration_of(const Json& variables, std::string_view name) {
    for (const Json& one : variables) {
        if (one["name"] == name) {
            return &one;
        }
    }
    return nullptr;
}

/// Where something stands in a text; columns in code points, no mark for the whole.
Json finding(std::string_view part, const Mark& mark, std::string_view message) {
    const bool known = mark.line > 0;
    return {
        {"message", message},
        {"line", known ? Json(mark.line) : Json()},
        {"column", known ? Json(mark.column) : Json()},
        {"part", part},
    };
}

Mark mark_of(std::string_view text, std::size_t offset) {
    const std::string_view before = text.substr(0, offset);
    const std::size_t start = before.rfind('\n');
    const std::string_view line =
        start == std::string_view::npos ? before : before.substr(start + 1);
    return {
        .line = static_cast<int>(1 + std::ranges::count(before, '\n')),
        .column = static_cast<int>(1 + count_code_points(line)),
    };
}

std::size_t offset_of(std::string_view text, const Mark& mark) {
    std::size_t at = 0;
    for (int line = 1; line < mark.line; ++line) {
        at = text.find('\n', at) + 1;
    }
    for (int column = 1; column < mark.column && at < text.size(); ++column) {
        next_code_point(text, at);
    }
    return at;
}

/// "line 2, column 5: words" of a template's error.
struct TemplateProblem {
    Mark mark;
    std::string words;
};
TemplateProblem problem_of(const Error& error) {
    TemplateProblem out{.mark = {.line = 1, .column = 1}, .words = error.message};
    int length = 0;
    if (std::sscanf(
            error.message.c_str(),
            "line %d, column %d: %n",
            &out.mark.line,
            &out.mark.column,
            &length
        ) == 2 &&
        length > 0) {
        out.words = error.message.substr(static_cast<std::size_t>(length));
    }
    return out;
}

/// Every mistake of a template: each is blanked out, and what is left read again. Gives the names
/// in what is left.
std::vector<std::string> find_mistakes(const Part& part, Json& errors) {
    std::string text = *part.text;
    while (errors.size() < kFindingsMax) {
        const auto parsed = science::Template::parse(text);
        if (parsed) {
            return parsed->variables();
        }
        const TemplateProblem problem = problem_of(parsed.error());
        errors.push_back(finding(part.name, problem.mark, problem.words));
        const std::size_t at = offset_of(text, problem.mark);
        if (text.substr(at, 2) != "{{") {
            return {};
        }
        text.replace(at, 2, "  ");
    }
    return {};
}

/// {name} is text here and a variable elsewhere.
void find_single_braces(const Part& part, Json& warnings) {
    const std::string& text = *part.text;
    for (std::size_t at = text.find('{'); at != std::string::npos; at = text.find('{', at + 1)) {
        if (warnings.size() >= kFindingsMax) {
            return;
        }
        const std::size_t end = text.find_first_not_of(
            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_", at + 1
        );
        const bool named = end != std::string::npos && end > at + 1 && text[end] == '}';
        const bool single =
            (at == 0 || text[at - 1] != '{') && (end + 1 >= text.size() || text[end + 1] != '}');
        if (named && single) {
            const std::string word = text.substr(at, end + 1 - at);
            warnings.push_back(finding(
                part.name,
                mark_of(text, at),
                shorten(word, 60) + " is text: a variable is written with two braces on each side"
            ));
        }
    }
}

std::string text_of(const Json& value) {
    return value.is_string() ? value.get<std::string>() : dump_json(value);
}

/// Looks values up and counts what they come to, since one name may stand many times.
class Values {
  public:
    Values(const Json& body, const Json& given)
        : variables_(all_variables(body)),
          defaults_(body.value("default_values", Json::object())),
          given_(given) {}

    /// Reports what is missing or wrong of the names that are used.
    void check(const std::vector<std::string>& used, std::vector<Detail>& problems) const {
        for (const Json& variable : variables_) {
            const std::string name = variable["name"].get<std::string>();
            if (std::ranges::find(used, name) == used.end()) {
                continue;
            }
            const std::string path = path_member("variables", name);
            const Json* const value = find(variable);
            if (value == nullptr && variable["required"].get<bool>()) {
                problems.push_back({path, "has no value" + hint(name)});
            }
            const std::string type = variable["type"].get<std::string>();
            if (value != nullptr && !is_of_type(*value, type)) {
                problems.push_back({path, wrong_type(type)});
            }
        }
    }

    std::optional<std::string> text(std::string_view name) {
        const Json* const variable = declaration_of(variables_, name);
        const Json* const value = variable == nullptr ? nullptr : find(*variable);
        std::string out = value == nullptr ? std::string() : text_of(*value);
        bytes_ += out.size();
        if (bytes_ > kRenderedBytesMax) {
            return std::nullopt;
        }
        return out;
    }
    bool too_large() const { return bytes_ > kRenderedBytesMax; }

  private:
    /// nullptr when there is none; null is none.
    const Json* find(const Json& variable) const {
        const auto& name = variable["name"].get_ref<const std::string&>();
        for (const Json* values : {&given_, &defaults_}) {
            const Json* const value = science::find_variable(*values, name);
            if (value != nullptr && !value->is_null()) {
                return value;
            }
        }
        const auto fallback = variable.find("default_value");
        return fallback == variable.end() || fallback->is_null() ? nullptr : &*fallback;
    }
    std::string hint(const std::string& name) const {
        std::vector<std::string> known;
        for (const auto& [key, value] : given_.items()) {
            known.push_back(key);
        }
        const std::string near = nearest(name, known);
        return near.empty() || near == name ? "" : ", did you mean \"" + near + "\"?";
    }

    Json variables_;
    Json defaults_;
    const Json& given_;
    std::size_t bytes_ = 0;
};

}  // namespace

Json normal_declarations(const Json& variables, std::vector<Detail>& problems) {
    Json out = Json::array();
    for (std::size_t i = 0; i < variables.size(); ++i) {
        const Json& given = variables[i];
        Json one = Json::object();
        if (given.is_string()) {
            one["name"] = given;
        } else {
            one = given;
        }
        const std::string path = path_index("variables", i);
        if (declaration_of(out, one["name"].get_ref<const std::string&>()) != nullptr) {
            problems.push_back({path, "the name is declared twice"});
        }
        const std::string type = one.value("type", "string");
        const auto fallback = one.find("default_value");
        if (fallback != one.end() && !fallback->is_null() && !is_of_type(*fallback, type)) {
            problems.push_back({path + ".default_value", wrong_type(type)});
        }
        out.push_back(std::move(one));
    }
    return out;
}

void check_prompt_text(const Json& body, std::vector<Detail>& problems) {
    for (const Part& part : parts_of(body)) {
        if (const auto parsed = science::Template::parse(*part.text); !parsed) {
            problems.push_back({std::string(part.name), parsed.error().message});
        }
    }
    const Json declared = body.value("variables", Json::array());
    const Json defaults = body.value("default_values", Json::object());
    for (const auto& [name, value] : defaults.items()) {
        const Json* const declaration = declaration_of(declared, name);
        const std::string type =
            declaration == nullptr ? "string" : declaration->value("type", "string");
        if (!value.is_null() && !is_of_type(value, type)) {
            problems.push_back({path_member("default_values", name), wrong_type(type)});
        }
    }
}

Json all_variables(const Json& body) {
    Json out = Json::array();
    const Json declared = body.value("variables", Json::array());
    for (const Json& one : declared) {
        Json variable = Json::object();
        variable["name"] = one["name"];
        variable["type"] = one.value("type", "string");
        variable["required"] = one.value("required", !one.contains("default_value"));
        for (const char* member : {"description", "default_value"}) {
            if (one.contains(member)) {
                variable[member] = one[member];
            }
        }
        out.push_back(std::move(variable));
    }
    for (const Part& part : parts_of(body)) {
        for (const std::string& name : names_in(*part.text)) {
            if (declaration_of(out, name) == nullptr) {
                out.push_back({{"name", name}, {"type", "string"}, {"required", true}});
            }
        }
    }
    return out;
}

Result<RenderedPrompt> render_text(const Json& body, const Json& given) {
    std::vector<science::Template> templates;
    std::vector<std::string> used;
    for (const Part& part : parts_of(body)) {
        LAB_TRY(science::Template parsed, science::Template::parse(*part.text));
        used.insert(used.end(), parsed.variables().begin(), parsed.variables().end());
        templates.push_back(std::move(parsed));
    }
    Values values(body, given);
    std::vector<Detail> problems;
    values.check(used, problems);
    if (!problems.empty()) {
        return Error(Code::validation, "the prompt cannot be rendered", std::move(problems));
    }
    std::vector<std::string> rendered;
    for (const science::Template& one : templates) {
        auto text = one.render([&](std::string_view name) { return values.text(name); });
        if (values.too_large()) {
            return Error(Code::payload_too_large, "the rendered prompt is larger than 8 MiB");
        }
        if (!text) {
            return text.error();
        }
        rendered.push_back(*std::move(text));
    }
    RenderedPrompt out;
    out.text = rendered.empty() ? "" : std::move(rendered[0]);
    if (rendered.size() > 1) {
        out.system_prompt = std::move(rendered[1]);
    }
    return out;
}

Json inspect_prompt_text(const Json& body) {
    Json errors = Json::array();
    Json warnings = Json::array();
    std::vector<std::string> names;
    for (const Part& part : parts_of(body)) {
        if (part.name == "template" && part.text->empty()) {
            errors.push_back(finding(part.name, {.line = 1, .column = 1}, "the template is empty"));
        }
        for (std::string& name : find_mistakes(part, errors)) {
            if (std::ranges::find(names, name) == names.end()) {
                names.push_back(std::move(name));
            }
        }
        find_single_braces(part, warnings);
    }
    std::vector<Detail> problems;
    Json whole = body;
    if (const auto variables = whole.find("variables"); variables != whole.end()) {
        *variables = normal_declarations(*variables, problems);
        for (const Json& one : *variables) {
            const std::string name = one["name"].get<std::string>();
            if (std::ranges::find(names, name) == names.end()) {
                warnings.push_back(
                    finding("variables", {}, "\"" + name + "\" is declared and never used")
                );
            }
        }
        for (const std::string& name : names) {
            if (declaration_of(*variables, name) == nullptr) {
                warnings.push_back(finding(
                    "variables", {}, "\"" + shorten(name, 60) + "\" is used and not declared"
                ));
            }
        }
    }
    whole.erase("template");
    whole.erase("system_prompt");
    check_prompt_text(whole, problems);
    for (const Detail& problem : problems) {
        errors.push_back(finding("variables", {}, problem.field + ": " + problem.message));
    }
    const bool valid = errors.empty();
    return {
        {"valid", valid},
        {"errors", std::move(errors)},
        {"warnings", std::move(warnings)},
        {"detected_variables", names},
    };
}

std::int64_t estimate_tokens(std::string_view text) {
    return static_cast<std::int64_t>((count_code_points(text) + 3) / 4);
}

}  // namespace lab::service
