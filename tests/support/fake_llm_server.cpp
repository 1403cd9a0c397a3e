#include "support/fake_llm_server.h"

#include "base/text.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cctype>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <mutex>
#include <queue>
#include <thread>
#include <unordered_map>

namespace lab::test {
namespace {

using Steady = std::chrono::steady_clock;

bool same_name(std::string_view a, std::string_view b) {
    return std::ranges::equal(a, b, [](unsigned char x, unsigned char y) {
        return std::tolower(x) == std::tolower(y);
    });
}

void must(bool fine, const char* what) {
    if (!fine) {
        std::perror(what);
        std::abort();
    }
}

struct Connection {
    int fd = -1;
    int number = 0;
    std::uint64_t serial = 0;  ///< tells a reused descriptor from the old one
    std::string in;
    std::string out;
    std::size_t out_sent = 0;  ///< of out
    std::deque<Step> script;
    bool answering = false;
    bool waiting = false;
    bool wants_write = false;
};

/// Takes one complete request from the front of `in`.
bool take_request(std::string& in, ServerRequest& request) {
    const std::size_t end = in.find("\r\n\r\n");
    if (end == std::string::npos) {
        return false;
    }
    const std::string_view head = std::string_view(in).substr(0, end);
    std::size_t length = 0;
    bool first = true;
    for (std::string_view line : split(head, '\n')) {
        line = trim_ascii(line);
        if (std::exchange(first, false)) {
            const auto words = split(line, ' ');
            request.method = words.at(0);
            request.target = words.size() > 1 ? words[1] : "";
            continue;
        }
        const std::size_t colon = line.find(':');
        const std::string_view name = line.substr(0, colon);
        const std::string_view value = trim_ascii(line.substr(colon + 1));
        request.headers.emplace_back(name, value);
        if (same_name(name, "Content-Length")) {
            length = static_cast<std::size_t>(std::atoll(std::string(value).c_str()));
        }
    }
    if (in.size() < end + 4 + length) {
        request = {};
        return false;
    }
    request.body = in.substr(end + 4, length);
    in.erase(0, end + 4 + length);
    return true;
}

}  // namespace

std::string_view ServerRequest::header(std::string_view name) const {
    for (const auto& [key, value] : headers) {
        if (same_name(key, name)) {
            return value;
        }
    }
    return {};
}

struct FakeLlmServer::Impl {
    explicit Impl(Handler h) : handler(std::move(h)) { open(); }
    ~Impl();

    void open();
    void run();
    void accept_all();
    void on_event(int fd, std::uint32_t events);
    void read_some(Connection& c);
    void progress(Connection& c);
    void end_script(Connection& c);
    bool flush(Connection& c);
    void drop(Connection& c, bool reset);
    int run_timers();

    struct Alarm {
        Steady::time_point when;
        int fd;
        std::uint64_t serial;
        bool operator>(const Alarm& other) const { return when > other.when; }
    };

    Handler handler;
    int listener = -1;
    int epoll = -1;
    int wake = -1;
    int port = 0;
    std::atomic<bool> stopping{false};
    std::unordered_map<int, Connection> connections;
    std::priority_queue<Alarm, std::vector<Alarm>, std::greater<>> alarms;
    std::uint64_t last_serial = 0;

    mutable std::mutex mutex;
    mutable std::condition_variable changed;
    std::vector<ServerRequest> log;
    int accepted = 0;
    int flying = 0;
    int flying_max = 0;
    std::thread thread;
};

void FakeLlmServer::Impl::open() {
    listener = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    must(listener >= 0, "socket");
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    must(::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0, "bind");
    must(::listen(listener, 4096) == 0, "listen");
    socklen_t size = sizeof address;
    ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
    port = ntohs(address.sin_port);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    for (const int fd : {listener, wake}) {
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.fd = fd;
        must(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl");
    }
    thread = std::thread([this] { run(); });
}

FakeLlmServer::Impl::~Impl() {
    stopping = true;
    const std::uint64_t one = 1;
    must(::write(wake, &one, sizeof one) == sizeof one, "eventfd");
    thread.join();
    for (auto& [fd, c] : connections) {
        ::close(fd);
    }
    ::close(listener);
    ::close(epoll);
    ::close(wake);
}

void FakeLlmServer::Impl::run() {
    std::array<epoll_event, 256> events;
    while (!stopping) {
        const int timeout_ms = run_timers();
        const int count = epoll_wait(epoll, events.data(), events.size(), timeout_ms);
        for (int i = 0; i < count; ++i) {
            const epoll_event& event = events[static_cast<std::size_t>(i)];
            if (event.data.fd == listener) {
                accept_all();
            } else if (event.data.fd != wake) {
                on_event(event.data.fd, event.events);
            }
        }
    }
}

int FakeLlmServer::Impl::run_timers() {
    while (!alarms.empty()) {
        const Alarm alarm = alarms.top();
        const auto left = alarm.when - Steady::now();
        if (left > Steady::duration::zero()) {
            return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(left).count());
        }
        alarms.pop();
        const auto found = connections.find(alarm.fd);
        if (found != connections.end() && found->second.serial == alarm.serial) {
            found->second.waiting = false;
            progress(found->second);
        }
    }
    return -1;
}

void FakeLlmServer::Impl::accept_all() {
    for (;;) {
        const int fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            return;
        }
        const int on = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.fd = fd;
        must(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl");
        Connection& c = connections[fd];
        c.fd = fd;
        c.serial = ++last_serial;
        const std::lock_guard lock(mutex);
        c.number = ++accepted;
    }
}

void FakeLlmServer::Impl::on_event(int fd, std::uint32_t events) {
    const auto found = connections.find(fd);
    if (found == connections.end()) {
        return;
    }
    Connection& c = found->second;
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
        read_some(c);
        return;
    }
    progress(c);
}

