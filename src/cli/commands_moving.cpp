#include "cli/commands.h"

#include <CLI/CLI.hpp>

namespace lab::cli {
namespace {

using What = MoveRequest::What;

void choose_move(
    const Choose& choose, CLI::App& command, const std::shared_ptr<MoveRequest>& request
) {
    command.callback([choose, request] {
        choose([request](const Invocation& in) -> Result<int> {
            LAB_TRY(Moved moved, in.deps.move(in.settings, *request));
            if (request->what == What::store) {
                const Table table{
                    .columns = {"table", "rows", "copied", "hash", "equal"},
                    .rows = std::move(moved.tables),
                    .numeric = {false, true, true, false, false}
                };
                LAB_CHECK(print_table(in.console, table, in.settings.output));
            } else {
                std::vector<Field> fields;
                for (auto& [name, value] : moved.fields) {
                    fields.push_back({name, value});
                }
                LAB_CHECK(print_fields(in.console, fields, in.settings.output));
            }
            for (const std::string& words : moved.notes) {
                note(in.console, words);
            }
            return 0;
        });
    });
}

}  // namespace

void add_moving_commands(CLI::App& admin, const Choose& choose) {
    const auto store = std::make_shared<MoveRequest>();
    store->what = What::store;
    CLI::App* migrate_store = admin.add_subcommand(
        "migrate-store",
        "Copy the store from one database to another that is empty, and compare both; again after "
        "it was stopped goes on"
    );
    migrate_store->add_option("--from", store->from, "sqlite:FILE, sqlite:HOME or postgresql://...")
        ->type_name("STORE")
        ->required();
    migrate_store->add_option("--to", store->to, "The same")->type_name("STORE")->required();
    migrate_store->footer(examples({
        "llm-research admin migrate-store --from sqlite:$HOME/.llm-research --to "
        "postgresql://lab@db/lab",
    }));
    choose_move(choose, *migrate_store, store);

    const auto backup = std::make_shared<MoveRequest>();
    backup->what = What::backup;
    CLI::App* make_backup = admin.add_subcommand(
        "backup", "Write the embedded store and its files into one archive, also while it is served"
    );
    make_backup->add_option("--to", backup->to, "The archive, a new file")
        ->type_name("FILE")
        ->required();
    make_backup->footer(examples({"llm-research admin backup --to lab-$(date +%F).tar"}));
    choose_move(choose, *make_backup, backup);

    const auto restore = std::make_shared<MoveRequest>();
    restore->what = What::restore;
    CLI::App* make_restore = admin.add_subcommand(
        "restore", "Make the embedded store what an archive of `admin backup` holds"
    );
    make_restore->add_option("--from", restore->from, "The archive")->type_name("FILE")->required();
    make_restore->add_flag("--force", restore->force, "Replace the store that is there");
    make_restore->footer(examples(
        {"LLM_RESEARCH_HOME=/srv/lab llm-research admin restore --from lab-2026-01-02.tar"}
    ));
    choose_move(choose, *make_restore, restore);
}

}  // namespace lab::cli
