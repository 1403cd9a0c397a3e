#include "base/text.h"
#include "science/metrics/bleu.h"
#include "science/metrics/chrf.h"
#include "science/metrics/impl/options.h"
#include "science/metrics/impl/types.h"
#include "science/metrics/rouge.h"
#include "science/metrics/signature.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>

namespace lab::science {
namespace {

MetricInfo corpus_metric(std::string name, std::string signature, std::size_t stats_size) {
    MetricInfo info;
    info.name = std::move(name);
    info.kind = MetricKind::corpus;
    info.maximum = 100;
    info.signature = std::move(signature);
    info.stats_size = stats_size;
    return info;
}

Scored one_value(double value, std::vector<double> stats) {
    Scored scored;
    scored.values.push_back({.value = value, .stats = std::move(stats)});
    return scored;
}

class Bleu final : public Scorer {
  public:
    explicit Bleu(const BleuOptions& options) : options_(options) {
        metrics_.push_back(
            corpus_metric("bleu", bleu_signature(options, false, 1), bleu_stats_size(options))
        );
    }

    const std::vector<MetricInfo>& metrics() const override { return metrics_; }

    Scored score(const ScoreInput& input) const override {
        auto statistics = bleu_statistics(input.output, input.references, options_);
        const double sentence = input.references.empty()
                                    ? std::numeric_limits<double>::quiet_NaN()
                                    : bleu_score(statistics, options_, true).score;
        return one_value(sentence, std::move(statistics));
    }

    double aggregate(std::size_t, std::span<const double> sums) const override {
        return bleu_score(sums, options_, false).score;
    }

  private:
    BleuOptions options_;
    std::vector<MetricInfo> metrics_;
};

class Chrf final : public Scorer {
  public:
    explicit Chrf(const ChrfOptions& options) : options_(options) {
        metrics_.push_back(corpus_metric(
            options.word_order > 0 ? "chrf++" : "chrf",
            chrf_signature(options, 1),
            chrf_stats_size(options)
        ));
    }

    const std::vector<MetricInfo>& metrics() const override { return metrics_; }

    Scored score(const ScoreInput& input) const override {
        auto statistics = chrf_statistics(input.output, input.references, options_);
        const double sentence = input.references.empty() ? std::numeric_limits<double>::quiet_NaN()
                                                         : chrf_score(statistics, options_);
        return one_value(sentence, std::move(statistics));
    }

    double aggregate(std::size_t, std::span<const double> sums) const override {
        return chrf_score(sums, options_);
    }

  private:
    ChrfOptions options_;
    std::vector<MetricInfo> metrics_;
};

/// The sentence scores of a corpus metric as a metric of its own: it has a mean over items, so that
/// it is tested as scores are.
class SentenceLevel final : public Scorer {
  public:
    SentenceLevel(std::unique_ptr<Scorer> corpus, std::string signature)
        : corpus_(std::move(corpus)), metrics_(corpus_->metrics()) {
        MetricInfo& info = metrics_.front();
        info.name += "_sentence";
        info.kind = MetricKind::continuous;
        info.signature = "level:sentence|" + std::move(signature);
        info.stats_size = 0;
    }

    const std::vector<MetricInfo>& metrics() const override { return metrics_; }

    Scored score(const ScoreInput& input) const override {
        Scored scored = corpus_->score(input);
        scored.values.front().stats.clear();
        return scored;
    }

  private:
    std::unique_ptr<Scorer> corpus_;
    std::vector<MetricInfo> metrics_;
};

class Rouge final : public Scorer {
  public:
    Rouge(std::vector<RougeType> types, bool stemmer)
        : types_(std::move(types)),
          stemmer_(stemmer),
          lines_(std::ranges::find(types_, RougeType::rouge_lsum) != types_.end()) {
        for (const RougeType type : types_) {
            MetricInfo info;
            info.name = std::string(name(type));
            info.signature = std::string("stemmer:") + (stemmer ? "porter_nltk" : "none") +
                             "|measure:f1|version:" + metrics_version() +
                             "|compat:rouge_score-0.1.2";
            metrics_.push_back(std::move(info));
        }
    }

    const std::vector<MetricInfo>& metrics() const override { return metrics_; }

    Scored score(const ScoreInput& input) const override {
        Scored scored;
        scored.values.resize(types_.size());
        const RougeText prediction(input.output, stemmer_, lines_);
        for (const std::string& one : input.references) {
            const RougeText reference(one, stemmer_, lines_);
            for (std::size_t i = 0; i < types_.size(); ++i) {
                // fmax takes the number where the other is still n/a.
                scored.values[i].value = std::fmax(
                    scored.values[i].value, rouge_score(prediction, reference, types_[i]).f1
                );
            }
        }
        return scored;
    }

