#include "platform/redis/client.h"

#include "platform/redis/impl/client_impl.h"

#include <algorithm>

namespace lab::redis {
namespace {

/// Before a slot that is on its way is asked for again; doubled each time.
constexpr Duration kAgainMin = std::chrono::milliseconds(4);

/// The node knows the slot, and cannot answer for it just now.
bool is_passing(const Value& reply) {
    return reply.is_error("TRYAGAIN") || reply.is_error("CLUSTERDOWN") ||
           reply.is_error("READONLY") || reply.is_error("MASTERDOWN") || reply.is_error("LOADING");
}

}  // namespace

Client::Impl::Impl(EventLoop& event_loop, ClientOptions given, LinkOptions links_options)
    : loop(event_loop), options(std::move(given)), link_options(std::move(links_options)) {}

Client::Impl::~Impl() {
    alive.reset();
    listening.reset();
    // Calls that fail may look for another server.
    auto gone = std::move(links);
    links.clear();
    gone.clear();
}

void Client::Impl::later(Duration in, std::function<void()> work) {
    loop.call_at(
        loop.clock().now() + in,
        [work = std::move(work), watch = std::weak_ptr<int>(alive)] {
            if (!watch.expired()) {
                work();
            }
        }
    );
}

Link* Client::Impl::link(const Address& address) {
    if (const auto found = links.find(address); found != links.end()) {
        return found->second.get();
    }
    if (links.size() >= options.nodes_max || !alive) {
        return nullptr;
    }
    Link::Events events;
    events.usable = [this] {
        if (options.cluster && !has_map) {
            want_map();
        }
    };
    events.lost = [this, address](std::string_view why) {
        trouble = address.host + ":" + std::to_string(address.port) + ": " + std::string(why);
        if (options.cluster) {
            want_map();
        } else {
            static_cast<void>(first_usable());  // connects to the next
        }
    };
    auto made =
        std::make_unique<Link>(loop, link_options, address, Link::Kind::asker, std::move(events));
    return links.emplace(address, std::move(made)).first->second.get();
}

/// Of the hosts in the URL; later ones are connected to only when earlier ones cannot be asked.
Link* Client::Impl::first_usable() {
    const auto& hosts = options.endpoint.hosts;
    for (std::size_t i = 0; i < hosts.size(); ++i) {
        Link* const found = link(hosts[(first_host + i) % hosts.size()]);
        if (found != nullptr && found->is_usable()) {
            return found;
        }
    }
    return nullptr;
}

Link* Client::Impl::choose(const Command& command) {
    if (!options.cluster) {
        return first_usable();
    }
    if (!has_map) {
        want_map();
        return first_usable();  // which says where to go
    }
    if (command.key.empty()) {
        for (const Address& master : slots.masters()) {
            Link* const found = link(master);
            if (found != nullptr && found->is_usable()) {
                return found;
            }
        }
        return first_usable();
    }
    const Address* const owner = slots.owner(slot_of(command.key));
    if (owner == nullptr) {
        want_map();
        return nullptr;
    }
    return link(*owner);
}

void Client::Impl::begin(const JourneyPtr& journey) {
    send(journey, choose(journey->command), false);
}

void Client::Impl::send(const JourneyPtr& journey, Link* to, bool asking) {
    if (to == nullptr || !to->is_usable()) {
        if (options.cluster) {
            want_map();
        }
        end(journey, Error(Code::unavailable, "Redis cannot be reached"));
        return;
    }
    ++journey->attempts;
    to->call(
        journey->bytes,
        asking,
        journey->deadline,
        [this, journey, from = to->address()](Result<Value> result) {
            returned(journey, from, std::move(result));
        }
    );
}

void Client::Impl::avoid(const Address& replica) {
    const auto& hosts = options.endpoint.hosts;
    if (hosts[first_host % hosts.size()] == replica) {
        ++first_host;
    }
    if (const auto found = links.find(replica); found != links.end()) {
        found->second->leave("it is a replica now");
    }
}

void Client::Impl::returned(const JourneyPtr& journey, const Address& from, Result<Value> result) {
    if (!result || !options.cluster || !alive) {
        const bool is_replica = result && result->is_error("READONLY");
        end(journey, std::move(result));
        if (is_replica && alive) {
            avoid(from);
        }
        return;
    }
    if (const auto redirect = redirect_of(*result, from)) {
        follow(journey, *redirect);
    } else if (is_passing(*result)) {
        if (!result->is_error("TRYAGAIN")) {
            want_map();
        }
        try_again(journey);
    } else {
        end(journey, std::move(result));
    }
}

void Client::Impl::follow(const JourneyPtr& journey, const Redirect& redirect) {
    ++moved;
    if (!redirect.is_ask) {
        slots.set_owner(redirect.slot, redirect.to);
        want_map();
    }
    if (journey->attempts > options.redirects_max) {
        end(journey, Error(Code::upstream_error, "Redis: the nodes send each other's way"));
        return;
    }
    send(journey, link(redirect.to), redirect.is_ask);
}

void Client::Impl::try_again(const JourneyPtr& journey) {
    const Duration pause = kAgainMin * (std::int64_t{1} << std::min(journey->attempts, 10));
    if (journey->attempts > options.redirects_max ||
        loop.clock().now() + pause >= journey->deadline) {
        end(journey, Error(Code::unavailable, "Redis: the slot is on its way"));
        return;
    }
    later(pause, [this, journey] { begin(journey); });
}

void Client::Impl::end(const JourneyPtr& journey, Result<Value> result) {
    if (!result) {
        ++failed;
    }
    journey->reply(std::move(result));
}

Client::Client(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Client::~Client() = default;

Result<std::unique_ptr<Client>> Client::create(EventLoop& loop, ClientOptions options) {
    LAB_ASSERT(!options.endpoint.hosts.empty(), "there is a server to ask");
    if (options.cluster && options.endpoint.database != 0) {
        return Error(Code::validation, "a cluster has no database but 0");
    }
    LinkOptions links;
    links.endpoint = options.endpoint;
    if (options.endpoint.tls) {
        LAB_TRY(links.tls, make_tls_context(options.ca_file));
    }
    links.connect_timeout = options.connect_timeout;
    links.silence_max = options.silence_max;
    links.patience = options.patience;
    links.back_off_min = options.back_off_min;
    links.back_off_max = options.back_off_max;
    links.calls_max = options.calls_max;
    links.replies = options.replies;
    auto impl = std::make_unique<Impl>(loop, std::move(options), std::move(links));
    static_cast<void>(impl->link(impl->options.endpoint.hosts.front()));
    return std::unique_ptr<Client>(new Client(std::move(impl)));
}

void Client::call(Command command, TimePoint deadline, Reply reply) {
    auto journey = std::make_shared<Impl::Journey>();
    append_command(journey->bytes, command.words);
    journey->command = std::move(command);
    journey->deadline = deadline;
    journey->reply = std::move(reply);
    impl_->begin(journey);
}

void Client::listen(std::vector<std::string> channels, Listener listener) {
    LAB_ASSERT(impl_->channels.empty() && !channels.empty(), "a client listens once");
    impl_->channels = std::move(channels);
    impl_->listener = std::move(listener);
    impl_->start_listening();
}

ClientState Client::state() const {
    ClientState out;
    for (const auto& [address, link] : impl_->links) {
        out.usable = out.usable || link->is_ready();
    }
    out.whole = out.usable && (!impl_->options.cluster || impl_->is_whole());
    out.trouble = impl_->trouble;
    out.nodes = impl_->links.size();
    out.moved = impl_->moved;
    out.failed = impl_->failed;
    return out;
}

}  // namespace lab::redis
