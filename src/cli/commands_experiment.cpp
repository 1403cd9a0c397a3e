#include "base/percent.h"
#include "cli/follow.h"
#include "cli/nouns.h"
#include "cli/remote_report.h"

#include <CLI/CLI.hpp>

#include <algorithm>

namespace lab::cli {
namespace {

const Columns kExperiments = {
    {.title = "id", .member = "id"},
    {.title = "name", .member = "name"},
    {.title = "status", .member = "status"},
    {.title = "tags", .member = "tags"},
    {.title = "created", .member = "created_at"},
};

const Columns kRuns = {
    {.title = "id", .member = "id"},
    {.title = "run", .member = "run_number", .numeric = true},
    {.title = "status", .member = "status"},
    {.title = "samples", .member = "progress.processed_samples", .numeric = true},
    {.title = "of", .member = "progress.total_samples", .numeric = true},
    {.title = "failed", .member = "totals.failed_samples", .numeric = true},
    {.title = "tokens", .member = "totals.total_tokens", .numeric = true},
    {.title = "cost", .member = "totals.total_cost"},
    {.title = "created", .member = "created_at"},
};

void add_fields(ApiCommand& command, bool creates) {
    command.text("-n,--name", "name", "Name, 1 to 255 characters", creates)
        .text("--hypothesis", "hypothesis", "What is expected; a text or @FILE")
        .text("--owner", "owner_id", "Id of the owner; you when not given")
        .list("--collaborators", "collaborators", "Ids of users who may work on it")
        .json("--config", "config", "The whole config as JSON, or @FILE")
        .list("--models", "parts.model_ids", "Ids of models, separated by commas")
        .list("--datasets", "parts.dataset_ids", "Ids of datasets")
        .list("--prompts", "parts.prompt_template_ids", "Ids of prompts")
        .list("--metrics", "parts.evaluation_metrics", "accuracy, bleu, ...")
        .text("--reference", "parts.reference_field", "Field of a row with the right answer")
        .json("--parameters", "parts.parameters", "temperature, max_tokens, ...");
    add_common_options(command);
}

/// Options that name members of the config change these and leave the others as they are.
Status put_config_together(ApiClient& client, ApiValues& values, bool creates) {
    if (!values.body.contains("parts")) {
        return ok();
    }
    const Json parts = values.body["parts"];
    values.body.erase("parts");
    if (!values.body.contains("config")) {
        values.body["config"] = Json::object();
        if (!creates) {
            LAB_TRY(const Json now, client.get(fill_path("/experiments/{ID}", values)));
            values.body["config"] = now.value("config", Json::object());
        }
    }
    values.body["config"].update(parts);
    return ok();
}

ApiCommand::Work writes(bool creates) {
    return [creates](const Invocation& in, ApiClient& client, ApiValues& values) -> Result<int> {
        LAB_CHECK(put_config_together(client, values, creates));
        if (values.body.empty()) {
            return Error(Code::validation, "nothing to change: give at least one option");
        }
        LAB_TRY(
            const Json answer,
            client.call({
                .method = creates ? "POST" : "PUT",
                .path = creates ? "/experiments" : fill_path("/experiments/{ID}", values),
                .body = dump_json(values.body),
            })
        );
        LAB_CHECK(print_answer(in.console, in.settings.output, answer, kExperiments));
        return 0;
    };
}

/// The exit code of a run that is complete: as `run` would have given it.
Result<int> gates_of(ApiClient& client, const std::string& id, const Json& run) {
    if (run.value("origin", "") != "engine") {
        return 0;
    }
    const auto passed = remote_gates_passed(
        client,
        "/experiments/" + percent_encode(id) + "/runs/" + percent_encode(run.value("id", ""))
    );
    if (!passed && passed.error().code == Code::forbidden) {
        return 0;  // who may not read figures is not told of them
    }
    LAB_CHECK(passed);
    return *passed ? 0 : 100;
}

/// Where nobody else carries a run out, the command that starts it does.
Result<int> after_start(const Invocation& in, ApiClient& client, const std::string& id) {
    LAB_TRY(const Json run, newest_run(client, id));
    const std::string run_id = run.value("id", "");
    LAB_TRY(const auto end, follow_run(in, client, id, run_id));
    if (end) {
        LAB_CHECK(print_answer(in.console, in.settings.output, *end, kRuns));
        if (end->value("status", "") != "completed") {
            return 1;
        }
        return gates_of(client, id, *end);
    }
    note(
        in.console,
        client.transport().is_local()
            ? "interrupted: what was answered is stored; go on with: llm-research experiments "
              "start " +
                  id
            : "the run goes on; see it again with: llm-research experiments follow " + id
    );
    return 130;
}

void add_starts(const NounGroup& group, const Choose& choose) {
    for (const auto& [name, help] :
         {std::pair("start", "Check the config and run it; without a server, until it is done"),
          std::pair("resume", "Go on where it was paused")}) {
        ApiCommand(*group.app, name, help)
            .id("ID", "Id of the experiment")
            .sample({std::string("llm-research experiments ") + name + " ID"})
            .does(
                choose,
                [path = "/experiments/{ID}/" + std::string(name)](
                    const Invocation& in, ApiClient& client, ApiValues& values
                ) -> Result<int> {
                    LAB_TRY(
                        const Json started,
                        client.call({.method = "POST", .path = fill_path(path, values)})
                    );
                    if (client.transport().is_local()) {
                        return after_start(in, client, values.arguments["ID"]);
                    }
                    LAB_CHECK(print_answer(in.console, in.settings.output, started, kExperiments));
                    return 0;
                }
            );
    }
    ApiCommand(*group.app, "follow", "Watch the newest run of it until it is done")
        .id("ID", "Id of the experiment")
        .sample({"llm-research experiments follow ID"})
        .does(choose, [](const Invocation& in, ApiClient& client, ApiValues& values) {
            return after_start(in, client, values.arguments["ID"]);
        });
    for (const auto& [name, help] :
         {std::pair("pause", "Send nothing more; what is in flight is finished and kept"),
          std::pair("cancel", "End it; what is stored stays"),
          std::pair("archive", "Put it away"),
          std::pair("unarchive", "Take it out again")}) {
        ApiCommand(*group.app, name, help)
            .id("ID", "Id of the experiment")
            .sample({std::string("llm-research experiments ") + name + " ID"})
            .sends(choose, "POST", "/experiments/{ID}/" + std::string(name), kExperiments);
    }
    ApiCommand(*group.app, "clone", "Make a draft with the same config")
        .id("ID", "Id of the experiment")
        .text("-n,--name", "name", "Its name; the same with (copy) when not given")
        .sample({"llm-research experiments clone ID --name 'second try'"})
        .sends(choose, "POST", "/experiments/{ID}/clone", kExperiments);
}

void add_runs(const NounGroup& group, const Choose& choose) {
    ApiCommand(*group.app, "runs", "List the runs, newest first")
        .id("ID", "Id of the experiment")
        .number("-l,--limit", "limit", "Rows of a page, 1 to 100; 20 when not given")
        .number("--offset", "offset", "Rows to leave out in front")
        .sample({"llm-research experiments runs ID -l 5"})
        .sends(choose, "GET", "/experiments/{ID}/runs", kRuns);
    ApiCommand(*group.app, "run", "Begin a run that you carry out and report yourself")
        .id("ID", "Id of the experiment")
        .json("--overrides", "config_overrides", "What is other than in the config")
        .text("-n,--name", "name", "Name of the run")
        .sample({"llm-research experiments run ID --overrides '{\"parameters\": {\"seed\": 1}}'"})
        .sends(choose, "POST", "/experiments/{ID}/runs", kRuns);
    ApiCommand(*group.app, "metrics", "The figures of it")
        .id("ID", "Id of the experiment")
        .sample({"llm-research experiments metrics ID -o json"})
        .sends(choose, "GET", "/experiments/{ID}/metrics");
    ApiCommand(*group.app, "report", "The report of the newest run with results")
        .id("ID", "Id of the experiment")
        .query(
            "--format", "format", "md, json, html, csv, junit or yaml; like --output when not given"
        )
        .query("--compare", "compare", "Ids of other runs on the same rows")
        .sample(
            {"llm-research experiments report ID --save report.html",
             "llm-research experiments report ID --format md"}
        )
        .does(
            choose,
            [](const Invocation& in, ApiClient& client, ApiValues& values) -> Result<int> {
                ApiRequest request{
                    .path = fill_path("/experiments/{ID}/report", values), .query = values.query
                };
                const bool chosen = std::ranges::any_of(values.query, [](const auto& one) {
                    return one.first == "format";
                });
                if (!chosen) {
                    LAB_CHECK(deliver_remote(in, client, request, {}));
                    return 0;
                }
                if (!in.save.empty()) {
                    return Error(
                        Code::validation, "--format prints; --save has a format by its ending"
                    );
                }
                Status written = ok();
                LAB_CHECK(client.stream(std::move(request), [&](std::string_view piece) {
                    written = write_all(in.console.out, piece);
                    return written.has_value();
                }));
                LAB_CHECK(written);
                return 0;
            }
        );
}

}  // namespace

void add_experiment_commands(CLI::App& app, const Choose& choose) {
    const NounGroup group = add_group(
        app,
        {.app = nullptr, .one = "experiment", .path = "/experiments", .columns = kExperiments},
        "experiments",
        "exp",
        "Experiments of a server, or of the store of this home"
    );
    list_command(group)
        .query("-s,--status", "status", "draft, ready, running, paused, completed, failed, ...")
        .query("--owner", "owner_id", "Only of this user")
        .query("-t,--tags", "tags", "Only with all of these, separated by commas")
        .query("--search", "q", "Only those whose name or description holds this")
        .sample(
            {"llm-research experiments list --status running",
             "llm-research exp list --tags nightly -o compact | cut -f1"}
        )
        .sends(choose, "GET", "/experiments", kExperiments);
    add_get_and_delete(group, choose);
    ApiCommand create(*group.app, "create", "Make an experiment");
    add_fields(create, true);
    create
        .sample(
            {"llm-research experiments create -n capitals --models ID --datasets ID --prompts ID "
             "--metrics accuracy",
             "llm-research experiments create -n capitals --config @config.json"}
        )
        .does(choose, writes(true));
    ApiCommand update(*group.app, "update", "Change the members that are given");
    update.id("ID", "Id of the experiment");
    add_fields(update, false);
    update.sample({"llm-research experiments update ID --tags nightly,small"})
        .does(choose, writes(false));
    add_starts(group, choose);
    add_runs(group, choose);
}

}  // namespace lab::cli
