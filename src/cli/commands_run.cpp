#include "base/text.h"
#include "cli/commands.h"
#include "cli/progress.h"
#include "cli/remote_run.h"
#include "report/format.h"
#include "service/experiment.h"
#include "service/runs.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <filesystem>

namespace lab::cli {
namespace {

namespace fs = std::filesystem;

std::string count(std::int64_t n) { return report::format_count(n); }

/// Reports named in the experiment file stand relative to it.
std::vector<std::string> report_paths(const service::Experiment& experiment) {
    std::vector<std::string> out;
    for (const domain::ReportSpec& report : experiment.spec.reports) {
        const fs::path path(report.path);
        out.push_back(
            path.is_absolute() ? report.path : (fs::path(experiment.base_folder) / path).string()
        );
    }
    return out;
}

void print_warnings(const Console& console, const std::vector<std::string>& warnings) {
    for (const std::string& warning : warnings) {
        note(console, "warning: " + warning);
    }
}

/// The options that raise the limits of a run's budget.
std::string more_of(const domain::Run& run) {
    std::vector<std::string> options;
    const auto spec = parse_json(run.spec);
    for (const auto& [limit, option] :
         {std::pair("/run/budget/max_cost_usd", "--max-cost-usd N"),
          std::pair("/run/budget/max_calls", "--max-calls N"),
          std::pair("/run/budget/max_tokens", "--max-tokens N")}) {
        if (spec && spec->contains(Json::json_pointer(limit))) {
            options.emplace_back(option);
        }
    }
    return join(options, " or ");
}

/// What the user is told when a run did not complete, and the exit code that goes with it.
int explain_end(const Console& console, const service::RunResult& result) {
    const service::Progress& p = result.progress;
    const std::int64_t outputs = p.already + p.done;
    const std::string kept =
        p.failed == 0
            ? count(outputs) + " of " + count(p.planned) + " samples are stored"
            : count(p.planned - outputs) + " of " + count(p.planned) + " samples have no output; " +
                  (outputs == 0 ? "none is" : count(outputs) + " are") + " stored";
    const std::string resume = "llm-research resume " + result.run.id.substr(0, 8);
    if (result.error) {
        print_error(console, *result.error);
        note(console, kept + "; when that is mended, go on with: " + resume);
        return 1;
    }
    switch (result.run.state) {
        case domain::RunState::completed:
            return 0;
        case domain::RunState::interrupted:
            note(console, "interrupted: " + kept + "; go on with: " + resume);
            return 130;
        case domain::RunState::budget_exhausted:
            note(
                console,
                "the budget is spent: " + kept + "; keep these, or go on with more: " + resume +
                    " " + more_of(result.run)
            );
            return 1;
        default:
            note(console, "the run failed: " + result.run.stop_reason);
            note(console, kept + "; go on with: " + resume);
            return 1;
    }
}

Result<int> finish_run(
    const Invocation& in, const service::RunResult& result, const std::vector<std::string>& paths
) {
    const int code = explain_end(in.console, result);
    const service::Progress& p = result.progress;
    // A program that reads the output is told how the run ended whatever came of it.
    const bool for_programs = in.settings.output == "json" || in.settings.output == "yaml";
    if (!for_programs && (code == 130 || (code != 0 && p.already + p.done == 0))) {
        return code;
    }
    bool gates_passed = true;
    const Status delivered = deliver_report(in, {result.run.id}, paths, gates_passed);
    if (!delivered && (code == 0 || is_reader_gone(delivered.error()))) {
        return delivered.error();
    }
    if (!delivered) {
        print_error(in.console, delivered.error());
    }
    return code != 0 ? code : gates_passed ? 0 : 100;
}

service::RunHooks hooks_for(const Invocation& in, ProgressDisplay& display) {
    service::RunHooks hooks;
    hooks.started = [&in](const domain::Run& run) {
        note(
            in.console,
            "run " + run.id.substr(0, 8) + "  " + run.experiment_name + " #" +
                std::to_string(run.number) + "  " + count(run.planned) + " samples"
        );
    };
    hooks.progress = [&display](const service::Progress& progress) { display.show(progress); };
    hooks.on_interrupt = in.deps.on_interrupt;
    return hooks;
}

Result<int> do_run(const Invocation& in, const std::string& file) {
    LAB_TRY(service::Deps * services, in.services());
    const Ctx ctx(*services->clock);
    LAB_TRY(
        const std::unique_ptr<service::Experiment> experiment,
        service::load_experiment_file(ctx, *services, file, service::Purpose::run)
    );
    LAB_CHECK(check_report_paths(report_paths(*experiment)));
    print_warnings(in.console, experiment->warnings);
    ProgressDisplay display(in.console);
    LAB_TRY(
        const service::RunResult result,
        service::run_experiment(ctx, *services, *experiment, hooks_for(in, display))
    );
    display.finish(result.progress);
    return finish_run(in, result, report_paths(*experiment));
}

/// The limits that resume may raise, as the options gave them.
struct BudgetOptions {
    std::string max_cost_usd;
    std::int64_t max_calls = 0;
    std::int64_t max_tokens = 0;
};

Result<domain::Budget> budget_of(const BudgetOptions& options) {
    domain::Budget budget;
    if (!options.max_cost_usd.empty()) {
        auto cost = Money::parse(options.max_cost_usd);
        if (!cost) {
            return Error(Code::validation, "--max-cost-usd: " + cost.error().message);
        }
        budget.max_cost = *cost;
    }
    if (options.max_calls > 0) {
        budget.max_calls = options.max_calls;
    }
    if (options.max_tokens > 0) {
        budget.max_tokens = options.max_tokens;
    }
    return budget;
}

Result<int> do_resume(const Invocation& in, const std::string& id, const BudgetOptions& options) {
    LAB_TRY(const domain::Budget budget, budget_of(options));
    LAB_TRY(service::Deps * services, in.services());
    const Ctx ctx(*services->clock);
    ProgressDisplay display(in.console);
    LAB_TRY(
        const service::RunResult result,
        service::resume_run(ctx, *services, id, budget, hooks_for(in, display))
    );
    display.finish(result.progress);
    return finish_run(in, result, {});
}

std::string money_or_na(const std::optional<Money>& money) {
    return money ? "$" + money->rounded(4) : "n/a";
}

Result<int> do_validate(const Invocation& in, const std::string& file) {
    LAB_TRY(service::Deps * services, in.services());
    const Ctx ctx(*services->clock);
    LAB_TRY(
        const std::unique_ptr<service::Experiment> experiment,
        service::load_experiment_file(ctx, *services, file, service::Purpose::validate)
    );
    LAB_TRY(const service::Forecast plan, service::forecast(*experiment));
    print_warnings(in.console, experiment->warnings);
    Table table{
        .columns = {"variant", "calls", "input tokens", "output tokens at most", "cost at most"},
        .rows = {},
        .numeric = {false, true, true, true, true},
    };
    for (const service::Forecast::Row& row : plan.rows) {
        table.rows.push_back(
            {row.variant,
             count(row.calls),
             "~" + count(row.input_tokens),
             row.output_tokens_max ? count(*row.output_tokens_max) : "n/a",
             money_or_na(row.cost_max)}
        );
    }
    if (plan.rows.size() > 1) {
        table.rows.push_back(
            {"total",
             count(plan.calls),
             "~" + count(plan.input_tokens),
             "",
             money_or_na(plan.cost_max)}
        );
    }
    // Rows that were read from a file have no version before a run imports them.
    const domain::DatasetVersion& dataset = experiment->dataset;
    const std::string version = dataset.version > 0 ? "@" + std::to_string(dataset.version) : "";
    note(
        in.console,
        file + " is valid: " + experiment->spec.name + ", " + count(experiment->items->count()) +
            " items of " + dataset.name + version
    );
    LAB_CHECK(print_table(in.console, table, in.settings.output));
    return 0;
}

}  // namespace

void add_run_commands(CLI::App& app, const Choose& choose) {
    const auto file = std::make_shared<std::string>();
    CLI::App* run = app.add_subcommand("run", "Run an experiment file and report the result");
    run->add_option("FILE", *file, "Experiment file (YAML or JSON)")->required();
    const auto remote = std::make_shared<bool>(false);
    const auto detach = std::make_shared<bool>(false);
    run->add_flag(
        "-r,--remote", *remote, "At the server: what it does not have is sent, then it is followed"
    );
    run->add_flag("--detach", *detach, "With --remote: say the ids and do not wait for the end")
        ->needs("--remote");
    run->footer(examples({
        "llm-research run experiment.yaml",
        "llm-research run experiment.yaml --remote --api-url https://lab.example.org",
        "llm-research run experiment.yaml --save report.html --save junit.xml",
        "llm-research run experiment.yaml -o json > result.json",
    }));
    run->callback([choose, file, remote, detach] {
        choose([file, remote, detach](const Invocation& in) {
            return *remote ? run_remote(in, *file, *detach) : do_run(in, *file);
        });
    });

    const auto id = std::make_shared<std::string>();
    CLI::App* resume = app.add_subcommand("resume", "Go on with a run that did not complete");
    resume->add_option("RUN", *id, "Id, the beginning of an id, or `last`")->required();
    const auto budget = std::make_shared<BudgetOptions>();
    resume->add_option("--max-cost-usd", budget->max_cost_usd, "New run.budget.max_cost_usd")
        ->type_name("AMOUNT");
    resume->add_option("--max-calls", budget->max_calls, "New run.budget.max_calls")
        ->check(CLI::PositiveNumber);
    resume->add_option("--max-tokens", budget->max_tokens, "New run.budget.max_tokens")
        ->check(CLI::PositiveNumber);
    resume->footer(examples({
        "llm-research resume last",
        "llm-research resume 3f2a --max-cost-usd 5",
    }));
    resume->callback([choose, id, budget] {
        choose([id, budget](const Invocation& in) { return do_resume(in, *id, *budget); });
    });

    CLI::App* validate = app.add_subcommand(
        "validate", "Check an experiment file and print the plan, without any call"
    );
    validate->add_option("FILE", *file, "Experiment file (YAML or JSON)")->required();
    validate->footer(examples({"llm-research validate experiment.yaml"}));
    validate->callback([choose, file] {
        choose([file](const Invocation& in) { return do_validate(in, *file); });
    });
}

}  // namespace lab::cli
