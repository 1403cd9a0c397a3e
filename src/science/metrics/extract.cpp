#include "science/metrics/extract.h"

#include "base/text.h"
#include "science/metrics/impl/extract_step.h"

#include <nlohmann/json.hpp>

namespace lab::science {
namespace {

using Kind = ExtractStep::Kind;

/// What a group took of the first or last match; group 0 is all of it.
std::optional<std::string_view> find_match(
    const Regex& regex, bool last, std::string_view text, std::size_t group
) {
    Regex::Groups groups;
    const bool found = last ? regex.search_last(text, groups) : regex.search(text, groups);
    return found ? groups[group] : std::nullopt;
}

std::optional<std::string> find_regex(const ExtractStep& step, std::string_view text) {
    LAB_ASSERT(step.regex.has_value(), "a step of kind regex has its pattern");
    const auto match = find_match(*step.regex, step.last, text, step.group);
    return match ? std::optional<std::string>(*match) : std::nullopt;
}

/// Begin and end of the text looked for, or nothing.
std::optional<std::pair<std::size_t, std::size_t>> find_text(
    const ExtractStep& step, std::string_view text
) {
    if (!step.regex) {
        const std::size_t at = step.last ? text.rfind(step.text) : text.find(step.text);
        return at == std::string_view::npos ? std::nullopt
                                            : std::optional(std::pair(at, at + step.text.size()));
    }
    const auto match = find_match(*step.regex, step.last, text, 0);
    if (!match) {
        return std::nullopt;
    }
    const auto at = static_cast<std::size_t>(match->data() - text.data());
    return std::pair(at, at + match->size());
}

std::optional<std::string> find_line(const ExtractStep& step, std::string_view text) {
    std::optional<std::string_view> found;
    for (const std::string_view line : split(text, '\n')) {
        if (trim(line).empty()) {
            continue;
        }
        found = line;
        if (!step.last) {
            break;
        }
    }
    if (!found) {
        return std::nullopt;
    }
    return std::string(found->ends_with('\r') ? found->substr(0, found->size() - 1) : *found);
}

std::optional<std::string> find_json(const ExtractStep& step, std::string_view text) {
    const auto document = parse_json(trim(text));
    if (!document) {
        return std::nullopt;
    }
    try {
        const Json::json_pointer pointer(step.text);
        if (!document->contains(pointer) || document->at(pointer).is_null()) {
            return std::nullopt;
        }
        const Json& value = document->at(pointer);
        return value.is_string() ? value.get<std::string>() : dump_json(value);
    } catch (const Json::exception&) {
        // An index too large for the library to read is an index that is not there.
        return std::nullopt;
    }
}

/// How many of the same fence sign (``` or ~~~) a line begins with, indented by 3 spaces at most.
std::size_t fence_length(std::string_view line) {
    std::size_t indent = 0;
    while (indent < line.size() && indent < 3 && line[indent] == ' ') {
        ++indent;
    }
    line.remove_prefix(indent);
    if (!line.starts_with("```") && !line.starts_with("~~~")) {
        return 0;
    }
    const std::size_t end = line.find_first_not_of(line.front());
    return end == std::string_view::npos ? line.size() : end;
}

/// The inside of the first fenced block (CommonMark 0.31, section 4.5). A block that never closes,
/// as an output cut short leaves it, reaches to the end.
std::string strip_code_fence(std::string_view text) {
    std::string inside;
    std::size_t fence = 0;
    char sign = 0;
    for (const std::string_view line : split(text, '\n')) {
        const std::size_t length = fence_length(line);
        const char first = length > 0 ? trim_ascii(line).front() : '\0';
        if (fence == 0) {
            fence = length;
            sign = first;
            continue;
        }
        const bool bare = length > 0 && trim_ascii(line).size() == length;
        if (length >= fence && first == sign && bare) {
            break;
        }
        inside += line;
        inside += '\n';
    }
    if (fence == 0) {
        return std::string(text);
    }
    if (!inside.empty()) {
        inside.pop_back();
    }
    return inside;
}

}  // namespace

std::optional<std::string> run_step(const ExtractStep& step, std::string_view text) {
    switch (step.kind) {
        case Kind::regex:
            return find_regex(step, text);
        case Kind::after:
            if (const auto found = find_text(step, text)) {
                return std::string(text.substr(found->second));
            }
            return std::nullopt;
        case Kind::before:
            if (const auto found = find_text(step, text)) {
                return std::string(text.substr(0, found->first));
            }
            return std::nullopt;
        case Kind::line:
            return find_line(step, text);
        case Kind::json_path:
            return find_json(step, text);
        case Kind::strip_code_fence:
            return strip_code_fence(text);
        case Kind::trim:
            return std::string(trim(text));
        case Kind::lower:
            return to_lower(text);
        case Kind::strip_prefix:
            return std::string(text.starts_with(step.text) ? text.substr(step.text.size()) : text);
        case Kind::strip_suffix:
            return std::string(
                text.ends_with(step.text) ? text.substr(0, text.size() - step.text.size()) : text
            );
    }
    return std::nullopt;
}

Extractor::Extractor() = default;
Extractor::Extractor(Extractor&&) noexcept = default;
Extractor& Extractor::operator=(Extractor&&) noexcept = default;
Extractor::~Extractor() = default;

Extracted Extractor::apply(std::string_view output) const {
    Extracted result{.found = true, .text = std::string(output)};
    for (const ExtractStep& step : steps_) {
        auto text = run_step(step, result.text);
        if (text) {
            result.text = step.trim ? std::string(trim(*text)) : std::move(*text);
        } else if (!step.keep_whole) {
            return {};
        }
    }
    return result;
}

}  // namespace lab::science
