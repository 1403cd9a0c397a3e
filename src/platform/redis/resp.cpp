#include "platform/redis/resp.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

namespace lab::redis {
namespace {

/// Aggregates are not believed beforehand how large they are.
constexpr std::size_t kReserveMax = 64;
/// What was read is thrown away when there is so much of it.
constexpr std::size_t kKeepBytes = 4096;

std::optional<std::int64_t> read_integer(std::string_view text) {
    if (text.starts_with('+')) {
        text.remove_prefix(1);
        if (text.starts_with('-')) {
            return std::nullopt;
        }
    }
    std::int64_t out = 0;
    const char* const end = text.data() + text.size();
    const auto [at, code] = std::from_chars(text.data(), end, out);
    return code == std::errc() && at == end ? std::optional(out) : std::nullopt;
}

std::optional<double> read_real(std::string_view text) {
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    if (text == "inf" || text == "-inf") {
        return text.front() == '-' ? -kInfinity : kInfinity;
    }
    if (text == "nan" || text == "-nan") {
        return std::numeric_limits<double>::quiet_NaN();
    }
    if (text.starts_with('+')) {
        text.remove_prefix(1);
    }
    double out = 0;
    const char* const end = text.data() + text.size();
    const auto [at, code] = std::from_chars(text.data(), end, out);
    const bool good = code == std::errc() && at == end && !text.empty() && std::isfinite(out);
    return good ? std::optional(out) : std::nullopt;
}

Value text_value(Value::Kind kind, std::string_view text) {
    Value out;
    out.kind = kind;
    out.text = text;
    return out;
}

/// What stands on one line; nullopt for what it cannot be.
std::optional<Value> simple(char type, std::string_view rest) {
    Value out;
    switch (type) {
        case '+':
            return text_value(Value::Kind::text, rest);
        case '-':
            return text_value(Value::Kind::error, rest);
        case '(':
            return text_value(Value::Kind::text, rest);
        case ':': {
            const auto number = read_integer(rest);
            if (!number) {
                return std::nullopt;
            }
            out.kind = Value::Kind::integer;
            out.integer = *number;
            return out;
        }
        case ',': {
            const auto number = read_real(rest);
            if (!number) {
                return std::nullopt;
            }
            out.kind = Value::Kind::real;
            out.real = *number;
            return out;
        }
        case '#':
            if (rest != "t" && rest != "f") {
                return std::nullopt;
            }
            out.kind = Value::Kind::boolean;
            out.integer = rest == "t" ? 1 : 0;
            return out;
        case '_':
            return rest.empty() ? std::optional(out) : std::nullopt;
        default:
            return std::nullopt;
    }
}

}  // namespace

bool Value::is_error(std::string_view code) const {
    const std::string_view words = text;
    return is_error() && words.substr(0, words.find(' ')) == code;
}

void ReplyReader::feed(std::string_view bytes) {
    if (!error_) {
        buffer_ += bytes;
    }
}

Error ReplyReader::broken(std::string_view why) {
    error_ = Error(Code::upstream_error, "Redis: " + std::string(why));
    buffer_.clear();
    open_.clear();
    at_ = searched_ = 0;
    return *error_;
}

Result<std::optional<Value>> ReplyReader::next() {
    if (error_) {
        return *error_;
    }
    while (true) {
        Value value;
        LAB_TRY(const Step step, this->step(value));
        if (step == Step::more) {
            if (at_ > kKeepBytes || at_ == buffer_.size()) {
                buffer_.erase(0, at_);
                searched_ -= std::min(searched_, at_);
                at_ = 0;
            }
            return std::optional<Value>();
        }
        if (step == Step::whole && settle(value)) {
            items_ = 0;
            return std::optional<Value>(std::move(value));
        }
    }
}

/// The line that begins at at_, without its end; nullopt when that has not come.
Result<std::optional<std::string_view>> ReplyReader::line() {
    const std::size_t end = buffer_.find("\r\n", std::max(at_, searched_));
    const bool is_whole = end != std::string::npos;
    const std::size_t length = (is_whole ? end : buffer_.size()) - at_;
    // Of the end itself the first byte may be there.
    if (length > limits_.line_bytes_max + (is_whole ? 0 : 1)) {
        return broken("a line of a reply is too long");
    }
    if (!is_whole) {
        searched_ = std::max(at_, buffer_.empty() ? 0 : buffer_.size() - 1);
        return std::optional<std::string_view>();
    }
    return std::optional(std::string_view(buffer_).substr(at_, length));
}

/// Reads one value, or the head of an aggregate.
Result<ReplyReader::Step> ReplyReader::step(Value& out) {
    LAB_TRY(const auto found, line());
    if (!found) {
        return Step::more;
    }
    const std::string_view line = *found;
    if (line.empty()) {
        return broken("an empty line where a reply begins");
    }
    const char type = line.front();
    const std::string_view rest = line.substr(1);
    const std::size_t header = line.size() + 2;
    if (type == '$' || type == '!' || type == '=') {
        return counted_text(type, rest, header, out);
    }
    if (type == '*' || type == '~' || type == '%' || type == '>' || type == '|') {
        LAB_TRY(const Step step, aggregate(type, rest, out));
        at_ += header;
        return step;
    }
    auto value = simple(type, rest);
    if (!value) {
        return broken("a line that is no reply");
    }
    out = *std::move(value);
    at_ += header;
    return Step::whole;
}

Result<ReplyReader::Step> ReplyReader::counted_text(
    char type, std::string_view count, std::size_t header, Value& out
) {
    const auto length = read_integer(count);
    if (type == '$' && length == -1) {  // the null of RESP2
        at_ += header;
        return Step::whole;
    }
    if (!length || *length < 0 || static_cast<std::uint64_t>(*length) > limits_.text_bytes_max) {
        return broken("a text of no or too great a length");
    }
    const auto bytes = static_cast<std::size_t>(*length);
    const std::size_t begin = at_ + header;
    if (buffer_.size() < begin + bytes + 2) {
        searched_ = at_;
        return Step::more;
    }
    if (buffer_.compare(begin + bytes, 2, "\r\n") != 0) {
        return broken("a text that does not end where it should");
    }
    std::string_view text = std::string_view(buffer_).substr(begin, bytes);
    if (type == '=') {  // "txt:" and the text
        if (text.size() < 4 || text[3] != ':') {
            return broken("a verbatim text without its format");
        }
        text.remove_prefix(4);
    }
    out = text_value(type == '!' ? Value::Kind::error : Value::Kind::text, text);
    at_ = begin + bytes + 2;
    return Step::whole;
}

Result<ReplyReader::Step> ReplyReader::aggregate(char type, std::string_view count, Value& out) {
    const auto number = read_integer(count);
    if (type == '*' && number == -1) {
        return Step::whole;
    }
    if (!number || *number < 0 || static_cast<std::uint64_t>(*number) > limits_.items_max) {
        return broken("an aggregate of no or too great a size");
    }
    const bool is_map = type == '%' || type == '|';
    if (type == '>' && !open_.empty()) {
        return broken("a push inside of a reply");
    }
    const std::size_t parts = static_cast<std::size_t>(*number) * (is_map ? 2 : 1);
    items_ += parts;
    if (items_ > limits_.items_max) {
        return broken("a reply of too many parts");
    }
    Value value;
    value.kind = type == '%'   ? Value::Kind::map
                 : type == '>' ? Value::Kind::push
                               : Value::Kind::array;
    if (parts == 0) {
        if (type == '|') {
            return Step::opened;  // nothing is told about what follows
        }
        out = std::move(value);
        return Step::whole;
    }
    if (open_.size() >= limits_.depth_max) {
        return broken("a reply that is nested too deeply");
    }
    value.items.reserve(std::min(parts, kReserveMax));
    open_.push_back({std::move(value), parts, type == '|'});
    return Step::opened;
}

bool ReplyReader::settle(Value& value) {
    while (!open_.empty()) {
        Open& top = open_.back();
        top.value.items.push_back(std::move(value));
        if (--top.missing > 0) {
            return false;
        }
        const bool is_attribute = top.is_attribute;
        value = std::move(top.value);
        open_.pop_back();
        if (is_attribute) {
            return false;  // the reply itself comes now
        }
    }
    return true;
}

void append_command(std::string& out, std::span<const std::string> words) {
    out += "*" + std::to_string(words.size()) + "\r\n";
    for (const std::string& word : words) {
        out += "$" + std::to_string(word.size()) + "\r\n";
        out += word;
        out += "\r\n";
    }
}

Error refusal(const Value& error) {
    Error out(Code::upstream_error, "Redis refused a command");
    out.cause = "redis: " + error.text;
    return out;
}

}  // namespace lab::redis
