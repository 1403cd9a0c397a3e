#include "platform/http/server.h"

#include "platform/http/impl/server_shard.h"
#include "platform/http/impl/server_socket.h"
#include "platform/process/event_loop_native.h"

#include <arpa/inet.h>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <future>
#include <system_error>

namespace lab::http {
namespace {

constexpr int kBacklog = 4096;
/// Accepted in one go before the loop's other work gets its turn.
constexpr int kAcceptedAtOnce = 64;
/// Connections beyond connections_max that are told so; more are closed without a word.
constexpr std::size_t kTurnedAwayMax = 64;
constexpr Duration kDrainMax = std::chrono::hours(24);
constexpr Duration kNoDescriptorsPause = std::chrono::milliseconds(50);
/// How long a server that stops still takes connections that wait to be accepted.
constexpr Duration kLastAccepts = std::chrono::milliseconds(100);

std::string words_of(int error) { return std::generic_category().message(error); }

struct Address {
    sockaddr_storage storage{};
    socklen_t size = sizeof(sockaddr_storage);
    sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
    sockaddr_in& v4() { return reinterpret_cast<sockaddr_in&>(storage); }
    sockaddr_in6& v6() { return reinterpret_cast<sockaddr_in6&>(storage); }
};

Result<Address> parse_address(const std::string& text, std::uint16_t port) {
    Address address;
    if (inet_pton(AF_INET, text.c_str(), &address.v4().sin_addr) == 1) {
        address.v4().sin_family = AF_INET;
        address.v4().sin_port = htons(port);
        address.size = sizeof(sockaddr_in);
        return address;
    }
    if (inet_pton(AF_INET6, text.c_str(), &address.v6().sin6_addr) == 1) {
        address.v6().sin6_family = AF_INET6;
        address.v6().sin6_port = htons(port);
        address.size = sizeof(sockaddr_in6);
        return address;
    }
    return Error(Code::validation, "not a numeric address to listen on: " + text);
}

Peer describe_peer(Address& address) {
    char text[INET6_ADDRSTRLEN] = "";
    if (address.storage.ss_family == AF_INET) {
        inet_ntop(AF_INET, &address.v4().sin_addr, text, sizeof text);
    } else if (IN6_IS_ADDR_V4MAPPED(&address.v6().sin6_addr)) {
        inet_ntop(AF_INET, &address.v6().sin6_addr.s6_addr[12], text, sizeof text);
    } else {
        inet_ntop(AF_INET6, &address.v6().sin6_addr, text, sizeof text);
    }
    Peer peer{.address = text};
    peer.loopback = peer.address == "127.0.0.1" || peer.address == "::1";
    return peer;
}

/// Accepted sockets inherit these.
void set_socket_options(int fd) {
    const int on = 1;
    const int idle_seconds = 60;
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    // A client whose machine is gone is noticed also while it waits for an answer or an event.
    ::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_seconds, sizeof idle_seconds);
}

Result<OwnedFd> listen_on(Address address) {
    OwnedFd fd(
        ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP)
    );
    if (fd.get() < 0) {
        return Error(Code::io, "cannot make a socket: " + words_of(errno));
    }
    set_socket_options(fd.get());
    if (address.storage.ss_family == AF_INET6) {
        const int off = 0;
        ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    }
    if (::bind(fd.get(), address.get(), address.size) != 0 || ::listen(fd.get(), kBacklog) != 0) {
        return Error(Code::io, "cannot listen: " + words_of(errno));
    }
    return fd;
}

Status check_options(const ServerOptions& options) {
    const auto positive = [](Duration duration) { return duration > Duration::zero(); };
    if (options.threads < 1 || options.threads > 64) {
        return Error(Code::validation, "the listener has 1 to 64 threads");
    }
    if (options.certificate_file.empty() != options.key_file.empty()) {
        return Error(Code::validation, "TLS needs both a certificate and a key");
    }
    if (options.header_bytes_max == 0 || options.header_count_max == 0 ||
        options.uri_bytes_max == 0 || options.body_rate_min == 0 || options.pipelining_max == 0 ||
        options.connections_max == 0 || options.connections_per_peer_max == 0 ||
        options.stream_buffer_bytes == 0 || !positive(options.header_timeout) ||
        !positive(options.idle_timeout) || !positive(options.write_stall_timeout) ||
        !positive(options.linger_timeout)) {
        return Error(Code::validation, "the listener's limits are greater than zero");
    }
    return ok();
}

