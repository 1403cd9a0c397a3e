#include "science/stats/words.h"

#include "science/stats/analysis.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace lab::science {

Wording wording_for(const MetricInfo& metric) {
    if (metric.kind == MetricKind::binary) {
        return {100, "points", 1};
    }
    if (metric.minimum == 0 && metric.maximum == 100) {
        return {1, "points", 2};
    }
    return {1, "", 3};
}

std::string format_p(double p) {
    if (std::isnan(p)) {
        return "n/a";
    }
    if (p < 1e-300) {
        return "< 1e-300";
    }
    if (p < 0.001) {
        return fmt::format("{:.1e}", p);
    }
    if (p < 0.0995) {
        return fmt::format("{:.4f}", p);
    }
    return p >= 1 ? "1" : fmt::format("{:.2f}", p);
}

std::string format_p(double p, bool at_floor) {
    return (at_floor && p < 1 ? "<= " : "") + format_p(p);
}

std::string p_equation(double p, bool at_floor) {
    const std::string text = format_p(p, at_floor);
    if (std::isnan(p) || text.starts_with('<')) {
        return "p " + text;
    }
    return "p = " + text;
}

std::string format_count(double count) {
    if (std::isnan(count)) {
        return "n/a";
    }
    if (count > 1e9) {
        return "more than a billion";
    }
    std::string digits = fmt::format("{:.0f}", count);
    const std::size_t sign = digits.starts_with('-') ? 1 : 0;
    for (std::size_t i = digits.size(); i > sign + 3; i -= 3) {
        digits.insert(i - 3, ",");
    }
    return digits;
}

std::string format_amount(double value, const Wording& wording) {
    if (std::isnan(value)) {
        return "n/a";
    }
    const double shown = value * wording.scale;
    if (!std::isfinite(shown)) {
        return shown > 0 ? "infinity" : "-infinity";
    }
    const double visible = 0.5 * std::pow(10.0, -wording.decimals);
    if (shown != 0 && std::abs(shown) < visible) {
        return fmt::format("{:.2g}", shown);
    }
    // + 0.0 turns a negative zero into a plain one.
    return fmt::format("{:.{}f}", shown + 0.0, wording.decimals);
}

std::string format_percent(double share) { return fmt::format("{:.6g} %", share * 100); }

namespace {
std::string unit_of(const Comparison& c) {
    return c.wording.unit.empty() ? "" : " " + c.wording.unit;
}

/// What is drawn from the world, and more of which would show more.
std::string_view units_of(const Comparison& c) { return c.clusters > 0 ? "clusters" : "items"; }

std::string signed_amount(const Comparison& c, double value) {
    return (value > 0 ? "+" : "") + format_amount(value, c.wording);
}

std::string range_of(const Comparison& c, const Interval& interval) {
    return format_amount(interval.lo, c.wording) + " to " + format_amount(interval.hi, c.wording);
}

/// " (18.7 to 24.4)", or nothing where there is no interval.
std::string interval_text(const Comparison& c, const Interval& interval) {
    return std::isnan(interval.lo) ? "" : " (" + range_of(c, interval) + ")";
}

std::string family_text(const Comparison& c) {
    if (c.family_size <= 1) {
        return "one comparison";
    }
    return fmt::format("{}, {} comparisons", c.correction, c.family_size);
}

std::string difference_sentence(const Comparison& c) {
    const bool up = c.difference > 0;
    const Interval toward = up ? c.interval : Interval{-c.interval.hi, -c.interval.lo};
    std::string out = fmt::format(
        "{} by {}{}{}, {} ({})",
        to_string(c.verdict),
        format_amount(std::abs(c.difference), c.wording),
        unit_of(c),
        interval_text(c, toward),
        p_equation(c.p_adjusted, c.p_at_floor),
        family_text(c)
    );
    if (c.minimum_effect.has_value() && c.equivalence_p_adjusted <= c.alpha) {
        out += fmt::format(
            "; smaller than the {}{} that would matter",
            format_amount(*c.minimum_effect, c.wording),
            unit_of(c)
        );
    }
    return out;
}

std::string equivalence_sentence(const Comparison& c) {
    return fmt::format(
        "equivalent: the difference of {}{}{} lies within {}{} either way, {} (two one-sided "
        "tests, "
        "{})",
        signed_amount(c, c.difference),
        unit_of(c),
        interval_text(c, c.interval),
        format_amount(c.minimum_effect.value_or(kNaN), c.wording),
        unit_of(c),
        p_equation(c.equivalence_p_adjusted),
        family_text(c)
    );
}

/// What this set could have shown, and what would decide.
std::string reach_text(const Comparison& c) {
    if (std::isnan(c.detectable) && c.planning_sd > 0) {
        return fmt::format(": so few {} cannot show any difference", units_of(c));
    }
    if (std::isnan(c.detectable)) {
        return c.difference == 0 && c.se == 0
                   ? fmt::format(
                         ": the two agree on all {} items", format_count(static_cast<double>(c.n))
                     )
                   : "";
    }
    std::string out = fmt::format(
        ": the smallest difference this set could show is {}{} at {} power",
        format_amount(c.detectable, c.wording),
        unit_of(c),
        format_percent(c.power)
    );
    if (std::isnan(c.items_needed)) {
        return fmt::format("{}; no number of {} decides a difference of 0", out, units_of(c));
    }
    return fmt::format(
        "{}; {} {} would decide the observed one", out, format_count(c.items_needed), units_of(c)
    );
}

std::string nothing_shown_sentence(const Comparison& c) {
    return fmt::format(
        "no difference shown ({}{}{}, {}; {}){}",
        signed_amount(c, c.difference),
        unit_of(c),
        std::isnan(c.interval.lo) ? "" : ", " + range_of(c, c.interval),
        p_equation(c.p_adjusted, c.p_at_floor),
        family_text(c),
        reach_text(c)
    );
}
}  // namespace

std::string missing_sentence(const Comparison& c, const MissingBound& bound) {
    const bool shown = c.verdict == Verdict::better || c.verdict == Verdict::worse;
    std::string verdict(to_string(bound.verdict));
    std::ranges::replace(verdict, '_', ' ');
    return fmt::format(
        "{} {} failed: {}, the verdict would be \"{}\" ({}{}, {})",
        format_count(static_cast<double>(c.lost)),
        c.lost == 1 ? "sample" : "samples",
        shown         ? "had they all spoken against this"
        : c.lost == 1 ? "had it gone one way"
                      : "had they all gone one way",
        verdict,
        signed_amount(c, bound.difference),
        unit_of(c),
        p_equation(bound.p_adjusted)
    );
}

std::string verdict_sentence(const Comparison& comparison) {
    switch (comparison.verdict) {
        case Verdict::better:
        case Verdict::worse:
            return difference_sentence(comparison);
        case Verdict::equivalent:
            return equivalence_sentence(comparison);
        case Verdict::no_difference_shown:
            return nothing_shown_sentence(comparison);
        case Verdict::undetermined:
            break;
    }
    return "n/a: " + comparison.reason;
}

}  // namespace lab::science
