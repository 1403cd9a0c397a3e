#pragma once
#include "base/clock.h"
#include "service/cache_stats.h"
#include "service/caller.h"

#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace lab::service {

/// Who a credential was found to belong to, for a moment. Keys are whole SHA-256 digests of kind
/// and credential, so that no two credentials meet. Any thread.
class CredentialCache {
  public:
    CredentialCache(const Clock& clock, Duration life, std::size_t entries_max);

    std::optional<Caller> find(std::string_view digest);

    /// To be asked before the store is: what is found there may be outdated by the time it is put.
    std::uint64_t generation() const;
    /// Nothing happens when something was forgotten since `generation`. `family`: of the login that
    /// a token descends from. `life`: at most this long.
    void put(
        std::string digest,
        Caller caller,
        std::string family,
        Duration life,
        std::uint64_t generation
    );

    /// From here on nobody is let in by what was found before.
    void forget_user(std::string_view user_id);
    void forget_key(std::string_view key_id);
    void forget_login(std::string_view family);
    std::size_t size() const;
    CacheStats stats() const;

  private:
    struct Entry {
        std::string digest;
        Caller caller;
        std::string family;
        TimePoint until;
    };
    using Entries = std::list<Entry>;
    template <class Matches>
    void forget(const Matches& matches);

    const Clock& clock_;
    const Duration life_;
    const std::size_t entries_max_;
    mutable std::mutex mutex_;
    Entries entries_;  ///< put first first
    std::unordered_map<std::string_view, Entries::iterator> by_digest_;
    std::uint64_t generation_ = 0;
    CacheStats counted_;  ///< without its size
};

}  // namespace lab::service
