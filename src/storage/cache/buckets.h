#pragma once
#include "base/clock.h"
#include "base/result.h"

#include <cstdint>
#include <string_view>

namespace lab::storage {

/// One request of somebody, and what they may do.
struct BucketAsk {
    std::string_view principal;  ///< whatever is limited together
    double rate = 1;             ///< tokens a second, > 0
    double capacity = 1;         ///< tokens that a full bucket holds, >= 1
    std::int64_t per_hour = 0;   ///< requests of an hour; 0: as many as they like
    /// Requests that were let through a moment ago without asking here.
    std::int64_t owed = 0;
};

/// How it stands after the request.
struct BucketState {
    bool allowed = false;
    double tokens = 0;  ///< may be less than nothing after something was owed
    std::int64_t hour_used = 0;
    Duration hour_age{};  ///< since the first request of the hour
};

/// What a sum of parts of a token may lack of a whole one by rounding.
constexpr double kTokenRounding = 1e-9;

/// A token bucket (Turner 1986) and a number of requests in an hour that begins with the first of
/// them, for each principal. A request counts in both or, when one refuses it, in neither. Any
/// thread.
class Buckets {
  public:
    virtual ~Buckets() = default;
    /// Errors: unavailable, timed_out, upstream_error where others are asked.
    virtual Result<BucketState> take(const BucketAsk& ask) = 0;
};

}  // namespace lab::storage
