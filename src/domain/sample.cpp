#include "domain/sample.h"

namespace lab::domain {

std::optional<Money> cost_of(const Usage& usage, const Pricing& pricing) {
    Money sum;
    const auto add = [&](std::int64_t tokens, const std::optional<Money>& price) {
        if (tokens == 0) {
            return true;
        }
        if (!price) {
            return false;
        }
        sum += per_million(*price, tokens);
        return true;
    };
    const auto& read = pricing.cache_read ? pricing.cache_read : pricing.input;
    const auto& write = pricing.cache_write ? pricing.cache_write : pricing.input;
    const bool known = add(usage.input, pricing.input) && add(usage.cache_read, read) &&
                       add(usage.cache_write, write) &&
                       add(usage.output + usage.reasoning, pricing.output);
    return known ? std::optional(sum) : std::nullopt;
}

}  // namespace lab::domain
