#pragma once
#include "platform/redis/blocking_client.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <list>
#include <mutex>
#include <thread>

namespace lab::redis::test {

/// Waits for a condition; false when it does not come true within the limit.
template <class Condition>
bool wait_until(Condition condition, Duration limit = std::chrono::seconds(20)) {
    const auto until = std::chrono::steady_clock::now() + limit;
    while (!condition()) {
        if (std::chrono::steady_clock::now() > until) {
            return false;
        }
        std::this_thread::yield();
    }
    return true;
}

/// A server that answers as the test says, byte for byte, over real sockets.
class FakeServer {
  public:
    /// What is sent for a command; nothing for "". On the server's thread.
    using Answer = std::function<std::string(const std::vector<std::string>& words)>;

    explicit FakeServer(Answer answer) : answer_(std::move(answer)) {
        listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        auto* const raw = reinterpret_cast<sockaddr*>(&address);
        const bool is_open = ::bind(listener_, raw, size) == 0 && ::listen(listener_, 16) == 0 &&
                             ::getsockname(listener_, raw, &size) == 0;
        LAB_ASSERT(is_open, "the loopback address can be listened on");
        address_ = {"127.0.0.1", ntohs(address.sin_port)};
        thread_ = std::thread([this] { run(); });
    }
    ~FakeServer() {
        stop_ = true;
        thread_.join();
        ::close(listener_);
    }
    FakeServer(const FakeServer&) = delete;
    FakeServer& operator=(const FakeServer&) = delete;

    const Address& address() const { return address_; }
    /// Ends every connection.
    void cut() { cut_ = true; }
    /// Sends this on every connection.
    void say(std::string bytes) {
        const std::lock_guard lock(mutex_);
        said_ += bytes;
    }
    int connections() const { return connections_; }

  private:
    struct Peer {
        int socket = -1;
        ReplyReader reader;  // a command has the form of a reply
    };

    void run() {
        std::list<Peer> peers;
        while (!stop_) {
            std::vector<pollfd> all{{listener_, POLLIN, 0}};
            for (const Peer& peer : peers) {
                all.push_back({peer.socket, POLLIN, 0});
            }
            ::poll(all.data(), all.size(), 2);
            if ((all[0].revents & POLLIN) != 0) {
                peers.emplace_back().socket = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
                ++connections_;
            }
            const bool cut = cut_.exchange(false);
            say_to(peers);
            std::size_t at = 1;
            for (auto peer = peers.begin(); peer != peers.end() && at < all.size(); ++at) {
                const bool is_gone = cut || (all[at].revents != 0 && !serve(*peer));
                if (is_gone) {
                    ::close(peer->socket);
                }
                peer = is_gone ? peers.erase(peer) : std::next(peer);
            }
        }
        for (const Peer& peer : peers) {
            ::close(peer.socket);
        }
    }

    void say_to(const std::list<Peer>& peers) {
        const std::lock_guard lock(mutex_);
        for (const Peer& peer : peers) {
            if (!said_.empty()) {
                static_cast<void>(::send(peer.socket, said_.data(), said_.size(), MSG_NOSIGNAL));
            }
        }
        said_.clear();
    }

    bool serve(Peer& peer) {
        std::array<char, 4096> bytes{};
        const ssize_t count = ::recv(peer.socket, bytes.data(), bytes.size(), 0);
        if (count <= 0) {
            return false;
        }
        peer.reader.feed({bytes.data(), static_cast<std::size_t>(count)});
        while (true) {
            auto next = peer.reader.next();
            if (!next || !*next) {
                return next.has_value();
            }
            std::vector<std::string> words;
            for (const Value& word : (*next)->items) {
                words.push_back(word.text);
            }
            const std::string answer = answer_(words);
            static_cast<void>(::send(peer.socket, answer.data(), answer.size(), MSG_NOSIGNAL));
        }
    }

    const Answer answer_;
    int listener_ = -1;
    Address address_;
    std::atomic<bool> stop_ = false;
    std::atomic<bool> cut_ = false;
    std::atomic<int> connections_ = 0;
    std::mutex mutex_;
    std::string said_;
    std::thread thread_;
};

/// What a server of today says to HELLO.
inline constexpr const char* kHello = "%1\r\n$5\r\nproto\r\n:3\r\n";

inline ClientOptions options_for(const Address& address) {
    ClientOptions out;
    out.endpoint.hosts = {address};
    out.back_off_min = std::chrono::milliseconds(5);
    out.back_off_max = std::chrono::milliseconds(20);
    return out;
}

inline std::unique_ptr<BlockingClient> start(const Clock& clock, ClientOptions options) {
    auto out = BlockingClient::start(clock, std::move(options));
    LAB_ASSERT(out, "a client starts whatever the server does");
    return *std::move(out);
}

/// A client of a URL that can be used.
inline std::unique_ptr<BlockingClient> connected(
    const Clock& clock, const std::string& url, bool cluster = false
) {
    ClientOptions options;
    auto endpoint = parse_url(url);
    LAB_ASSERT(endpoint, "the test has a URL");
    options.endpoint = *std::move(endpoint);
    options.cluster = cluster;
    options.patience = std::chrono::seconds(2);  // a test's machine may be busy
    auto out = start(clock, std::move(options));
    EXPECT_TRUE(out->wait_until_usable(std::chrono::seconds(20))) << out->state().trouble;
    return out;
}

inline Result<Value> ask(
    BlockingClient& client, std::vector<std::string> words, std::string key = {}
) {
    return client.call({std::move(words), std::move(key)}, std::chrono::seconds(10));
}

/// The text of an answer; of a failure its message.
inline std::string text_of(const Result<Value>& reply) {
    return reply ? reply->text : reply.error().message;
}

}  // namespace lab::redis::test
