#pragma once
#include "science/metrics/scorer.h"

/// The scorer types by file; registry.cpp lists them.
namespace lab::science {

ScorerType exact_match_type();
ScorerType contains_type();
ScorerType regex_type();
ScorerType f1_type();
ScorerType numeric_type();
ScorerType choice_type();
ScorerType bleu_type();
ScorerType chrf_type();
ScorerType rouge_type();
ScorerType rubric_type();

}  // namespace lab::science
