#include "service/experiment_config.h"

#include "base/text.h"
#include "base/uuid.h"
#include "platform/json/document.h"
#include "service/credentials.h"
#include "service/impl/config_blocks.h"
#include "service/models.h"
#include "service/platform_datasets.h"
#include "service/prompts.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <optional>

namespace lab::service {
namespace {

using domain::Deed;
using storage::Resource;

/// The providers of the API that are written otherwise in experiment files.
std::string provider_name(const std::string& name) {
    return name == "local" || name == "custom" ? "openai" : name == "aws" ? "bedrock" : name;
}

/// Parameters of the API that are named otherwise on the wire.
Json wire_parameters(const Json& parameters) {
    Json out = Json::object();
    for (const auto& [name, value] : parameters.items()) {
        out[name == "stop_sequences" ? "stop" : name] = value;
    }
    return out;
}

/// Gives every object a name of its own: two models of one name are told apart by a number.
class Names {
  public:
    std::string unique(const std::string& name) {
        std::string out = shorten(name, 180);
        for (int n = 2; std::ranges::find(taken_, out) != taken_.end(); ++n) {
            out = shorten(name, 180) + " (" + std::to_string(n) + ")";
        }
        taken_.push_back(out);
        return out;
    }

  private:
    std::vector<std::string> taken_;
};

class Compiler {
  public:
    Compiler(const Request& request, const Json& config) : request_(request), config_(config) {
        const Json kept = config.value("reproducibility", Json::object());
        if (config.contains("random_seed")) {
            seed_ = config["random_seed"].get<std::uint64_t>();
        } else if (kept.contains("random_seed")) {
            seed_ = kept["random_seed"].get<std::uint64_t>();
        }
    }

    Result<CompiledConfig> run(const std::string& name) {
        out_.source = Json::object();
        if (config_.contains("spec")) {
            LAB_CHECK(add_document());
        } else {
            rows_used_ = config_.value("dataset", Json::object());
            LAB_CHECK(add_dataset());
            LAB_CHECK(add_prompts());
            LAB_CHECK(add_models());
            add_scorers();
            add_variants();
            add_run();
            for (const char* section : {"analysis", "hypothesis"}) {
                if (config_.contains(section)) {
                    out_.source[section] = config_[section];
                }
            }
        }
        out_.source["name"] = name;
        if (!problems_.empty()) {
            return Error(
                Code::validation, "this experiment cannot be run as it is", std::move(problems_)
            );
        }
        return std::move(out_);
    }

  private:
    void problem(std::string path, std::string message) {
        problems_.push_back({"config." + std::move(path), std::move(message)});
    }

    ConfigProblem tell() {
        return [this](std::string path, std::string message) {
            problem(std::move(path), std::move(message));
        };
    }

    /// Those of the list that exist for the caller; the others are problems.
    Result<std::vector<Resource>> find_all(const char* member, const Noun& noun) {
        std::vector<Resource> out;
        const Json ids = config_.value(member, Json::array());
        for (std::size_t i = 0; i < ids.size(); ++i) {
            auto found = need_noun(request_, noun, to_lower(ids[i].get<std::string>()), Deed::read);
            if (found) {
                out.push_back(*std::move(found));
            } else if (found.error().code == Code::not_found) {
                problem(path_index(member, i), found.error().message);
            } else {
                return found.error();
            }
        }
        return out;
    }

    /// `spec` stands for the whole experiment: what a file says, but for what only the machine of
    /// its author has. Rows come from `dataset_ids`, models are registered ones (`model_id`), so
    /// that the rights to both are those of the service.
    Status add_document() {
        for (const auto& [name, value] : config_.items()) {
            if (name != "spec" && name != "dataset_id" && name != "dataset_ids" &&
                name != "dataset_refs") {
                problem(name, "is to be said in the spec, which stands for the whole experiment");
            }
        }
        out_.source = config_["spec"];
        if (out_.source.contains("report")) {
            problem("spec.report", "no files are written here: get reports from the API");
        }
        Json dataset = out_.source.value("dataset", Json::object());
        if (dataset.is_object()) {
            for (const char* member : {"path", "ref", "format"}) {
                if (dataset.contains(member)) {
                    problem(
                        path_member("spec.dataset", member),
                        "the rows are those of config.dataset_ids: upload them"
                    );
                }
            }
            rows_used_ = std::move(dataset);
            LAB_CHECK(add_dataset());
        }
        const auto models = out_.source.find("models");
        if (models == out_.source.end() || !models->is_array()) {
            return ok();  // said by whoever reads the whole
        }
        for (std::size_t i = 0; i < models->size(); ++i) {
            if ((*models)[i].is_object()) {
                LAB_CHECK(add_document_model((*models)[i], path_index("spec.models", i)));
            }
        }
        return ok();
    }

