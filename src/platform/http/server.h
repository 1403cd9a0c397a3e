#pragma once
#include "base/clock.h"
#include "base/ctx.h"
#include "base/result.h"
#include "platform/http/client.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace lab::http {

/// Who is on the other side of a connection.
struct Peer {
    std::string address;    ///< numeric; an IPv4 address that came in over IPv6 is written as IPv4
    bool loopback = false;  ///< exactly 127.0.0.1 or ::1
    bool tls = false;
};

/// The head of a request that passed the strict checks (impl/server_head.h).
struct RequestHead {
    std::string method;     ///< a token, case as sent; known or not
    std::string target;     ///< as sent: "/path?query", "http://host/path", "*"
    std::string path;       ///< of the target, not decoded, without the query; "*" for OPTIONS *
    std::string query;      ///< of the target, not decoded, without "?"
    int version_minor = 1;  ///< HTTP/1.x; 0..9
    /// In the order they came, names as sent, values trimmed. Host is the authority of the target
    /// when the target has one (RFC 9112, 3.2.2).
    Headers headers;
    Peer peer;
    TimePoint received;  ///< when the first byte of the request was read
};

/// A whole answer. The listener adds Date, Content-Length and Connection, and ignores these and
/// Transfer-Encoding in `headers`. A header that could not be sent (a name that is no token, a
/// value with control characters) turns the answer into a 500.
struct Response {
    int status = 200;  ///< 200..599
    Headers headers;
    std::string body;    ///< as for GET: it is left out for HEAD, 204 and 304
    bool close = false;  ///< close the connection behind it
    /// More header lines, sent as they are ("Name: value\r\n" each): a constant of the
    /// application's, which has looked at it. Costs no look and no copy an answer.
    std::string_view fixed_lines = {};
};

/// What became of bytes given to Exchange::write.
enum class Sending : std::uint8_t {
    more,    ///< taken; go on
    wait,    ///< taken; go on when `drained` is called
    closed,  ///< nobody reads them: client gone, HEAD, ended. Stop
};

/// One request and the one way to answer it. Any thread, one at a time for each exchange; may be
/// kept as long as wanted, also beyond the Server. The first answer counts, later ones are ignored.
/// An exchange let go without an answer answers 500 and closes; one let go within a stream cuts the
/// connection, so that nobody takes half an answer for a whole one.
class Exchange {
  public:
    virtual ~Exchange() = default;
    virtual const RequestHead& head() const = 0;
    /// The whole body with BodyPlan::buffer, else empty. take_body() moves it out.
    virtual const std::string& body() const = 0;
    virtual std::string take_body() = 0;

    virtual void respond(Response response) = 0;

    /// A streamed answer: chunked on HTTP/1.1, ended by the end of the connection on 1.0. With a
    /// Content-Length in `headers` exactly so many bytes have to follow, else the connection is
    /// cut. The head and each write leave at once.
    virtual void begin_stream(int status, Headers headers) = 0;
    /// On `wait`, `drained` is called once on an I/O thread: when less than a quarter of
    /// ServerOptions::stream_buffer_bytes is left, or when the client is gone. Who goes on writing
    /// regardless is cut off at four times that size.
    virtual Sending write(std::string bytes, std::function<void()> drained = nullptr) = 0;
    virtual void end_stream() = 0;

    /// Goes on reading a streamed body after BodySink::Flow::pause; sends the 100 Continue that
    /// BodyPlan::continues_later held back.
    virtual void resume_body() = 0;

    /// Cancelled when the client is gone before the answer was complete (CancelReason::user), or
    /// the server cuts it (shutdown). A client that closed its sending side counts as gone, as with
    /// other servers, but an answer that comes all the same is still sent.
    virtual CancelToken cancelled() = 0;
    /// Calls `gone` once on an I/O thread when cancelled() becomes true; at once if it is.
    virtual void on_cancel(std::function<void()> gone) = 0;
    /// Something of the application's that on_response_sent() gets back.
    virtual void set_context(std::shared_ptr<void> context) = 0;
};

/// Receives a body as it comes, on the connection's I/O thread; never blocks. In this order:
/// on_begin, on_bytes any number of times, then exactly one of on_complete and on_abort.
/// Answering before the end is allowed: no more is read then, and the connection is closed behind
/// the answer.
class BodySink {
  public:
    enum class Flow : std::uint8_t { more, pause };
    virtual ~BodySink() = default;
    virtual void on_begin(std::shared_ptr<Exchange> exchange) = 0;
    /// `pause`: no more is read until Exchange::resume_body().
    virtual Flow on_bytes(std::string_view bytes) = 0;
    virtual void on_complete() = 0;
    /// There will be no more: client gone, too slow, too large, broken framing, or answered early.
    /// Except when the client is gone the exchange has its answer by then.
    virtual void on_abort() = 0;
};

/// What to do with a request once its head is read.
struct BodyPlan {
    enum class Kind : std::uint8_t { reply_now, buffer, stream };
    Kind kind = Kind::buffer;
    Response reply = {};                  ///< reply_now
    std::shared_ptr<void> context = {};   ///< reply_now: as Exchange::set_context
    std::size_t bytes_max = 0;            ///< buffer, stream: a longer body is refused with 413
    std::shared_ptr<BodySink> sink = {};  ///< stream
    /// stream: who expects 100 Continue gets it from Exchange::resume_body() and not before, so
    /// that an answer may come instead. Whoever sends without waiting is read all the same.
    bool continues_later = false;
};

