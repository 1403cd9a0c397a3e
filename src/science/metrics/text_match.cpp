#include "science/metrics/text_match.h"

#include "base/text.h"
#include "science/metrics/impl/interner.h"
#include "science/metrics/unicode.h"

#include <algorithm>

namespace lab::science {
namespace {

/// What \w is for Python's `re` on text: letters, numbers, underscore (no combining marks).
bool is_word_character(char32_t c) {
    if (c < 0x80) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               c == '_';
    }
    return is_letter(c) || is_number(c);
}

bool is_article(std::string_view word) { return word == "a" || word == "an" || word == "the"; }

/// Replaces the articles, whole words, by a space.
std::string drop_articles(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    std::size_t i = 0;
    while (i < text.size()) {
        const std::size_t begin = i;
        std::size_t next = i;
        const bool is_word = is_word_character(next_code_point(text, next));
        i = next;
        while (is_word && i < text.size() && is_word_character(next_code_point(text, next))) {
            i = next;
        }
        const std::string_view piece = text.substr(begin, i - begin);
        out += is_word && is_article(piece) ? " " : piece;
    }
    return out;
}

/// Keeps the code points of `text` for which `keep` holds.
template <class Keep>
std::string filter(std::string_view text, Keep keep) {
    std::string out;
    out.reserve(text.size());
    std::size_t i = 0;
    while (i < text.size()) {
        const std::size_t begin = i;
        if (keep(next_code_point(text, i))) {
            out += text.substr(begin, i - begin);
        }
    }
    return out;
}

}  // namespace

std::string squad_normalize(std::string_view text) {
    std::string lowered = to_lower(text);
    std::erase_if(lowered, is_ascii_punctuation);
    const std::string bare = drop_articles(lowered);
    std::string out;
    out.reserve(bare.size());
    for (const std::string_view word : split_words(bare)) {
        out += out.empty() ? "" : " ";
        out += word;
    }
    return out;
}

double squad_f1(std::string_view prediction, std::string_view reference) {
    const std::string predicted = squad_normalize(prediction);
    const std::string expected = squad_normalize(reference);
    const auto predicted_words = split_words(predicted);
    const auto expected_words = split_words(expected);
    if (predicted_words.empty() || expected_words.empty()) {
        return predicted_words.empty() && expected_words.empty() ? 1 : 0;
    }
    Interner words(expected_words.size() + 8);
    std::vector<std::size_t> left;
    for (const std::string_view word : expected_words) {
        const std::uint32_t id = words.id(word);
        left.resize(words.size(), 0);
        ++left[id];
    }
    std::size_t common = 0;
    for (const std::string_view word : predicted_words) {
        const std::uint32_t id = words.id(word);
        if (id < left.size() && left[id] > 0) {
            --left[id];
            ++common;
        }
    }
    if (common == 0) {
        return 0;
    }
    const double precision =
        static_cast<double>(common) / static_cast<double>(predicted_words.size());
    const double recall = static_cast<double>(common) / static_cast<double>(expected_words.size());
    return 2 * precision * recall / (precision + recall);
}

std::string normalize_text(std::string_view text, const TextRules& rules) {
    std::string out = rules.squad ? squad_normalize(text) : std::string(text);
    if (rules.ignore_case) {
        out = to_lower(out);
    }
    if (rules.ignore_punctuation) {
        out = filter(out, [](char32_t c) {
            return !(c < 0x80 ? is_ascii_punctuation(static_cast<char>(c)) : is_punctuation(c));
        });
    }
    if (rules.ignore_whitespace) {
        out = filter(out, [](char32_t c) { return !is_space(c); });
    }
    return rules.trim ? std::string(trim(out)) : out;
}

}  // namespace lab::science
