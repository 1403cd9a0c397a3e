#pragma once
#include "domain/run.h"
#include "service/deps.h"

#include <functional>
#include <string>
#include <vector>

namespace lab {
struct DataRow;
}

namespace lab::service {

struct ImportRequest {
    std::string path;
    std::string format;      ///< jsonl, json, csv, tsv, parquet, text; empty = from the extension
    std::string name;        ///< empty = from the path
    std::string title = {};  ///< what messages call the file; empty = its path
    /// May change a row or refuse it (validation with "line 12: ..."): then it is a bad one.
    std::function<Status(DataRow&)> check = {};
};

/// Streams the file into the store. The same rows give the same version whatever the file is called
/// or how its JSON is written. Nothing stays behind when a row is bad. Errors: validation with one
/// detail for each bad row ("line 12: ..."; at most 20), not_found, io.
Result<domain::DatasetVersion> import_dataset(
    const Ctx& ctx, const Deps& deps, const ImportRequest& request
);
/// The same into a folder that is no store: the version is 0.
Result<domain::DatasetVersion> read_dataset(
    const Ctx& ctx,
    const Deps& deps,
    const storage::ObjectFolder& objects,
    const ImportRequest& request
);
Result<std::vector<domain::DatasetVersion>> list_datasets(const Ctx& ctx, const Deps& deps);
/// `ref` as storage::Datasets::get.
Result<domain::DatasetVersion> get_dataset(
    const Ctx& ctx, const Deps& deps, const std::string& ref
);
Result<domain::DatasetVersion> get_dataset(
    const Ctx& ctx, storage::Database& database, const std::string& ref
);

}  // namespace lab::service
