#pragma once
#include "platform/http/client.h"
#include "platform/process/event_loop.h"

namespace lab::http {

/// The Client on libcurl's multi interface. Destroy it before `loop`, on the loop's thread or while
/// the loop does not run; every transfer then ends as cancelled.
///
/// No request is ever sent twice: where libcurl would repeat one because a kept connection died
/// under it, the transfer ends as `closed` and the caller decides.
std::unique_ptr<Client> make_curl_client(EventLoop& loop, ClientOptions options);

}  // namespace lab::http
