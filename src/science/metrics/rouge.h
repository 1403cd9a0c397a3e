#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// ROUGE (Lin 2004) as rouge_score 0.1.2 computes it: tests/vectors/rouge.json.
/// Tokens are runs of a-z and 0-9 after lower-casing: text in other scripts has none and scores 0.
namespace lab::science {

enum class RougeType : std::uint8_t { rouge1, rouge2, rouge3, rouge_l, rouge_lsum };

std::string_view name(RougeType type);
std::optional<RougeType> find_rouge_type(std::string_view name);

/// Tokens of `text`; with `stem` those longer than three characters are stemmed (porter_stem).
std::vector<std::string> rouge_tokens(std::string_view text, bool stem);

struct RougeScore {
    double precision = 0;
    double recall = 0;
    double f1 = 0;
};

/// A text made ready once for all types of one comparison.
struct RougeText {
    std::vector<std::string> tokens;
    std::vector<std::vector<std::string>> lines;  ///< tokens of each line that is not empty
    RougeText(std::string_view text, bool stem, bool with_lines);
};

/// 0..1 each; 0 when either side has no n-gram of the type. rougeLsum needs texts with lines: it is
/// the union of longest common subsequences over lines split at LF, sentences are not found.
RougeScore rouge_score(const RougeText& prediction, const RougeText& reference, RougeType type);

}  // namespace lab::science
