#include "platform/http/impl/server_output.h"

#include "platform/http/impl/server_head.h"

#include <array>
#include <charconv>

namespace lab::http {
namespace {

/// Up to here copying is cheaper than one more piece for the system to gather.
constexpr std::size_t kCopiedMax = 16U << 10;

std::string_view reason(int status) {
    struct Named {
        int status;
        std::string_view reason;
    };
    static constexpr std::array kReasons = {
        Named{200, "OK"},
        Named{201, "Created"},
        Named{202, "Accepted"},
        Named{204, "No Content"},
        Named{206, "Partial Content"},
        Named{301, "Moved Permanently"},
        Named{302, "Found"},
        Named{303, "See Other"},
        Named{304, "Not Modified"},
        Named{307, "Temporary Redirect"},
        Named{308, "Permanent Redirect"},
        Named{400, "Bad Request"},
        Named{401, "Unauthorized"},
        Named{403, "Forbidden"},
        Named{404, "Not Found"},
        Named{405, "Method Not Allowed"},
        Named{406, "Not Acceptable"},
        Named{408, "Request Timeout"},
        Named{409, "Conflict"},
        Named{410, "Gone"},
        Named{412, "Precondition Failed"},
        Named{413, "Content Too Large"},
        Named{414, "URI Too Long"},
        Named{415, "Unsupported Media Type"},
        Named{416, "Range Not Satisfiable"},
        Named{417, "Expectation Failed"},
        Named{422, "Unprocessable Content"},
        Named{426, "Upgrade Required"},
        Named{428, "Precondition Required"},
        Named{429, "Too Many Requests"},
        Named{431, "Request Header Fields Too Large"},
        Named{500, "Internal Server Error"},
        Named{501, "Not Implemented"},
        Named{502, "Bad Gateway"},
        Named{503, "Service Unavailable"},
        Named{504, "Gateway Timeout"},
        Named{505, "HTTP Version Not Supported"},
    };
    const auto* const found = std::ranges::lower_bound(kReasons, status, {}, &Named::status);
    return found != kReasons.end() && found->status == status ? found->reason : "";
}

bool is_ours(std::string_view name) {
    switch (name.size()) {
        case 4:
            return same_ignoring_case(name, "Date");
        case 10:
            return same_ignoring_case(name, "Connection") || same_ignoring_case(name, "Keep-Alive");
        case 14:
            return same_ignoring_case(name, "Content-Length");
        case 17:
            return same_ignoring_case(name, "Transfer-Encoding");
        default:
            return false;
    }
}

void append_number(std::string& out, std::uint64_t number) {
    std::array<char, 20> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
    out.append(digits.data(), end);
}

void append_two_digits(std::string& out, unsigned number) {
    out += static_cast<char>('0' + number / 10 % 10);
    out += static_cast<char>('0' + number % 10);
}

}  // namespace

std::string& OutBuffer::tail() {
    if (pieces_.empty() || pieces_.back().size() >= kCopiedMax) {
        pieces_.emplace_back();
    }
    return pieces_.back();
}

void OutBuffer::append(std::string_view bytes) {
    tail().append(bytes);
    size_ += bytes.size();
}

void OutBuffer::append(std::string&& bytes) {
    if (bytes.size() <= kCopiedMax) {
        append(std::string_view(bytes));
        return;
    }
    size_ += bytes.size();
    pieces_.push_back(std::move(bytes));
}

std::size_t OutBuffer::parts(std::span<iovec> parts) const {
    std::size_t used = 0;
    std::size_t skip = begin_;
    for (const std::string& piece : pieces_) {
        if (used == parts.size()) {
            break;
        }
        if (piece.size() > skip) {
            // iovec is for reading and writing alike and so has no const.
            parts[used++] = {const_cast<char*>(piece.data()) + skip, piece.size() - skip};
        }
        skip = 0;
    }
    return used;
}

void OutBuffer::consume(std::size_t bytes) {
    size_ -= bytes;
    if (size_ == 0) {
        clear();
        return;
    }
    begin_ += bytes;
    while (begin_ >= pieces_.front().size()) {
        begin_ -= pieces_.front().size();
        pieces_.pop_front();
    }
}

// One small piece stays for its capacity: most answers then cost no allocation here.
void OutBuffer::clear() {
    begin_ = 0;
    size_ = 0;
    if (pieces_.empty()) {
        return;
    }
    pieces_.resize(1);
    pieces_.front().clear();
    if (pieces_.front().capacity() > 2 * kCopiedMax) {
        pieces_.clear();
    }
}

bool has_no_body(int status) { return status < 200 || status == 204 || status == 304; }

bool are_sendable(int status, const Headers& headers) {
    if (status < 200 || status > 599) {
        return false;
    }
    return std::ranges::all_of(headers, [](const auto& field) {
        return is_token(field.first) && is_field_value(field.second);
    });
}

void append_head(
    std::string& out,
    const HeadToSend& head,
    const Headers& headers,
    std::string_view date,
    std::string_view fixed_lines
) {
    out += "HTTP/1.1 ";
    append_number(out, static_cast<unsigned>(head.status));
    out += ' ';
    out += reason(head.status);
    out += "\r\n";
    out += date;
    for (const auto& [name, value] : headers) {
        if (is_ours(name)) {
            continue;
        }
        out += name;
        out += ": ";
        out += value;
        out += "\r\n";
    }
    out += fixed_lines;
    if (head.end == BodyEnd::length) {
        out += "Content-Length: ";
        append_number(out, head.length);
        out += "\r\n";
    } else if (head.end == BodyEnd::chunked) {
        out += "Transfer-Encoding: chunked\r\n";
    }
    if (head.close) {
        out += "Connection: close\r\n";
    } else if (head.says_keep_alive) {
        out += "Connection: keep-alive\r\n";
    }
    out += "\r\n";
}

std::string date_line(WallTime now) {
    static constexpr std::array kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static constexpr std::array kMonths = {
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"
    };
    const auto seconds = std::chrono::floor<std::chrono::seconds>(now);
    const auto days = std::chrono::floor<std::chrono::days>(seconds);
    const std::chrono::year_month_day date(days);
    const std::chrono::hh_mm_ss time(seconds - days);
    std::string line = "Date: ";
    line += kDays.at(std::chrono::weekday(days).c_encoding());
    line += ", ";
    append_two_digits(line, static_cast<unsigned>(date.day()));
    line += ' ';
    line += kMonths.at(static_cast<unsigned>(date.month()) - 1);
    line += ' ';
    append_number(line, static_cast<unsigned>(static_cast<int>(date.year())));
    line += ' ';
    append_two_digits(line, static_cast<unsigned>(time.hours().count()));
    line += ':';
    append_two_digits(line, static_cast<unsigned>(time.minutes().count()));
    line += ':';
    append_two_digits(line, static_cast<unsigned>(time.seconds().count()));
    line += " GMT\r\n";
    return line;
}

}  // namespace lab::http
