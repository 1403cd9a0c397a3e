#include "science/stats/t_tests.h"

#include "science/stats/descriptive.h"
#include "science/stats/distributions.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace lab::science {

PairedT paired_t(std::span<const double> differences, double confidence) {
    PairedT out;
    out.n = static_cast<std::int64_t>(differences.size());
    out.mean_difference = mean(differences);
    if (out.n < 2) {
        return out;
    }
    out.df = static_cast<double>(out.n - 1);
    out.sd = standard_deviation(differences);
    out.se = out.sd / std::sqrt(static_cast<double>(out.n));
    out.interval = t_interval(out.mean_difference, out.se, out.df, confidence);
    if (out.se > 0) {
        out.t = out.mean_difference / out.se;
        out.p_two_sided = t_two_sided(out.t, out.df);
        out.p_greater = t_upper(out.t, out.df);
        out.p_less = t_cdf(out.t, out.df);
    }
    return out;
}

namespace {
TwoSampleT finish(double difference, double se, double df, double confidence) {
    TwoSampleT out;
    out.mean_difference = difference;
    out.se = se;
    out.df = df;
    if (se > 0 && df > 0) {
        out.t = difference / se;
        out.p_two_sided = t_two_sided(out.t, df);
        out.interval = t_interval(difference, se, df, confidence);
    }
    return out;
}
}  // namespace

TwoSampleT welch_t(std::span<const double> a, std::span<const double> b, double confidence) {
    const double difference = mean(a) - mean(b);
    const double va = std::pow(standard_error(a), 2);
    const double vb = std::pow(standard_error(b), 2);
    const double df = (va + vb) * (va + vb) /
                      (va * va / (static_cast<double>(a.size()) - 1) +
                       vb * vb / (static_cast<double>(b.size()) - 1));
    return finish(difference, std::sqrt(va + vb), df, confidence);
}

TwoSampleT pooled_t(std::span<const double> a, std::span<const double> b, double confidence) {
    const auto na = static_cast<double>(a.size());
    const auto nb = static_cast<double>(b.size());
    const double df = na + nb - 2;
    const double sa = standard_deviation(a);
    const double sb = standard_deviation(b);
    const double pooled = ((na - 1) * sa * sa + (nb - 1) * sb * sb) / df;
    return finish(mean(a) - mean(b), std::sqrt(pooled * (1 / na + 1 / nb)), df, confidence);
}

double brown_forsythe_p(std::span<const double> a, std::span<const double> b) {
    if (std::min(a.size(), b.size()) < 3) {
        return kNaN;
    }
    const auto spread = [](std::span<const double> values) {
        const double center = median(values);
        std::vector<double> out;
        out.reserve(values.size());
        for (const double x : values) {
            out.push_back(std::abs(x - center));
        }
        return out;
    };
    // With two groups the F test of the spreads is the square of the pooled t test.
    return pooled_t(spread(a), spread(b), 0.95).p_two_sided;
}

double equivalence_p(double difference, double se, double df, double margin) {
    if (!(se > 0) || !(margin > 0)) {
        return kNaN;
    }
    const double above_lower = t_upper((difference + margin) / se, df);
    const double below_upper = t_cdf((difference - margin) / se, df);
    return std::max(above_lower, below_upper);
}

}  // namespace lab::science
