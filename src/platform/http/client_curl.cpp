#include "platform/http/curl_client.h"
#include "platform/http/curl_transfer.h"
#include "platform/process/event_loop_native.h"

#include <boost/asio/posix/stream_descriptor.hpp>
#include <curl/curl.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <deque>
#include <unordered_map>

namespace lab::http {
namespace {

namespace asio = boost::asio;

/// Transfers of one origin that may be between "started" and "connected": each may hold a resolver
/// thread or a place in the server's accept queue.
constexpr int kConnectingMax = 128;

/// Transfers of one multi handle. libcurl looks for an idle connection by walking past the busy
/// ones: with thousands in one handle that walk costs ten times the request itself.
constexpr std::size_t kShardTransfersMax = 128;
constexpr std::size_t kShardConnectionsMax = 2 * kShardTransfersMax;

class CurlClient;

/// One multi handle with its connections.
struct Shard {
    Shard(CurlClient& client, std::size_t connections_max);
    ~Shard();
    Shard(const Shard&) = delete;
    Shard& operator=(const Shard&) = delete;

    CurlClient& owner;
    CURLM* multi;
    std::size_t transfers = 0;
    TimePoint wants_at = TimePoint::max();  ///< when libcurl wants to be called
};

/// Which events of a socket the kernel reports, and which libcurl wants. Registered ones are not
/// taken back at once: the next request on a kept connection wants the same again.
struct Socket {
    std::uint32_t registered = 0;
    std::uint32_t wanted = 0;
    bool ours = false;  ///< opened by open_socket(): its end is announced by close_socket()
    Shard* shard = nullptr;
};

/// The transfers of one scheme://host:port.
struct Origin {
    int connecting = 0;
    std::deque<TransferId> waiting;
};

/// libcurl tells which sockets it waits for and when it wants to be called; the sockets are in an
/// epoll set of our own, and the loop watches that one descriptor. So a request on a kept
/// connection costs no system call for bookkeeping.
class CurlClient final : public Client {
  public:
    CurlClient(EventLoop& loop, ClientOptions options);
    ~CurlClient() override;
    CurlClient(const CurlClient&) = delete;
    CurlClient& operator=(const CurlClient&) = delete;
    TransferId start(Request request, std::shared_ptr<ResponseSink> sink) override;
    void cancel(TransferId id) override;

  private:
    friend struct Shard;
    static int on_socket(CURL*, curl_socket_t fd, int what, void* shard, void*);
    static int on_timer(CURLM*, long timeout_ms, void* shard);
    static curl_socket_t open_socket(void* transfer, curlsocktype, struct curl_sockaddr* address);
    Status look_at_target(Transfer& transfer) const;
    static int close_socket(void* self, curl_socket_t fd);
    static int on_connected(void* transfer, char*, char*, int, int);

    Transfer& acquire();
    Transfer* find(TransferId id);
    void schedule_pump();
    void pump();
    void admit(Transfer& transfer, TimePoint now);
    void admit_waiting();
    void attach(Transfer& transfer, TimePoint now);
    void leave_origin(Transfer& transfer);
    void remove_cancelled();
    void run_timeouts();
    void collect_finished();
    Shard& shard_with_room();
    TimePoint next_timeout() const;
    void finish(Transfer& transfer, TransferEnd end);
    void watch_sockets();
    void on_sockets_ready();
    void set_interest(curl_socket_t fd, std::uint32_t events);
    Socket& socket(curl_socket_t fd);
    void arm_timer();

