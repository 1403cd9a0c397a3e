#pragma once
#include "domain/spec.h"

#include <cstdint>
#include <optional>
#include <vector>

namespace lab::engine {

/// A seeded bijection of [0, n) in constant memory: a four-round Feistel network over the next
/// power of four, walked until it falls inside (Black and Rogaway 2002).
class Permutation {
  public:
    Permutation(std::int64_t n, std::uint64_t seed);
    std::int64_t operator()(std::int64_t position) const;

  private:
    std::uint64_t n_;
    int half_bits_;
    std::uint64_t keys_[4];
};

struct SampleRef {
    std::int64_t index = 0;  ///< (variant * items + item) * repetitions + repetition
    int variant = 0;
    std::int64_t item = 0;
    int repetition = 0;
};

/// Which samples a run has and in which order each model takes them. A sample's index does not
/// depend on the order; the order depends on the seed alone.
class Plan {
  public:
    /// `items`: number of selected rows. Lanes are the spec's models, in order.
    Plan(const domain::ExperimentSpec& spec, std::int64_t items);
    std::int64_t samples() const { return samples_; }
    std::int64_t items() const { return items_; }
    int repetitions() const { return repetitions_; }
    int lanes() const { return static_cast<int>(lanes_.size()); }
    std::int64_t lane_samples(int lane) const;
    /// The sample at `position` (0 <= position < lane_samples) of the lane's order.
    SampleRef at(int lane, std::int64_t position) const;
    SampleRef ref(std::int64_t index) const;

  private:
    struct Lane {
        std::vector<int> variants;
        Permutation order;
        /// Recorded answers are taken in the order of the dataset: there is nobody whose load or
        /// mood could change with time, and the store takes rows in order several times as fast.
        bool in_order;
    };
    std::int64_t items_;
    int repetitions_;
    std::int64_t samples_;
    std::vector<Lane> lanes_;
};

}  // namespace lab::engine