/// Descriptors for all connections, if the hard limit allows it. With less we still work: whoever
/// leads nowhere is closed when they run out.
void raise_descriptor_limit(std::size_t connections_max) {
    constexpr rlim_t kOthers = 256;
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < connections_max + kOthers) {
        limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, connections_max + kOthers);
        ::setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/// One acceptor that gives each connection to the thread that has fewest. Against SO_REUSEPORT with
/// a socket for each thread: the threads have equally much to do with few connections, too, and
/// stopping loses nobody, since there is one queue, and it is emptied before it is closed.
class ListeningServer final : public Server {
  public:
    ListeningServer(const Clock& clock, ServerOptions options, Application& application)
        : shared_(std::make_shared<ServerShared>(clock, std::move(options), application)) {}
    ~ListeningServer() override { drain(Duration::zero()); }
    ListeningServer(const ListeningServer&) = delete;
    ListeningServer& operator=(const ListeningServer&) = delete;

    Status listen();
    std::uint16_t port() const override { return port_; }
    void drain(Duration limit) override;
    ServerStats stats() const override;
    Status reload_certificate() override;
    void check_time() override;

  private:
    void wait_for_connections();
    /// False when there are no more for now.
    bool accept_one();
    void accept_some();
    void take(OwnedFd fd, Address address);
    void run_everywhere(const std::function<void(Shard&)>& work);

    const std::shared_ptr<ServerShared> shared_;
    std::vector<std::shared_ptr<Shard>> shards_;
    std::uint16_t port_ = 0;
    std::atomic<std::uint64_t> accepted_{0};
    std::atomic<std::uint64_t> turned_away_{0};

    // The first shard's thread.
    std::unique_ptr<boost::asio::posix::stream_descriptor> listener_;

    mutable std::mutex mutex_;
    std::shared_ptr<const TlsContext> tls_;  ///< under mutex_
    std::mutex drain_mutex_;
    bool stopped_ = false;  ///< under drain_mutex_
    bool started_ = false;  ///< the threads run
};

Status ListeningServer::listen() {
    const ServerOptions& options = shared_->options;
    LAB_CHECK(check_options(options));
    if (!options.certificate_file.empty()) {
        LAB_TRY(tls_, load_tls(options.certificate_file, options.key_file));
    }
    LAB_TRY(const Address address, parse_address(options.address, options.port));
    raise_descriptor_limit(options.connections_max);
    LAB_TRY(OwnedFd fd, listen_on(address));
    Address bound;
    ::getsockname(fd.get(), bound.get(), &bound.size);
    port_ = ntohs(bound.storage.ss_family == AF_INET ? bound.v4().sin_port : bound.v6().sin6_port);
    for (std::size_t i = 0; i < options.threads; ++i) {
        shards_.push_back(std::make_shared<Shard>(shared_));
    }
    listener_ =
        std::make_unique<boost::asio::posix::stream_descriptor>(shards_.front()->loop().native().io
        );
    boost::system::error_code error;
    if (listener_->assign(fd.get(), error)) {
        return Error(Code::io, "cannot wait for connections: " + error.message());
    }
    fd.release();
    started_ = true;
    for (const auto& shard : shards_) {
        shard->start();
    }
    shards_.front()->post([this] { wait_for_connections(); });
    return ok();
}

void ListeningServer::wait_for_connections() {
    if (!listener_) {
        return;
    }
    listener_->async_wait(
        boost::asio::posix::stream_descriptor::wait_read,
        [this](const boost::system::error_code& error) {
            if (!error) {
                accept_some();
            }
        }
    );
}

void ListeningServer::accept_some() {
    for (int i = 0; i < kAcceptedAtOnce; ++i) {
        if (!listener_ || !accept_one()) {
            break;
        }
    }
    wait_for_connections();
}

bool ListeningServer::accept_one() {
    Address address;
    OwnedFd fd(::accept4(
        listener_->native_handle(), address.get(), &address.size, SOCK_NONBLOCK | SOCK_CLOEXEC
    ));
    if (fd.get() >= 0) {
        take(std::move(fd), address);
        return true;
    }
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        shared_->table.make_room(shared_->clock.now());
        // The queue stays readable: without a pause the loop would do nothing else.
        Shard& shard = *shards_.front();
        shard.loop().call_at(shared_->clock.now() + kNoDescriptorsPause, [this] { accept_some(); });
        return false;
    }
    return errno == EINTR || errno == ECONNABORTED || errno == EPROTO;
}

