#include "platform/http/sse.h"

#include <cstring>

namespace lab::http {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

/// Offset of the first CR or LF, or npos. Two memchr beat find_first_of by far on long lines.
std::size_t find_line_end(std::string_view text) {
    const void* lf = text.empty() ? nullptr : std::memchr(text.data(), '\n', text.size());
    const std::size_t lf_at =
        lf == nullptr ? text.size()
                      : static_cast<std::size_t>(static_cast<const char*>(lf) - text.data());
    const void* cr = lf_at == 0 ? nullptr : std::memchr(text.data(), '\r', lf_at);
    if (cr != nullptr) {
        return static_cast<std::size_t>(static_cast<const char*>(cr) - text.data());
    }
    return lf == nullptr ? std::string_view::npos : lf_at;
}

}  // namespace

bool SseParser::grow(std::string& text, std::string_view by) {
    if (by.size() > bytes_max_ || text.size() > bytes_max_ - by.size()) {
        overflowed_ = true;
        input_ = {};
        return false;
    }
    text += by;
    return true;
}

std::optional<std::string_view> SseParser::take_line() {
    if (line_taken_) {
        line_.clear();
        line_taken_ = false;
    }
    if (skip_lf_ && !input_.empty()) {
        skip_lf_ = false;
        if (input_.front() == '\n') {
            input_.remove_prefix(1);
        }
    }
    const std::size_t end = find_line_end(input_);
    if (end == std::string_view::npos) {
        grow(line_, input_);
        input_ = {};
        return std::nullopt;
    }
    std::string_view line = input_.substr(0, end);
    const bool carriage_return = input_[end] == '\r';
    if (!line_.empty() || line.size() > bytes_max_) {
        if (!grow(line_, line)) {
            return std::nullopt;
        }
        line = line_;
        line_taken_ = true;
    }
    input_.remove_prefix(end + 1);
    skip_lf_ = carriage_return;
    if (std::exchange(first_line_, false) && line.starts_with(kByteOrderMark)) {
        line.remove_prefix(kByteOrderMark.size());
    }
    return line;
}

void SseParser::take_field(std::string_view line) {
    const std::size_t colon = line.find(':');
    const std::string_view name = line.substr(0, colon);
    std::string_view value = colon == std::string_view::npos ? "" : line.substr(colon + 1);
    if (value.starts_with(' ')) {
        value.remove_prefix(1);
    }
    if (name == "data") {
        if (!std::exchange(has_data_, true) || grow(data_, "\n")) {
            grow(data_, value);
        }
    } else if (name == "event") {
        type_.clear();
        grow(type_, value);
    } else if (name == "id") {
        if (value.find('\0') == std::string_view::npos) {
            id_.clear();
            grow(id_, value);
        }
    } else if (name == "retry") {
        std::int64_t ms = 0;
        for (const char c : value) {
            if (c < '0' || c > '9' || ms > 1'000'000'000) {
                return;
            }
            ms = ms * 10 + (c - '0');
        }
        if (!value.empty()) {
            retry_ms_ = ms;
        }
    }
}

std::optional<SseEvent> SseParser::next() {
    if (overflowed_) {
        return std::nullopt;
    }
    if (std::exchange(dispatched_, false)) {
        type_.clear();
        data_.clear();
    }
    while (const auto line = take_line()) {
        if (!line->empty()) {
            if (line->front() != ':') {
                take_field(*line);
            }
            if (overflowed_) {
                return std::nullopt;
            }
            continue;
        }
        if (std::exchange(has_data_, false)) {
            dispatched_ = true;
            return SseEvent{type_.empty() ? std::string_view("message") : type_, data_, id_};
        }
        type_.clear();
    }
    return std::nullopt;
}

}  // namespace lab::http
