#include "providers/impl/json_pull.h"

#include "base/text.h"

#include <charconv>
#include <cmath>

namespace lab::providers {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

int hex_value(char c) {
    if (is_digit(c)) {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/// Four hexadecimal digits at `at`, or -1.
int hex4(std::string_view text, std::size_t at) {
    if (at + 4 > text.size()) {
        return -1;
    }
    int value = 0;
    for (std::size_t i = at; i < at + 4; ++i) {
        const int digit = hex_value(text[i]);
        if (digit < 0) {
            return -1;
        }
        value = value * 16 + digit;
    }
    return value;
}

char simple_escape(char c) {
    switch (c) {
        case 'b':
            return '\b';
        case 'f':
            return '\f';
        case 'n':
            return '\n';
        case 'r':
            return '\r';
        case 't':
            return '\t';
        default:
            return c;  // a quote, a backslash or a slash
    }
}

bool is_high_surrogate(int unit) { return unit >= 0xD800 && unit <= 0xDBFF; }
bool is_low_surrogate(int unit) { return unit >= 0xDC00 && unit <= 0xDFFF; }

}  // namespace

void append_json_unescaped(std::string& out, std::string_view inside) {
    std::size_t at = 0;
    while (at < inside.size()) {
        const std::size_t slash = inside.find('\\', at);
        out += inside.substr(at, slash - at);
        if (slash == std::string_view::npos || slash + 1 >= inside.size()) {
            return;
        }
        if (inside[slash + 1] != 'u') {
            out += simple_escape(inside[slash + 1]);
            at = slash + 2;
            continue;
        }
        const int unit = hex4(inside, slash + 2);
        at = slash + 6;
        char32_t point = U'\uFFFD';
        if (is_high_surrogate(unit) && inside.substr(at, 2) == "\\u" &&
            is_low_surrogate(hex4(inside, at + 2))) {
            const int low = hex4(inside, at + 2);
            point = static_cast<char32_t>(0x10000 + (unit - 0xD800) * 0x400 + (low - 0xDC00));
            at += 6;
        } else if (!is_high_surrogate(unit) && !is_low_surrogate(unit)) {
            point = static_cast<char32_t>(unit);
        }
        append_utf8(out, point);
    }
}

void JsonPull::skip_space() {
    while (at_ < text_.size()) {
        const char c = text_[at_];
        if (c != ' ' && c != '\n' && c != '\r' && c != '\t') {
            return;
        }
        ++at_;
    }
}

JsonPull::Kind JsonPull::peek() {
    if (!ok_) {
        return Kind::bad;
    }
    skip_space();
    switch (head()) {
        case '{':
            return Kind::object;
        case '[':
            return Kind::array;
        case '"':
            return Kind::string;
        case 't':
        case 'f':
            return Kind::boolean;
        case 'n':
            return Kind::null;
        default:
            return head() == '-' || is_digit(head()) ? Kind::number : Kind::bad;
    }
}

bool JsonPull::take(char c) {
    skip_space();
    if (ok_ && head() == c && at_ < text_.size()) {
        ++at_;
        return true;
    }
    return false;
}

bool JsonPull::more(char close) {
    if (!ok_ || take(close)) {
        return false;
    }
    return take(',') || fail();
}

bool JsonPull::take_key(std::string_view& key, std::string& decoded) {
    bool escaped = false;
    skip_space();
    if (head() != '"' || !scan_string(key, escaped)) {
        return fail();
    }
    if (escaped) {
        decoded.clear();
        append_json_unescaped(decoded, key);
        key = decoded;
    }
    if (!take(':')) {
        return fail();
    }
    skip_space();
    return true;
}

bool JsonPull::scan_string(std::string_view& inside, bool& escaped) {
    const std::size_t begin = ++at_;
    while (at_ < text_.size()) {
        const char c = text_[at_];
        if (c == '"') {
            inside = text_.substr(begin, at_ - begin);
            ++at_;
            return true;
        }
        if (static_cast<unsigned char>(c) < 0x20) {
            return fail();
        }
        if (c == '\\') {
            escaped = true;
            const char kind = at_ + 1 < text_.size() ? text_[at_ + 1] : '\0';
            if (kind == 'u') {
                if (hex4(text_, at_ + 2) < 0) {
                    return fail();
                }
                at_ += 4;
            } else if (kind == '\0' ||
                       std::string_view("\"\\/bfnrt").find(kind) == std::string_view::npos) {
                return fail();
            }
            ++at_;
        }
        ++at_;
    }
    return fail();
}

bool JsonPull::scan_number() {
    if (head() == '-') {
        ++at_;
    }
    const auto digits = [this] {
        const std::size_t begin = at_;
        while (is_digit(head())) {
            ++at_;
        }
        return at_ > begin;
    };
    if (head() == '0') {
        ++at_;
    } else if (!digits()) {
        return fail();
    }
    if (head() == '.') {
        ++at_;
        if (!digits()) {
            return fail();
        }
    }
    if (head() == 'e' || head() == 'E') {
        ++at_;
        if (head() == '+' || head() == '-') {
            ++at_;
        }
        if (!digits()) {
            return fail();
        }
    }
    return true;
}

bool JsonPull::scan_word(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) {
        return fail();
    }
    at_ += word.size();
    return true;
}

bool JsonPull::skip_members(bool object) {
    ++at_;
    if (!enter()) {
        return false;
    }
    const char close = object ? '}' : ']';
    if (!take(close)) {
        std::string unused;
        do {
            std::string_view key;
            if ((object && !take_key(key, unused)) || !skip_value()) {
                return false;
            }
        } while (more(close));
    }
    --depth_;
    return ok_;
}

bool JsonPull::skip_value() {
    std::string_view inside;
    bool escaped = false;
    switch (peek()) {
        case Kind::object:
            return skip_members(true);
        case Kind::array:
            return skip_members(false);
        case Kind::string:
            return scan_string(inside, escaped);
        case Kind::number:
            return scan_number();
        case Kind::boolean:
            return scan_word(head() == 't' ? "true" : "false");
        case Kind::null:
            return scan_word("null");
        case Kind::bad:
            break;
    }
    return fail();
}

std::string_view JsonPull::raw() {
    if (!ok_) {
        return {};
    }
    skip_space();
    const std::size_t begin = at_;
    return skip_value() ? text_.substr(begin, at_ - begin) : std::string_view();
}

bool JsonPull::append_string(std::string& out) {
    if (peek() != Kind::string) {
        skip();
        return false;
    }
    std::string_view inside;
    bool escaped = false;
    if (!scan_string(inside, escaped)) {
        return false;
    }
    if (escaped) {
        append_json_unescaped(out, inside);
    } else {
        out += inside;
    }
    return true;
}

std::optional<std::string> JsonPull::string() {
    std::string out;
    return append_string(out) ? std::optional(std::move(out)) : std::nullopt;
}

std::string_view JsonPull::number_text() {
    if (peek() != Kind::number) {
        skip();
        return {};
    }
    return raw();
}

std::optional<double> JsonPull::number() {
    const std::string_view text = number_text();
    if (text.empty()) {
        return std::nullopt;
    }
    double value = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
    return read.ec == std::errc() ? std::optional(value) : std::nullopt;
}

std::optional<std::int64_t> JsonPull::integer() {
    const std::string_view text = number_text();
    if (text.empty()) {
        return std::nullopt;
    }
    std::int64_t value = 0;
    const char* const end = text.data() + text.size();
    const auto read = std::from_chars(text.data(), end, value);
    if (read.ec == std::errc() && read.ptr == end) {
        return value;
    }
    double fraction = 0;
    const auto again = std::from_chars(text.data(), end, fraction);
    if (again.ec != std::errc() || std::abs(fraction) > 9e15 || std::trunc(fraction) != fraction) {
        return std::nullopt;
    }
    return static_cast<std::int64_t>(fraction);
}

std::optional<bool> JsonPull::boolean() {
    if (peek() != Kind::boolean) {
        skip();
        return std::nullopt;
    }
    const std::string_view word = raw();
    return ok_ ? std::optional(word == "true") : std::nullopt;
}

std::optional<std::string> JsonPull::scalar_text() {
    switch (peek()) {
        case Kind::string:
            return string();
        case Kind::number:
        case Kind::boolean: {
            const std::string_view text = raw();
            return ok_ ? std::optional(std::string(text)) : std::nullopt;
        }
        default:
            skip();
            return std::nullopt;
    }
}

bool JsonPull::finish() {
    skip_space();
    if (ok_ && at_ != text_.size()) {
        fail();
    }
    return ok_;
}

}  // namespace lab::providers
