#pragma once
#include "service/experiments.h"
#include "service/runs.h"

#include <condition_variable>
#include <deque>
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

/// One thing that happened in a run, as server-sent events tell it.
struct RunEvent {
    std::int64_t number = 0;  ///< 1.. per run in this process
    std::string type;         ///< progress, sample_failed, state, done
    std::string data;         ///< JSON
};

/// Tells listeners what happens in runs of this process. Keeps the last few for those who come
/// back. Any thread.
class RunEvents {
  public:
    using Listener = std::function<void(const RunEvent&)>;
    static constexpr std::size_t kKeptMax = 64;
    static constexpr std::size_t kClosedMax = 256;

    void publish(const std::string& run, std::string type, std::string data);
    /// First what was kept behind `after`, then what comes, on the publisher's thread.
    std::uint64_t subscribe(const std::string& run, std::int64_t after, Listener listener);
    void unsubscribe(const std::string& run, std::uint64_t id);
    /// The run is over: what was kept stays for those who come just now, until many others are
    /// over.
    void close(const std::string& run);

  private:
    struct Channel {
        std::int64_t last = 0;
        std::vector<RunEvent> kept;
        std::map<std::uint64_t, Listener> listeners;
    };
    std::mutex mutex_;
    std::map<std::string, Channel> channels_;
    std::deque<std::string> closed_;
    std::uint64_t last_id_ = 0;
};

/// Carries out the queued runs of the service, a few at a time: the most urgent first
/// (config.resources.priority), of those the oldest. A run that is ended
/// from outside finishes what is in flight; when the process stops it goes back to the queue, and
/// whoever takes it next goes on where it was.
class RunQueue final : public RunControl {
  public:
    struct Options {
        Duration poll = std::chrono::seconds(1);
    };
    using MakeParts = std::function<Result<std::unique_ptr<RunnerParts>>()>;

    /// All outlive it. `workers`: one for each run at once; they are its own while it works.
    /// `paused()`: take no new run now (maintenance).
    RunQueue(
        const Deps& deps,
        std::vector<Worker*> workers,
        MakeParts make_parts,
        RunEvents& events,
        std::function<bool()> paused,
        Options options
    );
    /// As stop().
    ~RunQueue() override;
    /// Runs that a process left as running when it died are queued again; then begins.
    Status start();
    /// Takes no more runs and ends those under way: they finish what is in flight for `grace`, then
    /// it is cut short (and is uncertain). Waits for them.
    void stop(Duration grace = std::chrono::seconds(30));

    void wake() override;
    void interrupt(const std::string& run_id) override;
    std::size_t running() const;

  private:
    void work();
    /// nullopt: nothing to do.
    std::optional<std::string> take_next();
    static bool must_hold_back(const Deps& deps, const std::string& run_id);
    Status prepare(const Deps& deps, const std::string& run_id);
    bool is_stopping() const;
    void carry_out(RunnerParts& parts, const std::string& run_id);
    Status settle(
        const Request& request, const std::string& run_id, const Result<RunResult>& result
    );
    static Status settle_interrupted(const Request& request, domain::Run& run);

    const Deps& deps_;
    std::vector<Worker*> workers_;
    MakeParts make_parts_;
    RunEvents& events_;
    std::function<bool()> paused_;
    Options options_;
    mutable std::mutex mutex_;
    std::condition_variable wake_;
    std::condition_variable ended_;
    bool stopping_ = false;
    bool woken_ = false;
    /// Ends a run under way; by id.
    std::map<std::string, std::function<void()>> under_way_;
    std::size_t working_ = 0;  ///< workers that have not come back
};

}  // namespace lab::service
