#pragma once
#include "storage/store/session.h"

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace lab::storage {

struct SessionPoolStats {
    std::size_t active = 0;
    std::size_t idle = 0;
    std::size_t max = 0;
    std::size_t waiters = 0;
};

struct SessionPoolOptions {
    std::size_t max = 1;  ///< sessions at once, until resize()
    std::size_t min = 0;  ///< kept open by tend(), however little there is to do
    /// Who finds none waits this long, or until its own deadline.
    Duration wait_max = std::chrono::seconds(3);
    Duration idle_max = std::chrono::minutes(10);  ///< beyond `min`, tend() closes what lay so long
    std::size_t opening_max = 4;                   ///< connections that are being made at once
    std::uint64_t seed = 0;                        ///< of the jitter between attempts to connect
};

/// Sessions for many threads, opened when first needed and used again. Any thread.
///
/// A database that is away is not stormed when it comes back: after a failure one session at a time
/// is opened, after a pause that doubles from 50 ms to 1.6 s, with jitter, until one succeeds. A
/// session that lay idle is checked before it is lent, so that a restart of the server fails
/// nobody.
class SessionPool {
  public:
    /// A session on loan: given back when it goes.
    class Lease {
      public:
        Lease(Lease&& other) noexcept;
        Lease& operator=(Lease&&) = delete;
        ~Lease();
        Session& operator*() const { return *session_; }
        Session* operator->() const { return session_.get(); }

      private:
        friend class SessionPool;
        Lease(SessionPool& pool, std::unique_ptr<Session> session);
        SessionPool* pool_;
        std::unique_ptr<Session> session_;
    };

    SessionPool(Database& database, const SessionPoolOptions& options);
    SessionPool(Database& database, std::size_t max, Duration wait_max)
        : SessionPool(database, {.max = max, .wait_max = wait_max}) {}
    ~SessionPool();
    SessionPool(const SessionPool&) = delete;
    SessionPool& operator=(const SessionPool&) = delete;

    /// With this patience, from which the wait for it is taken (Session::set_patience). Errors:
    /// unavailable when none came free in time; those of Database::open_session.
    Result<Lease> acquire(const Ctx& ctx, Duration patience = Duration::max());
    /// Now and then: opens sessions up to `min`, lets go of dead ones and of those beyond it that
    /// nobody needs. Errors: those of Database::open_session.
    Status tend(const Ctx& ctx);
    /// From now on at most so many, at least one. Those that are lent beyond it are closed when
    /// they come back.
    void resize(std::size_t max);
    SessionPoolStats stats() const;

  private:
    struct Idle {
        std::unique_ptr<Session> session;
        TimePoint since;
    };
    void give_back(std::unique_ptr<Session> session);
    /// Under the lock: whether one more may be opened now.
    bool may_open(TimePoint now) const;
    std::size_t min() const { return std::min(options_.min, max_); }
    Result<std::unique_ptr<Session>> open(
        const Ctx& ctx, Duration limit, std::unique_lock<std::mutex>& lock
    );
    void drop(std::unique_ptr<Session> session, std::unique_lock<std::mutex>& lock);
    std::vector<Idle> take_idle(TimePoint before);

    Database& database_;
    const SessionPoolOptions options_;
    mutable std::mutex mutex_;
    std::size_t max_;
    std::condition_variable freed_;
    std::vector<Idle> idle_;  ///< last used last
    std::size_t open_ = 0;    ///< with those that are being opened
    std::size_t opening_ = 0;
    std::size_t waiters_ = 0;
    std::uint64_t failures_ = 0;  ///< to connect, one after the other
    TimePoint retry_at_ = TimePoint::min();
    TimePoint now_ = TimePoint::min();  ///< as the latest caller's clock says
    Error last_error_;
};

}  // namespace lab::storage
