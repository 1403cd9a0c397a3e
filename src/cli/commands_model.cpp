#include "cli/nouns.h"

#include <CLI/CLI.hpp>

namespace lab::cli {
namespace {

const Columns kModels = {
    {.title = "id", .member = "id"},
    {.title = "name", .member = "name"},
    {.title = "provider", .member = "provider"},
    {.title = "model", .member = "model_identifier"},
    {.title = "version", .member = "version"},
    {.title = "created", .member = "created_at"},
};

const Columns kProviders = {
    {.title = "name", .member = "name"},
    {.title = "provider", .member = "display_name"},
    {.title = "models", .member = "supported_models"},
};

void add_fields(ApiCommand& command, bool creates) {
    command.text("-n,--name", "name", "Name, 1 to 255 characters", creates)
        .text("--provider", "provider", "One of `llm-research models providers`", creates)
        .text("--model", "model_identifier", "The provider's name of the model", creates)
        .text("--version", "version", "Version of the model")
        .json(
            "--config",
            "config",
            "JSON or @FILE: base_url, credential, pricing, limits, capabilities"
        );
    add_common_options(command);
}

}  // namespace

void add_model_commands(CLI::App& app, const Choose& choose) {
    const NounGroup group = add_group(
        app,
        {.app = nullptr, .one = "model", .path = "/models", .columns = kModels},
        "models",
        "model",
        "Registered models"
    );
    list_command(group)
        .query("--provider", "provider", "Only of this provider")
        .query("--name", "name", "Only of this name")
        .sample({"llm-research models list --provider openai -o compact"})
        .sends(choose, "GET", "/models", kModels);
    add_get_and_delete(group, choose);
    ApiCommand create(*group.app, "create", "Register a model");
    add_fields(create, true);
    create
        .sample(
            {"llm-research models create -n small --provider openai --model gpt-4o-mini",
             "llm-research models create -n own --provider local --model llama --config "
             "'{\"base_url\": \"http://127.0.0.1:8000/v1\"}'"}
        )
        .sends(choose, "POST", "/models", kModels);
    ApiCommand update(*group.app, "update", "Change the members that are given");
    update.id("ID", "Id of the model");
    add_fields(update, false);
    update.sample({"llm-research models update ID --name other"})
        .sends(choose, "PUT", "/models/{ID}", kModels);
    ApiCommand(*group.app, "providers", "What models can come from")
        .sample({"llm-research models providers"})
        .sends(choose, "GET", "/models/providers", kProviders);
}

}  // namespace lab::cli
