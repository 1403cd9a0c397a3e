#pragma once
#include "base/clock.h"
#include "domain/spec.h"
#include "engine/lane_status.h"
#include "providers/breaker.h"
#include "providers/limits.h"
#include "providers/provider.h"
#include "providers/retry.h"

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <queue>
#include <string>
#include <unordered_map>
#include <vector>

namespace lab::engine {

/// One model of the run.
struct LaneConfig {
    std::string name;
    int concurrency = 1;
    std::optional<double> requests_per_minute;
    std::optional<double> tokens_per_minute;
    bool replay = false;  ///< nothing to pay, nothing to limit
};

/// What the books of a run already say when it starts (all zero unless resumed).
struct OpeningBalance {
    Money cost;  ///< settled and uncertain
    std::int64_t calls = 0;
    std::int64_t tokens = 0;
};

/// What a process has done in a run, as its books have it: calls that go on at their worst.
struct Exposure {
    OpeningBalance spent;
    std::int64_t done = 0;
    std::int64_t failed = 0;
};

/// What several processes that work on one run tell each other.
struct Companions {
    int members = 1;                 ///< they share the limits of each model, this one included
    std::int64_t failed = 0;         ///< samples of the others
    OpeningBalance budget;           ///< not for this process to spend
    bool is_all_of_it = false;       ///< it cannot have more of the budget
    std::vector<Duration> pauses{};  ///< by lane: not to be called for so long
};

struct MachineConfig {
    std::vector<LaneConfig> lanes;
    domain::RetrySpec retry;
    domain::Budget budget;
    double max_error_share = 0.05;
    std::int64_t planned = 0;          ///< samples of the whole run, for max_error_share
    std::uint64_t seed = 0;            ///< of the retry jitter
    std::int64_t unstored_max = 8192;  ///< finished samples waiting for the disk
    OpeningBalance opening;
    /// One of several processes: samples come by and by, and so does money. See on_companions().
    bool in_a_crew = false;
};

enum class CommandKind : std::uint8_t {
    prepare,   ///< render, look into the cache, bound the cost; answer with on_prepared
    commit,    ///< write the intent; answer with on_intents_committed
    send,      ///< send the call; answer with on_call_done
    store,     ///< the sample is finished (with or without an output); answer with on_stored
    book,      ///< the attempt ended without an answer: count it, and when it may have been billed
               ///< its worst case; answer with on_booked
    withdraw,  ///< forget the sample and its intent: it was never sent, or ended without an answer
    cancel,    ///< cut the call short; its intent stays, and is uncertain from now on
};

struct Command {
    CommandKind kind;
    int lane;
    std::int64_t sample;
};

enum class PreparedKind : std::uint8_t {
    call,      ///< must be sent
    answered,  ///< from the cache: finished, nothing to pay
    broken,    ///< cannot be sent (a template variable is missing): finished, failed
};

struct Prepared {
    PreparedKind kind = PreparedKind::call;
    std::optional<Money> cost;  ///< worst case
    std::int64_t tokens = 0;    ///< worst case
};

/// A finished sample that is in the store.
struct Stored {
    int lane = 0;
    bool was_sent = false;  ///< a call was sent for it: it has held its slot until now
};

/// How a call went, as far as decisions need it.
struct CallReport {
    const providers::CallResult* result = nullptr;
    std::optional<Money> cost;  ///< actual
    std::int64_t tokens = 0;    ///< actual
};

enum class StopReason : std::uint8_t {
    none,
    completed,
    interrupted,
    budget_exhausted,
    too_many_errors,
    endpoint_down,
    internal_error,
};

/// Decides everything a run does and does nothing itself: events in, commands out, time and chance
/// from outside. Not thread-safe. After every event the driver carries out take_commands() until it
/// is empty, then sleeps until wake_at().
class Machine {
  public:
    /// Gives the next sample of a lane that is not finished yet; nullopt when there is none.
    using NextSample = std::function<std::optional<std::int64_t>(int lane)>;

    /// Room for a second's worth, at least for one call.
    static double burst_of(double per_minute) { return std::max(1.0, per_minute / 60.0); }

    Machine(MachineConfig config, NextSample next);

