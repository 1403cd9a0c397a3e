#include "science/metrics/impl/ngrams.h"

#include "base/hash.h"

#include <algorithm>
#include <bit>
#include <limits>

namespace lab::science {
namespace {

constexpr std::uint32_t kDead = std::numeric_limits<std::uint32_t>::max();

/// (prefix number, symbol) -> number of the n-gram. Emptied by moving to the next epoch.
class PairTable {
  public:
    explicit PairTable(std::size_t pairs_max) : slots_(std::bit_ceil(pairs_max * 2 + 2)) {}

    void clear() {
        ++epoch_;
        size_ = 0;
    }
    std::uint32_t insert(std::uint64_t key) {
        Slot& slot = find_slot(key);
        if (slot.epoch != epoch_) {
            slot = {.key = key, .id = size_++, .epoch = epoch_};
        }
        return slot.id;
    }
    std::uint32_t find(std::uint64_t key) {
        const Slot& slot = find_slot(key);
        return slot.epoch == epoch_ ? slot.id : kDead;
    }
    std::uint32_t size() const { return size_; }

  private:
    struct Slot {
        std::uint64_t key = 0;
        std::uint32_t id = 0;
        std::uint32_t epoch = 0;
    };
    Slot& find_slot(std::uint64_t key) {
        const std::size_t mask = slots_.size() - 1;
        std::size_t at = mix64(key) & mask;
        while (slots_[at].epoch == epoch_ && slots_[at].key != key) {
            at = (at + 1) & mask;
        }
        return slots_[at];
    }
    std::vector<Slot> slots_;
    std::uint32_t epoch_ = 0;
    std::uint32_t size_ = 0;
};

struct GramCount {
    std::uint32_t left = 0;     ///< largest count in one reference, minus matches made
    std::uint32_t current = 0;  ///< count in reference `reference`
    std::uint32_t reference = kDead;
    bool shared = false;  ///< occurs in the hypothesis too
};

/// A sequence and, for each position, the number of the n-gram that starts there. A position dies
/// when its n-gram is not on both sides, because then no longer one can be.
struct Sequence {
    std::span<const std::uint32_t> symbols;
    std::vector<std::uint32_t> grams;

    explicit Sequence(std::span<const std::uint32_t> from)
        : symbols(from), grams(from.size(), 0U) {}

    bool is_alive(std::size_t at, std::size_t order) const {
        return grams[at] != kDead && (order == 1 || grams[at + 1] != kDead);
    }
    std::uint64_t key(std::size_t at, std::size_t order) const {
        return std::uint64_t{grams[at]} << 32 | symbols[at + order - 1];
    }
};

class Matcher {
  public:
    Matcher(
        std::span<const std::uint32_t> hypothesis,
        std::span<const std::vector<std::uint32_t>> references
    )
        : hypothesis_(hypothesis), table_(total_size(references)) {
        references_.reserve(references.size());
        for (const auto& reference : references) {
            references_.emplace_back(reference);
        }
    }

    std::size_t match(std::size_t order) {
        table_.clear();
        counts_.clear();
        for (std::size_t r = 0; r < references_.size(); ++r) {
            count_reference(references_[r], static_cast<std::uint32_t>(r), order);
        }
        const std::size_t matches = count_matches(order);
        for (Sequence& reference : references_) {
            for (std::uint32_t& gram : reference.grams) {
                gram = gram != kDead && counts_[gram].shared ? gram : kDead;
            }
        }
        return matches;
    }

  private:
    static std::size_t total_size(std::span<const std::vector<std::uint32_t>> references) {
        std::size_t size = 0;
        for (const auto& reference : references) {
            size += reference.size();
        }
        return size;
    }

    /// Behind the last full n-gram nothing can start.
    static void cut_tail(Sequence& sequence, std::size_t order) {
        const std::size_t size = sequence.grams.size();
        std::fill(
            sequence.grams.begin() + static_cast<std::ptrdiff_t>(ngram_count(size, order)),
            sequence.grams.end(),
            kDead
        );
    }

    void count_reference(Sequence& sequence, std::uint32_t number, std::size_t order) {
        const std::size_t n = ngram_count(sequence.symbols.size(), order);
        for (std::size_t i = 0; i < n; ++i) {
            if (!sequence.is_alive(i, order)) {
                sequence.grams[i] = kDead;
                continue;
            }
            const std::uint32_t gram = table_.insert(sequence.key(i, order));
            sequence.grams[i] = gram;
            if (gram == counts_.size()) {
                counts_.emplace_back();
            }
            GramCount& count = counts_[gram];
            count.current = count.reference == number ? count.current + 1 : 1;
            count.reference = number;
            count.left = std::max(count.left, count.current);
        }
        cut_tail(sequence, order);
    }

    std::size_t count_matches(std::size_t order) {
        std::size_t matches = 0;
        const std::size_t n = ngram_count(hypothesis_.symbols.size(), order);
        for (std::size_t i = 0; i < n; ++i) {
            if (!hypothesis_.is_alive(i, order)) {
                hypothesis_.grams[i] = kDead;
                continue;
            }
            const std::uint32_t gram = table_.find(hypothesis_.key(i, order));
            hypothesis_.grams[i] = gram;
            if (gram == kDead) {
                continue;
            }
            GramCount& count = counts_[gram];
            count.shared = true;
            if (count.left > 0) {
                --count.left;
                ++matches;
            }
        }
        cut_tail(hypothesis_, order);
        return matches;
    }

    Sequence hypothesis_;
    std::vector<Sequence> references_;
    PairTable table_;
    std::vector<GramCount> counts_;
};

}  // namespace

std::vector<std::size_t> match_ngrams(
    std::span<const std::uint32_t> hypothesis,
    std::span<const std::vector<std::uint32_t>> references,
    std::size_t order
) {
    std::vector<std::size_t> matches(order, 0);
    Matcher matcher(hypothesis, references);
    for (std::size_t n = 1; n <= order; ++n) {
        matches[n - 1] = matcher.match(n);
        if (matches[n - 1] == 0) {
            break;
        }
    }
    return matches;
}

}  // namespace lab::science
