#pragma once
#include "platform/otlp/sender.h"

namespace lab::otlp {

/// What came back over the wire.
struct Reply {
    std::string broken;  ///< why the transfer did not come to its end; empty when it did
    int status = 0;      ///< of HTTP; 0 = no response head arrived
    std::vector<std::pair<std::string, std::string>> headers;  ///< lower-case, then the trailers
    std::string body;
};

/// gRPC says how it went behind the body, or in the head when there is no body; what was said
/// counts, also when the stream was broken off after that.
Answer grpc_verdict(const Reply& reply);
Answer http_verdict(const Reply& reply);

}  // namespace lab::otlp
