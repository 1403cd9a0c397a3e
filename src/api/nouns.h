#pragma once
#include "api/route.h"
#include "platform/crypto/signing_keys.h"
#include "service/nouns.h"

namespace lab::api {

/// How a noun appears in paths and documentation.
struct NounFace {
    std::string_view collection;  ///< "/models"
    std::string_view one;         ///< "/models/{id}"
    std::string_view tag;         ///< "Models"
    const service::Noun* noun;
    std::vector<QueryParameter> filters = {};  ///< beside those of every list
    /// Reads them.
    std::function<Status(const Call&, storage::ResourceFilter&)> read_filters = {};
};

/// POST and GET of the collection; GET, PUT and DELETE of one. `signing` is for cursors.
std::vector<Route> noun_routes(const NounFace& face, const SigningKeys& signing);

/// The revision of If-Match; nullopt without one. Errors: bad_request.
Result<std::optional<std::int64_t>> read_if_match(const Call& call);
/// 200 or 201 with ETag.
Reply reply_shown(service::Shown shown, int status = 200);
/// 201 with an array of what a batch made; the audit log names all of them.
Reply reply_batch(std::vector<Json> made);
/// Parameters of every list and these.
std::vector<QueryParameter> with_list_parameters(std::vector<QueryParameter> more);

}  // namespace lab::api
