#pragma once
#include "storage/cache/buckets.h"

#include <memory>

namespace lab::storage {

/// Buckets of this process. It can follow others that are shared, so that it takes over where they
/// were when they cannot be asked. Spread over shards with a lock each.
class MemoryBuckets final : public Buckets {
  public:
    /// `principals_max`: beyond that the one seen longest ago is forgotten.
    MemoryBuckets(const Clock& clock, std::size_t principals_max);
    ~MemoryBuckets() override;

    /// Never fails.
    Result<BucketState> take(const BucketAsk& ask) override;
    /// How the shared ones stand; what was taken here is settled with that.
    void follow(const BucketAsk& ask, const BucketState& state);
    /// What was let through here since this was last asked, for BucketAsk::owed. 0 when that began
    /// more than a second ago: then the shared ones were away, and everybody was on their own.
    std::int64_t take_owed(std::string_view principal);
    /// It could not be settled.
    void give_back(std::string_view principal, std::int64_t owed);
    /// How many principals are remembered.
    std::size_t size() const;

  private:
    struct Shard;
    Shard& shard_of(std::string_view principal) const;
    const Clock& clock_;
    const std::size_t per_shard_max_;
    std::unique_ptr<Shard[]> shards_;
};

}  // namespace lab::storage