/// An answer that has left, or could not.
struct Sent {
    const RequestHead* head;  ///< null when the request had none that could be read
    std::shared_ptr<void> context;
    int status;
    std::uint64_t bytes_in;   ///< of the request, with its head
    std::uint64_t bytes_out;  ///< of the answer, with its head; handed to the system
    Duration duration;        ///< from RequestHead::received on; zero without a head
    bool complete;            ///< false = the connection went before its end
};

/// What the listener serves. Called on I/O threads, from several at once; never blocks. Outlives
/// the Server.
class Application {
  public:
    virtual ~Application() = default;
    /// Before anything of the body is read, and before 100 Continue.
    virtual BodyPlan on_head(const RequestHead& head) = 0;
    /// The request is there with its body (BodyPlan::buffer).
    virtual void on_request(std::shared_ptr<Exchange> exchange) = 0;
    /// The answer to what the listener refuses itself: 400 BAD_REQUEST, 408 REQUEST_TIMEOUT,
    /// 413 PAYLOAD_TOO_LARGE, 414 URI_TOO_LONG, 417 EXPECTATION_FAILED, 431 HEADERS_TOO_LARGE,
    /// 500 INTERNAL_ERROR (an exchange without an answer), 501 NOT_IMPLEMENTED (CONNECT, endless
    /// methods), 503 OVERLOADED, 505 VERSION_NOT_SUPPORTED. The connection is closed behind it.
    /// `why` may be shown; `head` is null when there is none.
    virtual Response refuse(
        int status, std::string_view code, std::string_view why, const RequestHead* head
    ) = 0;
    /// For metrics and the access log; once for each answer.
    virtual void on_response_sent(const Sent& sent) = 0;
};

struct ServerOptions {
    std::string address = "127.0.0.1";  ///< numeric; "::" takes IPv4, too
    std::uint16_t port = 0;             ///< 0 = any free one
    std::string certificate_file = {};  ///< PEM chain; empty = no TLS
    std::string key_file = {};          ///< PEM, not encrypted
    std::size_t threads = 2;            ///< 1..64

    std::size_t header_bytes_max = 16U << 10;  ///< field lines with their line ends
    std::size_t header_count_max = 100;        ///< field lines
    std::size_t uri_bytes_max = 8U << 10;      ///< request target
    /// From the first byte of a head, or from the connection on, to the head's end.
    Duration header_timeout = std::chrono::seconds(10);
    /// A body that is slower on average is given up, header_timeout after it began at the earliest.
    std::size_t body_rate_min = 1024;  ///< bytes a second; also of answers, see below
    /// Between requests, and between two pieces of a body.
    Duration idle_timeout = std::chrono::seconds(75);
    /// While bytes wait to be sent, the client has to take body_rate_min * this in so much time.
    Duration write_stall_timeout = std::chrono::seconds(30);
    /// How long a refused client may go on sending, so that it gets to read why.
    Duration linger_timeout = std::chrono::seconds(2);

    std::size_t pipelining_max = 16;  ///< requests of a connection without a complete answer
    std::size_t connections_max = 10'000;
    /// Connections of one address that have not sent a whole head yet.
    std::size_t connections_per_peer_max = 1'000;
    std::size_t stream_buffer_bytes = 256U << 10;  ///< unsent bytes of a stream: Sending::wait
    std::size_t bodies_bytes_max = 256U << 20;     ///< buffered bodies of all connections
    std::size_t discard_bytes_max = 64U << 10;     ///< of a body nobody wants, to keep a connection
};

struct ServerStats {
    std::size_t connections = 0;    ///< open
    std::size_t in_flight = 0;      ///< requests with the application
    std::uint64_t accepted = 0;     ///< connections, since the start
    std::uint64_t bytes_in = 0;     ///< read, since the start
    std::uint64_t bytes_out = 0;    ///< handed to the system, since the start
    std::uint64_t requests = 0;     ///< heads read, since the start
    std::uint64_t evicted = 0;      ///< connections closed to make room for others
    std::uint64_t turned_away = 0;  ///< connections that found no room
    Duration silence_max{};         ///< the longest time an I/O thread has not turned its loop
};

/// The one inbound HTTP/1.1 listener. Each I/O thread has its own loop; a connection belongs to one
/// of them. Source of the protocol: RFC 9110, RFC 9112.
class Server {
  public:
    /// Listens when it returns. Errors: validation (options, certificate), io (address in use).
    static Result<std::unique_ptr<Server>> start(
        const Clock& clock, ServerOptions options, Application& application
    );
    /// As drain(0).
    virtual ~Server() = default;
    virtual std::uint16_t port() const = 0;
    /// Stops accepting; answers what has been accepted, with Connection: close; closes connections
    /// that stay idle for a second, since a request may be on its way; returns when all are gone,
    /// or cuts those that are left after `limit`. Blocks; never on an I/O thread. There is no way
    /// back.
    virtual void drain(Duration limit) = 0;
    virtual ServerStats stats() const = 0;
    /// Reads certificate and key again, for new connections. On an error the old ones stay.
    virtual Status reload_certificate() = 0;
    /// Looks at the clock now, for a clock that does not go with the machine's (tests).
    virtual void check_time() = 0;
};

}  // namespace lab::http
