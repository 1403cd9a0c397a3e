#include "app/migrate.h"

#include "app/secrets.h"
#include "storage/store/postgres_schema.h"

namespace lab::app {

Result<std::vector<std::vector<std::string>>> migrate(
    const EnvLookup& environment, const cli::MigrateRequest& request
) {
    using What = cli::MigrateRequest::What;
    storage::PostgresOptions options;
    options.url = !request.database_url.empty() ? request.database_url
                                                : environment("DATABASE_URL").value_or("");
    LAB_TRY(options.url, plain_setting(environment, "DATABASE_URL", options.url));
    if (options.url.empty()) {
        return Error(
            Code::validation,
            "no database: set DATABASE_URL, or give --database-url. The embedded store needs none "
            "of this: `llm-research admin migrate` brings it up to date"
        );
    }
    const SystemClock clock;
    const Ctx ctx = Ctx(clock).within(std::chrono::hours(6));  // a step may copy a large table
    std::vector<storage::SchemaStep> steps;
    switch (request.what) {
        case What::run: {
            LAB_TRY(steps, storage::migrate_postgres(ctx, options));
            break;
        }
        case What::info: {
            LAB_TRY(steps, storage::list_postgres_schema(ctx, options));
            break;
        }
        case What::revert: {
            LAB_TRY(steps, storage::revert_postgres(ctx, options, request.target));
            break;
        }
    }
    std::vector<std::vector<std::string>> rows;
    for (const storage::SchemaStep& step : steps) {
        rows.push_back({std::to_string(step.version), step.name, std::string(to_string(step.state))}
        );
    }
    return rows;
}

}  // namespace lab::app
