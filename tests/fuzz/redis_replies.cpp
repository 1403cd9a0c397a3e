#include "fuzz/fuzz.h"
#include "platform/redis/resp.h"
#include "platform/redis/slots.h"
#include "platform/redis/url.h"

#include <algorithm>
#include <bit>
#include <string>
#include <vector>

namespace {

using lab::redis::ReplyLimits;
using lab::redis::ReplyReader;
using lab::redis::Value;

constexpr ReplyLimits kLimits{
    .line_bytes_max = 256, .text_bytes_max = 1024, .items_max = 512, .depth_max = 8
};

/// As RESP3 has it, so that two replies are equal when this is.
void write(const Value& value, std::string& out) {
    const auto counted = [&](char type, const std::string& text) {
        out += type + std::to_string(text.size()) + "\r\n" + text + "\r\n";
    };
    const auto many = [&](char type, std::size_t count) {
        out += type + std::to_string(count) + "\r\n";
        for (const Value& item : value.items) {
            write(item, out);
        }
    };
    switch (value.kind) {
        case Value::Kind::null:
            out += "_\r\n";
            break;
        case Value::Kind::boolean:
            out += value.integer != 0 ? "#t\r\n" : "#f\r\n";
            break;
        case Value::Kind::integer:
            out += ":" + std::to_string(value.integer) + "\r\n";
            break;
        case Value::Kind::real:
            // Its bits: the text is the reader's business.
            counted('$', "real " + std::to_string(std::bit_cast<std::uint64_t>(value.real)));
            break;
        case Value::Kind::text:
            counted('$', value.text);
            break;
        case Value::Kind::error:
            counted('!', value.text);
            break;
        case Value::Kind::array:
            many('*', value.items.size());
            break;
        case Value::Kind::map:
            lab::fuzz::require(value.items.size() % 2 == 0, "a map has pairs");
            many('%', value.items.size() / 2);
            break;
        case Value::Kind::push:
            many('>', value.items.size());
            break;
    }
}

std::size_t depth(const Value& value) {
    std::size_t out = 0;
    for (const Value& item : value.items) {
        out = std::max(out, depth(item));
    }
    return out + (value.items.empty() ? 0 : 1);
}

std::size_t count(const Value& value) {
    std::size_t out = value.items.size();
    for (const Value& item : value.items) {
        out += count(item);
    }
    return out;
}

/// Every reply, written again; "broken" at its end when the stream breaks.
std::string read(std::string_view text, std::size_t step) {
    ReplyReader reader(kLimits);
    std::string out;
    while (!text.empty()) {
        const std::string piece(text.substr(0, step));
        text.remove_prefix(piece.size());
        reader.feed(piece);
        while (true) {
            auto next = reader.next();
            if (!next) {
                lab::fuzz::require(!reader.next(), "a broken stream stays broken");
                return out + "broken";
            }
            if (!*next) {
                break;
            }
            const Value& value = **next;
            lab::fuzz::require(value.text.size() <= kLimits.text_bytes_max, "texts have a limit");
            lab::fuzz::require(depth(value) <= kLimits.depth_max, "depth has a limit");
            lab::fuzz::require(count(value) <= kLimits.items_max, "parts have a limit");
            write(value, out);
            static_cast<void>(lab::redis::redirect_of(value, {"asked", 1}));
            if (const auto map = lab::redis::SlotMap::read(value, {"asked", 1})) {
                lab::fuzz::require(map->assigned() <= lab::redis::kSlots, "slots have a number");
            }
        }
    }
    return out;
}

}  // namespace

// A stream has the same replies whole and in pieces, and those written out are read back.
FUZZ_TARGET(redis_replies) {
    std::string_view text = input;
    const unsigned choice = lab::fuzz::take_choice(text);
    if (choice == 0xff) {
        if (const auto url = lab::redis::parse_url(text)) {
            lab::fuzz::require(!url->hosts.empty(), "a URL names a host");
            for (const auto& host : url->hosts) {
                lab::fuzz::require(!host.host.empty() && host.port != 0, "hosts have a place");
            }
        }
        return;
    }
    const std::string whole = read(text, std::max<std::size_t>(1, text.size()));
    lab::fuzz::require(whole == read(text, 1 + choice % 16), "replies do not depend on cuts");
    if (!whole.ends_with("broken") && text.size() < kLimits.line_bytes_max) {
        lab::fuzz::require(read(whole, 7) == whole, "what is written is read back");
    }
}
