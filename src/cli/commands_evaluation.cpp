#include "base/text.h"
#include "cli/evaluation_view.h"
#include "cli/nouns.h"

#include <CLI/CLI.hpp>

namespace lab::cli {
namespace {

/// A run that is waited for may take its time.
constexpr Duration kRunMax = std::chrono::hours(1);

const Columns kEvaluations = {
    {.title = "id", .member = "id"},
    {.title = "name", .member = "name"},
    {.title = "kind", .member = "kind"},
    {.title = "type", .member = "evaluation_type"},
    {.title = "runs", .member = "run_count", .numeric = true},
    {.title = "last run", .member = "last_run_at"},
    {.title = "created", .member = "created_at"},
};

const Columns kRuns = {
    {.title = "id", .member = "id"},
    {.title = "run", .member = "run_number", .numeric = true},
    {.title = "status", .member = "status"},
    {.title = "created", .member = "created_at"},
};

const Columns kMetricTypes = {
    {.title = "name", .member = "name"},
    {.title = "metric", .member = "metric"},
    {.title = "also called", .member = "aliases"},
    {.title = "description", .member = "description"},
};

/// "accuracy,short:exact_match" as {name, metric_type}.
Json metrics_of(const std::string& given) {
    Json out = Json::array();
    for (const std::string_view word : split(given, ',')) {
        const std::string_view one = trim_ascii(word);
        if (one.empty()) {
            continue;
        }
        const std::size_t colon = one.find(':');
        Json metric = {{"name", std::string(one.substr(0, colon))}};
        if (colon != std::string_view::npos) {
            metric["metric_type"] = std::string(one.substr(colon + 1));
        }
        out.push_back(std::move(metric));
    }
    return out;
}

void add_fields(ApiCommand& command, bool creates) {
    command.text("-n,--name", "name", "Name, 1 to 255 characters", creates)
        .text(
            "-t,--type",
            "evaluation_type",
            "automated, human, comparison, llm_judge or custom",
            creates
        )
        .json("--config", "config", "The whole config as JSON, or @FILE")
        .text("--dataset", "parts.dataset_id", "Id of the dataset")
        .list("--models", "parts.model_ids", "Ids of models, separated by commas")
        .text("--prompt", "parts.prompt_template_id", "Id of the prompt")
        .text("--reference", "parts.reference_field", "Field of a row with the right answer")
        .value("--metrics", "Metrics, as accuracy or name:type, separated by commas")
        .text("-d,--description", "description", "What it is; a text or @FILE")
        .list("--tags", "tags", "Tags, separated by commas")
        .json("--metadata", "metadata", "An object of your own");
}

ApiCommand::Work writes(bool creates) {
    return [creates](const Invocation& in, ApiClient& client, ApiValues& values) -> Result<int> {
        Json parts = values.body.value("parts", Json::object());
        values.body.erase("parts");
        if (values.arguments.contains("metrics")) {
            parts["metrics"] = metrics_of(values.arguments["metrics"]);
        }
        if (!parts.empty() && !creates && !values.body.contains("config")) {
            LAB_TRY(const Json now, client.get(fill_path("/evaluations/{ID}", values)));
            values.body["config"] = now.value("config", Json::object());
        }
        if (!parts.empty()) {
            values.body["config"].update(parts);
        }
        if (values.body.empty()) {
            return Error(Code::validation, "nothing to change: give at least one option");
        }
        LAB_TRY(
            const Json answer,
            client.call({
                .method = creates ? "POST" : "PUT",
                .path = creates ? "/evaluations" : fill_path("/evaluations/{ID}", values),
                .body = dump_json(values.body),
            })
        );
        LAB_CHECK(print_answer(in.console, in.settings.output, answer, kEvaluations));
        return 0;
    };
}

/// Asks, and shows people tables of their own.
ApiCommand::Work shows(
    const char* method, const char* path, Status (*print)(const Console&, const Json&)
) {
    return [method,
            path,
            print](const Invocation& in, ApiClient& client, ApiValues& values) -> Result<int> {
        const bool posts = std::string_view(method) == "POST";
        LAB_TRY(
            const Json answer,
            client.call({
                .method = method,
                .path = fill_path(path, values),
                .body = posts ? dump_json(values.body) : "",
            })
        );
        const std::string& format = in.settings.output;
        LAB_CHECK(
            format == "table" ? print(in.console, answer)
                              : print_answer(in.console, format, answer, {})
        );
        return 0;
    };
}

void add_runs(const NounGroup& group, const Choose& choose) {
    ApiCommand(*group.app, "run", "Carry it out, and wait for the end unless --async-run")
        .id("ID", "Id of the evaluation")
        .json("--overrides", "config_overrides", "What is other than in the config")
        .yes("--async-run", "async_execution", "Do not wait")
        .sample({"llm-research evaluations run ID", "llm-research evaluations run ID --async-run"})
        .does(
            choose,
            [](const Invocation& in, ApiClient& client, ApiValues& values) -> Result<int> {
                if (client.transport().is_local() && values.body.contains("async_execution")) {
                    note(in.console, "without a server nobody else carries it out: waiting");
                    values.body.erase("async_execution");
                }
                values.body.emplace("async_execution", false);
                LAB_TRY(
                    const ApiResponse answer,
                    client.send({
                        .method = "POST",
                        .path = fill_path("/evaluations/{ID}/run", values),
                        .body = dump_json(values.body),
                        .timeout = kRunMax,
                    })
                );
                LAB_TRY(const Json run, parse_json(answer.body));
                LAB_CHECK(print_answer(in.console, in.settings.output, run, kRuns));
                return 0;
            }
        );
    ApiCommand(*group.app, "runs", "List its runs, newest first")
        .id("ID", "Id of the evaluation")
        .number("-l,--limit", "limit", "Rows of a page, 1 to 100; 20 when not given")
        .number("--offset", "offset", "Rows to leave out in front")
        .sample({"llm-research evaluations runs ID"})
        .sends(choose, "GET", "/evaluations/{ID}/runs", kRuns);
    ApiCommand(*group.app, "results", "The figures of one run")
        .id("ID", "Id of the evaluation")
        .id("RUN", "Id of the run")
        .sample({"llm-research evaluations results ID RUN -o json"})
        .does(choose, shows("GET", "/evaluations/{ID}/runs/{RUN}/results", print_results));
    ApiCommand(*group.app, "compare", "Runs beside each other, with tests")
        .list("--runs", "run_ids", "Ids of runs, separated by commas")
        .list("--metrics", "metrics", "Only these metrics")
        .sample({"llm-research evaluations compare --runs A,B"})
        .does(choose, shows("POST", "/evaluations/compare", print_comparison));
    ApiCommand(*group.app, "metric-types", "What can be measured")
        .sample({"llm-research evaluations metric-types"})
        .sends(choose, "GET", "/evaluations/metric-types", kMetricTypes);
}

}  // namespace

void add_evaluation_commands(CLI::App& app, const Choose& choose) {
    const NounGroup group = add_group(
        app,
        {.app = nullptr, .one = "evaluation", .path = "/evaluations", .columns = kEvaluations},
        "evaluations",
        "eval",
        "Evaluations: definitions, their runs, samples and summaries"
    );
    list_command(group)
        .query("-t,--type", "evaluation_type", "automated, human, comparison, llm_judge or custom")
        .query("--experiment", "experiment_id", "Only of this experiment")
        .query("--run", "run_id", "Only of this run")
        .query("-s,--status", "status", "Only in this state")
        .query("--tags", "tags", "Only with all of these, separated by commas")
        .sample({"llm-research evaluations list --type automated"})
        .sends(choose, "GET", "/evaluations", kEvaluations);
    add_get_and_delete(group, choose);
    ApiCommand create(*group.app, "create", "Define an evaluation");
    add_fields(create, true);
    create
        .sample({"llm-research evaluations create -n sums -t automated --dataset ID --models ID "
                 "--metrics accuracy"})
        .does(choose, writes(true));
    ApiCommand update(*group.app, "update", "Change the members that are given");
    update.id("ID", "Id of the evaluation");
    add_fields(update, false);
    update.sample({"llm-research evaluations update ID --metrics accuracy,short:exact_match"})
        .does(choose, writes(false));
    add_runs(group, choose);
}

}  // namespace lab::cli
