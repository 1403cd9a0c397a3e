#include "storage/store/references.h"

#include "storage/store/impl/list_text.h"
#include "storage/store/impl/queries.h"

namespace lab::storage {
namespace {

#define LAB_REFERRERS(table)                                                         \
    "SELECT id, name, body FROM " table                                              \
    " WHERE org = $1 AND lower(body) LIKE $2 ESCAPE '\\' ORDER BY created_at DESC, " \
    "id DESC LIMIT $3"

constexpr Query kExperiments{"experiments_that_name", LAB_REFERRERS("experiments")};
constexpr Query kModels{"models_that_name", LAB_REFERRERS("models")};
constexpr Query kEvaluations{"evaluations_that_name", LAB_REFERRERS("evaluations")};
#undef LAB_REFERRERS

constexpr const Query* kQueries[] = {&kExperiments, &kModels, &kEvaluations};

/// Datasets and prompts name nothing.
const Query* query_of(ResourceKind kind) {
    switch (kind) {
        case ResourceKind::experiment:
            return &kExperiments;
        case ResourceKind::model:
            return &kModels;
        case ResourceKind::evaluation:
            return &kEvaluations;
        case ResourceKind::dataset:
        case ResourceKind::prompt:
            break;
    }
    return nullptr;
}

}  // namespace

std::span<const Query* const> reference_queries() { return kQueries; }

Result<std::vector<Referrer>> find_referrers(
    const Ctx& ctx,
    Session& session,
    ResourceKind kind,
    std::int64_t org,
    std::string_view id,
    std::int64_t limit
) {
    std::vector<Referrer> out;
    const Query* const query = query_of(kind);
    if (query == nullptr) {
        return out;
    }
    const std::string pattern = pattern_within(id);
    const Value values[] = {org, std::string_view(pattern), limit};
    LAB_CHECK(session.query(ctx, *query, values, [&](const Row& row) {
        out.push_back({
            .id = std::string(row.text(0)),
            .name = std::string(row.text(1)),
            .body = std::string(row.text(2)),
        });
        return ok();
    }));
    return out;
}

}  // namespace lab::storage
