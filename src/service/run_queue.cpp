#include "service/run_queue.h"

#include "base/text.h"
#include "domain/sample.h"
#include "service/breakers.h"
#include "service/evaluation_runs.h"
#include "service/impl/judging.h"
#include "service/impl/kept_session.h"
#include "service/impl/run_trace.h"
#include "service/impl/run_view.h"
#include "storage/store/run_crews.h"
#include "storage/store/run_events.h"
#include "storage/store/runs.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <tuple>

namespace lab::service {
namespace {

using domain::RunState;

Json progress_json(const Progress& p) {
    return {
        {"planned", p.planned},
        {"done", p.already + p.done},
        {"failed", p.failed},
        {"in_flight", p.in_flight},
        {"waiting", p.waiting},
        {"retries", p.retries},
        {"calls", p.calls},
        {"tokens", p.tokens},
        {"cost", p.cost.exact()},
        {"elapsed_s", std::chrono::duration<double>(p.elapsed).count()},
    };
}

/// So many failures a second are told one by one; the others are in the progress' count.
constexpr int kFailuresTold = 10;

Json failure_json(const domain::SampleResult& sample) {
    return {
        {"sample", std::to_string(sample.index)},
        {"item_id", sample.item_id},
        {"error", {{"code", sample.error_code}, {"message", sample.error_message}}},
        {"attempts", sample.attempts},
    };
}

/// Breakers that stand before the providers of a run.
std::vector<std::string> breakers_of(const domain::Run& run) {
    std::vector<std::string> out;
    const auto spec = parse_json(run.spec);
    if (!spec) {
        return out;
    }
    for (const Json& model : spec->value("models", Json::array())) {
        const std::string provider = model.value("provider", "");
        if (provider != "replay" && !provider.empty()) {
            out.push_back(breaker_of_provider(provider));
        }
    }
    return out;
}

/// Whether it waits for the outputs of another run, which is not over.
Result<bool> waits_for_outputs(const Ctx& ctx, storage::Runs& runs, const domain::Run& run) {
    const std::string other = awaited_outputs(run);
    if (other.empty()) {
        return false;
    }
    const auto found = runs.get(ctx, other);
    if (!found && found.error().code != Code::not_found) {
        return found.error();
    }
    return found && !is_terminal(found->state);
}

/// Of so many queued runs, the oldest of each organization first, one goes next.
constexpr std::int64_t kWaitingLookedAt = 200;

/// Runs of others that are looked at, to help with one.
constexpr std::int64_t kJoinableLookedAt = 16;
/// A run that was left is not joined again at once: there was nothing to do for this process, or
/// nothing it could do.
constexpr Duration kNotAgainSoon = std::chrono::seconds(5);
constexpr Duration kNotAgainLong = std::chrono::minutes(1);
/// A worker that died between the end of a run and that of its experiment is rare.
constexpr Duration kSettleEvery = std::chrono::seconds(30);

/// 1 to 10, 5 when the config does not say: config.resources.priority.
int priority_of(const domain::Run& run) {
    constexpr int kUsual = 5;
    const auto body = parse_json(run.body);
    if (!body) {
        return kUsual;
    }
    const Json resources = body->value("config", Json::object()).value("resources", Json::object());
    return resources.value("priority", kUsual);
}

/// Does something with a session of its own.
Status with_session(
    const Deps& deps, const Ctx& ctx, const std::function<Status(storage::Session&)>& work
) {
    LAB_TRY(storage::Database * database, deps.database(ctx));
    LAB_TRY(const auto session, database->open_session(ctx));
    return work(*session);
}

Result<domain::Run> read_run(const Deps& deps, const std::string& run_id) {
    const Ctx ctx = Ctx(*deps.clock).within(std::chrono::seconds(30));
    domain::Run out;
    LAB_CHECK(with_session(deps, ctx, [&](storage::Session& session) -> Status {
        LAB_TRY(out, storage::Runs(session).get(ctx, run_id));
        return ok();
    }));
    return out;
}

/// How a run that was carried out ended.
void tell_run(Span& span, const Result<RunResult>& result) {
    if (!span.recorded()) {
        return;
    }
    if (!result) {
        span.fail(info(result.error().code).wire_name);
        return;
    }
    span.set("llm_research.run.state", to_string(result->run.state));
}

}  // namespace

bool RunQueue::are_refused(
    const Deps& deps, const std::vector<std::string>& needed, const std::vector<std::string>& forced
) {
    bool refused = false;
    for (const std::string& one : needed) {
        if (std::ranges::find(forced, one) != forced.end()) {
            deps.observer->breaker_refused(one);
            refused = true;
        }
    }
    return refused;
}

RunQueue::RunQueue(
    const Deps& deps,
    std::vector<Worker*> workers,
    Worker& watcher,
    MakeParts make_parts,
    RunEvents& events,
    std::function<bool()> paused,
    Options options
)
    : deps_(deps),
      workers_(std::move(workers)),
      watcher_(watcher),
      make_parts_(std::move(make_parts)),
      events_(events),
      paused_(std::move(paused)),
      options_(options) {}

RunQueue::~RunQueue() { stop(); }

Status RunQueue::start() {
    const Ctx ctx = Ctx(*deps_.clock).within(std::chrono::seconds(30));
    LAB_CHECK(with_session(deps_, ctx, [&](storage::Session& session) -> Status {
        LAB_CHECK(queue_abandoned_runs(ctx, deps_, session, [](const std::string&) {
            return false;
        }));
        return ok();
    }));
    for (Worker* worker : workers_) {
        {
            const std::lock_guard lock(mutex_);
            ++working_;
        }
        worker->submit([this] {
            work();
            const std::lock_guard lock(mutex_);
            --working_;
            ended_.notify_all();
        });
    }
    start_watching();
    return ok();
}

void RunQueue::listen() { start_watching(); }

void RunQueue::stop(Duration grace) {
    {
        std::unique_lock lock(mutex_);
        stopping_ = true;
        for (auto& [id, one] : under_way_) {
            end_now(one);
        }
        wake_.notify_all();
        // The second time cuts short what is in flight.
        if (!ended_.wait_for(lock, grace, [&] { return under_way_.empty(); })) {
            for (auto& [id, one] : under_way_) {
                end_now(one);
            }
        }
    }
    std::unique_lock lock(mutex_);
    ended_.wait(lock, [&] { return working_ == 0; });
    // Until here what is under way had to be held.
    watch_no_more_ = true;
    wake_.notify_all();
    ended_.wait(lock, [&] { return !watching_; });
}

void RunQueue::wake() {
    {
        const std::lock_guard lock(mutex_);
        woken_ = true;
    }
    wake_.notify_all();
}

void RunQueue::interrupt(const std::string& run_id) {
    const std::lock_guard lock(mutex_);
    const auto found = under_way_.find(run_id);
    if (found != under_way_.end()) {
        end_now(found->second);
    }
}

std::size_t RunQueue::running() const {
    const std::lock_guard lock(mutex_);
    return under_way_.size();
}

bool RunQueue::is_under_way(const std::string& run_id) const {
    const std::lock_guard lock(mutex_);
    return under_way_.contains(run_id);
}

void RunQueue::forget(const std::string& run_id) {
    {
        const std::lock_guard lock(mutex_);
        under_way_.erase(run_id);
    }
    ended_.notify_all();
}

void RunQueue::work() {
    std::unique_ptr<RunnerParts> parts;
    Kept kept(deps_);
    for (;;) {
        std::optional<Taken> next = paused_() || is_stopping() ? std::nullopt : take_next(kept);
        if (next && !parts) {
            auto made = make_parts_();
            if (made) {
                parts = *std::move(made);
            } else {
                forget(next->id);  // the watcher gives it back
            }
        }
        if (next && parts) {
            carry_out(*parts, *next);
            continue;
        }
        std::unique_lock lock(mutex_);
        wake_.wait_for(lock, options_.poll, [&] { return stopping_ || woken_; });
        woken_ = false;
        if (stopping_) {
            return;
        }
    }
}

Result<std::optional<RunHold>> RunQueue::try_run(
    const Ctx& ctx, storage::Session& session, const domain::Run& run, bool beside_others
) {
    std::vector<std::string> breakers = breakers_of(run);
    {
        // Known before it is taken: a lease of ours that nobody knows of is given back.
        const std::lock_guard lock(mutex_);
        const auto [at, is_new] = under_way_.try_emplace(run.id);
        if (!is_new) {
            return std::optional<RunHold>();  // another worker of this process was faster
        }
        at->second.key = run.key;
        at->second.breakers = std::move(breakers);
        at->second.is_beside_others = beside_others;
        at->second.voice = beside_others ? UnderWay::Voice::silent : UnderWay::Voice::speaks;
    }
    auto hold =
        beside_others
            ? RunHold::join(ctx, deps_, session, run, options_.lease)
            : RunHold::take(ctx, deps_, session, run, options_.lease, domain::RunState::queued);
    if (!hold) {
        forget(run.id);
        if (hold.error().code != Code::conflict) {
            return hold.error();
        }
        return std::optional<RunHold>();  // another process was faster
    }
    LAB_TRY(const std::int64_t last, storage::RunEventLog(session).last_number(ctx, run.key));
    events_.go_on_behind(run.id, last);
    const std::lock_guard lock(mutex_);
    UnderWay& one = under_way_[run.id];
    one.fence = hold->lease().fence;
    one.events_saved = last;
    return std::optional<RunHold>(*std::move(hold));
}

std::optional<RunQueue::Taken> RunQueue::take_next(Kept& kept) {
    const Ctx ctx = Ctx(*deps_.clock).within(std::chrono::seconds(10));
    std::optional<Taken> out;
    const Status looked = kept.use(ctx, [&](storage::Session& session) -> Status {
        LAB_CHECK(look_into_the_queue(ctx, session, out));
        return out ? ok() : look_for_others(ctx, session, out);
    });
    // A store that does not answer has nothing to do for us now; the next look finds it back.
    return looked ? std::move(out) : std::nullopt;
}

Status RunQueue::look_into_the_queue(
    const Ctx& ctx, storage::Session& session, std::optional<Taken>& out
) {
    storage::Runs runs(session);
    LAB_CHECK(queue_abandoned_runs(ctx, deps_, session, [&](const std::string& id) {
        return is_under_way(id);
    }));
    LAB_CHECK(settle_what_is_left(ctx, session));
    LAB_TRY(auto waiting, runs.list_waiting(ctx, kWaitingLookedAt));
    if (waiting.empty()) {
        return ok();
    }
    // Who has the least under way comes first; among his, the most urgent; then in the order
    // they came.
    std::ranges::sort(waiting, {}, [](const storage::WaitingRun& one) {
        return std::tuple(
            one.running_of_org, -priority_of(one.run), one.running_of_creator, one.run.key
        );
    });
    LAB_TRY(const auto forced, forced_breakers(ctx, session));
    for (const auto& [run, of_org, of_creator] : waiting) {
        // It waits in the queue until the operator lets the service be used again.
        if (are_refused(deps_, breakers_of(run), forced)) {
            continue;
        }
        LAB_TRY(const bool waits, waits_for_outputs(ctx, runs, run));
        if (waits) {
            continue;
        }
        LAB_TRY(auto hold, try_run(ctx, session, run, false));
        if (hold) {
            out.emplace(run.id, *std::move(hold));
            return ok();
        }
    }
    return ok();
}

Status RunQueue::settle_what_is_left(const Ctx& ctx, storage::Session& session) {
    {
        const std::lock_guard lock(mutex_);
        const TimePoint now = deps_.clock->now();
        if (now < settle_next_) {
            return ok();
        }
        settle_next_ = now + kSettleEvery;
    }
    const Caller caller = local_caller();
    const Status settled = settle_experiments_left(Request{ctx, deps_, session, caller});
    // Somebody was faster.
    return !settled && settled.error().code == Code::conflict ? ok() : settled;
}

/// Nothing waits: a run that others work on may go faster. One worker stays free for what comes,
/// if there are several.
Status RunQueue::look_for_others(
    const Ctx& ctx, storage::Session& session, std::optional<Taken>& out
) {
    if (!deps_.lock_folder.empty()) {
        return ok();  // nobody else works on this store
    }
    const TimePoint now = deps_.clock->now();
    {
        const std::lock_guard lock(mutex_);
        std::erase_if(not_before_, [&](const auto& one) { return one.second <= now; });
        if (workers_.size() > 1 && under_way_.size() + 1 >= workers_.size()) {
            return ok();
        }
    }
    LAB_TRY(
        const auto joinable,
        storage::RunCrews(session).list_joinable(ctx, deps_.process_name, kJoinableLookedAt)
    );
    if (joinable.empty()) {
        return ok();
    }
    LAB_TRY(const auto forced, forced_breakers(ctx, session));
    for (const std::string& id : joinable) {
        {
            const std::lock_guard lock(mutex_);
            if (not_before_.contains(id)) {
                continue;
            }
        }
        LAB_TRY(const domain::Run run, storage::Runs(session).get(ctx, id));
        if (are_refused(deps_, breakers_of(run), forced)) {
            continue;
        }
        LAB_TRY(auto hold, try_run(ctx, session, run, true));
        if (hold) {
            out.emplace(id, *std::move(hold));
            return ok();
        }
    }
    return ok();
}

bool RunQueue::speaks(const std::string& run_id, bool is_speaker) {
    using Voice = UnderWay::Voice;
    const std::lock_guard lock(mutex_);
    const auto found = under_way_.find(run_id);
    if (found == under_way_.end()) {
        return false;
    }
    Voice& voice = found->second.voice;
    if (!is_speaker) {
        voice = Voice::silent;
    } else if (voice == Voice::silent) {
        voice = Voice::due;  // the watcher looks which number is next
    }
    return voice == Voice::speaks;
}

/// For those who listen, if this process is the one that tells.
void RunQueue::tell(const std::string& run_id, std::string type, std::string data) {
    {
        const std::lock_guard lock(mutex_);
        const auto found = under_way_.find(run_id);
        if (found == under_way_.end() || found->second.voice != UnderWay::Voice::speaks) {
            return;
        }
    }
    events_.publish(run_id, std::move(type), std::move(data));
}

RunHooks RunQueue::hooks_of(const Deps& deps, const std::string& run_id) {
    RunHooks hooks;
    const auto failures_told = std::make_shared<int>(0);
    hooks.started = [this, run_id](const domain::Run&) {
        tell(run_id, "state", R"({"status":"running"})");
    };
    hooks.sample_failed = [this, run_id, failures_told](const domain::SampleResult& sample) {
        if (++*failures_told <= kFailuresTold) {
            tell(run_id, "sample_failed", dump_json(failure_json(sample)));
        }
    };
    hooks.progress = [this, run_id, failures_told, told = TimePoint{}, clock = deps.clock](
                         const Progress& progress
                     ) mutable {
        const TimePoint now = clock->now();
        if (now - told < std::chrono::seconds(1)) {
            return;
        }
        told = now;
        *failures_told = 0;
        if (speaks(run_id, progress.is_speaker)) {
            tell(run_id, "progress", dump_json(progress_json(progress)));
        }
    };
    hooks.on_interrupt = [this, run_id, loop = deps.loop](std::function<void()> handler) {
        const std::lock_guard lock(mutex_);
        const auto found = under_way_.find(run_id);
        if (found == under_way_.end()) {
            return;
        }
        UnderWay& one = found->second;
        if (!handler) {
            one.end = nullptr;
            return;
        }
        one.end = [loop, handler = std::move(handler)] { loop->post([handler] { handler(); }); };
        if (stopping_ || one.asked > 0) {
            one.end();
        }
    };
    return hooks;
}

void RunQueue::carry_out(RunnerParts& parts, const Taken& taken) {
    Deps& deps = parts.deps();
    const std::string& run_id = taken.id;
    const Ctx ctx(*deps.clock);
    const RunHooks hooks = hooks_of(deps, run_id);
    const bool is_first = !taken.hold.is_beside_others();
    const Result<domain::Run> run = read_run(deps, run_id);
    RunTrace trace = run ? begin_run_trace(options_.tracer, *run) : RunTrace{};
    const SpanScope scope(trace.place);
    const Status ready = !run ? Status(run.error()) : is_first ? prepare(deps, *run) : ok();
    if (!ready && is_stopping()) {
        forget(run_id);  // the next start takes what is running up again
        return;
    }
    const Result<RunResult> result = ready ? carry_out_run(ctx, deps, taken.hold, run_id, hooks)
                                           : Result<RunResult>(ready.error());
    tell_run(trace.span, result);
    if (!is_first || (result && result->goes_on_elsewhere)) {
        leave(run_id, result);
    }
    if (result && result->goes_on_elsewhere) {
        forget(run_id);
        return;
    }
    // Whoever could not even begin to help leaves the run to those who work on it.
    const bool is_lost = !result && (!is_first || result.error().code == Code::conflict);
    const Ctx last = Ctx(*deps.clock).within(std::chrono::seconds(30));
    const Status settled = with_session(deps, last, [&](storage::Session& session) -> Status {
        if (is_lost) {
            // Whoever has taken it over says what becomes of it.
            return storage::RunLeases(session).release(last, taken.hold.lease());
        }
        LAB_CHECK(take_the_word(last, session, run_id));
        const Caller caller = local_caller();
        const Request request{last, deps, session, caller};
        LAB_CHECK(settle(request, run_id, taken.hold.lease(), result));
        return save_events(last, session, run_id);
    });
    forget(run_id);
    if (!settled) {
        // The store has gone: what it holds is intact, and the run goes back to the queue.
        events_.publish(run_id, "state", R"({"status":"unknown"})");
    }
}

/// The last one tells of the end, whoever told before.
Status RunQueue::take_the_word(
    const Ctx& ctx, storage::Session& session, const std::string& run_id
) {
    speaks(run_id, true);
    return find_voice(ctx, session, run_id);
}

void RunQueue::leave(const std::string& run_id, const Result<RunResult>& result) {
    const bool had_nothing_to_do = result && !result->error && !result->progress.stopping;
    const std::lock_guard lock(mutex_);
    not_before_[run_id] = deps_.clock->now() + (had_nothing_to_do ? kNotAgainSoon : kNotAgainLong);
}

/// Rows that come to be only now: the outputs that a judge waited for.
Status RunQueue::prepare(const Deps& deps, const domain::Run& run) {
    const Ctx ctx = Ctx(*deps.clock).within(std::chrono::minutes(10));
    return with_session(deps, ctx, [&](storage::Session& session) -> Status {
        const Caller caller = local_caller();
        return prepare_judge(Request{ctx, deps, session, caller}, run, [&] {
            return is_stopping();
        });
    });
}

bool RunQueue::is_stopping() const {
    const std::lock_guard lock(mutex_);
    return stopping_;
}

Status RunQueue::settle(
    const Request& request,
    const std::string& run_id,
    const storage::RunLease& lease,
    const Result<RunResult>& result
) {
    storage::Runs runs(request.session);
    if (!result && is_away(result.error())) {
        return result.error();
    }
    LAB_TRY(auto transaction, storage::Transaction::begin(request.ctx, request.session));
    LAB_CHECK(storage::RunLeases(request.session).guard(request.ctx, lease));
    LAB_TRY(domain::Run run, runs.get(request.ctx, run_id));
    if (!result && run.state != RunState::cancelled) {
        // It could not even begin: the reason is for whoever asks for the run.
        run.state = RunState::failed;
        run.stop_reason = result.error().message;
        for (const Detail& detail : result.error().details) {
            run.stop_reason +=
                (&detail == &result.error().details.front() ? ": " : "; ") + detail.message;
        }
        run.stop_reason = shorten(run.stop_reason, 1000);
        const std::string at = format_rfc3339(request.deps.clock->wall());
        LAB_CHECK(runs.set_state(request.ctx, run.key, run.state, run.stop_reason, at));
    }
    // Whoever takes it next need not wait for our time to be over.
    LAB_CHECK(storage::RunLeases(request.session).release(request.ctx, lease));
    if (run.state == RunState::interrupted) {
        LAB_CHECK(settle_interrupted(request.ctx, request.deps, request.session, run));
    }
    const bool is_over = run.state != RunState::running;
    if (is_over) {
        LAB_CHECK(settle_experiment(request, run));
    }
    LAB_CHECK(transaction.commit(request.ctx));
    if (!is_over) {
        return ok();  // its end could not be written: it goes back to the queue
    }
    LAB_CHECK(settle_evaluation(request, run));
    LAB_TRY(const Json shown, show_run(request, run));
    events_.publish(run_id, "state", dump_json(Json{{"status", shown["status"]}}));
    if (run.state != RunState::queued && run.state != RunState::interrupted) {
        request.deps.observer->run_ended(to_string(run.state));
        events_.publish(run_id, "done", dump_json(shown));
        events_.close(run_id);
    }
    return ok();
}

}  // namespace lab::service
