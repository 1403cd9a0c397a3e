#include "service/runs.h"

#include "base/rng.h"
#include "base/time_text.h"
#include "domain/experiment.h"
#include "engine/driver.h"
#include "platform/crypto/sha256.h"
#include "service/breakers.h"
#include "service/run_crew.h"
#include "storage/store/journal.h"
#include "storage/store/resources.h"
#include "storage/store/runs.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace lab::service {
namespace {

using engine::StopReason;

domain::RunState state_of(StopReason reason) {
    switch (reason) {
        case StopReason::completed:
            return domain::RunState::completed;
        case StopReason::interrupted:
            return domain::RunState::interrupted;
        case StopReason::budget_exhausted:
            return domain::RunState::budget_exhausted;
        case StopReason::none:
        case StopReason::too_many_errors:
        case StopReason::endpoint_down:
        case StopReason::internal_error:
            break;
    }
    return domain::RunState::failed;
}

/// The stores a running run uses: a session for each thread.
struct Sessions {
    std::unique_ptr<storage::Session> worker;
    std::unique_ptr<storage::Session> disk;
    std::unique_ptr<storage::Session> loop;
};

Result<Sessions> open_sessions(const Ctx& ctx, const Deps& deps) {
    LAB_TRY(storage::Database * database, deps.database(ctx));
    Sessions sessions;
    LAB_TRY(sessions.worker, database->open_session(ctx, storage::Durability::on_sync));
    LAB_TRY(sessions.disk, database->open_session(ctx));
    LAB_TRY(sessions.loop, database->open_session(ctx));
    return sessions;
}

Progress progress_of(
    const engine::Machine::Counters& c, std::int64_t planned, std::int64_t already, Duration elapsed
) {
    Progress p;
    p.planned = planned;
    p.already = already;
    p.done = c.done;
    p.failed = c.failed;
    p.cached = c.answered;
    p.in_flight = c.in_flight;
    p.waiting = c.waiting;
    p.calls = c.calls;
    p.retries = c.retries;
    p.rate_limited = c.rate_limited;
    p.tokens = c.tokens;
    p.cost = c.cost;
    p.unpriced = c.unpriced;
    p.elapsed = elapsed;
    return p;
}

/// Calls `hooks.progress` ten times a second until told to stop. Loop thread only.
class Ticker {
  public:
    Ticker(const Deps& deps, std::function<void()> tick) : deps_(deps), tick_(std::move(tick)) {
        schedule();
    }
    ~Ticker() { deps_.loop->cancel_timer(timer_); }
    Ticker(const Ticker&) = delete;
    Ticker& operator=(const Ticker&) = delete;

  private:
    void schedule() {
        timer_ =
            deps_.loop->call_at(deps_.loop->clock().now() + std::chrono::milliseconds(100), [this] {
                tick_();
                schedule();
            });
    }
    const Deps& deps_;
    std::function<void()> tick_;
    Executor::TimerId timer_ = 0;
};

/// Tells the observer how the breakers of a run stand, and at its end that there are none.
class BreakerWatch {
  public:
    BreakerWatch(const Deps& deps, const Experiment& experiment, std::string run)
        : deps_(deps), models_(experiment.spec.models), run_(std::move(run)) {}
    ~BreakerWatch() { deps_.observer->breakers_of_run(run_, {}); }
    BreakerWatch(const BreakerWatch&) = delete;
    BreakerWatch& operator=(const BreakerWatch&) = delete;

    void look(const std::vector<engine::LaneStatus>& lanes) {
        BreakerStates states;
        for (std::size_t i = 0; i < lanes.size(); ++i) {
            auto& state = states[breaker_of_provider(models_[i].provider)];
            state = std::max(state, lanes[i].breaker);
        }
        deps_.observer->breakers_of_run(run_, states);
    }

  private:
    const Deps& deps_;
    const std::vector<domain::ModelSpec>& models_;
    const std::string run_;
};

/// What an interrupt does, also before the driver starts and after it has ended: whoever holds the
/// handler does not know. Loop thread only.
class Interrupts {
  public:
    Interrupts(const RunHooks& hooks, engine::Driver& driver)
        : hooks_(hooks), state_(std::make_shared<State>()) {
        state_->driver = &driver;
        if (hooks_.on_interrupt) {
            hooks_.on_interrupt([state = state_] {
                state->asked = true;
                if (state->driver != nullptr && state->started) {
                    state->driver->interrupt();
                }
            });
        }
    }
    ~Interrupts() {
        state_->driver = nullptr;
        if (hooks_.on_interrupt) {
            hooks_.on_interrupt(nullptr);
        }
    }
    Interrupts(const Interrupts&) = delete;
    Interrupts& operator=(const Interrupts&) = delete;

