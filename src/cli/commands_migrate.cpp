#include "cli/commands.h"

#include <CLI/CLI.hpp>

namespace lab::cli {
namespace {

using What = MigrateRequest::What;

CLI::App* add(
    CLI::App& migrate, const Choose& choose, What what, const char* name, const char* words
) {
    const auto request = std::make_shared<MigrateRequest>();
    request->what = what;
    CLI::App* command = migrate.add_subcommand(name, words);
    command
        ->add_option(
            "--database-url",
            request->database_url,
            "postgresql://...: the server itself, not a pooler; DATABASE_URL when not given"
        )
        ->type_name("URL");
    if (what == What::revert) {
        command->add_option(
            "--target-version",
            request->target,
            "Undo all steps above this one, 0: all; otherwise the last one"
        );
    }
    command->callback([choose, request] {
        choose([request](const Invocation& in) -> Result<int> {
            LAB_TRY(auto rows, in.deps.migrate(*request));
            if (rows.empty() && in.settings.output == "table") {
                std::fprintf(in.console.err, "nothing to do\n");
                return 0;
            }
            const Table table{
                .columns = {"version", "name", "state"},
                .rows = std::move(rows),
                .numeric = {true, false, false}
            };
            LAB_CHECK(print_table(in.console, table, in.settings.output));
            return 0;
        });
    });
    return command;
}

}  // namespace

void add_migrate_commands(CLI::App& app, const Choose& choose) {
    CLI::App* migrate = app.add_subcommand(
        "migrate", "The schema of PostgreSQL: in migrations/, in the ledger of sqlx"
    );
    migrate->require_subcommand(1);
    add(*migrate, choose, What::run, "run", "Apply the steps that are missing")
        ->footer(examples({"llm-research migrate run"}));
    add(*migrate, choose, What::info, "info", "Show every step and whether it is installed")
        ->footer(examples({"llm-research migrate info -o json"}));
    add(*migrate, choose, What::revert, "revert", "Undo the last step, with the data in it")
        ->footer(examples({"llm-research migrate revert --target-version 1"}));
    migrate->footer(examples({"llm-research migrate info"}));
}

}  // namespace lab::cli
