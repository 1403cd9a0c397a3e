#include "science/metrics/rouge.h"

#include "base/text.h"
#include "science/metrics/impl/interner.h"
#include "science/metrics/impl/ngrams.h"
#include "science/metrics/porter_stemmer.h"

#include <array>
#include <bit>
#include <limits>
#include <utility>

namespace lab::science {
namespace {

using Ids = std::vector<std::uint32_t>;

constexpr std::array<std::pair<std::string_view, RougeType>, 5> kTypes = {{
    {"rouge1", RougeType::rouge1},
    {"rouge2", RougeType::rouge2},
    {"rouge3", RougeType::rouge3},
    {"rougeL", RougeType::rouge_l},
    {"rougeLsum", RougeType::rouge_lsum},
}};

Ids intern(Interner& words, const std::vector<std::string>& tokens) {
    Ids out;
    out.reserve(tokens.size());
    for (const std::string& token : tokens) {
        out.push_back(words.id(token));
    }
    return out;
}

RougeScore make_score(std::size_t hits, std::size_t in_prediction, std::size_t in_reference) {
    if (in_prediction == 0 || in_reference == 0) {
        return {};
    }
    const auto n = static_cast<double>(hits);
    RougeScore score;
    score.precision = n / static_cast<double>(in_prediction);
    score.recall = n / static_cast<double>(in_reference);
    const double sum = score.precision + score.recall;
    score.f1 = sum > 0 ? 2 * score.precision * score.recall / sum : 0;
    return score;
}

/// Longest common subsequence by bit vectors (Hyyro 2004). Column j is a vector over the reference
/// whose bit i is 0 exactly when the length for the prefixes (i+1, j+1) exceeds that for (i, j+1).
class LcsColumns {
  public:
    /// `symbols`: one more than the largest number that can occur on either side.
    LcsColumns(const Ids& reference, std::size_t symbols)
        : size_(reference.size()), words_((size_ + 63) / 64), rows_(symbols, kNoRow) {
        std::uint32_t rows = 0;
        for (const std::uint32_t symbol : reference) {
            rows_[symbol] = rows_[symbol] == kNoRow ? rows++ : rows_[symbol];
        }
        masks_.assign(rows * words_, 0U);
        for (std::size_t i = 0; i < size_; ++i) {
            masks_[rows_[reference[i]] * words_ + i / 64] |= std::uint64_t{1} << i % 64;
        }
        reset();
    }

    void reset() { column_.assign(words_, ~std::uint64_t{0}); }

    const std::vector<std::uint64_t>& advance(std::uint32_t symbol) {
        const std::uint32_t row = rows_[symbol];
        if (row == kNoRow) {
            return column_;
        }
        std::uint64_t carry = 0;
        for (std::size_t w = 0; w < words_; ++w) {
            const std::uint64_t before = column_[w];
            const std::uint64_t matched = before & masks_[row * words_ + w];
            const std::uint64_t sum = before + matched;
            const std::uint64_t with_carry = sum + carry;
            carry = (sum < before || with_carry < sum) ? 1 : 0;
            column_[w] = with_carry | (before & ~matched);
        }
        return column_;
    }

    std::size_t length() const {
        std::size_t ones = 0;
        for (std::size_t w = 0; w < words_; ++w) {
            const std::size_t used = w + 1 < words_ || size_ % 64 == 0 ? 64 : size_ % 64;
            const std::uint64_t mask =
                used == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << used) - 1;
            ones += static_cast<std::size_t>(std::popcount(column_[w] & mask));
        }
        return size_ - ones;
    }

