#include "base/text.h"
#include "base/uuid.h"
#include "domain/spec_parse.h"
#include "platform/crypto/sha256.h"
#include "platform/json/document.h"
#include "service/evaluation_compare.h"
#include "service/evaluations.h"
#include "service/experiment.h"
#include "service/impl/evaluation_config.h"
#include "service/impl/judging.h"
#include "service/impl/queue_run.h"
#include "service/impl/run_trace.h"
#include "service/impl/run_view.h"
#include "service/platform_datasets.h"
#include "service/runs.h"
#include "storage/store/journal.h"
#include "storage/store/runs.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace lab::service {
namespace {

using domain::Run;
using domain::RunState;
using storage::Runs;

constexpr const char* kRefused = "this evaluation cannot be run as it is";
constexpr std::size_t kFieldsMax = 100;

/// Where a task stands in rows that say nothing of it.
constexpr std::string_view kInputFields[] = {
    "input", "question", "prompt", "instruction", "problem", "task"
};

/// Reads what a definition says is to be judged.
class Planner {
  public:
    Planner(
        const Request& request,
        const std::string& name,
        const std::string& visibility,
        const Json& config
    )
        : request_(request),
          name_(name),
          visibility_(visibility),
          config_(config),
          parameters_(config.value("parameters", Json::object())),
          has_run_(parameters_.contains("run_id")),
          has_models_(!config.value("model_ids", Json::array()).empty()) {}

    Result<JudgePlan> run() {
        check_members();
        LAB_CHECK(result());
        if (has_run_) {
            LAB_CHECK(judge_run());
        } else if (has_models_) {
            LAB_CHECK(judge_models());
        } else {
            LAB_CHECK(judge_rows());
        }
        describe();
        return std::move(out_);
    }

  private:
    void problem(std::string place, std::string message) {
        problems_.push_back({"config." + std::move(place), std::move(message)});
    }
    Status result() {
        return problems_.empty() ? ok()
                                 : Status(Error(Code::validation, kRefused, std::move(problems_)));
    }

    /// Metrics of the judge: what can have a threshold.
    std::vector<std::string> rated() const {
        std::vector<std::string> out = {"overall"};
        for (const Json& one : config_["judge_config"].value("criteria", Json::array())) {
            out.push_back(one["name"].get<std::string>());
        }
        if (out.size() == 1) {
            out.emplace_back("quality");
        }
        return out;
    }

    static std::string name_of(const Json& metric) {
        return metric.is_string() ? metric.get<std::string>() : metric.value("name", "");
    }

    void check_members() {
        if (!config_.contains("judge_config")) {
            problem("judge_config", "is needed: the model that judges, and the criteria");
            return;
        }
        if (has_run_ && has_models_) {
            problem("model_ids", "not together with parameters.run_id: its models have answered");
        }
        if (has_run_ && config_.contains("dataset_id")) {
            problem("dataset_id", "not together with parameters.run_id: its outputs are judged");
        }
        if (!has_run_ && !config_.contains("dataset_id")) {
            problem(
                "dataset_id",
                "there is nothing to judge: name a dataset whose rows hold outputs, or the run "
                "whose outputs are to be judged as parameters.run_id, or models with a dataset and "
                "a prompt to be run first"
            );
        }
        if (has_models_) {
            return;
        }
        // Nothing but the judge is called: what is meant for models would be ignored.
        if (config_.contains("prompt_template_id")) {
            problem(
                "prompt_template_id",
                "there are no models to be asked: the judge's prompt is "
                "judge_config.prompt_template_id"
            );
        }
        for (const auto& [name, value] : parameters_.items()) {
            const bool known = name == "run_id" ||
                               (!has_run_ && (name == "output_fields" || name == "input_field"));
            if (!known) {
                problem(
                    path_member("parameters", name),
                    "there are no models to be asked: the judge's are judge_config.parameters"
                );
            }
        }
        const std::vector<std::string> known = rated();
        const Json metrics = config_.value("metrics", Json::array());
        for (std::size_t i = 0; i < metrics.size(); ++i) {
            if (std::ranges::find(known, name_of(metrics[i])) == known.end()) {
                problem(
                    path_index("metrics", i),
                    "is not one of the judge's: those are " + join(known, ", ") +
                        "; run an automated evaluation for others"
                );
            }
        }
    }

