#pragma once
#include "api/route.h"
#include "platform/crypto/signing_keys.h"

#include <chrono>
#include <string>

namespace lab::api {

struct ArtifactRoutesDeps {
    const SigningKeys& signing;
    std::string public_url;                     ///< of this service; empty: as it was asked
    std::chrono::seconds link_life{3600};       ///< of a signed address
    std::size_t direct_bytes_max = 100U << 20;  ///< of a body with a credential
    std::size_t signed_bytes_max = 5ULL << 30;  ///< of a body to a signed address
};

/// The files of runs: uploaded directly or to a signed address, listed, downloaded, removed.
std::vector<Route> artifact_routes(const ArtifactRoutesDeps& deps);

}  // namespace lab::api