void FakeLlmServer::Impl::read_some(Connection& c) {
    std::array<char, 65536> buffer;
    const ssize_t got = ::recv(c.fd, buffer.data(), buffer.size(), 0);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
        drop(c, false);
        return;
    }
    if (got > 0) {
        c.in.append(buffer.data(), static_cast<std::size_t>(got));
    }
    progress(c);
}

void FakeLlmServer::Impl::end_script(Connection& c) {
    c.answering = false;
    const std::lock_guard lock(mutex);
    --flying;
    changed.notify_all();
}

void FakeLlmServer::Impl::progress(Connection& c) {
    for (;;) {
        if (c.waiting || !flush(c)) {
            return;
        }
        if (c.answering && c.script.empty()) {
            end_script(c);
        }
        if (!c.answering) {
            ServerRequest request;
            if (!c.in.empty() && std::isupper(static_cast<unsigned char>(c.in.front())) == 0) {
                c.out += "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
                c.in.clear();  // a TLS hello, most likely
                c.script.push_back(close_connection());
                c.answering = true;
                const std::lock_guard lock(mutex);
                ++flying;
                continue;
            }
            if (!take_request(c.in, request)) {
                return;
            }
            request.connection = c.number;
            {
                const std::lock_guard lock(mutex);
                request.number = static_cast<int>(log.size()) + 1;
                log.push_back(request);
                flying_max = std::max(flying_max, ++flying);
                changed.notify_all();
            }
            c.answering = true;
            Script script = handler(request);
            c.script.assign(
                std::make_move_iterator(script.begin()), std::make_move_iterator(script.end())
            );
            continue;
        }
        Step step = std::move(c.script.front());
        c.script.pop_front();
        switch (step.kind) {
            case Step::Kind::send:
                c.out += step.bytes;
                break;
            case Step::Kind::wait:
                c.waiting = true;
                alarms.push({Steady::now() + step.time, c.fd, c.serial});
                return;
            case Step::Kind::hang:
                c.waiting = true;
                return;
            case Step::Kind::close:
            case Step::Kind::reset:
                drop(c, step.kind == Step::Kind::reset);
                return;
        }
    }
}

/// Sends what is to be sent; false when it cannot all go now, or the connection is gone.
bool FakeLlmServer::Impl::flush(Connection& c) {
    while (c.out_sent < c.out.size()) {
        const std::string_view rest = std::string_view(c.out).substr(c.out_sent);
        const ssize_t sent = ::send(c.fd, rest.data(), rest.size(), MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN && errno != EINTR) {
            drop(c, false);
            return false;
        }
        if (sent < 0) {
            break;
        }
        c.out_sent += static_cast<std::size_t>(sent);
    }
    const bool wants_write = c.out_sent < c.out.size();
    if (!wants_write) {
        c.out.clear();
        c.out_sent = 0;
    }
    if (wants_write != c.wants_write) {
        c.wants_write = wants_write;
        epoll_event event{};
        event.events = wants_write ? EPOLLIN | EPOLLOUT : EPOLLIN;
        event.data.fd = c.fd;
        must(epoll_ctl(epoll, EPOLL_CTL_MOD, c.fd, &event) == 0, "epoll_ctl");
    }
    return !wants_write;
}

void FakeLlmServer::Impl::drop(Connection& c, bool reset) {
    if (c.answering) {
        end_script(c);
    }
    if (reset) {
        const linger now{.l_onoff = 1, .l_linger = 0};
        setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    }
    const int fd = c.fd;
    connections.erase(fd);
    ::close(fd);
}

FakeLlmServer::FakeLlmServer(Handler handler) : impl_(std::make_unique<Impl>(std::move(handler))) {}
FakeLlmServer::~FakeLlmServer() = default;

int FakeLlmServer::port() const { return impl_->port; }

std::string FakeLlmServer::url(std::string_view path) const {
    return "http://127.0.0.1:" + std::to_string(impl_->port) + std::string(path);
}

std::vector<ServerRequest> FakeLlmServer::requests() const {
    const std::lock_guard lock(impl_->mutex);
    return impl_->log;
}

int FakeLlmServer::request_count() const {
    const std::lock_guard lock(impl_->mutex);
    return static_cast<int>(impl_->log.size());
}

int FakeLlmServer::connection_count() const {
    const std::lock_guard lock(impl_->mutex);
    return impl_->accepted;
}

int FakeLlmServer::in_flight() const {
    const std::lock_guard lock(impl_->mutex);
    return impl_->flying;
}

int FakeLlmServer::in_flight_max() const {
    const std::lock_guard lock(impl_->mutex);
    return impl_->flying_max;
}

bool FakeLlmServer::wait_for_requests(int count, Duration limit) const {
    std::unique_lock lock(impl_->mutex);
    return impl_->changed.wait_for(lock, limit, [&] {
        return static_cast<int>(impl_->log.size()) >= count;
    });
}

bool FakeLlmServer::wait_until_idle(Duration limit) const {
    std::unique_lock lock(impl_->mutex);
    return impl_->changed.wait_for(lock, limit, [&] { return impl_->flying == 0; });
}

}  // namespace lab::test
