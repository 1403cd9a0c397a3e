#pragma once
#include "base/clock.h"
#include "platform/http/client.h"

#include <sys/uio.h>

#include <deque>
#include <span>
#include <string>
#include <string_view>

namespace lab::http {

/// Bytes that wait to be sent, in order. Small ones are copied together, large ones kept as they
/// come.
class OutBuffer {
  public:
    void append(std::string_view bytes);
    void append(std::string&& bytes);
    bool empty() const { return size_ == 0; }
    std::size_t size() const { return size_; }
    /// The next bytes; how many of `parts` are used.
    std::size_t parts(std::span<iovec> parts) const;
    void consume(std::size_t bytes);
    void clear();
    /// Lets `build` append to a string, without a copy.
    template <class Build>
    void append_with(Build build) {
        std::string& end = tail();
        const std::size_t before = end.size();
        build(end);
        size_ += end.size() - before;
    }

  private:
    std::string& tail();

    std::deque<std::string> pieces_;
    std::size_t begin_ = 0;  ///< of the first piece
    std::size_t size_ = 0;
};

/// What ends a body.
enum class BodyEnd : std::uint8_t { none, length, chunked, close };

struct HeadToSend {
    int status = 200;
    BodyEnd end = BodyEnd::length;
    std::uint64_t length = 0;  ///< BodyEnd::length
    bool close = false;
    bool says_keep_alive = false;  ///< to HTTP/1.0 clients that asked
};

/// Whether all of it may be sent: names are tokens, values hold no control characters (an answer
/// that repeats what a client sent must not become two, CWE-113).
bool are_sendable(int status, const Headers& headers);
/// 1xx, 204 and 304 never have a body (RFC 9110, 6.4.1).
bool has_no_body(int status);
/// Appends status line and fields; `date` is "Date: ...\r\n". Leaves out those of `headers` that
/// are the listener's own: Connection, Content-Length, Date, Keep-Alive, Transfer-Encoding.
void append_head(
    std::string& out,
    const HeadToSend& head,
    const Headers& headers,
    std::string_view date,
    std::string_view fixed_lines = {}
);
/// "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n" (RFC 9110, 6.6.1).
std::string date_line(WallTime now);

}  // namespace lab::http
