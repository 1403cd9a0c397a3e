#include "storage/store/orgs.h"

#include "storage/store/impl/queries.h"

namespace lab::storage {
namespace {

constexpr Query kFind{"find_org", "SELECT key, id, name FROM orgs WHERE name = $1"};
constexpr Query kCreate{"create_org", R"sql(
    INSERT INTO orgs (id, name, created_at) VALUES ($1, $2, $3)
    ON CONFLICT (name) DO NOTHING
)sql"};

constexpr const Query* kQueries[] = {&kFind, &kCreate};

}  // namespace

std::span<const Query* const> org_queries() { return kQueries; }

Result<std::optional<Org>> Orgs::find_by_name(const Ctx& ctx, std::string_view name) {
    std::optional<Org> out;
    const Value values[] = {name};
    LAB_CHECK(session_.query(ctx, kFind, values, [&](const Row& row) {
        out = Org{
            .key = row.integer(0), .id = std::string(row.text(1)), .name = std::string(row.text(2))
        };
        return ok();
    }));
    return out;
}

Result<Org> Orgs::ensure(
    const Ctx& ctx, std::string_view name, std::string_view id, std::string_view at
) {
    const Value values[] = {id, name, at};
    LAB_CHECK(session_.exec(ctx, kCreate, values));
    LAB_TRY(std::optional<Org> stored, find_by_name(ctx, name));
    if (!stored) {
        return Error(Code::unavailable, "an organisation vanished while it was read");
    }
    return *std::move(stored);
}

}  // namespace lab::storage