    EventLoop& loop_;
    ClientOptions options_;
    int epoll_fd_;
    asio::posix::stream_descriptor epoll_watch_;        ///< owns epoll_fd_
    std::vector<std::unique_ptr<Shard>> shards_;        ///< filled from the front
    std::vector<Socket> sockets_;                       ///< by descriptor
    std::vector<std::unique_ptr<Transfer>> transfers_;  ///< by index, reused
    std::vector<std::uint32_t> idle_;
    std::vector<TransferId> started_;
    std::vector<TransferId> cancelled_;
    std::unordered_map<std::string, Origin> origins_;
    std::vector<Origin*> freed_;  ///< origins with room for a waiting transfer
    bool pump_scheduled_ = false;
    bool closing_ = false;
    TimePoint timer_at_ = TimePoint::max();
    Executor::TimerId timer_ = 0;
    /// What was posted must not touch a client that is gone.
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

void init_curl_once() {
    static const CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
    LAB_ASSERT(code == CURLE_OK, "libcurl starts");
}

Shard::Shard(CurlClient& client, std::size_t connections_max)
    : owner(client), multi(curl_multi_init()) {
    LAB_ASSERT(multi != nullptr, "memory for a multi handle");
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, &CurlClient::on_socket);
    curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, this);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, &CurlClient::on_timer);
    curl_multi_setopt(multi, CURLMOPT_TIMERDATA, this);
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, static_cast<long>(connections_max));
}

Shard::~Shard() { curl_multi_cleanup(multi); }

CurlClient::CurlClient(EventLoop& loop, ClientOptions options)
    : loop_(loop),
      options_(std::move(options)),
      epoll_fd_(epoll_create1(EPOLL_CLOEXEC)),
      epoll_watch_(loop.native().io) {
    LAB_ASSERT(epoll_fd_ >= 0, "the system gives us an epoll descriptor");
    init_curl_once();
    epoll_watch_.assign(epoll_fd_);
    watch_sockets();
}

CurlClient::~CurlClient() {
    closing_ = true;
    *alive_ = false;
    if (timer_ != 0) {
        loop_.cancel_timer(timer_);
    }
    for (std::size_t i = 0; i < transfers_.size(); ++i) {
        if (transfers_[i]->busy()) {
            finish(*transfers_[i], {TransferFailure::cancelled, "the client was closed", 0});
        }
    }
    transfers_.clear();
    shards_.clear();
}

// ---------------------------------------------------------------------------------------------
// Starting and ending

Transfer& CurlClient::acquire() {
    if (!idle_.empty()) {
        Transfer& transfer = *transfers_[idle_.back()];
        idle_.pop_back();
        return transfer;
    }
    const auto index = static_cast<std::uint32_t>(transfers_.size());
    Transfer& transfer = *transfers_.emplace_back(std::make_unique<Transfer>(index));
    CURL* easy = transfer.easy();
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, &open_socket);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, &transfer);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, &close_socket);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, this);
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, &on_connected);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, &transfer);
    transfer.owner = this;
    if (!options_.user_agent.empty()) {
        curl_easy_setopt(easy, CURLOPT_USERAGENT, options_.user_agent.c_str());
    }
    if (!options_.ca_file.empty()) {
        curl_easy_setopt(easy, CURLOPT_CAINFO, options_.ca_file.c_str());
    }
    if (const auto& proxy = options_.proxy) {
        // Set, they are not looked for in the environment.
        curl_easy_setopt(easy, CURLOPT_PROXY, proxy->c_str());
        curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
    }
    return transfer;
}

Transfer* CurlClient::find(TransferId id) {
    const auto index = static_cast<std::uint32_t>(id);
    if (index >= transfers_.size() || transfers_[index]->id() != id || !transfers_[index]->busy()) {
        return nullptr;
    }
    return transfers_[index].get();
}

TransferId CurlClient::start(Request request, std::shared_ptr<ResponseSink> sink) {
    if (closing_) {
        sink->on_end({TransferFailure::cancelled, "the client was closed", 0});
        return 0;
    }
    Transfer& transfer = acquire();
    transfer.begin(std::move(request), std::move(sink), loop_.clock().now());
    started_.push_back(transfer.id());
    schedule_pump();
    return transfer.id();
}

void CurlClient::cancel(TransferId id) {
    Transfer* transfer = find(id);
    if (transfer != nullptr && transfer->stop(TransferFailure::cancelled, "cancelled")) {
        cancelled_.push_back(id);
        schedule_pump();
    }
}

