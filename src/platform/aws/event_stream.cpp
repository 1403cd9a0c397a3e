#include "platform/aws/event_stream.h"

#include <zlib.h>

#include <algorithm>
#include <cstdint>

namespace lab::aws {
namespace {

constexpr std::size_t kPreludeBytes = 12;
constexpr std::size_t kSumBytes = 4;
constexpr std::size_t kHeadersMax = 256;

std::uint32_t big_endian(std::string_view bytes) {
    std::uint32_t out = 0;
    for (const char c : bytes) {
        out = out << 8U | static_cast<unsigned char>(c);
    }
    return out;
}

std::uint32_t sum_of(std::string_view bytes) {
    const uLong sum = crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size());
    return static_cast<std::uint32_t>(sum);
}

/// Takes from the front; empty and `ok` false when there is not so much.
class Cursor {
  public:
    explicit Cursor(std::string_view bytes) : rest_(bytes) {}
    std::string_view take(std::size_t count) {
        if (count > rest_.size()) {
            is_ok_ = false;
            count = 0;
        }
        const std::string_view out = rest_.substr(0, count);
        rest_.remove_prefix(is_ok_ ? count : rest_.size());
        return out;
    }
    std::uint32_t number(std::size_t bytes) { return big_endian(take(bytes)); }
    bool is_ok() const { return is_ok_; }
    bool is_at_end() const { return rest_.empty(); }

  private:
    std::string_view rest_;
    bool is_ok_ = true;
};

enum class Type : std::uint8_t {
    yes,
    no,
    byte,
    two_bytes,
    four_bytes,
    eight_bytes,
    bytes,
    text,
    time,
    uuid,
};

/// The value of a header; false for a type that does not exist.
bool take_value(Cursor& in, std::uint32_t type, std::string_view& value) {
    switch (static_cast<Type>(type)) {
        case Type::yes:
        case Type::no:
            return true;
        case Type::byte:
            value = in.take(1);
            return true;
        case Type::two_bytes:
            value = in.take(2);
            return true;
        case Type::four_bytes:
            value = in.take(4);
            return true;
        case Type::eight_bytes:
        case Type::time:
            value = in.take(8);
            return true;
        case Type::uuid:
            value = in.take(16);
            return true;
        case Type::bytes:
        case Type::text:
            value = in.take(in.number(2));
            return true;
    }
    return false;
}

}  // namespace

std::string_view EventMessage::header(std::string_view name) const {
    const auto found = std::ranges::find(headers, name, [](const auto& one) { return one.first; });
    return found == headers.end() ? std::string_view() : found->second;
}

void EventStreamParser::feed(std::string_view bytes) {
    if (!problem_.empty()) {
        return;
    }
    buffer_.erase(0, begin_);
    begin_ = 0;
    buffer_ += bytes;
}

std::optional<EventMessage> EventStreamParser::fail(std::string_view why) {
    problem_ = why;
    buffer_.clear();
    begin_ = 0;
    return std::nullopt;
}

bool EventStreamParser::read_headers(std::string_view bytes, EventMessage& message) {
    Cursor in(bytes);
    std::vector<std::string_view> names;
    while (!in.is_at_end()) {
        const std::string_view name = in.take(in.number(1));
        const std::uint32_t type = in.number(1);
        std::string_view value;
        if (!in.is_ok() || name.empty() || !take_value(in, type, value) || !in.is_ok() ||
            names.size() >= kHeadersMax || std::ranges::find(names, name) != names.end()) {
            return false;
        }
        names.push_back(name);
        if (type == static_cast<std::uint32_t>(Type::text)) {
            message.headers.emplace_back(name, value);
        }
    }
    return in.is_ok();
}

std::optional<EventMessage> EventStreamParser::next() {
    const std::string_view rest = std::string_view(buffer_).substr(begin_);
    if (!problem_.empty() || rest.size() < kPreludeBytes) {
        return std::nullopt;
    }
    const std::size_t total = big_endian(rest.substr(0, 4));
    const std::size_t headers = big_endian(rest.substr(4, 4));
    if (big_endian(rest.substr(8, 4)) != sum_of(rest.substr(0, 8))) {
        return fail("the sum of a prelude is wrong");
    }
    if (total < kMessageBytesMin || total > bytes_max_ || headers > kHeaderBytesMax ||
        headers > total - kMessageBytesMin) {
        return fail("a message says a length that it cannot have");
    }
    if (rest.size() < total) {
        return std::nullopt;
    }
    const std::string_view whole = rest.substr(0, total);
    if (big_endian(whole.substr(total - kSumBytes)) != sum_of(whole.substr(0, total - kSumBytes))) {
        return fail("the sum of a message is wrong");
    }
    EventMessage message;
    message.payload = whole.substr(kPreludeBytes + headers, total - kMessageBytesMin - headers);
    if (!read_headers(whole.substr(kPreludeBytes, headers), message)) {
        return fail("the headers of a message cannot be read");
    }
    begin_ += total;
    return message;
}

}  // namespace lab::aws
