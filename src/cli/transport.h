#pragma once
#include "base/clock.h"
#include "base/result.h"
#include "platform/http/client.h"

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lab::cli {

/// One request to the API.
struct ApiRequest {
    std::string method = "GET";
    /// "/experiments/..."; or a whole URL that the API gave out, which needs no other credential.
    std::string path;
    std::vector<std::pair<std::string, std::string>> query = {};  ///< not encoded yet
    http::Headers headers = {};
    std::string body = {};
    std::shared_ptr<http::BodySource> source = {};  ///< instead of `body`
    /// Of the whole answer, or, for a stream, the longest silence.
    Duration timeout = std::chrono::seconds(30);

    bool is_whole_url() const { return path.find("://") != std::string::npos; }
};

/// What came back. `status` 0: no answer, and `failure` says why.
struct ApiResponse {
    int status = 0;
    http::Headers headers = {};
    std::string body = {};
    http::TransferFailure failure = http::TransferFailure::none;
    std::string failure_message = {};
};

/// The way to the API: HTTP to a server, or the same API hosted in this process. One request at a
/// time; main thread only. Sends once: who retries is ApiClient.
class Transport {
  public:
    /// Takes the pieces of a body as they come; false = enough.
    using Sink = std::function<bool(std::string_view)>;

    virtual ~Transport() = default;
    virtual ApiResponse send(const ApiRequest& request) = 0;
    /// The body of a 2xx answer goes to `sink`; every other is in the response.
    virtual ApiResponse stream(const ApiRequest& request, const Sink& sink) = 0;
    /// Ends the stream or the pause under way; from the handler of an interrupt.
    virtual void stop() = 0;
    virtual void pause(Duration how_long) = 0;
    /// What Ctrl-C calls while one of the above runs; nullptr = the default action.
    virtual void on_interrupt(std::function<void()> handler) = 0;
    /// "the server https://lab.example.org", "the store /home/ann/lab".
    virtual std::string where() const = 0;
    /// The URL of the server; empty in this process.
    virtual std::string url() const = 0;
    /// In this process: runs that are started here end with it, unless it waits for them.
    bool is_local() const { return url().empty(); }
};

/// Path and query as they go over the wire, percent-encoded (RFC 3986).
std::string encode_target(const ApiRequest& request);

}  // namespace lab::cli
