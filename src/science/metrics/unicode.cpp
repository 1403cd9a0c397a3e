#include "science/metrics/unicode.h"

#include "base/text.h"

#include <unictype.h>

#include <array>

namespace lab::science {

bool is_letter(char32_t c) { return uc_is_general_category_withtable(c, UC_CATEGORY_MASK_L); }
bool is_number(char32_t c) { return uc_is_general_category_withtable(c, UC_CATEGORY_MASK_N); }
bool is_punctuation(char32_t c) { return uc_is_general_category_withtable(c, UC_CATEGORY_MASK_P); }
bool is_symbol(char32_t c) { return uc_is_general_category_withtable(c, UC_CATEGORY_MASK_S); }

bool is_ascii_punctuation(char c) {
    return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') ||
           (c >= '{' && c <= '~');
}

std::string_view trim_end(std::string_view utf8) {
    const std::string_view inner = trim(utf8);
    if (inner.empty()) {
        return {};
    }
    return utf8.substr(0, static_cast<std::size_t>(inner.data() - utf8.data()) + inner.size());
}

namespace {
/// is_space of the ASCII characters, which most of every text is.
constexpr std::array<bool, 128> kAsciiSpace = [] {
    std::array<bool, 128> table{};
    for (const char c : std::string_view("\t\n\v\f\r\x1c\x1d\x1e\x1f ")) {
        table[static_cast<unsigned char>(c)] = true;
    }
    return table;
}();
}  // namespace

std::vector<std::string_view> split_words(std::string_view utf8) {
    std::vector<std::string_view> words;
    words.reserve(utf8.size() / 5 + 1);
    std::size_t begin = 0;
    std::size_t i = 0;
    while (i < utf8.size()) {
        const std::size_t start = i;
        const auto byte = static_cast<unsigned char>(utf8[i]);
        const bool space = byte < 0x80 ? kAsciiSpace[byte] : is_space(next_code_point(utf8, i));
        i += byte < 0x80 ? 1 : 0;
        if (!space) {
            continue;
        }
        if (start > begin) {
            words.push_back(utf8.substr(begin, start - begin));
        }
        begin = i;
    }
    if (begin < utf8.size()) {
        words.push_back(utf8.substr(begin));
    }
    return words;
}

}  // namespace lab::science
