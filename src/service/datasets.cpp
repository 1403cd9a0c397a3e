#include "service/datasets.h"

#include "platform/data/parquet_reader.h"
#include "platform/data/row_reader.h"
#include "storage/objects/dataset_import.h"
#include "storage/store/datasets.h"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <unordered_set>

namespace lab::service {
namespace {

constexpr std::size_t kProblemsMax = 20;
/// Field names that are remembered; a file with more is keyed by data, not by columns.
constexpr std::size_t kFieldsMax = 1000;

/// "gsm8k/dataset" for examples/gsm8k/dataset.jsonl: the folder tells apart what is often called
/// the same.
std::string name_of_path(const std::string& path) {
    const std::filesystem::path absolute = std::filesystem::absolute(path).lexically_normal();
    const std::string folder = absolute.parent_path().filename().string();
    const std::string stem = absolute.stem().string();
    return folder.empty() ? stem : folder + "/" + stem;
}

struct Fields {
    std::vector<std::string> names;
    std::unordered_set<std::string> seen;
    void take(const Json& row) {
        for (const auto& [name, value] : row.items()) {
            if (names.size() < kFieldsMax && seen.insert(name).second) {
                names.push_back(name);
            }
        }
    }
};

Error bad_rows(const std::string& title, std::vector<Detail> problems, bool more) {
    std::string message =
        title + " has " + (more ? "many " : "") + "bad rows; nothing was imported";
    if (more) {
        problems.push_back({"", "there are more"});
    }
    return Error(Code::validation, std::move(message), std::move(problems));
}

/// false = no more.
Result<bool> next_row(RowReader& reader, const ImportRequest& request, DataRow& row) {
    LAB_TRY(const bool more, reader.next(row));
    if (more && request.check) {
        LAB_CHECK(request.check(row));
    }
    return more;
}

}  // namespace

Result<domain::DatasetVersion> read_dataset(
    const Ctx& ctx,
    const Deps& deps,
    const storage::ObjectFolder& objects,
    const ImportRequest& request
) {
    std::string format = request.format;
    if (format.empty()) {
        LAB_TRY(format, data_format_of_path(request.path));
    }
    LAB_TRY(
        const std::unique_ptr<RowReader> reader,
        format == "parquet" ? open_parquet(request.path, deps.parquet_library)
                            : open_rows(request.path, format)
    );
    LAB_TRY(storage::DatasetWriter writer, storage::DatasetWriter::create(objects));
    const std::string& title = request.title.empty() ? request.path : request.title;
    std::vector<Detail> problems;
    Fields fields;
    DataRow row;
    std::string text;
    while (true) {
        const Result<bool> more = next_row(*reader, request, row);
        if (!more) {
            if (more.error().code != Code::validation) {
                return more.error();
            }
            if (problems.size() == kProblemsMax) {
                return bad_rows(title, std::move(problems), true);
            }
            problems.push_back({"", more.error().message});
            if (reader->broken()) {
                return bad_rows(title, std::move(problems), false);
            }
            continue;
        }
        if (!*more) {
            break;
        }
        if ((writer.rows() & 1023) == 0) {
            LAB_CHECK(ctx.check());
        }
        text.clear();
        append_canonical_json(text, row.value);
        fields.take(row.value);
        LAB_CHECK(writer.add(text));
    }
    if (!problems.empty()) {
        return bad_rows(title, std::move(problems), false);
    }
    if (writer.rows() == 0) {
        return Error(Code::validation, title + " has no rows");
    }
    LAB_TRY(const storage::ImportedRows imported, writer.commit());
    LAB_CHECK(objects.keep(ctx, storage::rows_object(imported.hash), "application/x-ndjson"));
    domain::DatasetVersion version;
    version.dataset_id = deps.uuids->next();
    version.name = request.name.empty() ? name_of_path(request.path) : request.name;
    version.content_hash = imported.hash;
    version.rows = imported.rows;
    version.bytes = imported.bytes;
    version.fields = std::move(fields.names);
    version.source = std::filesystem::path(request.path).filename().string();
    version.created_at = format_rfc3339(deps.clock->wall());
    return version;
}

Result<domain::DatasetVersion> import_dataset(
    const Ctx& ctx, const Deps& deps, const ImportRequest& request
) {
    LAB_TRY(storage::ObjectFolder * objects, deps.objects());
    LAB_TRY(domain::DatasetVersion version, read_dataset(ctx, deps, *objects, request));
    LAB_TRY(storage::Database * database, deps.database(ctx));
    LAB_TRY(const std::unique_ptr<storage::Session> session, database->open_session(ctx));
    return storage::Datasets(*session).add_version(ctx, std::move(version));
}

Result<std::vector<domain::DatasetVersion>> list_datasets(const Ctx& ctx, const Deps& deps) {
    LAB_TRY(storage::Database * database, deps.database(ctx));
    LAB_TRY(const std::unique_ptr<storage::Session> session, database->open_session(ctx));
    return storage::Datasets(*session).list(ctx);
}

Result<domain::DatasetVersion> get_dataset(
    const Ctx& ctx, const Deps& deps, const std::string& ref
) {
    LAB_TRY(storage::Database * database, deps.database(ctx));
    return get_dataset(ctx, *database, ref);
}

Result<domain::DatasetVersion> get_dataset(
    const Ctx& ctx, storage::Database& database, const std::string& ref
) {
    LAB_TRY(const std::unique_ptr<storage::Session> session, database.open_session(ctx));
    return storage::Datasets(*session).get(ctx, ref);
}

}  // namespace lab::service
