#pragma once
#include "platform/redis/resp.h"
#include "platform/redis/url.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace lab::redis {

constexpr std::size_t kSlots = 16'384;

/// The slot of a key: CRC-16/XMODEM of what stands in its first braces, of all of it when that is
/// empty or there are none. Source: the Redis cluster specification, "Key distribution model".
std::uint16_t slot_of(std::string_view key);

/// Who a cluster says has which slots.
class SlotMap {
  public:
    /// Of a reply to CLUSTER SLOTS; `asked`: the host that was asked, which may name itself with an
    /// empty name. Errors: upstream_error for what is none.
    static Result<SlotMap> read(const Value& reply, const Address& asked);

    /// Null when nobody has it.
    const Address* owner(std::uint16_t slot) const;
    void set_owner(std::uint16_t slot, const Address& address);
    /// Those that have slots, or had.
    const std::vector<Address>& masters() const { return masters_; }
    /// Slots that somebody has.
    std::size_t assigned() const;

  private:
    static constexpr std::uint16_t kNobody = 0xffff;
    std::uint16_t index_of(const Address& address);
    std::array<std::uint16_t, kSlots> owners_ = filled();
    std::vector<Address> masters_;

    static constexpr std::array<std::uint16_t, kSlots> filled() {
        std::array<std::uint16_t, kSlots> out{};
        out.fill(kNobody);
        return out;
    }
};

/// "MOVED 3999 127.0.0.1:6381" and "ASK ...": where the slot of a command is.
struct Redirect {
    bool is_ask = false;  ///< for this command only
    std::uint16_t slot = 0;
    Address to;
};
/// nullopt for any other reply. `asked`: as above.
std::optional<Redirect> redirect_of(const Value& reply, const Address& asked);

}  // namespace lab::redis
