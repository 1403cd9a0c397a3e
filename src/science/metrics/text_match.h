#pragma once
#include <string>
#include <string_view>

/// Comparison of short answers as text. Everything works on code points of UTF-8; nothing is
/// brought to a Unicode normal form. Vectors: tests/vectors/exact_match_squad.json.
namespace lab::science {

struct TextRules {
    bool trim = true;
    bool ignore_case = false;         ///< full Unicode lower-casing
    bool ignore_whitespace = false;   ///< all of it is deleted
    bool ignore_punctuation = false;  ///< ASCII punctuation and the categories P* are deleted
    bool squad = false;               ///< squad_normalize first
};

/// `text` under `rules`; two answers match when this is equal.
std::string normalize_text(std::string_view text, const TextRules& rules);

/// Lower case, without the 32 signs of ASCII punctuation, without the words a, an, the, whitespace
/// collapsed. Source: the official evaluation script of SQuAD 2.0 (evaluate-v2.0.py).
std::string squad_normalize(std::string_view text);

/// F1 over the bags of words after squad_normalize, 0..1; 1 when both are empty, 0 when one is.
/// Source: as above (Rajpurkar et al. 2016).
double squad_f1(std::string_view prediction, std::string_view reference);

}  // namespace lab::science
