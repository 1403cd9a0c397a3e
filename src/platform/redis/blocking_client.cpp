#include "platform/redis/blocking_client.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

namespace lab::redis {
namespace {

/// How often it is looked whether somebody can be asked.
constexpr Duration kLook = std::chrono::milliseconds(50);
/// The deadline is kept by the client's thread; this is for that thread being late itself.
constexpr Duration kGrace = std::chrono::milliseconds(20);
/// Of what nobody waits for.
constexpr Duration kTold = std::chrono::seconds(1);

struct Waiter {
    std::mutex mutex;
    std::condition_variable wake;
    std::optional<Result<Value>> result;
};

}  // namespace

struct BlockingClient::Impl {
    explicit Impl(const Clock& clock) : loop(clock) {}

    void look() {
        ClientState now = client->state();
        {
            const std::lock_guard lock(mutex);
            usable = now.usable;
            state = std::move(now);
        }
        wake.notify_all();
        loop.call_at(loop.clock().now() + kLook, [this] { look(); });
    }

    void run() {
        look();
        loop.run();
        usable = false;
        client.reset();
    }

    EventLoop loop;
    std::unique_ptr<Client> client;  ///< of the thread, once that runs
    std::atomic<bool> usable = false;
    std::atomic<bool> paused = false;
    mutable std::mutex mutex;
    mutable std::condition_variable wake;  ///< somebody can be asked, or not
    ClientState state;
    std::thread thread;
};

BlockingClient::BlockingClient(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

BlockingClient::~BlockingClient() {
    impl_->loop.stop();
    impl_->thread.join();
}

Result<std::unique_ptr<BlockingClient>> BlockingClient::start(
    const Clock& clock, ClientOptions options
) {
    auto impl = std::make_unique<Impl>(clock);
    LAB_TRY(impl->client, Client::create(impl->loop, std::move(options)));
    Impl* const running = impl.get();
    impl->thread = std::thread([running] { running->run(); });
    return std::unique_ptr<BlockingClient>(new BlockingClient(std::move(impl)));
}

Result<Value> BlockingClient::call(Command command, Duration patience) {
    if (!is_usable()) {
        return Error(Code::unavailable, "Redis cannot be reached");
    }
    const auto waiter = std::make_shared<Waiter>();
    const TimePoint deadline = impl_->loop.clock().now() + patience;
    impl_->loop.post([impl = impl_.get(), waiter, deadline, command = std::move(command)](
                     ) mutable {
        impl->client->call(std::move(command), deadline, [waiter](Result<Value> result) {
            const std::lock_guard lock(waiter->mutex);
            waiter->result = std::move(result);
            waiter->wake.notify_one();
        });
    });
    std::unique_lock lock(waiter->mutex);
    std::optional<Result<Value>>& result = waiter->result;
    waiter->wake.wait_for(lock, patience + kGrace, [&] { return result.has_value(); });
    if (!result) {
        return Error(Code::timed_out, "Redis did not answer in time");
    }
    return *std::move(result);
}

void BlockingClient::tell(Command command) {
    if (!impl_->usable) {
        return;
    }
    impl_->loop.post([impl = impl_.get(), command = std::move(command)]() mutable {
        const TimePoint deadline = impl->loop.clock().now() + kTold;
        impl->client->call(std::move(command), deadline, [](const Result<Value>&) {});
    });
}

void BlockingClient::listen(std::vector<std::string> channels, Client::Listener listener) {
    impl_->loop.post(
        [impl = impl_.get(), channels = std::move(channels), listener = std::move(listener)](
        ) mutable { impl->client->listen(std::move(channels), std::move(listener)); }
    );
}

void BlockingClient::set_paused(bool paused) { impl_->paused = paused; }

bool BlockingClient::is_usable() const { return impl_->usable && !impl_->paused; }

bool BlockingClient::wait_until_usable(Duration patience) const {
    std::unique_lock lock(impl_->mutex);
    return impl_->wake.wait_for(lock, patience, [&] { return impl_->usable.load(); });
}

ClientState BlockingClient::state() const {
    const std::lock_guard lock(impl_->mutex);
    return impl_->state;
}

}  // namespace lab::redis
