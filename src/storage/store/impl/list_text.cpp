#include "storage/store/impl/list_text.h"

#include <algorithm>

namespace lab::storage {

std::string join_words(std::vector<std::string> words) {
    std::ranges::sort(words);
    std::string out;
    for (const std::string& word : words) {
        out += ";" + word + ";";
    }
    return out;
}

std::vector<std::string> split_words(std::string_view text) {
    std::vector<std::string> out;
    while (text.size() > 2) {
        const std::size_t end = text.find(';', 1);
        if (end == std::string_view::npos) {
            break;
        }
        out.emplace_back(text.substr(1, end - 1));
        text.remove_prefix(end + 1);
    }
    return out;
}

std::string pattern_within(std::string_view text) {
    std::string out = "%";
    for (const char c : text) {
        if (c == '%' || c == '_' || c == '\\') {
            out += '\\';
        }
        out += c;
    }
    return out + "%";
}

}  // namespace lab::storage
