#include "storage/store/prompt_versions.h"

#include "storage/store/impl/count_rows.h"
#include "storage/store/impl/queries.h"

namespace lab::storage {
namespace {

constexpr Query kAdd{"add_prompt_version", R"sql(
    INSERT INTO prompt_versions (id, prompt, version_number, body, created_at)
    VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id) DO NOTHING
)sql"};

// The columns of read_version(), in its order.
#define LAB_SELECT_VERSIONS "SELECT id, version_number, body, created_at FROM prompt_versions "

constexpr Query kFind{"find_prompt_version", LAB_SELECT_VERSIONS "WHERE prompt = $1 AND id = $2"};
constexpr Query kFindNumber{
    "find_prompt_version_number", LAB_SELECT_VERSIONS "WHERE prompt = $1 AND version_number = $2"
};
constexpr Query kList{
    "list_prompt_versions",
    LAB_SELECT_VERSIONS
    "WHERE prompt = $1 AND (CAST($2 AS BIGINT) IS NULL OR version_number < CAST($2 AS BIGINT)) "
    "ORDER BY version_number DESC LIMIT $3 OFFSET $4"
};
#undef LAB_SELECT_VERSIONS

constexpr Query kCount{
    "count_prompt_versions", LAB_COUNT_ROWS("FROM prompt_versions WHERE prompt = $1")
};

constexpr const Query* kQueries[] = {&kAdd, &kFind, &kFindNumber, &kList, &kCount};

Result<std::vector<PromptVersion>> read_versions(
    const Ctx& ctx, Session& session, const Query& query, std::span<const Value> values
) {
    std::vector<PromptVersion> out;
    LAB_CHECK(session.query(ctx, query, values, [&](const Row& row) {
        out.push_back({
            .id = std::string(row.text(0)),
            .number = row.integer(1),
            .body = std::string(row.text(2)),
            .created_at = std::string(row.text(3)),
        });
        return ok();
    }));
    return out;
}

Result<std::optional<PromptVersion>> read_one(
    const Ctx& ctx, Session& session, const Query& query, std::span<const Value> values
) {
    LAB_TRY(auto found, read_versions(ctx, session, query, values));
    return found.empty() ? std::nullopt : std::optional(std::move(found.front()));
}

}  // namespace

std::span<const Query* const> prompt_version_queries() { return kQueries; }

Result<bool> PromptVersions::add(
    const Ctx& ctx, std::int64_t prompt, const PromptVersion& version
) {
    const Value values[] = {
        std::string_view(version.id),
        prompt,
        version.number,
        std::string_view(version.body),
        std::string_view(version.created_at),
    };
    LAB_TRY(const std::int64_t added, session_.exec(ctx, kAdd, values));
    return added == 1;
}

Result<std::optional<PromptVersion>> PromptVersions::find(
    const Ctx& ctx, std::int64_t prompt, std::string_view id
) {
    const Value values[] = {prompt, id};
    return read_one(ctx, session_, kFind, values);
}

Result<std::optional<PromptVersion>> PromptVersions::find_number(
    const Ctx& ctx, std::int64_t prompt, std::int64_t number
) {
    const Value values[] = {prompt, number};
    return read_one(ctx, session_, kFindNumber, values);
}

Result<std::vector<PromptVersion>> PromptVersions::list(
    const Ctx& ctx,
    std::int64_t prompt,
    std::optional<std::int64_t> before,
    std::int64_t limit,
    std::int64_t offset
) {
    const Value values[] = {prompt, before ? Value(*before) : Value(nullptr), limit, offset};
    return read_versions(ctx, session_, kList, values);
}

Result<RowCount> PromptVersions::count(const Ctx& ctx, std::int64_t prompt) {
    const Value values[] = {prompt};
    return count_rows(ctx, session_, kCount, values);
}

}  // namespace lab::storage
