#pragma once
#include "platform/http/client.h"
#include "providers/codec.h"

namespace lab::providers {

/// Puts into a request what says who sends it, where that depends on the moment. Loop thread only.
class RequestSigner {
  public:
    virtual ~RequestSigner() = default;
    /// Never waits. Errors: unavailable, in words without a secret.
    virtual Status sign(http::Request& request) = 0;
    /// A server says that credentials have ended.
    virtual void refused() = 0;
};

/// A codec, the wire and a clock: latency from start() to the end of the response, time to the
/// first token from start() to the first piece of visible output (streams only). `http` and `clock`
/// outlive it; calls in flight may outlive it. With a signer every request is signed as it leaves;
/// one that cannot be is not sent, as if nobody were there.
std::unique_ptr<Provider> make_http_provider(
    std::shared_ptr<const Codec> codec,
    http::Client& http,
    const Clock& clock,
    std::shared_ptr<RequestSigner> signer = nullptr
);

}  // namespace lab::providers
