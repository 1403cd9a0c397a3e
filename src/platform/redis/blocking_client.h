#pragma once
#include "platform/redis/client.h"

#include <memory>

namespace lab::redis {

/// A Client on a thread of its own, for code that waits. Any thread.
class BlockingClient {
  public:
    /// Begins to connect and does not wait for it. `clock` outlives it. Errors: as Client::create.
    static Result<std::unique_ptr<BlockingClient>> start(const Clock& clock, ClientOptions options);
    /// Whoever waits is answered with unavailable, or timed_out at their own deadline.
    ~BlockingClient();
    BlockingClient(const BlockingClient&) = delete;
    BlockingClient& operator=(const BlockingClient&) = delete;

    /// Waits no longer than `patience`, and not at all while nobody can be asked.
    /// Errors: as Client::call.
    Result<Value> call(Command command, Duration patience);
    /// Does not wait, and never learns what became of it. Also while paused.
    void tell(Command command);
    /// Once. The listener is called on the client's thread and must not wait.
    void listen(std::vector<std::string> channels, Client::Listener listener);

    /// While paused, calls fail at once.
    void set_paused(bool paused);
    bool is_usable() const;
    /// Waits until somebody can be asked; false when that took too long.
    bool wait_until_usable(Duration patience) const;
    /// As of a moment ago.
    ClientState state() const;

  private:
    struct Impl;
    explicit BlockingClient(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace lab::redis
