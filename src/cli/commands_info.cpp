#include "cli/commands.h"
#include "cli/completion.h"
#include "domain/spec_parse.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace lab::cli {
namespace {

Result<int> do_schema(const Invocation& in) {
    const std::string& output = in.settings.output;
    if (output != "table" && output != "json") {
        return Error(
            Code::validation, "a schema is JSON and is not made as " + output + ": use -o json"
        );
    }
    const Json schema = domain::experiment_schema(in.deps.vocabulary());
    LAB_CHECK(write_all(in.console.out, dump_json_pretty(schema) + "\n"));
    return 0;
}

Result<int> do_config_check(const Invocation& in) {
    Table table{.columns = {"setting", "value", "from"}, .rows = {}, .numeric = {}};
    for (const Settings::Origin& origin : in.settings.origins) {
        table.rows.push_back({origin.key, origin.value, origin.from});
    }
    const std::string file = in.settings.config_file.empty() ? "none" : in.settings.config_file;
    table.rows.push_back({"config file", file, in.settings.config_file_found ? "found" : "absent"});
    LAB_CHECK(print_table(in.console, table, in.settings.output));
    return 0;
}

Result<int> do_server_check(const Invocation& in) {
    LAB_TRY(auto rows, in.deps.server_settings());
    const Table table{
        .columns = {"setting", "value", "from"}, .rows = std::move(rows), .numeric = {}
    };
    LAB_CHECK(print_table(in.console, table, in.settings.output));
    return 0;
}

Result<int> do_doctor(const Invocation& in) {
    const std::vector<Finding> findings = in.deps.doctor(in.settings);
    Table table{.columns = {"check", "result", "found", "advice"}, .rows = {}, .numeric = {}};
    for (const Finding& finding : findings) {
        table.rows.push_back(
            {finding.check, finding.good ? "ok" : "PROBLEM", finding.found, finding.advice}
        );
    }
    LAB_CHECK(print_table(in.console, table, in.settings.output));
    return std::ranges::all_of(findings, &Finding::good) ? 0 : 1;
}

Result<int> do_version(const Invocation& in) {
    if (in.settings.output == "table" || in.settings.output == "compact") {
        LAB_CHECK(write_all(
            in.console.out,
            "llm-research " + in.deps.version + (in.console.verbose ? "\n" + in.deps.build : "") +
                "\n"
        ));
        return 0;
    }
    const Table table{
        .columns = {"version", "build"},
        .rows = {{in.deps.version, in.deps.build}},
        .numeric = {},
    };
    LAB_CHECK(print_table(in.console, table, in.settings.output));
    return 0;
}

}  // namespace

void add_info_commands(CLI::App& app, const Choose& choose) {
    CLI::App* schema = app.add_subcommand("schema", "JSON Schema of the files this program reads");
    const auto what = std::make_shared<std::string>("experiment");
    schema->add_option("KIND", *what, "experiment")->check(CLI::IsMember({"experiment"}));
    schema->footer(examples({"llm-research schema experiment > experiment.schema.json"}));
    schema->callback([choose] { choose([](const Invocation& in) { return do_schema(in); }); });

    CLI::App* config = app.add_subcommand("config", "The configuration and where it comes from");
    config->require_subcommand(1);
    CLI::App* check = config->add_subcommand("check", "Check it and print every setting");
    const auto of_server = std::make_shared<bool>(false);
    check->add_flag("--server", *of_server, "The settings of `serve`, from the environment");
    check->footer(examples({"llm-research config check", "llm-research config check --server"}));
    check->callback([choose, of_server] {
        choose([of_server](const Invocation& in) {
            return *of_server ? do_server_check(in) : do_config_check(in);
        });
    });
    add_config_commands(*config, choose);
    config->footer(examples({"llm-research config check", "llm-research config show"}));

    CLI::App* doctor = app.add_subcommand("doctor", "Check the installation and say what to mend");
    doctor->footer(examples({"llm-research doctor"}));
    doctor->callback([choose] { choose([](const Invocation& in) { return do_doctor(in); }); });

    CLI::App* version = app.add_subcommand("version", "Print the version");
    version->footer(examples({"llm-research version", "llm-research version -v"}));
    version->callback([choose] { choose([](const Invocation& in) { return do_version(in); }); });

    const auto shell = std::make_shared<std::string>();
    CLI::App* completion = app.add_subcommand("completion", "Print a completion script");
    completion->add_option("SHELL", *shell, "bash, zsh or fish")
        ->required()
        ->check(CLI::IsMember({"bash", "zsh", "fish"}));
    completion->footer(examples(
        {"llm-research completion bash > ~/.local/share/bash-completion/completions/llm-research"}
    ));
    completion->callback([choose, shell, &app] {
        choose([shell, &app](const Invocation& in) -> Result<int> {
            LAB_TRY(const std::string script, completion_script(app, *shell));
            LAB_CHECK(write_all(in.console.out, script));
            return 0;
        });
    });
}

}  // namespace lab::cli
