#include "science/stats/effect.h"

#include "science/stats/descriptive.h"
#include "science/stats/distributions.h"
#include "science/stats/rank_tests.h"

#include <algorithm>
#include <cmath>

namespace lab::science {
namespace {
double ratio(double numerator, double spread) { return spread > 0 ? numerator / spread : kNaN; }
}  // namespace

TwoGroupEffect two_group_effect(std::span<const double> a, std::span<const double> b) {
    TwoGroupEffect out;
    const MannWhitney ranks = mann_whitney_u(a, b);
    out.cliffs_delta = ranks.cliffs_delta;
    out.superiority = ranks.a12;
    const auto na = static_cast<double>(a.size());
    const auto nb = static_cast<double>(b.size());
    const double df = na + nb - 2;
    const double difference = mean(a) - mean(b);
    const double sa = standard_deviation(a);
    const double sb = standard_deviation(b);
    out.glass_delta = ratio(difference, sb);
    out.cohen_d = ratio(difference, std::sqrt(((na - 1) * sa * sa + (nb - 1) * sb * sb) / df));
    out.hedges_g_approximate = out.cohen_d * (1 - 3 / (4 * (na + nb) - 9));
    const double j = std::exp(log_gamma(df / 2) - log_gamma((df - 1) / 2)) / std::sqrt(df / 2);
    out.hedges_g = out.cohen_d * j;
    out.variance_d = (na + nb) / (na * nb) + out.cohen_d * out.cohen_d / (2 * (na + nb));
    return out;
}

double cohen_dz(std::span<const double> differences) {
    return ratio(mean(differences), standard_deviation(differences));
}

double cohen_h(double p1, double p2) {
    const auto angle = [](double p) { return 2 * std::asin(std::sqrt(p)); };
    return angle(p1) - angle(p2);
}

}  // namespace lab::science
