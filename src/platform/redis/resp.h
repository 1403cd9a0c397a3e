#pragma once
#include "base/result.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// Redis: its protocol, a client for one server or a cluster of them.
namespace lab::redis {

/// A reply. Of RESP3 and RESP2 alike: a set is an array, a big number and a verbatim string are
/// text, both nulls are null; attributes are read and dropped.
struct Value {
    enum class Kind : std::uint8_t { null, boolean, integer, real, text, error, array, map, push };
    Kind kind = Kind::null;
    std::int64_t integer = 0;  ///< also of a boolean: 0 or 1
    double real = 0;
    std::string text;          ///< of text and error; an error begins with its code, "MOVED ..."
    std::vector<Value> items;  ///< of array and push; of a map: key, value, key, value

    bool is_error() const { return kind == Kind::error; }
    /// An error with this code in front.
    bool is_error(std::string_view code) const;
    bool operator==(const Value&) const = default;
};

struct ReplyLimits {
    std::size_t line_bytes_max = 64U << 10;  ///< of what is not counted beforehand
    std::size_t text_bytes_max = 32U << 20;
    std::size_t items_max = 100'000;  ///< of a whole reply, with everything in it
    std::size_t depth_max = 16;
};

/// Reads replies as they come, whatever the cuts. Source: the RESP2 and RESP3 specifications of
/// redis.io, without streamed strings and aggregates, which no server sends. Not shared between
/// threads.
class ReplyReader {
  public:
    explicit ReplyReader(ReplyLimits limits = {}) : limits_(limits) {}

    void feed(std::string_view bytes);
    /// The next whole reply; nullopt: more has to come. Errors: upstream_error for what is no
    /// reply or too large a one, from then on always.
    Result<std::optional<Value>> next();
    /// What waits to be read.
    std::size_t buffered() const { return buffer_.size() - at_; }

  private:
    enum class Step : std::uint8_t { whole, opened, more };
    /// An aggregate of which parts are missing.
    struct Open {
        Value value;
        std::size_t missing = 0;
        bool is_attribute = false;
    };
    Result<std::optional<std::string_view>> line();
    Result<Step> step(Value& out);
    Result<Step> counted_text(char type, std::string_view count, std::size_t header, Value& out);
    Result<Step> aggregate(char type, std::string_view count, Value& out);
    /// Puts a whole value where it belongs; true when nothing is open any more.
    bool settle(Value& value);
    Error broken(std::string_view why);

    const ReplyLimits limits_;
    std::string buffer_;
    std::size_t at_ = 0;        ///< read up to here
    std::size_t searched_ = 0;  ///< no end of line before
    std::size_t items_ = 0;     ///< of the reply so far
    std::vector<Open> open_;
    std::optional<Error> error_;
};

/// Appends a command: an array of counted strings, which every version understands.
void append_command(std::string& out, std::span<const std::string> words);

/// What a server's refusal is to whoever asked: upstream_error, the words in its cause.
Error refusal(const Value& error);

}  // namespace lab::redis
