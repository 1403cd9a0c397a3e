#include "api/routes.h"

#include "api/admin.h"
#include "api/analyses.h"
#include "api/analytics.h"
#include "api/artifacts.h"
#include "api/auth.h"
#include "api/credentials.h"
#include "api/datasets.h"
#include "api/evaluation_runs.h"
#include "api/evaluations.h"
#include "api/experiments.h"
#include "api/models.h"
#include "api/oidc.h"
#include "api/openapi.h"
#include "api/operations.h"
#include "api/prompts.h"
#include "api/reports.h"
#include "api/samples.h"
#include "api/users.h"

#include <algorithm>
#include <iterator>

namespace lab::api {
namespace {

void append(std::vector<Route>& to, std::vector<Route> more) {
    std::ranges::move(more, std::back_inserter(to));
}

}  // namespace

std::vector<Route> all_routes(const RouteDeps& deps) {
    std::vector<Route> out = health_routes(deps.board, deps.metrics_text);
    append(out, auth_routes(deps.identity));
    append(out, oidc_routes(deps.oidc));
    append(
        out,
        experiment_routes(
            {.control = &deps.control, .events = &deps.events, .signing = deps.signing}
        )
    );
    append(out, sample_routes(deps.signing));
    append(
        out,
        artifact_routes(
            {.signing = deps.signing, .public_url = deps.public_url, .link_life = deps.link_life}
        )
    );
    append(out, report_routes());
    append(out, analytics_routes(deps.facts));
    append(out, model_routes(deps.signing));
    append(out, dataset_routes(deps.signing, deps.public_url, deps.link_life));
    append(out, prompt_routes(deps.signing));
    append(out, evaluation_routes(deps.signing, deps.count_evaluations));
    append(out, evaluation_run_routes(&deps.control, deps.signing));
    append(out, user_routes(deps.identity, deps.signing));
    append(out, admin_routes(deps.maintenance));
    append(out, analysis_routes());
    append(out, cache_routes(deps.cache));
    append(out, credential_routes(deps.signing));
    append(out, documentation_routes(deps.document));
    name_routes(out);
    // Who cannot log in or operate a service that has too much to do cannot help it.
    for (Route& route : out) {
        if (route.path.starts_with("/auth/") || route.path.starts_with("/admin/")) {
            route.priority = Priority::critical;
        }
    }
    return out;
}

}  // namespace lab::api
