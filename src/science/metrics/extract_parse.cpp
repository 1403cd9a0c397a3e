#include "base/text.h"
#include "science/metrics/extract.h"
#include "science/metrics/impl/extract_step.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>

namespace lab::science {
namespace {

using Kind = ExtractStep::Kind;

constexpr std::size_t kStepsMax = 32;

struct Verb {
    std::string_view key;
    Kind kind;
    std::string_view value;      ///< text, flag or which
    std::string_view modifiers;  ///< keys that may stand beside it
    std::string_view description;
};

constexpr std::array<Verb, 10> kVerbs = {{
    {"regex",
     Kind::regex,
     "text",
     "group which ignore_case otherwise trim",
     "RE2 pattern; the step gives the group `group` of the first or last match."},
    {"after",
     Kind::after,
     "text",
     "which ignore_case otherwise trim",
     "Gives what stands behind the first (or last) occurrence of this text."},
    {"before",
     Kind::before,
     "text",
     "which ignore_case otherwise trim",
     "Gives what stands before the first (or last) occurrence of this text."},
    {"line", Kind::line, "which", "otherwise trim", "Gives the first or last line not blank."},
    {"json_path",
     Kind::json_path,
     "text",
     "otherwise trim",
     "Reads the text as JSON and gives the value at this JSON Pointer, such as /answer/0."},
    {"strip_code_fence",
     Kind::strip_code_fence,
     "flag",
     "trim",
     "Gives the inside of the first Markdown code block, or the text when it has none."},
    {"lower", Kind::lower, "flag", "trim", "Gives the text in lower case."},
    {"strip_prefix",
     Kind::strip_prefix,
     "text",
     "trim",
     "Takes this text off the beginning, once, if it is there."},
    {"strip_suffix",
     Kind::strip_suffix,
     "text",
     "trim",
     "Takes this text off the end, once, if it is there."},
    // Last, because it is also a modifier of the others.
    {"trim", Kind::trim, "flag", "", "Takes whitespace off both ends."},
}};

bool has_word(std::string_view words, std::string_view word) {
    return std::ranges::any_of(split(words, ' '), [&](auto one) { return one == word; });
}

std::string quote(std::string_view text) {
    std::string out;
    append_json_string(out, text);
    return out;
}

/// Reads one step and collects its problems; `path` stands before their fields.
class StepReader {
  public:
    StepReader(const Json& step, std::string path, std::vector<Detail>& problems)
        : step_(step), path_(std::move(path)), problems_(problems) {}

    std::optional<ExtractStep> read() {
        const std::size_t before = problems_.size();
        ExtractStep result;
        if (!step_.is_object()) {
            problems_.push_back({path_, "expected a step such as {\"after\": \"Answer:\"}"});
            return std::nullopt;
        }
        const Verb* verb = find_verb();
        if (verb == nullptr) {
            return std::nullopt;
        }
        result.kind = verb->kind;
        check_keys(*verb);
        read_value(*verb, result);
        read_modifiers(*verb, result);
        if (problems_.size() == before) {
            finish(*verb, result);
        }
        return problems_.size() == before ? std::optional(std::move(result)) : std::nullopt;
    }

  private:
    void fail(std::string_view key, std::string message) {
        std::string field = path_;
        field += field.empty() || key.empty() ? "" : ".";
        field += key;
        problems_.push_back({std::move(field), std::move(message)});
    }

    const Verb* find_verb() {
        for (const Verb& verb : kVerbs) {
            if (step_.contains(verb.key)) {
                return &verb;
            }
        }
        std::vector<std::string> known;
        for (const Verb& verb : kVerbs) {
            known.emplace_back(verb.key);
        }
        for (const auto& [key, value] : step_.items()) {
            const std::string near = nearest(key, known);
            if (!near.empty()) {
                fail(key, "unknown key " + quote(key) + ", did you mean " + quote(near) + "?");
                return nullptr;
            }
        }
        fail("", "a step needs one of " + join(known, ", "));
        return nullptr;
    }

    void check_keys(const Verb& verb) {
        for (const auto& [key, value] : step_.items()) {
            if (key == verb.key || has_word(verb.modifiers, key)) {
                continue;
            }
            std::vector<std::string> known;
            for (const std::string_view word : split(verb.modifiers, ' ')) {
                known.emplace_back(word);
            }
            const std::string near = nearest(key, known);
            fail(
                key,
                near.empty() ? quote(key) + " has no meaning beside " + quote(verb.key)
                             : "unknown key " + quote(key) + ", did you mean " + quote(near) + "?"
            );
        }
    }

    void read_value(const Verb& verb, ExtractStep& result) {
        const Json& value = step_.at(std::string(verb.key));
        if (verb.value == "flag") {
            if (value != Json(true)) {
                fail(verb.key, "expected true; leave the step out if it is not wanted");
            }
        } else if (verb.value == "which") {
            result.last = read_word(verb.key, {"first", "last"}, "first") == "last";
        } else if (!value.is_string() ||
                   (value.get<std::string>().empty() && verb.kind != Kind::json_path)) {
            fail(verb.key, "expected a text that is not empty");
        } else {
            result.text = value.get<std::string>();
        }
    }

    void read_modifiers(const Verb& verb, ExtractStep& result) {
        if (has_word(verb.modifiers, "which")) {
            result.last = read_word("which", {"first", "last"}, "first") == "last";
        }
        result.keep_whole = read_word("otherwise", {"none", "whole"}, "none") == "whole";
        result.trim = verb.kind != Kind::trim && read_flag("trim");
    }

