#include "base/text.h"
#include "fuzz/fuzz.h"
#include "science/prompt/template.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace {
using namespace lab;
using fuzz::require;

/// A template that renders to `text` and has no variables.
std::string escape(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        const bool opens = text.starts_with("{{");
        out += opens ? "{{{{" : std::string(text.substr(0, 1));
        text.remove_prefix(opens ? 2 : 1);
    }
    return out;
}
}  // namespace

// Whatever the text: parsing is refused, or rendering puts in each variable, and nothing twice.
FUZZ_TARGET(prompt_template) {
    const auto plain = science::Template::parse(escape(input));
    if (plain) {
        const auto text = plain->render(Json::object());
        require(text && *text == input, "what is escaped is text");
    }
    const auto parsed = science::Template::parse(input);
    if (!parsed) {
        require(parsed.error().code == Code::validation, "a refusal is the author's mistake");
        require(is_utf8(parsed.error().message) || !is_utf8(input), "a message is UTF-8");
        require(input.contains("{{"), "only two braces can be wrong");
        return;
    }
    std::size_t asked = 0;
    Json item = Json::object();
    const auto braces = parsed->render([&](std::string_view name) -> std::optional<std::string> {
        ++asked;
        item[std::string(name)] = "{{" + std::string(name) + "}}";
        return "{{" + std::string(name) + "}}";
    });
    require(braces.has_value(), "with every variable there is a text");
    require(asked >= parsed->variables().size(), "every variable is asked for");
    require(item.size() == parsed->variables().size(), "no other variable is asked for");
    const auto of_item = parsed->render(item);
    require(of_item && *of_item == *braces, "an object and a function give one text");
    const auto render_with = [&](const std::string& value) {
        return parsed->render([&](std::string_view) { return std::optional(value); });
    };
    const auto none = render_with("");
    const auto some = render_with("abc");
    require(none && some, "any value will do");
    require(some->size() == none->size() + 3 * asked, "values go in as they are");
    require(none->size() <= input.size(), "nothing is added");
    const auto without = parsed->render(Json::object());
    require(without.has_value() == parsed->variables().empty(), "a missing variable is a mistake");
}