    void start(TimePoint now) { pump(now); }
    void on_prepared(std::int64_t sample, const Prepared& prepared, TimePoint now);
    void on_intents_committed(const std::vector<std::int64_t>& samples, TimePoint now);
    /// The driver did send it: the moment counts for latency-free limits.
    void on_call_done(std::int64_t sample, const CallReport& report, TimePoint now);
    void on_booked(const std::vector<std::int64_t>& samples, TimePoint now);
    void on_stored(const std::vector<Stored>& samples, TimePoint now);
    void on_wake(TimePoint now) { pump(now); }
    // In a crew:
    /// Of lanes of which none is left to take. Until then a lane whose NextSample gives nothing
    /// waits for more; that more is there tells on_wake().
    void on_nothing_left(const std::vector<int>& lanes, TimePoint now);
    void on_companions(const Companions& companions, TimePoint now);
    /// Whether it has a use for further samples of the lane.
    bool takes_from(std::size_t lane) const { return !stopping_ && lanes_[lane].given_up.empty(); }
    /// The call that waits for a share of the budget; nullopt when none does, or there is no more.
    std::optional<OpeningBalance> wants_budget() const;
    Exposure exposure() const;
    /// By lane: for how long its server is not to be called, as this process has learned; 0 = at
    /// once.
    std::vector<Duration> pauses(TimePoint now) const;
    /// Sends nothing more, lets what is in flight finish. The first reason stays.
    void stop(StopReason reason, std::string why, TimePoint now);
    /// As stop(), and cuts what is in flight short.
    void stop_now(StopReason reason, std::string why, TimePoint now);

    std::vector<Command> take_commands();
    bool has_commands() const { return !commands_.empty(); }
    /// nullopt: nothing to wait for but events.
    std::optional<TimePoint> wake_at() const { return wake_at_; }
    /// Everything is done and stored; stop_reason() says how it ended.
    bool finished() const { return finished_; }
    StopReason stop_reason() const { return stop_reason_; }
    /// Why it ended, for people. Not empty after a completed run when that cost more than its
    /// budget: a server may charge more than it was asked to.
    const std::string& stop_words() const { return stop_words_; }

    std::size_t lanes() const { return lanes_.size(); }
    LaneStatus lane_status(std::size_t lane, TimePoint now) const;

    struct Counters {
        std::int64_t done = 0;  ///< with an output
        std::int64_t failed = 0;
        std::int64_t answered = 0;  ///< of done: from the cache
        std::int64_t calls = 0;     ///< requests sent
        std::int64_t retries = 0;   ///< of calls: not the first for their sample
        std::int64_t rate_limited = 0;
        std::int64_t in_flight = 0;
        std::int64_t waiting = 0;   ///< for their retry
        std::int64_t doubtful = 0;  ///< attempts that may have been billed without an answer
        Money doubtful_cost;        ///< their worst case
        std::int64_t doubtful_tokens = 0;
        Money cost;  ///< settled by this process
        std::int64_t tokens = 0;
        std::int64_t unpriced = 0;
    };
    const Counters& counters() const { return counters_; }

  private:
    enum class Stage : std::uint8_t {
        preparing,
        blocked,  ///< waits for money
        committing,
        ready,
        in_flight,
        booking,
        waiting,
    };
    struct Active {
        explicit Active(int lane_index) : lane(lane_index) {}
        int lane;
        Stage stage = Stage::preparing;
        int attempts = 0;
        bool has_intent = false;  ///< cost and tokens below are reserved for it
        Money reserved_cost;
        std::int64_t reserved_tokens = 0;
        bool intent_on_disk = false;
        TimePoint retry_at{};
        TimePoint sent_at{};
    };
    struct Retry {
        TimePoint due;
        std::int64_t sample;
        bool operator>(const Retry& other) const {
            return due != other.due ? due > other.due : sample > other.sample;
        }
    };
    struct Lane {
        explicit Lane(const LaneConfig& lane);
        LaneConfig config;
        providers::AdaptiveConcurrency concurrency;
        std::optional<providers::TokenBucket> requests;
        std::optional<providers::TokenBucket> tokens;
        providers::Breaker breaker;
        std::deque<std::int64_t> ready;
        std::priority_queue<Retry, std::vector<Retry>, std::greater<>> waiting;
        std::int64_t in_flight = 0;
        /// Answered, and not stored yet: they hold their slots, so that a crash never makes more
        /// calls be sent again than there are slots.
        std::int64_t unstored = 0;
        std::int64_t before_flight = 0;  ///< preparing, blocked, committing or ready
        bool exhausted = false;          ///< no further samples in the plan
        bool all_dealt = true;           ///< in a crew: none is left to take
        TimePoint paused_until{};
        TimePoint told_to_pause_until{};  ///< of paused_until, what the server itself has said here
        std::int64_t opened_without_success = 0;  ///< breaker openings since the last success
        std::int64_t times_opened_seen = 0;
        std::int64_t refused_in_a_row = 0;
        bool ever_succeeded = false;
        bool ever_reached = false;  ///< somebody is there, whatever they said
        providers::Outcome last_failure = providers::Outcome::ok;
        std::string last_error;
        std::string given_up;  ///< why; empty = it is not
    };

