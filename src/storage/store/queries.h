#pragma once
#include "storage/store/session.h"

#include <vector>

namespace lab::storage {

/// Every statement of the repositories. A test prepares them all on each driver, which stands in
/// for a check by the compiler.
std::vector<const Query*> all_queries();

}  // namespace lab::storage
