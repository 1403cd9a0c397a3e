#pragma once
#include "base/clock.h"

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lab::test {

using ServerHeaders = std::vector<std::pair<std::string, std::string>>;

/// One request as it came over the wire.
struct ServerRequest {
    std::string method;
    std::string target;  ///< path and query
    ServerHeaders headers;
    std::string body;
    int connection = 0;  ///< 1.. in the order they were accepted
    int number = 0;      ///< 1.. over all connections
    /// First value, compared without case; empty when absent.
    std::string_view header(std::string_view name) const;
};

/// One step of an answer, carried out in order.
struct Step {
    enum class Kind : std::uint8_t {
        send,   ///< these bytes, as they are
        wait,   ///< for so long
        close,  ///< the connection, in good order
        reset,  ///< the connection, with a RST
        hang,   ///< nothing more, until the other side gives up
    };
    Kind kind = Kind::send;
    std::string bytes;
    Duration time{0};
};
using Script = std::vector<Step>;

Step send_bytes(std::string bytes);
Step wait_for(Duration time);
Step close_connection();
Step reset_connection();
Step hang();
Script operator+(Script first, Script second);

/// A whole response with Content-Length.
Script respond(int status, std::string_view body, const ServerHeaders& headers = {});
/// The head of a chunked response, chunks of it, and its end.
Script chunked_head(int status, const ServerHeaders& headers);
Script chunk(std::string_view bytes);
Script chunked_end();

struct FakeUsage {
    int input = 7;
    int cached = 0;  ///< of input
    int output = 3;
    int reasoning = 0;  ///< of output
};
/// What an OpenAI chat endpoint answers.
Script openai_chat_json(std::string_view text, const FakeUsage& usage = {});
/// The same as a stream: one chunk for each piece, with `pause` before each, then usage and [DONE].
Script openai_chat_stream(
    const std::vector<std::string>& pieces, const FakeUsage& usage = {}, Duration pause = {}
);
/// {"error": {...}} with this status.
Script error_json(int status, std::string_view message, const ServerHeaders& headers = {});
/// `text` as a JSON string with quotes.
std::string json_text(std::string_view text);

/// A real HTTP/1.1 server with keep-alive on a free port of 127.0.0.1 and a thread of its own, that
/// answers each request with the steps the handler returns. The handler runs on the server's
/// thread. Pipelined requests are answered one after the other.
class FakeLlmServer {
  public:
    using Handler = std::function<Script(const ServerRequest&)>;
    explicit FakeLlmServer(Handler handler);
    ~FakeLlmServer();
    FakeLlmServer(const FakeLlmServer&) = delete;
    FakeLlmServer& operator=(const FakeLlmServer&) = delete;

    int port() const;
    /// "http://127.0.0.1:PORT" + path.
    std::string url(std::string_view path = "") const;

    // The log; any thread.
    std::vector<ServerRequest> requests() const;
    int request_count() const;
    int connection_count() const;
    int in_flight() const;      ///< requests whose script is not at its end
    int in_flight_max() const;  ///< the most at any moment
    /// Whether `count` requests have come before `limit` has passed.
    bool wait_for_requests(int count, Duration limit = std::chrono::seconds(10)) const;
    /// Whether all of them were answered, or their connections went away, before `limit` has
    /// passed.
    bool wait_until_idle(Duration limit = std::chrono::seconds(10)) const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace lab::test
