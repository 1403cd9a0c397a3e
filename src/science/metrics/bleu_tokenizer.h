#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lab::science {

/// The tokenizers of sacrebleu 2.6.0 that need no model file.
enum class BleuTokenizer : std::uint8_t {
    none,       ///< whitespace only: the text has been tokenized before
    mteval13a,  ///< "13a", of NIST's mteval-v13a: ASCII punctuation
    intl,       ///< of mteval-v14: punctuation and symbols of Unicode
    character,  ///< "char": every code point
    zh,         ///< CJK characters one by one, the rest as 13a
};

std::string_view name(BleuTokenizer tokenizer);
std::optional<BleuTokenizer> find_bleu_tokenizer(std::string_view name);

/// `line` with whitespace put between its tokens: its words (split_words) are the tokens.
/// Whitespace at the end of the line is dropped first. UTF-8 in and out.
/// Source: sacrebleu 2.6.0, tests/vectors/bleu_tokenizers.json.
std::string separate_tokens(std::string_view line, BleuTokenizer tokenizer);

}  // namespace lab::science
