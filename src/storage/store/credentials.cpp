#include "storage/store/credentials.h"

#include "platform/json/json.h"
#include "storage/store/impl/queries.h"

#include <nlohmann/json.hpp>

namespace lab::storage {
namespace {

#define LAB_CREDENTIAL_COLUMNS                                                           \
    "org, name, provider, secret_ref, allowed_hosts, revision, created_by, created_at, " \
    "updated_at "
constexpr Query kCreate{"create_credential", R"sql(
    INSERT INTO provider_credentials (
        org, name, provider, secret_ref, allowed_hosts, revision, created_by, created_at, updated_at
    ) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
)sql"};
constexpr Query kFind{
    "find_credential",
    "SELECT " LAB_CREDENTIAL_COLUMNS "FROM provider_credentials WHERE org = $1 AND name = $2"
};
constexpr Query kList{
    "list_credentials",
    "SELECT " LAB_CREDENTIAL_COLUMNS
    "FROM provider_credentials WHERE org = $1 ORDER BY name LIMIT $2"
};
constexpr Query kUpdate{"update_credential", R"sql(
    UPDATE provider_credentials
    SET provider = $4, secret_ref = $5, allowed_hosts = $6, revision = revision + 1,
        updated_at = $7
    WHERE org = $1 AND name = $2 AND revision = $3
)sql"};
constexpr Query kRemove{
    "remove_credential",
    "DELETE FROM provider_credentials WHERE org = $1 AND name = $2 AND revision = $3"
};
#undef LAB_CREDENTIAL_COLUMNS

constexpr const Query* kQueries[] = {&kCreate, &kFind, &kList, &kUpdate, &kRemove};

Result<Credential> read_credential(const Row& row) {
    Credential out;
    out.org = row.integer(0);
    out.name = row.text(1);
    out.provider = row.text(2);
    out.secret_ref = row.text(3);
    LAB_TRY(const Json hosts, parse_json(row.text(4)));
    for (const Json& host : hosts) {
        out.allowed_hosts.push_back(host.get<std::string>());
    }
    out.revision = row.integer(5);
    out.created_by = row.text(6);
    out.created_at = row.text(7);
    out.updated_at = row.text(8);
    return out;
}

}  // namespace

std::span<const Query* const> credential_queries() { return kQueries; }

Status Credentials::create(const Ctx& ctx, const Credential& credential) {
    const std::string hosts = dump_json(credential.allowed_hosts);
    const Value values[] = {
        credential.org,
        std::string_view(credential.name),
        std::string_view(credential.provider),
        std::string_view(credential.secret_ref),
        std::string_view(hosts),
        credential.revision,
        std::string_view(credential.created_by),
        std::string_view(credential.created_at),
        std::string_view(credential.updated_at),
    };
    LAB_CHECK(session_.exec(ctx, kCreate, values));
    return ok();
}

Result<std::optional<Credential>> Credentials::find(
    const Ctx& ctx, std::int64_t org, std::string_view name
) {
    std::optional<Credential> out;
    const Value values[] = {org, name};
    LAB_CHECK(session_.query(ctx, kFind, values, [&](const Row& row) -> Status {
        LAB_TRY(out, read_credential(row));
        return ok();
    }));
    return out;
}

Result<std::vector<Credential>> Credentials::list(const Ctx& ctx, std::int64_t org) {
    std::vector<Credential> out;
    const Value values[] = {org, kCountMax};
    LAB_CHECK(session_.query(ctx, kList, values, [&](const Row& row) -> Status {
        LAB_TRY(out.emplace_back(), read_credential(row));
        return ok();
    }));
    return out;
}

Result<bool> Credentials::update(const Ctx& ctx, const Credential& credential) {
    const std::string hosts = dump_json(credential.allowed_hosts);
    const Value values[] = {
        credential.org,
        std::string_view(credential.name),
        credential.revision,
        std::string_view(credential.provider),
        std::string_view(credential.secret_ref),
        std::string_view(hosts),
        std::string_view(credential.updated_at),
    };
    LAB_TRY(const std::int64_t changed, session_.exec(ctx, kUpdate, values));
    return changed == 1;
}

Result<bool> Credentials::remove(
    const Ctx& ctx, std::int64_t org, std::string_view name, std::int64_t revision
) {
    const Value values[] = {org, name, revision};
    LAB_TRY(const std::int64_t gone, session_.exec(ctx, kRemove, values));
    return gone == 1;
}

}  // namespace lab::storage
