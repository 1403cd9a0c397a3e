#pragma once
#include "service/platform_datasets.h"

/// What platform_datasets.cpp and take_rows.cpp share: versions as they are stored in a dataset's
/// body and table.
namespace lab::service {

// Members of a dataset's body that the service writes.
/// {version, newest}: which rows are in use, and which were the newest when that was said. The
/// command line adds rows without saying anything; then the newest are in use.
inline constexpr const char* kRowsInUse = "rows_in_use";
/// What plan_version was told.
inline constexpr const char* kPlannedVersion = "planned_version";
/// Why the status is failed.
inline constexpr const char* kProblem = "problem";

/// nullopt while none arrived.
Result<std::optional<storage::StoredRows>> rows_in_use(
    const Request& request, const storage::Resource& dataset
);
/// Ids of versions are made from the dataset's id and the number.
std::string version_id(const std::string& dataset_id, std::int64_t version);
Result<std::optional<storage::StoredRows>> find_rows_by_id(
    const Request& request, const storage::Resource& dataset, const std::string& id
);

/// As the API shows a version.
Result<Json> show_rows(const std::string& dataset_id, const storage::StoredRows& rows);
Result<Json> show_planned(const storage::Resource& dataset, const Json& plan, std::int64_t number);

/// Errors: conflict with `existing_id` when a version with other rows has this label; none without
/// a label.
Status check_label(
    const Request& request,
    const storage::Resource& dataset,
    const std::string& label,
    const std::string& content_hash = ""
);
/// Errors: validation when rows cannot be read from this format.
Status check_format(const std::string& format);

}  // namespace lab::service
