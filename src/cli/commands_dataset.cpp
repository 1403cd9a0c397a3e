#include "cli/commands.h"
#include "service/datasets.h"

#include <CLI/CLI.hpp>

namespace lab::cli {
namespace {

Table versions_table(const std::vector<domain::DatasetVersion>& versions) {
    Table table{
        .columns = {"name", "version", "rows", "bytes", "hash", "created"},
        .rows = {},
        .numeric = {false, true, true, true, false, false},
    };
    for (const domain::DatasetVersion& v : versions) {
        table.rows.push_back(
            {v.name,
             std::to_string(v.version),
             std::to_string(v.rows),
             std::to_string(v.bytes),
             v.content_hash,
             v.created_at}
        );
    }
    return table;
}

Result<int> do_import(const Invocation& in, const service::ImportRequest& request) {
    LAB_TRY(service::Deps * services, in.services());
    LAB_TRY(
        const domain::DatasetVersion version,
        service::import_dataset(Ctx(*services->clock), *services, request)
    );
    LAB_CHECK(print_table(in.console, versions_table({version}), in.settings.output));
    return 0;
}

Result<int> do_list(const Invocation& in) {
    LAB_TRY(service::Deps * services, in.services());
    LAB_TRY(
        const std::vector<domain::DatasetVersion> versions,
        service::list_datasets(Ctx(*services->clock), *services)
    );
    LAB_CHECK(print_table(in.console, versions_table(versions), in.settings.output));
    return 0;
}

Result<int> do_get(const Invocation& in, const std::string& ref) {
    LAB_TRY(service::Deps * services, in.services());
    LAB_TRY(
        const domain::DatasetVersion version,
        service::get_dataset(Ctx(*services->clock), *services, ref)
    );
    LAB_CHECK(print_table(in.console, versions_table({version}), in.settings.output));
    return 0;
}

}  // namespace

void add_dataset_commands(CLI::App& app, const Choose& choose) {
    CLI::App* datasets = app.add_subcommand("datasets", "Import, list and show datasets");
    datasets->require_subcommand(1);
    const auto request = std::make_shared<service::ImportRequest>();
    CLI::App* import = datasets->add_subcommand(
        "import", "Import rows; the same rows again give the same version"
    );
    import->add_option("FILE", request->path, "JSONL, JSON, CSV or TSV")->required();
    import->add_option("--name", request->name, "Name; default: from the path");
    import->add_option("--format", request->format, "Format; default: from the extension")
        ->check(CLI::IsMember({"jsonl", "json", "csv", "tsv"}));
    import->footer(examples({
        "llm-research datasets import questions.jsonl",
        "llm-research datasets import export.txt --format tsv --name support-tickets",
    }));
    import->callback([choose, request] {
        choose([request](const Invocation& in) { return do_import(in, *request); });
    });
    CLI::App* list = datasets->add_subcommand("list", "All datasets and their versions");
    list->footer(examples({"llm-research datasets list -o csv"}));
    list->callback([choose] { choose([](const Invocation& in) { return do_list(in); }); });
    const auto ref = std::make_shared<std::string>();
    CLI::App* get = datasets->add_subcommand("get", "One version");
    get->add_option("DATASET", *ref, "name, name@version or content hash")->required();
    get->footer(
        examples({"llm-research datasets get questions", "llm-research datasets get questions@2"})
    );
    get->callback([choose, ref] {
        choose([ref](const Invocation& in) { return do_get(in, *ref); });
    });
    datasets->footer(examples({"llm-research datasets import questions.jsonl"}));
}

}  // namespace lab::cli
