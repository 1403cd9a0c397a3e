#pragma once
#include "science/metrics/regex.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// Pointwise rubrics: what a judge (a model, mostly) says of one answer, as numbers on a scale
/// (Zheng et al. 2023, "Judging LLM-as-a-Judge", single-answer grading; Liu et al. 2023, G-Eval).
namespace lab::science {

struct Criterion {
    std::string name;
    double weight = 1;  ///< of its rating in the overall one; 0 = shown and not counted
};

struct RatingScale {
    double minimum = 1;
    double maximum = 5;
    std::vector<std::pair<double, std::string>> labels;  ///< "excellent" is as good as 5
};

/// Finds the ratings in a verdict. Immutable; any thread.
///
/// In this order: the last JSON object that has a criterion's name as a member (a value may be an
/// object with `rating` or `score`); lines that say `NAME: 4`; and of a single criterion `[[4]]`
/// (MT-Bench), `Rating: 4`, `Score: 4`, or nothing but the rating. Names are compared without case,
/// `_` and `-` being spaces. A rating is a number, a number as text, a label of the scale, or `4/5`
/// where 5 is the scale's maximum. What is not on the scale is no rating.
class RatingReader {
  public:
    /// Errors: validation (a field of `criteria` or of the scale), relative to a scorer's options.
    static Result<RatingReader> make(std::vector<Criterion> criteria, RatingScale scale);

    /// By criterion; nothing where the verdict says nothing that can be read.
    std::vector<std::optional<double>> read(std::string_view verdict) const;
    /// The weighted mean; nothing when one that counts is missing.
    std::optional<double> overall(const std::vector<std::optional<double>>& ratings) const;

    const std::vector<Criterion>& criteria() const { return criteria_; }
    const RatingScale& scale() const { return scale_; }

  private:
    RatingReader(std::vector<Criterion> criteria, RatingScale scale)
        : criteria_(std::move(criteria)), scale_(std::move(scale)) {}
    std::optional<double> on_scale(std::optional<double> value) const;
    std::optional<double> read_text(std::string_view text) const;
    bool read_object(std::string_view text, std::vector<std::optional<double>>& out) const;
    bool read_objects(std::string_view verdict, std::vector<std::optional<double>>& out) const;
    std::optional<double> read_match(const Regex& pattern, std::string_view verdict) const;

    std::vector<Criterion> criteria_;
    RatingScale scale_;
    std::vector<Regex> lines_;    ///< by criterion: NAME: 4
    std::vector<Regex> singles_;  ///< of a single criterion
};

}  // namespace lab::science