    /// A registered model under the name and with the parameters of the document.
    Status add_document_model(Json& model, const std::string& path) {
        for (const char* member :
             {"provider", "model", "base_url", "api_key_env", "headers", "replay"}) {
            if (model.contains(member)) {
                problem(
                    path_member(path, member), "comes from the registered model that model_id names"
                );
            }
        }
        const Json id = model.value("model_id", Json());
        if (!id.is_string() || !is_uuid(id.get<std::string>())) {
            problem(path_member(path, "model_id"), "must be the id of a registered model");
            return ok();
        }
        const auto found =
            need_noun(request_, model_noun(), to_lower(id.get<std::string>()), Deed::read);
        if (!found) {
            if (found.error().code != Code::not_found) {
                return found.error();
            }
            problem(path_member(path, "model_id"), found.error().message);
            return ok();
        }
        LAB_TRY(const Json body, parse_json(found->body));
        LAB_TRY(Json entry, model_entry(body, Json::object()));
        entry["id"] = found->name;
        for (const auto& [name, value] : model.items()) {
            if (name != "model_id" && (name != "pricing" || !entry.contains("pricing"))) {
                entry[name] = value;
            }
        }
        model = std::move(entry);
        return ok();
    }

    Status add_dataset() {
        if (config_.contains("dataset_refs") && !config_["dataset_refs"].empty()) {
            return add_dataset_ref(config_["dataset_refs"]);
        }
        std::vector<std::string> ids;
        if (config_.contains("dataset_id")) {
            ids.push_back(config_["dataset_id"].get<std::string>());
        }
        for (const Json& id : config_.value("dataset_ids", Json::array())) {
            if (std::ranges::find(ids, id.get<std::string>()) == ids.end()) {
                ids.push_back(id.get<std::string>());
            }
        }
        if (ids.empty()) {
            problem("dataset_ids", "no datasets configured");
            return ok();
        }
        if (ids.size() > 1) {
            problem("dataset_ids", "one dataset an experiment: put the others into their own");
            return ok();
        }
        auto hash = latest_rows(request_, to_lower(ids.front()));
        if (!hash) {
            if (hash.error().code != Code::not_found && hash.error().code != Code::invalid_state) {
                return hash.error();
            }
            problem("dataset_ids", hash.error().message);
            return ok();
        }
        out_.dataset_hash = *hash;
        Json& dataset = out_.source["dataset"] = rows_used_;
        dataset["ref"] = *hash;
        if (config_.contains("num_samples")) {
            dataset["sample"] = config_["num_samples"];
            dataset["seed"] = config_.value("random_seed", Json(0));
        }
        return ok();
    }

    /// One version of one dataset, and which of its rows.
    Status add_dataset_ref(const Json& refs) {
        if (refs.size() > 1) {
            problem("dataset_refs", "one dataset an experiment: put the others into their own");
            return ok();
        }
        for (const char* other : {"dataset_id", "dataset_ids", "num_samples"}) {
            if (config_.contains(other) && !config_[other].empty()) {
                problem(other, "not together with dataset_refs");
            }
        }
        const Json& ref = refs[0];
        const Json wanted = ref.value("version", Json("latest"));
        auto rows = rows_of_version(
            request_,
            to_lower(ref["dataset_id"].get<std::string>()),
            wanted.is_string() ? wanted.get<std::string>() : dump_json(wanted)
        );
        if (!rows) {
            if (rows.error().code != Code::not_found && rows.error().code != Code::invalid_state) {
                return rows.error();
            }
            problem("dataset_refs[0]", rows.error().message);
            return ok();
        }
        out_.dataset_hash = rows->content_hash;
        Json& dataset = out_.source["dataset"] = rows_used_;
        dataset["ref"] = rows->content_hash;
        select_rows(ref, rows->rows, "dataset_refs[0]", dataset, tell());
        return ok();
    }

