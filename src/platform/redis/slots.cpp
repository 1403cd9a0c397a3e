#include "platform/redis/slots.h"

#include "base/text.h"

#include <algorithm>
#include <charconv>

namespace lab::redis {
namespace {

constexpr std::size_t kMastersMax = 1024;

constexpr std::array<std::uint16_t, 256> crc_table() {
    std::array<std::uint16_t, 256> out{};
    for (unsigned i = 0; i < 256; ++i) {
        unsigned crc = i << 8U;
        for (int bit = 0; bit < 8; ++bit) {
            crc = (crc & 0x8000U) != 0 ? (crc << 1U) ^ 0x1021U : crc << 1U;
        }
        out[i] = static_cast<std::uint16_t>(crc & 0xffffU);
    }
    return out;
}

constexpr std::array<std::uint16_t, 256> kCrc = crc_table();

std::uint16_t crc16(std::string_view bytes) {
    unsigned crc = 0;
    for (const char c : bytes) {
        const unsigned index = ((crc >> 8U) ^ static_cast<unsigned char>(c)) & 0xffU;
        crc = ((crc << 8U) ^ kCrc[index]) & 0xffffU;
    }
    return static_cast<std::uint16_t>(crc);
}

Error no_map() { return {Code::upstream_error, "Redis: this is no map of the slots of a cluster"}; }

bool is_slot(const Value& value) {
    return value.kind == Value::Kind::integer && value.integer >= 0 &&
           value.integer < static_cast<std::int64_t>(kSlots);
}

}  // namespace

std::uint16_t slot_of(std::string_view key) {
    const std::size_t open = key.find('{');
    if (open != std::string_view::npos) {
        const std::size_t close = key.find('}', open + 1);
        if (close != std::string_view::npos && close > open + 1) {
            key = key.substr(open + 1, close - open - 1);
        }
    }
    return crc16(key) % kSlots;
}

Result<SlotMap> SlotMap::read(const Value& reply, const Address& asked) {
    if (reply.kind != Value::Kind::array) {
        return no_map();
    }
    SlotMap out;
    for (const Value& range : reply.items) {
        // First slot, last slot, the master: host, port, id, more; then replicas like it.
        if (range.items.size() < 3 || !is_slot(range.items[0]) || !is_slot(range.items[1]) ||
            range.items[2].items.size() < 2) {
            return no_map();
        }
        const Value& host = range.items[2].items[0];
        const Value& port = range.items[2].items[1];
        if (port.kind != Value::Kind::integer || port.integer < 1 || port.integer > 65'535) {
            return no_map();
        }
        // "?": a node that does not know its own name.
        const bool is_named =
            host.kind == Value::Kind::text && !host.text.empty() && host.text != "?";
        const Address address{
            is_named ? host.text : asked.host, static_cast<std::uint16_t>(port.integer)
        };
        if (out.masters_.size() >= kMastersMax) {
            return no_map();
        }
        for (std::int64_t slot = range.items[0].integer; slot <= range.items[1].integer; ++slot) {
            out.set_owner(static_cast<std::uint16_t>(slot), address);
        }
    }
    return out;
}

const Address* SlotMap::owner(std::uint16_t slot) const {
    const std::uint16_t index = owners_[slot % kSlots];
    return index == kNobody ? nullptr : &masters_[index];
}

void SlotMap::set_owner(std::uint16_t slot, const Address& address) {
    owners_[slot % kSlots] = index_of(address);
}

std::uint16_t SlotMap::index_of(const Address& address) {
    const auto found = std::ranges::find(masters_, address);
    if (found != masters_.end()) {
        return static_cast<std::uint16_t>(found - masters_.begin());
    }
    masters_.push_back(address);
    return static_cast<std::uint16_t>(masters_.size() - 1);
}

std::size_t SlotMap::assigned() const {
    return static_cast<std::size_t>(std::ranges::count_if(owners_, [](std::uint16_t owner) {
        return owner != kNobody;
    }));
}

std::optional<Redirect> redirect_of(const Value& reply, const Address& asked) {
    const bool is_ask = reply.is_error("ASK");
    if (!is_ask && !reply.is_error("MOVED")) {
        return std::nullopt;
    }
    const std::vector<std::string_view> words = split(reply.text, ' ');
    if (words.size() < 3) {
        return std::nullopt;
    }
    Redirect out;
    out.is_ask = is_ask;
    const char* const end = words[1].data() + words[1].size();
    const auto [at, code] = std::from_chars(words[1].data(), end, out.slot);
    if (code != std::errc() || at != end || out.slot >= kSlots) {
        return std::nullopt;
    }
    const std::string_view to = words[2];
    const std::size_t colon = to.rfind(':');
    if (colon == std::string_view::npos) {
        return std::nullopt;
    }
    // IPv6 addresses come without brackets; an empty host means the one that answered.
    std::string host(to.substr(0, colon));
    if (host.empty() || host == "?") {
        host = asked.host;
    }
    const auto port = parse_address("x" + std::string(to.substr(colon)));
    if (!port) {
        return std::nullopt;
    }
    out.to = {std::move(host), port->port};
    return out;
}

}  // namespace lab::redis
