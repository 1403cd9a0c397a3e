#include "service/run_queue.h"

#include "service/breakers.h"
#include "storage/store/journal.h"
#include "storage/store/runs.h"

#include <nlohmann/json.hpp>

#include <algorithm>

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

bool any_of_them(const std::vector<std::string>& needed, const std::vector<std::string>& forced) {
    return std::ranges::any_of(needed, [&](const std::string& one) {
        return std::ranges::find(forced, one) != forced.end();
    });
}

Caller carrier(std::int64_t org) {
    Caller out = local_caller();
    out.org = org;
    return out;
}

}  // namespace

void RunEvents::publish(const std::string& run, std::string type, std::string data) {
    const std::lock_guard lock(mutex_);
    Channel& channel = channels_[run];
    channel.kept.push_back(
        {.number = ++channel.last, .type = std::move(type), .data = std::move(data)}
    );
    if (channel.kept.size() > kKeptMax) {
        channel.kept.erase(channel.kept.begin());
    }
    for (const auto& [id, listener] : channel.listeners) {
        listener(channel.kept.back());
    }
}

std::uint64_t RunEvents::subscribe(const std::string& run, std::int64_t after, Listener listener) {
    const std::lock_guard lock(mutex_);
    Channel& channel = channels_[run];
    for (const RunEvent& event : channel.kept) {
        if (event.number > after) {
            listener(event);
        }
    }
    channel.listeners.emplace(++last_id_, std::move(listener));
    return last_id_;
}

void RunEvents::unsubscribe(const std::string& run, std::uint64_t id) {
    const std::lock_guard lock(mutex_);
    const auto found = channels_.find(run);
    if (found != channels_.end()) {
        found->second.listeners.erase(id);
        if (found->second.listeners.empty() && found->second.kept.empty()) {
            channels_.erase(found);
        }
    }
}

void RunEvents::close(const std::string& run) {
    const std::lock_guard lock(mutex_);
    closed_.push_back(run);
    if (closed_.size() > kClosedMax) {
        channels_.erase(closed_.front());
        closed_.pop_front();
    }
}

RunQueue::RunQueue(
    const Deps& deps,
    MakeParts make_parts,
    RunEvents& events,
    std::function<bool()> paused,
    Options options
)
    : deps_(deps),
      make_parts_(std::move(make_parts)),
      events_(events),
      paused_(std::move(paused)),
      options_(options) {}

RunQueue::~RunQueue() { stop(); }

Status RunQueue::start() {
    const Ctx ctx = Ctx(*deps_.clock).within(std::chrono::seconds(30));
    LAB_TRY(storage::Database * database, deps_.database(ctx));
    LAB_TRY(const auto session, database->open_session(ctx));
    storage::Runs runs(*session);
    constexpr std::int64_t kLeftMax = 10'000;
    LAB_TRY(const auto left, runs.list_by_state(ctx, RunState::running, kLeftMax));
    for (const domain::Run& run : left) {
        if (run.created_by.empty()) {
            continue;  // of the command line: `resume` goes on with it
        }
        LAB_CHECK(runs.move_state(ctx, run.key, RunState::running, RunState::queued));
    }
    for (std::size_t i = 0; i < options_.runs_max; ++i) {
        threads_.emplace_back([this] { work(); });
    }
    return ok();
}

void RunQueue::stop(Duration grace) {
    {
        std::unique_lock lock(mutex_);
        stopping_ = true;
        for (const auto& [id, end] : under_way_) {
            end();
        }
        wake_.notify_all();
        // The second time cuts short what is in flight.
        if (!ended_.wait_for(lock, grace, [&] { return under_way_.empty(); })) {
            for (const auto& [id, end] : under_way_) {
                end();
            }
        }
    }
    for (std::thread& thread : threads_) {
        if (thread.joinable()) {
            thread.join();
        }
    }
}

void RunQueue::wake() {
    {
        const std::lock_guard lock(mutex_);
        woken_ = true;
    }
    wake_.notify_one();
}

void RunQueue::interrupt(const std::string& run_id) {
    const std::lock_guard lock(mutex_);
    const auto found = under_way_.find(run_id);
    if (found != under_way_.end()) {
        found->second();
    }
}

std::size_t RunQueue::running() const {
    const std::lock_guard lock(mutex_);
    return under_way_.size();
}