    Status add_prompts() {
        LAB_TRY(const auto prompts, find_all("prompt_template_ids", prompt_noun()));
        Names names;
        for (const Resource& prompt : prompts) {
            LAB_TRY(const Json body, parse_json(prompt.body));
            Json entry = Json::object();
            entry["id"] = names.unique(prompt.name);
            if (const std::string system = body.value("system_prompt", ""); !system.empty()) {
                entry["system"] = system;
            }
            entry["template"] = body.value("template", "");
            out_.source["prompts"].push_back(std::move(entry));
        }
        return ok();
    }

    Status add_models() {
        LAB_TRY(const auto models, find_all("model_ids", model_noun()));
        if (models.empty() && problems_.empty()) {
            problem("model_ids", "no models configured");
        }
        const Json parameters = wire_parameters(config_.value("parameters", Json::object()));
        Names names;
        for (const Resource& model : models) {
            LAB_TRY(const Json body, parse_json(model.body));
            LAB_TRY(Json entry, model_entry(body, parameters));
            entry["id"] = names.unique(model.name);
            out_.source["models"].push_back(std::move(entry));
        }
        return ok();
    }

    Result<Json> model_entry(const Json& body, const Json& parameters) {
        const Json config = body.value("config", Json::object());
        Json entry = Json::object();
        if (config.contains("replay_dataset")) {
            const std::string id = config["replay_dataset"].is_string()
                                       ? config["replay_dataset"].get<std::string>()
                                       : "";
            auto path = rows_file(request_, to_lower(id));
            if (!path) {
                problem("model_ids", "the recorded outputs: " + path.error().message);
                return entry;
            }
            entry["provider"] = "replay";
            entry["replay"] = {{"path", *path}};
            for (const char* member : {"id", "output"}) {
                if (config.contains(std::string("replay_") + member)) {
                    entry["replay"][member] = config[std::string("replay_") + member];
                }
            }
            return entry;
        }
        entry["provider"] = provider_name(body.value("provider", ""));
        entry["model"] = body.value("model_identifier", "");
        if (config.contains("base_url")) {
            entry["base_url"] = config["base_url"];
        }
        // Checked when it was saved; the operator may have changed his mind since.
        for (const Detail& detail : check_way_out(request_, body.value("provider", ""), config)) {
            problem("model_ids", detail.field + " of a model: " + detail.message);
        }
        if (config.contains("credential") && config["credential"].is_string()) {
            entry["api_key_env"] =
                credential_variable(request_.caller.org, config["credential"].get<std::string>());
        }
        if (config.contains("pricing")) {
            entry["pricing"] = config["pricing"];
        }
        if (config.contains("limits")) {
            entry["limits"] = config["limits"];
        }
        if (!parameters.empty()) {
            entry["parameters"] = parameters;
        }
        return entry;
    }

    /// The scorer behind a metric's name; empty, and a problem, when there is none.
    std::string scorer_type(const std::string& metric, const std::string& path) {
        std::vector<std::string> known;
        for (const auto& [type, schema] : request_.deps.vocabulary->scorers) {
            known.push_back(type);
        }
        const std::string type = metric == "accuracy" ? "exact_match" : metric;
        if (std::ranges::find(known, type) != known.end()) {
            return type;
        }
        const std::string near = nearest(metric, known);
        problem(
            path,
            "unknown metric \"" + shorten(metric, 60) + "\"" +
                (near.empty() ? "; known are accuracy, " + join(known, ", ")
                              : ", did you mean \"" + near + "\"?")
        );
        return "";
    }

    /// Metrics by name, as the API has them, or whole scorers as a file has them.
    void add_scorers() {
        Json scorers = config_.value("scorers", Json::array());
        Json gates = config_.value("gate", Json::array());
        const std::string reference =
            "{{" + config_.value("reference_field", std::string("reference")) + "}}";
        const Json metrics = config_.value("evaluation_metrics", Json::array());
        for (std::size_t i = 0; i < metrics.size(); ++i) {
            const std::string metric = metrics[i].get<std::string>();
            const std::string type = scorer_type(metric, path_index("evaluation_metrics", i));
            if (type.empty()) {
                continue;
            }
            Json scorer = {{"type", type}};
            if (needs_reference(type)) {
                scorer["reference"] = reference;
            }
            if (metric != type) {
                scorer["id"] = metric;
            }
            scorers.push_back(std::move(scorer));
        }
        add_metric_configs(
            config_.value("metric_configs", Json::array()),
            reference,
            [this](const std::string& metric, const std::string& path) {
                return scorer_type(metric, path);
            },
            scorers,
            gates,
            tell()
        );
        if (scorers.empty()) {
            problem("evaluation_metrics", "no metrics configured");
        }
        out_.source["scorers"] = std::move(scorers);
        if (!gates.empty()) {
            out_.source["gate"] = std::move(gates);
        }
    }

