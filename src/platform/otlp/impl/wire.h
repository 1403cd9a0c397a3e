#pragma once
#include <bit>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lab::otlp {

/// Writes a message of protocol buffers, field by field. Source: protobuf.dev, "Encoding".
/// Fields that have their default are left out, as proto3 does, except by what says otherwise.
class Message {
  public:
    Message& varint(int field, std::uint64_t value);  ///< uint32, uint64, bool, enum
    Message& varint_always(int field, std::uint64_t value);
    Message& fixed64(int field, std::uint64_t value);
    Message& fixed64_always(int field, std::uint64_t value);
    Message& fixed32(int field, std::uint32_t value);
    Message& number_always(int field, double value) {
        return fixed64_always(field, std::bit_cast<std::uint64_t>(value));
    }
    Message& bytes(int field, std::string_view value);
    /// Invalid UTF-8 is mended: a reader refuses the whole message for it.
    Message& text(int field, std::string_view value);
    Message& text_always(int field, std::string_view value);
    Message& message(int field, const Message& value);
    /// Adds the numbers of a repeated field in one piece.
    Message& packed_fixed64(int field, const std::string& eights);

    const std::string& str() const { return out_; }

  private:
    void tag(int field, unsigned type);
    void put(std::uint64_t value);

    std::string out_;
};

/// Appends eight bytes, the lowest first.
void append_fixed64(std::string& out, std::uint64_t value);

/// One field of a message.
struct Field {
    int number = 0;
    std::uint64_t value = 0;  ///< of numbers
    std::string_view bytes;   ///< of what has a length
};

/// Reads fields one after the other; nullopt at the end, and where it is broken.
class Reader {
  public:
    explicit Reader(std::string_view message) : left_(message) {}
    std::optional<Field> next();

  private:
    std::optional<std::uint64_t> varint();
    std::optional<std::uint64_t> fixed(std::size_t bytes);

    std::string_view left_;
};

}  // namespace lab::otlp
