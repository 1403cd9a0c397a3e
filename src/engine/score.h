#pragma once
#include "domain/sample.h"
#include "domain/spec.h"
#include "science/metrics/extract.h"
#include "science/metrics/scorer.h"
#include "science/prompt/template.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace lab::engine {

/// One metric of the experiment: which scorer gives it and as which of its metrics.
struct MetricSlot {
    science::MetricInfo info;  ///< info.name is unique within the experiment
    std::size_t scorer = 0;
    std::size_t metric = 0;
    bool primary = false;
};

/// The scores of one sample, decoded.
struct SampleScores {
    std::vector<double> values;              ///< by slot; NaN = n/a
    std::vector<std::vector<double>> stats;  ///< by slot; empty unless a corpus metric
    std::vector<bool> parsed;                ///< by scorer
    std::vector<std::string> extracted;      ///< by scorer
};

/// All scorers of an experiment, ready to use. Immutable; any thread.
class ScoreBook {
  public:
    /// Errors: validation with the path of every wrong option, unknown primary metric, and the
    /// like.
    static Result<ScoreBook> make(const domain::ExperimentSpec& spec);
    const std::vector<MetricSlot>& slots() const { return slots_; }
    std::size_t scorers() const { return entries_.size(); }
    /// Name of scorer `index` as reports print it.
    const std::string& scorer_name(std::size_t index) const { return entries_[index].name; }
    /// Fields of the item that the references need, with the spec path of each.
    std::vector<Detail> needed_fields() const;
    /// Scores one output and encodes it for the store. Errors: validation when the row lacks a
    /// reference field.
    Result<std::string> score(std::string_view output, const Json& row) const;
    /// Why no output can be scored against the row's references: for each scorer in question the
    /// path of the spec and a sentence. Fields that are missing are not its business.
    std::vector<Detail> check_references(const Json& row) const;
    /// The references as compared, for reports; empty when the row lacks the field.
    std::vector<std::string> references(std::size_t scorer, const Json& row) const;
    double aggregate(std::size_t slot, std::span<const double> sums) const;

  private:
    struct Entry {
        std::string name;
        std::unique_ptr<science::Scorer> scorer;
        std::vector<science::Template> references;
        std::string reference_list;
        std::optional<science::Extractor> extract;
        std::optional<science::Extractor> extract_reference;
        std::string path;  ///< "scorers[0]"
    };
    void add(
        const domain::ScorerSpec& spec, const std::string& path, std::vector<Detail>& problems
    );
    void mark_primary(const domain::ExperimentSpec& spec, std::vector<Detail>& problems);
    Result<std::vector<std::string>> raw_references(const Entry& entry, const Json& row) const;
    std::optional<Detail> reference_problem(const Entry& entry, const Json& row) const;

    std::vector<Entry> entries_;
    std::vector<MetricSlot> slots_;
};

/// Inverse of ScoreBook::score. Errors: internal when the text is not of that form.
Result<SampleScores> decode_scores(std::string_view encoded, const ScoreBook& book);

}  // namespace lab::engine
