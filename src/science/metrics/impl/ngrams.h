#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace lab::science {

/// How many n-grams a sequence of `length` symbols has.
inline std::size_t ngram_count(std::size_t length, std::size_t order) {
    return length >= order ? length - order + 1 : 0;
}

/// Clipped n-gram matches of `hypothesis` against `references`, for n = 1 .. order:
/// result[n-1] = sum over distinct n-grams g of min(count of g in the hypothesis, largest count of
/// g in one reference). Symbols are any numbers that are equal exactly when the tokens are.
/// Exact: an n-gram is keyed by the number of its (n-1)-prefix and its last symbol, so there is no
/// string to build and no hash to trust. Time and memory are linear in the lengths.
std::vector<std::size_t> match_ngrams(
    std::span<const std::uint32_t> hypothesis,
    std::span<const std::vector<std::uint32_t>> references,
    std::size_t order
);

}  // namespace lab::science
