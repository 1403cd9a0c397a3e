#include "base/text.h"

#include <unicase.h>
#include <unictype.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>

namespace lab {
namespace {

/// Length of the valid sequence at `i`, or 0; its code point in `cp`.
std::size_t decode(std::string_view s, std::size_t i, char32_t& cp) {
    const auto byte = [&](std::size_t k) { return static_cast<unsigned char>(s[k]); };
    const auto tail = [&](std::size_t k) { return k < s.size() && (byte(k) & 0xc0) == 0x80; };
    const unsigned char b = byte(i);
    if (b < 0x80) {
        cp = b;
        return 1;
    }
    if (b >= 0xc2 && b <= 0xdf && tail(i + 1)) {
        cp = static_cast<char32_t>((b & 0x1f) << 6 | (byte(i + 1) & 0x3f));
        return 2;
    }
    if ((b & 0xf0) == 0xe0 && tail(i + 1) && tail(i + 2)) {
        cp = static_cast<char32_t>(
            (b & 0x0f) << 12 | (byte(i + 1) & 0x3f) << 6 | (byte(i + 2) & 0x3f)
        );
        return cp >= 0x800 && (cp < 0xd800 || cp > 0xdfff) ? 3 : 0;
    }
    if (b >= 0xf0 && b <= 0xf4 && tail(i + 1) && tail(i + 2) && tail(i + 3)) {
        cp = static_cast<char32_t>(
            (b & 0x07) << 18 | (byte(i + 1) & 0x3f) << 12 | (byte(i + 2) & 0x3f) << 6 |
            (byte(i + 3) & 0x3f)
        );
        return cp >= 0x10000 && cp <= 0x10ffff ? 4 : 0;
    }
    return 0;
}

/// Final_Sigma of the Unicode Standard, section 3.13: a cased letter before, none behind, both
/// seen past what case ignores. (u8_tolower of libunistring stops at an apostrophe.)
bool is_final_sigma(std::u32string_view text, std::size_t at) {
    std::size_t before = at;
    while (before > 0 && uc_is_property_case_ignorable(text[before - 1])) {
        --before;
    }
    if (before == 0 || !uc_is_property_cased(text[before - 1])) {
        return false;
    }
    std::size_t behind = at + 1;
    while (behind < text.size() && uc_is_property_case_ignorable(text[behind])) {
        ++behind;
    }
    return behind == text.size() || !uc_is_property_cased(text[behind]);
}

}  // namespace

std::size_t find_invalid_utf8(std::string_view text) {
    std::size_t i = 0;
    char32_t cp = 0;
    while (i < text.size()) {
        if (static_cast<unsigned char>(text[i]) < 0x80) {
            ++i;
            continue;
        }
        const std::size_t n = decode(text, i, cp);
        if (n == 0) {
            return i;
        }
        i += n;
    }
    return std::string_view::npos;
}

std::string sanitize_utf8(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    std::size_t i = 0;
    while (i < text.size()) {
        append_utf8(out, next_code_point(text, i));
    }
    return out;
}

char32_t next_code_point(std::string_view text, std::size_t& offset) {
    char32_t cp = 0;
    const std::size_t n = decode(text, offset, cp);
    if (n == 0) {
        ++offset;
        return 0xfffd;
    }
    offset += n;
    return cp;
}

void append_utf8(std::string& out, char32_t cp) {
    const auto put = [&](char32_t c) { out += static_cast<char>(static_cast<unsigned char>(c)); };
    if (cp < 0x80) {
        put(cp);
    } else if (cp < 0x800) {
        put(0xc0 | cp >> 6);
        put(0x80 | (cp & 0x3f));
    } else if (cp < 0x10000) {
        put(0xe0 | cp >> 12);
        put(0x80 | (cp >> 6 & 0x3f));
        put(0x80 | (cp & 0x3f));
    } else {
        put(0xf0 | cp >> 18);
        put(0x80 | (cp >> 12 & 0x3f));
        put(0x80 | (cp >> 6 & 0x3f));
        put(0x80 | (cp & 0x3f));
    }
}

std::u32string to_code_points(std::string_view utf8) {
    std::u32string out;
    out.reserve(utf8.size());
    std::size_t i = 0;
    while (i < utf8.size()) {
        out += next_code_point(utf8, i);
    }
    return out;
}

std::string to_utf8(std::u32string_view code_points) {
    std::string out;
    out.reserve(code_points.size());
    for (const char32_t cp : code_points) {
        append_utf8(out, cp);
    }
    return out;
}

std::size_t count_code_points(std::string_view utf8) {
    std::size_t n = 0;
    std::size_t i = 0;
    while (i < utf8.size()) {
        next_code_point(utf8, i);
        ++n;
    }
    return n;
}

bool is_space(char32_t c) {
    return (c >= 0x09 && c <= 0x0d) || (c >= 0x1c && c <= 0x20) || c == 0x85 || c == 0xa0 ||
           c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 ||
           c == 0x202f || c == 0x205f || c == 0x3000;
}

std::string_view trim(std::string_view utf8) {
    std::size_t begin = 0;
    while (begin < utf8.size()) {
        std::size_t next = begin;
        if (!is_space(next_code_point(utf8, next))) {
            break;
        }
        begin = next;
    }
    std::size_t end = utf8.size();
    while (end > begin) {
        std::size_t start = end - 1;
        while (start > begin && (static_cast<unsigned char>(utf8[start]) & 0xc0) == 0x80) {
            --start;
        }
        std::size_t next = start;
        if (!is_space(next_code_point(utf8, next)) || next != end) {
            break;
        }
        end = start;
    }
    return utf8.substr(begin, end - begin);
}

std::string to_lower(std::string_view utf8) {
    if (std::ranges::all_of(utf8, [](char c) { return static_cast<unsigned char>(c) < 0x80; })) {
        std::string out(utf8);
        for (char& c : out) {
            c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
        }
        return out;
    }
    const std::u32string text = to_code_points(utf8);
    std::string out;
    out.reserve(utf8.size() + 8);
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == 0x3a3) {
            append_utf8(out, is_final_sigma(text, i) ? 0x3c2 : 0x3c3);
        } else if (text[i] == 0x130) {
            out += "i\u0307";
        } else {
            append_utf8(out, uc_tolower(text[i]));
        }
    }
    return out;
}

