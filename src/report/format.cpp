#include "report/format.h"

#include "base/text.h"
#include "science/stats/words.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

namespace lab::report {
namespace {

void separate_thousands(std::string& digits, std::size_t begin, std::size_t end) {
    while (end > begin + 3) {
        end -= 3;
        digits.insert(end, ",");
    }
}

/// Behind a space where the unit is written with one.
std::string with_unit(std::string amount, std::string_view unit) {
    if (unit.empty() || amount == "n/a") {
        return amount;
    }
    return amount + " " + std::string(unit);
}

std::string plus(double value, const science::Wording& wording) {
    const std::string text = science::format_amount(value, wording);
    const bool zero = text.find_first_of("123456789") == std::string::npos;
    return value > 0 && !zero ? "+" + text : text;
}

}  // namespace

std::string format_count(std::int64_t count) {
    std::string digits = std::to_string(count);
    separate_thousands(digits, count < 0 ? 1 : 0, digits.size());
    return digits;
}

std::string format_significant(double value, int digits) {
    if (std::isnan(value)) {
        return "n/a";
    }
    if (!std::isfinite(value)) {
        return value > 0 ? "infinity" : "-infinity";
    }
    if (value == 0) {
        return "0";
    }
    const std::string scientific = fmt::format("{:.{}e}", value, digits - 1);
    const int exponent = std::stoi(scientific.substr(scientific.find('e') + 1));
    if (exponent < -4 || exponent > 8) {
        return scientific;
    }
    std::string text = fmt::format("{:.{}f}", value, std::max(0, digits - 1 - exponent));
    separate_thousands(text, value < 0 ? 1 : 0, std::min(text.find('.'), text.size()));
    return text;
}

std::string format_share(std::int64_t count, std::int64_t whole) {
    if (count == 0 || whole <= 0) {
        return format_count(count);
    }
    const double percent = 100.0 * static_cast<double>(count) / static_cast<double>(whole);
    if (percent < 0.05) {
        return format_count(count) + " (< 0.1 %)";
    }
    // All but a few are not all.
    const bool rounds_to_all = count < whole && percent > 99.95;
    return format_count(count) + fmt::format(" ({:.1f} %)", rounds_to_all ? 99.9 : percent);
}

std::string format_money(const std::optional<Money>& money) {
    if (!money) {
        return "n/a";
    }
    const bool negative = money->pico() < 0;
    const Money size = negative ? Money{} - *money : *money;
    if (size.is_zero()) {
        return "$0";
    }
    int decimals = 2;
    for (std::int64_t below = 1'000'000'000'000; size.pico() < below && decimals < 12;
         below /= 10) {
        ++decimals;
    }
    std::string text = size.rounded(decimals);
    if (decimals > 2) {
        text.erase(text.find_last_not_of('0') + 1);
        while (text.size() < text.find('.') + 3) {
            text += '0';
        }
    }
    separate_thousands(text, 0, text.find('.'));
    return (negative ? "-$" : "$") + text;
}

std::string format_duration(double seconds) {
    if (!std::isfinite(seconds)) {
        return "n/a";
    }
    if (seconds <= 0) {
        return "0 s";
    }
    if (seconds < 0.9995) {
        return format_significant(seconds * 1000, seconds < 0.00995 ? 2 : 3) + " ms";
    }
    if (seconds < 59.95) {
        return format_significant(seconds) + " s";
    }
    const auto whole = static_cast<std::int64_t>(std::llround(seconds));
    if (whole < 3600) {
        return fmt::format("{} min {:02} s", whole / 60, whole % 60);
    }
    return fmt::format("{} h {:02} min", format_count(whole / 3600), whole % 3600 / 60);
}

std::string format_p(double p, bool at_floor) { return science::format_p(p, at_floor); }

std::string unit_of(const science::MetricInfo& metric) {
    if (metric.kind == science::MetricKind::binary) {
        return "%";
    }
    return science::wording_for(metric).unit;
}

std::string format_figure(const science::MetricInfo& metric, double value) {
    std::string text = science::format_amount(value, science::wording_for(metric));
    return metric.kind == science::MetricKind::binary ? with_unit(std::move(text), "%") : text;
}

std::string format_interval(const science::MetricInfo& metric, const science::Interval& interval) {
    if (std::isnan(interval.lo) || std::isnan(interval.hi)) {
        return "";
    }
    const science::Wording wording = science::wording_for(metric);
    return "[" + science::format_amount(interval.lo, wording) + ", " +
           science::format_amount(interval.hi, wording) + "]";
}

std::string format_successes(const science::Estimate& estimate) {
    if (!estimate.successes) {
        return "";
    }
    return format_count(*estimate.successes) + "/" + format_count(estimate.n);
}

std::string format_difference(const science::Comparison& comparison) {
    return plus(comparison.difference, comparison.wording);
}

std::string format_difference_interval(const science::Comparison& comparison) {
    const science::Interval& interval = comparison.interval;
    if (std::isnan(interval.lo) || std::isnan(interval.hi)) {
        return "";
    }
    return "[" + plus(interval.lo, comparison.wording) + ", " +
           plus(interval.hi, comparison.wording) + "]";
}

std::string_view verdict_words(science::Verdict verdict) {
    switch (verdict) {
        case science::Verdict::better:
            return "better";
        case science::Verdict::worse:
            return "worse";
        case science::Verdict::equivalent:
            return "equivalent";
        case science::Verdict::no_difference_shown:
            return "no difference shown";
        case science::Verdict::undetermined:
            break;
    }
    return "n/a";
}

std::string_view verdict_mark(science::Verdict verdict) {
    switch (verdict) {
        case science::Verdict::better:
            return "▲";
        case science::Verdict::worse:
            return "▼";
        case science::Verdict::equivalent:
            return "≈";
        case science::Verdict::no_difference_shown:
            return "○";
        case science::Verdict::undetermined:
            break;
    }
    return "?";
}

std::string title_of(const Report& report) {
    if (report.runs.empty()) {
        return "no run";
    }
    std::string out = report.runs[0].experiment;
    for (std::size_t i = 0; i < report.runs.size(); ++i) {
        const RunInfo& run = report.runs[i];
        out += i == 0 ? " #" : run.experiment == report.runs[0].experiment ? ", #" : ", ";
        out += i > 0 && run.experiment != report.runs[0].experiment ? run.experiment + " #" : "";
        out += std::to_string(run.number);
    }
    return out;
}

std::vector<std::string> metric_keys(const Report& report) {
    std::vector<std::string> out;
    std::set<std::string> taken;
    for (const MetricColumn& column : report.metrics) {
        std::string key = column.info.name;
        if (taken.contains(key)) {
            key = column.scorer + "." + key;
        }
        for (int i = 2; taken.contains(key); ++i) {
            key = column.scorer + "." + column.info.name + "." + std::to_string(i);
        }
        taken.insert(key);
        out.push_back(std::move(key));
    }
    return out;
}

std::vector<std::string> scorers_of(const Report& report) {
    std::vector<std::string> out;
    for (const MetricColumn& column : report.metrics) {
        if (std::ranges::find(out, column.scorer) == out.end()) {
            out.push_back(column.scorer);
        }
    }
    return out;
}

std::vector<std::string> interval_methods(const Report& report, std::size_t metric) {
    std::vector<std::string> out;
    for (const VariantSummary& variant : report.variants) {
        if (metric < variant.metrics.size()) {
            const std::string& method = variant.metrics[metric].method;
            if (!method.empty() && method != "n/a" && std::ranges::find(out, method) == out.end()) {
                out.push_back(method);
            }
        }
    }
    return out;
}

namespace {

/// Notes in the order of their first owner.
class NoteList {
  public:
    void add(const std::string& note, const std::string& owner) {
        const auto at = std::ranges::find(notes_, note, &Owned::note);
        Owned& owned = at == notes_.end() ? notes_.emplace_back(Owned{note, {}}) : *at;
        owned.owners.push_back(owner);
    }
    /// `all`: how many owners there are; `kind`: "comparisons".
    std::vector<NoteLine> lines(std::size_t all, const std::string& kind) const {
        constexpr std::size_t kNamedMax = 3;
        std::vector<NoteLine> out;
        for (const Owned& owned : notes_) {
            const std::size_t n = owned.owners.size();
            const std::string about =
                n == all && n > 1 ? "all " + kind
                : n <= kNamedMax  ? join(owned.owners, ", ")
                                  : std::to_string(n) + " of " + std::to_string(all) + " " + kind;
            out.push_back({about, owned.note});
        }
        return out;
    }

