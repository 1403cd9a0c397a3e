#include "platform/redis/impl/client_impl.h"

#include <algorithm>

// Who of a cluster has which slots, and how that is found out.
namespace lab::redis {
namespace {

constexpr Duration kMapDeadline = std::chrono::seconds(1);
/// Between two questions, so that a thousand redirections ask once.
constexpr Duration kMapPause = std::chrono::milliseconds(100);
/// While the map is not whole, or somebody in it cannot be asked.
constexpr Duration kMapAgain = std::chrono::milliseconds(300);

}  // namespace

void Client::Impl::want_map() {
    if (!alive || std::exchange(map_wanted, true)) {
        return;
    }
    later(has_map ? kMapPause : Duration::zero(), [this] { ask_for_map(); });
}

/// The masters in turn, then the hosts of the URL: whoever can be asked.
void Client::Impl::ask_for_map() {
    if (map_asked) {
        return;
    }
    std::vector<Address> all = slots.masters();
    const auto& hosts = options.endpoint.hosts;
    all.insert(all.end(), hosts.begin(), hosts.end());
    Link* asked = nullptr;
    for (std::size_t i = 0; i < all.size() && asked == nullptr; ++i) {
        Link* const one = link(all[map_turn++ % all.size()]);
        if (one != nullptr && one->is_ready()) {
            asked = one;
        }
    }
    if (asked == nullptr) {
        later(kMapAgain, [this] { ask_for_map(); });
        return;
    }
    map_asked = true;
    std::string command;
    append_command(command, std::vector<std::string>{"CLUSTER", "SLOTS"});
    asked->call(
        std::move(command),
        false,
        loop.clock().now() + kMapDeadline,
        [this, from = asked->address()](const Result<Value>& reply) { map_came(from, reply); }
    );
}

void Client::Impl::map_came(const Address& from, const Result<Value>& reply) {
    map_asked = false;
    map_wanted = false;
    if (!alive) {
        return;
    }
    if (reply && reply->is_error()) {
        trouble = "CLUSTER SLOTS is refused: " + reply->text.substr(0, reply->text.find(' '));
    }
    auto map = reply ? SlotMap::read(*reply, from) : Result<SlotMap>(reply.error());
    if (map && map->assigned() > 0) {
        slots = *std::move(map);
        has_map = true;
        for (const Address& master : slots.masters()) {
            static_cast<void>(link(master));
        }
        // Not now: this may be called by one that goes.
        later(Duration::zero(), [this] { prune(); });
    }
    if (!is_whole()) {
        map_wanted = true;
        later(kMapAgain, [this] { ask_for_map(); });
    }
}

void Client::Impl::prune() {
    const std::vector<Address>& masters = slots.masters();
    std::erase_if(links, [&](const auto& one) {
        return std::ranges::find(masters, one.first) == masters.end() && one.second->is_idle();
    });
}

bool Client::Impl::is_whole() const {
    if (!has_map || slots.assigned() < kSlots) {
        return false;
    }
    return std::ranges::all_of(slots.masters(), [&](const Address& master) {
        const auto found = links.find(master);
        return found != links.end() && found->second->is_usable();
    });
}

}  // namespace lab::redis
