#include "platform/telemetry/impl/log_line.h"

#include "base/text.h"
#include "platform/telemetry/redact.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace lab::telemetry {
namespace {

constexpr std::size_t kInputBytesMax = 64U << 10;
constexpr std::size_t kTextBytesMax = 4U << 10;
constexpr std::size_t kIdBytesMax = 160;
constexpr std::size_t kNameBytesMax = 128;
// What a line needs behind its last field: a note about what is missing, quotes and braces.
constexpr std::size_t kReserveBytes = 96;

/// Of a very long text only the beginning is looked at, and of that not the last word, which may be
/// a part of something that would have been hidden whole.
std::string_view beginning_of(std::string_view text) {
    if (text.size() <= kInputBytesMax) {
        return text;
    }
    constexpr std::size_t kWordBytesMax = 4U << 10;
    text = text.substr(0, kInputBytesMax);
    const std::size_t blank = text.find_last_of(" \t\n\r");
    const bool near = blank != text.npos && blank + kWordBytesMax >= text.size();
    return text.substr(0, near ? blank : kInputBytesMax - kWordBytesMax);
}

bool is_unsafe(char32_t c) {
    return c < 0x20 || (c >= 0x7f && c <= 0x9f) ||  // moves cursors, ends lines
           c == 0x2028 || c == 0x2029 ||            // ends lines for some
           (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);  // turns text around
}

void append_escape(std::string& out, char32_t c) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    switch (c) {
        case '\n':
            out += "\\n";
            return;
        case '\r':
            out += "\\r";
            return;
        case '\t':
            out += "\\t";
            return;
        default:
            out += "\\u";
            for (int shift = 12; shift >= 0; shift -= 4) {
                out += kDigits[c >> shift & 15];
            }
    }
}

enum class Quotes : bool { plain, escaped };

/// How many bytes at the beginning go into the line as they are.
std::size_t plain_bytes(std::string_view text, Quotes quotes) {
    const auto end = std::ranges::find_if(text, [&](char c) {
        return !(c >= 0x20 && c < 0x7f) || (quotes == Quotes::escaped && (c == '"' || c == '\\'));
    });
    return static_cast<std::size_t>(end - text.begin());
}

/// Appends as much as fits into `bytes_max`; gives how many bytes of `text` that were.
std::size_t append_escaped(
    std::string& out, std::string_view text, std::size_t bytes_max, Quotes quotes
) {
    const std::size_t end = out.size() + bytes_max;
    std::size_t at = 0;
    while (at < text.size()) {
        const std::size_t begin = at;
        const std::size_t before = out.size();
        const char c = text[at];
        const std::size_t plain = plain_bytes(text.substr(at), quotes);
        if (plain > 0) {
            const std::size_t taken = std::min(plain, end - before);
            out += text.substr(at, taken);
            at += taken;
            if (taken < plain) {
                return at;
            }
        } else if (quotes == Quotes::escaped && (c == '"' || c == '\\')) {
            out += '\\';
            out += c;
            ++at;
        } else {
            const char32_t point = next_code_point(text, at);
            if (is_unsafe(point)) {
                append_escape(out, point);
            } else {
                append_utf8(out, point);
            }
        }
        if (out.size() > end) {
            out.resize(before);
            return begin;
        }
    }
    return at;
}

/// Redacted, escaped, cut to `bytes_max` with a note.
void append_text(std::string& out, std::string_view text, std::size_t bytes_max, Quotes quotes) {
    if (text.size() <= bytes_max && is_innocent(text)) {
        out += text;
        return;
    }
    constexpr std::size_t kNoteBytes = 32;
    const std::string_view beginning = beginning_of(text);
    const std::string shown = redact(beginning);
    const std::size_t before = out.size();
    std::size_t taken = append_escaped(out, shown, bytes_max, quotes);
    if (taken == shown.size() && beginning.size() == text.size()) {
        return;
    }
    if (taken < shown.size()) {
        out.resize(before);
        taken = append_escaped(out, shown, bytes_max - kNoteBytes, quotes);
    }
    const std::size_t missing = shown.size() - taken + text.size() - beginning.size();
    out += "...[+" + std::to_string(missing) + " bytes]";
}

void append_number(std::string& out, const LogValue::Variant& value) {
    if (const auto* i = std::get_if<std::int64_t>(&value)) {
        out += std::to_string(*i);
    } else if (const auto* u = std::get_if<std::uint64_t>(&value)) {
        out += std::to_string(*u);
    } else if (const auto* d = std::get_if<double>(&value)) {
        // JSON has no infinities.
        const std::string text = format_double(*d);
        out += std::isfinite(*d) ? text : '"' + text + '"';
    }
}

bool is_plain_word(std::string_view text) {
    return !text.empty() && std::ranges::none_of(text, [](char c) {
        return c <= 0x20 || c == '"' || c == '\\' || c == '=' || c == 0x7f;
    });
}

/// `quoted`: always, as JSON wants; otherwise only where a reader would be lost.
void append_value(std::string& out, const LogField& field, std::size_t bytes_max, bool quoted) {
    const LogValue::Variant& value = field.value.get();
    if (std::holds_alternative<std::nullptr_t>(value)) {
        out += "null";
        return;
    }
    if (const auto* b = std::get_if<bool>(&value)) {
        out += *b ? "true" : "false";
        return;
    }
    const auto* text = std::get_if<std::string_view>(&value);
    const Secrecy secrecy = secrecy_of(field.name);
    const std::string_view shown =
        secrecy == Secrecy::hidden || (text != nullptr && secrecy == Secrecy::numbers) ? kRedacted
        : text != nullptr                                                              ? *text
                          : std::string_view();
    if (shown.data() == nullptr && text == nullptr) {
        append_number(out, value);
        return;
    }
    const bool quotes = quoted || !is_plain_word(shown);
    out += quotes ? "\"" : "";
    append_text(out, shown, bytes_max, quotes ? Quotes::escaped : Quotes::plain);
    out += quotes ? "\"" : "";
}

