#include "platform/http/impl/server_chunks.h"

#include "platform/http/impl/server_head.h"

#include <algorithm>
#include <cstring>

namespace lab::http {
namespace {

/// 2^48 bytes are more than any body; a longer number is an attempt to overflow somebody's.
constexpr int kSizeDigitsMax = 12;

int hex_value(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool is_blank(char c) { return c == ' ' || c == '\t'; }

bool is_token_char(char c) { return http::is_token_char(static_cast<unsigned char>(c)); }

}  // namespace

ChunkReader::Place ChunkReader::wrong(std::string_view why) {
    why_ = why;
    return Place::wrong;
}

bool ChunkReader::count_overhead() { return ++overhead_ <= overhead_max_; }

ChunkReader::Place ChunkReader::after_size(char c) {
    if (place_ == Place::size_first || place_ == Place::size) {
        if (const int value = hex_value(c); value >= 0) {
            if (++digits_ > kSizeDigitsMax) {
                return wrong("the size of a chunk is too long");
            }
            left_ = left_ * 16 + static_cast<std::uint64_t>(value);
            return Place::size;
        }
        if (place_ == Place::size_first) {
            return wrong("a chunk does not begin with its size");
        }
    }
    if (c == ';') {
        return Place::name_first;
    }
    if (is_blank(c)) {
        return count_overhead() ? Place::blank : wrong("the extensions of chunks are too long");
    }
    if (c == '\r' && place_ == Place::size) {
        return Place::size_lf;
    }
    return wrong("the size of a chunk is not a hexadecimal number");
}

// chunk-ext = *( BWS ";" BWS name [ BWS "=" BWS token ] ); blanks before CRLF are in no grammar.
ChunkReader::Place ChunkReader::extension(char c) {
    if (!count_overhead()) {
        return wrong("the extensions of chunks are too long");
    }
    switch (place_) {
        case Place::name_first:
        case Place::value_first:
            if (is_blank(c)) {
                return place_;
            }
            if (is_token_char(c)) {
                return place_ == Place::name_first ? Place::name : Place::value;
            }
            break;
        case Place::name:
        case Place::value:
            if (is_token_char(c)) {
                return place_;
            }
            if (c == '\r') {
                return Place::size_lf;
            }
            [[fallthrough]];
        default:  // name_blank
            if (is_blank(c)) {
                // Behind a value only the next ";" may come, as behind the size.
                return place_ == Place::value ? Place::blank : Place::name_blank;
            }
            if (c == ';') {
                return Place::name_first;
            }
            if (c == '=' && place_ != Place::value) {
                return Place::value_first;
            }
            break;
    }
    return wrong("an extension of a chunk is not: name, or name=token");
}

ChunkReader::Place ChunkReader::trailer(char c) {
    if (!count_overhead()) {
        return wrong("the trailer is too long");
    }
    switch (place_) {
        case Place::trailer_first:
            if (c == '\r') {
                return Place::end_lf;
            }
            [[fallthrough]];
        case Place::trailer_name:
            if (is_token_char(c)) {
                return Place::trailer_name;
            }
            if (c == ':' && place_ == Place::trailer_name) {
                return Place::trailer_value;
            }
            break;
        default:  // trailer_value
            if (c == '\r') {
                return Place::trailer_lf;
            }
            if (is_field_value({&c, 1})) {
                return Place::trailer_value;
            }
            break;
    }
    return wrong("a trailer field is not: name, colon, value");
}

ChunkReader::State ChunkReader::read(char* data, std::size_t size, Step& step) {
    std::size_t at = 0;
    std::size_t kept = 0;
    while (at < size && place_ != Place::done && place_ != Place::wrong) {
        if (place_ == Place::data) {
            const auto part = static_cast<std::size_t>(std::min<std::uint64_t>(left_, size - at));
            if (kept != at) {
                std::memmove(data + kept, data + at, part);
            }
            at += part;
            kept += part;
            left_ -= part;
            if (left_ == 0) {
                place_ = Place::data_cr;
            }
            continue;
        }
        const char c = data[at++];
        switch (place_) {
            case Place::size_first:
            case Place::size:
            case Place::blank:
                place_ = after_size(c);
                break;
            case Place::size_lf:
                digits_ = 0;
                place_ = c != '\n'    ? wrong("the line of a chunk's size does not end in CRLF")
                         : left_ == 0 ? Place::trailer_first
                                      : Place::data;
                break;
            case Place::data_cr:
                place_ = c == '\r' ? Place::data_lf : wrong("a chunk does not end in CRLF");
                break;
            case Place::data_lf:
                place_ = c == '\n' ? Place::size_first : wrong("a chunk does not end in CRLF");
                break;
            case Place::trailer_lf:
                place_ = c == '\n' ? Place::trailer_first
                                   : wrong("a trailer field does not end in CRLF");
                break;
            case Place::end_lf:
                place_ = c == '\n' ? Place::done : wrong("the trailer does not end in CRLF");
                break;
            case Place::trailer_first:
            case Place::trailer_name:
            case Place::trailer_value:
                place_ = trailer(c);
                break;
            default:
                place_ = extension(c);
                break;
        }
    }
    step = {at, kept};
    return place_ == Place::done    ? State::complete
           : place_ == Place::wrong ? State::refused
                                    : State::more;
}

}  // namespace lab::http
