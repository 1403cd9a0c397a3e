#include "platform/http/impl/server_head.h"

#include <arpa/inet.h>

#include <array>
#include <charconv>
#include <cstring>

namespace lab::http {
namespace {

constexpr std::array<bool, 256> make_token_table() {
    std::array<bool, 256> table{};
    for (const char c : std::string_view("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
                                         "ABCDEFGHIJKLMNOPQRSTUVWXYZ")) {
        table[static_cast<unsigned char>(c)] = true;
    }
    return table;
}
constexpr std::array<bool, 256> kToken = make_token_table();

unsigned char byte(char c) { return static_cast<unsigned char>(c); }

bool is_control(char c) { return (byte(c) < 0x20 && c != '\t') || c == 0x7F; }

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

std::string_view trim_blanks(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) {
        text.remove_prefix(1);
    }
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) {
        text.remove_suffix(1);
    }
    return text;
}

bool is_port(std::string_view text) {
    unsigned value = 0;
    if (text.empty()) {
        return true;  // "host:" is allowed
    }
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size() && value <= 65'535;
}

bool is_address_v6(std::string_view text) {
    std::array<char, INET6_ADDRSTRLEN> zero_ended{};
    std::array<unsigned char, 16> address{};
    if (text.empty() || text.size() >= zero_ended.size()) {
        return false;
    }
    std::memcpy(zero_ended.data(), text.data(), text.size());
    return inet_pton(AF_INET6, zero_ended.data(), address.data()) == 1;
}

/// uri-host [":" port] of RFC 9110, 7.2. The grammar of names also has the comma; but "a,b" is what
/// some proxies make of two Host lines.
bool is_authority(std::string_view text) {
    std::size_t end = 0;
    if (text.starts_with('[')) {
        const std::size_t close = text.find(']');
        if (close == std::string_view::npos || !is_address_v6(text.substr(1, close - 1))) {
            return false;
        }
        end = close + 1;
    } else {
        for (; end < text.size() && text[end] != ':'; ++end) {
            const char c = text[end];
            if (c == '%') {
                if (end + 2 >= text.size() || !is_hex(text[end + 1]) || !is_hex(text[end + 2])) {
                    return false;
                }
            } else if (!is_digit(c) && !(lower(c) >= 'a' && lower(c) <= 'z') &&
                       (c == '\0' || std::strchr("-._~!$&'()*+;=", c) == nullptr)) {
                return false;
            }
        }
        if (end == 0) {
            return false;
        }
    }
    const std::string_view rest = text.substr(end);
    return rest.empty() || (rest.front() == ':' && is_port(rest.substr(1)));
}

}  // namespace

bool is_token_char(unsigned char c) { return kToken[c]; }

bool is_token(std::string_view text) {
    for (const char c : text) {
        if (!kToken[byte(c)]) {
            return false;
        }
    }
    return !text.empty();
}

bool is_field_value(std::string_view text) {
    for (const char c : text) {
        if (is_control(c)) {
            return false;
        }
    }
    return true;
}

bool same_ignoring_case(std::string_view a, std::string_view b) {
    if (a.size() != b.size()) {
        return false;
    }
    for (std::size_t i = 0; i < a.size(); ++i) {
        if (lower(a[i]) != lower(b[i])) {
            return false;
        }
    }
    return true;
}

std::size_t head_bytes_max(const HeadLimits& limits) {
    // An empty line in front, the request line with " HTTP/1.1", the fields, the empty line.
    return 2 + kMethodBytesMax + 1 + limits.uri_bytes_max + 11 + limits.header_bytes_max + 2;
}

HeadReader::State HeadReader::refuse(int status, std::string_view code, std::string_view why) {
    refusal_ = {status, code, why};
    return State::refused;
}

void HeadReader::reset() {
    const HeadLimits limits = limits_;
    *this = HeadReader(limits);
}

HeadReader::State HeadReader::read(std::string_view bytes) {
    while (true) {
        const std::size_t end = bytes.find('\n', scanned_);
        if (end == std::string_view::npos) {
            const std::size_t from = std::max(scanned_, line_begin_) - line_begin_;
            scanned_ = bytes.size();
            return check_unfinished(bytes.substr(line_begin_), from);
        }
        if (end == line_begin_ || bytes[end - 1] != '\r') {
            return bad("a line does not end in CRLF");
        }
        const std::string_view line = bytes.substr(line_begin_, end - 1 - line_begin_);
        scanned_ = line_begin_ = end + 1;
        State state = State::more;
        if (stage_ != Stage::fields) {
            if (line.empty() && stage_ == Stage::start) {
                stage_ = Stage::request_line;  // one empty line is ignored (RFC 9112, 2.2)
                continue;
            }
            state = read_request_line(line);
            stage_ = Stage::fields;
            fields_begin_ = line_begin_;
        } else if (line.empty()) {
            return finish();
        } else if (line_begin_ - fields_begin_ > limits_.header_bytes_max) {
            return refuse(431, "HEADERS_TOO_LARGE", "the header fields are too large");
        } else {
            state = read_field(line);
        }
        if (state != State::more) {
            return state;
        }
    }
}

