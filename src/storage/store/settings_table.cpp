#include "storage/store/settings_table.h"

#include "storage/store/impl/queries.h"

namespace lab::storage {
namespace {

constexpr Query kFind{"find_setting", "SELECT value FROM service_settings WHERE name = $1"};
constexpr Query kPut{"put_setting", R"sql(
    INSERT INTO service_settings (name, value, updated_at) VALUES ($1, $2, $3)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at
)sql"};
constexpr Query kPutIfAbsent{"put_setting_if_absent", R"sql(
    INSERT INTO service_settings (name, value, updated_at) VALUES ($1, $2, $3)
    ON CONFLICT (name) DO NOTHING
)sql"};
constexpr Query kRemoveIf{
    "remove_setting_if", "DELETE FROM service_settings WHERE name = $1 AND value = $2"
};

constexpr const Query* kQueries[] = {&kFind, &kPut, &kPutIfAbsent, &kRemoveIf};

}  // namespace

std::span<const Query* const> setting_queries() { return kQueries; }

Result<std::optional<std::string>> ServiceSettings::find(const Ctx& ctx, std::string_view name) {
    std::optional<std::string> out;
    const Value values[] = {name};
    LAB_CHECK(session_.query(ctx, kFind, values, [&](const Row& row) {
        out = row.text(0);
        return ok();
    }));
    return out;
}

Status ServiceSettings::put(
    const Ctx& ctx, std::string_view name, std::string_view value, std::string_view at
) {
    const Value values[] = {name, value, at};
    LAB_CHECK(session_.exec(ctx, kPut, values));
    return ok();
}

Result<std::string> ServiceSettings::put_if_absent(
    const Ctx& ctx, std::string_view name, std::string_view value, std::string_view at
) {
    const Value values[] = {name, value, at};
    LAB_CHECK(session_.exec(ctx, kPutIfAbsent, values));
    LAB_TRY(const std::optional<std::string> stored, find(ctx, name));
    if (!stored) {
        return Error(Code::unavailable, "a setting of the service vanished while it was read");
    }
    return *stored;
}

Result<bool> ServiceSettings::remove_if(
    const Ctx& ctx, std::string_view name, std::string_view value
) {
    const Value values[] = {name, value};
    LAB_TRY(const std::int64_t gone, session_.exec(ctx, kRemoveIf, values));
    return gone == 1;
}

}  // namespace lab::storage
