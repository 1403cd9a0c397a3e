#pragma once
#include "providers/provider.h"

#include <memory>
#include <string_view>

namespace lab::providers {

/// One call that ended, for metrics.
struct CallTold {
    std::string_view provider;  ///< as the experiment names it
    std::string_view model;
    const CallResult& result;
    std::optional<Money> cost;  ///< nullopt when no price is known, or nothing was billed
};

/// Is told on the loop's thread.
class CallObserver {
  public:
    virtual ~CallObserver() = default;
    virtual void on_call(const CallTold& call) = 0;
};

/// The same provider, which tells of each call before its asker hears of it. Replayed answers are
/// no calls. `observer` outlives it.
std::unique_ptr<Provider> observe_provider(
    std::unique_ptr<Provider> provider,
    const domain::ModelSpec& model,
    std::optional<domain::Pricing> pricing,
    CallObserver& observer
);

/// "ok", "rate_limited", ...
std::string_view to_string(Outcome outcome);

}  // namespace lab::providers
