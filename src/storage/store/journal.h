#pragma once
#include "domain/sample.h"
#include "storage/store/row_count.h"
#include "storage/store/run_leases.h"

#include <functional>
#include <optional>
#include <span>
#include <vector>

/// What a run has done and what it is about to pay for.
namespace lab::storage {

/// Written before a call is sent: the most it may cost.
struct Intent {
    std::int64_t sample = 0;    ///< SampleResult::index
    std::optional<Money> cost;  ///< worst case; nullopt = price unknown
    std::int64_t tokens = 0;    ///< worst case
};

/// An attempt that ended without an answer, before the sample is tried again or given up.
struct Attempt {
    std::int64_t sample = 0;
    int attempts = 0;             ///< of this process for the sample, this one included
    std::optional<Intent> doubt;  ///< it may have been billed: its worst case
};

/// What stands in the books of a run. Sums saturate. What was paid for failed samples that were
/// forgotten since (drop_failed) is still in calls, usage and settled.
struct Ledger {
    std::int64_t done = 0;
    std::int64_t failed = 0;
    std::int64_t cached = 0;
    std::int64_t unpriced = 0;   ///< finished samples whose cost is n/a
    std::int64_t calls = 0;      ///< requests sent for finished samples; replayed ones are none
    domain::Usage usage;         ///< of finished samples that were paid for
    Money settled;               ///< cost of finished samples
    std::int64_t uncertain = 0;  ///< calls in flight when a process died, attempts in doubt
    Money uncertain_cost;        ///< their worst case: possibly billed
    std::int64_t uncertain_tokens = 0;
    std::int64_t uncertain_calls = 0;     ///< requests that may have been sent and are not in calls
    std::int64_t uncertain_unpriced = 0;  ///< those of them without a known worst case
    bool operator==(const Ledger&) const = default;
};

/// Samples and intents of runs. Borrows the session; same thread rule.
class Journal {
  public:
    /// Without a lease: who reads, or knows himself alone.
    explicit Journal(Session& session) : session_(session) {}
    /// For whoever works on a run: nothing is written for it once another has taken it over.
    /// Errors of all that writes: conflict when that is so.
    Journal(Session& session, const RunLease& lease) : session_(session), lease_(lease) {}

    /// One transaction: the intents of calls about to be sent, and finished samples, whose intents
    /// are settled with them. In any order. A result that is stored already, an intent that is open
    /// already and an intent for a stored result are refused (internal): nothing is ever stored or
    /// paid twice. Token counts are kept within 0 and 10^12.
    Status commit(
        const Ctx& ctx,
        std::int64_t run,
        std::span<const Intent> intents,
        std::span<const domain::SampleResult> results
    );
    /// All that came together, in one transaction. Attempts first, then what is withdrawn, then the
    /// others; each as the method that takes it alone.
    struct Entries {
        std::span<const Intent> intents = {};
        std::span<const domain::SampleResult> results = {};
        std::span<const Attempt> attempts = {};
        std::span<const std::int64_t> withdrawn = {};
        std::int64_t calls_withdrawn = 0;
        std::optional<MemberBooks> books = {};  ///< of the holder, with these
    };
    Status record(const Ctx& ctx, std::int64_t run, const Entries& entries);
    /// Withdraws intents of samples that are given up for now (an interrupted run): none of their
    /// calls was answered. `calls` were sent for them all the same, and stay in Ledger::calls.
    Status withdraw(
        const Ctx& ctx,
        std::int64_t run,
        std::span<const std::int64_t> samples,
        std::int64_t calls = 0
    );
    /// Attempts that ended without an answer. Where nobody knows whether one is billed, its worst
    /// case becomes an "uncertain" entry of the ledger.
    Status book(const Ctx& ctx, std::int64_t run, std::span<const Attempt> attempts);
    /// After a crash: open intents become "uncertain" entries of the ledger. Gives their number.
    /// Only for the process that works on the run.
    Result<std::int64_t> reclaim_intents(const Ctx& ctx, std::int64_t run);
    /// Reads all samples of the run, or what close_books() kept of one that is completed.
    Result<Ledger> ledger(const Ctx& ctx, std::int64_t run);
    /// Keeps what the books came to, for as long as the run is completed since that moment. Called
    /// when nothing more is written for it.
    Status close_books(
        const Ctx& ctx, std::int64_t run, std::string_view completed_at, const Ledger& books
    );
    /// How many samples are finished.
    Result<RowCount> count(const Ctx& ctx, std::int64_t run);
    /// Waits until what any session has committed is on the disk.
    Status sync(const Ctx& ctx) { return session_.sync(ctx); }
    /// Indexes of finished samples, ascending. With `failed_too` = false, failed ones are left out.
    /// Read in pages, like scan().
    Status scan_finished(
        const Ctx& ctx,
        std::int64_t run,
        const std::function<void(std::int64_t)>& each,
        bool failed_too = true
    );
    /// Forgets failed samples, so that a resumed run tries them again. Gives their number.
    Result<std::int64_t> drop_failed(const Ctx& ctx, std::int64_t run);
    /// All finished samples by index. The reference is valid inside the callback only. Rows are
    /// read in pages, so that a long scan holds nobody up: of a run that goes on meanwhile it sees
    /// what is there when it comes by.
    Status scan(
        const Ctx& ctx,
        std::int64_t run,
        const std::function<Status(const domain::SampleResult&)>& each
    );
    /// The finished samples with begin <= index < end, by index. As scan().
    Status scan_range(
        const Ctx& ctx,
        std::int64_t run,
        std::int64_t begin,
        std::int64_t end,
        const std::function<Status(const domain::SampleResult&)>& each
    );
    /// One sample; nullopt when it is not finished.
    Result<std::optional<domain::SampleResult>> find(
        const Ctx& ctx, std::int64_t run, std::int64_t sample
    );
    /// A finished, successful sample of any run with this 32-byte key.
    Result<std::optional<domain::SampleResult>> find_cached(
        const Ctx& ctx, std::string_view cache_key
    );

  private:
    Result<Transaction> begin(
        const Ctx& ctx, std::int64_t run, const std::optional<MemberBooks>& books = {}
    );
    Status note_attempts(const Ctx& ctx, std::int64_t run, std::span<const Attempt> attempts);
    Status drop_intents(
        const Ctx& ctx, std::int64_t run, std::span<const std::int64_t> samples, std::int64_t calls
    );
    Status carry_calls(const Ctx& ctx, std::int64_t run, std::int64_t calls);
    Status insert_intents(const Ctx& ctx, std::int64_t run, std::span<const Intent> intents);
    Status insert_results(
        const Ctx& ctx, std::int64_t run, std::span<const domain::SampleResult* const> results
    );
    Status settle_intents(const Ctx& ctx, std::int64_t run, std::span<const std::int64_t> samples);
    Session& session_;
    std::optional<RunLease> lease_;
};

}  // namespace lab::storage