void ListeningServer::take(OwnedFd fd, Address address) {
    Peer peer = describe_peer(address);
    std::shared_ptr<const TlsContext> tls;
    {
        const std::lock_guard lock(mutex_);
        tls = tls_;
    }
    std::unique_ptr<ServerSocket> socket =
        tls ? tls->make_socket(fd.get()) : make_plain_socket(fd.get());
    if (!socket) {
        return;
    }
    peer.tls = tls != nullptr;
    accepted_.fetch_add(1, std::memory_order_relaxed);
    const auto shard = *std::ranges::min_element(shards_, {}, [](const auto& candidate) {
        return candidate->connections.load(std::memory_order_relaxed);
    });
    std::shared_ptr<ConnectionTable::Entry> entry = shard->make_entry();
    if (!shared_->table.add(entry, peer.address, shared_->clock.now())) {
        turned_away_.fetch_add(1, std::memory_order_relaxed);
        if (tls || shared_->turned_away >= kTurnedAwayMax) {
            return;
        }
        ++shared_->turned_away;
        entry = nullptr;
    }
    shared_->opened();
    shard->give(std::move(fd), std::move(peer), std::move(entry), std::move(socket));
}

/// Runs `work` on every I/O thread and waits for it.
void ListeningServer::run_everywhere(const std::function<void(Shard&)>& work) {
    for (const auto& shard : shards_) {
        std::promise<void> done;
        shard->post([&] {
            work(*shard);
            done.set_value();
        });
        done.get_future().wait();
    }
}

void ListeningServer::drain(Duration limit) {
    LAB_ASSERT(Shard::current() == nullptr, "a server is not stopped from its own threads");
    const std::lock_guard lock(drain_mutex_);
    if (std::exchange(stopped_, true)) {
        return;
    }
    if (!started_) {
        listener_.reset();
        for (const auto& shard : shards_) {
            shard->stop();
        }
        return;
    }
    const auto until = std::chrono::steady_clock::now() + std::min<Duration>(limit, kDrainMax);
    run_everywhere([](Shard& shard) { shard.begin_drain(); });
    run_everywhere([this](Shard& shard) {
        if (&shard == shards_.front().get() && listener_) {
            // Clients that come faster than they are taken would keep the port open for ever.
            const auto enough = std::chrono::steady_clock::now() + kLastAccepts;
            while (accept_one() && std::chrono::steady_clock::now() < enough) {
            }
            listener_.reset();
        }
    });
    if (limit > Duration::zero()) {
        std::unique_lock wait(shared_->mutex);
        shared_->gone.wait_until(wait, until, [this] { return shared_->open == 0; });
    }
    run_everywhere([](Shard& shard) { shard.cut_all(); });
    for (const auto& shard : shards_) {
        shard->stop();
    }
}

ServerStats ListeningServer::stats() const {
    ServerStats stats{
        .accepted = accepted_,
        .evicted = shared_->table.evicted(),
        .turned_away = turned_away_,
    };
    const TimePoint now = shared_->clock.now();
    for (const auto& shard : shards_) {
        stats.connections += shard->started;
        stats.in_flight += shard->in_flight;
        stats.requests += shard->requests;
        stats.bytes_in += shard->bytes_in;
        stats.bytes_out += shard->bytes_out;
        stats.silence_max = std::max(stats.silence_max, now - shard->turned.load());
    }
    return stats;
}

Status ListeningServer::reload_certificate() {
    const ServerOptions& options = shared_->options;
    if (options.certificate_file.empty()) {
        return ok();
    }
    LAB_TRY(auto loaded, load_tls(options.certificate_file, options.key_file));
    const std::lock_guard lock(mutex_);
    tls_ = std::move(loaded);
    return ok();
}

void ListeningServer::check_time() {
    for (const auto& shard : shards_) {
        // A timer before all others makes the loop look at all of them.
        shard->post([&timed = *shard] { timed.loop().call_at(TimePoint(), [] {}); });
    }
}

}  // namespace

Result<std::unique_ptr<Server>> Server::start(
    const Clock& clock, ServerOptions options, Application& application
) {
    auto server = std::make_unique<ListeningServer>(clock, std::move(options), application);
    LAB_CHECK(server->listen());
    return server;
}

}  // namespace lab::http
