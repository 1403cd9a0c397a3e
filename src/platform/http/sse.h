#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lab::http {

/// One event of a stream. The views are valid until the next call of SseParser.
struct SseEvent {
    std::string_view type;  ///< "message" when the stream names none
    std::string_view data;
    std::string_view id;  ///< of this or an earlier event
};

/// Incremental parser of text/event-stream: give it bytes as they come, take events until there are
/// none. Bytes are taken as they are: UTF-8 is checked by whoever reads the data.
/// Source: WHATWG HTML, section 9.2.6 "Interpreting an event stream".
class SseParser {
  public:
    /// `event_bytes_max`: of one line, and of the data of one event.
    explicit SseParser(std::size_t event_bytes_max = 16U << 20) : bytes_max_(event_bytes_max) {}
    /// `bytes` must stay where they are until next() has returned nullopt.
    void feed(std::string_view bytes) { input_ = bytes; }
    /// An event that the stream ends in the middle of is never returned.
    std::optional<SseEvent> next();
    /// An event was too large: nothing is parsed any more.
    bool overflowed() const { return overflowed_; }
    /// The reconnection time in milliseconds, when the stream named one.
    std::optional<std::int64_t> retry_ms() const { return retry_ms_; }

  private:
    /// The next complete line, without its end; nullopt when the input is used up.
    std::optional<std::string_view> take_line();
    void take_field(std::string_view line);
    bool grow(std::string& text, std::string_view by);

    std::size_t bytes_max_;
    std::string_view input_;
    std::string line_;         ///< the part of a line that earlier input held
    bool line_taken_ = false;  ///< line_ was returned and is to be forgotten
    bool skip_lf_ = false;     ///< the last line ended with CR: an LF belongs to it
    bool first_line_ = true;
    bool overflowed_ = false;
    std::string type_;
    std::string data_;
    std::string id_;
    bool has_data_ = false;
    bool dispatched_ = false;  ///< type_ and data_ belong to an event that was returned
    std::optional<std::int64_t> retry_ms_;
};

}  // namespace lab::http
