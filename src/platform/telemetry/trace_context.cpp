#include "platform/telemetry/trace_context.h"

#include "base/hash.h"
#include "base/rng.h"
#include "base/text.h"

#include <algorithm>
#include <array>
#include <vector>

namespace lab {
namespace {

constexpr std::size_t kStateMembersMax = 32;
constexpr std::size_t kStateBytesMax = 512;
constexpr std::size_t kStateInputBytesMax = 32U << 10;
constexpr std::size_t kLargeMemberBytes = 128;

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_lower(char c) { return c >= 'a' && c <= 'z'; }

bool is_hex(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return is_digit(c) || (c >= 'a' && c <= 'f'); });
}
bool is_zero(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return c == '0'; });
}

int hex_value(char c) { return is_digit(c) ? c - '0' : c - 'a' + 10; }

std::string to_hex64(std::uint64_t value) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string out(16, '0');
    for (auto at = out.rbegin(); at != out.rend(); ++at) {
        *at = kDigits[value & 15];
        value >>= 4;
    }
    return out;
}

std::uint64_t next_nonzero(TraceIdSource& ids) {
    const std::uint64_t id = ids.next();
    return id != 0 ? id : 1;
}

bool is_key_part(std::string_view text, std::size_t length_max, bool digit_first) {
    return !text.empty() && text.size() <= length_max &&
           (is_lower(text[0]) || (digit_first && is_digit(text[0]))) &&
           std::ranges::all_of(text, [](char c) {
               return is_lower(c) || is_digit(c) || c == '_' || c == '-' || c == '*' || c == '/';
           });
}

/// Section 3.3.1.3.1: a simple key, or tenant@system.
bool is_state_key(std::string_view key) {
    const std::size_t at = key.find('@');
    return at == key.npos ? is_key_part(key, 256, false)
                          : is_key_part(key.substr(0, at), 241, true) &&
                                is_key_part(key.substr(at + 1), 14, false);
}

bool is_state_value(std::string_view value) {
    return !value.empty() && value.size() <= 256 && !value.ends_with(' ') &&
           std::ranges::all_of(value, [](char c) {
               return c >= 0x20 && c <= 0x7e && c != ',' && c != '=';
           });
}

std::string_view trim_blanks(std::string_view text) {
    constexpr std::string_view kBlanks = " \t";
    const std::size_t begin = text.find_first_not_of(kBlanks);
    return begin == text.npos ? std::string_view()
                              : text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

std::size_t joined_size(const std::vector<std::string_view>& members) {
    std::size_t size = members.empty() ? 0 : members.size() - 1;
    for (const std::string_view member : members) {
        size += member.size();
    }
    return size;
}

void shrink(std::vector<std::string_view>& members) {
    // The most recent members stand in front; of the large ones the last goes first.
    for (std::size_t i = members.size(); i-- > 0 && joined_size(members) > kStateBytesMax;) {
        if (members[i].size() > kLargeMemberBytes) {
            members.erase(members.begin() + static_cast<std::ptrdiff_t>(i));
        }
    }
    while (joined_size(members) > kStateBytesMax) {
        members.pop_back();
    }
}

}  // namespace

RandomTraceIds::RandomTraceIds() : RandomTraceIds(entropy(), entropy()) {}

std::uint64_t RandomTraceIds::next() {
    // SplitMix64 (base/hash.h) as a counter, so that threads need no lock; the second seed keeps
    // two processes apart that happen to walk through the same numbers.
    constexpr std::uint64_t kGolden = 0x9e3779b97f4a7c15;
    return mix64(mix64(state_.fetch_add(kGolden, std::memory_order_relaxed)) ^ mask_);
}

std::optional<TraceContext> parse_trace_context(
    std::string_view traceparent, std::string_view tracestate
) {
    constexpr std::size_t kBytes = 55;  // of version 00
    if (traceparent.size() < kBytes || traceparent[2] != '-' || traceparent[35] != '-' ||
        traceparent[52] != '-') {
        return std::nullopt;
    }
    const std::string_view version = traceparent.substr(0, 2);
    const std::string_view trace_id = traceparent.substr(3, 32);
    const std::string_view span_id = traceparent.substr(36, 16);
    const std::string_view flags = traceparent.substr(53, 2);
    if (!is_hex(version) || version == "ff" || !is_hex(trace_id) || is_zero(trace_id) ||
        !is_hex(span_id) || is_zero(span_id) || !is_hex(flags)) {
        return std::nullopt;
    }
    if (traceparent.size() > kBytes && (version == "00" || traceparent[kBytes] != '-')) {
        return std::nullopt;
    }
    return TraceContext{
        .trace_id = std::string(trace_id),
        .span_id = std::string(span_id),
        .sampled = (hex_value(flags[1]) & 1) != 0,
        .trace_state = clean_tracestate(tracestate)
    };
}

TraceContext start_trace(TraceIdSource& ids, bool sampled) {
    const std::uint64_t high = ids.next();
    const std::uint64_t low = next_nonzero(ids);
    return {
        .trace_id = to_hex64(high) + to_hex64(low),
        .span_id = to_hex64(next_nonzero(ids)),
        .sampled = sampled,
        .trace_state = ""
    };
}

TraceContext child_of(const TraceContext& parent, TraceIdSource& ids) {
    TraceContext child = parent;
    child.span_id = to_hex64(next_nonzero(ids));
    return child;
}

std::string format_traceparent(const TraceContext& context) {
    // Flags that we do not know are not ours to set (section 3.2.2.5).
    return "00-" + context.trace_id + "-" + context.span_id + (context.sampled ? "-01" : "-00");
}

std::string clean_tracestate(std::string_view tracestate) {
    if (tracestate.size() > kStateInputBytesMax) {
        return "";
    }
    std::vector<std::string_view> members;
    std::vector<std::string_view> keys;
    for (const std::string_view part : split(tracestate, ',')) {
        // A value may begin with blanks, so only what stands before the key and at the end goes.
        const std::string_view member = trim_blanks(part);
        if (member.empty()) {
            continue;
        }
        const std::size_t sign = member.find('=');
        if (sign == member.npos || members.size() == kStateMembersMax) {
            return "";
        }
        const std::string_view key = member.substr(0, sign);
        if (!is_state_key(key) || !is_state_value(member.substr(sign + 1)) ||
            std::ranges::find(keys, key) != keys.end()) {
            return "";
        }
        keys.push_back(key);
        members.push_back(member);
    }
    shrink(members);
    std::string out;
    for (const std::string_view member : members) {
        out += out.empty() ? "" : ",";
        out += member;
    }
    return out;
}

}  // namespace lab