    void pump(TimePoint now);
    void finish();
    void send_ready(int lane_index, TimePoint now);
    void take_new(int lane_index);
    /// Whether the head of the lane may be sent now; else when to look again.
    bool may_send(Lane& lane, const Active& active, TimePoint now);
    void wait_for_retry(std::int64_t sample, Active& active);
    void fail_or_retry(std::int64_t sample, const CallReport& report, TimePoint now);
    void finish_sample(std::int64_t sample, bool with_output, bool was_sent, TimePoint now);
    void drop(std::int64_t sample);
    /// Of all lanes, or of one.
    void withdraw_what_is_not_in_flight(std::optional<int> only_lane);
    Lane& lane_of(const Active& active) { return lanes_[static_cast<std::size_t>(active.lane)]; }
    bool takes_no_more(const Active& active) {
        return stopping_ || !lane_of(active).given_up.empty();
    }
    void wake_no_later_than(TimePoint when);
    void emit(CommandKind kind, int lane, std::int64_t sample);

    // machine_money.cpp
    /// Whether the books, everything in them at its worst, stay within the budget with this too.
    bool within_budget(Money cost, std::int64_t tokens, std::int64_t calls) const;
    bool reserve(Active& active, const Prepared& prepared);
    /// Reserves for blocked samples what there is; true when one of them may go on at once.
    bool retry_blocked(TimePoint now);
    /// Gives the reservation back and books what the sample really took.
    void settle(Active& active, const CallReport& report);
    void note_doubt(std::int64_t sample, const Active& active);
    void release(Active& active);
    void wait_for_budget(std::int64_t sample, Active& active);
    void hold_back(Lane& lane);
    std::string overspent_words() const;
    static Prepared prepared_again(const Active& active);

    // machine_crew.cpp
    void share_limits(int members, TimePoint now);

    // machine_lanes.cpp
    void learn(
        Lane& lane, const Active& active, const providers::CallResult& result, TimePoint now
    );
    void check_lane_health(int lane_index, const providers::CallResult& result, TimePoint now);
    void give_up(int lane_index, std::string why, TimePoint now);
    std::string given_up_words() const;
    bool waits_for_budget(std::size_t lane_index) const;

    MachineConfig config_;
    NextSample next_;
    std::vector<Lane> lanes_;
    std::unordered_map<std::int64_t, Active> active_;
    std::deque<std::pair<std::int64_t, Prepared>> blocked_;  ///< wait for budget to come back
    providers::RetryPolicy retry_;
    std::vector<Command> commands_;
    std::optional<TimePoint> wake_at_;
    Counters counters_;
    Money reserved_cost_;
    std::int64_t reserved_tokens_ = 0;
    std::int64_t reserved_calls_ = 0;  ///< intents and retries that are still to be sent
    std::int64_t open_intents_ = 0;
    std::int64_t unstored_ = 0;
    int members_ = 1;
    std::int64_t failed_of_others_ = 0;
    bool has_all_budget_ = true;  ///< in a crew: there is no more to be had
    bool overcharged_ = false;    ///< a call took more than its worst case
    bool stopping_ = false;
    bool left_out_ = false;  ///< some sample was given up because of that, or with its lane
    bool finished_ = false;
    StopReason stop_reason_ = StopReason::none;
    std::string stop_words_;
    std::string last_error_;  ///< of a sample that ended without an output
};

}  // namespace lab::engine
