#include "base/text.h"
#include "science/metrics/impl/options.h"
#include "science/metrics/impl/types.h"
#include "science/metrics/regex.h"
#include "science/metrics/signature.h"
#include "science/metrics/text_match.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace lab::science {
namespace {

const char* yes_no(bool value) { return value ? "yes" : "no"; }
const char* case_of(bool ignore_case) { return ignore_case ? "lc" : "mixed"; }

std::vector<MetricInfo> one_metric(const char* name, MetricKind kind, const std::string& options) {
    MetricInfo info;
    info.name = name;
    info.kind = kind;
    info.signature = options + (options.empty() ? "" : "|") + "version:" + metrics_version();
    return {std::move(info)};
}

Scored one_value(double value) {
    Scored scored;
    scored.values.push_back({.value = value, .stats = {}});
    return scored;
}

/// Nothing to compare with: n/a, not wrong.
Scored not_available() { return one_value(std::numeric_limits<double>::quiet_NaN()); }

class ExactMatch final : public Scorer {
  public:
    explicit ExactMatch(const TextRules& rules)
        : rules_(rules),
          metrics_(one_metric(
              "exact_match",
              MetricKind::binary,
              std::string("normalize:") + (rules.squad ? "squad" : "none") +
                  "|trim:" + yes_no(rules.trim) + "|case:" + case_of(rules.ignore_case) +
                  "|space:" + yes_no(!rules.ignore_whitespace) +
                  "|punctuation:" + yes_no(!rules.ignore_punctuation)
          )) {}

    const std::vector<MetricInfo>& metrics() const override { return metrics_; }

    Scored score(const ScoreInput& input) const override {
        if (input.references.empty()) {
            return not_available();
        }
        std::string output = normalize_text(input.output, rules_);
        const bool equal = std::ranges::any_of(input.references, [&](const std::string& one) {
            return normalize_text(one, rules_) == output;
        });
        Scored scored = one_value(equal ? 1 : 0);
        scored.extracted = std::move(output);
        return scored;
    }

  private:
    TextRules rules_;
    std::vector<MetricInfo> metrics_;
};

class Contains final : public Scorer {
  public:
    Contains(bool ignore_case, bool all, bool reversed)
        : ignore_case_(ignore_case),
          all_(all),
          reversed_(reversed),
          metrics_(one_metric(
              "contains",
              MetricKind::binary,
              std::string("case:") + case_of(ignore_case) + "|mode:" + (all ? "all" : "any") +
                  "|direction:" +
                  (reversed ? "reference_contains_output" : "output_contains_reference")
          )) {}

    const std::vector<MetricInfo>& metrics() const override { return metrics_; }

    Scored score(const ScoreInput& input) const override {
        if (input.references.empty()) {
            return not_available();
        }
        std::string output = ignore_case_ ? to_lower(input.output) : std::string(input.output);
        if (reversed_) {
            // Nothing said is no answer, though every text contains the empty one.
            output = trim(output);
            if (output.empty()) {
                Scored scored = one_value(0);
                scored.parsed = false;
                return scored;
            }
        }
        const auto holds = [&](const std::string& one) {
            const std::string reference = ignore_case_ ? to_lower(one) : one;
            return reversed_ ? reference.find(output) != std::string::npos
                             : output.find(reference) != std::string::npos;
        };
        const bool found = all_ ? std::ranges::all_of(input.references, holds)
                                : std::ranges::any_of(input.references, holds);
        return one_value(found ? 1 : 0);
    }

    std::string unusable(std::span<const std::string> references) const override {
        const auto is_empty = [](const std::string& reference) { return reference.empty(); };
        const bool every_output = all_ ? std::ranges::all_of(references, is_empty)
                                       : std::ranges::any_of(references, is_empty);
        return every_output && !reversed_ && !references.empty()
                   ? "the reference is empty: every output contains it"
                   : "";
    }

  private:
    bool ignore_case_;
    bool all_;
    bool reversed_;
    std::vector<MetricInfo> metrics_;
};

class RegexMatch final : public Scorer {
  public:
    RegexMatch(Regex regex, bool whole, std::vector<MetricInfo> metrics)
        : regex_(std::move(regex)), whole_(whole), metrics_(std::move(metrics)) {}

    const std::vector<MetricInfo>& metrics() const override { return metrics_; }
    bool needs_reference() const override { return false; }

    Scored score(const ScoreInput& input) const override {
        Regex::Groups groups;
        const bool found =
            whole_ ? regex_.full_match(input.output, groups) : regex_.search(input.output, groups);
        Scored scored = one_value(found ? 1 : 0);
        if (const auto match = found ? groups[0] : std::nullopt) {
            scored.extracted = std::string(*match);
        }
        return scored;
    }

  private:
    Regex regex_;
    bool whole_;
    std::vector<MetricInfo> metrics_;
};

class SquadF1 final : public Scorer {
  public:
    SquadF1() : metrics_(one_metric("f1", MetricKind::continuous, "normalize:squad")) {}

