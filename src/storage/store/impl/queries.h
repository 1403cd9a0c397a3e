#pragma once
#include "storage/store/session.h"

#include <vector>

namespace lab::storage {

// The statements of each file, for all_queries().
std::span<const Query* const> dataset_queries();
std::span<const Query* const> journal_queries();
std::span<const Query* const> ledger_queries();
std::span<const Query* const> run_queries();
std::span<const Query* const> client_run_queries();
std::span<const Query* const> org_queries();
std::span<const Query* const> user_queries();
std::span<const Query* const> token_queries();
std::span<const Query* const> api_key_queries();
std::span<const Query* const> audit_queries();
std::span<const Query* const> setting_queries();
std::span<const Query* const> idempotency_queries();
std::span<const Query* const> prompt_version_queries();
std::span<const Query* const> dataset_version_queries();
std::span<const Query* const> reference_queries();
std::span<const Query* const> artifact_queries();
std::span<const Query* const> credential_queries();
std::span<const Query* const> run_lease_queries();
std::span<const Query* const> run_crew_queries();
std::span<const Query* const> run_event_queries();
std::span<const Query* const> outbox_queries();
std::span<const Query* const> fact_row_queries();
std::vector<const Query*> resource_queries();

// Those that only the SQLite driver runs.
std::span<const Query* const> migration_queries();
std::span<const Query* const> verify_queries();
std::span<const Query* const> sqlite_catalogue_queries();
std::span<const Query* const> sqlite_copy_queries();
// And PostgreSQL's alone.
std::span<const Query* const> postgres_migration_queries();
std::span<const Query* const> postgres_catalogue_queries();
std::span<const Query* const> postgres_copy_queries();

}  // namespace lab::storage
