#pragma once
#include "storage/store/session.h"

#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace lab::storage {

/// Rows that a dataset had once, by their hash. Never changes.
struct StoredRows {
    std::int64_t version = 0;  ///< 1.. per dataset
    std::string label;         ///< free text of whoever made it: "1.1.0"
    std::string content_hash;
    std::int64_t rows = 0;
    std::int64_t bytes = 0;
    std::vector<std::string> fields;
    std::string source;       ///< file name they came from
    std::string body = "{}";  ///< JSON object: description, changelog, schema, created_by
    std::string created_at;
};

/// The versions of datasets, which are found by the key of their dataset (Resource::key): who may
/// see that is settled before. (Datasets, by name, is for the command line without a server.)
/// Borrows the session; same thread rule.
class DatasetVersions {
  public:
    explicit DatasetVersions(Session& session) : session_(session) {}
    struct Added {
        StoredRows rows;
        bool is_new = true;  ///< false: this dataset had these very rows already
    };
    /// Gives it its number. In a transaction of the caller.
    Result<Added> add(const Ctx& ctx, std::int64_t dataset, StoredRows rows);
    Result<std::optional<StoredRows>> find_latest(const Ctx& ctx, std::int64_t dataset);
    Result<std::optional<StoredRows>> find_number(
        const Ctx& ctx, std::int64_t dataset, std::int64_t version
    );
    /// The newest with this label.
    Result<std::optional<StoredRows>> find_labelled(
        const Ctx& ctx, std::int64_t dataset, std::string_view label
    );
    /// Newest first; only those of numbers smaller than `below`.
    Result<std::vector<StoredRows>> list(
        const Ctx& ctx,
        std::int64_t dataset,
        std::int64_t limit,
        std::int64_t offset,
        std::int64_t below = std::numeric_limits<std::int64_t>::max()
    );

  private:
    Session& session_;
};

}  // namespace lab::storage