    const std::vector<MetricInfo>& metrics() const override { return metrics_; }

    Scored score(const ScoreInput& input) const override {
        if (input.references.empty()) {
            return not_available();
        }
        double best = 0;
        for (const std::string& reference : input.references) {
            best = std::max(best, squad_f1(input.output, reference));
        }
        return one_value(best);
    }

  private:
    std::vector<MetricInfo> metrics_;
};

Json exact_match_schema() {
    return options_object(
        {{"normalize",
          word_schema(
              {"none", "squad"},
              "none",
              "squad: lower case, without ASCII punctuation and the articles a, an, the, "
              "whitespace collapsed (SQuAD 2.0)."
          )},
         {"trim", flag_schema(true, "Whitespace at both ends does not count.")},
         {"ignore_case", flag_schema(false, "Upper and lower case are the same.")},
         {"ignore_whitespace", flag_schema(false, "Whitespace does not count anywhere.")},
         {"ignore_punctuation", flag_schema(false, "Punctuation does not count anywhere.")}}
    );
}

Result<std::unique_ptr<Scorer>> make_exact_match(const Json& options) {
    OptionReader reader(options);
    TextRules rules;
    rules.squad = reader.word("normalize", "none", {"none", "squad"}) == "squad";
    rules.trim = reader.flag("trim", true);
    rules.ignore_case = reader.flag("ignore_case", false);
    rules.ignore_whitespace = reader.flag("ignore_whitespace", false);
    rules.ignore_punctuation = reader.flag("ignore_punctuation", false);
    LAB_CHECK(reader.status());
    return std::make_unique<ExactMatch>(rules);
}

Json contains_schema() {
    return options_object(
        {{"ignore_case", flag_schema(false, "Upper and lower case are the same.")},
         {"mode", word_schema({"any", "all"}, "any", "How many of several references must hold.")},
         {"direction",
          word_schema(
              {"output_contains_reference", "reference_contains_output"},
              "output_contains_reference",
              "Which text is looked for in which; an empty output is in no reference."
          )}}
    );
}

Result<std::unique_ptr<Scorer>> make_contains(const Json& options) {
    OptionReader reader(options);
    const bool ignore_case = reader.flag("ignore_case", false);
    const bool all = reader.word("mode", "any", {"any", "all"}) == "all";
    const std::string forward = "output_contains_reference";
    const std::string reverse = "reference_contains_output";
    const bool reversed = reader.word("direction", forward, {forward, reverse}) == reverse;
    LAB_CHECK(reader.status());
    return std::make_unique<Contains>(ignore_case, all, reversed);
}

Json regex_schema() {
    Json schema = options_object(
        {{"pattern",
          {{"type", "string"}, {"minLength", 1}, {"description", "Regular expression (RE2)."}}},
         {"mode",
          word_schema(
              {"search", "fullmatch"}, "search", "Match anywhere, or the output as a whole."
          )},
         {"ignore_case", flag_schema(false, "Upper and lower case are the same.")}},
        {"pattern"}
    );
    // Read by whoever turns a file into a spec: the pattern stands in for the reference.
    schema["x-reference"] = "none";
    return schema;
}

Result<std::unique_ptr<Scorer>> make_regex(const Json& options) {
    OptionReader reader(options);
    const std::string pattern = reader.text("pattern", "");
    const std::string mode = reader.word("mode", "search", {"search", "fullmatch"});
    const bool ignore_case = reader.flag("ignore_case", false);
    if (pattern.empty()) {
        reader.fail("pattern", "a pattern is needed");
    }
    auto regex = Regex::compile(pattern, ignore_case);
    if (!regex) {
        reader.fail("pattern", regex.error().message);
    }
    LAB_CHECK(reader.status());
    std::string signature = "pattern:";
    append_json_string(signature, pattern);
    signature += "|mode:" + mode + "|case:" + case_of(ignore_case);
    return std::make_unique<RegexMatch>(
        *std::move(regex), mode == "fullmatch", one_metric("regex", MetricKind::binary, signature)
    );
}

Json f1_schema() { return options_object(Json::object()); }

Result<std::unique_ptr<Scorer>> make_f1(const Json&) { return std::make_unique<SquadF1>(); }

}  // namespace

ScorerType exact_match_type() {
    return {
        "exact_match",
        "1 when the output equals one of the references, code point by code point after the "
        "normalisation asked for.",
        exact_match_schema,
        make_exact_match
    };
}

ScorerType contains_type() {
    return {
        "contains",
        "1 when the output contains a reference (or, reversed, a reference contains the output).",
        contains_schema,
        make_contains
    };
}

ScorerType regex_type() {
    return {
        "regex",
        "1 when the output matches a regular expression; needs no reference.",
        regex_schema,
        make_regex
    };
}

ScorerType f1_type() {
    return {
        "f1",
        "F1 of the words the output shares with the best reference, after the normalisation of "
        "SQuAD; 0 to 1.",
        f1_schema,
        make_f1
    };
}

}  // namespace lab::science