    void ask() { state_->asked = true; }
    bool asked() const { return state_->asked; }
    void started() { state_->started = true; }

  private:
    struct State {
        engine::Driver* driver = nullptr;
        bool asked = false;
        bool started = false;
    };
    const RunHooks& hooks_;
    std::shared_ptr<State> state_;
};

/// How long a hold lasts where a lock file stands beside it, and nobody looks at its time.
constexpr Duration kLocked = std::chrono::seconds(1);

/// Whoever has lost the run does not change its state.
Status set_state(
    const Ctx& ctx,
    const Deps& deps,
    storage::Session& session,
    const storage::RunLease& lease,
    domain::RunState state,
    std::string_view words
) {
    LAB_TRY(auto transaction, storage::Transaction::begin(ctx, session));
    LAB_CHECK(storage::RunLeases(session).guard(ctx, lease));
    const std::string at = format_rfc3339(deps.clock->wall());
    LAB_CHECK(storage::Runs(session).set_state(ctx, lease.run, state, words, at));
    return transaction.commit(ctx);
}

/// A store that is away for a while is no failure of the run: it goes on when it is back.
domain::RunState state_after(const engine::RunEnd& end) {
    const bool away = end.error && is_away(*end.error);
    return away ? domain::RunState::interrupted : state_of(end.reason);
}

/// Makes it `running`, unless it was cancelled, or its experiment paused, since it was taken up.
/// Whoever does either writes it down before he interrupts, so the interrupts stand already: what
/// is not seen here is heard there.
Result<bool> begin(
    const Ctx& ctx,
    const Deps& deps,
    storage::Session& session,
    const storage::RunLease& lease,
    const domain::Run& run
) {
    storage::Runs runs(session);
    LAB_CHECK(set_state(ctx, deps, session, lease, domain::RunState::running, ""));
    LAB_TRY(const domain::Run now, runs.get(ctx, run.id));
    if (now.state != domain::RunState::running || run.state != domain::RunState::running) {
        return now.state == domain::RunState::running;  // no queue has taken it up
    }
    storage::Resources experiments(session, storage::ResourceKind::experiment);
    LAB_TRY(const auto experiment, experiments.find_anywhere(ctx, run.experiment_id));
    return !experiment || (experiment->status != to_string(domain::ExperimentState::paused) &&
                           experiment->status != to_string(domain::ExperimentState::cancelled));
}

/// The part of a process in a run.
struct Part {
    domain::Run run;
    storage::RunLease lease;
    std::vector<bool> finished;  ///< by sample; empty = none
    bool in_a_crew = false;
    bool is_first = true;  ///< of the crew
};

Result<engine::RunInput> make_input(
    const Ctx& ctx,
    const Experiment& experiment,
    Part& part,
    storage::Journal& journal,
    const std::vector<std::unique_ptr<providers::Provider>>& providers
) {
    engine::RunInput input;
    for (const auto& provider : providers) {
        input.providers.push_back(provider.get());
    }
    input.spec = &experiment.spec;
    input.plan = &*experiment.plan;
    input.items = &*experiment.items;
    input.renderer = &*experiment.renderer;
    input.scores = &*experiment.scores;
    input.pricing = experiment.pricing;
    input.run = part.run.key;
    LAB_TRY(input.opening, journal.ledger(ctx, part.run.key));
    input.finished = std::move(part.finished);
    return input;
}

/// All that have been working on it.
void add_others(Progress& progress, const engine::Exposure& others) {
    progress.done += others.done;
    progress.failed += others.failed;
    progress.calls += others.spent.calls;
    progress.tokens += others.spent.tokens;
    progress.cost += others.spent.cost;
}

/// Books how it ended: of a crew, the last one says so.
Status book_end(
    const Ctx& ctx,
    const Deps& deps,
    storage::Session& session,
    const Experiment& experiment,
    const Part& part,
    const engine::Driver& driver,
    const engine::RunEnd& end,
    RunResult& result
) {
    RunCrew::End own{.state = state_after(end), .words = end.words};
    if (part.in_a_crew) {
        const bool is_for_all =
            end.reason == StopReason::too_many_errors ||
            (end.reason == StopReason::internal_error && own.state == domain::RunState::failed);
        LAB_TRY(
            const auto last,
            RunCrew::leave(
                ctx,
                deps,
                session,
                part.lease,
                experiment.spec.run.budget,
                driver.finished_blocks(),
                own,
                is_for_all
            )
        );
        result.goes_on_elsewhere = !last.has_value();
        own = last.value_or(own);
        return ok();
    }
    return set_state(ctx, deps, session, part.lease, own.state, own.words);
}

/// Drives the run on this thread until it ends, then books the end.
Result<RunResult> drive(
    const Ctx& ctx,
    const Deps& deps,
    const Experiment& experiment,
    const RunHooks& hooks,
    Part part,
    Sessions& sessions
) {
    domain::Run& run = part.run;
    storage::Journal journal(*sessions.worker, part.lease);
    storage::Journal disk(*sessions.disk);
    storage::Journal cache(*sessions.loop);
    RunCrew crew(
        ctx, *sessions.worker, part.lease, experiment.spec.run.budget, experiment.plan->samples()
    );
    std::vector<std::unique_ptr<providers::Provider>> providers;
    for (const domain::ModelSpec& model : experiment.spec.models) {
        LAB_TRY(std::unique_ptr<providers::Provider> provider, deps.make_provider(model));
        providers.push_back(std::move(provider));
    }
    LAB_TRY(auto input, make_input(ctx, experiment, part, cache, providers));
    // What there was before a crew began is among what its others have done.
    const std::int64_t already = part.in_a_crew ? 0 : input.opening.done + input.opening.failed;
    const bool cached = experiment.spec.run.cache != domain::CacheMode::off;
    engine::Driver driver(
        std::move(input),
        {.loop = deps.loop,
         .worker = deps.worker,
         .disk = deps.disk,
         .journal = &journal,
         .disk_journal = &disk,
         .cache_reader = cached ? &cache : nullptr,
         .ctx = ctx,
         .crew = part.in_a_crew ? &crew : nullptr,
         .jitter_seed = entropy(),
         .failed = hooks.sample_failed}
    );
    Interrupts interrupts(hooks, driver);
    if (part.is_first) {
        LAB_TRY(const bool wanted, begin(ctx, deps, *sessions.loop, part.lease, run));
        if (!wanted) {
            interrupts.ask();
        } else if (hooks.started) {
            hooks.started(run);
        }
    }
    const TimePoint began = deps.clock->now();
    const auto progress = [&] {
        Progress p =
            progress_of(driver.counters(), run.planned, already, deps.clock->now() - began);
        add_others(p, driver.others());
        p.is_speaker = driver.is_speaker();
        p.stopping = interrupts.asked();
        for (const engine::LaneStatus& lane : driver.lane_status()) {
            p.lanes.push_back(lane_progress(lane, deps.clock->now()));
        }
        return p;
    };
    std::optional<engine::RunEnd> end;
    {
        BreakerWatch breakers(deps, experiment, run.id);
        Ticker ticker(deps, [&] {
            breakers.look(driver.lane_status());
            if (hooks.progress) {
                hooks.progress(progress());
            }
        });
        deps.loop->post([&] {
            if (interrupts.asked()) {
                end = engine::RunEnd{.reason = StopReason::interrupted, .words = "interrupted"};
                deps.stop_loop();
                return;
            }
            interrupts.started();
            driver.start([&](engine::RunEnd e) {
                end = std::move(e);
                deps.stop_loop();
            });
        });
        deps.run_loop();
    }
    LAB_ASSERT(end.has_value(), "the loop ends after the run");
    RunResult result;
    result.progress = progress();
    result.error = end->error;
    const Status booked =
        book_end(ctx, deps, *sessions.loop, experiment, part, driver, *end, result);
    if (!booked && (!result.error || booked.error().code == Code::conflict)) {
        return booked.error();
    }
    run.state = state_after(*end);
    run.stop_reason = end->words;
    if (const auto written = storage::Runs(*sessions.loop).get(ctx, run.id)) {
        run.state = written->state;  // cancelled by somebody, whatever became of it
        run.stop_reason = written->stop_reason;
    }
    result.run = std::move(run);
    return result;
}

}  // namespace

