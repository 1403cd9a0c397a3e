#include "base/text.h"
#include "science/metrics/choice.h"
#include "science/metrics/impl/options.h"
#include "science/metrics/impl/types.h"
#include "science/metrics/numeric.h"
#include "science/metrics/signature.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace lab::science {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// An answer that could not be read is wrong; an item whose references cannot be read is n/a.
Scored answer(double value, bool parsed, std::string extracted) {
    Scored scored;
    scored.values.push_back({.value = value, .stats = {}});
    scored.parsed = parsed;
    scored.extracted = std::move(extracted);
    return scored;
}

class Numeric final : public Scorer {
  public:
    Numeric(NumberRule rule, double absolute, double relative)
        : rule_(rule),
          absolute_(Decimal::from_double(absolute)),
          relative_(Decimal::from_double(relative)) {
        MetricInfo info;
        info.name = "numeric";
        info.kind = MetricKind::binary;
        info.signature = "extract:" + std::string(name(rule)) + "|abs:" + absolute_.text() +
                         "|rel:" + relative_.text() + "|version:" + metrics_version();
        metrics_.push_back(std::move(info));
    }

    const std::vector<MetricInfo>& metrics() const override { return metrics_; }

    Scored score(const ScoreInput& input) const override {
        const auto got = extract_number(input.output, rule_);
        bool comparable = false;
        bool equal = false;
        for (const std::string& reference : input.references) {
            const auto want = read_reference(reference);
            comparable = comparable || want.has_value();
            equal = equal || (got && want && is_close(*got, *want, absolute_, relative_));
        }
        return answer(
            comparable ? (equal ? 1 : 0) : kNaN, got.has_value(), got ? got->text() : std::string()
        );
    }

    std::string unusable(std::span<const std::string> references) const override {
        const bool usable = std::ranges::any_of(references, [&](const std::string& reference) {
            return read_reference(reference).has_value();
        });
        return usable ? "" : "no number in " + quoted_references(references);
    }

  private:
    std::optional<Decimal> read_reference(std::string_view text) const {
        const auto written = parse_written_number(text);
        return written ? written : extract_number(text, rule_);
    }

    NumberRule rule_;
    Decimal absolute_;
    Decimal relative_;
    std::vector<MetricInfo> metrics_;
};

class Choice final : public Scorer {
  public:
    Choice(ChoiceFinder finder, std::string letters, std::string signature)
        : finder_(std::move(finder)), letters_(std::move(letters)) {
        MetricInfo info;
        info.name = "choice";
        info.kind = MetricKind::binary;
        info.signature = std::move(signature);
        metrics_.push_back(std::move(info));
    }

    const std::vector<MetricInfo>& metrics() const override { return metrics_; }

    Scored score(const ScoreInput& input) const override {
        const auto got = finder_.find(input.output);
        bool comparable = false;
        bool equal = false;
        for (const std::string& reference : input.references) {
            const auto want = finder_.find_reference(reference);
            comparable = comparable || want.has_value();
            equal = equal || (got && got == want);
        }
        return answer(
            comparable ? (equal ? 1 : 0) : kNaN,
            got.has_value(),
            got ? std::string(1, *got) : std::string()
        );
    }

    std::string unusable(std::span<const std::string> references) const override {
        const bool usable = std::ranges::any_of(references, [&](const std::string& reference) {
            return finder_.find_reference(reference).has_value();
        });
        return usable ? ""
                      : "none of the letters " + letters_ + " in " + quoted_references(references);
    }

  private:
    ChoiceFinder finder_;
    std::string letters_;
    std::vector<MetricInfo> metrics_;
};

const std::vector<std::string>& number_rules() {
    static const std::vector<std::string> rules = {
        "last_number", "whole", "gsm8k_strict", "gsm8k_flexible"
    };
    return rules;
}

const std::vector<std::string>& choice_styles() {
    static const std::vector<std::string> styles = {
        "simple_evals", "word_boundary", "last", "whole"
    };
    return styles;
}

Json numeric_schema() {
    return options_object(
        {{"number",
          word_schema(
              number_rules(),
              "last_number",
              "How the number is found: the last one in the output, the whole output, or the two "
              "rules known from GSM8K."
          )},
         {"tolerance_abs",
          number_schema(0, 0, 1e300, "Largest difference that still counts as equal.")},
         {"tolerance_rel",
          number_schema(
              0, 0, 1, "The same as a share of the reference; the wider of the two holds."
          )}}
    );
}

Result<std::unique_ptr<Scorer>> make_numeric(const Json& options) {
    OptionReader reader(options);
    const std::string rule = reader.word("number", "last_number", number_rules());
    const double absolute = reader.number("tolerance_abs", 0, 0, 1e300);
    const double relative = reader.number("tolerance_rel", 0, 0, 1);
    LAB_CHECK(reader.status());
    return std::make_unique<Numeric>(
        find_number_rule(rule).value_or(NumberRule::last_number), absolute, relative
    );
}

Json choice_schema() {
    return options_object(
        {{"letters",
          {{"type", "string"},
           {"pattern", "^[A-Za-z]{1,26}$"},
           {"default", "ABCD"},
           {"description", "The letters that can be chosen; case is ignored."}}},
         {"style",
          word_schema(
              choice_styles(),
              "simple_evals",
              "Where the letter stands: behind \"Answer:\" (as simple-evals reads it, or as a "
              "letter of its own), the last one alone, or nothing else in the output."
          )}}
    );
}

Result<std::unique_ptr<Scorer>> make_choice(const Json& options) {
    OptionReader reader(options);
    const std::string letters = reader.text("letters", "ABCD");
    const std::string style = reader.word("style", "simple_evals", choice_styles());
    auto finder =
        ChoiceFinder::make(letters, find_choice_style(style).value_or(ChoiceStyle::simple_evals));
    if (!finder) {
        reader.fail("letters", finder.error().message);
    }
    LAB_CHECK(reader.status());
    return std::make_unique<Choice>(
        *std::move(finder),
        letters,
        "letters:" + letters + "|style:" + style + "|version:" + metrics_version()
    );
}

}  // namespace

ScorerType numeric_type() {
    return {
        "numeric",
        "1 when the number in the output equals the reference, as exact decimals or within a "
        "tolerance.",
        numeric_schema,
        make_numeric
    };
}

ScorerType choice_type() {
    return {
        "choice",
        "1 when the letter chosen in the output is the reference's.",
        choice_schema,
        make_choice
    };
}

}  // namespace lab::science