// libcurl must not be entered from its own callbacks, and a burst of starts is cheaper together: so
// nothing is done at once.
void CurlClient::schedule_pump() {
    if (std::exchange(pump_scheduled_, true)) {
        return;
    }
    loop_.post([this, alive = alive_] {
        if (*alive) {
            pump_scheduled_ = false;
            pump();
        }
    });
}

void CurlClient::pump() {
    remove_cancelled();
    const TimePoint now = loop_.clock().now();
    const std::vector<TransferId> started = std::exchange(started_, {});
    for (const TransferId id : started) {
        if (Transfer* transfer = find(id); transfer != nullptr) {
            admit(*transfer, now);
        }
    }
    run_timeouts();
    collect_finished();
    admit_waiting();
    arm_timer();
}

/// With a guard only what it can read leads anywhere.
Status CurlClient::look_at_target(Transfer& transfer) const {
    if (options_.guard && (transfer.origin == nullptr || transfer.url_changes())) {
        LAB_TRY(transfer.target, parse_outbound_url(transfer.url()));
    }
    return ok();
}

void CurlClient::admit(Transfer& transfer, TimePoint now) {
    if (const Status seen = look_at_target(transfer); !seen) {
        finish(transfer, {TransferFailure::refused, "the URL " + seen.error().message, 0});
        return;
    }
    if (transfer.origin == nullptr || transfer.url_changes()) {
        transfer.origin = &origins_[std::string(transfer.origin_text())];
    }
    auto& origin = *static_cast<Origin*>(transfer.origin);
    if (origin.connecting >= kConnectingMax) {
        origin.waiting.push_back(transfer.id());
        return;
    }
    attach(transfer, now);
}

void CurlClient::attach(Transfer& transfer, TimePoint now) {
    if (!transfer.configure(now)) {
        finish(transfer, {TransferFailure::timeout, "timed out before it could be sent", 0});
        return;
    }
    if (options_.resolve) {
        transfer.resolve_to(options_.resolve());
    }
    ++static_cast<Origin*>(transfer.origin)->connecting;
    transfer.connecting = true;
    Shard& shard = shard_with_room();
    ++shard.transfers;
    transfer.shard = &shard;
    const CURLMcode code = curl_multi_add_handle(shard.multi, transfer.easy());
    LAB_ASSERT(code == CURLM_OK, "an idle handle can be added");
}

Shard& CurlClient::shard_with_room() {
    for (const auto& shard : shards_) {
        if (shard->transfers < kShardTransfersMax) {
            return *shard;
        }
    }
    return *shards_.emplace_back(
        std::make_unique<Shard>(*this, std::min(options_.connections_max, kShardConnectionsMax))
    );
}

void CurlClient::leave_origin(Transfer& transfer) {
    if (std::exchange(transfer.connecting, false)) {
        auto* origin = static_cast<Origin*>(transfer.origin);
        --origin->connecting;
        if (!origin->waiting.empty()) {
            freed_.push_back(origin);
        }
    }
}

/// Fills the places that connected or ended transfers have left.
void CurlClient::admit_waiting() {
    while (!freed_.empty()) {
        const std::vector<Origin*> freed = std::exchange(freed_, {});
        const TimePoint now = loop_.clock().now();
        for (Origin* origin : freed) {
            while (origin->connecting < kConnectingMax && !origin->waiting.empty()) {
                const TransferId id = origin->waiting.front();
                origin->waiting.pop_front();
                if (Transfer* transfer = find(id); transfer != nullptr) {
                    attach(*transfer, now);
                }
            }
        }
        run_timeouts();
        collect_finished();
    }
}

void CurlClient::remove_cancelled() {
    const std::vector<TransferId> cancelled = std::exchange(cancelled_, {});
    for (const TransferId id : cancelled) {
        if (Transfer* transfer = find(id); transfer != nullptr) {
            finish(*transfer, transfer->end_of(CURLE_OK));
        }
    }
}

