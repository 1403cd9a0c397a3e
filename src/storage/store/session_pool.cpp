#include "storage/store/session_pool.h"

#include "base/hash.h"

#include <algorithm>
#include <utility>

namespace lab::storage {
namespace {

constexpr Duration kPauseMin = std::chrono::milliseconds(50);
constexpr std::uint64_t kDoublingsMax = 5;
/// A connection that does not answer within this is as good as gone.
constexpr Duration kCheckMax = std::chrono::seconds(2);
constexpr Duration kPatienceMin = std::chrono::milliseconds(100);
/// Whoever gets his turn at the end of his patience may still try.
constexpr Duration kOpenMin = std::chrono::milliseconds(500);

/// Between half and one and a half of it.
Duration pause_after(std::uint64_t failures, std::uint64_t seed) {
    const auto base = kPauseMin * (std::int64_t{1} << std::min(failures - 1, kDoublingsMax));
    const auto share = static_cast<std::int64_t>(mix64(seed ^ failures) % 1024);
    return base / 2 + base * share / 1024;
}

}  // namespace

SessionPool::Lease::Lease(SessionPool& pool, std::unique_ptr<Session> session)
    : pool_(&pool), session_(std::move(session)) {}

SessionPool::Lease::Lease(Lease&& other) noexcept
    : pool_(std::exchange(other.pool_, nullptr)), session_(std::move(other.session_)) {}

SessionPool::Lease::~Lease() {
    if (pool_ != nullptr) {
        pool_->give_back(std::move(session_));
    }
}

SessionPool::SessionPool(Database& database, const SessionPoolOptions& options)
    : database_(database),
      options_([&] {
          SessionPoolOptions out = options;
          out.max = std::max<std::size_t>(1, out.max);
          out.opening_max = std::max<std::size_t>(1, out.opening_max);
          return out;
      }()),
      max_(options_.max) {}

SessionPool::~SessionPool() {
    LAB_ASSERT(open_ == idle_.size(), "no session is on loan when its pool goes");
}

bool SessionPool::may_open(TimePoint now) const {
    const std::size_t at_once = failures_ == 0 ? options_.opening_max : 1;
    return open_ < max_ && opening_ < at_once && now >= retry_at_;
}

Result<std::unique_ptr<Session>> SessionPool::open(
    const Ctx& ctx, Duration limit, std::unique_lock<std::mutex>& lock
) {
    ++open_;
    ++opening_;
    lock.unlock();
    auto session = database_.open_session(ctx.within(limit));
    const bool given_up = !ctx.check();
    if (!session && !given_up && session.error().code == Code::timed_out) {
        Error error(Code::unavailable, "the database does not answer: try again in a moment");
        error.cause = session.error().cause;
        session = std::move(error);
    }
    lock.lock();
    --opening_;
    if (session) {
        failures_ = 0;
        retry_at_ = TimePoint::min();
    } else {
        --open_;
        // Whoever gives up says nothing about the database.
        if (!given_up) {
            ++failures_;
            retry_at_ = ctx.clock().now() + pause_after(failures_, options_.seed);
            last_error_ = session.error();
        }
    }
    freed_.notify_all();
    return session;
}

/// Closing may take a moment, and is nobody else's to wait for.
void SessionPool::drop(std::unique_ptr<Session> session, std::unique_lock<std::mutex>& lock) {
    lock.unlock();
    session.reset();
    lock.lock();
    --open_;
    freed_.notify_one();
}

Result<SessionPool::Lease> SessionPool::acquire(const Ctx& ctx, Duration patience) {
    LAB_CHECK(ctx.check());
    const TimePoint begun = ctx.clock().now();
    const Duration wait_max = std::min({options_.wait_max, patience, ctx.remaining()});
    const auto lend = [&](std::unique_ptr<Session> session) {
        const Duration left = patience - (ctx.clock().now() - begun);
        session->set_patience(
            patience == Duration::max() ? patience : std::max(left, kPatienceMin)
        );
        return Lease(*this, std::move(session));
    };
    Duration waited = Duration::zero();  // counted, so that it ends with any clock
    std::unique_lock lock(mutex_);
    for (;;) {
        now_ = std::max(ctx.clock().now(), now_);
        if (!idle_.empty()) {
            std::unique_ptr<Session> session = std::move(idle_.back().session);
            idle_.pop_back();
            lock.unlock();
            session->set_patience(kCheckMax);
            const Status usable = session->check(ctx.within(kCheckMax));
            if (usable) {
                return lend(std::move(session));
            }
            lock.lock();
            drop(std::move(session), lock);
            LAB_CHECK(ctx.check());
            continue;
        }
        const Duration left = wait_max - std::max(waited, ctx.clock().now() - begun);
        if (may_open(ctx.clock().now())) {
            auto session = open(ctx, std::max(left, kOpenMin), lock);
            if (!session) {
                return session.error();
            }
            return lend(*std::move(session));
        }
        if (left <= Duration::zero()) {
            return failures_ > 0
                       ? last_error_
                       : Error(Code::unavailable, "the database is busy: try again in a moment");
        }
        // Nobody is woken by the end of a pause.
        const Duration pause = failures_ > 0 ? std::min(left, kPauseMin) : left;
        ++waiters_;
        const auto before = std::chrono::steady_clock::now();
        freed_.wait_for(lock, pause, [&] { return !idle_.empty() || may_open(ctx.clock().now()); });
        waited += std::chrono::steady_clock::now() - before;
        --waiters_;
    }
}

void SessionPool::give_back(std::unique_ptr<Session> session) {
    std::unique_lock lock(mutex_);
    if (open_ > max_) {
        drop(std::move(session), lock);
        return;
    }
    idle_.push_back({.session = std::move(session), .since = now_});
    lock.unlock();
    freed_.notify_one();
}

void SessionPool::resize(std::size_t max) {
    std::unique_lock lock(mutex_);
    max_ = std::max<std::size_t>(1, max);
    while (open_ > max_ && !idle_.empty()) {
        std::unique_ptr<Session> oldest = std::move(idle_.front().session);
        idle_.erase(idle_.begin());
        drop(std::move(oldest), lock);
    }
    lock.unlock();
    freed_.notify_all();
}

/// Those that lie there since before `before`, the oldest first.
std::vector<SessionPool::Idle> SessionPool::take_idle(TimePoint before) {
    const auto newer =
        std::ranges::find_if(idle_, [&](const Idle& one) { return one.since >= before; });
    std::vector<Idle> out(std::make_move_iterator(idle_.begin()), std::make_move_iterator(newer));
    idle_.erase(idle_.begin(), newer);
    return out;
}

Status SessionPool::tend(const Ctx& ctx) {
    std::unique_lock lock(mutex_);
    now_ = std::max(ctx.clock().now(), now_);
    std::vector<Idle> old = take_idle(now_ - options_.idle_max);
    for (Idle& one : old) {
        if (open_ > min()) {
            drop(std::move(one.session), lock);
        } else {
            one.since = now_;
            idle_.insert(idle_.begin(), std::move(one));
        }
    }
    // One after the other, so that there is always something to lend.
    for (std::size_t i = 0, count = idle_.size(); i < count && !idle_.empty(); ++i) {
        Idle one = std::move(idle_.front());
        idle_.erase(idle_.begin());
        lock.unlock();
        one.session->set_patience(kCheckMax);
        const Status usable = one.session->check(ctx.within(kCheckMax));
        lock.lock();
        if (usable && open_ <= max_) {
            idle_.push_back(std::move(one));
            freed_.notify_one();
        } else {
            drop(std::move(one.session), lock);
        }
    }
    while (open_ < min() && may_open(ctx.clock().now())) {
        auto session = open(ctx, std::max(options_.wait_max, kOpenMin), lock);
        if (!session) {
            return session.error();
        }
        idle_.insert(idle_.begin(), Idle{.session = *std::move(session), .since = now_});
        freed_.notify_one();
    }
    return ok();
}

SessionPoolStats SessionPool::stats() const {
    const std::lock_guard lock(mutex_);
    return {
        .active = open_ - idle_.size(),
        .idle = idle_.size(),
        .max = max_,
        .waiters = waiters_,
    };
}

}  // namespace lab::storage