Json make_manifest(const Deps& deps, const Experiment& experiment) {
    const domain::ExperimentSpec& spec = experiment.spec;
    Json manifest = Json::object();
    manifest["software_version"] = deps.software_version;
    manifest["spec_sha256"] = sha256_hex(canonical_json(spec.source));
    manifest["dataset"] = {
        {"name", experiment.dataset.name},
        {"version", experiment.dataset.version},
        {"sha256", experiment.dataset.content_hash},
        {"rows", experiment.dataset.rows},
        {"items", experiment.items->count()},
    };
    Json& metrics = manifest["metrics"] = Json::array();
    for (const engine::MetricSlot& slot : experiment.scores->slots()) {
        metrics.push_back({{"name", slot.info.name}, {"signature", slot.info.signature}});
    }
    manifest["price_table"] = deps.price_table_version;
    manifest["seed"] = spec.run.seed;
    manifest["generator"] = Rng::kName;
    manifest["repetitions"] = spec.run.repetitions;
    manifest["base_folder"] = experiment.base_folder;
    return manifest;
}

Result<RunResult> run_experiment(
    const Ctx& ctx, const Deps& deps, const Experiment& experiment, const RunHooks& hooks
) {
    LAB_TRY(Sessions sessions, open_sessions(ctx, deps));
    domain::Run run;
    run.id = deps.uuids->next();
    run.experiment_id = deps.uuids->next();
    run.experiment_name = experiment.spec.name;
    run.state = domain::RunState::pending;
    run.spec = dump_json(experiment.spec.source);
    run.manifest = dump_json(make_manifest(deps, experiment));
    run.dataset_hash = experiment.dataset.content_hash;
    run.created_at = format_rfc3339(deps.clock->wall());
    run.planned = experiment.plan->samples();
    storage::Runs runs(*sessions.loop);
    LAB_TRY(run, runs.create(ctx, std::move(run)));
    LAB_TRY(const RunHold hold, RunHold::take(ctx, deps, *sessions.loop, run, kLocked));
    Part part{.run = std::move(run), .lease = hold.lease()};
    return drive(ctx, deps, experiment, hooks, std::move(part), sessions);
}

