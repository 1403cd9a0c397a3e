#include "service/audit.h"
#include "service/impl/audit_record.h"

#include <condition_variable>
#include <deque>
#include <mutex>

namespace lab::service {
namespace {

constexpr Duration kWriteMax = std::chrono::seconds(5);
/// Between two looks at a deadline that may be of another clock.
constexpr Duration kLook = std::chrono::milliseconds(20);

std::size_t bytes_of(const AuditRecord& record) {
    return sizeof(AuditRecord) + record.row.details.size() + record.row.actor.size() +
           record.row.resource.size() + record.row.outcome.size() + record.row.user_agent.size();
}

/// Whether the same may work later.
bool may_pass(const Error& error) {
    return error.code == Code::unavailable || error.code == Code::timed_out ||
           error.code == Code::io || error.code == Code::cancelled;
}

using Batch = std::vector<AuditRecord>;

}  // namespace

struct AuditLog::Impl : std::enable_shared_from_this<AuditLog::Impl> {
    Impl(
        Worker& worker_,
        storage::SessionPool& sessions_,
        const Clock& clock_,
        UuidSource& uuids_,
        AuditLimits limits_
    )
        : worker(worker_), sessions(sessions_), clock(clock_), uuids(uuids_), limits(limits_) {}

    Worker& worker;
    storage::SessionPool& sessions;
    const Clock& clock;
    UuidSource& uuids;
    const AuditLimits limits;
    const CancelToken give_up_token;

    enum class Job : std::uint8_t { none, submitted, running };
    mutable std::mutex mutex;
    std::condition_variable changed;
    std::deque<AuditRecord> queue;
    std::size_t in_hand = 0;  ///< of the batch that is being written
    std::size_t bytes = 0;    ///< of both
    Job job = Job::none;
    bool stopping = false;
    bool given_up = false;
    std::uint64_t recorded = 0;
    std::uint64_t settled = 0;
    AuditStats stats;