    bool read_flag(const std::string& key) {
        if (!step_.contains(key)) {
            return false;
        }
        if (!step_.at(key).is_boolean()) {
            fail(key, "expected true or false");
            return false;
        }
        return step_.at(key).get<bool>();
    }

    std::string read_word(
        std::string_view key, const std::vector<std::string>& allowed, const std::string& fallback
    ) {
        const auto found = step_.find(std::string(key));
        if (found == step_.end()) {
            return fallback;
        }
        if (found->is_string() && std::ranges::count(allowed, found->get<std::string>()) == 1) {
            return found->get<std::string>();
        }
        fail(key, "expected one of " + join(allowed, ", "));
        return fallback;
    }

    /// What needs a step that is right so far: the pattern, its group, the pointer.
    void finish(const Verb& verb, ExtractStep& result) {
        const bool ignore_case = read_flag("ignore_case");
        if (verb.kind == Kind::regex) {
            result.regex = compile(verb, result.text, ignore_case);
            if (result.regex) {
                result.group = read_group(*result.regex);
            }
        } else if (ignore_case) {
            result.regex = compile(verb, Regex::quote(result.text), true);
        } else if (verb.kind == Kind::json_path && !is_pointer(result.text)) {
            fail(verb.key, "expected a JSON Pointer (RFC 6901) such as /answer/0");
        }
    }

    std::optional<Regex> compile(const Verb& verb, std::string_view pattern, bool ignore_case) {
        auto regex = Regex::compile(pattern, ignore_case);
        if (!regex) {
            fail(verb.key, regex.error().message);
            return std::nullopt;
        }
        return *std::move(regex);
    }

    /// The first group where there is one and the step names none, else the whole match.
    std::size_t read_group(const Regex& regex) {
        const int count = regex.group_count();
        const std::size_t fallback = count > 0 ? 1 : 0;
        const auto found = step_.find("group");
        if (found == step_.end()) {
            return fallback;
        }
        if (found->is_number_integer()) {
            const auto number = found->get<std::int64_t>();
            if (number < 0 || number > count) {
                fail("group", "the pattern has " + std::to_string(count) + " groups");
                return fallback;
            }
            return static_cast<std::size_t>(number);
        }
        const auto number =
            found->is_string() ? regex.find_group(found->get<std::string>()) : std::nullopt;
        if (!number) {
            const auto names = regex.group_names();
            fail(
                "group",
                names.empty() ? "expected the number of a group: the pattern names none"
                              : "expected a number or one of the groups " + join(names, ", ")
            );
            return fallback;
        }
        return static_cast<std::size_t>(*number);
    }

    /// RFC 6901: empty, or segments that begin with a slash; ~ only as ~0 and ~1.
    static bool is_pointer(std::string_view text) {
        for (std::size_t i = 0; i < text.size(); ++i) {
            if (text[i] == '~' &&
                (i + 1 == text.size() || (text[i + 1] != '0' && text[i + 1] != '1'))) {
                return false;
            }
        }
        return text.empty() || text.front() == '/';
    }

    const Json& step_;
    std::string path_;
    std::vector<Detail>& problems_;
};

Json step_schema() {
    Json properties = Json::object();
    const auto word = [](std::vector<std::string> values, const char* fallback, const char* text) {
        return Json{{"enum", values}, {"default", fallback}, {"description", text}};
    };
    for (const Verb& verb : kVerbs) {
        Json value = verb.value == "text" ? Json{{"type", "string"}} : Json{{"type", "boolean"}};
        if (verb.value == "which") {
            value = Json{{"enum", {"first", "last"}}};
        }
        value["description"] = verb.description;
        properties[std::string(verb.key)] = std::move(value);
    }
    properties["group"] = {
        {"type", {"integer", "string"}},
        {"description", "Group of `regex`, number or name; default 1, or 0 without groups."}
    };
    properties["which"] =
        word({"first", "last"}, "first", "Which occurrence `regex`, `after` and `before` take.");
    properties["ignore_case"] = {
        {"type", "boolean"},
        {"default", false},
        {"description", "Whether `regex`, `after` and `before` ignore case."}
    };
    properties["otherwise"] = word(
        {"none", "whole"},
        "none",
        "When the step does not match: none = no answer was found, whole = the text stays."
    );
    return Json{
        {"type", "object"},
        {"description", "One step; exactly one key says what it does."},
        {"properties", std::move(properties)},
        {"additionalProperties", false}
    };
}

}  // namespace

Result<Extractor> make_extractor(const Json& steps) {
    Extractor extractor;
    std::vector<Detail> problems;
    if (steps.is_object()) {
        if (auto step = StepReader(steps, "", problems).read()) {
            extractor.steps_.push_back(*std::move(step));
        }
    } else if (steps.is_array() && steps.size() <= kStepsMax) {
        for (std::size_t i = 0; i < steps.size(); ++i) {
            const std::string path = "[" + std::to_string(i) + "]";
            if (auto step = StepReader(steps[i], path, problems).read()) {
                extractor.steps_.push_back(*std::move(step));
            }
        }
    } else if (!steps.is_null()) {
        problems.push_back({"", "expected a step or a list of at most 32 steps"});
    }
    if (!problems.empty()) {
        return Error(Code::validation, "the extraction is not valid", std::move(problems));
    }
    return extractor;
}

Json extract_schema() {
    Json step = step_schema();
    return Json{
        {"description",
         "How the answer is taken out of the text: one step or a list of steps, each working on "
         "what the one before left."},
        {"oneOf",
         Json::array(
             {step, Json{{"type", "array"}, {"maxItems", kStepsMax}, {"items", std::move(step)}}}
         )}
    };
}

}  // namespace lab::science
