#include "cli/remote_run.h"

#include "base/text.h"
#include "cli/api_command.h"
#include "cli/follow.h"
#include "cli/remote_parts.h"
#include "cli/remote_report.h"
#include "report/write.h"
#include "service/experiment.h"

#include <filesystem>

namespace lab::cli {
namespace {

namespace fs = std::filesystem;

std::string absolute(const std::string& base, const std::string& path) {
    return fs::path(path).is_absolute() ? path : (fs::path(base) / path).string();
}

class RemoteRun {
  public:
    RemoteRun(const Invocation& in, ApiClient& client, const service::Experiment& experiment)
        : in_(in), client_(client), experiment_(experiment) {}

    /// Everything the run needs is at the server; gives the experiment's id.
    Result<std::string> place() {
        LAB_TRY(const RemoteRows rows, place_dataset());
        LAB_TRY(Json spec, make_spec());
        Json body = {
            {"name", experiment_.spec.name},
            {"config",
             {{"dataset_refs",
               Json::array({{{"dataset_id", rows.dataset_id}, {"version", rows.version}}})},
              {"spec", std::move(spec)}}},
        };
        if (!experiment_.spec.description.empty()) {
            body["description"] = experiment_.spec.description;
        }
        if (!experiment_.spec.tags.empty()) {
            body["tags"] = experiment_.spec.tags;
        }
        return place_experiment(client_, body);
    }

  private:
    void say(const std::string& line) const { note(in_.console, line); }

    Result<RemoteRows> place_dataset() {
        const domain::DatasetSpec& dataset = experiment_.spec.dataset;
        LocalRows rows{
            .name = experiment_.dataset.name,
            .path = absolute(experiment_.base_folder, dataset.path),
            .format = dataset.format,
            .content_hash = experiment_.dataset.content_hash,
        };
        if (!dataset.ref.empty()) {
            LAB_TRY(service::Deps * services, in_.services());
            LAB_TRY(const storage::ObjectFolder* objects, services->objects());
            rows.path = objects->path_of(rows.content_hash);
            rows.format = "jsonl";
        }
        return place_rows(client_, rows, [this](const std::string& line) { say(line); });
    }

    /// The file's document, with registered models and without what only this machine has.
    Result<Json> make_spec() {
        Json spec = experiment_.spec.source;
        spec.erase("report");
        for (const char* member : {"path", "ref", "format"}) {
            spec["dataset"].erase(member);
        }
        for (std::size_t i = 0; i < spec["models"].size(); ++i) {
            LAB_TRY(
                spec["models"][i], make_model(experiment_.spec.models[i], spec["models"][i], i)
            );
        }
        return spec;
    }

    Result<Json> make_model(const domain::ModelSpec& model, const Json& source, std::size_t i) {
        LAB_TRY(Json body, model_body(model, source, "models[" + std::to_string(i) + "]"));
        if (model.replay) {
            LAB_TRY(const std::string hash, hash_of_rows(model.replay->path, ""));
            const LocalRows rows{
                .name = shorten(experiment_.dataset.name + ": outputs of " + model.id, 250),
                .path = model.replay->path,
                .format = {},
                .content_hash = hash,
            };
            LAB_TRY(
                const RemoteRows placed,
                place_rows(client_, rows, [this](const std::string& line) { say(line); })
            );
            body["config"]["replay_dataset"] = placed.dataset_id;
            body["config"]["replay_id"] = model.replay->id_field;
            body["config"]["replay_output"] = model.replay->output_field;
        }
        if (!model.api_key_env.empty()) {
            say(model.id + ": " + model.api_key_env +
                " stays here; the server uses the key of its operator");
        }
        LAB_TRY(const std::string id, place_model(client_, body));
        Json out = {{"id", model.id}, {"model_id", id}};
        for (const auto& [name, value] : source.items()) {
            static const std::vector<std::string> kOfTheModel{
                "id", "provider", "model", "base_url", "api_key_env", "replay", "pricing"
            };
            if (std::ranges::find(kOfTheModel, name) == kOfTheModel.end()) {
                out[name] = value;
            }
        }
        return out;
    }

    const Invocation& in_;
    ApiClient& client_;
    const service::Experiment& experiment_;
};

Result<int> end_of(
    const Invocation& in,
    ApiClient& client,
    const std::string& run_path,
    const Json& run,
    const std::vector<std::string>& paths
) {
    const std::string status = run.value("status", "");
    const Json totals = run.value("totals", Json::object());
    if (status != "completed") {
        const Json why = run.value("error", Json());
        note(
            in.console,
            "the run is " + status + (why.is_string() ? ": " + why.get<std::string>() : "")
        );
        if (totals.value("successful_samples", std::int64_t{0}) == 0) {
            return 1;
        }
    }
    LAB_CHECK(deliver_remote(in, client, {.path = run_path + "/report"}, paths));
    if (status != "completed") {
        return 1;
    }
    LAB_TRY(const bool passed, remote_gates_passed(client, run_path));
    return passed ? 0 : 100;
}

}  // namespace

Result<int> run_remote(const Invocation& in, const std::string& file, bool detach) {
    if (in.settings.api_url.empty()) {
        return Error(
            Code::validation,
            "--remote needs a server: give --api-url, LLM_RESEARCH_API_URL or a profile with "
            "api_url"
        );
    }
    if (detach && !in.save.empty()) {
        return Error(
            Code::validation,
            "--save writes the report of a run that is over, and --detach does not wait for it: "
            "later `llm-research experiments report ID --save FILE` does"
        );
    }
    LAB_TRY(service::Deps * services, in.services());
    LAB_TRY(
        const std::unique_ptr<service::Experiment> experiment,
        service::load_experiment_file(
            Ctx(*services->clock), *services, file, service::Purpose::validate
        )
    );
    std::vector<std::string> paths;
    for (const domain::ReportSpec& report : experiment->spec.reports) {
        paths.push_back(absolute(experiment->base_folder, report.path));
    }
    LAB_CHECK(check_report_paths(paths));
    LAB_TRY(ApiClient * client, api_of(in));
    LAB_TRY(const std::string id, RemoteRun(in, *client, *experiment).place());
    LAB_CHECK(client->call({.method = "POST", .path = "/experiments/" + id + "/start"}));
    LAB_TRY(const Json run, newest_run(*client, id));
    const std::string run_id = run.value("id", "");
    if (detach) {
        const std::vector<Field> fields = {{"experiment_id", id}, {"run_id", run_id}};
        LAB_CHECK(print_fields(in.console, fields, in.settings.output));
        return 0;
    }
    note(
        in.console,
        "run " + run_id.substr(0, 8) + "  " + experiment->spec.name + " #" +
            dump_json(run.value("run_number", Json(0))) + " in " + client->transport().where()
    );
    LAB_TRY(const auto end, follow_run(in, *client, id, run_id));
    if (!end) {
        note(
            in.console,
            "the run goes on; see it again with: llm-research experiments follow " + id +
                "; end it with: llm-research experiments cancel " + id
        );
        return 130;
    }
    return end_of(in, *client, "/experiments/" + id + "/runs/" + run_id, *end, paths);
}

}  // namespace lab::cli
