#include "cli/remote_run.h"

#include "base/text.h"
#include "cli/api_command.h"
#include "cli/follow.h"
#include "cli/remote_parts.h"
#include "report/write.h"
#include "service/experiment.h"

#include <filesystem>

namespace lab::cli {
namespace {

namespace fs = std::filesystem;

std::string absolute(const std::string& base, const std::string& path) {
    return fs::path(path).is_absolute() ? path : (fs::path(base) / path).string();
}

/// The name of a format of a report in the API's query.
std::string_view format_name(report::Format format) {
    switch (format) {
        case report::Format::html:
            return "html";
        case report::Format::json:
            return "json";
        case report::Format::yaml:
            return "yaml";
        case report::Format::csv:
            return "csv";
        case report::Format::comparisons_csv:
            return "comparisons-csv";
        case report::Format::items_csv:
            return "items-csv";
        case report::Format::markdown:
            return "md";
        case report::Format::junit:
            return "junit";
        case report::Format::text:
            return "text";
        case report::Format::compact:
            return "compact";
    }
    return "json";
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

/// One report of the run, whole, into a file of its own or to the output.
Result<std::string> get_report(
    ApiClient& client, const std::string& run_path, report::Format format
) {
    std::string text;
    LAB_CHECK(client.stream(
        {.path = run_path + "/report", .query = {{"format", std::string(format_name(format))}}},
        [&](std::string_view piece) {
            text += piece;
            return true;
        }
    ));
    return text;
}

Status save_text(const std::string& path, const std::string& text) {
    const std::string temporary = path + ".tmp";
    std::FILE* file = std::fopen(temporary.c_str(), "wb");
    if (file == nullptr) {
        return Error(Code::io, "cannot write " + path);
    }
    Status written = write_all(file, text);
    std::error_code code;
    if (std::fclose(file) == 0 && written) {
        fs::rename(temporary, path, code);
        if (!code) {
            return ok();
        }
    }
    fs::remove(temporary, code);
    return Error(Code::io, "cannot write " + path);
}

report::Format printed_format(const std::string& output) {
    return output == "json"      ? report::Format::json
           : output == "yaml"    ? report::Format::yaml
           : output == "csv"     ? report::Format::csv
           : output == "compact" ? report::Format::compact
                                 : report::Format::text;
}

/// Prints and saves the reports of a run; tells whether its gates passed.
Result<bool> deliver_remote(
    const Invocation& in,
    ApiClient& client,
    const std::string& run_path,
    std::vector<std::string> paths
) {
    LAB_TRY(const std::string json, get_report(client, run_path, report::Format::json));
    const report::Format format = printed_format(in.settings.output);
    LAB_TRY(
        const std::string shown,
        format == report::Format::json ? Result<std::string>(json)
                                       : get_report(client, run_path, format)
    );
    LAB_CHECK(write_all(in.console.out, shown));
    paths.insert(paths.end(), in.save.begin(), in.save.end());
    Status saved = ok();
    for (const std::string& path : paths) {
        LAB_TRY(const report::Format wanted, report::format_of_path(path));
        LAB_TRY(const std::string text, get_report(client, run_path, wanted));
        if (Status one = save_text(path, text); !one) {
            saved = std::move(one);
        } else {
            note(in.console, "saved " + path);
        }
    }
    LAB_CHECK(saved);
    LAB_TRY(const Json report, parse_json(json, {.bytes_max = 256U << 20}));
    return report.value("gates_passed", true);
}

Result<int> end_of(
    const Invocation& in,
    ApiClient& client,
    const std::string& run_path,
    const Json& run,
    std::vector<std::string> paths
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
    LAB_TRY(const bool passed, deliver_remote(in, client, run_path, std::move(paths)));
    return status != "completed" ? 1 : passed ? 0 : 100;
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
    return end_of(in, *client, "/experiments/" + id + "/runs/" + run_id, *end, std::move(paths));
}

}  // namespace lab::cli
