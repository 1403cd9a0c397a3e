#include "engine/plan.h"

#include "base/hash.h"
#include "base/rng.h"

namespace lab::engine {

Permutation::Permutation(std::int64_t n, std::uint64_t seed)
    : n_(static_cast<std::uint64_t>(n)), half_bits_(1), keys_{} {
    while ((std::uint64_t{1} << (2 * half_bits_)) < n_) {
        ++half_bits_;
    }
    for (std::uint64_t& key : keys_) {
        seed = mix64(seed);
        key = seed;
    }
}

std::int64_t Permutation::operator()(std::int64_t position) const {
    const std::uint64_t mask = (std::uint64_t{1} << half_bits_) - 1;
    auto x = static_cast<std::uint64_t>(position);
    LAB_ASSERT(x < n_, "a permutation is asked inside its range");
    do {
        std::uint64_t left = x >> half_bits_;
        std::uint64_t right = x & mask;
        for (const std::uint64_t key : keys_) {
            const std::uint64_t next = left ^ (mix64(right ^ key) & mask);
            left = right;
            right = next;
        }
        x = left << half_bits_ | right;
    } while (x >= n_);
    return static_cast<std::int64_t>(x);
}

Plan::Plan(const domain::ExperimentSpec& spec, std::int64_t items)
    : items_(items), repetitions_(spec.run.repetitions) {
    samples_ = static_cast<std::int64_t>(spec.variants.size()) * items_ * repetitions_;
    for (std::size_t model = 0; model < spec.models.size(); ++model) {
        std::vector<int> variants;
        for (std::size_t v = 0; v < spec.variants.size(); ++v) {
            if (spec.variants[v].model == model) {
                variants.push_back(static_cast<int>(v));
            }
        }
        const auto count = static_cast<std::int64_t>(variants.size()) * items_ * repetitions_;
        const std::uint64_t seed = derive_seed(spec.run.seed, "order/" + std::to_string(model));
        const bool in_order = spec.models[model].provider == "replay";
        lanes_.push_back({std::move(variants), Permutation(count, seed), in_order});
    }
}

std::int64_t Plan::lane_samples(int lane) const {
    const Lane& l = lanes_[static_cast<std::size_t>(lane)];
    return static_cast<std::int64_t>(l.variants.size()) * items_ * repetitions_;
}

SampleRef Plan::at(int lane, std::int64_t position) const {
    const Lane& l = lanes_[static_cast<std::size_t>(lane)];
    const std::int64_t place = l.in_order ? position : l.order(position);
    const std::int64_t per_variant = items_ * repetitions_;
    const int variant = l.variants[static_cast<std::size_t>(place / per_variant)];
    return ref(variant * per_variant + place % per_variant);
}

SampleRef Plan::ref(std::int64_t index) const {
    SampleRef out;
    out.index = index;
    out.repetition = static_cast<int>(index % repetitions_);
    out.item = index / repetitions_ % items_;
    out.variant = static_cast<int>(index / repetitions_ / items_);
    return out;
}

}  // namespace lab::engine
