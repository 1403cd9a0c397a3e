#pragma once
#include "base/clock.h"
#include "service/caller.h"
#include "storage/cache/memory_buckets.h"

#include <atomic>
#include <string>
#include <string_view>

namespace lab::service {

struct RateLimitConfig {
    double requests_per_second = 100;  ///< how fast a bucket fills
    double burst = 200;                ///< how much it holds; a tier may lower it
    /// What an anonymous caller has of both.
    double anonymous_share = 0.1;
    /// Principals that are remembered; beyond that the one seen longest ago is forgotten.
    std::size_t principals_max = 50'000;
    /// Tells this limiter's shared buckets from those of others.
    std::string name = "api";
};

/// What became of one request, told for the window that is nearest to its end.
struct RateDecision {
    bool allowed = true;
    bool limited = true;  ///< false: nothing limits this caller, and there is nothing to tell
    std::int64_t limit = 0;
    std::int64_t remaining = 0;
    std::int64_t reset_unix_s = 0;   ///< when the window is whole again
    std::int64_t retry_after_s = 0;  ///< >= 1 when not allowed: by then one request is
};

/// Two windows for each principal: a token bucket (Turner 1986), and a number of requests in an
/// hour that begins with the first of them. A request counts in both or, when one refuses it, in
/// neither. Callers of the tier `unlimited` have neither window, anonymous ones no hour.
/// Where buckets are shared between processes those decide; while they cannot be asked, each
/// process goes on by itself from where they were last seen. Any thread.
class RateLimiter {
  public:
    RateLimiter(RateLimitConfig config, const Clock& clock);
    RateLimiter(const RateLimiter&) = delete;
    RateLimiter& operator=(const RateLimiter&) = delete;

    /// From the next decision on. Both as in the configuration.
    void set_rate(double requests_per_second, double burst);
    /// Before anybody asks. `buckets` outlives the last decision.
    void share(storage::Buckets& buckets) { shared_ = &buckets; }

    RateDecision decide(const Caller& caller);
    /// `principal`: whatever is limited together.
    RateDecision decide(std::string_view principal, domain::Tier tier, bool is_anonymous);
    /// How many principals are remembered.
    std::size_t size() const { return local_.size(); }
    /// Decisions that the shared buckets could not make.
    std::uint64_t alone() const { return alone_; }

  private:
    storage::BucketState take(const storage::BucketAsk& ask);

    const RateLimitConfig config_;
    std::atomic<double> rate_;
    std::atomic<double> burst_;
    const Clock& clock_;
    storage::MemoryBuckets local_;
    storage::Buckets* shared_ = nullptr;
    std::atomic<std::uint64_t> alone_ = 0;
};

/// Who is limited together: a user, a key, or the network of an anonymous caller.
std::string principal_of(const Caller& caller);

/// What one customer of a provider has: the address itself, of IPv6 the first 64 bits (RFC 6177).
/// Text that is no address comes back as it is.
std::string network_of(std::string_view ip);

/// For a request that was refused: rate_limited, with `retry_after`, `limit`, `remaining` and
/// `reset_at` (Unix seconds) in the details.
Error rate_limit_error(const RateDecision& decision);

}  // namespace lab::service