  private:
    struct Owned {
        std::string note;
        std::vector<std::string> owners;
    };
    std::vector<Owned> notes_;
};

}  // namespace

std::vector<NoteLine> comparison_notes(
    const Report& report, const std::vector<const ComparisonRow*>& rows
) {
    NoteList list;
    for (const ComparisonRow* row : rows) {
        for (const std::string& note : row->comparison.notes) {
            list.add(note, report.variants[row->a].id + " against " + report.variants[row->b].id);
        }
    }
    return list.lines(rows.size(), "comparisons");
}

std::vector<NoteLine> estimate_notes(const Report& report, std::size_t metric) {
    NoteList list;
    for (const VariantSummary& variant : report.variants) {
        for (const std::string& note : variant.metrics[metric].notes) {
            list.add(note, variant.id);
        }
    }
    return list.lines(report.variants.size(), "variants");
}

bool has_variance_parts(const Report& report, std::size_t metric) {
    return std::ranges::any_of(report.variants, [metric](const VariantSummary& variant) {
        return !std::isnan(variant.metrics[metric].parts.inside);
    });
}

std::string spread_words(const Report& report, std::size_t metric) {
    constexpr std::size_t kNamedMax = 4;
    if (!has_variance_parts(report, metric)) {
        return "";
    }
    const science::Wording wording = science::wording_for(report.metrics[metric].info);
    std::vector<std::string> parts;
    for (const VariantSummary& variant : report.variants) {
        const science::VarianceParts& v = variant.metrics[metric].parts;
        parts.push_back(
            variant.id + " " + science::format_amount(v.sd_inside(), wording) + " / " +
            science::format_amount(v.sd_items(), wording)
        );
    }
    if (parts.size() > kNamedMax) {
        parts.resize(kNamedMax);
        parts.emplace_back("...");
    }
    return "standard deviation inside / between items: " + join(parts, ", ");
}

std::string_view estimated_words(std::int64_t estimated, std::int64_t counted) {
    return estimated == 0 ? "" : estimated == counted ? "all estimated" : "partly estimated";
}

bool has_refusals(const Report& report) {
    return std::ranges::any_of(report.variants, [](const VariantSummary& variant) {
        return variant.refused > 0;
    });
}

bool has_latency(const Report& report) {
    return std::ranges::any_of(report.variants, [](const VariantSummary& variant) {
        return variant.latency.n > 0 && variant.latency.max > 0;
    });
}

bool has_cost(const Report& report) {
    return std::ranges::any_of(report.variants, [](const VariantSummary& variant) {
        return variant.cost && !variant.cost->is_zero();
    });
}

}  // namespace lab::report
