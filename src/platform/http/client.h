#pragma once
#include "base/ctx.h"
#include "base/executor.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lab::http {

using Headers = std::vector<std::pair<std::string, std::string>>;
/// First value of a header, compared without case; empty when absent.
std::string_view find_header(const Headers& headers, std::string_view name);

/// A body that is read while it is sent, such as a large file. Used on one thread at a time.
class BodySource {
  public:
    virtual ~BodySource() = default;
    /// Bytes in all; known before the first is sent.
    virtual std::uint64_t size() const = 0;
    /// The next bytes into `to`, at most `bytes_max`; 0 before the end when they cannot be read.
    virtual std::size_t read(char* to, std::size_t bytes_max) = 0;
    /// Begins again, for another request. false = it cannot.
    virtual bool rewind() = 0;
};

struct Request {
    std::string method = "POST";
    std::string url;
    Headers headers;
    std::string body;
    std::shared_ptr<BodySource> source = {};  ///< instead of `body`
    Duration connect_timeout = std::chrono::seconds(10);
    Duration total_timeout = std::chrono::seconds(120);
    std::size_t body_bytes_max = 64U << 20;  ///< of the response; more ends it with an error
};

/// Why a transfer ended without a complete response.
enum class TransferFailure : std::uint8_t {
    none,
    connect,    ///< name resolution, refused, TLS: nothing was sent
    timeout,    ///< the total timeout passed
    closed,     ///< the peer closed or reset before the response was complete
    too_large,  ///< body_bytes_max
    protocol,   ///< not HTTP, or broken framing
    cancelled,  ///< by cancel() or because the sink said stop
    refused,    ///< by the guard: nothing was sent
};

struct TransferEnd {
    TransferFailure failure = TransferFailure::none;
    std::string message;  ///< for people; never contains a header or the URL's query
    int status = 0;       ///< 0 = no response head arrived
};

/// Receives one response on the loop thread, in this order: on_head once, on_data any number of
/// times, on_end exactly once (the client then lets go of the sink).
class ResponseSink {
  public:
    virtual ~ResponseSink() = default;
    virtual void on_head(int status, const Headers& headers) = 0;
    /// false = enough: the transfer is cancelled.
    virtual bool on_data(std::string_view bytes) = 0;
    virtual void on_end(const TransferEnd& end) = 0;
};

using TransferId = std::uint64_t;

/// The one outbound HTTP client: HTTP/1.1 keep-alive (HTTP/2 where TLS offers it), TLS verified, no
/// redirects, no cookies. Loop thread only.
/// Every start() is followed by exactly one on_end, also after cancel() and at destruction.
class Client {
  public:
    virtual ~Client() = default;
    virtual TransferId start(Request request, std::shared_ptr<ResponseSink> sink) = 0;
    virtual void cancel(TransferId id) = 0;
};

class UrlGuard;

struct ClientOptions {
    std::size_t connections_max = 10'000;  ///< kept open when idle
    std::string user_agent = {};
    std::string ca_file = {};  ///< empty = the system's
    /// What may be called: judged by the form of the URL, and by each address that its host
    /// resolves to when a connection is made. None: everything (the command line, whose user calls
    /// for himself).
    std::shared_ptr<const UrlGuard> guard = {};
    /// Not set: the proxies of the environment (http_proxy, https_proxy, no_proxy). Empty: none.
    /// Else all calls go through this one; it resolves the names, so it has to judge addresses.
    std::optional<std::string> proxy = {};
    /// For tests: "host:port:address" in place of a resolver, asked for each transfer.
    std::function<std::string()> resolve = {};
};

}  // namespace lab::http
