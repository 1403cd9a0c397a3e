#pragma once
#include "api/router.h"
#include "platform/http/server.h"

namespace lab::api {

/// Words between commas, trimmed, without empty ones.
std::vector<std::string> split_commas(std::string_view text);
/// "GET, HEAD, POST, OPTIONS": the methods of a path, for Allow.
std::string allow_header(const std::vector<std::string_view>& methods);
/// Who sends a request: the peer, or, behind proxies that are trusted, the last address of
/// X-Forwarded-For that is not one of theirs, at most 64 bytes of it.
std::string client_address(
    const http::RequestHead& head, const std::vector<std::string>& trusted_proxies
);
/// Whether somebody between says that it passed the request on: then the peer is not the client.
bool came_through_a_proxy(const http::RequestHead& head);
/// The id of what a route was used on, for the audit log: what the handler says, else what the path
/// names (of a run {run}, else the first of it), else that of the answer; empty for a collection.
std::string audited_id(
    std::string_view path,
    const AuditClass& audit,
    const std::vector<std::string>& path_values,
    const Reply* reply
);
/// A finished error answer that is no Error of ours, because only HTTP knows it (405, 415 ...).
Reply problem_reply(
    int status, std::string_view code, std::string_view message, std::string_view request_id
);
/// Decodes query and body. Errors: bad_request (broken JSON, unknown or missing query parameter),
/// validation (the body does not fit the route's schema).
Result<Call> read_call(
    http::Exchange& exchange,
    const Router::Match& match,
    const service::Request& request,
    const JsonLimits& limits
);
/// Compresses the body when the client takes that, it is worth it and its type can be.
void compress(
    const http::RequestHead& head, bool enabled, std::size_t bytes_min, http::Response& response
);

}  // namespace lab::api
