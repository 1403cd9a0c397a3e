#include "domain/experiment.h"
#include "service/breakers.h"
#include "service/impl/kept_session.h"
#include "service/run_queue.h"
#include "storage/store/run_counts.h"
#include "storage/store/run_events.h"

#include <algorithm>

/// What a process looks after while its runs go on: that it still holds them, what others want of
/// them, and who listens to runs that are carried out elsewhere.
namespace lab::service {
namespace {

/// Runs of other processes that are listened to here and asked for at one look.
constexpr std::size_t kListenedMax = 200;

bool is_wanted(const storage::RunStanding& standing) {
    return standing.run_state == to_string(domain::RunState::running) &&
           standing.experiment_status != to_string(domain::ExperimentState::paused) &&
           standing.experiment_status != to_string(domain::ExperimentState::cancelled);
}

}  // namespace

void RunQueue::end_now(UnderWay& one) {
    ++one.asked;
    if (one.end) {
        one.end();
    }
}

void RunQueue::start_watching() {
    {
        const std::lock_guard lock(mutex_);
        watching_ = true;
    }
    watcher_.submit([this] {
        watch();
        const std::lock_guard lock(mutex_);
        watching_ = false;
        ended_.notify_all();
    });
}

void RunQueue::watch() {
    Kept kept(deps_);
    renewed_at_ = deps_.clock->now();
    for (;;) {
        {
            std::unique_lock lock(mutex_);
            // What wakes the workers is nothing to it.
            ended_.wait_for(lock, options_.watch, [&] { return watch_no_more_; });
            if (watch_no_more_) {
                return;
            }
        }
        const Ctx ctx = Ctx(*deps_.clock).within(options_.lease / 3);
        const Status looked =
            kept.use(ctx, [&](storage::Session& session) { return look_after(ctx, session); });
        if (looked || deps_.clock->now() - renewed_at_ < options_.lease) {
            continue;
        }
        // Others may have taken what is under way. They are believed: it ends, in one piece or not.
        const std::lock_guard lock(mutex_);
        for (auto& [id, one] : under_way_) {
            if (one.fence > 0 && one.asked < 2) {
                end_now(one);
                end_now(one);
            }
        }
    }
}

Status RunQueue::look_after(const Ctx& ctx, storage::Session& session) {
    LAB_CHECK(renew(ctx, session));
    LAB_CHECK(hold_back(ctx, session));
    LAB_CHECK(make_room(ctx, session));
    std::vector<std::string> mine;
    {
        const std::lock_guard lock(mutex_);
        for (const auto& [id, one] : under_way_) {
            if (one.fence > 0) {
                mine.push_back(id);
            }
        }
    }
    for (const std::string& id : mine) {
        LAB_CHECK(find_voice(ctx, session, id));
        LAB_CHECK(save_events(ctx, session, id));
    }
    return relay_events(ctx, session);
}

/// Of each run that is held: whether it is, and whether it is to go on.
Status RunQueue::renew(const Ctx& ctx, storage::Session& session) {
    const TimePoint asked_at = deps_.clock->now();
    storage::RunLeases leases(session);
    std::map<std::string, std::int64_t> before;  // a run that comes meanwhile is not among the held
    {
        const std::lock_guard lock(mutex_);
        for (const auto& [id, one] : under_way_) {
            if (one.fence > 0) {
                before.emplace(id, one.fence);
            }
        }
    }
    LAB_TRY(const auto held, leases.renew(ctx, deps_.process_name, options_.lease));
    renewed_at_ = asked_at;
    std::vector<storage::RunLease> of_nobody;
    {
        const std::lock_guard lock(mutex_);
        for (const storage::RunStanding& standing : held) {
            const bool known = std::ranges::any_of(under_way_, [&](const auto& entry) {
                return entry.second.key == standing.lease.run;
            });
            if (!known) {
                of_nobody.push_back(standing.lease);
            }
        }
        for (const auto& [id, fence] : before) {
            const auto found = under_way_.find(id);
            if (found == under_way_.end()) {
                continue;
            }
            UnderWay& one = found->second;
            const auto standing = std::ranges::find_if(held, [&](const storage::RunStanding& its) {
                return its.lease.run == one.key && its.lease.fence == one.fence;
            });
            if (standing == held.end() && one.fence == fence && one.asked < 2) {
                end_now(one);  // somebody has taken it over
                end_now(one);
            } else if (standing != held.end() && !is_wanted(*standing) && one.asked == 0) {
                end_now(one);
            }
        }
    }
    // Of runs that ended while the store was away: whoever can is to go on with them.
    for (const storage::RunLease& lease : of_nobody) {
        LAB_CHECK(leases.release(ctx, lease));
    }
    return ok();
}

/// Ends runs whose way to a provider an operator has closed meanwhile: they wait in the queue.
Status RunQueue::hold_back(const Ctx& ctx, storage::Session& session) {
    LAB_TRY(const auto forced, forced_breakers(ctx, session));
    if (forced.empty()) {
        return ok();
    }
    const std::lock_guard lock(mutex_);
    for (auto& [id, one] : under_way_) {
        if (one.asked == 0 && are_refused(deps_, one.breakers, forced)) {
            end_now(one);
        }
    }
    return ok();
}

/// Runs wait, and all workers are busy: one that helps others has something better to do.
Status RunQueue::make_room(const Ctx& ctx, storage::Session& session) {
    std::string helped;
    {
        const std::lock_guard lock(mutex_);
        for (const auto& [id, one] : under_way_) {
            helped = one.is_beside_others && one.fence > 0 && one.asked == 0 ? id : helped;
        }
        if (helped.empty() || under_way_.size() < workers_.size()) {
            return ok();
        }
    }
    LAB_TRY(
        const std::int64_t waiting, storage::count_runs(ctx, session, domain::RunState::queued)
    );
    if (waiting > 0) {
        interrupt(helped);
    }
    return ok();
}

/// Whoever is to tell of a run goes on with the numbers of whoever did.
Status RunQueue::find_voice(const Ctx& ctx, storage::Session& session, const std::string& run_id) {
    std::int64_t key = 0;
    {
        const std::lock_guard lock(mutex_);
        const auto found = under_way_.find(run_id);
        if (found == under_way_.end() || found->second.voice == UnderWay::Voice::speaks) {
            return ok();
        }
        key = found->second.key;
    }
    LAB_TRY(const std::int64_t last, storage::RunEventLog(session).last_number(ctx, key));
    const std::lock_guard lock(mutex_);
    const auto found = under_way_.find(run_id);
    if (found != under_way_.end() && found->second.voice == UnderWay::Voice::due) {
        events_.go_on_behind(run_id, last);
        found->second.events_saved = last;
        found->second.voice = UnderWay::Voice::speaks;
    }
    return ok();
}

/// For those who listen at other processes.
Status RunQueue::save_events(const Ctx& ctx, storage::Session& session, const std::string& run_id) {
    std::int64_t key = 0;
    std::int64_t saved = 0;
    {
        const std::lock_guard lock(mutex_);
        const auto found = under_way_.find(run_id);
        if (found == under_way_.end() || found->second.voice != UnderWay::Voice::speaks) {
            return ok();
        }
        key = found->second.key;
        saved = found->second.events_saved;
    }
    std::vector<storage::StoredRunEvent> events;
    for (RunEvent& event : events_.since(run_id, saved)) {
        events.push_back(
            {.number = event.number, .type = std::move(event.type), .data = std::move(event.data)}
        );
    }
    if (events.empty()) {
        return ok();
    }
    LAB_CHECK(storage::RunEventLog(session).append(ctx, key, events));
    const std::lock_guard lock(mutex_);
    if (const auto found = under_way_.find(run_id); found != under_way_.end()) {
        found->second.events_saved = std::max(found->second.events_saved, events.back().number);
    }
    return ok();
}

Status RunQueue::relay_events(const Ctx& ctx, storage::Session& session) {
    for (const auto& [run, last] : events_.listened(kListenedMax)) {
        {
            const std::lock_guard lock(mutex_);
            const auto found = under_way_.find(run);
            if (found != under_way_.end() && found->second.voice == UnderWay::Voice::speaks) {
                continue;
            }
        }
        LAB_TRY(auto events, storage::RunEventLog(session).read(ctx, run, last));
        for (storage::StoredRunEvent& event : events) {
            const bool is_last = event.type == "done";
            events_.relay(
                run,
                {.number = event.number,
                 .type = std::move(event.type),
                 .data = std::move(event.data)}
            );
            if (is_last) {
                events_.close(run);
            }
        }
    }
    return ok();
}

}  // namespace lab::service
