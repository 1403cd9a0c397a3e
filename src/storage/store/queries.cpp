#include "storage/store/queries.h"

#include "storage/store/impl/queries.h"

namespace lab::storage {

std::vector<const Query*> all_queries() {
    std::vector<const Query*> out;
    for (const auto& family : {dataset_queries(),        journal_queries(),
                               ledger_queries(),         run_queries(),
                               client_run_queries(),     org_queries(),
                               user_queries(),           token_queries(),
                               api_key_queries(),        audit_queries(),
                               setting_queries(),        idempotency_queries(),
                               prompt_version_queries(), dataset_version_queries(),
                               reference_queries(),      artifact_queries(),
                               credential_queries(),     run_lease_queries(),
                               run_crew_queries(),       run_event_queries(),
                               outbox_queries(),         fact_row_queries()}) {
        out.insert(out.end(), family.begin(), family.end());
    }
    const std::vector<const Query*> resources = resource_queries();
    out.insert(out.end(), resources.begin(), resources.end());
    return out;
}

}  // namespace lab::storage
