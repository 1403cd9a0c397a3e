#pragma once
#include "platform/telemetry/tracer.h"
#include "service/experiments.h"
#include "service/run_events.h"
#include "service/run_hold.h"
#include "service/runs.h"

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

namespace lab::service {

/// What a run needs to be carried out beside others: a loop, workers and an HTTP client of its own.
class RunnerParts {
  public:
    virtual ~RunnerParts() = default;
    virtual Deps& deps() = 0;
};

/// Carries out the queued runs of the service, a few at a time: of the organization that has the
/// fewest under way, the most urgent (config.resources.priority), then of whoever has the fewest,
/// then the oldest. A run that is ended from outside finishes what is in flight; when the process
/// stops it goes back to the queue, and whoever takes it next goes on where it was.
///
/// Many processes may share a store: each run is held by one of them (RunHold), which renews its
/// lease while it works. Whoever dies leaves a lease that runs out, and the run goes back to the
/// queue; whoever was only slow and finds his lease taken stores nothing more. Whoever has room and
/// finds nothing in the queue helps with a run of others (RunCrew), and leaves it when runs wait.
/// What is wanted of a run elsewhere (pause, cancel, a forced breaker) is looked for in the store.
class RunQueue final : public RunControl {
  public:
    struct Options {
        Duration poll = std::chrono::seconds(1);          ///< for something to do
        Duration watch = std::chrono::milliseconds(500);  ///< of what is under way
        Duration lease = std::chrono::seconds(15);        ///< at least some times `watch`
        Tracer* tracer = nullptr;                         ///< null: nobody traces
    };
    using MakeParts = std::function<Result<std::unique_ptr<RunnerParts>>()>;

    /// All outlive it. `workers`: one for each run at once; they and `watcher` are its own while it
    /// works.
    /// `paused()`: take no new run now (maintenance).
    RunQueue(
        const Deps& deps,
        std::vector<Worker*> workers,
        Worker& watcher,
        MakeParts make_parts,
        RunEvents& events,
        std::function<bool()> paused,
        Options options
    );
    /// As stop().
    ~RunQueue() override;
    /// Begins to work. Errors: those of the store.
    Status start();
    /// Carries nothing out, and only hears what others do in the runs that are listened to here.
    void listen();
    /// Takes no more runs and ends those under way: they finish what is in flight for `grace`, then
    /// it is cut short (and is uncertain). Waits for them.
    void stop(Duration grace = std::chrono::seconds(30));

    void wake() override;
    void interrupt(const std::string& run_id) override;
    std::size_t running() const;

  private:
    /// A run in the hands of this process.
    struct UnderWay {
        std::int64_t key = 0;
        std::int64_t fence = 0;  ///< 0: not taken yet
        int asked = 0;           ///< how often it was told to end
        bool is_beside_others = false;
        std::function<void()> end = {};
        std::vector<std::string> breakers = {};  ///< that stand before its providers
        std::int64_t events_saved = 0;
        /// Of those who work on it one tells of it. `due`: it is to be this one, as soon as it
        /// knows which number comes next.
        enum class Voice : std::uint8_t { silent, due, speaks } voice = Voice::speaks;
    };
    struct Taken {
        std::string id;
        RunHold hold;
    };
    /// A session that is opened again when it has died.
    class Kept;

    void work();
    /// nullopt: nothing to do.
    std::optional<Taken> take_next(Kept& kept);
    Result<std::optional<RunHold>> try_run(
        const Ctx& ctx, storage::Session& session, const domain::Run& run, bool beside_others
    );
    Status look_into_the_queue(
        const Ctx& ctx, storage::Session& session, std::optional<Taken>& out
    );
    Status settle_what_is_left(const Ctx& ctx, storage::Session& session);
    Status look_for_others(const Ctx& ctx, storage::Session& session, std::optional<Taken>& out);
    void leave(const std::string& run_id, const Result<RunResult>& result);
    void tell(const std::string& run_id, std::string type, std::string data);
    /// Whether this process tells of the run; `is_speaker`: it is the one who is to.
    bool speaks(const std::string& run_id, bool is_speaker);
    Status prepare(const Deps& deps, const domain::Run& run);
    bool is_stopping() const;
    bool is_under_way(const std::string& run_id) const;
    void carry_out(RunnerParts& parts, const Taken& taken);
    RunHooks hooks_of(const Deps& deps, const std::string& run_id);
    void forget(const std::string& run_id);
    Status settle(
        const Request& request,
        const std::string& run_id,
        const storage::RunLease& lease,
        const Result<RunResult>& result
    );

    // The watcher: run_watch.cpp.
    void start_watching();
    void watch();
    Status look_after(const Ctx& ctx, storage::Session& session);
    Status renew(const Ctx& ctx, storage::Session& session);
    Status hold_back(const Ctx& ctx, storage::Session& session);
    Status make_room(const Ctx& ctx, storage::Session& session);
    Status take_the_word(const Ctx& ctx, storage::Session& session, const std::string& run_id);
    Status find_voice(const Ctx& ctx, storage::Session& session, const std::string& run_id);
    Status save_events(const Ctx& ctx, storage::Session& session, const std::string& run_id);
    Status relay_events(const Ctx& ctx, storage::Session& session);
    static void end_now(UnderWay& one);
    /// Whether one of these breakers is forced open; the observer hears which.
    static bool are_refused(
        const Deps& deps,
        const std::vector<std::string>& needed,
        const std::vector<std::string>& forced
    );

    const Deps& deps_;
    std::vector<Worker*> workers_;
    Worker& watcher_;
    MakeParts make_parts_;
    RunEvents& events_;
    std::function<bool()> paused_;
    Options options_;
    mutable std::mutex mutex_;
    std::condition_variable wake_;
    std::condition_variable ended_;
    bool stopping_ = false;
    bool woken_ = false;
    bool watching_ = false;
    bool watch_no_more_ = false;
    std::map<std::string, UnderWay> under_way_;    ///< by id
    std::map<std::string, TimePoint> not_before_;  ///< runs of others that were left: by id
    TimePoint settle_next_{};
    std::size_t working_ = 0;  ///< workers that have not come back
    TimePoint renewed_at_{};   ///< of the watcher
};

}  // namespace lab::service
