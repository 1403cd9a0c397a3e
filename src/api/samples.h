#pragma once
#include "api/route.h"

namespace lab::api {

/// The samples of a run: a list with filters, and one of them whole.
std::vector<Route> sample_routes();

}  // namespace lab::api
