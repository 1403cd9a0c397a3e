#pragma once
#include "platform/process/event_loop.h"
#include "platform/redis/resp.h"
#include "platform/redis/url.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace lab::redis {

struct ClientOptions {
    Endpoint endpoint;
    std::string ca_file;   ///< who vouches for certificates; empty: whom the system trusts
    bool cluster = false;  ///< the hosts are some nodes of one; the others are asked for
    Duration connect_timeout = std::chrono::seconds(1);
    /// A server that says nothing for so long while something is asked is given up.
    Duration silence_max = std::chrono::seconds(1);
    /// One that takes longer is left alone until it answers a PING in this time.
    Duration patience = std::chrono::milliseconds(50);
    Duration back_off_min = std::chrono::milliseconds(100);
    Duration back_off_max = std::chrono::seconds(2);
    std::size_t calls_max = 4096;  ///< of one server, that wait for their answers
    std::size_t nodes_max = 256;   ///< of a cluster
    int redirects_max = 6;         ///< of one call, and attempts at what is on its way
    ReplyLimits replies;
};

struct Command {
    std::vector<std::string> words;
    std::string key;  ///< decides who of a cluster is asked; empty: anybody
};

struct ClientState {
    bool usable = false;       ///< somebody can be asked
    bool whole = false;        ///< everybody can; of a cluster: each slot has a master that can
    std::string trouble;       ///< what went wrong last, with an address, for the log
    std::size_t nodes = 0;     ///< connections to servers
    std::uint64_t moved = 0;   ///< redirections that were followed
    std::uint64_t failed = 0;  ///< calls that ended without an answer
};

/// Asks one server, or the nodes of a cluster: there it follows MOVED and ASK, waits a little for
/// slots that are on their way (TRYAGAIN, CLUSTERDOWN, READONLY), and asks for the map of slots
/// again whenever something shows that it has changed. While a server is known to be away or slow,
/// calls to it fail at once. Nothing that may have been carried out is sent again.
/// Loop thread only.
class Client {
  public:
    using Reply = std::move_only_function<void(Result<Value>)>;
    /// A message of a channel. nullptr for both: some may have been lost, since it is listened for
    /// (again) from now on only.
    using Listener = std::function<void(const std::string* channel, const std::string* message)>;

    /// Begins to connect. Errors: validation; io when there are no certificates to check with.
    static Result<std::unique_ptr<Client>> create(EventLoop& loop, ClientOptions options);
    /// Every call that waits fails.
    ~Client();
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    /// The reply is called once, perhaps before this returns; what a server refuses is a Value.
    /// Errors: unavailable, timed_out, upstream_error (too many redirections).
    void call(Command command, TimePoint deadline, Reply reply);
    /// Listens on a connection of its own; once.
    void listen(std::vector<std::string> channels, Listener listener);
    ClientState state() const;

  private:
    struct Impl;
    explicit Client(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace lab::redis
