#pragma once

#include "platform/http/impl/server_head.h"
#include "platform/http/impl/server_socket.h"
#include "platform/http/impl/server_table.h"
#include "platform/http/server.h"
#include "platform/process/event_loop.h"

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace lab::http {

class Connection;

/// What all threads of a server share.
struct ServerShared {
    ServerShared(const Clock& c, ServerOptions o, Application& a);
    HeadLimits head_limits() const {
        return {options.header_bytes_max, options.header_count_max, options.uri_bytes_max};
    }
    const Clock& clock;
    const ServerOptions options;
    Application& application;
    ConnectionTable table;
    std::atomic<std::size_t> body_bytes{0};   ///< buffered bodies
    std::atomic<std::size_t> turned_away{0};  ///< open connections that are told so

    /// Open connections, those that are turned away included; whoever waits for zero.
    void opened() { open.fetch_add(1); }
    void closed();
    std::atomic<std::size_t> open{0};
    std::mutex mutex;
    std::condition_variable gone;
};

/// One I/O thread: its loop and its connections.
class Shard : public std::enable_shared_from_this<Shard> {
  public:
    explicit Shard(std::shared_ptr<ServerShared> shared_state);
    ~Shard();
    Shard(const Shard&) = delete;
    Shard& operator=(const Shard&) = delete;

    /// The shard whose thread this is, or null.
    static Shard* current();
    void start();
    /// Any thread. False after stop(): the work is destroyed, not run.
    bool post(Executor::Work work);
    /// Any other thread: the loop ends, the thread is joined, work left is destroyed.
    void stop();

    /// Any thread: takes over an accepted connection, for which opened() has been called. Without
    /// an entry it is told that there is no room.
    void give(
        OwnedFd fd,
        Peer peer,
        std::shared_ptr<ConnectionTable::Entry> entry,
        std::unique_ptr<ServerSocket> socket
    );
    /// An entry for the table that knows how to reach its connection here.
    std::shared_ptr<ConnectionTable::Entry> make_entry();

    // Loop thread.
    EventLoop& loop() { return *loop_; }
    const Clock& clock() const { return shared->clock; }
    void remove(Connection& connection);
    void begin_drain();
    void cut_all();
    /// "Date: ...\r\n"; made once a second.
    std::string_view date();
    bool draining() const { return draining_; }

    const std::shared_ptr<ServerShared> shared;
    std::atomic<std::size_t> in_flight{0};    ///< written by the loop thread alone
    std::atomic<std::uint64_t> requests{0};   ///< as in_flight
    std::atomic<std::uint64_t> bytes_in{0};   ///< as in_flight
    std::atomic<std::uint64_t> bytes_out{0};  ///< as in_flight
    std::atomic<std::size_t> connections{0};  ///< given to this shard and not gone
    std::atomic<std::size_t> started{0};      ///< of these, those that it has taken over
    std::atomic<TimePoint> turned{};          ///< when the loop last came round

  private:
    void tick();
    void add(
        OwnedFd fd,
        Peer peer,
        std::shared_ptr<ConnectionTable::Entry> entry,
        std::unique_ptr<ServerSocket> socket
    );
    void forget_connection();

    std::mutex mutex_;
    std::unique_ptr<EventLoop> loop_;  ///< reset under mutex_
    bool stopped_ = false;             ///< under mutex_
    std::thread thread_;
    std::vector<std::shared_ptr<Connection>> connections_;
    bool draining_ = false;
    std::int64_t date_second_ = -1;
    std::string date_;
};

}  // namespace lab::http
