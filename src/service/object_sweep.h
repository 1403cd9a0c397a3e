#pragma once
#include "service/request.h"

namespace lab::service {

/// Removes objects (rows of datasets, bytes of artifacts) that nothing in the store needs any more
/// and whose file is older than `age`: one that was just written may be about to be needed. Each is
/// looked up and unlinked under the store's lock for writing, so nobody begins to need it in
/// between; killed anywhere, the next sweep goes on. Looks at 100,000 at most. With a store behind
/// the folder also those files that it has too, while they are too many; what is in the store
/// stays. Gives how many went. Errors: those of the store; io.
Result<std::size_t> sweep_objects(const Request& request, Duration age);

}  // namespace lab::service