    Status judge_run() {
        const Json& id = parameters_["run_id"];
        std::optional<Run> found;
        if (id.is_string() && is_uuid(id.get<std::string>())) {
            LAB_TRY(found, find_visible_run(request_, to_lower(id.get<std::string>())));
        }
        if (!found) {
            problem("parameters.run_id", "there is no run with this id");
            return result();
        }
        const Run& run = *found;
        if (run.origin != "engine") {
            problem(
                "parameters.run_id",
                "a client carried this run out: upload its outputs as a dataset and name that"
            );
        } else if (!is_terminal(run.state)) {
            problem(
                "parameters.run_id",
                "the run is " + std::string(shown_state(run)) + ": it can be judged when it is over"
            );
        }
        LAB_CHECK(result());
        LAB_TRY(const Json source, parse_json(run.spec));
        LAB_TRY(const auto spec, domain::parse_spec(source, *request_.deps.vocabulary));
        LAB_TRY(const StoredOutputs stored, store_outputs(request_, run, visibility_));
        judged_ = outputs_of(spec);
        out_.about["source_run_id"] = run.id;
        note_rows(stored, out_.about);
        return compile(config_, stored.dataset_id);
    }

    Status judge_models() {
        Json models = config_;
        models["metrics"] = Json::array();
        const std::vector<std::string> own = rated();
        for (const Json& metric : config_.value("metrics", Json::array())) {
            if (std::ranges::find(own, name_of(metric)) == own.end()) {
                models["metrics"].push_back(metric);
            }
        }
        if (models["metrics"].empty()) {
            // A run has some metric: whether there is an output to judge at all.
            models["metrics"].push_back(
                {{"name", "answered"},
                 {"metric_type", "regex"},
                 {"parameters", {{"pattern", "\\S"}}}}
            );
        }
        LAB_TRY(out_.models, compile_evaluation(request_, name_, "automated", models));
        const CompiledConfig& compiled = *out_.models;
        auto spec = domain::parse_spec(compiled.source, *request_.deps.vocabulary);
        if (!spec) {
            return at_definition(spec.error(), models);
        }
        judged_ = outputs_of(*spec);
        Json config = config_;
        config.erase("sample_size");  // the models' rows are drawn, and all their outputs judged
        LAB_CHECK(compile(config, config_["dataset_id"].get<std::string>()));
        out_.judge.source["dataset"] = {{"ref", "the outputs of the models"}};
        out_.judge.dataset_hash.clear();
        return check_without_rows();
    }

    /// What the run of the judge will be refused for, known before the models are paid.
    Status check_without_rows() {
        auto spec = domain::parse_spec(out_.judge.source, *request_.deps.vocabulary);
        if (!spec) {
            return at_judge(spec.error());
        }
        const auto scores = engine::ScoreBook::make(*spec);
        if (!scores) {
            return at_judge(scores.error());
        }
        for (const Detail& detail : request_.deps.check_model(spec->models.front(), "models[0]")) {
            problem("judge_config.model_id", detail.message);
        }
        return result();
    }

    Status judge_rows() {
        const std::string id = config_["dataset_id"].get<std::string>();
        auto rows = rows_of_version(request_, to_lower(id), "latest");
        if (!rows) {
            if (rows.error().code != Code::not_found && rows.error().code != Code::invalid_state) {
                return rows.error();
            }
            problem("dataset_id", rows.error().message);
            return result();
        }
        const std::vector<std::string>& fields = rows->fields;
        const auto has = [&](std::string_view field) {
            return std::ranges::find(fields, field.substr(0, field.find('.'))) != fields.end();
        };
        const auto need = [&](const std::string& place, const std::string& field) {
            if (!has(field)) {
                problem(
                    place,
                    "the rows have no field \"" + shorten(field, 100) + "\"; their fields are " +
                        shorten(join(fields, ", "), 300)
                );
            }
        };
        std::string input;
        const auto known = std::ranges::find_if(kInputFields, has);
        if (parameters_.contains("input_field")) {
            const Json& named = parameters_["input_field"];
            input = named.is_string() ? named.get<std::string>() : "";
            need("parameters.input_field", input);
        } else if (known != std::end(kInputFields)) {
            input = *known;
        }
        if (config_.contains("reference_field")) {
            judged_.reference = config_["reference_field"].get<std::string>();
            need("reference_field", judged_.reference);
        } else if (has("reference")) {
            judged_.reference = "reference";
        }
        for (const std::string& field : output_fields()) {
            need("parameters.output_fields", field);
            judged_.subjects.push_back({.id = field, .model = {}, .output = field, .input = input});
        }
        LAB_CHECK(result());
        out_.about["dataset_id"] = to_lower(id);
        return compile(config_, id);
    }

