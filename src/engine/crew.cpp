#include "engine/crew.h"

#include <algorithm>

namespace lab::engine {
namespace {

/// More blocks make the ends meet closer, fewer cost less: with 64 a process that comes last is
/// late by a hundredth or two.
constexpr std::int64_t kBlocksWanted = 64;
constexpr std::int64_t kBlockMax = 1024;

}  // namespace

std::vector<Block> cut_into_blocks(const std::vector<std::int64_t>& lane_samples, int lane_slots) {
    std::vector<Block> out;
    for (int lane = 0; lane < static_cast<int>(lane_samples.size()); ++lane) {
        const std::int64_t samples = lane_samples[static_cast<std::size_t>(lane)];
        const std::int64_t least = std::clamp<std::int64_t>(lane_slots, 1, kBlockMax);
        const std::int64_t size = std::clamp(samples / kBlocksWanted, least, kBlockMax);
        for (std::int64_t first = 0; first < samples; first += size) {
            out.push_back({
                .shard = static_cast<int>(out.size()),
                .lane = lane,
                .next = first,
                .end = std::min(first + size, samples),
            });
        }
    }
    return out;
}

}  // namespace lab::engine
