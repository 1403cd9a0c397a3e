#pragma once
#include "base/money.h"
#include "base/result.h"
#include "platform/json/json.h"

#include <nlohmann/json.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// The one model of an experiment. A file, a request to the API and a form all become this type;
/// parse_spec (spec_parse.h) is the only way from JSON to it, docs/experiment-file.md describes it
/// field by field.
namespace lab::domain {

using Seconds = std::chrono::duration<double>;

struct Message {
    std::string role;  ///< system, user, assistant
    std::string content;
    bool operator==(const Message&) const = default;
};

/// A declared expectation, fixed before the run.
struct Hypothesis {
    std::string metric;
    std::string baseline;               ///< variant id
    std::string direction = "greater";  ///< greater, less, different: of the others against it
    double alpha = 0.05;
    std::optional<double> minimum_effect;  ///< smallest difference that matters, in metric units
};

struct DatasetSpec {
    std::string path;    ///< relative to the experiment file; exactly one of path and ref is set
    std::string ref;     ///< name, name@version or a content hash of an imported dataset
    std::string format;  ///< jsonl, json, csv, tsv; empty = from the file's extension
    std::string id_field = "id";  ///< field with the item's id; without one the row number serves
    /// New name -> field of the row; what templates and scorers see in addition to the row's
    /// fields.
    std::vector<std::pair<std::string, std::string>> fields;
    std::string split_field;  ///< with split: only rows whose field equals split are used
    std::string split;
    /// Field -> texts: only rows whose field, as text, is one of them; all conditions together.
    std::vector<std::pair<std::string, std::vector<std::string>>> where;
    std::optional<std::int64_t> limit;   ///< the first n rows, after split and where
    std::optional<std::int64_t> sample;  ///< n rows drawn without replacement with seed
    std::string stratify;  ///< with sample: field whose values keep their shares; empty = none
    std::uint64_t seed = 0;
};

struct FewShotSpec {
    std::int64_t count = 0;
    std::string split;  ///< drawn from rows of this split; empty = from the whole dataset
    std::uint64_t seed = 0;
    /// Rendered once per example and put before the last user message (chat) or before the
    /// template.
    std::vector<Message> messages;
    std::vector<std::string> paths;  ///< where the text of each message is written in the file
    std::string separator = "\n\n";
    /// Written as `template`: one message, whose renderings are joined with the separator and stand
    /// in front of the last message's text. Otherwise they stand before it as messages.
    bool in_text = false;
};

struct PromptSpec {
    std::string id;
    /// Templates. A prompt written as `template` + `system` becomes a system and a user message.
    std::vector<Message> messages;
    std::vector<std::string> paths;  ///< where the text of each message is written in the file
    std::optional<FewShotSpec> few_shot;
};

/// US dollars per million tokens. Absent = unknown, and then so is the cost.
struct Pricing {
    std::optional<Money> input;
    std::optional<Money> output;
    std::optional<Money> cache_read;   ///< default: as input
    std::optional<Money> cache_write;  ///< default: as input
    bool operator==(const Pricing&) const = default;
};

struct Limits {
    std::int64_t concurrency = 0;  ///< 0 = run.concurrency
    std::optional<double> requests_per_minute;
    std::optional<double> tokens_per_minute;
};

struct ReplaySpec {
    std::string path;  ///< JSONL, one row per item; relative to the experiment file
    std::string id_field = "id";
    std::string output_field = "output";  ///< dots reach into nested objects
};

struct ModelSpec {
    std::string id;
    std::string provider;  ///< openai, anthropic, google, azure, replay, or a preset of openai
    std::string model;     ///< the provider's own name for it
    std::string base_url;  ///< empty = the provider's
    std::string
        api_key_env;  ///< NAME of the environment variable; empty = the provider's usual one
    std::string api = "chat";  ///< chat or completions
    bool stream = true;
    /// Sent with every request: temperature, max_tokens, top_p, stop, seed ... (free-form).
    Json parameters = Json::object();
    std::vector<std::pair<std::string, std::string>> headers;  ///< extra, never secret
    std::optional<Pricing> pricing;                            ///< overrides the price table
    Limits limits;
    std::optional<ReplaySpec> replay;
};

/// One arm of the experiment, fully resolved: which model, which prompt, which parameters.
struct Variant {
    std::string id;  ///< "model/prompt", with "temperature=0.5" and the like behind for sweeps
    std::size_t model = 0;             ///< index into models
    std::size_t prompt = 0;            ///< index into prompts
    Json parameters = Json::object();  ///< the model's, with the variant's own on top
    /// Where it is written in the file: "variants[2]", or "variants" when it is one of a matrix.
    std::string path;
    /// Its own parameters and where each is written: {"top_p", "variants.sweep.top_p[0]"}.
    std::vector<std::pair<std::string, std::string>> own;
};

struct ScorerSpec {
    std::string id;  ///< names the metrics when two scorers would give the same name
    std::string type;
    std::vector<std::string> references;  ///< templates over the item's fields: "{{answer}}"
    /// A field of the item that holds a list of references; exclusive with references.
    std::string reference_list;
    Json extract = Json::array();            ///< steps applied to the output
    Json extract_reference = Json::array();  ///< steps applied to each reference
    Json options = Json::object();           ///< the scorer's own, checked by its schema
};

enum class Compare : std::uint8_t { baseline, all_pairs };
enum class CorrectionMethod : std::uint8_t { holm, bh, none };
enum class McNemarKind : std::uint8_t { midp, exact };

struct AnalysisSpec {
    std::vector<std::string> primary;  ///< metric names; empty = the first metric of each scorer
    Compare compare = Compare::baseline;
    std::string baseline;  ///< variant id; empty = the hypothesis', else the first variant
    CorrectionMethod correction = CorrectionMethod::holm;
    McNemarKind mcnemar = McNemarKind::midp;
    std::string cluster;  ///< field of the item whose values group items; empty = independent items
    double confidence = 0.95;
    std::int64_t bootstrap = 2000;  ///< replicates
};

struct RetrySpec {
    int max_attempts = 5;
    Seconds initial{0.5};
    Seconds maximum{60};
    double budget_share = 0.2;  ///< retries allowed, as a share of the calls, beyond a floor of 100
};

enum class CacheMode : std::uint8_t { off, read_write, read_only };

struct Budget {
    std::optional<Money> max_cost;
    std::optional<std::int64_t> max_calls;
    std::optional<std::int64_t> max_tokens;
};

struct RunSpec {
    int repetitions = 1;
    std::uint64_t seed = 0;
    int concurrency = 16;
    Seconds timeout{120};  ///< of one attempt, from sending to the last byte
    RetrySpec retry;
    CacheMode cache = CacheMode::off;
    Budget budget;
    double max_error_share = 0.05;
};

/// One condition that decides the exit code; exactly one of the three kinds.
struct GateSpec {
    // A figure of every variant (or of one) within bounds.
    std::string metric;
    std::string variant;  ///< empty = every variant
    std::optional<double> min;
    std::optional<double> max;
    bool use_interval = false;  ///< compare the bound of the interval instead of the estimate
    // The verdict of a comparison against the baseline is one of these.
    std::vector<std::string> verdict;  ///< better, worse, equivalent, no_difference_shown
    // Figures of the whole run: error_share, unparsed_share, cost_usd, latency_p95_s.
    std::string figure;
};

struct ReportSpec {
    std::string path;  ///< its extension chooses the format: html, json, md, csv, xml (JUnit)
};

struct ExperimentSpec {
    std::string name;
    std::string description;
    std::vector<std::string> tags;
    std::optional<Hypothesis> hypothesis;
    DatasetSpec dataset;
    std::vector<PromptSpec> prompts;
    std::vector<ModelSpec> models;
    std::vector<Variant> variants;  ///< resolved: never empty
    std::vector<ScorerSpec> scorers;
    AnalysisSpec analysis;
    RunSpec run;
    std::vector<GateSpec> gates;
    std::vector<ReportSpec> reports;
    /// What was parsed, as it was written: stored with the run, hashed for the manifest.
    Json source = Json::object();
};

}  // namespace lab::domain
