#include "science/stats/rank_tests.h"

#include "science/stats/descriptive.h"
#include "science/stats/distributions.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace lab::science {
namespace {
std::vector<double> magnitudes(std::span<const double> differences) {
    std::vector<double> out;
    out.reserve(differences.size());
    for (const double d : differences) {
        out.push_back(std::abs(d));
    }
    return out;
}

std::vector<double> without_zeros(std::span<const double> differences, double slack) {
    std::vector<double> out;
    out.reserve(differences.size());
    std::copy_if(differences.begin(), differences.end(), std::back_inserter(out), [&](double d) {
        return std::abs(d) > slack;
    });
    return out;
}

ExactP from_tails(double p_greater, double p_less) {
    return {
        std::min(1.0, 2 * std::min(p_greater, p_less)),
        std::min(1.0, p_greater),
        std::min(1.0, p_less)
    };
}
}  // namespace

SignedRank wilcoxon_signed_rank(
    std::span<const double> differences, ZeroMethod zeros, bool continuity_correction, double slack
) {
    const std::vector<double> kept = zeros == ZeroMethod::drop
                                         ? without_zeros(differences, slack)
                                         : std::vector(differences.begin(), differences.end());
    const Ranks ranked = midranks(magnitudes(kept), slack);
    SignedRank out;
    double zero_count = 0;
    double zero_ranks = 0;
    for (std::size_t i = 0; i < kept.size(); ++i) {
        if (std::abs(kept[i]) <= slack) {
            zero_count += 1;
            zero_ranks += ranked.ranks[i];
        } else {
            (kept[i] > 0 ? out.w_plus : out.w_minus) += ranked.ranks[i];
        }
    }
    const auto n = static_cast<double>(kept.size());
    double expected = n * (n + 1) / 4;
    double variance = n * (n + 1) * (2 * n + 1);
    double tie_term = ranked.tie_term;
    if (zeros == ZeroMethod::pratt) {
        expected -= zero_count * (zero_count + 1) / 4;
        variance -= zero_count * (zero_count + 1) * (2 * zero_count + 1);
        tie_term -= zero_count * zero_count * zero_count - zero_count;
    }
    if (zeros == ZeroMethod::split) {
        out.w_plus += zero_ranks / 2;
        out.w_minus += zero_ranks / 2;
    }
    out.n = static_cast<std::int64_t>(kept.size());
    out.statistic = std::min(out.w_plus, out.w_minus);
    const double sigma = std::sqrt((variance - tie_term / 2) / 24);
    if (sigma > 0) {
        double gap = std::abs(out.w_plus - expected);
        if (continuity_correction) {
            gap -= gap > 0 ? 0.5 : 0;
        }
        out.z = -std::abs(gap) / sigma;
        out.p = 2 * normal_cdf(out.z);
    }
    return out;
}

ExactP wilcoxon_exact(std::span<const double> differences, double slack) {
    const std::vector<double> kept = without_zeros(differences, slack);
    if (kept.empty() || kept.size() > static_cast<std::size_t>(kSignedRankExactMax)) {
        return {};
    }
    const Ranks ranked = midranks(magnitudes(kept), slack);
    // Mid-ranks are multiples of one half: doubled they are whole.
    const std::size_t size = kept.size() * (kept.size() + 1) + 1;
    std::vector<double> probability(size, 0.0);
    probability[0] = 1;
    std::size_t reached = 0;
    std::size_t observed = 0;
    for (std::size_t i = 0; i < kept.size(); ++i) {
        const auto rank = static_cast<std::size_t>(std::lround(2 * ranked.ranks[i]));
        observed += kept[i] > 0 ? rank : 0;
        reached += rank;
        for (std::size_t s = reached + 1; s-- > 0;) {
            probability[s] = (probability[s] + (s >= rank ? probability[s - rank] : 0)) / 2;
        }
    }
    Sum greater;
    Sum less;
    for (std::size_t s = 0; s <= reached; ++s) {
        if (s >= observed) {
            greater.add(probability[s]);
        }
        if (s <= observed) {
            less.add(probability[s]);
        }
    }
    return from_tails(greater.value(), less.value());
}

double rank_biserial(std::span<const double> differences, double slack) {
    const SignedRank w = wilcoxon_signed_rank(differences, ZeroMethod::drop, false, slack);
    return w.n == 0 ? kNaN : (w.w_plus - w.w_minus) / (w.w_plus + w.w_minus);
}

namespace {
Ranks joint_ranks(std::span<const double> a, std::span<const double> b) {
    std::vector<double> all(a.begin(), a.end());
    all.insert(all.end(), b.begin(), b.end());
    return midranks(all);
}

double u_from_ranks(const Ranks& ranked, std::size_t size_a) {
    const auto n = static_cast<double>(size_a);
    return sum(std::span(ranked.ranks).first(size_a)) - n * (n + 1) / 2;
}
}  // namespace

MannWhitney mann_whitney_u(std::span<const double> a, std::span<const double> b) {
    MannWhitney out;
    if (a.empty() || b.empty()) {
        return out;
    }
    const Ranks ranked = joint_ranks(a, b);
    const auto n = static_cast<double>(a.size());
    const auto m = static_cast<double>(b.size());
    const double total = n + m;
    out.u1 = u_from_ranks(ranked, a.size());
    out.a12 = out.u1 / (n * m);
    out.cliffs_delta = 2 * out.a12 - 1;
    const double variance = n * m / 12 * (total + 1 - ranked.tie_term / (total * (total - 1)));
    if (!(variance > 0)) {
        out.p = out.p_uncorrected = 1;
        return out;
    }
    // The larger of U1 and U2 is tested; the correction may carry it past the mean.
    const double gap = std::abs(out.u1 - n * m / 2);
    const double sigma = std::sqrt(variance);
    out.p_uncorrected = std::min(1.0, 2 * normal_upper(gap / sigma));
    out.p = std::min(1.0, 2 * normal_upper((gap - 0.5) / sigma));
    return out;
}

ExactP mann_whitney_exact(std::span<const double> a, std::span<const double> b) {
    const std::size_t n = a.size();
    const std::size_t m = b.size();
    if (n == 0 || m == 0 || n * m > kMannWhitneyExactMax) {
        return {};
    }
    const Ranks ranked = joint_ranks(a, b);
    if (ranked.has_ties) {
        return {};
    }
    // ways[k][u]: k of the first j ranks belong to a, and u pairs of them have a above b.
    std::vector<std::vector<double>> ways(n + 1, std::vector<double>(n * m + 1, 0.0));
    ways[0][0] = 1;
    for (std::size_t j = 1; j <= n + m; ++j) {
        for (std::size_t k = std::min(j, n); k >= 1; --k) {
            const std::size_t below = j - k;  // members of b under this rank, if it is a's k-th
            if (below > m) {
                break;
            }
            for (std::size_t u = n * m + 1; u-- > below;) {
                ways[k][u] += ways[k - 1][u - below];
            }
        }
    }
    const auto observed = static_cast<std::size_t>(std::lround(u_from_ranks(ranked, n)));
    const double all = sum(ways[n]);
    const double greater = sum(std::span(ways[n]).subspan(observed)) / all;
    const double less = sum(std::span(ways[n]).first(observed + 1)) / all;
    return from_tails(greater, less);
}

}  // namespace lab::science
