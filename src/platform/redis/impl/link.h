#pragma once
#include "base/rng.h"
#include "platform/redis/impl/connection.h"
#include "platform/redis/resp.h"

#include <deque>
#include <memory>
#include <string>
#include <unordered_map>

namespace lab::redis {

/// The same for every link of a client.
struct LinkOptions {
    Endpoint endpoint;
    std::shared_ptr<TlsContext> tls;  ///< null: plain
    Duration connect_timeout = std::chrono::seconds(1);
    /// A server that says nothing for so long while something is asked is given up.
    Duration silence_max = std::chrono::seconds(1);
    /// One that takes longer to answer is not asked until it answers a PING faster.
    Duration patience = std::chrono::milliseconds(50);
    Duration back_off_min = std::chrono::milliseconds(100);
    Duration back_off_max = std::chrono::seconds(2);
    std::size_t calls_max = 4096;             ///< that wait for their answers
    std::size_t unsent_bytes_max = 8U << 20;  ///< that the socket has not taken
    ReplyLimits replies;
};

/// One server: connects, says who we are, asks in a pipeline, gives up what takes too long, and
/// connects again by itself, ever more rarely. While it is known to be away or slow, calls fail at
/// once. Loop thread only; is not destroyed from within its callbacks.
class Link {
  public:
    using Reply = std::move_only_function<void(Result<Value>)>;
    struct Events {
        /// It can be asked (again).
        std::function<void()> usable;
        /// It cannot; told when that begins, not at every attempt that fails.
        std::function<void(std::string_view why)> lost;
        /// A push; of a listener everything that comes.
        std::function<void(Value)> pushed;
    };
    /// A listener asks nothing: it sends what send() is given, and takes what comes.
    enum class Kind : std::uint8_t { asker, listener };

    Link(EventLoop& loop, const LinkOptions& options, Address address, Kind kind, Events events);
    ~Link();
    Link(const Link&) = delete;
    Link& operator=(const Link&) = delete;

    const Address& address() const { return address_; }
    /// Whether a call may succeed: ready, or connecting for the first time.
    bool is_usable() const;
    bool is_ready() const { return state_ == State::ready && !slow_; }
    bool is_idle() const { return calls_.empty(); }

    /// A whole command. `asking`: for a slot that is on its way here (ASK). The reply is called
    /// once, perhaps before this returns. Errors: unavailable (nothing may have been sent),
    /// timed_out.
    void call(std::string command, bool asking, TimePoint deadline, Reply reply);
    /// Connects anew, after a while as after any loss. May be called from within a reply.
    void leave(std::string_view why);
    /// Of a listener; dropped when it is not ready.
    void send(std::string_view command);

  private:
    enum class State : std::uint8_t { connecting, greeting, ready, away };
    struct Call {
        Reply reply;
        Executor::TimerId timer = 0;  ///< 0: none
    };
    struct Waiting {
        std::uint64_t id = 0;
        bool asking = false;
        std::string command;
    };
    void connect();
    void greet();
    void greeted(const Result<Value>& reply);
    void greet_as_before();
    void select();
    void become_ready();
    void received(std::string_view bytes);
    void answered(Value value);
    void drop(std::string_view why);
    std::uint64_t add_call(TimePoint deadline, Reply reply);
    void transmit(std::uint64_t id, bool asking, std::string_view command);
    void ask_now(std::span<const std::string> words, Reply reply);
    void ran_out(std::uint64_t id);
    void finish(std::uint64_t id, Result<Value> result);
    void probe();
    void look();
    void arm();
    Duration back_off();

    EventLoop& loop_;
    const LinkOptions& options_;
    const Address address_;
    const Kind kind_;
    const Events events_;
    Rng rng_;
    State state_ = State::away;
    bool slow_ = false;
    bool told_lost_ = false;
    int failures_ = 0;  ///< in a row
    TimePoint begun_;   ///< to connect
    TimePoint heard_;   ///< the last byte, or the first question after silence
    TimePoint retry_at_;
    Executor::TimerId timer_ = 0;
    std::uint64_t generation_ = 0;  ///< of the connection
    std::unique_ptr<Connection> connection_;
    std::unique_ptr<ReplyReader> reader_;
    std::uint64_t last_id_ = 0;
    std::unordered_map<std::uint64_t, Call> calls_;
    std::deque<std::uint64_t> sent_;  ///< 0: an answer that nobody waits for
    std::deque<Waiting> waiting_;
};

}  // namespace lab::redis
