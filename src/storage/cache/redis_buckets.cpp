#include "storage/cache/redis_buckets.h"

#include "base/text.h"
#include "platform/crypto/sha1.h"
#include "storage/cache/impl/traced.h"

#include <algorithm>

namespace lab::storage {
namespace {

// KEYS[1]: the bucket, a hash: t tokens, f when they were counted, h when the hour began, u used in
// it; times in microseconds of the server's clock. ARGV: rate, capacity, per_hour, owed. Gives
// allowed, tokens in millionths, used, age of the hour in microseconds. As MemoryBuckets::take; a
// clock that runs backwards (another server took over) refills nothing.
constexpr std::string_view kScript = R"lua(
local rate, capacity = tonumber(ARGV[1]), tonumber(ARGV[2])
local per_hour, owed = tonumber(ARGV[3]), tonumber(ARGV[4])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local had = redis.call('HMGET', KEYS[1], 't', 'f', 'h', 'u')
local tokens = tonumber(had[1] or '') or capacity
local filled = tonumber(had[2] or '') or now
local hour = math.min(tonumber(had[3] or '') or now, now)
local used = tonumber(had[4] or '') or 0
tokens = math.min(capacity, tokens + math.max(0, now - filled) * rate / 1000000)
if now - hour >= 3600000000 then
  hour, used = now, 0
end
if owed > 0 then
  tokens = math.max(-capacity, tokens - owed)
  used = used + owed
end
local allowed = 0
if tokens >= 1 - 1e-9 and (per_hour == 0 or used < per_hour) then
  allowed, tokens, used = 1, tokens - 1, used + 1
end
local life = (capacity - tokens) / rate * 1000
if per_hour > 0 then
  life = math.max(life, (hour + 3600000000 - now) / 1000)
end
redis.call('HSET', KEYS[1], 't', tokens, 'f', now, 'h', hour, 'u', used)
redis.call('PEXPIRE', KEYS[1], math.ceil(life) + 1000)
return {allowed, math.floor(tokens * 1000000 + 0.5), used, now - hour}
)lua";

/// Longer than a bucket of one token an hour could want.
constexpr double kRateMin = 1e-6;

}  // namespace

std::string_view RedisBuckets::script() { return kScript; }

RedisBuckets::RedisBuckets(redis::BlockingClient& client, std::string prefix, Duration patience)
    : client_(client), prefix_(std::move(prefix)), patience_(patience), sha1_(sha1_hex(kScript)) {}

Result<BucketState> RedisBuckets::take(const BucketAsk& ask) {
    std::string key = prefix_ + std::string(ask.principal);
    redis::Command command{
        {"EVALSHA",
         sha1_,
         "1",
         key,
         format_double(std::max(kRateMin, ask.rate)),
         format_double(ask.capacity),
         std::to_string(ask.per_hour),
         std::to_string(ask.owed)},
        std::move(key)
    };
    LAB_TRY(redis::Value reply, traced_call(client_, command, patience_));
    if (reply.is_error("NOSCRIPT")) {  // a server that is new to it, or has started again
        command.words[0] = "EVAL";
        command.words[1] = kScript;
        LAB_TRY(reply, traced_call(client_, std::move(command), patience_));
    }
    if (reply.is_error()) {
        return redis::refusal(reply);
    }
    const bool is_state =
        reply.items.size() == 4 && std::ranges::all_of(reply.items, [](const redis::Value& one) {
            return one.kind == redis::Value::Kind::integer;
        });
    if (!is_state) {
        return Error(Code::upstream_error, "Redis: this is not the state of a bucket");
    }
    BucketState out;
    out.allowed = reply.items[0].integer == 1;
    out.tokens = static_cast<double>(reply.items[1].integer) / 1e6;
    out.hour_used = reply.items[2].integer;
    out.hour_age = std::chrono::microseconds(reply.items[3].integer);
    return out;
}

}  // namespace lab::storage