bool is_duration(const LogField& field) {
    const auto& value = field.value.get();
    return field.name == "duration_ms" && !std::holds_alternative<std::string_view>(value);
}

bool was_before(std::span<const LogField> fields, std::size_t i) {
    return std::ranges::any_of(fields.first(i), [&](const LogField& f) {
        return f.name == fields[i].name;
    });
}

struct ContextMember {
    const char* name;
    const std::string& value;
    bool always;
};
std::array<ContextMember, 6> members_of(const LogContext& context) {
    return {{
        {"trace_id", context.trace_id, true},
        {"span_id", context.span_id, true},
        {"request_id", context.request_id, true},
        {"user_id", context.user_id, false},
        {"experiment_id", context.experiment_id, false},
        {"run_id", context.run_id, false},
    }};
}

void append_target(std::string& out, const LogRecord& record) {
    const bool rooted = record.target.starts_with(record.root);
    if (!rooted && !record.root.empty()) {
        out += record.root;
        out += record.target.empty() ? "" : "::";
    }
    append_text(out, record.target, kNameBytesMax, Quotes::escaped);
}

/// Calls `write(field)` for each field as long as there is room; gives how many had none.
template <class Write>
std::size_t for_each_field(const std::string& out, const LogRecord& record, Write write) {
    std::size_t left_out = 0;
    for (std::size_t i = 0; i < record.fields.size(); ++i) {
        const LogField& field = record.fields[i];
        if (is_duration(field) || was_before(record.fields, i)) {
            continue;
        }
        constexpr std::size_t kRoomMin = 2 * kNameBytesMax + 128;
        if (out.size() + kRoomMin + kReserveBytes > Logger::kLineBytesMax) {
            ++left_out;
            continue;
        }
        const std::size_t room =
            Logger::kLineBytesMax - kReserveBytes - out.size() - kNameBytesMax - 8;
        write(field, std::min(room, kTextBytesMax));
    }
    return left_out;
}

/// Messages are few and always the same: what needed nothing the last time needs nothing now.
void append_message(std::string& out, std::string_view message) {
    thread_local std::string clean;
    if (message == clean) {
        out += message;
        return;
    }
    const std::size_t before = out.size();
    append_text(out, message, kTextBytesMax, Quotes::escaped);
    if (std::string_view(out).substr(before) == message) {
        clean = message;
    }
}

std::string json_line(const LogRecord& record) {
    std::string out;
    out.reserve(512);
    out += R"({"timestamp":")" + format_rfc3339(record.time) + R"(","level":")";
    out += name_of(record.level);
    out += R"(","target":")";
    append_target(out, record);
    out += R"(","message":")";
    append_message(out, record.message);
    out += '"';
    for (const auto& [name, value, always] : members_of(record.context)) {
        if (value.empty() && !always) {
            continue;
        }
        out += ",\"";
        out += name;
        out += "\":";
        if (value.empty()) {
            out += "null";
            continue;
        }
        out += '"';
        append_text(out, value, kIdBytesMax, Quotes::escaped);
        out += '"';
    }
    const auto duration = std::ranges::find_if(record.fields, is_duration);
    if (duration != record.fields.end()) {
        out += R"(,"duration_ms":)";
        append_value(out, *duration, kNameBytesMax, true);
    }
    out += R"(,"fields":{)";
    const char* comma = "";
    const auto add = [&](const LogField& field, std::size_t room) {
        out += comma;
        comma = ",";
        out += '"';
        append_escaped(out, field.name, kNameBytesMax, Quotes::escaped);
        out += "\":";
        append_value(out, field, room, true);
    };
    if (const std::size_t left_out = for_each_field(out, record, add); left_out > 0) {
        out += comma;
        out += R"("fields_left_out":)" + std::to_string(left_out);
    }
    out += "}}";
    return out;
}

std::string text_line(const LogRecord& record, bool compact) {
    std::string out = format_rfc3339(record.time);
    if (compact) {
        // "2026-01-02T03:04:05.678901Z": the time of the day, to the millisecond.
        out = out.substr(11, 12);
    }
    const std::string_view level = name_of(record.level);
    out += std::string(compact ? 1 : 1 + 5 - level.size(), ' ');
    out += level;
    out += ' ';
    if (compact) {
        append_text(out, record.target, kNameBytesMax, Quotes::plain);
    } else {
        append_target(out, record);
    }
    out += ": ";
    append_text(out, record.message, kTextBytesMax, Quotes::plain);
    const auto add = [&](const LogField& field, std::size_t room) {
        out += ' ';
        append_escaped(out, field.name, kNameBytesMax, Quotes::escaped);
        out += '=';
        append_value(out, field, room, false);
    };
    const auto duration = std::ranges::find_if(record.fields, is_duration);
    if (duration != record.fields.end()) {
        add(*duration, kNameBytesMax);
    }
    for (const auto& [name, value, always] : members_of(record.context)) {
        const bool wanted = !compact || std::string_view(name) == "request_id";
        if (wanted && !value.empty()) {
            add({name, value}, kIdBytesMax);
        }
    }
    if (const std::size_t left_out = for_each_field(out, record, add); left_out > 0) {
        out += " fields_left_out=" + std::to_string(left_out);
    }
    return out;
}

}  // namespace

std::string format_line(LogFormat format, const LogRecord& record) {
    return format == LogFormat::json ? json_line(record)
                                     : text_line(record, format == LogFormat::compact);
}

}  // namespace lab::telemetry