    std::vector<std::string> output_fields() {
        const Json said = parameters_.value("output_fields", Json("output"));
        const Json list = said.is_array() ? said : Json::array({said});
        std::vector<std::string> out;
        for (const Json& one : list) {
            const std::string field = one.is_string() ? one.get<std::string>() : "";
            if (field.empty() || std::ranges::find(out, field) != out.end()) {
                problem("parameters.output_fields", "takes names of fields, each once");
                return {};
            }
            out.push_back(field);
        }
        if (out.empty() || out.size() > kFieldsMax) {
            problem("parameters.output_fields", "takes 1 to 100 names of fields");
            return {};
        }
        return out;
    }

    Status compile(const Json& config, const std::string& rows) {
        LAB_TRY(out_.judge, compile_judge(request_, name_, config, judged_, rows));
        return ok();
    }

    void describe() {
        const Json& source = out_.judge.source;
        const Json& judge = config_["judge_config"];
        const std::string model =
            source["models"][0].value("model", source["models"][0].value("provider", ""));
        out_.about["model_id"] = to_lower(judge["model_id"].get<std::string>());
        out_.about["model"] = model;
        out_.about["prompt_template_id"] = judge.value("prompt_template_id", Json());
        out_.about["prompt_sha256"] = sha256_hex(canonical_json(source["prompts"]));
        out_.about["judged"] = Json::array();
        bool itself = false;
        for (const Subject& subject : judged_.subjects) {
            itself = itself || (!model.empty() && subject.model == model);
            out_.about["judged"].push_back(
                {{"variant", subject.id},
                 {"model", subject.model.empty() ? Json() : Json(subject.model)}}
            );
        }
        out_.about["notes"] = Json::array();
        if (itself) {
            out_.about["notes"].push_back(
                "the judge is one of the models it judges: judges tend to prefer their own words"
            );
        }
    }

    static void note_rows(const StoredOutputs& stored, Json& about) {
        about["dataset_id"] = stored.dataset_id;
        about["rows"] = stored.rows;
        about["dropped_items"] = stored.dropped;
    }

    const Request& request_;
    const std::string& name_;
    const std::string& visibility_;
    const Json& config_;
    const Json parameters_;
    const bool has_run_;
    const bool has_models_;
    Judged judged_;
    JudgePlan out_;
    std::vector<Detail> problems_;
};

/// What the models have left of a budget that is meant for all of it. Errors: invalid_state when
/// that is nothing.
Status leave_budget(const Request& request, const storage::Ledger& books, Json& source) {
    LAB_TRY(const auto spec, domain::parse_spec(source, *request.deps.vocabulary));
    const domain::Budget& whole = spec.run.budget;
    Json left = Json::object();
    std::string spent;
    const auto leave = [&](const char* name, auto whole_of, auto used, auto shown) {
        if (!whole_of) {
            return;
        }
        if (used >= *whole_of) {
            spent = name;
            return;
        }
        left[name] = shown(*whole_of - used);
    };
    const auto money = [](Money value) { return value.exact(); };
    const auto number = [](std::int64_t value) { return value; };
    leave("max_cost", whole.max_cost, books.settled + books.uncertain_cost, money);
    leave("max_calls", whole.max_calls, books.calls + books.uncertain_calls, number);
    leave("max_tokens", whole.max_tokens, books.usage.total() + books.uncertain_tokens, number);
    if (!spent.empty()) {
        return Error(
            Code::invalid_state,
            "the models have used the budget up (" + spent +
                "): nothing is "
                "left for the judge"
        );
    }
    if (!left.empty()) {
        source["run"]["budget"] = std::move(left);
    }
    return ok();
}

Result<Json> judge_of(const Run& run) {
    LAB_TRY(const Json body, parse_json(run.body));
    return body.value("judge", Json::object());
}

}  // namespace