    bool has_room() const {
        return queue.size() + in_hand < limits.queue_max && bytes < limits.queue_bytes_max;
    }
    Status wait_for_room(std::unique_lock<std::mutex>& lock, const Ctx& ctx);
    void work();
    void write_until_done(std::unique_lock<std::mutex>& lock, Batch batch);
    Status write(const Batch& batch);
    std::size_t write_each(const Batch& batch);
};

/// Waits in real time, so that it ends with any clock.
Status AuditLog::Impl::wait_for_room(std::unique_lock<std::mutex>& lock, const Ctx& ctx) {
    Duration left = limits.wait_max;
    while (!has_room() && !stopping && left > Duration::zero() && ctx.check()) {
        const Duration step = std::min(left, kLook);
        changed.wait_for(lock, step);
        left -= step;
    }
    if (has_room() && !stopping) {
        return ok();
    }
    ++stats.refused;
    return Error(Code::unavailable, "the audit log cannot be written, so this was not done");
}

void AuditLog::Impl::work() {
    std::unique_lock lock(mutex);
    job = Job::running;
    while (!queue.empty() && !given_up) {
        Batch batch;
        while (!queue.empty() && batch.size() < limits.batch_max) {
            batch.push_back(std::move(queue.front()));
            queue.pop_front();
        }
        in_hand = batch.size();
        write_until_done(lock, std::move(batch));
    }
    job = Job::none;
    changed.notify_all();
}

void AuditLog::Impl::write_until_done(std::unique_lock<std::mutex>& lock, Batch batch) {
    std::size_t batch_bytes = 0;
    for (const AuditRecord& record : batch) {
        batch_bytes += bytes_of(record);
    }
    bool done = false;
    while (!done && !given_up) {
        lock.unlock();
        const Status status = write(batch);
        std::size_t lost = 0;
        done = status.has_value();
        if (!done && !may_pass(status.error())) {
            // One of them is to blame; the others need not go with it.
            lost = write_each(batch);
            done = true;
        }
        lock.lock();
        if (done) {
            stats.written += batch.size() - lost;
            stats.lost += lost;
        } else {
            ++stats.failures;
            changed.notify_all();
            changed.wait_for(lock, limits.retry_after, [this] { return given_up; });
        }
    }
    if (!done) {
        stats.lost += batch.size();
    }
    settled += batch.size();
    in_hand = 0;
    bytes -= batch_bytes;
    changed.notify_all();
}

Status AuditLog::Impl::write(const Batch& batch) {
    const Ctx ctx = Ctx(clock, give_up_token).within(kWriteMax);
    LAB_TRY(const auto session, sessions.acquire(ctx));
    LAB_TRY(auto transaction, storage::Transaction::begin(ctx, *session));
    storage::AuditTable table(*session);
    const std::string now = format_rfc3339(clock.wall());
    for (const AuditRecord& record : batch) {
        storage::AuditRow row = record.row;
        row.created_at = now;
        LAB_CHECK(table.add(ctx, row, record.words));
    }
    return transaction.commit(ctx);
}

/// How many the store refuses.
std::size_t AuditLog::Impl::write_each(const Batch& batch) {
    std::size_t lost = 0;
    for (const AuditRecord& record : batch) {
        lost += write({record}) ? 0 : 1;
    }
    return lost;
}

AuditLog::AuditLog(
    Worker& worker,
    storage::SessionPool& sessions,
    const Clock& clock,
    UuidSource& uuids,
    AuditLimits limits
)
    : impl_(std::make_shared<Impl>(worker, sessions, clock, uuids, limits)) {}

AuditLog::~AuditLog() { static_cast<void>(stop(std::chrono::seconds(2))); }

Status AuditLog::record(const Ctx& ctx, AuditEvent event, AuditDuty duty) {
    AuditRecord record = audit_record(event, impl_->uuids.next(), impl_->clock.wall());
    {
        std::unique_lock lock(impl_->mutex);
        if (duty == AuditDuty::required) {
            LAB_CHECK(impl_->wait_for_room(lock, ctx));
        } else if (!impl_->has_room() || impl_->stopping) {
            ++impl_->stats.dropped;
            return ok();
        }
        impl_->bytes += bytes_of(record);
        impl_->queue.push_back(std::move(record));
        ++impl_->recorded;
        if (impl_->job != Impl::Job::none) {
            return ok();
        }
        impl_->job = Impl::Job::submitted;
    }
    impl_->worker.submit([impl = impl_->shared_from_this()] { impl->work(); });
    return ok();
}

Status AuditLog::flush(const Ctx& ctx) {
    std::unique_lock lock(impl_->mutex);
    const std::uint64_t wanted = impl_->recorded;
    while (impl_->settled < wanted) {
        LAB_CHECK(ctx.check());
        impl_->changed.wait_for(lock, kLook);
    }
    return ok();
}

bool AuditLog::stop(Duration limit) {
    std::unique_lock lock(impl_->mutex);
    impl_->stopping = true;
    impl_->changed.notify_all();
    const auto idle = [this] { return impl_->job == Impl::Job::none; };
    if (!impl_->changed.wait_for(lock, limit, idle)) {
        impl_->given_up = true;
        impl_->give_up_token.cancel(CancelReason::shutdown);
        impl_->changed.notify_all();
        // What was cancelled returns soon; what has not begun touches nothing when it does.
        impl_->changed.wait(lock, [this] { return impl_->job != Impl::Job::running; });
        impl_->stats.lost += impl_->queue.size();
        impl_->settled += impl_->queue.size();
        impl_->queue.clear();
        impl_->bytes = 0;
    }
    return impl_->stats.lost == 0;
}

AuditStats AuditLog::stats() const {
    const std::lock_guard lock(impl_->mutex);
    AuditStats out = impl_->stats;
    out.waiting = impl_->queue.size() + impl_->in_hand;
    return out;
}

}  // namespace lab::service
