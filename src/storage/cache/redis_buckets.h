#pragma once
#include "platform/redis/blocking_client.h"
#include "storage/cache/buckets.h"

#include <string>

namespace lab::storage {

/// Buckets that all processes over one Redis share. Both windows are looked at and counted in by
/// one script, which the server runs whole; time is the server's. A bucket that is full again is
/// forgotten. Needs of the server: HMGET, HSET, PEXPIRE, TIME, EVAL, EVALSHA on keys that begin
/// with `prefix`.
class RedisBuckets final : public Buckets {
  public:
    /// `client` outlives it. `patience`: a server that takes longer counts as away.
    RedisBuckets(redis::BlockingClient& client, std::string prefix, Duration patience);

    Result<BucketState> take(const BucketAsk& ask) override;

    /// Its SHA-1 is how a server knows it.
    static std::string_view script();

  private:
    redis::BlockingClient& client_;
    const std::string prefix_;
    const Duration patience_;
    const std::string sha1_;
};

}  // namespace lab::storage
