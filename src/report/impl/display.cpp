#include "report/impl/display.h"

#include "base/text.h"

#include <uniwidth.h>

#include <algorithm>

namespace lab::report {
namespace {
std::size_t width_of(char32_t c) {
    const int width = uc_width(c, "UTF-8");
    return width > 0 ? static_cast<std::size_t>(width) : 0;
}

/// The longest beginning that fits into `width`.
std::u32string head(std::u32string_view text, std::size_t width) {
    std::u32string out;
    for (const char32_t c : text) {
        const std::size_t more = width_of(c);
        if (more > width) {
            break;
        }
        width -= more;
        out += c;
    }
    return out;
}

/// The text in `width` columns with `back` of them from its end.
std::string cut_to(std::string_view utf8, std::size_t width, std::size_t back) {
    if (display_width(utf8) <= width) {
        return std::string(utf8);
    }
    if (width <= 1) {
        return width == 1 ? "…" : "";
    }
    std::u32string text = to_code_points(utf8);
    const std::u32string first = head(text, width - 1 - back);
    std::ranges::reverse(text);
    std::u32string last = head(text, back);
    std::ranges::reverse(last);
    return to_utf8(first) + "…" + to_utf8(last);
}
}  // namespace

bool is_unsafe(char32_t c) {
    return c < 0x20 || (c >= 0x7F && c <= 0x9F) || (c >= 0x200B && c <= 0x200F) ||
           (c >= 0x2028 && c <= 0x202E) || (c >= 0x2060 && c <= 0x206F) || c == 0xFEFF ||
           c == 0x061C || c == 0x00AD || (c >= 0xFFF9 && c <= 0xFFFB) ||
           (c >= 0xE0000 && c <= 0xE007F);
}

std::size_t display_width(std::string_view utf8) {
    std::size_t out = 0;
    for (std::size_t at = 0; at < utf8.size();) {
        out += width_of(next_code_point(utf8, at));
    }
    return out;
}

std::string printable(std::string_view utf8) {
    std::string out;
    out.reserve(utf8.size());
    for (std::size_t at = 0; at < utf8.size();) {
        const char32_t c = next_code_point(utf8, at);
        if (c == '\n' || c == '\r' || c == '\t') {
            out += ' ';
        } else {
            append_utf8(out, is_unsafe(c) ? char32_t{0xFFFD} : c);
        }
    }
    return out;
}

std::string abbreviate(std::string_view utf8, std::size_t width) {
    return cut_to(utf8, width, width > 0 ? (width - 1) / 2 : 0);
}

std::vector<std::string> wrap(std::string_view utf8, std::size_t width) {
    std::vector<std::string> out;
    std::string line;
    std::size_t used = 0;
    for (const std::string_view piece : split(utf8, ' ')) {
        if (piece.empty()) {
            continue;
        }
        std::u32string word = to_code_points(piece);
        std::size_t length = display_width(piece);
        if (used > 0 && used + 1 + length > width) {
            out.push_back(std::move(line));
            line.clear();
            used = 0;
        }
        while (length > width) {
            const std::u32string part = head(word, width);
            if (part.empty()) {
                break;
            }
            out.push_back(to_utf8(part));
            word.erase(0, part.size());
            length = display_width(to_utf8(word));
        }
        line += used > 0 ? " " : "";
        line += to_utf8(word);
        used += length + (used > 0 ? 1 : 0);
    }
    if (!line.empty() || out.empty()) {
        out.push_back(std::move(line));
    }
    return out;
}

std::vector<std::string> wrap_name(std::string_view utf8, std::size_t width) {
    constexpr std::u32string_view kBehind = U"/-_.:,;= ";
    std::vector<std::string> out;
    std::u32string rest = to_code_points(utf8);
    while (display_width(to_utf8(rest)) > width) {
        std::u32string line = head(rest, width);
        if (line.empty()) {
            break;  // not even one character fits
        }
        // Not so early that the lines become many.
        const std::size_t at = line.find_last_of(kBehind);
        const bool enough =
            at != std::u32string::npos &&
            (at + 1 >= line.size() / 3 || display_width(to_utf8(rest.substr(at + 1))) <= width);
        if (enough) {
            line.resize(at + 1);
        }
        rest.erase(0, line.size());
        out.push_back(to_utf8(line));
    }
    if (!rest.empty() || out.empty()) {
        out.push_back(to_utf8(rest));
    }
    return out;
}

}  // namespace lab::report
