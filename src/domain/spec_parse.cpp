#include "domain/spec_parse.h"

#include "base/text.h"
#include "domain/impl/spec_check.h"
#include "domain/impl/spec_node.h"
#include "domain/impl/spec_variants.h"
#include "domain/impl/spec_words.h"
#include "domain/problem_paths.h"
#include "platform/json/schema.h"

#include <algorithm>

namespace lab::domain {
namespace {

/// A number of rows; nothing when it is none, because nobody can take less than one.
std::optional<std::int64_t> row_count(const SpecNode& node) {
    const std::optional<std::int64_t> count = node.whole();
    return count && *count >= 1 ? count : std::nullopt;
}

using Texts = std::vector<std::string>;

DatasetSpec read_dataset(const SpecNode& node) {
    DatasetSpec out;
    out.path = node.member("path").text();
    out.ref = node.member("ref").text();
    const std::string format = node.member("format").text();
    if (std::ranges::find(words::kFormats, format) != words::kFormats.end()) {
        out.format = format;
    }
    out.id_field = node.member("id").text(out.id_field);
    for (const auto& [name, field] : node.member("fields").members()) {
        out.fields.emplace_back(name, field.text());
    }
    const SpecNode split = node.member("split");
    out.split_field = node.member("split_field").text("split");
    out.split = split.text();
    if (split.is_object()) {
        out.split_field = split.member("field").text("split");
        out.split = split.member("value").text();
    }
    for (const auto& [name, values] : node.member("where").members()) {
        std::vector<std::string>& texts = out.where.emplace_back(name, Texts{}).second;
        const Json& wanted = values.json();
        for (const Json& value : wanted.is_array() ? wanted : Json::array({wanted})) {
            texts.push_back(value.is_string() ? value.get<std::string>() : dump_json(value));
        }
    }
    out.stratify = node.member("stratify").text();
    out.limit = row_count(node.member("limit"));
    out.sample = row_count(node.member("sample"));
    out.seed = node.member("seed").seed();
    return out;
}

/// Fills the messages and paths of a prompt or of its examples.
template <class Templates>
void read_messages(const SpecNode& list, Templates& out) {
    for (const SpecNode& entry : list.entries()) {
        const SpecNode content = entry.member("content");
        out.messages.push_back({entry.member("role").text(), content.text()});
        out.paths.push_back(content.path());
    }
}

template <class Templates>
void add_message(std::string role, const SpecNode& text, Templates& out) {
    out.messages.push_back({std::move(role), text.text()});
    out.paths.push_back(text.path());
}

FewShotSpec read_few_shot(const SpecNode& node) {
    FewShotSpec out;
    out.count = std::clamp<std::int64_t>(node.member("count").whole().value_or(0), 0, kShotsMax);
    out.split = node.member("split").text();
    out.seed = node.member("seed").seed();
    out.separator = node.member("separator").text(out.separator);
    if (node.has("template")) {
        out.in_text = true;
        add_message("user", node.member("template"), out);
    } else {
        read_messages(node.member("messages"), out);
    }
    return out;
}

PromptSpec read_prompt(const SpecNode& node, std::size_t position) {
    PromptSpec out;
    if (node.is_text()) {
        out.id = "prompt" + std::to_string(position + 1);
        add_message("user", node, out);
        return out;
    }
    out.id = node.member("id").text();
    if (node.has("template")) {
        if (node.has("system")) {
            add_message("system", node.member("system"), out);
        }
        add_message("user", node.member("template"), out);
    } else {
        read_messages(node.member("messages"), out);
    }
    if (node.has("few_shot")) {
        out.few_shot = read_few_shot(node.member("few_shot"));
    }
    return out;
}

Pricing read_pricing(const SpecNode& node) {
    return {
        .input = node.member("input_per_million").money(),
        .output = node.member("output_per_million").money(),
        .cache_read = node.member("cache_read_per_million").money(),
        .cache_write = node.member("cache_write_per_million").money(),
    };
}

ModelSpec read_model(const SpecNode& node) {
    ModelSpec out;
    out.provider = node.member("provider").text();
    out.model = node.member("model").text();
    out.id = node.member("id").text(out.model);
    out.model = out.model.empty() && out.provider == "replay" ? out.id : out.model;
    out.base_url = node.member("base_url").text();
    out.api_key_env = node.member("api_key_env").text();
    out.api = node.member("api").text(out.api);
    out.stream = node.member("stream").flag(out.stream);
    out.parameters = node.member("parameters").object();
    for (const auto& [name, value] : node.member("headers").members()) {
        out.headers.emplace_back(name, value.text());
    }
    if (node.has("pricing")) {
        out.pricing = read_pricing(node.member("pricing"));
    }
    const SpecNode limits = node.member("limits");
    out.limits.concurrency = limits.member("concurrency").whole().value_or(0);
    out.limits.requests_per_minute = limits.member("requests_per_minute").number();
    out.limits.tokens_per_minute = limits.member("tokens_per_minute").number();
    const SpecNode replay = node.member("replay");
    if (replay.is_object()) {
        ReplaySpec recorded;
        recorded.path = replay.member("path").text();
        recorded.id_field = replay.member("id").text(recorded.id_field);
        recorded.output_field = replay.member("output").text(recorded.output_field);
        out.replay = std::move(recorded);
    }
    return out;
}

const Json* options_schema(const SpecVocabulary& vocabulary, const std::string& type) {
    for (const auto& [name, schema] : vocabulary.scorers) {
        if (name == type) {
            return &schema;
        }
    }
    return nullptr;
}

ScorerSpec read_scorer(
    const SpecNode& node, const SpecVocabulary& vocabulary, std::vector<Detail>& problems
) {
    ScorerSpec out;
    out.type = node.is_text() ? node.text() : node.member("type").text();
    const Json* schema = options_schema(vocabulary, out.type);
    if (node.is_text() && schema != nullptr && schema->is_object() &&
        !schema->value("required", Json::array()).empty()) {
        const std::string key = (*schema)["required"][0].get<std::string>();
        problems.push_back(
            {node.path(), "needs options: write {type: " + out.type + ", " + key + ": ...}"}
        );
    }
    out.id = node.member("id").text();
    out.references = node.member("reference").texts();
    out.reference_list = node.member("reference_list").text();
    const bool needs_none =
        schema != nullptr && schema->is_object() && schema->value("x-reference", "") == "none";
    if (out.references.empty() && out.reference_list.empty() && !needs_none) {
        out.references = {"{{reference}}"};
    }
    static constexpr std::string_view kCommon[] = {
        "type", "id", "reference", "reference_list", "extract", "extract_reference"
    };
    for (const auto& [key, value] : node.members()) {
        if (key == "extract") {
            out.extract = value.json();
        } else if (key == "extract_reference") {
            out.extract_reference = value.json();
        } else if (std::ranges::find(kCommon, key) == std::end(kCommon)) {
            out.options[key] = value.json();
        }
    }
    return out;
}

/// Position of the word among those the schema allows; the fallback when it is none of them.
template <class Enum>
Enum choice(const SpecNode& node, const std::vector<std::string>& allowed, Enum fallback) {
    const auto at = std::ranges::find(allowed, node.text());
    return at == allowed.end() ? fallback : static_cast<Enum>(at - allowed.begin());
}

AnalysisSpec read_analysis(const SpecNode& node) {
    AnalysisSpec out;
    out.primary = node.member("primary").texts();
    out.compare = choice(node.member("compare"), words::kCompare, out.compare);
    out.baseline = node.member("baseline").text();
    out.correction = choice(node.member("correction"), words::kCorrections, out.correction);
    out.mcnemar = choice(node.member("mcnemar"), words::kMcNemar, out.mcnemar);
    out.cluster = node.member("cluster").text();
    out.confidence = node.member("confidence").number().value_or(out.confidence);
    out.bootstrap = node.member("bootstrap").whole().value_or(out.bootstrap);
    return out;
}

int small(const SpecNode& node, int fallback) {
    const auto value = node.whole();
    return value && *value >= 0 && *value <= 1'000'000 ? static_cast<int>(*value) : fallback;
}

RunSpec read_run(const SpecNode& node) {
    RunSpec out;
    out.repetitions = small(node.member("repetitions"), out.repetitions);
    out.seed = node.member("seed").seed();
    out.concurrency = small(node.member("concurrency"), out.concurrency);
    out.timeout = node.member("timeout").duration().value_or(out.timeout);
    const SpecNode retry = node.member("retry");
    out.retry.max_attempts = small(retry.member("max_attempts"), out.retry.max_attempts);
    out.retry.initial = retry.member("initial").duration().value_or(out.retry.initial);
    out.retry.maximum = retry.member("maximum").duration().value_or(out.retry.maximum);
    out.retry.budget_share = retry.member("budget_share").number().value_or(out.retry.budget_share);
    out.cache = choice(node.member("cache"), words::kCacheModes, out.cache);
    const SpecNode budget = node.member("budget");
    out.budget.max_cost = budget.member("max_cost_usd").money();
    out.budget.max_calls = budget.member("max_calls").whole();
    out.budget.max_tokens = budget.member("max_tokens").whole();
    out.max_error_share = node.member("max_error_share").number().value_or(out.max_error_share);
    return out;
}

std::optional<Hypothesis> read_hypothesis(const SpecNode& node) {
    if (!node.is_object()) {
        return std::nullopt;
    }
    Hypothesis out;
    out.metric = node.member("metric").text();
    out.baseline = node.member("baseline").text();
    out.direction = node.member("direction").text(out.direction);
    out.alpha = node.member("alpha").number().value_or(out.alpha);
    out.minimum_effect = node.member("minimum_effect").number();
    return out;
}

GateSpec read_gate(const SpecNode& node) {
    GateSpec out;
    out.metric = node.member("metric").text();
    out.variant = node.member("variant").text();
    out.min = node.member("min").number();
    out.max = node.member("max").number();
    out.use_interval = node.member("use_interval").flag(out.use_interval);
    out.verdict = node.member("verdict").texts();
    out.figure = node.member("figure").text();
    return out;
}

/// Everything but the variants, which need models and prompts first.
ExperimentSpec read_sections(
    const SpecNode& root, const SpecVocabulary& vocabulary, std::vector<Detail>& problems
) {
    ExperimentSpec spec;
    spec.name = root.member("name").text();
    spec.description = root.member("description").text();
    spec.tags = root.member("tags").texts();
    spec.hypothesis = read_hypothesis(root.member("hypothesis"));
    spec.dataset = read_dataset(root.member("dataset"));
    for (const SpecNode& node : root.member("prompts").entries()) {
        spec.prompts.push_back(read_prompt(node, spec.prompts.size()));
    }
    for (const SpecNode& node : root.member("models").entries()) {
        spec.models.push_back(read_model(node));
    }
    for (const SpecNode& node : root.member("scorers").entries()) {
        spec.scorers.push_back(read_scorer(node, vocabulary, problems));
    }
    spec.analysis = read_analysis(root.member("analysis"));
    spec.run = read_run(root.member("run"));
    for (const SpecNode& node : root.member("gate").entries()) {
        spec.gates.push_back(read_gate(node));
    }
    for (const SpecNode& node : root.member("report").entries()) {
        spec.reports.push_back({node.is_text() ? node.text() : node.member("path").text()});
    }
    if (!root.has("prompts")) {
        // For recorded outputs nobody was asked anything; check_spec refuses it for other models.
        spec.prompts.push_back({.id = "recorded", .messages = {}, .paths = {}, .few_shot = {}});
    }
    return spec;
}

}  // namespace

std::string format_of_path(std::string_view path) {
    const std::string lowered = to_lower(path);
    static constexpr std::pair<std::string_view, std::string_view> kEndings[] = {
        {".jsonl", "jsonl"},
        {".ndjson", "jsonl"},
        {".json", "json"},
        {".csv", "csv"},
        {".tsv", "tsv"},
        {".tab", "tsv"},
        {".parquet", "parquet"},
    };
    for (const auto& [ending, format] : kEndings) {
        if (lowered.ends_with(ending)) {
            return std::string(format);
        }
    }
    return "";
}

ParsedSpec read_spec(const Json& source, const SpecVocabulary& vocabulary) {
    ParsedSpec out;
    std::vector<Detail>& problems = out.problems;
    problems = check_schema(source, experiment_schema(vocabulary));
    // A key that is written wrong is not missing as well.
    const ProblemPaths paths(problems);
    std::erase_if(problems, [&](const Detail& problem) {
        return problem.message.starts_with("required key") && paths.misspelled(problem.field);
    });
    const SpecNode root(&source, "");
    ExperimentSpec& spec = out.spec;
    spec = read_sections(root, vocabulary, problems);
    check_prompts_given(root, spec, problems);
    resolve_variants(root, spec, problems);
    check_spec(root, spec, problems);
    if (spec.analysis.baseline.empty()) {
        if (spec.hypothesis) {
            spec.analysis.baseline = spec.hypothesis->baseline;
        } else if (!spec.variants.empty()) {
            spec.analysis.baseline = spec.variants.front().id;
        }
    }
    spec.source = source;
    return out;
}

Result<ExperimentSpec> parse_spec(const Json& source, const SpecVocabulary& vocabulary) {
    ParsedSpec parsed = read_spec(source, vocabulary);
    if (!parsed.problems.empty()) {
        const std::size_t problems = parsed.problems.size();
        const std::string count =
            problems == 1 ? "a problem" : std::to_string(problems) + " problems";
        return Error(Code::validation, "the experiment has " + count, std::move(parsed.problems));
    }
    return std::move(parsed.spec);
}

}  // namespace lab::domain
