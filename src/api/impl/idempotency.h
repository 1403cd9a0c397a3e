#pragma once
#include "api/route.h"

namespace lab::api {

/// What the request calls itself, to be carried out once; nothing without the header
/// Idempotency-Key and for routes that are not to be repeated that way. Errors: bad_request for an
/// unusable key.
Result<std::optional<std::string>> idempotency_key(const Route& route, const Call& call);

/// Carries out a call once however often it is sent with the same Idempotency-Key: within a day the
/// same request gets the first answer again (with the header Idempotency-Replayed), another request
/// with that key is refused. Without the header, and for routes that are no POST, it just runs.
/// An answer that was an error is not kept: the request may be tried again. `body`: as it came, or
/// the hash of one that was too long to keep.
/// Errors: bad_request (no usable key), conflict, those of the handler.
Result<Reply> run_once(const Route& route, Call& call, std::string_view body);

}  // namespace lab::api
