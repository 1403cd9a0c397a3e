#pragma once
#include "base/ctx.h"
#include "base/executor.h"
#include "domain/sample.h"
#include "domain/spec.h"
#include "engine/crew.h"
#include "engine/items.h"
#include "engine/machine.h"
#include "engine/plan.h"
#include "engine/render.h"
#include "engine/score.h"
#include "providers/provider.h"
#include "storage/store/journal.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace lab::engine {

/// What a run consists of. Everything outlives the driver.
struct RunInput {
    const domain::ExperimentSpec* spec = nullptr;
    const Plan* plan = nullptr;
    const Items* items = nullptr;
    const Renderer* renderer = nullptr;
    const ScoreBook* scores = nullptr;
    std::vector<providers::Provider*> providers;          ///< by model
    std::vector<std::optional<domain::Pricing>> pricing;  ///< by model; nullopt = unknown
    std::int64_t run = 0;                                 ///< the store's key
    std::vector<bool> finished;                           ///< by sample index; empty = none
    storage::Ledger opening;
};

struct DriverDeps {
    Executor* loop = nullptr;
    Worker* worker = nullptr;                  ///< scores and commits
    Worker* disk = nullptr;                    ///< waits for the disk
    storage::Journal* journal = nullptr;       ///< used on the worker only
    storage::Journal* disk_journal = nullptr;  ///< used on the disk worker only
    storage::Journal* cache_reader = nullptr;  ///< used on the loop only; nullptr = cache off
    Ctx ctx;
    Crew* crew = nullptr;  ///< used on the worker only; nullptr = nobody else works on the run
    std::uint64_t jitter_seed = 0;
    /// Told of every sample that has failed for good, once that is stored. Loop thread.
    std::function<void(const domain::SampleResult&)> failed = {};
};

struct RunEnd {
    StopReason reason = StopReason::none;
    std::string words;  ///< why, for people
    Machine::Counters counters;
    std::optional<Error> error;  ///< StopReason::internal_error: what broke (disk full ...)
};

/// Carries out what the machine decides: renders, calls, scores, stores. Loop thread only, except
/// that scoring and storing run on the worker, and waiting for the disk on another. Results are
/// committed in the batches that come together while the previous batch is written. From then on
/// the death of the process cannot take them, and their slots are free; calls are sent only when
/// their intents are on the disk, and the run ends when everything is.
class Driver {
  public:
    Driver(RunInput input, DriverDeps deps);
    ~Driver();
    /// `done` runs once, on the loop thread, when everything is stored or nothing more can be.
    void start(std::function<void(RunEnd)> done);
    /// First call: send nothing more, finish and store what is in flight. Second: cut it short.
    void interrupt();
    const Machine::Counters& counters() const { return machine_.counters(); }
    /// By model: what it is doing, or why it does nothing.
    std::vector<LaneStatus> lane_status() const;
    /// What the others in the crew had done when they were last heard of.
    const Exposure& others() const { return others_; }
    /// Of a crew, one member tells how the run goes on.
    bool is_speaker() const { return is_speaker_; }
    /// Blocks whose samples are all stored and that the crew has not been told of.
    const std::vector<int>& finished_blocks() const { return finished_blocks_; }

  private:
    struct Call;
    struct Batch;
    /// Written and not known to be on the disk.
    struct Written {
        std::vector<std::int64_t> intents;
        std::vector<std::int64_t> booked;
        bool anything = false;
    };

    void turn();
    void carry_out(const Command& command);
    void prepare(const Command& command);
    void send(std::int64_t sample);
    void on_call_done(std::int64_t sample, providers::CallResult result);
    void store(std::int64_t sample);
    void flush();
    void on_written(const Status& status, const Batch& batch);
    void sync();
    void on_synced(const Status& status, const Written& written);
    bool all_on_disk() const;
    Status write(Batch& batch);
    void fail(Error error);
    void finish();
    void tell_end();
    std::string cache_key(const Call& call) const;
    bool answer_from_cache(Call& call);
    std::optional<std::int64_t> next_sample(int lane);
    void on_sample_over(int shard, bool is_stored);

    // driver_crew.cpp
    void ask_crew();
    CrewAsk make_ask(TimePoint now);
    void on_answer(Result<CrewAnswer> answer);
    void follow(CrewAnswer answer);

    RunInput input_;
    DriverDeps deps_;
    Machine machine_;
    /// By lane: what is to be taken next.
    std::vector<std::deque<Block>> blocks_;
    /// A block that was begun.
    struct Part {
        std::int64_t open = 0;   ///< samples that are taken and not stored
        bool all_taken = false;  ///< none is left in it
        bool left_out = false;   ///< some of its samples will not be stored here
    };
    std::unordered_map<int, Part> parts_;             ///< by shard
    std::unordered_map<std::int64_t, int> shard_of_;  ///< of samples on the way to prepare()
    std::vector<int> finished_blocks_;
    std::vector<bool> lane_over_;         ///< nothing is left to take of it
    std::vector<TimePoint> pauses_told_;  ///< by lane
    Exposure others_;
    bool is_speaker_ = true;
    bool asking_ = false;
    TimePoint ask_at_{};
    std::optional<Executor::TimerId> ask_timer_;
    std::unordered_map<std::int64_t, std::unique_ptr<Call>> calls_;
    std::unique_ptr<Batch> batch_;  ///< collects what goes to disk next
    Written written_;               ///< since the last sync began
    bool writing_ = false;
    bool syncing_ = false;
    bool turning_ = false;
    bool interrupted_ = false;
    bool ended_ = false;
    std::optional<Error> error_;
    std::optional<Executor::TimerId> timer_;
    TimePoint timer_at_{};
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
    std::function<void(RunEnd)> done_;
};

}  // namespace lab::engine
