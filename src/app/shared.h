#pragma once
#include "api/health.h"
#include "platform/config/server_settings.h"
#include "platform/json/json.h"
#include "storage/cache/redis_buckets.h"
#include "storage/cache/redis_signals.h"
#include "storage/cache/redis_texts.h"

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

namespace lab::app {

/// What this process shares with others over Redis; nothing without REDIS_URL. Redis may be away
/// when it is opened, and at any time after that. Any thread, once it is open.
class Shared {
  public:
    enum class Health : std::uint8_t {
        good,
        partly,  ///< some nodes of a cluster cannot be asked
        paused,  ///< an operator forced its breaker open
        away,
    };

    explicit Shared(const Clock& clock) : clock_(clock) {}

    /// Waits a moment for the first connection, so that a process is whole when it begins.
    /// Errors: validation; io when the certificates of the system cannot be read.
    Status open(const CacheSettings& settings, std::string_view version);
    bool is_configured() const { return client_ != nullptr; }
    /// Null without Redis.
    storage::Buckets* buckets() { return buckets_.get(); }
    storage::Texts* texts() { return texts_.get(); }
    /// To every process, this one too; nothing without Redis.
    void send(const storage::Signal& signal);
    /// Once. `heard` must not wait; it is called with nullptr when signals may have been lost.
    void listen(std::function<void(const storage::Signal*)> heard);
    /// Nothing is heard any more when this returns.
    void deafen();

    void set_paused(bool paused);
    Health look() const;
    /// For people; names no host.
    static std::string message(Health health);
    api::ComponentHealth component(Health health) const;
    /// What went wrong last, with the address of a server; for the log.
    std::string trouble() const;
    /// Connections, calls that went elsewhere than where they were sent, calls without an answer.
    Json counts() const;

  private:
    const Clock& clock_;
    std::atomic<bool> paused_ = false;
    std::unique_ptr<redis::BlockingClient> client_;
    std::unique_ptr<storage::RedisBuckets> buckets_;
    std::unique_ptr<storage::RedisTexts> texts_;
    std::unique_ptr<storage::RedisSignals> signals_;
    std::mutex ear_mutex_;
    std::function<void(const storage::Signal*)> heard_;
};

}  // namespace lab::app