  private:
    static constexpr std::uint32_t kNoRow = std::numeric_limits<std::uint32_t>::max();
    std::size_t size_;
    std::size_t words_;
    std::vector<std::uint32_t> rows_;  ///< symbol -> its row of masks_
    std::vector<std::uint64_t> masks_;
    std::vector<std::uint64_t> column_;
};

/// Marks the positions of `reference` on one longest common subsequence with `candidate`: the one
/// that rouge_score's way back through the table finds.
void mark_lcs(
    const Ids& reference, const Ids& candidate, LcsColumns& columns, std::vector<bool>& marked
) {
    if (reference.empty() || candidate.empty()) {
        return;
    }
    columns.reset();
    const std::size_t words = (reference.size() + 63) / 64;
    std::vector<std::uint64_t> table;
    table.reserve(candidate.size() * words);
    for (const std::uint32_t symbol : candidate) {
        const auto& column = columns.advance(symbol);
        table.insert(table.end(), column.begin(), column.end());
    }
    std::size_t i = reference.size();
    std::size_t j = candidate.size();
    while (i > 0 && j > 0) {
        const std::uint64_t bits = table[(j - 1) * words + (i - 1) / 64];
        if (reference[i - 1] == candidate[j - 1]) {
            marked[--i] = true;
            --j;
        } else if ((bits >> (i - 1) % 64 & 1) == 0) {
            --j;
        } else {
            --i;
        }
    }
}

std::vector<Ids> intern_lines(Interner& words, const std::vector<std::vector<std::string>>& lines) {
    std::vector<Ids> out;
    out.reserve(lines.size());
    for (const auto& line : lines) {
        out.push_back(intern(words, line));
    }
    return out;
}

/// How often each word occurs; the number of all of them in `total`.
std::vector<std::size_t> count_words(
    const std::vector<Ids>& lines, std::size_t symbols, std::size_t& total
) {
    std::vector<std::size_t> counts(symbols, 0);
    total = 0;
    for (const Ids& line : lines) {
        total += line.size();
        for (const std::uint32_t id : line) {
            ++counts[id];
        }
    }
    return counts;
}

RougeScore score_summary(const RougeText& prediction, const RougeText& reference) {
    Interner words(prediction.tokens.size() + reference.tokens.size());
    const auto references = intern_lines(words, reference.lines);
    const auto candidates = intern_lines(words, prediction.lines);
    std::size_t in_reference = 0;
    std::size_t in_prediction = 0;
    auto left_reference = count_words(references, words.size(), in_reference);
    auto left_prediction = count_words(candidates, words.size(), in_prediction);
    std::size_t hits = 0;
    for (const Ids& line : references) {
        std::vector<bool> marked(line.size(), false);
        LcsColumns columns(line, words.size());
        for (const Ids& candidate : candidates) {
            mark_lcs(line, candidate, columns, marked);
        }
        for (std::size_t i = 0; i < line.size(); ++i) {
            // No word is counted more often than it occurs on either side.
            if (marked[i] && left_reference[line[i]] > 0 && left_prediction[line[i]] > 0) {
                --left_reference[line[i]];
                --left_prediction[line[i]];
                ++hits;
            }
        }
    }
    return make_score(hits, in_prediction, in_reference);
}

}  // namespace

std::string_view name(RougeType type) {
    for (const auto& [text, value] : kTypes) {
        if (value == type) {
            return text;
        }
    }
    return {};
}

std::optional<RougeType> find_rouge_type(std::string_view name) {
    for (const auto& [text, value] : kTypes) {
        if (text == name) {
            return value;
        }
    }
    return std::nullopt;
}

std::vector<std::string> rouge_tokens(std::string_view text, bool stem) {
    std::vector<std::string> tokens;
    std::string token;
    const auto finish = [&] {
        if (!token.empty()) {
            tokens.push_back(stem && token.size() > 3 ? porter_stem(token) : token);
            token.clear();
        }
    };
    // Lower-casing gives a-z from A-Z and from two more letters: the Kelvin sign is a k, and the
    // I with a dot an i with a combining dot, which ends the token.
    constexpr std::string_view kKelvin = "\xe2\x84\xaa";
    constexpr std::string_view kDottedI = "\xc4\xb0";
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) {
            token += c;
        } else if (c >= 'A' && c <= 'Z') {
            token += static_cast<char>(c + 32);
        } else if (text.substr(i).starts_with(kKelvin)) {
            token += 'k';
            i += kKelvin.size() - 1;
        } else {
            token += text.substr(i).starts_with(kDottedI) ? "i" : "";
            finish();
        }
    }
    finish();
    return tokens;
}

RougeText::RougeText(std::string_view text, bool stem, bool with_lines)
    : tokens(rouge_tokens(text, stem)) {
    if (!with_lines) {
        return;
    }
    for (const std::string_view line : split(text, '\n')) {
        if (!line.empty()) {
            lines.push_back(rouge_tokens(line, stem));
        }
    }
}

RougeScore rouge_score(const RougeText& prediction, const RougeText& reference, RougeType type) {
    if (type == RougeType::rouge_lsum) {
        return score_summary(prediction, reference);
    }
    Interner words(prediction.tokens.size() + reference.tokens.size());
    const Ids expected = intern(words, reference.tokens);
    const Ids predicted = intern(words, prediction.tokens);
    if (type == RougeType::rouge_l) {
        if (expected.empty() || predicted.empty()) {
            return {};
        }
        LcsColumns columns(expected, words.size());
        for (const std::uint32_t symbol : predicted) {
            columns.advance(symbol);
        }
        return make_score(columns.length(), predicted.size(), expected.size());
    }
    const std::size_t order = type == RougeType::rouge1 ? 1 : (type == RougeType::rouge2 ? 2 : 3);
    const auto matches = match_ngrams(predicted, {&expected, 1}, order);
    return make_score(
        matches[order - 1],
        ngram_count(predicted.size(), order),
        ngram_count(expected.size(), order)
    );
}

}  // namespace lab::science
