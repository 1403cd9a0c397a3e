#pragma once
#include "api/route.h"

namespace lab::api {

/// Carries out a call once however often it is sent with the same Idempotency-Key: within a day the
/// same request gets the first answer again (with the header Idempotency-Replayed), another request
/// with that key is refused. Without the header, and for routes that are no POST, it just runs.
/// An answer that was an error is not kept: the request may be tried again.
/// Errors: bad_request (no usable key), conflict, those of the handler.
Result<Reply> run_once(const Route& route, Call& call, std::string_view raw_body);

}  // namespace lab::api
