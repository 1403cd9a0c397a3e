#include "science/metrics/bleu_tokenizer.h"

#include "base/text.h"
#include "science/metrics/unicode.h"

#include <algorithm>
#include <array>
#include <utility>

namespace lab::science {
namespace {

constexpr std::array<std::pair<std::string_view, BleuTokenizer>, 5> kNames = {{
    {"none", BleuTokenizer::none},
    {"13a", BleuTokenizer::mteval13a},
    {"intl", BleuTokenizer::intl},
    {"char", BleuTokenizer::character},
    {"zh", BleuTokenizer::zh},
}};

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_point(char c) { return c == '.' || c == ','; }

/// ASCII punctuation but the four signs that words and numbers hold inside: ' , - .
constexpr std::array<bool, 256> kSplitBy13a = [] {
    std::array<bool, 256> table{};
    for (const char c : std::string_view(" !\"#$%&()*+/:;<=>?@[\\]^_`{|}~")) {
        table[static_cast<unsigned char>(c)] = true;
    }
    return table;
}();
bool is_split_by_13a(char c) { return kSplitBy13a[static_cast<unsigned char>(c)]; }

void replace_all(std::string& text, std::string_view from, std::string_view to) {
    std::size_t at = text.find(from);
    if (at == std::string::npos) {
        return;
    }
    std::string out;
    out.reserve(text.size());
    std::size_t begin = 0;
    for (; at != std::string::npos; at = text.find(from, begin)) {
        out.append(text, begin, at - begin);
        out += to;
        begin = at + from.size();
    }
    out.append(text, begin);
    text = std::move(out);
}

// The rules of mteval are substitutions that run one after the other over the whole line, each
// from left to right without overlap; the passes below keep that, since merging them would change
// runs such as "...". They work on bytes: the signs they look for are ASCII, and a byte of a longer
// code point is never a digit or a sign.

/// Lets `write(in, out)` fill a buffer three times as long as `in`, which no pass exceeds; it
/// returns the end of what it wrote.
template <class Write>
std::string rewrite(std::string_view in, Write write) {
    std::string result;
    result.resize_and_overwrite(in.size() * 3, [&](char* out, std::size_t) {
        return static_cast<std::size_t>(write(in, out) - out);
    });
    return result;
}

char* put_between_spaces(char* out, char c) {
    *out++ = ' ';
    *out++ = c;
    *out++ = ' ';
    return out;
}

char* split_punctuation(std::string_view in, char* out) {
    for (const char c : in) {
        if (is_split_by_13a(c)) {
            out = put_between_spaces(out, c);
        } else {
            *out++ = c;
        }
    }
    return out;
}

/// Period and comma unless a digit stands before them.
char* split_points_after_non_digit(std::string_view in, char* out) {
    for (std::size_t i = 0; i < in.size(); ++i) {
        *out++ = in[i];
        if (!is_digit(in[i]) && i + 1 < in.size() && is_point(in[i + 1])) {
            out = put_between_spaces(out, in[++i]);
        }
    }
    return out;
}

/// Period and comma unless a digit follows.
char* split_points_before_non_digit(std::string_view in, char* out) {
    for (std::size_t i = 0; i < in.size(); ++i) {
        if (is_point(in[i]) && i + 1 < in.size() && !is_digit(in[i + 1])) {
            out = put_between_spaces(out, in[i]);
            *out++ = in[++i];
        } else {
            *out++ = in[i];
        }
    }
    return out;
}

char* split_dash_after_digit(std::string_view in, char* out) {
    for (std::size_t i = 0; i < in.size(); ++i) {
        *out++ = in[i];
        if (is_digit(in[i]) && i + 1 < in.size() && in[i + 1] == '-') {
            out = put_between_spaces(out, in[++i]);
        }
    }
    return out;
}

std::string split_western(std::string_view line) {
    const std::string once = rewrite(line, split_punctuation);
    const std::string twice = rewrite(once, split_points_after_non_digit);
    const std::string thrice = rewrite(twice, split_points_before_non_digit);
    return rewrite(thrice, split_dash_after_digit);
}

std::string separate_13a(std::string_view line) {
    std::string text;
    text.reserve(line.size() + 2);
    text += ' ';
    text += line;
    text += ' ';
    replace_all(text, "<skipped>", "");
    replace_all(text, "-\n", "");
    replace_all(text, "\n", " ");
    if (text.find('&') != std::string::npos) {
        replace_all(text, "&quot;", "\"");
        replace_all(text, "&amp;", "&");
        replace_all(text, "&lt;", "<");
        replace_all(text, "&gt;", ">");
    }
    return split_western(text);
}

std::u32string split_symbols(std::u32string_view in) {
    std::u32string out;
    out.reserve(in.size() * 2);
    for (const char32_t c : in) {
        if (is_symbol(c)) {
            out += U' ';
            out += c;
            out += U' ';
        } else {
            out += c;
        }
    }
    return out;
}

std::string separate_intl(std::string_view line) {
    const std::u32string in = to_code_points(line);
    std::u32string once;
    once.reserve(in.size() * 2);
    for (std::size_t i = 0; i < in.size(); ++i) {
        once += in[i];
        if (i + 1 < in.size() && !is_number(in[i]) && is_punctuation(in[i + 1])) {
            once += U' ';
            once += in[++i];
            once += U' ';
        }
    }
    std::u32string twice;
    twice.reserve(once.size() * 2);
    for (std::size_t i = 0; i < once.size(); ++i) {
        if (i + 1 < once.size() && is_punctuation(once[i]) && !is_number(once[i + 1])) {
            twice += U' ';
            twice += once[i];
            twice += U' ';
            twice += once[++i];
        } else {
            twice += once[i];
        }
    }
    return to_utf8(split_symbols(twice));
}

/// What sacrebleu takes for Chinese. Its list writes two ranges of the supplementary planes with
/// four-digit escapes, so that they mean U+2001..U+2A6D and U+2F81..U+2FA1: kept, because every
/// published zh score rests on it (it splits curly quotes and dashes).
bool is_chinese(char32_t c) {
    constexpr std::array<std::pair<char32_t, char32_t>, 22> kRanges = {{
        {0x3400, 0x4db5}, {0x4e00, 0x9fa5}, {0x9fa6, 0x9fbb}, {0xf900, 0xfa2d}, {0xfa30, 0xfa6a},
        {0xfa70, 0xfad9}, {0x2001, 0x2a6d}, {0x2f81, 0x2fa1}, {0xff00, 0xffef}, {0x2e80, 0x2eff},
        {0x3000, 0x303f}, {0x31c0, 0x31ef}, {0x2f00, 0x2fdf}, {0x2ff0, 0x2fff}, {0x3100, 0x312f},
        {0x31a0, 0x31bf}, {0xfe10, 0xfe1f}, {0xfe30, 0xfe4f}, {0x2600, 0x26ff}, {0x2700, 0x27bf},
        {0x3200, 0x32ff}, {0x3300, 0x33ff},
    }};
    return c >= 0x2001 && std::ranges::any_of(kRanges, [c](const auto& range) {
               return c >= range.first && c <= range.second;
           });
}

std::string separate_zh(std::string_view line) {
    std::string out;
    out.reserve(line.size() * 2);
    const std::string_view text = trim(line);
    std::size_t i = 0;
    while (i < text.size()) {
        const std::size_t start = i;
        const bool split = is_chinese(next_code_point(text, i));
        out += split ? " " : "";
        out += text.substr(start, i - start);
        out += split ? " " : "";
    }
    return split_western(out);
}

std::string separate_characters(std::string_view line) {
    std::string out;
    out.reserve(line.size() * 2);
    std::size_t i = 0;
    while (i < line.size()) {
        out += i > 0 ? " " : "";
        append_utf8(out, next_code_point(line, i));
    }
    return out;
}

}  // namespace

std::string_view name(BleuTokenizer tokenizer) {
    for (const auto& [text, value] : kNames) {
        if (value == tokenizer) {
            return text;
        }
    }
    return {};
}

std::optional<BleuTokenizer> find_bleu_tokenizer(std::string_view name) {
    for (const auto& [text, value] : kNames) {
        if (text == name) {
            return value;
        }
    }
    return std::nullopt;
}

std::string separate_tokens(std::string_view line, BleuTokenizer tokenizer) {
    const std::string_view text = trim_end(line);
    switch (tokenizer) {
        case BleuTokenizer::none:
            return std::string(text);
        case BleuTokenizer::mteval13a:
            return separate_13a(text);
        case BleuTokenizer::intl:
            return separate_intl(text);
        case BleuTokenizer::character:
            return separate_characters(text);
        case BleuTokenizer::zh:
            return separate_zh(text);
    }
    return {};
}

}  // namespace lab::science
