#include "domain/impl/spec_words.h"
#include "domain/spec_parse.h"

#include <limits>

namespace lab::domain {
namespace {

constexpr std::int64_t kRowsMax = 1'000'000'000'000;

Json text(std::string_view description) {
    return {{"type", "string"}, {"minLength", 1}, {"description", description}};
}

Json any_text(std::string_view description) {
    return {{"type", "string"}, {"description", description}};
}

Json identifier(std::string_view description) {
    Json schema = text(description);
    schema["maxLength"] = 200;
    return schema;
}

Json word(const std::vector<std::string>& words, std::string_view description) {
    return {{"type", "string"}, {"enum", words}, {"description", description}};
}

Json flag(bool fallback, std::string_view description) {
    return {{"type", "boolean"}, {"default", fallback}, {"description", description}};
}

Json whole(std::int64_t least, std::int64_t most, std::string_view description) {
    return {
        {"type", "integer"}, {"minimum", least}, {"maximum", most}, {"description", description}
    };
}

Json seed(std::string_view description) {
    return {
        {"type", "integer"},
        {"minimum", 0},
        {"maximum", std::numeric_limits<std::uint64_t>::max()},
        {"default", 0},
        {"description", description}
    };
}

Json positive(std::string_view description) {
    return {{"type", "number"}, {"exclusiveMinimum", 0}, {"description", description}};
}

Json share(std::string_view description) {
    return {{"type", "number"}, {"minimum", 0}, {"maximum", 1}, {"description", description}};
}

Json number(std::string_view description) {
    return {{"type", "number"}, {"description", description}};
}

Json with_default(Json schema, Json fallback) {
    schema["default"] = std::move(fallback);
    return schema;
}

Json with_example(Json schema, Json example) {
    schema["examples"] = Json::array({std::move(example)});
    return schema;
}

/// Dollars: a number, or text for those who distrust binary fractions. Both end up exact.
Json money(std::string_view description, bool zero_allowed) {
    Json amount = {{"type", "number"}};
    amount[zero_allowed ? "minimum" : "exclusiveMinimum"] = 0;
    Json decimal = {
        {"type", "string"},
        {"pattern", "^[0-9]+(\\.[0-9]{1,12})?$"},
        {"x-hint", "an amount in US dollars such as 0.15, at most 12 decimals"}
    };
    return {{"anyOf", {std::move(amount), std::move(decimal)}}, {"description", description}};
}

Json duration(std::string_view description) {
    Json seconds = {{"type", "number"}, {"exclusiveMinimum", 0}, {"maximum", 86'400}};
    Json words = {
        {"type", "string"},
        {"pattern", "^([0-9]+(\\.[0-9]+)?(ms|s|m|h))+$"},
        {"x-hint", "a duration such as 30s, 500ms, 2m or 1h, or a number of seconds"}
    };
    return {{"anyOf", {std::move(seconds), std::move(words)}}, {"description", description}};
}

Json list(Json items, std::string_view description, std::size_t least = 0) {
    Json schema = {{"type", "array"}, {"items", std::move(items)}, {"description", description}};
    if (least > 0) {
        schema["minItems"] = least;
    }
    return schema;
}

Json one_or_list(Json item, std::string_view description) {
    Json many = {{"type", "array"}, {"minItems", 1}, {"items", item}};
    return {{"anyOf", {std::move(item), std::move(many)}}, {"description", description}};
}

Json object(
    Json properties, std::string_view description, const std::vector<std::string>& required = {}
) {
    Json schema = {{"type", "object"}, {"description", description}};
    schema["properties"] = std::move(properties);
    if (!required.empty()) {
        schema["required"] = required;
    }
    schema["additionalProperties"] = false;
    return schema;
}

Json map_of(Json value, std::string_view description) {
    return {
        {"type", "object"}, {"description", description}, {"additionalProperties", std::move(value)}
    };
}

Json free_form(std::string_view description) {
    return {{"type", "object"}, {"description", description}, {"additionalProperties", true}};
}

Json reference_to(std::string_view definition) {
    return {{"$ref", "#/$defs/" + std::string(definition)}};
}

Json hypothesis_schema() {
    Json properties = {
        {"metric", text("The metric the claim is about, by the name reports give it.")},
        {"baseline", text("Id of the variant the others are measured against.")},
        {"direction",
         with_default(
             word(words::kDirections, "What is claimed of the others against the baseline."),
             "greater"
         )},
        {"alpha",
         {{"type", "number"},
          {"exclusiveMinimum", 0},
          {"exclusiveMaximum", 1},
          {"default", 0.05},
          {"description", "Accepted chance of claiming a difference that is none."}}},
        {"minimum_effect",
         positive(
             "The smallest difference that matters, in units of the metric. Without it nothing "
             "can be called equivalent."
         )},
    };
    return object(
        std::move(properties),
        "What is expected, written down before the run; reports separate it from what was found "
        "by looking.",
        {"metric", "baseline"}
    );
}

Json dataset_schema() {
    Json split_object = {
        {"type", "object"},
        {"properties",
         {{"field", with_default(text("Field of the row that names its split."), "split")},
          {"value", text("Only rows with this value are used.")}}},
        {"required", {"value"}},
        {"additionalProperties", false},
    };
    Json properties = {
        {"path", text("A file, relative to this one. Exactly one of `path` and `ref`.")},
        {"ref", text("An imported dataset: name, name@version, or content hash.")},
        {"format", word(words::kFormats, "Format of the file. Default: from the file's extension.")
        },
        {"id",
         with_default(
             text("Field that identifies a row. Rows without one are known by their number."), "id"
         )},
        {"fields",
         map_of(
             text("Field of the row; dots reach into nested objects."),
             "Additional names: new name -> field of the row. Templates and scorers see both."
         )},
        {"split",
         {{"anyOf", {text("Value of the field `split`."), std::move(split_object)}},
          {"description",
           "Which rows to use: a value of `split_field`, or {field, value}. Default: "
           "all."}}},
        {"split_field", with_default(text("Field that `split` compares."), "split")},
        {"where",
         map_of(
             one_or_list({{"type", {"string", "number", "boolean"}}}, "Value, or values."),
             "Only rows whose field has this value, or one of these: field -> value or list. Dots "
             "reach into nested objects; several conditions hold together."
         )},
        {"limit",
         whole(1, kRowsMax, "Only the first n rows, after `split` and `where`. Not with `sample`.")
        },
        {"sample",
         whole(
             1,
             kRowsMax,
             "n rows drawn with `seed`, after `split` and `where`, without replacement."
         )},
        {"stratify",
         text("With `sample`: field whose values keep their shares among the drawn rows.")},
        {"seed", seed("Seed of `sample`.")},
    };
    return object(std::move(properties), "The rows that are put to the models.");
}

Json message_schema() {
    Json properties = {
        {"role", word(words::kRoles, "Who speaks.")},
        {"content", any_text("Template: {{name}} is replaced by the row's field.")},
    };
    return object(std::move(properties), "One message of a chat.", {"role", "content"});
}

Json few_shot_schema() {
    Json properties = {
        {"count", whole(1, kShotsMax, "How many examples.")},
        {"split",
         text("Drawn from rows with this split. Default: the whole dataset, the row itself never.")
        },
        {"seed", seed("Seed of the draw.")},
        {"template",
         text("Template of one example; the examples stand before the text of the last message.")},
        {"messages",
         list(
             reference_to("message"),
             "Messages of one example; they stand before the last message.",
             1
         )},
        {"separator", with_default(any_text("Between examples written as `template`."), "\n\n")},
    };
    return object(
        std::move(properties),
        "Examples put before the question. Exactly one of `template` and `messages`.",
        {"count"}
    );
}

Json prompt_schema() {
    Json properties = {
        {"id", identifier("Name of the prompt, unique.")},
        {"template", text("The user message, with {{name}} for fields of the row. Or `messages`.")},
        {"system", text("The system message that goes with `template`.")},
        {"messages", list(reference_to("message"), "The whole chat. Or `template`.", 1)},
        {"few_shot", few_shot_schema()},
    };
    return {
        {"anyOf",
         {text("Short for {id: prompt1, template: ...}, numbered by position."),
          object(std::move(properties), "A prompt.", {"id"})}},
    };
}

Json pricing_schema() {
    Json properties = {
        {"input_per_million", money("Uncached input tokens.", true)},
        {"output_per_million", money("Output tokens, reasoning included.", true)},
        {"cache_read_per_million", money("Tokens read from a cache. Default: as input.", true)},
        {"cache_write_per_million", money("Tokens written to a cache. Default: as input.", true)},
    };
    return object(
        std::move(properties),
        "US dollars per million tokens; replaces the built-in price table. A price that is not "
        "known makes the cost n/a, not 0."
    );
}

Json limits_schema() {
    Json properties = {
        {"concurrency", whole(1, 10'000, "Calls in flight. Default: run.concurrency.")},
        {"requests_per_minute", positive("Requests begun per minute.")},
        {"tokens_per_minute", positive("Tokens per minute, estimated before each call.")},
    };
    return object(std::move(properties), "What the endpoint may be asked.");
}

Json replay_schema() {
    Json properties = {
        {"path", text("JSONL file with one recorded output a row, relative to this file.")},
        {"id", with_default(text("Field with the item's id."), "id")},
        {"output",
         with_default(text("Field with the output; dots reach into nested objects."), "output")},
    };
    return object(
        std::move(properties), "Recorded outputs, for `provider: replay` only.", {"path"}
    );
}

Json model_schema(const SpecVocabulary& vocabulary) {
    Json provider = vocabulary.providers.empty()
                        ? text("Who serves the model.")
                        : word(vocabulary.providers, "Who serves the model.");
    provider["x-noun"] = "provider";
    Json variable = with_example(
        text("NAME of the environment variable that holds the key, never the key. Default: the "
             "provider's usual one, for the provider's own servers; another `base_url` gets no key "
             "unless it is named here."),
        "OPENAI_API_KEY"
    );
    Json properties = {
        {"id", identifier("Name of the model in this file, unique. Default: `model`.")},
        {"provider", std::move(provider)},
        {"model", text("The provider's own name of the model. Not needed for `replay`.")},
        {"base_url",
         with_example(
             text("Address of the server, its version included. Default: the provider's. A host "
                  "alone gets the version that the SDKs of anthropic and google add; of azure it "
                  "is all that is needed. Of bedrock it is that of the region in AWS_REGION."),
             "http://localhost:8080/v1"
         )},
        {"api_key_env", std::move(variable)},
        {"api", with_default(word(words::kApis, "Protocol of providers that speak both."), "chat")},
        {"stream",
         flag(true, "Whether answers are streamed, so that the time to the first token is known.")},
        {"parameters",
         free_form(
             "Sent with every request as they are: temperature, max_tokens, top_p, stop, seed ..."
         )},
        {"headers", map_of(any_text("Value."), "Additional request headers; never keys or tokens.")
        },
        {"pricing", pricing_schema()},
        {"limits", limits_schema()},
        {"replay", replay_schema()},
    };
    return object(std::move(properties), "A model behind an endpoint.", {"provider"});
}

Json variant_schema() {
    Json properties = {
        {"id", identifier("Name of the variant. Default: as in the full matrix.")},
        {"model", text("Id of a model. Default: the only one.")},
        {"prompt", text("Id of a prompt. Default: the only one.")},
        {"parameters", free_form("Laid over the model's parameters.")},
    };
    return object(std::move(properties), "One arm of the experiment.");
}

Json variants_schema() {
    Json sweep = map_of(
        list({{"description", "A value of the parameter."}}, "Values to try.", 1),
        "Parameter -> values; every combination becomes a variant."
    );
    Json matrix = {
        {"models", list(text("Id of a model."), "Models to use. Default: all.", 1)},
        {"prompts", list(text("Id of a prompt."), "Prompts to use. Default: all.", 1)},
        {"sweep", std::move(sweep)},
    };
    Json listed = list(variant_schema(), "The variants, one by one.", 1);
    listed["maxItems"] = kVariantsMax;
    return {
        {"anyOf",
         {std::move(listed),
          object(
              std::move(matrix),
              "The matrix of models, prompts and swept "
              "parameters."
          )}},
        {"description",
         "What is compared. Default: every model with every prompt. Ids are model/prompt; only "
         "model when there is one prompt, only prompt when there is one model; swept parameters "
         "follow as :name=value."},
    };
}

/// The keys all scorers share, around those of one type.
Json scorer_form(const std::string& type, const Json& options, const SpecVocabulary& vocabulary) {
    Json properties = Json::object();
    properties["type"] = {
        {"const", type}, {"description", "Kind of scorer."}, {"x-noun", "scorer"}
    };
    properties["id"] = identifier(
        "Names the metrics when two scorers would give the same name. Default: the metric's own."
    );
    properties["reference"] = with_default(
        one_or_list(
            text("Template over the row's fields, such as {{answer}}."),
            "The right answer, or several of which one is enough."
        ),
        "{{reference}}"
    );
    properties["reference_list"] =
        text("A field of the row that holds a list of right answers; instead of `reference`.");
    const bool known = vocabulary.extract_schema.is_object();
    for (const auto& [key, of] :
         {std::pair("extract", "output"), std::pair("extract_reference", "reference")}) {
        const Json step = {{"type", "object"}};
        const Json steps = {{"anyOf", {step, {{"type", "array"}, {"items", step}}}}};
        properties[key] = known ? reference_to("extract") : steps;
        properties[key]["description"] =
            "How the answer is taken out of the " + std::string(of) + ": one step or a list.";
    }
    Json required = Json::array({"type"});
    if (options.is_object()) {
        const Json own = options.value("properties", Json::object());
        for (const auto& [key, schema] : own.items()) {
            properties[key] = schema;
        }
        for (const Json& key : options.value("required", Json::array())) {
            required.push_back(key);
        }
    }
    Json form = object(
        std::move(properties),
        options.is_object() ? options.value("description", "A scorer.") : "A scorer."
    );
    form["required"] = std::move(required);
    return form;
}

Json scorers_schema(const SpecVocabulary& vocabulary) {
    Json forms = Json::array();
    std::vector<std::string> names;
    for (const auto& [type, options] : vocabulary.scorers) {
        forms.push_back(reference_to("scorer_" + type));
        names.push_back(type);
    }
    if (names.empty()) {
        Json any = scorer_form("", Json(), vocabulary);
        any["properties"]["type"] = text("Kind of scorer.");
        any["additionalProperties"] = true;
        forms.push_back(std::move(any));
        forms.push_back(text("Short for a scorer without options."));
    } else {
        Json name = word(names, "Short for a scorer without options.");
        name["x-noun"] = "scorer";
        forms.push_back(std::move(name));
    }
    return list(
        {{"anyOf", std::move(forms)}},
        "How outputs become numbers. The options of each type stand beside `type`.",
        1
    );
}

Json analysis_schema() {
    Json properties = {
        {"primary",
         list(
             text("Name of a metric."),
             "The metrics that are tested; the rest is shown without p-values. Default: the first "
             "metric of each scorer."
         )},
        {"compare",
         with_default(
             word(words::kCompare, "Every variant with the baseline, or every pair."), "baseline"
         )},
        {"baseline",
         text("Id of the variant the others are compared with. Default: the hypothesis', else the "
              "first.")},
        {"correction",
         with_default(
             word(words::kCorrections, "Correction for looking at several comparisons."), "holm"
         )},
        {"mcnemar",
         with_default(
             word(words::kMcNemar, "Which form of the test for right/wrong metrics."), "midp"
         )},
        {"cluster",
         text("Field whose values group rows that are not independent (a passage, a task).")},
        {"confidence",
         {{"type", "number"},
          {"exclusiveMinimum", 0},
          {"exclusiveMaximum", 1},
          {"default", 0.95},
          {"description", "Level of the intervals."}}},
        {"bootstrap", with_default(whole(100, 1'000'000, "Bootstrap replicates."), 2000)},
    };
    return object(std::move(properties), "What is computed, fixed before the run.");
}

Json run_schema() {
    Json retry = {
        {"max_attempts", with_default(whole(1, 100, "Requests for one sample at most."), 5)},
        {"initial", with_default(duration("First wait; doubled each time, with jitter."), "500ms")},
        {"maximum",
         with_default(
             duration("Longest wait; a server's Retry-After is kept up to five times it."), "60s"
         )},
        {"budget_share",
         with_default(share("Retries allowed as a share of all calls, beyond the first 100."), 0.2)
        },
    };
    Json budget = {
        {"max_cost_usd", money("US dollars; never exceeded.", false)},
        {"max_calls", whole(1, kRowsMax, "Requests, retries included.")},
        {"max_tokens", whole(1, kRowsMax * 1000, "Tokens of all kinds.")},
    };
    Json properties = {
        {"repetitions", with_default(whole(1, 10'000, "Answers per item and variant."), 1)},
        {"seed", seed("Seed of the order, the bootstrap and whatever is drawn.")},
        {"concurrency", with_default(whole(1, 10'000, "Calls in flight per model."), 16)},
        {"timeout", with_default(duration("Of one attempt, from sending to the last byte."), "120s")
        },
        {"retry", object(std::move(retry), "What happens after a failure that may pass.")},
        {"cache",
         with_default(
             word(words::kCacheModes, "Whether equal requests are answered from earlier runs."),
             "off"
         )},
        {"budget",
         object(
             std::move(budget),
             "Hard limits: the run stops before the call that could pass one, and keeps its "
             "results."
         )},
        {"max_error_share",
         with_default(share("The run fails when more samples than this have no output."), 0.05)},
    };
    return object(std::move(properties), "How the calls are made.");
}

Json gate_schema() {
    Json properties = {
        {"metric", text("A metric; with `min`/`max` or with `verdict`.")},
        {"variant", text("Only this variant. Default: every one.")},
        {"min", number("Fails below this.")},
        {"max", number("Fails above this.")},
        {"use_interval",
         flag(false, "Compare the near bound of the interval instead of the estimate.")},
        {"verdict",
         one_or_list(
             word(words::kVerdicts, "A verdict."),
             "The comparison with the baseline must end in one of these."
         )},
        {"figure", word(words::kFigures, "A figure of the whole run, with `min`/`max`.")},
    };
    return object(
        std::move(properties),
        "A condition that decides the exit code (100 when it fails): {metric, min, max}, {metric, "
        "verdict} or {figure, min, max}."
    );
}

Json report_schema() {
    Json path = {
        {"type", "string"},
        {"pattern", "\\.(html|json|md|csv|xml)$"},
        {"x-hint", "a file name that ends in .html, .json, .md, .csv or .xml (JUnit)"},
        {"description", "File to write; its extension chooses the format."}
    };
    return {
        {"anyOf", {path, object({{"path", path}}, "A report.", {"path"})}},
    };
}

Json definitions(const SpecVocabulary& vocabulary) {
    Json defs = Json::object();
    // Definitions of the vocabulary's own schemas move to the root, where $ref looks for them.
    const auto add = [&defs](const std::string& name, Json schema) {
        if (const auto own = schema.find("$defs"); own != schema.end()) {
            defs.update(*own);
            schema.erase("$defs");
        }
        defs[name] = std::move(schema);
    };
    add("message", message_schema());
    if (vocabulary.extract_schema.is_object()) {
        add("extract", vocabulary.extract_schema);
    }
    for (const auto& [type, options] : vocabulary.scorers) {
        Json form = scorer_form(type, options, vocabulary);
        if (options.is_object() && options.contains("$defs")) {
            form["$defs"] = options["$defs"];
        }
        add("scorer_" + type, std::move(form));
    }
    return defs;
}

}  // namespace

Json experiment_schema(const SpecVocabulary& vocabulary) {
    Json properties = Json::object();
    properties["name"] = identifier("Name of the experiment; its runs are numbered under it.");
    properties["description"] = any_text("What it is for, in your words.");
    properties["tags"] = list(text("A tag."), "Words to find it by.");
    properties["metadata"] = free_form("Anything; kept with the run, never read.");
    properties["hypothesis"] = hypothesis_schema();
    properties["dataset"] = dataset_schema();
    properties["prompts"] =
        list(prompt_schema(), "What is asked. May be left out when every model is a replay.", 1);
    properties["models"] = list(model_schema(vocabulary), "Who is asked.", 1);
    properties["variants"] = variants_schema();
    properties["scorers"] = scorers_schema(vocabulary);
    properties["analysis"] = analysis_schema();
    properties["run"] = run_schema();
    properties["gate"] = list(gate_schema(), "Conditions that decide the exit code.");
    properties["report"] = list(report_schema(), "Files to write when the run is over.");
    Json schema = Json::object();
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema";
    schema["title"] = "Experiment file of llm-research";
    schema.update(object(
        std::move(properties),
        "One experiment: which models with which prompts are put to which rows, how answers are "
        "scored and how the figures are compared.",
        {"name", "dataset", "models", "scorers"}
    ));
    schema["$defs"] = definitions(vocabulary);
    return schema;
}

}  // namespace lab::domain
