#include "platform/otlp/impl/wire.h"

#include "base/text.h"

namespace lab::otlp {
namespace {

constexpr unsigned kVarint = 0;
constexpr unsigned kFixed64 = 1;
constexpr unsigned kLength = 2;
constexpr unsigned kFixed32 = 5;

}  // namespace

void Message::put(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7U) {
        out_ += static_cast<char>(value | 0x80U);
    }
    out_ += static_cast<char>(value);
}

void Message::tag(int field, unsigned type) { put(static_cast<std::uint64_t>(field) << 3U | type); }

Message& Message::varint(int field, std::uint64_t value) {
    return value == 0 ? *this : varint_always(field, value);
}

Message& Message::varint_always(int field, std::uint64_t value) {
    tag(field, kVarint);
    put(value);
    return *this;
}

Message& Message::fixed64(int field, std::uint64_t value) {
    return value == 0 ? *this : fixed64_always(field, value);
}

Message& Message::fixed64_always(int field, std::uint64_t value) {
    tag(field, kFixed64);
    append_fixed64(out_, value);
    return *this;
}

Message& Message::fixed32(int field, std::uint32_t value) {
    if (value != 0) {
        tag(field, kFixed32);
        for (int i = 0; i < 4; ++i) {
            out_ += static_cast<char>(value & 0xffU);
            value >>= 8U;
        }
    }
    return *this;
}

Message& Message::bytes(int field, std::string_view value) {
    if (!value.empty()) {
        tag(field, kLength);
        put(value.size());
        out_ += value;
    }
    return *this;
}

Message& Message::text(int field, std::string_view value) {
    return value.empty() ? *this : text_always(field, value);
}

Message& Message::text_always(int field, std::string_view value) {
    if (!is_utf8(value)) {
        return text_always(field, sanitize_utf8(value));
    }
    tag(field, kLength);
    put(value.size());
    out_ += value;
    return *this;
}

Message& Message::message(int field, const Message& value) {
    tag(field, kLength);
    put(value.str().size());
    out_ += value.str();
    return *this;
}

Message& Message::packed_fixed64(int field, const std::string& eights) {
    return bytes(field, eights);
}

void append_fixed64(std::string& out, std::uint64_t value) {
    for (int i = 0; i < 8; ++i) {
        out += static_cast<char>(value & 0xffU);
        value >>= 8U;
    }
}

std::optional<std::uint64_t> Reader::varint() {
    std::uint64_t out = 0;
    for (unsigned shift = 0; shift < 64 && !left_.empty(); shift += 7) {
        const auto byte = static_cast<unsigned char>(left_.front());
        left_.remove_prefix(1);
        out |= static_cast<std::uint64_t>(byte & 0x7fU) << shift;
        if (byte < 0x80) {
            return out;
        }
    }
    return std::nullopt;
}

std::optional<std::uint64_t> Reader::fixed(std::size_t bytes) {
    if (left_.size() < bytes) {
        return std::nullopt;
    }
    std::uint64_t out = 0;
    for (std::size_t i = bytes; i-- > 0;) {
        out = out << 8U | static_cast<unsigned char>(left_[i]);
    }
    left_.remove_prefix(bytes);
    return out;
}

std::optional<Field> Reader::next() {
    const auto tag = varint();
    if (!tag || *tag >> 3U == 0 || *tag >> 3U > 0x1fffffffU) {
        return std::nullopt;
    }
    Field out{.number = static_cast<int>(*tag >> 3U), .value = 0, .bytes = {}};
    const auto type = static_cast<unsigned>(*tag & 7U);
    std::optional<std::uint64_t> value;
    if (type == kVarint || type == kLength) {
        value = varint();
    } else if (type == kFixed64 || type == kFixed32) {
        value = fixed(type == kFixed64 ? 8 : 4);
    }
    if (!value || (type == kLength && *value > left_.size())) {
        return std::nullopt;
    }
    if (type == kLength) {
        out.bytes = left_.substr(0, *value);
        left_.remove_prefix(*value);
    } else {
        out.value = *value;
    }
    return out;
}

}  // namespace lab::otlp