std::string_view trim_ascii(std::string_view text) {
    constexpr std::string_view kBlank = " \t\r\n\f\v";
    const std::size_t begin = text.find_first_not_of(kBlank);
    if (begin == std::string_view::npos) {
        return {};
    }
    return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> parts;
    std::size_t begin = 0;
    while (true) {
        const std::size_t end = text.find(separator, begin);
        if (end == std::string_view::npos) {
            parts.push_back(text.substr(begin));
            return parts;
        }
        parts.push_back(text.substr(begin, end - begin));
        begin = end + 1;
    }
}

std::string join(const std::vector<std::string>& parts, std::string_view separator) {
    std::string out;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        if (i > 0) {
            out += separator;
        }
        out += parts[i];
    }
    return out;
}

std::string to_hex(std::string_view bytes) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string out;
    out.reserve(bytes.size() * 2);
    for (const char c : bytes) {
        const auto b = static_cast<unsigned char>(c);
        out += kDigits[b >> 4];
        out += kDigits[b & 15];
    }
    return out;
}

std::string shorten(std::string_view utf8, std::size_t bytes_max) {
    if (utf8.size() <= bytes_max) {
        return sanitize_utf8(utf8);
    }
    std::size_t end = bytes_max > 3 ? bytes_max - 3 : 0;
    while (end > 0 && (static_cast<unsigned char>(utf8[end]) & 0xc0) == 0x80) {
        --end;
    }
    return sanitize_utf8(utf8.substr(0, end)) + "...";
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> before(b.size() + 1);
    std::vector<std::size_t> last(b.size() + 1);
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) {
        last[j] = j;
    }
    for (std::size_t i = 1; i <= a.size(); ++i) {
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t cost = a[i - 1] == b[j - 1] ? 0 : 1;
            row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + cost});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                row[j] = std::min(row[j], before[j - 2] + 1);
            }
        }
        std::swap(before, last);
        std::swap(last, row);
    }
    return last[b.size()];
}

std::string nearest(std::string_view word, const std::vector<std::string>& candidates) {
    const std::string wanted = to_lower(word);
    std::string best;
    std::size_t best_distance = std::max<std::size_t>(1, word.size() / 3) + 1;
    for (const std::string& candidate : candidates) {
        const std::string lowered = to_lower(candidate);
        std::size_t distance = edit_distance(wanted, lowered);
        if (wanted.size() >= 3 && lowered.starts_with(wanted)) {
            distance = std::min<std::size_t>(distance, 1);
        }
        if (distance < best_distance) {
            best_distance = distance;
            best = candidate;
        }
    }
    return best;
}

std::string format_double(double value) {
    if (std::isnan(value)) {
        return "NaN";
    }
    if (std::isinf(value)) {
        return value > 0 ? "Infinity" : "-Infinity";
    }
    char buffer[40];
    const auto end = std::to_chars(buffer, buffer + sizeof buffer, value);
    return {buffer, end.ptr};
}

}  // namespace lab
