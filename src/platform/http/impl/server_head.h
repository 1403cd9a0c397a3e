#pragma once
#include "platform/http/server.h"

namespace lab::http {

struct HeadLimits {
    std::size_t header_bytes_max = 16U << 10;
    std::size_t header_count_max = 100;
    std::size_t uri_bytes_max = 8U << 10;
};

/// Longer methods than any that exists get 501 (RFC 9112, 3).
constexpr std::size_t kMethodBytesMax = 32;

/// The most bytes that a head within the limits has.
std::size_t head_bytes_max(const HeadLimits& limits);

/// How the end of a body is known.
enum class Framing : std::uint8_t { none, length, chunked };

/// Why a request is not taken; status 0 = it is.
struct Refusal {
    int status = 0;
    std::string_view code;
    std::string_view why;
};

/// A request head and what follows from it for the connection.
struct Head {
    RequestHead request;
    Framing framing = Framing::none;
    std::uint64_t content_length = 0;  ///< Framing::length
    bool keep_alive = true;
    bool expects_continue = false;
};

/// Reads the head of a request from raw bytes, strictly (RFC 9112, sections 2 to 6). Takes only
/// what every conforming recipient understands in the same way; the rest is refused, since a proxy
/// in front of us may have understood it differently (request smuggling). Pure: no I/O, no clock.
///
/// The only parser in the path, on purpose: Beast 1.81 takes `Transfer-Encoding: gzip` for "no
/// body", folded lines, chunked on HTTP/1.0, lists of lengths and absent Hosts, and a check in
/// front of it would have to find every token itself and then trust a second reader to find the
/// same. server_oracle_test.cpp compares the two on what this one accepts.
class HeadReader {
  public:
    enum class State : std::uint8_t { more, complete, refused };
    explicit HeadReader(const HeadLimits& limits) : limits_(limits) {}

    /// `bytes`: all that is there of the request, from its first byte on; what was given before has
    /// not changed. Looks at each byte once over all calls, and refuses as soon as it can.
    State read(std::string_view bytes);

    const Refusal& refusal() const { return refusal_; }
    /// When complete: the head, and how many bytes it had.
    Head& head() { return head_; }
    std::size_t size() const { return line_begin_; }
    /// Whether the request line is behind us.
    bool in_fields() const { return stage_ == Stage::fields; }
    /// For the next request.
    void reset();

  private:
    enum class Stage : std::uint8_t { start, request_line, fields };
    State refuse(int status, std::string_view code, std::string_view why);
    State bad(std::string_view why) { return refuse(400, "BAD_REQUEST", why); }
    State check_unfinished(std::string_view line, std::size_t from);
    State read_request_line(std::string_view line);
    State read_target(std::string_view target);
    State read_absolute(std::string_view target);
    State read_version(std::string_view version);
    State read_field(std::string_view line);
    State note_field(std::string_view name, std::string_view value);
    bool note_connection(std::string_view value);
    State finish();

    HeadLimits limits_;
    Stage stage_ = Stage::start;
    std::size_t scanned_ = 0;       ///< bytes known to hold no line feed
    std::size_t line_begin_ = 0;    ///< of the line that is not complete
    std::size_t fields_begin_ = 0;  ///< of the first field line
    Refusal refusal_;
    Head head_;
    std::string authority_;  ///< of an absolute target
    int hosts_ = 0;
    int lengths_ = 0;
    int codings_ = 0;
    bool says_close_ = false;
    bool says_keep_alive_ = false;
};

// Of use to its neighbours.

/// tchar of RFC 9110, 5.6.2.
bool is_token_char(unsigned char c);
bool is_token(std::string_view text);
/// Whether a field value may be sent or taken: no control characters but tabs.
bool is_field_value(std::string_view text);
bool same_ignoring_case(std::string_view a, std::string_view b);

}  // namespace lab::http