  private:
    std::vector<RougeType> types_;
    bool stemmer_;
    bool lines_;
    std::vector<MetricInfo> metrics_;
};

const std::vector<std::string>& tokenizers() {
    static const std::vector<std::string> names = {"13a", "intl", "char", "zh", "none"};
    return names;
}

const std::vector<std::string>& smoothings() {
    static const std::vector<std::string> names = {"exp", "floor", "add-k", "none"};
    return names;
}

const std::vector<std::string>& rouge_types() {
    static const std::vector<std::string> names = {
        "rouge1", "rouge2", "rouge3", "rougeL", "rougeLsum"
    };
    return names;
}

const std::vector<std::string>& levels() {
    static const std::vector<std::string> names = {"corpus", "sentence"};
    return names;
}

Json level_schema() {
    return word_schema(
        levels(),
        "corpus",
        "corpus: one figure for the whole set, as it is published. sentence: the mean of the "
        "items' "
        "own scores, a different figure."
    );
}

Json bleu_schema() {
    return options_object(
        {{"level", level_schema()},
         {"tokenize",
          word_schema(
              tokenizers(),
              "13a",
              "13a for most languages, zh for Chinese, char for every character, intl for Unicode "
              "punctuation, none for text tokenized before."
          )},
         {"smooth_method",
          word_schema(smoothings(), "exp", "What an order without any match counts as.")},
         {"smooth_value",
          {{"type", {"number", "null"}},
           {"minimum", 0},
           {"maximum", 1000},
           {"default", nullptr},
           {"description", "For floor (then 0.1 by default) and add-k (1)."}}},
         {"lowercase", flag_schema(false, "Lower-cases both sides first.")},
         {"max_ngram_order", count_schema(4, 1, 16, "Longest n-gram that is compared.")}}
    );
}

Result<std::unique_ptr<Scorer>> make_bleu(const Json& options) {
    OptionReader reader(options);
    BleuOptions bleu;
    bleu.tokenizer = find_bleu_tokenizer(reader.word("tokenize", "13a", tokenizers()))
                         .value_or(BleuTokenizer::mteval13a);
    bleu.smoothing = find_bleu_smoothing(reader.word("smooth_method", "exp", smoothings()))
                         .value_or(BleuSmoothing::exp);
    if (reader.has("smooth_value")) {
        bleu.smooth_value = reader.number("smooth_value", 0, 0, 1000);
        if (bleu.smoothing != BleuSmoothing::floor && bleu.smoothing != BleuSmoothing::add_k) {
            reader.fail("smooth_value", "only smooth_method floor and add-k have a value");
        }
    }
    bleu.lowercase = reader.flag("lowercase", false);
    bleu.max_ngram_order = reader.count("max_ngram_order", 4, 1, 16);
    const bool sentence = reader.word("level", "corpus", levels()) == "sentence";
    LAB_CHECK(reader.status());
    auto scorer = std::make_unique<Bleu>(bleu);
    if (sentence) {
        return std::make_unique<SentenceLevel>(std::move(scorer), bleu_signature(bleu, true, 1));
    }
    return scorer;
}

Json chrf_schema() {
    return options_object(
        {{"level", level_schema()},
         {"char_order", count_schema(6, 1, 16, "Longest character n-gram.")},
         {"word_order", count_schema(0, 0, 8, "Longest word n-gram; 2 makes it chrF++, 0 is chrF.")
         },
         {"beta", number_schema(2, 0.01, 100, "Weight of recall against precision.")},
         {"lowercase", flag_schema(false, "Lower-cases both sides first.")},
         {"whitespace", flag_schema(false, "Whitespace is part of the character n-grams.")},
         {"eps_smoothing",
          flag_schema(false, "Orders without n-grams count as nearly 0 in place of being left out.")
         }}
    );
}

Result<std::unique_ptr<Scorer>> make_chrf(const Json& options) {
    OptionReader reader(options);
    ChrfOptions chrf;
    chrf.char_order = reader.count("char_order", 6, 1, 16);
    chrf.word_order = reader.count("word_order", 0, 0, 8);
    chrf.beta = reader.number("beta", 2, 0.01, 100);
    chrf.lowercase = reader.flag("lowercase", false);
    chrf.whitespace = reader.flag("whitespace", false);
    chrf.eps_smoothing = reader.flag("eps_smoothing", false);
    const bool sentence = reader.word("level", "corpus", levels()) == "sentence";
    LAB_CHECK(reader.status());
    auto scorer = std::make_unique<Chrf>(chrf);
    if (sentence) {
        return std::make_unique<SentenceLevel>(std::move(scorer), chrf_signature(chrf, 1));
    }
    return scorer;
}

Json rouge_schema() {
    return options_object(
        {{"types",
          {{"type", "array"},
           {"items", {{"enum", rouge_types()}}},
           {"minItems", 1},
           {"default", {"rouge1", "rouge2", "rougeL"}},
           {"description",
            "Which of them; one metric each. Texts outside the letters a-z and digits score 0."}}},
         {"stemmer", flag_schema(false, "Compares the stems of English words (Porter).")}}
    );
}

Result<std::unique_ptr<Scorer>> make_rouge(const Json& options) {
    OptionReader reader(options);
    std::vector<RougeType> types;
    for (const auto& type : reader.words("types", {"rouge1", "rouge2", "rougeL"}, rouge_types())) {
        types.push_back(find_rouge_type(type).value_or(RougeType::rouge1));
    }
    const bool stemmer = reader.flag("stemmer", false);
    LAB_CHECK(reader.status());
    return std::make_unique<Rouge>(std::move(types), stemmer);
}

}  // namespace

ScorerType bleu_type() {
    return {
        "bleu",
        "Corpus BLEU, 0 to 100, equal to sacrebleu's; per item the sentence score.",
        bleu_schema,
        make_bleu
    };
}

ScorerType chrf_type() {
    return {
        "chrf",
        "Corpus chrF (with word_order 2 chrF++), 0 to 100, equal to sacrebleu's; per item the "
        "sentence score.",
        chrf_schema,
        make_chrf
    };
}

ScorerType rouge_type() {
    return {
        "rouge",
        "ROUGE F1 by n-grams and longest common subsequence, 0 to 1; the best reference counts.",
        rouge_schema,
        make_rouge
    };
}

}  // namespace lab::science
