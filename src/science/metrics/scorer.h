#pragma once
#include "base/result.h"
#include "platform/json/json.h"

#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lab::science {

/// What kind of number a metric gives for one item; it selects interval and test
/// (stats/analysis.h).
enum class MetricKind : std::uint8_t {
    binary,      ///< 0 or 1
    continuous,  ///< a score with a mean over items
    corpus,  ///< the figure belongs to the whole set: sums of per-item statistics, then a formula
};

struct MetricInfo {
    std::string name;  ///< as reports print it: "accuracy", "bleu", "rougeL"
    MetricKind kind = MetricKind::continuous;
    bool higher_is_better = true;
    double minimum = 0;  ///< range of the figure; infinities when unbounded
    double maximum = 1;
    std::string
        signature;  ///< pins every option: "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|..."
    std::size_t stats_size = 0;  ///< corpus metrics: how many sufficient statistics an item has
};

/// One metric of one sample.
struct MetricValue {
    /// The item's own score; NaN = n/a. For corpus metrics the sentence-level score.
    double value = std::numeric_limits<double>::quiet_NaN();
    /// Corpus metrics: the item's sufficient statistics, added up over items before aggregate().
    std::vector<double> stats;
};

struct ScoreInput {
    std::string_view output;                  ///< what the model said, UTF-8, untouched
    std::span<const std::string> references;  ///< at least one unless the scorer needs none
};

struct Scored {
    std::vector<MetricValue> values;  ///< one for each of metrics(), in that order
    bool parsed = true;     ///< false: no answer could be found in the output (it is wrong)
    std::string extracted;  ///< what was compared, for the report
};

/// Turns one output into numbers. Immutable after construction; any thread.
class Scorer {
  public:
    virtual ~Scorer() = default;
    virtual const std::vector<MetricInfo>& metrics() const = 0;
    virtual bool needs_reference() const { return true; }
    /// Why no output can be scored against the references of an item, in words: "no number in the
    /// reference "four"". Empty when one can. Known before any output.
    virtual std::string unusable(std::span<const std::string> references) const;
    virtual Scored score(const ScoreInput& input) const = 0;
    /// Corpus metrics only: the figure from summed statistics (size stats_size).
    virtual double aggregate(std::size_t metric, std::span<const double> sums) const;
};

/// A kind of scorer, as experiment files name it.
struct ScorerType {
    std::string_view name;         ///< "exact_match"
    std::string_view description;  ///< one sentence for documentation and schema
    /// JSON Schema of its options (an object schema, additionalProperties false, each property with
    /// a description and default). `type`, `id`, `reference`, `extract`, `extract_reference` are
    /// common to all scorers and not in here.
    Json (*options_schema)();
    /// `options` has been checked against options_schema. What a schema cannot say (an invalid
    /// regular expression) comes back as Error validation with details whose field is relative to
    /// the scorer ("pattern").
    Result<std::unique_ptr<Scorer>> (*make)(const Json& options);
};

const std::vector<ScorerType>& scorer_types();
/// nullptr when unknown.
const ScorerType* find_scorer_type(std::string_view name);

}  // namespace lab::science
