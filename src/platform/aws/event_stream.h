#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lab::aws {

/// One message of an event stream; views live until the next call of the parser.
struct EventMessage {
    /// Those that are texts, as Amazon's services send them, in their order.
    std::vector<std::pair<std::string_view, std::string_view>> headers = {};
    std::string_view payload;

    /// The header of this name, or empty.
    std::string_view header(std::string_view name) const;
};

/// Takes messages out of a stream that comes in pieces. Source: "vnd.amazon.eventstream" in
/// Amazon's documentation of Transcribe and of Smithy: a prelude of lengths with its CRC-32,
/// headers, payload, and the CRC-32 of all before it, big-endian. Strict: what is not exactly so
/// ends the reading. Does no I/O; not shared between threads.
class EventStreamParser {
  public:
    /// The least that a message has: prelude and sum.
    static constexpr std::size_t kMessageBytesMin = 16;
    static constexpr std::size_t kHeaderBytesMax = 128U << 10;

    /// `message_bytes_max`: a longer message is broken before it is gathered.
    explicit EventStreamParser(std::size_t message_bytes_max) : bytes_max_(message_bytes_max) {}

    void feed(std::string_view bytes);
    /// The next whole message; nullopt when more bytes are needed, or never will be any.
    std::optional<EventMessage> next();
    /// Why nothing more will come; empty as long as all was right.
    std::string_view problem() const { return problem_; }
    /// Something of a message is there that is not whole.
    bool is_inside() const { return begin_ < buffer_.size(); }

  private:
    std::optional<EventMessage> fail(std::string_view why);
    bool read_headers(std::string_view bytes, EventMessage& message);

    const std::size_t bytes_max_;
    std::string buffer_;
    std::size_t begin_ = 0;  ///< of the next message in it
    std::string_view problem_;
};

}  // namespace lab::aws