Result<JudgePlan> plan_judge(
    const Request& request,
    const std::string& name,
    const std::string& visibility,
    const Json& config
) {
    return Planner(request, name, visibility, config).run();
}

Result<Run> queue_judge(
    const Request& request,
    const storage::Resource& carrier,
    const JudgePlan& plan,
    const Json& body
) {
    Json own = body;
    own["judge"] = plan.about;
    if (!plan.models) {
        auto queued = queue_compiled(request, carrier, plan.judge, own);
        return queued ? std::move(queued) : Result<Run>(at_judge(queued.error()));
    }
    Json of_models = body;
    of_models["stage"] = "outputs";
    const auto models = queue_compiled(request, carrier, *plan.models, of_models);
    if (!models) {
        return at_definition(models.error(), body["config"]);
    }
    own["judge"]["source_run_id"] = models->id;
    Run run;
    run.id = request.deps.uuids->next();
    run.experiment_id = carrier.id;
    run.experiment_name = carrier.name;
    run.state = RunState::queued;
    run.spec = dump_json(plan.judge.source);
    run.manifest = "{}";
    run.created_at = format_rfc3339(request.deps.clock->wall());
    run.planned = models->planned;
    run.created_by = request.caller.user_id;
    keep_trace(own);
    run.body = dump_json(own);
    return Runs(request.session).create_in(request.ctx, carrier.key, std::move(run));
}

std::string awaited_outputs(const Run& run) {
    if (!run.dataset_hash.empty()) {
        return "";
    }
    const auto judge = judge_of(run);
    return judge ? judge->value("source_run_id", "") : "";
}

Status prepare_judge(const Request& request, const Run& run, const std::function<bool()>& stopped) {
    const std::string source_id = awaited_outputs(run);
    if (source_id.empty()) {
        return ok();
    }
    Runs runs(request.session);
    LAB_TRY(const Run source, runs.get(request.ctx, source_id));
    if (source.state != RunState::completed) {
        return Error(
            Code::invalid_state,
            "the run of the models " + source.id + " is " + std::string(shown_state(source)) +
                (source.stop_reason.empty() ? "" : ": " + source.stop_reason)
        );
    }
    LAB_TRY(Json body, parse_json(run.body));
    LAB_TRY(
        const auto definition,
        storage::Resources(request.session, storage::ResourceKind::evaluation)
            .find_anywhere(request.ctx, body.value("evaluation_id", ""))
    );
    if (!definition) {
        return Error(Code::not_found, "the definition of this run is gone");
    }
    Caller owner = local_caller();
    owner.org = definition->org;
    owner.user_id = run.created_by;
    const Request theirs{request.ctx, request.deps, request.session, owner};
    const std::string visibility(domain::to_string(definition->access.visibility));
    LAB_TRY(const StoredOutputs stored, store_outputs(theirs, source, visibility, stopped));
    LAB_TRY(Json spec, parse_json(run.spec));
    LAB_TRY(
        const storage::Ledger books,
        storage::Journal(request.session).ledger(request.ctx, source.key)
    );
    LAB_CHECK(leave_budget(request, books, spec));
    spec["dataset"]["ref"] = stored.content_hash;
    auto experiment = load_stored_experiment(
        request.ctx, request.deps, spec, "/", stored.content_hash, Purpose::run
    );
    if (!experiment) {
        return at_judge(experiment.error());
    }
    Json& about = body["judge"];
    about["dataset_id"] = stored.dataset_id;
    about["rows"] = stored.rows;
    about["dropped_items"] = stored.dropped;
    LAB_TRY(auto transaction, storage::Transaction::begin(request.ctx, request.session));
    LAB_CHECK(runs.set_plan(
        request.ctx,
        run.key,
        {.planned = (*experiment)->plan->samples(),
         .spec = dump_json(spec),
         .manifest = dump_json(make_manifest(request.deps, **experiment)),
         .dataset_hash = stored.content_hash}
    ));
    LAB_CHECK(runs.set_body(request.ctx, run.key, dump_json(body)));
    return transaction.commit(request.ctx);
}

}  // namespace lab::service
