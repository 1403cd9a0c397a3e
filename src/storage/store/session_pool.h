#pragma once
#include "storage/store/session.h"

#include <condition_variable>
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

/// Sessions for many threads, opened when first needed and used again. Any thread.
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

    /// At most `max` sessions; who finds none waits `wait_max`, or until its own deadline.
    SessionPool(Database& database, std::size_t max, Duration wait_max);
    ~SessionPool();
    SessionPool(const SessionPool&) = delete;
    SessionPool& operator=(const SessionPool&) = delete;

    /// Errors: unavailable when none came free in time; those of Database::open_session.
    Result<Lease> acquire(const Ctx& ctx);
    SessionPoolStats stats() const;

  private:
    void give_back(std::unique_ptr<Session> session);

    Database& database_;
    const std::size_t max_;
    const Duration wait_max_;
    mutable std::mutex mutex_;
    std::condition_variable freed_;
    std::vector<std::unique_ptr<Session>> idle_;  ///< last used last
    std::size_t open_ = 0;
    std::size_t waiters_ = 0;
};

}  // namespace lab::storage
