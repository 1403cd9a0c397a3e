#pragma once
#include "service/request.h"

#include <optional>
#include <string>

namespace lab::service {

/// What was answered to a request that came before.
struct KeptAnswer {
    int status = 0;
    std::string response;
};

/// One request that says it may come twice (header Idempotency-Key). Of one caller; another
/// caller's key is another key.
class Idempotent {
  public:
    /// `hash`: of everything the answer depends on. `request` outlives it.
    Idempotent(const Request& request, std::string key, std::string hash);
    /// nullopt: it is ours to carry out, and whoever sends it meanwhile is told so. Else what was
    /// answered within the last day. Errors: conflict when it is under way, or when the key belongs
    /// to another request.
    Result<std::optional<KeptAnswer>> claim();
    Status finish(int status, const std::string& response);
    Status release();

  private:
    const Request& request_;
    std::string key_;
    std::string hash_;
};

/// Forgets answers older than a day, some at a time.
Status purge_idempotent(const Request& request);

}  // namespace lab::service
