#include "app/shared.h"

#include <nlohmann/json.hpp>

namespace lab::app {
namespace {

/// So long a request waits for Redis; after that it is limited without.
constexpr Duration kPatience = std::chrono::milliseconds(50);
constexpr Duration kFirstConnection = std::chrono::milliseconds(500);
constexpr Duration kPing = std::chrono::milliseconds(500);
constexpr std::string_view kLimitKeys = "llm-research:limit:";
constexpr std::string_view kTextKeys = "llm-research:text:";
constexpr std::string_view kSignals = "llm-research:signals";

}  // namespace

Status Shared::open(const CacheSettings& settings, std::string_view version) {
    if (settings.redis_url.empty()) {
        return ok();
    }
    redis::ClientOptions options;
    LAB_TRY(options.endpoint, redis::parse_url(settings.redis_url));
    options.cluster = settings.redis_cluster;
    options.patience = kPatience;
    LAB_TRY(client_, redis::BlockingClient::start(clock_, std::move(options)));
    buckets_ =
        std::make_unique<storage::RedisBuckets>(*client_, std::string(kLimitKeys), kPatience);
    if (settings.enabled && settings.lifetime.count() > 0) {
        // Two releases may write the same report differently.
        texts_ = std::make_unique<storage::RedisTexts>(
            *client_,
            storage::RedisTexts::Options{
                .prefix = std::string(kTextKeys) + std::string(version) + ":",
                .lifetime = settings.lifetime,
                .patience = kPatience,
            }
        );
    }
    signals_ = std::make_unique<storage::RedisSignals>(*client_, std::string(kSignals));
    static_cast<void>(client_->wait_until_usable(kFirstConnection));
    return ok();
}

void Shared::send(const storage::Signal& signal) {
    if (signals_) {
        signals_->send(signal);
    }
}

void Shared::listen(std::function<void(const storage::Signal*)> heard) {
    if (!signals_) {
        return;
    }
    {
        const std::lock_guard lock(ear_mutex_);
        heard_ = std::move(heard);
    }
    signals_->listen([this](const storage::Signal* signal) {
        const std::lock_guard lock(ear_mutex_);
        if (heard_) {
            heard_(signal);
        }
    });
}

void Shared::deafen() {
    const std::lock_guard lock(ear_mutex_);
    heard_ = nullptr;
}

void Shared::set_paused(bool paused) {
    if (client_) {
        paused_ = paused;
        client_->set_paused(paused);
    }
}

Shared::Health Shared::look() const {
    if (paused_) {
        return Health::paused;
    }
    const redis::ClientState state = client_->state();
    return state.whole ? Health::good : state.usable ? Health::partly : Health::away;
}

std::string Shared::message(Health health) {
    switch (health) {
        case Health::good:
            return "";
        case Health::partly:
            return "a part of the Redis cluster cannot be reached: what is there counts in each "
                   "process";
        case Health::paused:
            return "Redis is not used: an operator opened its breaker";
        case Health::away:
            break;
    }
    return "Redis cannot be reached: limits and caches are those of each process";
}

api::ComponentHealth Shared::component(Health health) const {
    using Status = api::ComponentHealth::Status;
    api::ComponentHealth out{.name = "cache", .critical = false};
    out.status = health == Health::good ? Status::healthy : Status::degraded;
    out.message = message(health);
    if (health == Health::good) {
        const TimePoint begun = clock_.now();
        static_cast<void>(client_->call({{"PING"}, ""}, kPing));
        out.latency = clock_.now() - begun;
    }
    return out;
}

std::string Shared::trouble() const { return client_ ? client_->state().trouble : ""; }

Json Shared::counts() const {
    const redis::ClientState state = client_->state();
    return {
        {"connections", state.nodes}, {"redirected", state.moved}, {"unanswered", state.failed}
    };
}

}  // namespace lab::app
