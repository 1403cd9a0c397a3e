#include "cli/nouns.h"

#include <CLI/CLI.hpp>

namespace lab::cli {
namespace {

const Columns kPrompts = {
    {.title = "id", .member = "id"},
    {.title = "name", .member = "name"},
    {.title = "version", .member = "version", .numeric = true},
    {.title = "tags", .member = "tags"},
    {.title = "created", .member = "created_at"},
};

const Columns kVersions = {
    {.title = "id", .member = "id"},
    {.title = "version", .member = "version_number", .numeric = true},
    {.title = "changelog", .member = "changelog"},
    {.title = "created", .member = "created_at"},
};

/// To people the texts as they are sent, for programs the whole answer.
Result<int> do_render(const Invocation& in, ApiClient& client, ApiValues& values) {
    LAB_TRY(const Json said, client.post(fill_path("/prompts/{ID}/render", values), values.body));
    if (in.settings.output != "table") {
        LAB_CHECK(print_answer(in.console, in.settings.output, said, {}));
        return 0;
    }
    const Json system = said.value("rendered_system_prompt", Json());
    if (system.is_string() && !system.get_ref<const std::string&>().empty()) {
        LAB_CHECK(print_text(in.console, "system:\n" + system.get<std::string>() + "\n\nuser:"));
    }
    LAB_CHECK(print_text(in.console, said.value("rendered", "")));
    note(in.console, dump_json(said.value("token_count", Json(0))) + " tokens");
    return 0;
}

void add_template(ApiCommand& command, const std::string& flags, bool required) {
    command.text(flags, "template", "Text with {{names}}, or @FILE", required)
        .text("--system", "system_prompt", "System prompt, or @FILE")
        .json("--variables", "variables", "Declarations: [{\"name\": ..., \"type\": ...}]")
        .json("--defaults", "default_values", "Values of variables that are not given");
}

void add_versions(const NounGroup& group, const Choose& choose) {
    ApiCommand(*group.app, "versions", "List the versions, newest first")
        .id("ID", "Id of the prompt")
        .number("-l,--limit", "limit", "Rows of a page, 1 to 100; 20 when not given")
        .number("--offset", "offset", "Rows to leave out in front")
        .sample({"llm-research prompts versions ID"})
        .sends(choose, "GET", "/prompts/{ID}/versions", kVersions);
    ApiCommand version(*group.app, "create-version", "Add a version");
    version.id("ID", "Id of the prompt");
    add_template(version, "-t,--template", false);
    version.text("--changelog", "changelog", "What is different")
        .sample({"llm-research prompts create-version ID --template @prompt.txt --changelog shorter"
        })
        .sends(choose, "POST", "/prompts/{ID}/versions", kVersions);
}

}  // namespace

void add_prompt_commands(CLI::App& app, const Choose& choose) {
    const NounGroup group = add_group(
        app,
        {.app = nullptr, .one = "prompt", .path = "/prompts", .columns = kPrompts},
        "prompts",
        "prompt",
        "Prompt templates and their versions"
    );
    list_command(group)
        .query("--tags", "tags", "Only with all of these, separated by commas")
        .query("--search", "search", "Only those whose texts hold this")
        .sample({"llm-research prompts list --search geography"})
        .sends(choose, "GET", "/prompts", kPrompts);
    add_get_and_delete(group, choose);
    ApiCommand create(*group.app, "create", "Make a prompt template");
    create.text("-n,--name", "name", "Name, 1 to 255 characters", true);
    add_template(create, "-t,--template", true);
    create.text("-d,--description", "description", "What it is")
        .list("--tags", "tags", "Tags, separated by commas")
        .text("--visibility", "visibility", "private, team or org")
        .json("--metadata", "metadata", "An object of your own")
        .sample({"llm-research prompts create -n capital -t 'Capital of {{country}}?' --tags geo"})
        .sends(choose, "POST", "/prompts", kPrompts);
    ApiCommand update(*group.app, "update", "Change the members that are given");
    update.id("ID", "Id of the prompt").text("-n,--name", "name", "Name, 1 to 255 characters");
    add_template(update, "-t,--template", false);
    update.text("-d,--description", "description", "What it is")
        .list("--tags", "tags", "Tags, separated by commas")
        .text("--visibility", "visibility", "private, team or org")
        .json("--metadata", "metadata", "An object of your own")
        .sample({"llm-research prompts update ID --template @prompt.txt"})
        .sends(choose, "PUT", "/prompts/{ID}", kPrompts);
    add_versions(group, choose);
    ApiCommand(*group.app, "render", "Fill a template in")
        .id("ID", "Id of the prompt")
        .json("--vars", "variables", "Values: {\"country\": \"France\"}, or @FILE")
        .text("--version", "version_id", "Id of a version; the newest when not given")
        .sample({"llm-research prompts render ID --vars '{\"country\": \"France\"}'"})
        .does(choose, do_render);
    ApiCommand validate(*group.app, "validate", "Check a template without storing it");
    validate.text("--template", "template", "Text with {{names}}, or @FILE", true)
        .text("--system", "system_prompt", "System prompt, or @FILE")
        .sample({"llm-research prompts validate --template @prompt.txt"})
        .does(
            choose,
            [](const Invocation& in, ApiClient& client, ApiValues& values) -> Result<int> {
                LAB_TRY(const Json said, client.post("/prompts/validate", values.body));
                LAB_CHECK(print_answer(in.console, in.settings.output, said, {}));
                return said.value("valid", false) ? 0 : 2;
            }
        );
}

}  // namespace lab::cli