// What is wrong already is refused now, not when the rest of the line has come, which may be never.
HeadReader::State HeadReader::check_unfinished(std::string_view line, std::size_t from) {
    for (std::size_t i = from; i < line.size(); ++i) {
        if (is_control(line[i]) && !(line[i] == '\r' && i + 1 == line.size())) {
            return bad("control character in the head");
        }
    }
    // A CR that ended the last piece has no LF behind it.
    if (from > 0 && from < line.size() && line[from - 1] == '\r') {
        return bad("control character in the head");
    }
    if (stage_ == Stage::fields) {
        const std::size_t before = line_begin_ - fields_begin_;
        if (!line.empty() && line != "\r" && before + line.size() + 1 > limits_.header_bytes_max) {
            return refuse(431, "HEADERS_TOO_LARGE", "the header fields are too large");
        }
        return State::more;
    }
    if (line.empty() || line == "\r") {
        return State::more;
    }
    const std::string_view method = line.substr(0, line.find(' '));
    if (!is_token(method)) {
        return bad("the method is not a token");
    }
    if (method.size() > kMethodBytesMax) {
        return refuse(501, "NOT_IMPLEMENTED", "the method is too long");
    }
    if (method.size() == line.size()) {
        return State::more;
    }
    const std::string_view rest = line.substr(method.size() + 1);
    const std::size_t space = rest.find(' ');
    if (std::min(space, rest.size()) > limits_.uri_bytes_max) {
        return refuse(414, "URI_TOO_LONG", "the request target is too long");
    }
    if (space != std::string_view::npos && rest.size() - space > sizeof(" HTTP/1.1")) {
        return bad("the version is not HTTP/1.0 or HTTP/1.1");
    }
    return State::more;
}

HeadReader::State HeadReader::read_request_line(std::string_view line) {
    const std::string_view method = line.substr(0, line.find(' '));
    if (!is_token(method)) {
        return bad("the method is not a token");
    }
    if (method.size() > kMethodBytesMax) {
        return refuse(501, "NOT_IMPLEMENTED", "the method is too long");
    }
    if (method.size() == line.size()) {
        return bad("the request line has no target");
    }
    const std::string_view rest = line.substr(method.size() + 1);
    const std::string_view target = rest.substr(0, rest.find(' '));
    if (target.size() > limits_.uri_bytes_max) {
        return refuse(414, "URI_TOO_LONG", "the request target is too long");
    }
    if (target.empty() || target.size() == rest.size()) {
        return bad("the request line is not: method, target, version");
    }
    if (const State state = read_version(rest.substr(target.size() + 1)); state != State::more) {
        return state;
    }
    if (method == "CONNECT") {
        return refuse(501, "NOT_IMPLEMENTED", "this is not a proxy");
    }
    head_.request.method = method;
    head_.request.target = target;
    return read_target(target);
}

HeadReader::State HeadReader::read_version(std::string_view version) {
    if (version.size() != 8 || !version.starts_with("HTTP/") || !is_digit(version[5]) ||
        version[6] != '.' || !is_digit(version[7])) {
        return bad("the version is not HTTP/1.0 or HTTP/1.1");
    }
    if (version[5] != '1') {
        return refuse(505, "VERSION_NOT_SUPPORTED", "only HTTP/1.0 and HTTP/1.1 are spoken here");
    }
    head_.request.version_minor = version[7] - '0';
    return State::more;
}

HeadReader::State HeadReader::read_target(std::string_view target) {
    for (const char c : target) {
        if (byte(c) <= 0x20 || byte(c) >= 0x7F || c == '#') {
            return bad("the request target has a character that no URI has");
        }
    }
    if (target == "*") {
        if (head_.request.method != "OPTIONS") {
            return bad("the target * is for OPTIONS alone");
        }
        head_.request.path = target;
        return State::more;
    }
    if (target.front() != '/') {
        return read_absolute(target);
    }
    const std::size_t question = target.find('?');
    head_.request.path = target.substr(0, question);
    if (question != std::string_view::npos) {
        head_.request.query = target.substr(question + 1);
    }
    return State::more;
}

HeadReader::State HeadReader::read_absolute(std::string_view target) {
    const std::size_t colon = target.find("://");
    const std::string_view scheme = target.substr(0, colon);
    if (colon == std::string_view::npos ||
        (!same_ignoring_case(scheme, "http") && !same_ignoring_case(scheme, "https"))) {
        return bad("the request target is neither a path nor an http address");
    }
    const std::string_view rest = target.substr(colon + 3);
    const std::size_t end = std::min(rest.find_first_of("/?"), rest.size());
    authority_ = rest.substr(0, end);
    if (!is_authority(authority_)) {
        return bad("the authority of the request target is not valid");
    }
    const std::string_view path = rest.substr(end);
    const std::size_t question = path.find('?');
    head_.request.path = path.substr(0, question);
    if (head_.request.path.empty()) {
        head_.request.path = "/";
    }
    if (question != std::string_view::npos) {
        head_.request.query = path.substr(question + 1);
    }
    return State::more;
}