void CurlClient::collect_finished() {
    for (std::size_t i = 0; i < shards_.size(); ++i) {
        int left = 0;
        while (const CURLMsg* message = curl_multi_info_read(shards_[i]->multi, &left)) {
            if (message->msg != CURLMSG_DONE) {
                continue;
            }
            char* transfer_pointer = nullptr;
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer_pointer);
            auto& transfer = *reinterpret_cast<Transfer*>(transfer_pointer);
            finish(transfer, transfer.end_of(message->data.result));
        }
    }
}

void CurlClient::finish(Transfer& transfer, TransferEnd end) {
    if (auto* shard = static_cast<Shard*>(std::exchange(transfer.shard, nullptr))) {
        curl_multi_remove_handle(shard->multi, transfer.easy());
        --shard->transfers;
    }
    leave_origin(transfer);
    const std::shared_ptr<ResponseSink> sink = transfer.release();
    idle_.push_back(transfer.index());
    sink->on_end(end);
}

// ---------------------------------------------------------------------------------------------
// What libcurl asks for

int CurlClient::on_connected(void* transfer_pointer, char*, char*, int, int) {
    auto& transfer = *static_cast<Transfer*>(transfer_pointer);
    if (!transfer.about_to_send()) {
        return CURL_PREREQFUNC_ABORT;
    }
    auto& client = *static_cast<CurlClient*>(transfer.owner);
    client.leave_origin(transfer);
    if (!client.freed_.empty()) {
        client.schedule_pump();
    }
    return CURL_PREREQFUNC_OK;
}

AddressBytes bytes_of(const curl_sockaddr& address) {
    const auto view = [](const auto& part) {
        return AddressBytes(reinterpret_cast<const std::uint8_t*>(&part), sizeof part);
    };
    if (address.family == AF_INET) {
        return view(reinterpret_cast<const sockaddr_in*>(&address.addr)->sin_addr);
    }
    if (address.family == AF_INET6) {
        return view(reinterpret_cast<const sockaddr_in6*>(&address.addr)->sin6_addr);
    }
    return {};
}

// The name was resolved just now, and this is what is connected to: between the two nothing can
// change the answer.
curl_socket_t CurlClient::open_socket(
    void* transfer_pointer, curlsocktype, struct curl_sockaddr* address
) {
    auto& transfer = *static_cast<Transfer*>(transfer_pointer);
    auto& client = *static_cast<CurlClient*>(transfer.owner);
    const ClientOptions& options = client.options_;
    if (options.guard && options.proxy.value_or("").empty()) {
        const AddressBytes bytes = bytes_of(*address);
        const std::string_view why = bytes.empty()
                                         ? "an address of another kind"
                                         : options.guard->refuse_address(transfer.target, bytes);
        if (!why.empty()) {
            transfer.refuse_address(why);
            return CURL_SOCKET_BAD;
        }
    }
    const int fd = ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    if (fd < 0) {
        return CURL_SOCKET_BAD;
    }
    client.socket(fd) = Socket{.registered = 0, .wanted = 0, .ours = true};
    return fd;
}

int CurlClient::close_socket(void* self, curl_socket_t fd) {
    // Closing takes it out of the epoll set.
    static_cast<CurlClient*>(self)->socket(fd) = Socket{};
    return ::close(fd);
}

Socket& CurlClient::socket(curl_socket_t fd) {
    const auto index = static_cast<std::size_t>(fd);
    if (index >= sockets_.size()) {
        sockets_.resize(index + 64);
    }
    return sockets_[index];
}

int CurlClient::on_socket(CURL*, curl_socket_t fd, int what, void* shard_pointer, void*) {
    auto& shard = *static_cast<Shard*>(shard_pointer);
    std::uint32_t events = 0;
    events |= what == CURL_POLL_IN || what == CURL_POLL_INOUT ? EPOLLIN : 0U;
    events |= what == CURL_POLL_OUT || what == CURL_POLL_INOUT ? EPOLLOUT : 0U;
    shard.owner.socket(fd).shard = &shard;
    shard.owner.set_interest(fd, events);
    return 0;
}

