#include "science/metrics/impl/interner.h"

#include "base/hash.h"

#include <bit>

namespace lab::science {

Interner::Interner(std::size_t words_expected)
    : slots_(std::bit_ceil(words_expected * 2 + 16), 0U) {
    words_.reserve(words_expected);
    hashes_.reserve(words_expected);
}

std::uint32_t Interner::id(std::string_view word) {
    if (words_.size() * 2 >= slots_.size()) {
        grow();
    }
    const std::uint64_t hash = mix64(fnv1a64(word));
    const std::size_t mask = slots_.size() - 1;
    for (std::size_t at = hash & mask;; at = (at + 1) & mask) {
        const std::uint32_t slot = slots_[at];
        if (slot == 0) {
            words_.push_back(word);
            hashes_.push_back(hash);
            slots_[at] = static_cast<std::uint32_t>(words_.size());
            return slots_[at] - 1;
        }
        if (hashes_[slot - 1] == hash && words_[slot - 1] == word) {
            return slot - 1;
        }
    }
}

std::vector<std::uint32_t> Interner::ids(const std::vector<std::string_view>& words) {
    std::vector<std::uint32_t> out(words.size());
    for (std::size_t i = 0; i < words.size(); ++i) {
        out[i] = id(words[i]);
    }
    return out;
}

void Interner::grow() {
    slots_.assign(slots_.size() * 2, 0U);
    const std::size_t mask = slots_.size() - 1;
    for (std::size_t i = 0; i < words_.size(); ++i) {
        std::size_t at = hashes_[i] & mask;
        while (slots_[at] != 0) {
            at = (at + 1) & mask;
        }
        slots_[at] = static_cast<std::uint32_t>(i + 1);
    }
}

}  // namespace lab::science
