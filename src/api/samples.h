#pragma once
#include "api/route.h"
#include "platform/crypto/signing_keys.h"

#include <string>

namespace lab::api {

/// The samples of a run: a list with filters, and one of them whole.
std::vector<Route> sample_routes(const SigningKeys& signing);

}  // namespace lab::api
