#pragma once
#include "platform/redis/blocking_client.h"
#include "storage/cache/signals.h"

#include <functional>
#include <optional>

namespace lab::storage {

/// Signals by a channel of Redis, to every process that listens, the sender too. Needs of the
/// server: SUBSCRIBE and PUBLISH on that channel.
class RedisSignals final : public Signals {
  public:
    /// `client` outlives it.
    RedisSignals(redis::BlockingClient& client, std::string channel);

    /// Once. `heard`: on the client's thread, where it must not wait; with nullptr when signals may
    /// have been lost.
    void listen(std::function<void(const Signal*)> heard);
    void send(const Signal& signal) override;

    /// As it is published: "user 0f1e...". nullopt for what is no signal.
    static std::string write(const Signal& signal);
    static std::optional<Signal> read(std::string_view message);

  private:
    redis::BlockingClient& client_;
    const std::string channel_;
};

}  // namespace lab::storage