void CurlClient::set_interest(curl_socket_t fd, std::uint32_t events) {
    Socket& entry = socket(fd);
    entry.wanted = events;
    // A kept connection stays registered for reading. A foreign socket (the resolver's) must go at
    // once: nobody tells us when it is closed.
    const bool may_linger = entry.ours && entry.registered == EPOLLIN && events == 0;
    if (entry.registered == events || may_linger) {
        return;
    }
    epoll_event event{};
    event.events = events;
    event.data.fd = fd;
    int operation = EPOLL_CTL_MOD;
    if (entry.registered == 0) {
        operation = EPOLL_CTL_ADD;
    } else if (events == 0) {
        operation = EPOLL_CTL_DEL;
    }
    if (epoll_ctl(epoll_fd_, operation, fd, &event) != 0 && operation == EPOLL_CTL_MOD) {
        epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event);
    }
    entry.registered = events;
}

int CurlClient::on_timer(CURLM*, long timeout_ms, void* shard_pointer) {
    auto& shard = *static_cast<Shard*>(shard_pointer);
    shard.wants_at = timeout_ms < 0
                         ? TimePoint::max()
                         : shard.owner.loop_.clock().now() + std::chrono::milliseconds(timeout_ms);
    return 0;
}

void CurlClient::run_timeouts() {
    for (std::size_t i = 0; i < shards_.size(); ++i) {
        Shard& shard = *shards_[i];
        // Bounded: what is due now may want to be called again at once.
        for (int round = 0; round < 8 && shard.wants_at != TimePoint::max(); ++round) {
            if (shard.wants_at > loop_.clock().now()) {
                break;
            }
            shard.wants_at = TimePoint::max();
            int running = 0;
            curl_multi_socket_action(shard.multi, CURL_SOCKET_TIMEOUT, 0, &running);
        }
    }
}

TimePoint CurlClient::next_timeout() const {
    TimePoint next = TimePoint::max();
    for (const auto& shard : shards_) {
        next = std::min(next, shard->wants_at);
    }
    return next;
}

/// One timer for all of libcurl's. It may ring too early, never too late.
void CurlClient::arm_timer() {
    const TimePoint next = next_timeout();
    if (next >= timer_at_) {
        return;
    }
    if (timer_ != 0) {
        loop_.cancel_timer(timer_);
    }
    timer_at_ = next;
    timer_ = loop_.call_at(timer_at_, [this] {
        timer_ = 0;
        timer_at_ = TimePoint::max();
        pump();
    });
}

void CurlClient::watch_sockets() {
    epoll_watch_.async_wait(
        asio::posix::stream_descriptor::wait_read,
        [this, alive = alive_](const boost::system::error_code& error) {
            if (!error && *alive) {
                on_sockets_ready();
            }
        }
    );
}

void CurlClient::on_sockets_ready() {
    std::array<epoll_event, 256> events;
    const int count = epoll_wait(epoll_fd_, events.data(), static_cast<int>(events.size()), 0);
    for (int i = 0; i < count; ++i) {
        const epoll_event& event = events[static_cast<std::size_t>(i)];
        const int fd = event.data.fd;
        Socket& entry = socket(fd);
        if (entry.wanted == 0) {
            // A kept connection was closed by the server (or it talks out of turn): libcurl finds
            // out when it wants to use it.
            epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, fd, nullptr);
            entry.registered = 0;
            continue;
        }
        int mask = 0;
        mask |= (event.events & (EPOLLIN | EPOLLHUP)) != 0 ? CURL_CSELECT_IN : 0;
        mask |= (event.events & EPOLLOUT) != 0 ? CURL_CSELECT_OUT : 0;
        mask |= (event.events & EPOLLERR) != 0 ? CURL_CSELECT_ERR : 0;
        int running = 0;
        curl_multi_socket_action(entry.shard->multi, fd, mask, &running);
    }
    pump();
    watch_sockets();
}

}  // namespace

std::unique_ptr<Client> make_curl_client(EventLoop& loop, ClientOptions options) {
    return std::make_unique<CurlClient>(loop, std::move(options));
}

}  // namespace lab::http
