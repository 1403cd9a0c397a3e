#include "platform/http/impl/server_shard.h"

#include "platform/http/impl/server_connection.h"

#include <pthread.h>

#include <csignal>

namespace lab::http {
namespace {

thread_local Shard* current_shard = nullptr;

constexpr Duration kTick = std::chrono::seconds(1);

}  // namespace

ServerShared::ServerShared(const Clock& c, ServerOptions o, Application& a)
    : clock(c),
      options(std::move(o)),
      application(a),
      table({
          .connections_max = options.connections_max,
          .incomplete_per_peer_max = options.connections_per_peer_max,
          .patience = options.header_timeout,
      }) {}

void ServerShared::closed() {
    if (open.fetch_sub(1) == 1) {
        const std::lock_guard lock(mutex);
        gone.notify_all();
    }
}

Shard::Shard(std::shared_ptr<ServerShared> shared_state)
    : shared(std::move(shared_state)), loop_(std::make_unique<EventLoop>(shared->clock)) {}

Shard::~Shard() { LAB_ASSERT(!thread_.joinable(), "a shard is stopped before it is destroyed"); }

Shard* Shard::current() { return current_shard; }

void Shard::start() {
    turned = shared->clock.now();
    thread_ = std::thread([this] {
        current_shard = this;
        pthread_setname_np(pthread_self(), "http");
        sigset_t pipe;
        sigemptyset(&pipe);
        sigaddset(&pipe, SIGPIPE);
        pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
        tick();
        loop_->run();
        current_shard = nullptr;
    });
}

void Shard::tick() {
    const TimePoint now = clock().now();
    turned.store(now, std::memory_order_relaxed);
    loop_->call_at(now + kTick, [this] { tick(); });
}

bool Shard::post(Executor::Work work) {
    const std::lock_guard lock(mutex_);
    if (stopped_) {
        return false;
    }
    loop_->post(std::move(work));
    return true;
}

void Shard::stop() {
    std::unique_ptr<EventLoop> ended;
    {
        const std::lock_guard lock(mutex_);
        if (std::exchange(stopped_, true)) {
            return;
        }
        loop_->post([this] { loop_->stop(); });
    }
    if (thread_.joinable()) {
        thread_.join();
    }
    {
        const std::lock_guard lock(mutex_);
        ended = std::move(loop_);
    }
    // What is left in it may hold exchanges, which ask post(): not under the mutex.
}

std::shared_ptr<ConnectionTable::Entry> Shard::make_entry() {
    auto entry = std::make_shared<ConnectionTable::Entry>();
    // Weak: the shard holds its connections, and they their entries.
    entry->evict = [weak = weak_from_this(), weak_entry = std::weak_ptr(entry)] {
        if (const auto shard = weak.lock()) {
            shard->post([weak_entry] {
                const auto asked = weak_entry.lock();
                if (asked && asked->owner != nullptr) {
                    asked->owner->evict();
                }
            });
        }
    };
    return entry;
}

void Shard::give(
    OwnedFd fd,
    Peer peer,
    std::shared_ptr<ConnectionTable::Entry> entry,
    std::unique_ptr<ServerSocket> socket
) {
    ++connections;
    if (current() == this) {
        add(std::move(fd), std::move(peer), std::move(entry), std::move(socket));
        return;
    }
    const bool taken = post([this,
                             given_fd = std::move(fd),
                             given_peer = std::move(peer),
                             given_entry = std::move(entry),
                             given_socket = std::move(socket)]() mutable {
        add(std::move(given_fd),
            std::move(given_peer),
            std::move(given_entry),
            std::move(given_socket));
    });
    if (!taken) {
        forget_connection();
    }
}

void Shard::forget_connection() {
    --connections;
    shared->closed();
}

void Shard::add(
    OwnedFd fd,
    Peer peer,
    std::shared_ptr<ConnectionTable::Entry> entry,
    std::unique_ptr<ServerSocket> socket
) {
    const bool turned_away = entry == nullptr;
    auto connection = std::make_shared<Connection>(
        *this, std::move(fd), std::move(peer), entry, std::move(socket)
    );
    connection->place = connections_.size();
    connections_.push_back(connection);
    if (turned_away) {
        connection->start_turned_away();
    } else {
        connection->start();
    }
    started = connections_.size();
}

void Shard::remove(Connection& connection) {
    const std::size_t place = connection.place;
    const std::shared_ptr<Connection> last = std::move(connections_.back());
    connections_.pop_back();
    if (place < connections_.size()) {
        last->place = place;
        connections_[place] = last;  // drops the one that is removed
    }
    started = connections_.size();
    forget_connection();
}

void Shard::begin_drain() {
    draining_ = true;
    for (const auto& connection : std::vector(connections_)) {
        connection->drain();
    }
}

void Shard::cut_all() {
    for (const auto& connection : std::vector(connections_)) {
        connection->cut(CancelReason::shutdown);
    }
}

std::string_view Shard::date() {
    const WallTime now = clock().wall();
    const std::int64_t second =
        std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count();
    if (second != date_second_) {
        date_second_ = second;
        date_ = date_line(now);
    }
    return date_;
}

}  // namespace lab::http
