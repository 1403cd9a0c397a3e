#include "science/stats/impl/replicates.h"

#include "base/error.h"
#include "base/rng.h"
#include "science/stats/bootstrap.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

namespace lab::science::impl {
namespace {
/// Which unit each of the items belongs to.
struct Units {
    Unit kind = Unit::item;
    std::size_t count = 0;
    std::vector<std::uint32_t> of_item;  ///< parallel to the items
};

Units cluster_units(std::span<const int> clusters, std::span<const std::uint32_t> items) {
    // Numbered by label, not by first appearance, so that the order of items does not matter.
    std::map<int, std::uint32_t> number;
    for (const std::uint32_t item : items) {
        number[clusters[item]] = 0;
    }
    std::uint32_t next = 0;
    for (auto& [label, index] : number) {
        index = next++;
    }
    Units out{Unit::cluster, number.size(), {}};
    out.of_item.reserve(items.size());
    for (const std::uint32_t item : items) {
        out.of_item.push_back(number[clusters[item]]);
    }
    return out;
}

Units item_units(std::size_t items) {
    Units out{items > kUnitsMax ? Unit::block : Unit::item, std::min(items, kUnitsMax), {}};
    out.of_item.reserve(items);
    for (std::size_t i = 0; i < items; ++i) {
        out.of_item.push_back(static_cast<std::uint32_t>(i * out.count / items));
    }
    return out;
}

std::size_t columns_of(const MetricSample& sample) {
    return sample.kind == MetricKind::corpus ? sample.stats_size : 2;
}

/// A mean is the corpus figure of the statistics {value, 1}.
double figure(const MetricSample& sample, std::span<const double> sums) {
    return sample.kind == MetricKind::corpus ? sample.aggregate(sums) : sums[0] / sums[1];
}

void add_rows(
    ResampleTable& table,
    std::size_t first_column,
    const MetricSample& sample,
    std::span<const std::uint32_t> items,
    const Units& units
) {
    for (std::size_t k = 0; k < items.size(); ++k) {
        double* const row = &table.values[units.of_item[k] * table.columns + first_column];
        if (sample.kind == MetricKind::corpus) {
            const auto stats =
                sample.stats.subspan(std::size_t{items[k]} * sample.stats_size, sample.stats_size);
            for (std::size_t c = 0; c < stats.size(); ++c) {
                row[c] += stats[c];
            }
        } else {
            row[0] += sample.values[items[k]];
            row[1] += 1;
        }
    }
}

std::vector<double> column_sums(const ResampleTable& table) {
    std::vector<double> sums(table.columns, 0.0);
    for (std::size_t unit = 0; unit < table.units; ++unit) {
        for (std::size_t c = 0; c < table.columns; ++c) {
            sums[c] += table.values[unit * table.columns + c];
        }
    }
    return sums;
}

std::vector<double> leave_one_out(
    const MetricSample& sample,
    const ResampleTable& table,
    std::size_t first_column,
    std::span<const double> sums
) {
    std::vector<double> out;
    out.reserve(table.units);
    std::vector<double> rest(sums.size());
    for (std::size_t unit = 0; unit < table.units; ++unit) {
        const double* const row = &table.values[unit * table.columns + first_column];
        for (std::size_t c = 0; c < rest.size(); ++c) {
            rest[c] = sums[c] - row[c];
        }
        out.push_back(figure(sample, rest));
    }
    return out;
}
}  // namespace

std::vector<std::uint32_t> present_items(const MetricSample& sample) {
    const std::size_t n = sample.values.size();
    const bool corpus = sample.kind == MetricKind::corpus;
    LAB_ASSERT(sample.clusters.empty() || sample.clusters.size() == n, "every item has a cluster");
    LAB_ASSERT(
        !corpus || sample.stats.size() == n * sample.stats_size, "every item has statistics"
    );
    LAB_ASSERT(!corpus || sample.aggregate != nullptr, "a corpus metric has a formula");
    std::vector<std::uint32_t> items;
    items.reserve(sample.values.size());
    for (std::size_t i = 0; i < sample.values.size(); ++i) {
        bool present = !std::isnan(sample.values[i]);
        if (present && corpus) {
            const auto row = sample.stats.subspan(i * sample.stats_size, sample.stats_size);
            present = std::none_of(row.begin(), row.end(), [](double x) { return std::isnan(x); });
        }
        if (present) {
            items.push_back(static_cast<std::uint32_t>(i));
        }
    }
    return items;
}

std::vector<Replicates> replicate(
    std::span<const MetricSample* const> samples,
    std::span<const std::uint32_t> items,
    const AnalysisOptions& options
) {
    std::vector<Replicates> out(samples.size());
    if (samples.empty() || items.empty()) {
        return out;
    }
    const auto clusters = samples.front()->clusters;
    const Units units =
        clusters.empty() ? item_units(items.size()) : cluster_units(clusters, items);
    ResampleTable table;
    table.units = units.count;
    std::vector<std::size_t> first_column;
    for (const MetricSample* const sample : samples) {
        first_column.push_back(table.columns);
        table.columns += columns_of(*sample);
    }
    table.values.assign(table.units * table.columns, 0.0);
    for (std::size_t s = 0; s < samples.size(); ++s) {
        add_rows(table, first_column[s], *samples[s], items, units);
    }
    const std::vector<double> all = column_sums(table);
    const auto part = [&](std::span<const double> sums, std::size_t s) {
        return sums.subspan(first_column[s], columns_of(*samples[s]));
    };
    for (std::size_t s = 0; s < samples.size(); ++s) {
        out[s].unit = units.kind;
        out[s].units = static_cast<std::int64_t>(units.count);
        out[s].estimate = figure(*samples[s], part(all, s));
        if (units.count >= 2) {
            out[s].jackknife = leave_one_out(*samples[s], table, first_column[s], part(all, s));
            out[s].values.reserve(static_cast<std::size_t>(std::max(0, options.bootstrap_replicates)
            ));
        }
    }
    if (units.count >= 2) {
        Rng rng(derive_seed(options.seed, "bootstrap"));
        const auto take = [&](int, std::span<const double> sums) {
            for (std::size_t s = 0; s < samples.size(); ++s) {
                out[s].values.push_back(figure(*samples[s], part(sums, s)));
            }
        };
        bootstrap_sums(table, options.bootstrap_replicates, rng, take);
    }
    return out;
}

std::string describe(const Replicates& replicates, const AnalysisOptions& options) {
    std::string of;
    if (replicates.unit == Unit::cluster) {
        of = fmt::format(" of {} clusters", replicates.units);
    } else if (replicates.unit == Unit::block) {
        of = fmt::format(" of {} blocks of items", replicates.units);
    }
    return fmt::format(
        "{}, B={}, {} seed {}", of, options.bootstrap_replicates, Rng::kName, options.seed
    );
}

}  // namespace lab::science::impl
