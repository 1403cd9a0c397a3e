#include "science/prompt/template.h"

#include "base/text.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace lab::science {
namespace {

constexpr std::string_view kOpen = "{{";
constexpr std::string_view kClose = "}}";
constexpr std::string_view kEscape = "{{{{";
/// Of what is found in an error message.
constexpr std::size_t kShownBytesMax = 40;
constexpr std::size_t kNamesMax = 500;
constexpr int kNameDepthMax = 4;

bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_name_character(char c) {
    return is_name_start(c) || (c >= '0' && c <= '9') || c == '.' || c == '-';
}
bool is_name(std::string_view text) {
    return !text.empty() && is_name_start(text.front()) &&
           std::ranges::all_of(text, is_name_character);
}

std::string_view trim_blanks(std::string_view text) {
    const std::size_t begin = text.find_first_not_of(" \t");
    if (begin == std::string_view::npos) {
        return {};
    }
    return text.substr(begin, text.find_last_not_of(" \t") + 1 - begin);
}

Error error_at(std::string_view text, std::size_t offset, const std::string& what) {
    const std::string_view before = text.substr(0, offset);
    const auto line = 1 + std::ranges::count(before, '\n');
    const std::size_t start = before.rfind('\n');
    const std::size_t column =
        1 + count_code_points(start == std::string_view::npos ? before : before.substr(start + 1));
    return Error(
        Code::validation,
        "line " + std::to_string(line) + ", column " + std::to_string(column) + ": " + what
    );
}

std::string quote(std::string_view text) {
    std::string out;
    append_json_string(out, shorten(text, kShownBytesMax));
    return out;
}

Error bad_name(std::string_view text, std::size_t offset, std::string_view name) {
    const std::string what =
        name.empty() ? "a name is missing between {{ and }}" : quote(name) + " is not a name";
    return error_at(
        text,
        offset,
        what +
            ": letters, digits, _ . - are allowed, the first a letter or _ (write {{{{ for a "
            "literal {{)"
    );
}

Error missing_variable(std::string_view name, const std::vector<std::string>& known, bool is_null) {
    std::string message = "variable " + quote(name) + (is_null ? " is null" : " has no value");
    const std::string near = is_null ? std::string() : nearest(name, known);
    message += near.empty() ? "" : ", did you mean " + quote(near) + "?";
    return Error(Code::validation, std::move(message));
}

void collect_names(
    const Json& object, const std::string& prefix, int depth, std::vector<std::string>& names
) {
    for (const auto& [key, value] : object.items()) {
        if (names.size() >= kNamesMax) {
            return;
        }
        names.push_back(prefix + key);
        if (value.is_object() && depth < kNameDepthMax) {
            collect_names(value, prefix + key + ".", depth + 1, names);
        }
    }
}

std::vector<std::string> names_of(const Json& item) {
    std::vector<std::string> names;
    if (item.is_object()) {
        collect_names(item, "", 1, names);
    }
    return names;
}

}  // namespace

void Template::add_text(std::string_view text) {
    if (text.empty()) {
        return;
    }
    if (pieces_.empty() || pieces_.back().is_variable) {
        pieces_.emplace_back();
    }
    pieces_.back().text += text;
}

void Template::add_variable(std::string_view name) {
    pieces_.push_back({.text = std::string(name), .is_variable = true});
    if (std::ranges::find(variables_, name) == variables_.end()) {
        variables_.emplace_back(name);
    }
}

Result<Template> Template::parse(std::string_view text) {
    Template result;
    std::size_t at = 0;
    while (true) {
        const std::size_t open = text.find(kOpen, at);
        if (open == std::string_view::npos) {
            result.add_text(text.substr(at));
            return result;
        }
        result.add_text(text.substr(at, open - at));
        if (text.substr(open).starts_with(kEscape)) {
            result.add_text(kOpen);
            at = open + kEscape.size();
            continue;
        }
        const std::size_t inside = open + kOpen.size();
        const std::size_t close = text.find(kClose, inside);
        if (close == std::string_view::npos) {
            return error_at(text, open, "{{ is not closed by }} (write {{{{ for a literal {{)");
        }
        const std::string_view name = trim_blanks(text.substr(inside, close - inside));
        if (!is_name(name)) {
            return bad_name(text, open, name);
        }
        result.add_variable(name);
        at = close + kClose.size();
    }
}

std::string Template::quote(std::string_view text) {
    std::string out;
    for (std::size_t at = 0; at < text.size();) {
        const bool opens = text.substr(at).starts_with(kOpen);
        out += opens ? kEscape : text.substr(at, 1);
        at += opens ? kOpen.size() : 1;
    }
    return out;
}

std::string Template::rewritten(const std::function<std::string(std::string_view name)>& as) const {
    std::string out;
    for (const Piece& piece : pieces_) {
        const std::string next = piece.is_variable ? as(piece.text) : quote(piece.text);
        // A brace that only touches the next one must not open anything with it.
        const bool touch = out.ends_with('{') && next.starts_with('{');
        out += touch ? " " + next : next;
    }
    return out;
}

Result<std::string> Template::render(const Json& item) const {
    std::string out;
    for (const Piece& piece : pieces_) {
        if (!piece.is_variable) {
            out += piece.text;
            continue;
        }
        const Json* value = find_variable(item, piece.text);
        if (value == nullptr || value->is_null()) {
            return missing_variable(piece.text, names_of(item), value != nullptr);
        }
        if (value->is_string()) {
            out += value->get_ref<const std::string&>();
        } else {
            out += dump_json(*value);
        }
    }
    return out;
}

Result<std::string> Template::render(const Lookup& lookup, const std::vector<std::string>& known)
    const {
    std::string out;
    for (const Piece& piece : pieces_) {
        if (!piece.is_variable) {
            out += piece.text;
            continue;
        }
        const std::optional<std::string> value = lookup(piece.text);
        if (!value) {
            return missing_variable(piece.text, known, false);
        }
        out += *value;
    }
    return out;
}

const Json* find_variable(const Json& item, std::string_view name) {
    if (!item.is_object()) {
        return nullptr;
    }
    if (const auto found = item.find(name); found != item.end()) {
        return &*found;
    }
    for (std::size_t dot = name.find('.'); dot != std::string_view::npos;
         dot = name.find('.', dot + 1)) {
        const auto member = item.find(name.substr(0, dot));
        if (member == item.end()) {
            continue;
        }
        if (const Json* found = find_variable(*member, name.substr(dot + 1))) {
            return found;
        }
    }
    return nullptr;
}

}  // namespace lab::science
