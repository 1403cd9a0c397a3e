#include "storage/store/session_pool.h"

#include <algorithm>
#include <utility>

namespace lab::storage {

SessionPool::Lease::Lease(SessionPool& pool, std::unique_ptr<Session> session)
    : pool_(&pool), session_(std::move(session)) {}

SessionPool::Lease::Lease(Lease&& other) noexcept
    : pool_(std::exchange(other.pool_, nullptr)), session_(std::move(other.session_)) {}

SessionPool::Lease::~Lease() {
    if (pool_ != nullptr) {
        pool_->give_back(std::move(session_));
    }
}

SessionPool::SessionPool(Database& database, std::size_t max, Duration wait_max)
    : database_(database), max_(std::max<std::size_t>(1, max)), wait_max_(wait_max) {}

SessionPool::~SessionPool() {
    LAB_ASSERT(open_ == idle_.size(), "no session is on loan when its pool goes");
}

Result<SessionPool::Lease> SessionPool::acquire(const Ctx& ctx) {
    LAB_CHECK(ctx.check());
    {
        std::unique_lock lock(mutex_);
        if (idle_.empty() && open_ >= max_) {
            ++waiters_;
            const Duration wait = std::min(wait_max_, ctx.remaining());
            const bool came =
                freed_.wait_for(lock, wait, [&] { return !idle_.empty() || open_ < max_; });
            --waiters_;
            if (!came) {
                return Error(Code::unavailable, "the database is busy: try again in a moment");
            }
        }
        if (!idle_.empty()) {
            std::unique_ptr<Session> session = std::move(idle_.back());
            idle_.pop_back();
            return Lease(*this, std::move(session));
        }
        ++open_;
    }
    auto session = database_.open_session(ctx);
    if (!session) {
        {
            const std::lock_guard lock(mutex_);
            --open_;
        }
        freed_.notify_one();
        return session.error();
    }
    return Lease(*this, *std::move(session));
}

void SessionPool::give_back(std::unique_ptr<Session> session) {
    {
        const std::lock_guard lock(mutex_);
        idle_.push_back(std::move(session));
    }
    freed_.notify_one();
}

SessionPoolStats SessionPool::stats() const {
    const std::lock_guard lock(mutex_);
    return {.active = open_ - idle_.size(), .idle = idle_.size(), .max = max_, .waiters = waiters_};
}

}  // namespace lab::storage
