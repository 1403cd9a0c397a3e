#include "science/prompt/few_shot.h"

#include "base/error.h"
#include "base/rng.h"

#include <unordered_map>

namespace lab::science {

std::vector<std::size_t> choose_few_shot(
    std::size_t pool_size, std::size_t count, std::uint64_t seed, std::optional<std::size_t> exclude
) {
    const bool excludes = exclude && *exclude < pool_size;
    LAB_ASSERT(count + (excludes ? 1 : 0) <= pool_size, "more examples asked for than there are");
    Rng rng(derive_seed(seed, "few_shot"));
    // The beginning of a Fisher-Yates shuffle; the map holds only the places that have moved, so
    // that a draw from a million rows costs as much as one from ten.
    std::unordered_map<std::size_t, std::size_t> moved;
    const auto at = [&moved](std::size_t place) {
        const auto found = moved.find(place);
        return found == moved.end() ? place : found->second;
    };
    std::vector<std::size_t> chosen;
    chosen.reserve(count);
    for (std::size_t i = 0; chosen.size() < count; ++i) {
        const std::size_t drawn = i + static_cast<std::size_t>(rng.below(pool_size - i));
        const std::size_t value = at(drawn);
        moved[drawn] = at(i);
        if (value != exclude) {
            chosen.push_back(value);
        }
    }
    return chosen;
}

}  // namespace lab::science
