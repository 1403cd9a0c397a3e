#include "science/stats/permutation.h"

#include "base/rng.h"
#include "science/stats/descriptive.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

namespace lab::science {
namespace {
constexpr double kTieSlack = 1e-9;

/// Counts permuted statistics against the observed one, ties with a slack.
struct Tally {
    double observed;
    double slack;
    std::int64_t total = 0;
    std::int64_t absolute = 0;
    std::int64_t greater = 0;
    std::int64_t less = 0;

    void add(double t) {
        ++total;
        absolute += std::abs(t) >= std::abs(observed) - slack ? 1 : 0;
        greater += t >= observed - slack ? 1 : 0;
        less += t <= observed + slack ? 1 : 0;
    }
};

double mean_magnitude(std::span<const double> values) {
    Sum total;
    for (const double x : values) {
        total.add(std::abs(x));
    }
    return total.value() / static_cast<double>(values.size());
}

/// `extra` is 0 for an enumeration, which holds the observed arrangement, and 1 for draws.
Permutation finish(const Tally& tally, double observed, std::int64_t extra) {
    Permutation out;
    const auto all = static_cast<double>(tally.total + extra);
    const auto share = [&](std::int64_t count) { return static_cast<double>(count + extra) / all; };
    out.observed = observed;
    out.permutations = tally.total;
    out.exact = extra == 0;
    out.p_absolute = share(tally.absolute);
    out.p_greater = share(tally.greater);
    out.p_less = share(tally.less);
    out.p_doubled = std::min(1.0, 2 * std::min(out.p_greater, out.p_less));
    if (!out.exact) {
        out.p_error =
            std::sqrt(out.p_absolute * (1 - out.p_absolute) / static_cast<double>(tally.total));
    }
    return out;
}

void enumerate_signs(std::span<const double> rest, double partial, Tally& tally) {
    if (rest.empty()) {
        tally.add(partial);
        return;
    }
    enumerate_signs(rest.subspan(1), partial + rest.front(), tally);
    enumerate_signs(rest.subspan(1), partial - rest.front(), tally);
}

bool usable(std::span<const double> values) {
    return !values.empty() &&
           std::all_of(values.begin(), values.end(), [](double x) { return std::isfinite(x); });
}

/// Sums over eight signs at a time: one table of 256 sums per eight differences.
std::vector<std::array<double, 256>> sign_tables(std::span<const double> differences) {
    std::vector<std::array<double, 256>> tables((differences.size() + 7) / 8);
    for (std::size_t t = 0; t < tables.size(); ++t) {
        const auto group =
            differences.subspan(8 * t, std::min<std::size_t>(8, differences.size() - 8 * t));
        for (std::size_t signs = 0; signs < 256; ++signs) {
            double total = 0;
            for (std::size_t k = 0; k < group.size(); ++k) {
                total += ((signs >> k) & 1U) != 0 ? group[k] : -group[k];
            }
            tables[t][signs] = total;
        }
    }
    return tables;
}
}  // namespace

Permutation sign_flip_exact(std::span<const double> differences) {
    if (!usable(differences) || differences.size() > 60 ||
        (std::int64_t{1} << differences.size()) > kPermutationsMax) {
        return {};
    }
    const auto n = static_cast<double>(differences.size());
    // Sums instead of means: the factor n is the same on both sides.
    Tally tally{sum(differences), kTieSlack * mean_magnitude(differences) * n};
    enumerate_signs(differences, 0, tally);
    return finish(tally, tally.observed / n, 0);
}

Permutation sign_flip_drawn(std::span<const double> differences, int draws, std::uint64_t seed) {
    if (!usable(differences) || draws < 1) {
        return {};
    }
    const auto n = static_cast<double>(differences.size());
    const auto tables = sign_tables(differences);
    Tally tally{sum(differences), kTieSlack * mean_magnitude(differences) * n};
    Rng rng(seed);
    for (int draw = 0; draw < draws; ++draw) {
        double total = 0;
        std::uint64_t bits = 0;
        for (std::size_t t = 0; t < tables.size(); ++t) {
            bits = t % 8 == 0 ? rng.next() : bits >> 8;
            total += tables[t][bits & 0xFF];
        }
        tally.add(total);
    }
    return finish(tally, tally.observed / n, 1);
}

Permutation sign_flip(std::span<const double> differences, int draws, std::uint64_t seed) {
    if (!usable(differences)) {
        return {};
    }
    // A zero flips to itself, so that it changes no p; the observed mean is over all of them.
    std::vector<double> nonzero;
    std::copy_if(differences.begin(), differences.end(), std::back_inserter(nonzero), [](double d) {
        return d != 0;
    });
    Permutation out;
    if (nonzero.empty()) {
        out.p_absolute = out.p_greater = out.p_less = out.p_doubled = 1;
        out.permutations = 1;
        out.exact = true;
    } else if (nonzero.size() < 60 && (std::int64_t{1} << nonzero.size()) <= kPermutationsMax) {
        out = sign_flip_exact(nonzero);
    } else {
        out = sign_flip_drawn(nonzero, draws, seed);
    }
    out.observed = mean(differences);
    return out;
}

namespace {
/// Number of ways to choose k of n, or kPermutationsMax + 1 when it is more than that.
std::int64_t choose_up_to_limit(std::size_t n, std::size_t k) {
    std::int64_t ways = 1;
    for (std::size_t i = 1; i <= std::min(k, n - k); ++i) {
        ways = ways * static_cast<std::int64_t>(n - i + 1) / static_cast<std::int64_t>(i);
        if (ways > kPermutationsMax) {
            return kPermutationsMax + 1;
        }
    }
    return ways;
}

struct Splits {
    double size_a;
    double size_b;
    double total;
    Tally tally;

    void enumerate(std::span<const double> rest, std::size_t wanted, double chosen) {
        if (wanted == 0) {
            tally.add(chosen / size_a - (total - chosen) / size_b);
            return;
        }
        enumerate(rest.subspan(1), wanted - 1, chosen + rest.front());
        if (rest.size() > wanted) {
            enumerate(rest.subspan(1), wanted, chosen);
        }
    }
};
}  // namespace

Permutation two_sample_exact(std::span<const double> a, std::span<const double> b) {
    // One value against a crowd is few splits but a deep recursion.
    if (!usable(a) || !usable(b) || a.size() + b.size() > 1000 ||
        choose_up_to_limit(a.size() + b.size(), a.size()) > kPermutationsMax) {
        return {};
    }
    std::vector<double> pooled(a.begin(), a.end());
    pooled.insert(pooled.end(), b.begin(), b.end());
    const double observed = mean(a) - mean(b);
    Splits splits{
        static_cast<double>(a.size()),
        static_cast<double>(b.size()),
        sum(pooled),
        {observed, kTieSlack * mean_magnitude(pooled)}
    };
    splits.enumerate(pooled, a.size(), 0);
    return finish(splits.tally, observed, 0);
}

}  // namespace lab::science