HeadReader::State HeadReader::read_field(std::string_view line) {
    if (head_.request.headers.size() >= limits_.header_count_max) {
        return refuse(431, "HEADERS_TOO_LARGE", "too many header fields");
    }
    std::size_t colon = 0;
    while (colon < line.size() && kToken[byte(line[colon])]) {
        ++colon;
    }
    // Folded lines begin with a blank, names with a blank before the colon end in one: both are
    // here.
    if (colon == 0 || colon == line.size() || line[colon] != ':') {
        return bad("a header field is not: name, colon, value");
    }
    const std::string_view name = line.substr(0, colon);
    const std::string_view value = trim_blanks(line.substr(colon + 1));
    if (!is_field_value(value)) {
        return bad("control character in a header field");
    }
    const State state = note_field(name, value);
    head_.request.headers.emplace_back(name, value);
    return state;
}

// The fields that decide about framing and connection. Length first: nearly all others end there.
HeadReader::State HeadReader::note_field(std::string_view name, std::string_view value) {
    switch (name.size()) {
        case 4:
            if (same_ignoring_case(name, "Host") && (++hosts_ > 1 || !is_authority(value))) {
                return bad(hosts_ > 1 ? "more than one Host" : "the Host is not valid");
            }
            break;
        case 6:
            if (same_ignoring_case(name, "Expect") && head_.request.version_minor > 0) {
                if (!same_ignoring_case(value, "100-continue")) {
                    return refuse(417, "EXPECTATION_FAILED", "only 100-continue can be expected");
                }
                head_.expects_continue = true;
            }
            break;
        case 10:
            if (same_ignoring_case(name, "Connection") && !note_connection(value)) {
                return bad("an option of Connection is not a token");
            }
            break;
        case 14:
            // With an underscore some servers behind a proxy take it for the real one.
            if (same_ignoring_case(name, "Content_Length")) {
                return bad("Content_Length is no header field");
            }
            if (same_ignoring_case(name, "Content-Length")) {
                const bool plain = !value.empty() && value.size() <= 18 &&
                                   (value.size() == 1 || value.front() != '0') &&
                                   value.find_first_not_of("0123456789") == std::string_view::npos;
                if (++lengths_ > 1 || !plain) {
                    return bad(
                        lengths_ > 1 ? "more than one Content-Length"
                                     : "the Content-Length is not a plain number"
                    );
                }
                std::from_chars(value.data(), value.data() + value.size(), head_.content_length);
            }
            break;
        case 17:
            if (same_ignoring_case(name, "Transfer_Encoding")) {
                return bad("Transfer_Encoding is no header field");
            }
            if (same_ignoring_case(name, "Transfer-Encoding") &&
                (++codings_ > 1 || !same_ignoring_case(value, "chunked"))) {
                return bad("the Transfer-Encoding is not exactly: chunked");
            }
            break;
        default:
            break;
    }
    return State::more;
}

bool HeadReader::note_connection(std::string_view value) {
    while (!value.empty()) {
        const std::size_t comma = std::min(value.find(','), value.size());
        const std::string_view option = trim_blanks(value.substr(0, comma));
        if (!option.empty() && !is_token(option)) {
            return false;
        }
        says_close_ = says_close_ || same_ignoring_case(option, "close");
        says_keep_alive_ = says_keep_alive_ || same_ignoring_case(option, "keep-alive");
        value.remove_prefix(std::min(comma + 1, value.size()));
    }
    return true;
}

HeadReader::State HeadReader::finish() {
    const bool old = head_.request.version_minor == 0;
    if (hosts_ == 0 && !old) {
        return bad("no Host");
    }
    if (codings_ > 0) {
        if (old) {
            return bad("HTTP/1.0 has no Transfer-Encoding");
        }
        if (lengths_ > 0) {
            return bad("both Transfer-Encoding and Content-Length");
        }
        head_.framing = Framing::chunked;
    } else if (head_.content_length > 0) {
        head_.framing = Framing::length;
    }
    head_.keep_alive = !says_close_ && (!old || says_keep_alive_);
    if (!authority_.empty()) {
        bool found = false;
        for (auto& [name, value] : head_.request.headers) {
            if (same_ignoring_case(name, "Host")) {
                value = authority_;
                found = true;
            }
        }
        if (!found) {
            head_.request.headers.emplace_back("Host", authority_);
        }
    }
    return State::complete;
}

}  // namespace lab::http