void RunQueue::work() {
    std::unique_ptr<RunnerParts> parts;
    for (;;) {
        std::optional<std::string> next;
        if (!paused_()) {
            next = take_next();
        }
        if (next && !parts) {
            auto made = make_parts_();
            if (made) {
                parts = *std::move(made);
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

std::optional<std::string> RunQueue::take_next() {
    {
        const std::lock_guard lock(mutex_);
        if (stopping_) {
            return std::nullopt;
        }
    }
    const Ctx ctx = Ctx(*deps_.clock).within(std::chrono::seconds(10));
    const auto database = deps_.database(ctx);
    if (!database) {
        return std::nullopt;
    }
    const auto session = (*database)->open_session(ctx);
    if (!session) {
        return std::nullopt;
    }
    storage::Runs runs(**session);
    const auto waiting = runs.list_by_state(ctx, RunState::queued, 16);
    if (!waiting) {
        return std::nullopt;
    }
    const auto forced = forced_breakers(ctx, **session);
    for (const domain::Run& run : *waiting) {
        // It waits in the queue until the operator lets the service be used again.
        if (!forced || any_of_them(breakers_of(run), *forced)) {
            continue;
        }
        const auto taken = runs.move_state(ctx, run.key, RunState::queued, RunState::running);
        if (taken && *taken) {
            return run.id;
        }
    }
    return std::nullopt;
}

/// Whether an operator has closed the way to a provider of the run meanwhile.
bool RunQueue::must_hold_back(const Deps& deps, const std::string& run_id) {
    const Ctx ctx = Ctx(*deps.clock).within(std::chrono::seconds(1));
    const auto database = deps.database(ctx);
    const auto session = database ? (*database)->open_session(ctx)
                                  : Result<std::unique_ptr<storage::Session>>(database.error());
    if (!session) {
        return false;
    }
    const auto forced = forced_breakers(ctx, **session);
    if (!forced || forced->empty()) {
        return false;
    }
    const auto run = storage::Runs(**session).get(ctx, run_id);
    return run && any_of_them(breakers_of(*run), *forced);
}

void RunQueue::carry_out(RunnerParts& parts, const std::string& run_id) {
    Deps& deps = parts.deps();
    const Ctx ctx(*deps.clock);
    RunHooks hooks;
    hooks.started = [&](const domain::Run&) {
        events_.publish(run_id, "state", R"({"status":"running"})");
    };
    TimePoint told{};
    bool held_back = false;
    hooks.progress = [&](const Progress& progress) {
        const TimePoint now = deps.clock->now();
        if (now - told < std::chrono::seconds(1)) {
            return;
        }
        told = now;
        events_.publish(run_id, "progress", dump_json(progress_json(progress)));
        if (!held_back && must_hold_back(deps, run_id)) {
            held_back = true;
            interrupt(run_id);
        }
    };
    hooks.on_interrupt = [&](std::function<void()> handler) {
        const std::lock_guard lock(mutex_);
        if (!handler) {
            under_way_.erase(run_id);
            return;
        }
        under_way_[run_id] = [loop = deps.loop, handler = std::move(handler)] {
            loop->post([handler] { handler(); });
        };
        if (stopping_) {
            under_way_[run_id]();
        }
    };
    const Result<RunResult> result = resume_run(ctx, deps, run_id, {}, hooks);
    {
        const std::lock_guard lock(mutex_);
        under_way_.erase(run_id);
    }
    ended_.notify_all();
    settle(parts, run_id, result);
}

void RunQueue::settle(
    RunnerParts& parts, const std::string& run_id, const Result<RunResult>& result
) {
    Deps& deps = parts.deps();
    const Ctx ctx = Ctx(*deps.clock).within(std::chrono::seconds(30));
    const auto database = deps.database(ctx);
    if (!database) {
        return;
    }
    const auto session = (*database)->open_session(ctx);
    if (!session) {
        return;
    }
    storage::Runs runs(**session);
    auto run = runs.get(ctx, run_id);
    if (!run) {
        return;
    }
    if (!result) {
        // It could not even begin: the reason is for whoever asks for the run.
        const std::string at = format_rfc3339(deps.clock->wall());
        static_cast<void>(
            runs.set_state(ctx, run->key, RunState::failed, result.error().message, at).has_value()
        );
        run->state = RunState::failed;
    }
    bool stopping = false;
    {
        const std::lock_guard lock(mutex_);
        stopping = stopping_;
    }
    const Caller caller = carrier(1);
    const Request request{ctx, deps, **session, caller};
    if (run->state == RunState::interrupted) {
        // Who ended it decides what comes next: a stopping process hands it on; a pause leaves it;
        // a cancellation has been written by whoever asked for it, and is written again.
        storage::Resources experiments(**session, storage::ResourceKind::experiment);
        const auto experiment =
            experiments.find(ctx, {.org = 1, .user = {}, .is_admin = true}, run->experiment_id);
        const bool cancelled = experiment && *experiment && (*experiment)->status == "cancelled";
        const bool paused = experiment && *experiment && (*experiment)->status == "paused";
        if (cancelled) {
            const std::string at = format_rfc3339(deps.clock->wall());
            static_cast<void>(
                runs.set_state(ctx, run->key, RunState::cancelled, "cancelled by hand", at)
                    .has_value()
            );
            run->state = RunState::cancelled;
        } else if (stopping || !paused) {
            static_cast<void>(
                runs.move_state(ctx, run->key, RunState::interrupted, RunState::queued).has_value()
            );
            run->state = RunState::queued;
        }
    }
    static_cast<void>(settle_experiment(request, *run).has_value());
    const auto shown = show_run(request, *run);
    events_.publish(
        run_id, "state", dump_json(Json{{"status", std::string(to_string(run->state))}})
    );
    if (run->state != RunState::queued && run->state != RunState::interrupted) {
        events_.publish(run_id, "done", shown ? dump_json(*shown) : "{}");
        events_.close(run_id);
    }
}

}  // namespace lab::service
