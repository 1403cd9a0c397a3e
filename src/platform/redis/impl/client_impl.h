#pragma once
#include "platform/redis/client.h"
#include "platform/redis/impl/link.h"
#include "platform/redis/slots.h"

#include <map>

namespace lab::redis {

/// client.cpp asks, client_cluster.cpp keeps the map of slots, client_listen.cpp listens.
struct Client::Impl {
    Impl(EventLoop& event_loop, ClientOptions given, LinkOptions links);
    ~Impl();

    /// A call on its way, perhaps through several servers.
    struct Journey {
        Command command;
        std::string bytes;
        TimePoint deadline;
        Reply reply;
        int attempts = 0;
    };
    using JourneyPtr = std::shared_ptr<Journey>;

    /// Connected to when it is not known yet; null when there are too many already.
    Link* link(const Address& address);
    /// Whom to ask; null when nobody can be.
    Link* choose(const Command& command);
    Link* first_usable();
    /// It may be read only: somebody else is to be written to, or will be under the same name.
    void avoid(const Address& replica);
    void begin(const JourneyPtr& journey);
    void send(const JourneyPtr& journey, Link* to, bool asking);
    void returned(const JourneyPtr& journey, const Address& from, Result<Value> result);
    void follow(const JourneyPtr& journey, const Redirect& redirect);
    void try_again(const JourneyPtr& journey);
    void end(const JourneyPtr& journey, Result<Value> result);

    /// Asks for the map of slots, soon; one question at a time.
    void want_map();
    void ask_for_map();
    void map_came(const Address& from, const Result<Value>& reply);
    /// Connections to those who have no slots any more.
    void prune();
    bool is_whole() const;

    void start_listening();
    void listen_somewhere(std::size_t host);
    void heard(const Value& value);

    /// Runs unless this is gone by then.
    void later(Duration in, std::function<void()> work);

    EventLoop& loop;
    const ClientOptions options;
    const LinkOptions link_options;
    std::map<Address, std::unique_ptr<Link>> links;
    std::size_t first_host = 0;  ///< of the URL, to be asked before others
    std::string trouble;
    std::uint64_t moved = 0;
    std::uint64_t failed = 0;

    SlotMap slots;
    bool has_map = false;
    bool map_wanted = false;
    bool map_asked = false;
    std::size_t map_turn = 0;  ///< whom to ask next

    std::vector<std::string> channels;
    Listener listener;
    std::unique_ptr<Link> listening;
    std::size_t listen_turn = 0;

    std::shared_ptr<int> alive = std::make_shared<int>(0);
};

}  // namespace lab::redis
