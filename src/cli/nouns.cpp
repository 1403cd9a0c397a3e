#include "cli/nouns.h"

#include <CLI/CLI.hpp>

namespace lab::cli {

NounGroup add_group(
    CLI::App& app,
    NounGroup group,
    const std::string& name,
    const std::string& alias,
    const std::string& help
) {
    group.app = app.add_subcommand(name, help);
    if (!alias.empty()) {
        group.app->alias(alias);
    }
    group.app->require_subcommand(1);
    const std::string call = "llm-research " + name;
    group.app->footer(examples({call + " list", call + " list --api-url https://lab.example.org"}));
    return group;
}

ApiCommand list_command(const NounGroup& group) {
    ApiCommand list(*group.app, "list", "List them, newest first");
    list.number("-l,--limit", "limit", "Rows of a page, 1 to 100; 20 when not given")
        .number("--offset", "offset", "Rows to leave out in front")
        .query("--sort", "sort", "A member, such as name; -name turns the order round");
    return list;
}

void add_get_and_delete(const NounGroup& group, const Choose& choose) {
    const std::string name = group.app->get_name();
    ApiCommand(*group.app, "get", "Show one " + group.one)
        .id("ID", "Id of the " + group.one)
        .sample({"llm-research " + name + " get ID", "llm-research " + name + " get ID -o yaml"})
        .sends(choose, "GET", group.path + "/{ID}", group.columns);
    ApiCommand(*group.app, "delete", "Delete one " + group.one)
        .id("ID", "Id of the " + group.one)
        .sample(
            {"llm-research " + name + " delete ID", "llm-research " + name + " delete ID --force"}
        )
        .removes(choose, group.path + "/{ID}", group.one);
}

void add_common_options(ApiCommand& command) {
    command.text("-d,--description", "description", "What it is; a text or @FILE")
        .list("-t,--tags", "tags", "Tags, separated by commas")
        .text("--visibility", "visibility", "private, team or org")
        .json("--metadata", "metadata", "An object of your own");
}

}  // namespace lab::cli