namespace {

/// Whoever has the run alone begins it anew: what nobody waits for any more is uncertain, what has
/// failed is tried again, and where others may help it is cut for them.
Status begin_anew(
    const Ctx& ctx,
    storage::Session& session,
    const Experiment& experiment,
    const domain::Run& run,
    const storage::RunLease& lease,
    bool others_may_help
) {
    storage::Journal journal(session, lease);
    LAB_CHECK(journal.reclaim_intents(ctx, run.key));
    LAB_CHECK(journal.drop_failed(ctx, run.key));
    if (!others_may_help) {
        return ok();
    }
    std::vector<std::int64_t> lanes;
    std::int64_t slots = 1;
    for (int lane = 0; lane < experiment.plan->lanes(); ++lane) {
        const std::int64_t own =
            experiment.spec.models[static_cast<std::size_t>(lane)].limits.concurrency;
        slots = std::max(slots, own > 0 ? own : experiment.spec.run.concurrency);
        lanes.push_back(experiment.plan->lane_samples(lane));
    }
    return RunCrew::open(
        ctx, session, lease, engine::cut_into_blocks(lanes, static_cast<int>(slots))
    );
}

Result<RunResult> carry_on(
    const Ctx& ctx,
    const Deps& deps,
    domain::Run run,
    const RunHold& hold,
    const domain::Budget& budget,
    const RunHooks& hooks,
    Sessions& sessions
) {
    if (run.state == domain::RunState::completed || run.state == domain::RunState::cancelled) {
        return Error(
            Code::invalid_state,
            "run " + run.id + " is " + std::string(to_string(run.state)) +
                ": there is nothing to resume"
        );
    }
    LAB_TRY(const Json source, parse_json(run.spec));
    LAB_TRY(const Json manifest, parse_json(run.manifest));
    LAB_TRY(
        const std::unique_ptr<Experiment> experiment,
        load_stored_experiment(
            ctx, deps, source, manifest.value("base_folder", "."), run.dataset_hash, Purpose::run
        )
    );
    domain::Budget& own = experiment->spec.run.budget;
    own.max_cost = budget.max_cost ? budget.max_cost : own.max_cost;
    own.max_calls = budget.max_calls ? budget.max_calls : own.max_calls;
    own.max_tokens = budget.max_tokens ? budget.max_tokens : own.max_tokens;
    Part part{
        .run = std::move(run),
        .lease = hold.lease(),
        .in_a_crew = hold.may_be_joined(),
        .is_first = !hold.is_beside_others(),
    };
    if (part.is_first) {
        LAB_CHECK(begin_anew(ctx, *sessions.disk, *experiment, part.run, part.lease, part.in_a_crew)
        );
    }
    part.finished.resize(static_cast<std::size_t>(experiment->plan->samples()));
    storage::Journal journal(*sessions.disk);
    LAB_CHECK(journal.scan_finished(ctx, part.run.key, [&](std::int64_t index) {
        if (index >= 0 && index < static_cast<std::int64_t>(part.finished.size())) {
            part.finished[static_cast<std::size_t>(index)] = true;
        }
    }));
    return drive(ctx, deps, *experiment, hooks, std::move(part), sessions);
}

}  // namespace

