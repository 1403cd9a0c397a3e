#include "storage/store/postgres.h"

#include "storage/store/impl/postgres_migrate.h"
#include "storage/store/impl/postgres_session.h"
#include "storage/store/postgres_schema.h"

#include <algorithm>

namespace lab::storage {
namespace {

/// A step of the schema may copy a large table.
constexpr Duration kStepMax = std::chrono::hours(6);

Result<std::unique_ptr<PostgresSession>> open_for_schema(const Ctx& ctx, PostgresOptions options) {
    options.statement_timeout = std::max(options.statement_timeout, kStepMax);
    LAB_TRY(const PostgresTarget target, parse_postgres_url(std::move(options)));
    return PostgresSession::open(ctx, target);
}

class PostgresDatabase final : public Database {
  public:
    explicit PostgresDatabase(PostgresTarget target) : target_(std::move(target)) {}
    Result<std::unique_ptr<Session>> open_session(const Ctx& ctx, Durability durability) override {
        LAB_TRY(auto session, PostgresSession::open(ctx, target_, durability));
        return std::unique_ptr<Session>(std::move(session));
    }
    /// Most of the time there is nothing to do, which a pooler may tell.
    Status migrate(const Ctx& ctx) override {
        LAB_TRY(const auto session, open_for_schema(ctx, target_.options));
        if (check_steps(ctx, *session, postgres_migrations())) {
            return ok();
        }
        LAB_CHECK(apply_steps(ctx, *session, postgres_migrations()));
        return ok();
    }

  private:
    PostgresTarget target_;
};

}  // namespace

Result<std::unique_ptr<Database>> open_postgres(PostgresOptions options) {
    LAB_TRY(PostgresTarget target, parse_postgres_url(std::move(options)));
    return std::make_unique<PostgresDatabase>(std::move(target));
}

Result<std::vector<SchemaStep>> list_postgres_schema(
    const Ctx& ctx, const PostgresOptions& options
) {
    LAB_TRY(const auto session, open_for_schema(ctx, options));
    return list_steps(ctx, *session, postgres_migrations());
}

Result<std::vector<SchemaStep>> migrate_postgres(const Ctx& ctx, const PostgresOptions& options) {
    LAB_TRY(const auto session, open_for_schema(ctx, options));
    return apply_steps(ctx, *session, postgres_migrations());
}

Result<std::vector<SchemaStep>> revert_postgres(
    const Ctx& ctx, const PostgresOptions& options, std::optional<std::int64_t> target
) {
    LAB_TRY(const auto session, open_for_schema(ctx, options));
    return revert_steps(ctx, *session, postgres_migrations(), target);
}

}  // namespace lab::storage
