#pragma once
#include "platform/process/event_loop.h"
#include "platform/redis/url.h"

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace lab::redis {

/// What certificates are checked with: those in `ca_file` (PEM); without one those of the system,
/// or of SSL_CERT_FILE and SSL_CERT_DIR. Errors: io when they cannot be read.
struct TlsContext;
Result<std::shared_ptr<TlsContext>> make_tls_context(const std::string& ca_file);

/// One connection, plain or TLS with the certificate and its name verified: bytes in, bytes out.
/// Begins to connect at once; is never opened again. Loop thread only.
class Connection {
  public:
    struct Handlers {
        std::function<void()> connected;
        std::function<void(std::string_view)> received;
        /// Nothing comes after it; `why` names no secret.
        std::function<void(std::string_view why)> closed;
    };
    /// `tls`: null for a plain one. Handlers are called from the loop, never from in here.
    Connection(
        EventLoop& loop, std::shared_ptr<TlsContext> tls, const Address& address, Handlers handlers
    );
    /// No handler is called any more, also when one of them is what destroys it.
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    /// In order; nothing is sent before `connected`.
    void write(std::string_view bytes);
    /// What the socket has not taken yet.
    std::size_t unsent() const;

  private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace lab::redis
