#pragma once
#include "base/result.h"

#include <sys/uio.h>

#include <memory>
#include <span>
#include <string>

namespace lab::http {

/// What a step on a socket that does not block came to.
enum class Io : std::uint8_t {
    done,
    wait_read,   ///< again when the descriptor can be read
    wait_write,  ///< again when it can be written
    end,         ///< the other side sends no more
    failed,
};
struct IoStep {
    Io io = Io::done;
    std::size_t bytes = 0;  ///< when done
};

/// One accepted connection, plain or TLS. Borrows the descriptor. One thread.
class ServerSocket {
  public:
    virtual ~ServerSocket() = default;
    virtual IoStep shake_hands() = 0;
    virtual IoStep read(char* data, std::size_t size) = 0;
    virtual IoStep write(std::span<const iovec> parts) = 0;
    /// Bytes that have left the descriptor and not been read from here.
    virtual bool has_pending() const = 0;
    virtual void end_sending() = 0;
};

std::unique_ptr<ServerSocket> make_plain_socket(int fd);

/// A certificate and its key. Thread-safe.
class TlsContext {
  public:
    virtual ~TlsContext() = default;
    virtual std::unique_ptr<ServerSocket> make_socket(int fd) const = 0;
};
/// TLS 1.2 and later, ALPN http/1.1. Errors: validation, with the reason.
Result<std::shared_ptr<const TlsContext>> load_tls(
    const std::string& certificate_file, const std::string& key_file
);

/// A descriptor that is closed when nobody has taken it.
class OwnedFd {
  public:
    explicit OwnedFd(int fd = -1) : fd_(fd) {}
    OwnedFd(OwnedFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    OwnedFd& operator=(OwnedFd&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~OwnedFd();
    int get() const { return fd_; }
    int release() { return std::exchange(fd_, -1); }

  private:
    int fd_;
};

}  // namespace lab::http
