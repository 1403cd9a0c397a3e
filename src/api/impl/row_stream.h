#pragma once
#include "api/route.h"
#include "service/platform_datasets.h"

namespace lab::api {

/// Streams the rows from `first` on, at most `count`, one JSON object a line
/// (application/x-ndjson), as fast as the client takes them.
Reply reply_rows(service::RowsToSend rows, std::int64_t first, std::int64_t count);

}  // namespace lab::api
