#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lab::test {

/// CRC-32 by its definition (ISO 3309), bit by bit: nothing that the reader of the product uses.
inline std::uint32_t plain_crc32(std::string_view bytes) {
    std::uint32_t sum = 0xffffffffU;
    for (const char c : bytes) {
        sum ^= static_cast<unsigned char>(c);
        for (int bit = 0; bit < 8; ++bit) {
            sum = sum >> 1U ^ (0xedb88320U & (0U - (sum & 1U)));
        }
    }
    return ~sum;
}

inline std::string big_endian(std::size_t value, int bytes) {
    std::string out;
    for (int i = bytes - 1; i >= 0; --i) {
        out += static_cast<char>(value >> (8 * i) & 0xffU);
    }
    return out;
}

/// A message of vnd.amazon.eventstream with these headers, which are bytes already.
inline std::string event_message_of(std::string_view headers, std::string_view payload) {
    std::string out = big_endian(16 + headers.size() + payload.size(), 4);
    out += big_endian(headers.size(), 4);
    out += big_endian(plain_crc32(out), 4);
    out += headers;
    out += payload;
    return out + big_endian(plain_crc32(out), 4);
}

/// The same with headers that are texts.
inline std::string event_message(
    const std::vector<std::pair<std::string, std::string>>& headers, std::string_view payload
) {
    std::string bytes;
    for (const auto& [name, value] : headers) {
        bytes += big_endian(name.size(), 1) + name + "\x07" + big_endian(value.size(), 2) + value;
    }
    return event_message_of(bytes, payload);
}

/// An event of Amazon's services.
inline std::string event(const std::string& type, std::string_view payload) {
    return event_message(
        {{":event-type", type}, {":content-type", "application/json"}, {":message-type", "event"}},
        payload
    );
}
inline std::string exception(const std::string& type, std::string_view payload) {
    return event_message({{":exception-type", type}, {":message-type", "exception"}}, payload);
}

}  // namespace lab::test
