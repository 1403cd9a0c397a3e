#include "platform/redis/impl/client_impl.h"

#include <algorithm>

// Messages that are published, on a connection of their own. In a cluster every node hears all.
namespace lab::redis {
namespace {

constexpr Duration kElsewhere = std::chrono::milliseconds(200);

}  // namespace

void Client::Impl::start_listening() { listen_somewhere(0); }

void Client::Impl::listen_somewhere(std::size_t turn) {
    std::vector<Address> all = options.endpoint.hosts;
    for (const Address& master : slots.masters()) {
        if (std::ranges::find(all, master) == all.end()) {
            all.push_back(master);
        }
    }
    Link::Events events;
    events.usable = [this] {
        std::vector<std::string> words{"SUBSCRIBE"};
        words.insert(words.end(), channels.begin(), channels.end());
        std::string command;
        append_command(command, words);
        listening->send(command);
    };
    events.lost = [this, turn](std::string_view) {
        if (options.cluster || options.endpoint.hosts.size() > 1) {
            later(kElsewhere, [this, turn] { listen_somewhere(turn + 1); });
        }
    };
    events.pushed = [this](const Value& value) { heard(value); };
    listening = std::make_unique<Link>(
        loop, link_options, all[turn % all.size()], Link::Kind::listener, std::move(events)
    );
}

void Client::Impl::heard(const Value& value) {
    if (value.items.empty()) {
        return;  // PONG
    }
    const std::string& kind = value.items[0].text;
    if (kind == "subscribe" && value.items.size() >= 2 && value.items[1].text == channels.back()) {
        listener(nullptr, nullptr);
    } else if (kind == "message" && value.items.size() == 3) {
        listener(&value.items[1].text, &value.items[2].text);
    }
}

}  // namespace lab::redis