bool is_away(const Error& error) {
    return error.code == Code::unavailable || error.code == Code::timed_out;
}

Result<RunResult> carry_out_run(
    const Ctx& ctx,
    const Deps& deps,
    const RunHold& hold,
    const std::string& id,
    const RunHooks& hooks
) {
    LAB_TRY(Sessions sessions, open_sessions(ctx, deps));
    LAB_TRY(domain::Run run, storage::Runs(*sessions.loop).get(ctx, id));
    return carry_on(ctx, deps, std::move(run), hold, {}, hooks, sessions);
}

Result<RunResult> resume_run(
    const Ctx& ctx,
    const Deps& deps,
    const std::string& id,
    const domain::Budget& budget,
    const RunHooks& hooks
) {
    LAB_TRY(Sessions sessions, open_sessions(ctx, deps));
    storage::Runs runs(*sessions.loop);
    LAB_TRY(domain::Run run, runs.get(ctx, id));
    LAB_TRY(const RunHold hold, RunHold::take(ctx, deps, *sessions.loop, run, kLocked));
    LAB_TRY(run, runs.get(ctx, run.id));  // as whoever held it has left it
    return carry_on(ctx, deps, std::move(run), hold, budget, hooks, sessions);
}

Result<std::vector<domain::Run>> list_runs(const Ctx& ctx, const Deps& deps, std::int64_t limit) {
    LAB_TRY(storage::Database * database, deps.database(ctx));
    LAB_TRY(const std::unique_ptr<storage::Session> session, database->open_session(ctx));
    return storage::Runs(*session).list(ctx, limit, 0);
}

Result<domain::Run> get_run(const Ctx& ctx, const Deps& deps, const std::string& id) {
    LAB_TRY(storage::Database * database, deps.database(ctx));
    LAB_TRY(const std::unique_ptr<storage::Session> session, database->open_session(ctx));
    return storage::Runs(*session).get(ctx, id);
}

Result<domain::Run> cancel_run(const Ctx& ctx, const Deps& deps, const std::string& id) {
    LAB_TRY(storage::Database * database, deps.database(ctx));
    LAB_TRY(const std::unique_ptr<storage::Session> session, database->open_session(ctx));
    storage::Runs runs(*session);
    LAB_TRY(domain::Run run, runs.get(ctx, id));
    LAB_TRY(const RunHold hold, RunHold::take(ctx, deps, *session, run, kLocked));
    LAB_TRY(run, runs.get(ctx, run.id));  // as whoever held it has left it
    if (run.state == domain::RunState::completed || run.state == domain::RunState::cancelled) {
        return Error(
            Code::invalid_state,
            "run " + run.id + " is " + std::string(to_string(run.state)) + " already"
        );
    }
    LAB_CHECK(runs.set_state(
        ctx,
        run.key,
        domain::RunState::cancelled,
        "cancelled by hand",
        format_rfc3339(deps.clock->wall())
    ));
    return runs.get(ctx, run.id);
}

}  // namespace lab::service
