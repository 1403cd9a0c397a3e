#include "storage/store/artifacts.h"

#include "base/hash.h"
#include "storage/store/impl/outbox_notes.h"
#include "storage/store/impl/queries.h"

#include <nlohmann/json.hpp>

namespace lab::storage {
namespace {

#define LAB_SELECT_ARTIFACTS                                                                      \
    "SELECT key, id, artifact_type, name, path, content_hash, size_bytes, mime_type, created_at " \
    "FROM artifacts "

constexpr Query kAddArtifact{"add_artifact", R"sql(
    INSERT INTO artifacts (
        run, id, artifact_type, name, path, content_hash, size_bytes, mime_type, created_at
    ) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
)sql"};
constexpr Query kListArtifacts{
    "list_artifacts",
    LAB_SELECT_ARTIFACTS "WHERE run = $1 AND key < $4 ORDER BY key DESC LIMIT $2 OFFSET $3"
};
constexpr Query kFindArtifact{"find_artifact", LAB_SELECT_ARTIFACTS "WHERE run = $1 AND id = $2"};
constexpr Query kCountArtifacts{
    "count_artifacts",
    "SELECT COUNT(*), CAST(COALESCE(SUM(size_bytes), 0) AS BIGINT) FROM artifacts WHERE run = $1"
};
constexpr Query kRemoveArtifact{
    "remove_artifact", "DELETE FROM artifacts WHERE run = $1 AND id = $2"
};
constexpr Query kObjectIsNeeded{"object_is_needed", R"sql(
    SELECT 1 WHERE EXISTS (SELECT 1 FROM artifacts WHERE content_hash = $1)
                OR EXISTS (SELECT 1 FROM dataset_versions WHERE content_hash = $1)
                OR EXISTS (SELECT 1 FROM runs WHERE dataset_hash = $1)
)sql"};

constexpr const Query* kQueries[] = {
    &kAddArtifact,
    &kListArtifacts,
    &kFindArtifact,
    &kCountArtifacts,
    &kRemoveArtifact,
    &kObjectIsNeeded,
};

Artifact read_artifact(const Row& row) {
    return {
        .key = row.integer(0),
        .id = std::string(row.text(1)),
        .type = std::string(row.text(2)),
        .name = std::string(row.text(3)),
        .path = std::string(row.text(4)),
        .content_hash = std::string(row.text(5)),
        .bytes = row.integer(6),
        .mime_type = std::string(row.text(7)),
        .created_at = std::string(row.text(8)),
    };
}

}  // namespace

std::span<const Query* const> artifact_queries() { return kQueries; }

Status Artifacts::create(const Ctx& ctx, std::int64_t run, const Artifact& artifact) {
    const Value values[] = {
        run,
        std::string_view(artifact.id),
        std::string_view(artifact.type),
        std::string_view(artifact.name),
        std::string_view(artifact.path),
        std::string_view(artifact.content_hash),
        artifact.bytes,
        std::string_view(artifact.mime_type),
        std::string_view(artifact.created_at),
    };
    LAB_TRY(auto notes, OutboxNotes::begin(ctx, session_));
    LAB_CHECK(session_.exec(ctx, kAddArtifact, values));
    if (notes.kept()) {
        const Json payload{
            {"id", artifact.id},
            {"name", artifact.name},
            {"artifact_type", artifact.type},
            {"size_bytes", artifact.bytes},
        };
        const bool is_checkpoint = artifact.type == "checkpoint";
        LAB_CHECK(notes.run_event(
            ctx,
            run,
            is_checkpoint ? "checkpoint_created" : "artifact_uploaded",
            artifact.created_at,
            dump_json(payload)
        ));
    }
    return notes.commit(ctx);
}

Result<std::vector<Artifact>> Artifacts::list(
    const Ctx& ctx, std::int64_t run, std::int64_t limit, std::int64_t offset, std::int64_t below
) {
    std::vector<Artifact> out;
    const Value values[] = {run, limit, offset, below};
    LAB_CHECK(session_.query(ctx, kListArtifacts, values, [&](const Row& row) {
        out.push_back(read_artifact(row));
        return ok();
    }));
    return out;
}

Result<ArtifactTotals> Artifacts::totals(const Ctx& ctx, std::int64_t run) {
    ArtifactTotals out;
    const Value values[] = {run};
    LAB_CHECK(session_.query(ctx, kCountArtifacts, values, [&](const Row& row) {
        out = {.count = row.integer(0), .bytes = row.integer(1)};
        return ok();
    }));
    return out;
}

Result<std::optional<Artifact>> Artifacts::find(
    const Ctx& ctx, std::int64_t run, std::string_view id
) {
    std::optional<Artifact> out;
    const Value values[] = {run, id};
    LAB_CHECK(session_.query(ctx, kFindArtifact, values, [&](const Row& row) {
        out = read_artifact(row);
        return ok();
    }));
    return out;
}

Result<bool> Artifacts::remove(const Ctx& ctx, std::int64_t run, std::string_view id) {
    const Value values[] = {run, id};
    LAB_TRY(const std::int64_t gone, session_.exec(ctx, kRemoveArtifact, values));
    return gone > 0;
}

Status Artifacts::hold_object(const Ctx& ctx, std::string_view content_hash) {
    return session_.hold(ctx, "objects", static_cast<std::int64_t>(fnv1a64(content_hash)));
}

Result<bool> Artifacts::is_needed(const Ctx& ctx, std::string_view content_hash) {
    bool out = false;
    const Value values[] = {content_hash};
    LAB_CHECK(session_.query(ctx, kObjectIsNeeded, values, [&](const Row&) {
        out = true;
        return ok();
    }));
    return out;
}

}  // namespace lab::storage
