#include "science/metrics/choice.h"

#include "base/text.h"
#include "science/metrics/unicode.h"

#include <array>
#include <utility>

namespace lab::science {
namespace {

constexpr std::array<std::pair<std::string_view, ChoiceStyle>, 4> kStyles = {{
    {"simple_evals", ChoiceStyle::simple_evals},
    {"word_boundary", ChoiceStyle::word_boundary},
    {"last", ChoiceStyle::last},
    {"whole", ChoiceStyle::whole},
}};

char to_upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; }

std::string pattern_of(const std::string& letters, ChoiceStyle style) {
    switch (style) {
        case ChoiceStyle::simple_evals:
            return R"((?i)Answer[ \t]*:[ \t]*\$?([)" + letters + R"(])\$?)";
        case ChoiceStyle::word_boundary:
            return R"((?i)Answer[ \t]*(?:\*\*)?[ \t]*:[ \t*_($\[{]*([)" + letters + R"(])\b)";
        case ChoiceStyle::last:
        case ChoiceStyle::whole:
            return R"(\b([)" + letters + R"(])\b)";
    }
    return {};
}

}  // namespace

std::string_view name(ChoiceStyle style) {
    for (const auto& [text, value] : kStyles) {
        if (value == style) {
            return text;
        }
    }
    return {};
}

std::optional<ChoiceStyle> find_choice_style(std::string_view name) {
    for (const auto& [text, value] : kStyles) {
        if (text == name) {
            return value;
        }
    }
    return std::nullopt;
}

ChoiceFinder::ChoiceFinder(std::string letters, ChoiceStyle style, Regex expression)
    : letters_(std::move(letters)), style_(style), expression_(std::move(expression)) {}

Result<ChoiceFinder> ChoiceFinder::make(std::string_view letters, ChoiceStyle style) {
    std::string upper;
    for (const char c : letters) {
        const char letter = to_upper(c);
        if (letter < 'A' || letter > 'Z') {
            return Error(Code::validation, "the choices are letters from A to Z, such as \"ABCD\"");
        }
        if (upper.find(letter) != std::string::npos) {
            return Error(Code::validation, std::string("the choice ") + letter + " is named twice");
        }
        upper += letter;
    }
    if (upper.empty()) {
        return Error(Code::validation, "at least one choice is needed, such as \"ABCD\"");
    }
    LAB_TRY(Regex expression, Regex::compile(pattern_of(upper, style)));
    return ChoiceFinder(std::move(upper), style, std::move(expression));
}

std::optional<char> ChoiceFinder::find(std::string_view text) const {
    if (style_ == ChoiceStyle::whole) {
        return find_whole(text);
    }
    Regex::Groups groups;
    const bool found = style_ == ChoiceStyle::last ? expression_.search_last(text, groups)
                                                   : expression_.search(text, groups);
    if (!found || !groups[1] || groups[1]->size() != 1) {
        return std::nullopt;
    }
    return to_upper(groups[1]->front());
}

std::optional<char> ChoiceFinder::find_reference(std::string_view text) const {
    const auto whole = find_whole(text);
    return whole ? whole : find(text);
}

std::optional<char> ChoiceFinder::find_whole(std::string_view text) const {
    std::string_view rest = trim(text);
    while (!rest.empty() && is_ascii_punctuation(rest.front())) {
        rest.remove_prefix(1);
    }
    while (!rest.empty() && is_ascii_punctuation(rest.back())) {
        rest.remove_suffix(1);
    }
    if (rest.size() != 1 || letters_.find(to_upper(rest.front())) == std::string::npos) {
        return std::nullopt;
    }
    return to_upper(rest.front());
}

}  // namespace lab::science
