#pragma once
#include "base/uuid.h"
#include "cli/transport.h"
#include "platform/json/json.h"

#include <nlohmann/json.hpp>

#include <functional>
#include <memory>
#include <string>

namespace lab::cli {

struct ApiClientOptions {
    int retries_max = 3;  ///< beyond the first try
    Duration timeout = std::chrono::seconds(30);
    /// Headers that say who asks; empty = nobody. Asked before every try.
    std::function<Result<http::Headers>()> credential = {};
    /// After a 401: true when there is another credential to try with.
    std::function<Result<bool>()> renew = {};
    /// Told of every try, for --verbose: "GET /models -> 200". Never of headers or bodies.
    std::function<void(const std::string&)> trace = {};
    /// What `auth login` needs besides, in the advice after a 401: " -p lab".
    std::string login_option = {};
};

/// Requests that are tried again where that does no harm, and answers as values or errors. A
/// request without an answer is sent again when it cannot have been carried out (no connection) or
/// may be repeated: reading, PUT, DELETE, and POST, which carries an Idempotency-Key of ours.
/// After 429 it waits as long as the server asks, at most a minute.
class ApiClient {
  public:
    ApiClient(Transport& transport, UuidSource& uuids, ApiClientOptions options);

    /// The JSON of a 2xx answer; null when it has no body. Errors: what the server says, with its
    /// request id in the details; unavailable, upstream_error, timed_out without an answer.
    Result<Json> call(ApiRequest request);
    Result<Json> get(std::string path);
    Result<Json> post(std::string path, const Json& body);
    /// The same, the answer as it came.
    Result<ApiResponse> send(ApiRequest request);
    /// The body of the answer to `sink`; tried again only until its first byte.
    Result<ApiResponse> stream(ApiRequest request, const Transport::Sink& sink);

    Transport& transport() { return transport_; }
    Duration timeout() const { return options_.timeout; }

  private:
    Result<ApiResponse> attempt(
        ApiRequest request, const std::function<ApiResponse(const ApiRequest&)>& send
    );
    Result<void> add_headers(ApiRequest& request, const std::string& key) const;
    Error explain(const ApiRequest& request, const ApiResponse& response) const;

    Transport& transport_;
    UuidSource& uuids_;
    ApiClientOptions options_;
};

/// The Error that an answer says, or one made from its status. `path`: for messages.
Error error_of_response(const ApiResponse& response);

}  // namespace lab::cli