    /// Trials over parameters; without a search every model with every prompt.
    void add_variants() {
        if (!config_.contains("search")) {
            return;
        }
        const auto names = [&](const char* section) {
            std::vector<std::string> out;
            for (const Json& one : out_.source.value(section, Json::array())) {
                out.push_back(one.value("id", ""));
            }
            return out;
        };
        add_search(
            config_["search"],
            seed_.value_or(0),
            names("models"),
            names("prompts"),
            out_.source,
            tell()
        );
    }

    void add_run() {
        Json run = config_.value("run", Json::object());
        if (seed_) {
            run["seed"] = *seed_;
        }
        if (config_.contains("budget")) {
            run["budget"] = config_["budget"];
        }
        const Json resources = config_.value("resources", Json::object());
        if (resources.contains("timeout_seconds")) {
            run["timeout"] = resources["timeout_seconds"];
        }
        if (resources.contains("max_retries")) {
            run["retry"]["max_attempts"] = resources["max_retries"].get<int>() + 1;
        }
        if (!run.empty()) {
            out_.source["run"] = std::move(run);
        }
    }

    const Request& request_;
    const Json& config_;
    std::optional<std::uint64_t> seed_;
    Json rows_used_ = Json::object();  ///< how the rows are used, as the section `dataset` says
    CompiledConfig out_;
    std::vector<Detail> problems_;
};

Json ids() {
    return {
        {"type", "array"},
        {"maxItems", 100},
        {"items",
         {{"type", "string"},
          {"pattern",
           "^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}$"},
          {"x-hint", "a UUID"}}},
    };
}

Json object() { return {{"type", "object"}}; }

}  // namespace

const Json& experiment_config_schema() {
    static const Json kSchema = [] {
        Json p = Json::object();
        p["model_ids"] = ids();
        p["dataset_ids"] = ids();
        p["dataset_id"] = ids()["items"];
        p["spec"] = object();
        p["prompt_template_ids"] = ids();
        p["parameters"] = {
            {"type", "object"},
            {"properties",
             {{"temperature", {{"type", "number"}, {"minimum", 0}, {"maximum", 2}}},
              {"max_tokens", {{"type", "integer"}, {"minimum", 1}}},
              {"top_p", {{"type", "number"}, {"minimum", 0}, {"maximum", 1}}},
              {"stop_sequences",
               {{"type", "array"}, {"maxItems", 16}, {"items", {{"type", "string"}}}}}}},
        };
        p["evaluation_metrics"] = {
            {"type", "array"}, {"maxItems", 50}, {"items", {{"type", "string"}, {"minLength", 1}}}
        };
        p["reference_field"] = {{"type", "string"}, {"minLength", 1}, {"maxLength", 255}};
        p["num_samples"] = {{"type", "integer"}, {"minimum", 1}};
        p["random_seed"] = {{"type", "integer"}, {"minimum", 0}, {"maximum", kSeedMax}};
        p["budget"] = object();
        // Sections of an experiment file; checked with the rest when the experiment starts.
        for (const char* section : {"dataset", "analysis", "hypothesis", "run"}) {
            p[section] = object();
        }
        for (const char* section : {"scorers", "gate"}) {
            p[section] = {{"type", "array"}, {"maxItems", 100}, {"items", object()}};
        }
        p["resources"] = resources_schema();
        p["dataset_refs"] = dataset_refs_schema();
        p["metric_configs"] = metric_configs_schema();
        p["search"] = search_schema();
        p["reproducibility"] = reproducibility_schema();
        return Json{
            {"type", "object"}, {"properties", std::move(p)}, {"additionalProperties", false}
        };
    }();
    return kSchema;
}

Result<CompiledConfig> compile_config(
    const Request& request, const std::string& name, const Json& config
) {
    return Compiler(request, config).run(name);
}

}  // namespace lab::service
