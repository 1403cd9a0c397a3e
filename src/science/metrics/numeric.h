#pragma once
#include "science/metrics/decimal.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// Finding the number that a text gives as its answer, and comparing two of them exactly.
namespace lab::science {

enum class NumberRule : std::uint8_t {
    /// The whole text when it is a number, else the last number in it: digits with or without
    /// grouping commas (1,234,567), point and exponent, an optional sign and dollar sign before.
    /// A dash behind a letter, digit or closing bracket is not a sign: "12-5" ends in 5.
    last_number,
    whole,           ///< the whole text is a number, or there is none
    gsm8k_strict,    ///< the first "#### (\-?[0-9\.\,]+)" (openai/grade-school-math)
    gsm8k_flexible,  ///< the last "(-?[$0-9.,]{2,})|(-?[0-9]+)" (lm-evaluation-harness)
};

std::string_view name(NumberRule rule);
std::optional<NumberRule> find_number_rule(std::string_view name);

/// The text of the number under a rule, as it stands there; strict and flexible are the recorded
/// ones of tests/vectors/gsm8k_extract.json.
std::optional<std::string> find_gsm8k_strict(std::string_view text);
std::optional<std::string> find_gsm8k_flexible(std::string_view text);

/// A number as people write it: spaces around, `$` and `,` and one or more final points are
/// dropped, a minus sign (U+2212) is a dash. Nothing when what is left is not a decimal.
std::optional<Decimal> parse_written_number(std::string_view text);

std::optional<Decimal> extract_number(std::string_view text, NumberRule rule);

/// |got - want| <= max(absolute, relative * |want|), in exact decimals.
bool is_close(
    const Decimal& got, const Decimal& want, const Decimal& absolute, const Decimal& relative
);

}  // namespace lab::science
