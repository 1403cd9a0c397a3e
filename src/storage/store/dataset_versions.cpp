#include "storage/store/dataset_versions.h"

#include "platform/json/json.h"
#include "storage/store/impl/queries.h"

#include <nlohmann/json.hpp>

namespace lab::storage {
namespace {

constexpr Query kAdd{"add_rows_to_dataset", R"sql(
    INSERT INTO dataset_versions (
        dataset, version, content_hash, row_count, byte_count, fields, source, created_at, label,
        body
    )
    SELECT CAST($1 AS BIGINT), COALESCE(MAX(version), 0) + 1, CAST($2 AS TEXT),
           CAST($3 AS BIGINT), CAST($4 AS BIGINT), CAST($5 AS TEXT), CAST($6 AS TEXT),
           CAST($7 AS TEXT), CAST($8 AS TEXT), CAST($9 AS TEXT)
    FROM dataset_versions WHERE dataset = $1
    ON CONFLICT (dataset, content_hash) DO NOTHING
)sql"};

// The columns of read_rows(), in its order.
#define LAB_SELECT_ROWS                                                                  \
    "SELECT version, label, content_hash, row_count, byte_count, fields, source, body, " \
    "created_at FROM dataset_versions WHERE dataset = $1 "

constexpr Query kFindHash{"find_rows_by_hash", LAB_SELECT_ROWS "AND content_hash = $2"};
constexpr Query kFindLatest{"find_latest_rows", LAB_SELECT_ROWS "ORDER BY version DESC LIMIT 1"};
constexpr Query kFindNumber{"find_rows_by_number", LAB_SELECT_ROWS "AND version = $2"};
constexpr Query kFindLabelled{
    "find_rows_by_label", LAB_SELECT_ROWS "AND label = $2 ORDER BY version DESC LIMIT 1"
};
constexpr Query kList{
    "list_rows_of_dataset",
    LAB_SELECT_ROWS "AND version < $4 ORDER BY version DESC LIMIT $2 OFFSET $3"
};
#undef LAB_SELECT_ROWS

constexpr const Query* kQueries[] = {
    &kAdd, &kFindHash, &kFindLatest, &kFindNumber, &kFindLabelled, &kList
};

Result<StoredRows> read_rows(const Row& row) {
    StoredRows out;
    out.version = row.integer(0);
    out.label = row.text(1);
    out.content_hash = row.text(2);
    out.rows = row.integer(3);
    out.bytes = row.integer(4);
    LAB_TRY(const Json fields, parse_json(row.text(5)));
    for (const Json& field : fields) {
        if (const auto* name = field.get_ptr<const std::string*>()) {
            out.fields.push_back(*name);
        }
    }
    out.source = row.text(6);
    out.body = row.text(7);
    out.created_at = row.text(8);
    return out;
}

Result<std::vector<StoredRows>> read_all(
    const Ctx& ctx, Session& session, const Query& query, std::span<const Value> values
) {
    std::vector<StoredRows> out;
    LAB_CHECK(session.query(ctx, query, values, [&](const Row& row) -> Status {
        LAB_TRY(out.emplace_back(), read_rows(row));
        return ok();
    }));
    return out;
}

Result<std::optional<StoredRows>> read_one(
    const Ctx& ctx, Session& session, const Query& query, std::span<const Value> values
) {
    LAB_TRY(auto found, read_all(ctx, session, query, values));
    return found.empty() ? std::nullopt : std::optional(std::move(found.front()));
}

}  // namespace

std::span<const Query* const> dataset_version_queries() { return kQueries; }

Result<DatasetVersions::Added> DatasetVersions::add(
    const Ctx& ctx, std::int64_t dataset, StoredRows rows
) {
    const std::string fields = dump_json(Json(rows.fields));
    const Value values[] = {
        dataset,
        std::string_view(rows.content_hash),
        rows.rows,
        rows.bytes,
        std::string_view(fields),
        std::string_view(rows.source),
        std::string_view(rows.created_at),
        std::string_view(rows.label),
        std::string_view(rows.body),
    };
    LAB_TRY(const std::int64_t added, session_.exec(ctx, kAdd, values));
    const Value key[] = {dataset, std::string_view(rows.content_hash)};
    LAB_TRY(auto stored, read_one(ctx, session_, kFindHash, key));
    if (!stored) {
        return Error(Code::internal, "rows that were just added are not found");
    }
    return Added{.rows = *std::move(stored), .is_new = added == 1};
}

Result<std::optional<StoredRows>> DatasetVersions::find_latest(
    const Ctx& ctx, std::int64_t dataset
) {
    const Value values[] = {dataset};
    return read_one(ctx, session_, kFindLatest, values);
}

Result<std::optional<StoredRows>> DatasetVersions::find_number(
    const Ctx& ctx, std::int64_t dataset, std::int64_t version
) {
    const Value values[] = {dataset, version};
    return read_one(ctx, session_, kFindNumber, values);
}

Result<std::optional<StoredRows>> DatasetVersions::find_labelled(
    const Ctx& ctx, std::int64_t dataset, std::string_view label
) {
    const Value values[] = {dataset, label};
    return read_one(ctx, session_, kFindLabelled, values);
}

Result<std::vector<StoredRows>> DatasetVersions::list(
    const Ctx& ctx,
    std::int64_t dataset,
    std::int64_t limit,
    std::int64_t offset,
    std::int64_t below
) {
    const Value values[] = {dataset, limit, offset, below};
    return read_all(ctx, session_, kList, values);
}

}  // namespace lab::storage
