#pragma once
#include "base/clock.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lab::otlp {

enum class Protocol : std::uint8_t {
    grpc,
    http_protobuf,
};

struct SenderOptions {
    std::string endpoint;  ///< https://host:4317, or http:// without TLS
    Protocol protocol = Protocol::grpc;
    std::vector<std::pair<std::string, std::string>> headers;  ///< secret; lower-case names
    std::string ca_file;                                       ///< empty: the system's
    std::string user_agent;
    Duration timeout = std::chrono::seconds(10);
};

/// What the collector answered.
struct Answer {
    enum class End : std::uint8_t { taken, refused, unreachable };
    End end = End::unreachable;
    std::string response;  ///< the message, when taken
    std::optional<Duration> retry_after;
    std::string problem;  ///< for people; no header, no secret
};

/// Sends messages of OTLP to one collector. Of one thread, but for interrupt().
///
/// gRPC is one unary call on HTTP/2 (github.com/grpc/grpc, PROTOCOL-HTTP2.md); over TLS the server
/// has to agree to HTTP/2, without TLS it is taken for granted. Which codes mean "again later" is
/// said by OTLP (opentelemetry.io, "OTLP Specification 1.8", Failures). Certificates and host names
/// are verified.
class Sender {
  public:
    explicit Sender(SenderOptions options);
    ~Sender();
    Sender(const Sender&) = delete;
    Sender& operator=(const Sender&) = delete;

    /// `service`: of gRPC, "opentelemetry.proto.collector.trace.v1.TraceService"; `path`: of HTTP,
    /// "/v1/traces".
    Answer send(std::string_view service, std::string_view path, const std::string& message);
    /// What is on its way ends soon, and so does what comes after. Any thread.
    void interrupt();

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace lab::otlp
