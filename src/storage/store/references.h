#pragma once
#include "storage/store/resources.h"

#include <vector>

namespace lab::storage {

/// Something whose body names something else.
struct Referrer {
    std::string id;
    std::string name;
    std::string body;
};

/// Those of a tenant whose body holds this id somewhere, whoever may see them; at most `limit`. The
/// caller looks where in the body it stands. `id`: a UUID in lower case; case does not matter in
/// bodies. A scan of the tenant's rows: for questions before a removal.
Result<std::vector<Referrer>> find_referrers(
    const Ctx& ctx,
    Session& session,
    ResourceKind kind,
    std::int64_t org,
    std::string_view id,
    std::int64_t limit
);

}  // namespace lab::storage
