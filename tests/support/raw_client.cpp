#include "support/raw_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <charconv>

namespace lab::test {
namespace {

bool same_name(std::string_view a, std::string_view b) {
    return std::ranges::equal(a, b, [](unsigned char x, unsigned char y) {
        return std::tolower(x) == std::tolower(y);
    });
}

std::size_t number(std::string_view text, int base) {
    std::size_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value, base);
    return value;
}

bool wait_for(int fd, short events, std::chrono::milliseconds limit) {
    pollfd wait{.fd = fd, .events = events, .revents = 0};
    return ::poll(&wait, 1, static_cast<int>(limit.count())) > 0;
}

}  // namespace

std::string_view RawResponse::header(std::string_view name) const {
    for (const auto& [key, value] : headers) {
        if (same_name(key, name)) {
            return value;
        }
    }
    return {};
}

int RawResponse::count(std::string_view name) const {
    return static_cast<int>(std::ranges::count_if(headers, [&](const auto& header) {
        return same_name(header.first, name);
    }));
}

RawClient::RawClient(std::uint16_t port, std::chrono::milliseconds limit) : limit_(limit) {
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int on = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (fd_ < 0 || ::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
        ended_ = refused_ = true;
    }
}

RawClient::~RawClient() { close(); }

RawClient::RawClient(RawClient&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      ended_(other.ended_),
      refused_(other.refused_),
      limit_(other.limit_),
      buffer_(std::move(other.buffer_)) {}

bool RawClient::send(std::string_view bytes) {
    while (!bytes.empty()) {
        if (!wait_for(fd_, POLLOUT, limit_)) {
            return false;
        }
        const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0) {
            return false;
        }
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
}

void RawClient::end_sending() { ::shutdown(fd_, SHUT_WR); }

void RawClient::close() {
    if (fd_ >= 0) {
        ::close(std::exchange(fd_, -1));
    }
    ended_ = true;
}

void RawClient::reset() {
    const linger now{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close();
}

void RawClient::set_receive_buffer(int bytes) {
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
}

bool RawClient::fill() {
    if (ended_ || !wait_for(fd_, POLLIN, limit_)) {
        return false;
    }
    std::array<char, 65536> bytes;  // NOLINT: recv fills it
    const ssize_t got = ::recv(fd_, bytes.data(), bytes.size(), 0);
    if (got <= 0) {
        ended_ = true;
        return false;
    }
    buffer_.append(bytes.data(), static_cast<std::size_t>(got));
    return true;
}

std::optional<std::string> RawClient::line() {
    std::size_t end = 0;
    while ((end = buffer_.find("\r\n")) == std::string::npos) {
        if (!fill()) {
            return std::nullopt;
        }
    }
    std::string text = buffer_.substr(0, end);
    buffer_.erase(0, end + 2);
    return text;
}

bool RawClient::take(std::size_t bytes, std::string& into) {
    while (buffer_.size() < bytes) {
        if (!fill()) {
            return false;
        }
    }
    into.append(buffer_, 0, bytes);
    buffer_.erase(0, bytes);
    return true;
}

bool RawClient::take_chunks(std::string& into) {
    while (true) {
        const auto size_line = line();
        if (!size_line || size_line->empty()) {
            return false;
        }
        const std::size_t size = number(*size_line, 16);
        if (!take(size, into)) {
            return false;
        }
        if (line() != "") {
            return false;
        }
        if (size == 0) {
            return true;
        }
    }
}

std::optional<RawResponse> RawClient::receive(bool to_head) {
    RawResponse response;
    const auto first = line();
    if (!first || !first->starts_with("HTTP/1.1 ") || first->size() < 13) {
        return std::nullopt;
    }
    response.status = static_cast<int>(number(first->substr(9, 3), 10));
    response.head = *first + "\r\n";
    while (true) {
        const auto field = line();
        if (!field) {
            return std::nullopt;
        }
        response.head += *field + "\r\n";
        if (field->empty()) {
            break;
        }
        const std::size_t colon = field->find(": ");
        if (colon == std::string::npos) {
            return std::nullopt;
        }
        response.headers.emplace_back(field->substr(0, colon), field->substr(colon + 2));
    }
    if (to_head || response.status < 200 || response.status == 204 || response.status == 304) {
        return response;
    }
    if (same_name(response.header("Transfer-Encoding"), "chunked")) {
        return take_chunks(response.body) ? std::optional(response) : std::nullopt;
    }
    if (response.count("Content-Length") == 1) {
        const std::size_t size = number(response.header("Content-Length"), 10);
        return take(size, response.body) ? std::optional(response) : std::nullopt;
    }
    while (fill()) {
    }
    response.body = std::exchange(buffer_, {});
    return ended_ ? std::optional(response) : std::nullopt;
}

std::string RawClient::receive_bytes(std::size_t bytes) {
    while (buffer_.size() < bytes && fill()) {
    }
    return std::exchange(buffer_, {});
}

bool RawClient::is_closed() {
    while (buffer_.empty() && fill()) {
    }
    return buffer_.empty() && ended_;
}

bool RawClient::hears(std::chrono::milliseconds time) {
    return !buffer_.empty() || (!ended_ && wait_for(fd_, POLLIN, time));
}

}  // namespace lab::test
