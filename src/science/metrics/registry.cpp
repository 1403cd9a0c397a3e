#include "science/metrics/impl/types.h"
#include "science/metrics/scorer.h"

namespace lab::science {

double Scorer::aggregate(std::size_t, std::span<const double>) const {
    return std::numeric_limits<double>::quiet_NaN();
}

std::string Scorer::unusable(std::span<const std::string>) const { return {}; }

const std::vector<ScorerType>& scorer_types() {
    static const std::vector<ScorerType> types = {
        exact_match_type(),
        contains_type(),
        regex_type(),
        numeric_type(),
        choice_type(),
        f1_type(),
        bleu_type(),
        chrf_type(),
        rouge_type(),
        rubric_type(),
    };
    return types;
}

const ScorerType* find_scorer_type(std::string_view name) {
    for (const ScorerType& type : scorer_types()) {
        if (type.name == name) {
            return &type;
        }
    }
    return nullptr;
}

}  // namespace lab::science
