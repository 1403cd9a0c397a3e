#pragma once
#include "storage/store/session.h"

#include <optional>
#include <string>

namespace lab::storage {

/// A request that says it may come twice, and what was answered.
struct IdempotentRequest {
    std::int64_t org = 1;
    std::string caller;  ///< who sent it: the same key of two callers is two keys
    std::string key;     ///< the header Idempotency-Key
    std::string hash;    ///< 32 raw bytes, of everything the answer depends on
};

struct IdempotentAnswer {
    std::string hash;  ///< of the request it belongs to
    int status = 0;    ///< 0: still under way
    std::string response;
};

/// Answers to requests that carried an Idempotency-Key. Borrows the session; same thread rule.
class IdempotencyKeys {
  public:
    explicit IdempotencyKeys(Session& session) : session_(session) {}
    /// nullopt: the key is ours now, and whoever comes with it finds it under way until finish() or
    /// release(). Else what is there; the caller compares the hashes. An answer from before
    /// `expired_before`, and one under way since before `abandoned_before` (its process died), make
    /// way.
    Result<std::optional<IdempotentAnswer>> claim(
        const Ctx& ctx,
        const IdempotentRequest& request,
        std::string_view at,
        std::string_view expired_before,
        std::string_view abandoned_before
    );
    /// Keeps the answer. false: the claim was lost to somebody else meanwhile.
    Result<bool> finish(
        const Ctx& ctx, const IdempotentRequest& request, int status, std::string_view response
    );
    /// Gives the key back: the request came to nothing and may be tried again.
    Status release(const Ctx& ctx, const IdempotentRequest& request);
    /// Forgets what is older; at most `rows_max`. Gives how many.
    Result<std::int64_t> purge(const Ctx& ctx, std::string_view before, std::int64_t rows_max);

  private:
    Session& session_;
};

}  // namespace lab::storage
