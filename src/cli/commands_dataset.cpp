#include "cli/nouns.h"
#include "cli/save_file.h"
#include "cli/upload.h"
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

Result<int> do_imported(const Invocation& in, const std::string& ref) {
    LAB_TRY(service::Deps * services, in.services());
    const Ctx ctx(*services->clock);
    std::vector<domain::DatasetVersion> versions;
    if (ref.empty()) {
        LAB_TRY(versions, service::list_datasets(ctx, *services));
    } else {
        LAB_TRY(domain::DatasetVersion version, service::get_dataset(ctx, *services, ref));
        versions.push_back(std::move(version));
    }
    LAB_CHECK(print_table(in.console, versions_table(versions), in.settings.output));
    return 0;
}

const Columns kDatasets = {
    {.title = "id", .member = "id"},
    {.title = "name", .member = "name"},
    {.title = "format", .member = "format"},
    {.title = "status", .member = "status"},
    {.title = "version", .member = "version", .numeric = true},
    {.title = "rows", .member = "row_count", .numeric = true},
    {.title = "bytes", .member = "size_bytes", .numeric = true},
    {.title = "tags", .member = "tags"},
};

const Columns kVersions = {
    {.title = "id", .member = "id"},
    {.title = "version", .member = "version", .numeric = true},
    {.title = "label", .member = "label"},
    {.title = "rows", .member = "sample_count", .numeric = true},
    {.title = "bytes", .member = "size_bytes", .numeric = true},
    {.title = "hash", .member = "content_hash"},
    {.title = "changelog", .member = "changelog"},
};

Result<int> do_upload(const Invocation& in, ApiClient& client, ApiValues& values) {
    const std::string path = values.arguments["filename"];
    LAB_TRY(const Json version, upload_rows(client, values.arguments["ID"], path, values.body));
    LAB_CHECK(print_answer(in.console, in.settings.output, version, kVersions));
    return 0;
}

/// To a file as a whole or not at all; to standard output, devices and pipes as it comes.
Result<int> do_download(const Invocation& in, ApiClient& client, ApiValues& values) {
    LAB_TRY(
        const Json link,
        client.call({.path = fill_path("/datasets/{ID}/download", values), .query = values.query})
    );
    const std::string target = values.arguments["to"];
    const auto write = [&](std::FILE* file) -> Status {
        Status written = ok();
        const auto got = client.stream(
            {.path = link.value("download_url", ""), .timeout = client.timeout()},
            [&](std::string_view piece) {
                written = write_all(file, piece);
                return written.has_value();
            }
        );
        LAB_CHECK(written);
        LAB_CHECK(got);
        return ok();
    };
    if (target.empty()) {
        LAB_CHECK(write(in.console.out));
        return 0;
    }
    LAB_CHECK(save_file(target, write));
    note(in.console, "written to " + target);
    return 0;
}

void add_fields(ApiCommand& command, bool creates) {
    command.text("-n,--name", "name", "Name, 1 to 255 characters", creates)
        .text("--format", "format", "jsonl (when not given), json, csv, parquet or text")
        .json("--schema", "schema", "JSON Schema of a row, or @FILE");
    add_common_options(command);
}

void add_resources(const NounGroup& group, const Choose& choose) {
    list_command(group)
        .query("--format", "format", "Only of this format")
        .query("-t,--tags", "tags", "Only with all of these, separated by commas")
        .sample({"llm-research datasets list --tags nightly"})
        .sends(choose, "GET", "/datasets", kDatasets);
    add_get_and_delete(group, choose);
    ApiCommand create(*group.app, "create", "Make a dataset; its rows are uploaded afterwards");
    add_fields(create, true);
    create.sample({"llm-research datasets create -n questions --format jsonl --tags nightly"})
        .sends(choose, "POST", "/datasets", kDatasets);
    ApiCommand update(*group.app, "update", "Change the members that are given");
    update.id("ID", "Id of the dataset");
    add_fields(update, false);
    update.sample({"llm-research datasets update ID --tags nightly"})
        .sends(choose, "PUT", "/datasets/{ID}", kDatasets);
    ApiCommand(*group.app, "versions", "List the versions, newest first")
        .id("ID", "Id of the dataset")
        .sample({"llm-research datasets versions ID"})
        .sends(choose, "GET", "/datasets/{ID}/versions", kVersions);
    ApiCommand(*group.app, "create-version", "Say what the next rows are to be called")
        .id("ID", "Id of the dataset")
        .text("--version", "version", "A label such as 1.1.0", true)
        .text("--changelog", "changelog", "What is different")
        .text("-d,--description", "description", "What they are")
        .sample({"llm-research datasets create-version ID --version 1.1.0 --changelog 'more rows'"})
        .sends(choose, "POST", "/datasets/{ID}/versions", kVersions);
    ApiCommand(*group.app, "upload", "Send rows; all are taken or none")
        .id("ID", "Id of the dataset")
        .value(
            "--filename",
            "File with the rows: JSONL, JSON, CSV, TSV, Parquet or text; - is standard input",
            true
        )
        .text(
            "--content-type",
            "content_type",
            "What it holds; else its name tells, or the dataset's format"
        )
        .text("--changelog", "changelog", "What is different from the version before")
        .sample(
            {"llm-research datasets upload ID --filename questions.jsonl",
             "zcat questions.jsonl.gz | llm-research datasets upload ID --filename -"}
        )
        .does(choose, do_upload);
    ApiCommand(*group.app, "download", "Get the rows, one JSON object a line")
        .id("ID", "Id of the dataset")
        .query("--version", "version", "Number, id or label; those in use when not given")
        .value("-O,--to", "File to write; standard output when not given")
        .sample(
            {"llm-research datasets download ID -O rows.jsonl",
             "llm-research datasets download ID --version 2 | head"}
        )
        .does(choose, do_download);
}

}  // namespace

void add_dataset_commands(CLI::App& app, const Choose& choose) {
    const NounGroup group = add_group(
        app,
        {.app = nullptr, .one = "dataset", .path = "/datasets", .columns = kDatasets},
        "datasets",
        "data",
        "Rows that experiments run on"
    );
    CLI::App* datasets = group.app;
    add_resources(group, choose);
    const auto request = std::make_shared<service::ImportRequest>();
    CLI::App* import = datasets->add_subcommand(
        "import", "Import rows for experiment files; the same rows again give the same version"
    );
    import->add_option("FILE", request->path, "JSONL, JSON, CSV, TSV, Parquet or text")->required();
    import->add_option("--name", request->name, "Name; default: from the path");
    import->add_option("--format", request->format, "Format; default: from the extension")
        ->check(CLI::IsMember({"jsonl", "json", "csv", "tsv", "parquet", "text"}));
    import->footer(examples({
        "llm-research datasets import questions.jsonl",
        "llm-research datasets import export.txt --format tsv --name support-tickets",
    }));
    import->callback([choose, request] {
        choose([request](const Invocation& in) { return do_import(in, *request); });
    });
    const auto ref = std::make_shared<std::string>();
    CLI::App* imported = datasets->add_subcommand(
        "imported", "What experiment files of this home can name: imported rows and their versions"
    );
    imported->add_option("DATASET", *ref, "name, name@version or content hash; all without");
    imported->footer(examples(
        {"llm-research datasets imported -o csv", "llm-research datasets imported questions@2"}
    ));
    imported->callback([choose, ref] {
        choose([ref](const Invocation& in) { return do_imported(in, *ref); });
    });
}

}  // namespace lab::cli
