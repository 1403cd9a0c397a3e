#include "storage/store/journal.h"

#include "storage/store/impl/outbox_notes.h"
#include "storage/store/impl/queries.h"

#include <algorithm>
#include <limits>

namespace lab::storage {
namespace {

using domain::SampleResult;
using domain::SampleState;

/// More tokens than any call has; keeps the sums of nine million samples within 64 bits, whatever a
/// provider claims.
constexpr std::int64_t kTokensMax = 1'000'000'000'000;
constexpr std::int64_t kPicoPerUsd = 1'000'000'000'000;
/// Rows a scan reads under one snapshot.
constexpr std::int64_t kPageRows = 1024;
/// Below every sample's index.
constexpr std::int64_t kBeforeFirst = -1;

constexpr Query kInsertIntent{"insert_intent", R"sql(
    INSERT INTO intents (run, sample, cost_pico, tokens, fence)
    SELECT CAST($1 AS BIGINT), CAST($2 AS BIGINT), CAST($3 AS BIGINT), CAST($4 AS BIGINT),
           CAST($5 AS BIGINT)
    WHERE NOT EXISTS (SELECT 1 FROM samples WHERE run = $1 AND sample = $2)
)sql"};
constexpr Query kDeleteIntent{"delete_intent", R"sql(
    DELETE FROM intents WHERE run = $1 AND sample = $2
)sql"};
constexpr Query kInsertSample{"insert_sample", R"sql(
    INSERT INTO samples (
        run, sample, state, variant, item, repetition, cached, replayed, attempts, http_status,
        cost_pico, input_tokens, cache_read_tokens, cache_write_tokens, output_tokens,
        reasoning_tokens, usage_estimated, latency_ns, first_token_ns, cache_key, item_id,
        finish_reason, error_code, error_message, scores, output, logprobs, stored_ms
    ) VALUES (
        $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,
        $21, $22, $23, $24, $25, $26, $27, $28
    )
)sql"};

// The columns of read_sample(), in its order.
#define LAB_SAMPLE_COLUMNS                                                                \
    "sample, state, variant, item, repetition, cached, replayed, attempts, http_status, " \
    "cost_pico, input_tokens, cache_read_tokens, cache_write_tokens, output_tokens, "     \
    "reasoning_tokens, usage_estimated, latency_ns, first_token_ns, cache_key, item_id, " \
    "finish_reason, error_code, error_message, scores, output, logprobs "

constexpr Query kScanSamples{
    "scan_samples",
    "SELECT " LAB_SAMPLE_COLUMNS
    "FROM samples WHERE run = $1 AND sample > $2 ORDER BY sample LIMIT $3"
};
constexpr Query kFindSample{
    "find_sample", "SELECT " LAB_SAMPLE_COLUMNS "FROM samples WHERE run = $1 AND sample = $2"
};
// The condition on the state is that of the index, word by word.
constexpr Query kFindCached{
    "find_cached",
    "SELECT " LAB_SAMPLE_COLUMNS "FROM samples WHERE cache_key = $1 AND state = 1 LIMIT 1"
};
#undef LAB_SAMPLE_COLUMNS

constexpr Query kScanFinished{"scan_finished", R"sql(
    SELECT sample FROM samples WHERE run = $1 AND sample > $2 ORDER BY sample LIMIT $3
)sql"};
constexpr Query kScanDone{"scan_done", R"sql(
    SELECT sample FROM samples WHERE run = $1 AND sample > $2 AND state = 1
    ORDER BY sample LIMIT $3
)sql"};

constexpr Query kReclaimIntents{"reclaim_intents", R"sql(
    INSERT INTO uncertain (run, sample, cost_pico, tokens, calls, noted_at)
    SELECT run, sample, cost_pico, tokens, attempts + 1, CAST($2 AS TEXT)
    FROM intents WHERE run = $1
)sql"};
constexpr Query kInsertUncertain{"insert_uncertain", R"sql(
    INSERT INTO uncertain (run, sample, cost_pico, tokens, calls, noted_at)
    VALUES ($1, $2, $3, $4, 0, $5)
)sql"};
constexpr Query kSetAttempts{"set_attempts", R"sql(
    UPDATE intents SET attempts = $3 WHERE run = $1 AND sample = $2
)sql"};
constexpr Query kDeleteIntents{"delete_intents", "DELETE FROM intents WHERE run = $1"};

// Amounts are summed as dollars and the rest of a dollar: a sum of pico-dollars may leave 64 bits.
constexpr Query kCountSamples{"count_samples", R"sql(
    SELECT CAST(COALESCE(SUM(CASE WHEN state = 1 THEN 1 ELSE 0 END), 0) AS BIGINT),
           CAST(COALESCE(SUM(CASE WHEN state = 2 THEN 1 ELSE 0 END), 0) AS BIGINT),
           CAST(COALESCE(SUM(cached), 0) AS BIGINT),
           CAST(COALESCE(SUM(CASE WHEN cost_pico IS NULL THEN 1 ELSE 0 END), 0) AS BIGINT)
    FROM samples WHERE run = $1
)sql"};
constexpr Query kSumPaid{"sum_paid", R"sql(
    SELECT CAST(COALESCE(SUM(attempts), 0) AS BIGINT),
           CAST(COALESCE(SUM(cost_pico / 1000000000000), 0) AS BIGINT),
           CAST(COALESCE(SUM(cost_pico % 1000000000000), 0) AS BIGINT),
           CAST(COALESCE(SUM(input_tokens), 0) AS BIGINT),
           CAST(COALESCE(SUM(cache_read_tokens), 0) AS BIGINT),
           CAST(COALESCE(SUM(cache_write_tokens), 0) AS BIGINT),
           CAST(COALESCE(SUM(output_tokens), 0) AS BIGINT),
           CAST(COALESCE(SUM(reasoning_tokens), 0) AS BIGINT),
           COALESCE(MAX(usage_estimated), 0)
    FROM samples WHERE run = $1 AND cached = 0 AND replayed = 0 AND state >= $2
)sql"};
constexpr Query kSumUncertain{"sum_uncertain", R"sql(
    SELECT COUNT(*),
           CAST(COALESCE(SUM(cost_pico / 1000000000000), 0) AS BIGINT),
           CAST(COALESCE(SUM(cost_pico % 1000000000000), 0) AS BIGINT),
           CAST(COALESCE(SUM(tokens), 0) AS BIGINT),
           CAST(COALESCE(SUM(CASE WHEN cost_pico IS NULL THEN 1 ELSE 0 END), 0) AS BIGINT),
           CAST(COALESCE(SUM(calls), 0) AS BIGINT)
    FROM uncertain WHERE run = $1
)sql"};
constexpr Query kGetCarried{"get_carried", R"sql(
    SELECT calls, cost_pico, input_tokens, cache_read_tokens, cache_write_tokens, output_tokens,
           reasoning_tokens
    FROM carried WHERE run = $1
)sql"};
constexpr Query kSetCarried{"set_carried", R"sql(
    INSERT INTO carried (
        run, calls, cost_pico, input_tokens, cache_read_tokens, cache_write_tokens, output_tokens,
        reasoning_tokens
    ) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
    ON CONFLICT (run) DO UPDATE SET
        calls = excluded.calls,
        cost_pico = excluded.cost_pico,
        input_tokens = excluded.input_tokens,
        cache_read_tokens = excluded.cache_read_tokens,
        cache_write_tokens = excluded.cache_write_tokens,
        output_tokens = excluded.output_tokens,
        reasoning_tokens = excluded.reasoning_tokens
)sql"};
constexpr Query kCarryCalls{"carry_calls", R"sql(
    INSERT INTO carried (
        run, calls, cost_pico, input_tokens, cache_read_tokens, cache_write_tokens, output_tokens,
        reasoning_tokens
    ) VALUES ($1, $2, 0, 0, 0, 0, 0, 0)
    ON CONFLICT (run) DO UPDATE SET calls = carried.calls + excluded.calls
)sql"};
constexpr Query kDeleteFailed{"delete_failed", "DELETE FROM samples WHERE run = $1 AND state = 2"};

constexpr Query kListFailed{
    "list_failed", "SELECT sample FROM samples WHERE run = $1 AND state = 2 ORDER BY sample"
};

constexpr const Query* kQueries[] = {
    &kInsertIntent, &kDeleteIntent,  &kInsertSample, &kScanSamples,    &kFindSample,
    &kFindCached,   &kScanFinished,  &kScanDone,     &kReclaimIntents, &kInsertUncertain,
    &kSetAttempts,  &kDeleteIntents, &kCountSamples, &kSumPaid,        &kSumUncertain,
    &kGetCarried,   &kSetCarried,    &kCarryCalls,   &kDeleteFailed,   &kListFailed,
};

std::int64_t tokens_in_bounds(std::int64_t tokens) {
    return std::clamp<std::int64_t>(tokens, 0, kTokensMax);
}

/// Both at least 0.
std::int64_t add_counts(std::int64_t a, std::int64_t b) {
    return a > std::numeric_limits<std::int64_t>::max() - b
               ? std::numeric_limits<std::int64_t>::max()
               : a + b;
}

/// Saturates, as Money does.
Money money_of(std::int64_t dollars, std::int64_t rest_pico) {
    dollars += rest_pico / kPicoPerUsd;
    constexpr std::int64_t kDollarsMax = std::numeric_limits<std::int64_t>::max() / kPicoPerUsd;
    if (dollars > kDollarsMax) {
        return Money::from_pico(std::numeric_limits<std::int64_t>::max());
    }
    return Money::from_pico(dollars * kPicoPerUsd) + Money::from_pico(rest_pico % kPicoPerUsd);
}

Value cost_value(const std::optional<Money>& cost) {
    return cost ? Value(cost->pico()) : Value(nullptr);
}

Value text_or_null(const std::string& text) {
    return text.empty() ? Value(nullptr) : Value(std::string_view(text));
}

std::int64_t milliseconds_of(WallTime time) {
    return std::chrono::floor<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

void read_sample(const Row& row, SampleResult& out) {
    out.index = row.integer(0);
    out.state = static_cast<SampleState>(row.integer(1));
    out.variant = static_cast<int>(row.integer(2));
    out.item = row.integer(3);
    out.repetition = static_cast<int>(row.integer(4));
    out.cached = row.integer(5) != 0;
    out.replayed = row.integer(6) != 0;
    out.attempts = static_cast<int>(row.integer(7));
    out.http_status = static_cast<int>(row.integer(8));
    out.cost = row.is_null(9) ? std::nullopt : std::optional(Money::from_pico(row.integer(9)));
    out.usage.input = row.integer(10);
    out.usage.cache_read = row.integer(11);
    out.usage.cache_write = row.integer(12);
    out.usage.output = row.integer(13);
    out.usage.reasoning = row.integer(14);
    out.usage.estimated = row.integer(15) != 0;
    out.latency = Duration(row.integer(16));
    out.time_to_first_token =
        row.is_null(17) ? std::nullopt : std::optional(Duration(row.integer(17)));
    out.cache_key = row.blob(18);
    out.item_id = row.text(19);
    out.finish_reason = row.text(20);
    out.error_code = row.text(21);
    out.error_message = row.text(22);
    out.scores = row.text(23);
    out.output = row.text(24);
    out.logprobs = row.text(25);
}

/// What was paid for finished samples, or for failed ones alone.
struct Paid {
    std::int64_t calls = 0;
    Money cost;
    domain::Usage usage;
    void add(const Paid& other) {
        calls = add_counts(calls, other.calls);
        cost += other.cost;
        usage.input = add_counts(usage.input, other.usage.input);
        usage.cache_read = add_counts(usage.cache_read, other.usage.cache_read);
        usage.cache_write = add_counts(usage.cache_write, other.usage.cache_write);
        usage.output = add_counts(usage.output, other.usage.output);
        usage.reasoning = add_counts(usage.reasoning, other.usage.reasoning);
        usage.estimated = usage.estimated || other.usage.estimated;
    }
};

Result<Paid> sum_paid(const Ctx& ctx, Session& session, std::int64_t run, SampleState from) {
    Paid out;
    const Value values[] = {run, static_cast<std::int64_t>(from)};
    LAB_CHECK(session.query(ctx, kSumPaid, values, [&](const Row& row) {
        out.calls = row.integer(0);
        out.cost = money_of(row.integer(1), row.integer(2));
        out.usage = {
            .input = row.integer(3),
            .cache_read = row.integer(4),
            .cache_write = row.integer(5),
            .output = row.integer(6),
            .reasoning = row.integer(7),
            .estimated = row.integer(8) != 0,
        };
        return ok();
    }));
    return out;
}

Result<Paid> get_carried(const Ctx& ctx, Session& session, std::int64_t run) {
    Paid out;
    const Value values[] = {run};
    LAB_CHECK(session.query(ctx, kGetCarried, values, [&](const Row& row) {
        out.calls = row.integer(0);
        out.cost = Money::from_pico(row.integer(1));
        out.usage = {
            .input = row.integer(2),
            .cache_read = row.integer(3),
            .cache_write = row.integer(4),
            .output = row.integer(5),
            .reasoning = row.integer(6),
        };
        return ok();
    }));
    return out;
}

Status set_carried(const Ctx& ctx, Session& session, std::int64_t run, const Paid& paid) {
    const Value values[] = {
        run,
        paid.calls,
        paid.cost.pico(),
        paid.usage.input,
        paid.usage.cache_read,
        paid.usage.cache_write,
        paid.usage.output,
        paid.usage.reasoning,
    };
    LAB_CHECK(session.exec(ctx, kSetCarried, values));
    return ok();
}

/// Several may do it at once.
Status add_carried_calls(const Ctx& ctx, Session& session, std::int64_t run, std::int64_t calls) {
    const Value values[] = {run, calls};
    LAB_CHECK(session.exec(ctx, kCarryCalls, values));
    return ok();
}

/// Runs a paged query until a page is not full. on_row gives the row's sample index.
template <class OnRow>
Status for_each_page(
    const Ctx& ctx, Session& session, const Query& query, std::int64_t run, const OnRow& on_row
) {
    std::int64_t last = kBeforeFirst;
    for (;;) {
        std::int64_t count = 0;
        const Value values[] = {run, last, kPageRows};
        LAB_CHECK(session.query(ctx, query, values, [&](const Row& row) -> Status {
            last = row.integer(0);
            ++count;
            return on_row(row);
        }));
        if (count < kPageRows) {
            return ok();
        }
    }
}

}  // namespace

std::span<const Query* const> journal_queries() { return kQueries; }

Result<Transaction> Journal::begin(
    const Ctx& ctx, std::int64_t run, const std::optional<MemberBooks>& books
) {
    LAB_TRY(auto transaction, Transaction::begin(ctx, session_));
    if (lease_) {
        LAB_ASSERT(lease_->run == run, "the lease is of this run");
        LAB_CHECK(RunLeases(session_).guard(ctx, *lease_, books));
    }
    return transaction;
}

Status Journal::insert_intent(const Ctx& ctx, std::int64_t run, const Intent& intent) {
    const Value values[] = {
        run,
        intent.sample,
        cost_value(intent.cost),
        tokens_in_bounds(intent.tokens),
        std::int64_t{lease_ ? lease_->fence : 0},
    };
    const auto inserted = session_.exec(ctx, kInsertIntent, values);
    if (inserted && *inserted == 1) {
        return ok();
    }
    if (!inserted && inserted.error().code != Code::conflict) {
        return inserted.error();
    }
    const std::string what = "sample " + std::to_string(intent.sample) + " of run " +
                             std::to_string(run) +
                             (inserted ? " is stored already and must not be paid for again"
                                       : " is being called already, or there is no such run");
    Error error(Code::internal, what);
    error.cause = inserted ? std::string() : inserted.error().cause;
    return error;
}

Status Journal::insert_result(const Ctx& ctx, std::int64_t run, const SampleResult& result) {
    LAB_ASSERT(result.index > kBeforeFirst, "a sample's index is not negative");
    const Value values[] = {
        run,
        result.index,
        static_cast<std::int64_t>(result.state),
        std::int64_t{result.variant},
        result.item,
        std::int64_t{result.repetition},
        std::int64_t{result.cached ? 1 : 0},
        std::int64_t{result.replayed ? 1 : 0},
        std::int64_t{result.attempts},
        std::int64_t{result.http_status},
        cost_value(result.cost),
        tokens_in_bounds(result.usage.input),
        tokens_in_bounds(result.usage.cache_read),
        tokens_in_bounds(result.usage.cache_write),
        tokens_in_bounds(result.usage.output),
        tokens_in_bounds(result.usage.reasoning),
        std::int64_t{result.usage.estimated ? 1 : 0},
        std::int64_t{result.latency.count()},
        result.time_to_first_token ? Value(std::int64_t{result.time_to_first_token->count()})
                                   : Value(nullptr),
        result.cache_key.empty() ? Value(nullptr) : Value(Blob{result.cache_key}),
        std::string_view(result.item_id),
        text_or_null(result.finish_reason),
        text_or_null(result.error_code),
        text_or_null(result.error_message),
        text_or_null(result.scores),
        std::string_view(result.output),
        text_or_null(result.logprobs),
        milliseconds_of(ctx.clock().wall()),
    };
    const auto inserted = session_.exec(ctx, kInsertSample, values);
    if (!inserted) {
        if (inserted.error().code != Code::conflict) {
            return inserted.error();
        }
        Error error(
            Code::internal,
            "sample " + std::to_string(result.index) + " of run " + std::to_string(run) +
                " is stored already, or there is no such run"
        );
        error.cause = inserted.error().cause;
        return error;
    }
    // Replayed outputs and cache hits cost nothing and have no intent.
    if (!result.replayed && !result.cached) {
        const Value key[] = {run, result.index};
        LAB_CHECK(session_.exec(ctx, kDeleteIntent, key));
    }
    return ok();
}

Status Journal::commit(
    const Ctx& ctx,
    std::int64_t run,
    std::span<const Intent> intents,
    std::span<const SampleResult> results
) {
    return record(ctx, run, {.intents = intents, .results = results});
}

Status Journal::withdraw(
    const Ctx& ctx, std::int64_t run, std::span<const std::int64_t> samples, std::int64_t calls
) {
    return record(ctx, run, {.withdrawn = samples, .calls_withdrawn = calls});
}

Status Journal::book(const Ctx& ctx, std::int64_t run, std::span<const Attempt> attempts) {
    return record(ctx, run, {.attempts = attempts});
}

Status Journal::record(const Ctx& ctx, std::int64_t run, const Entries& entries) {
    if (entries.attempts.empty() && entries.withdrawn.empty() && entries.intents.empty() &&
        entries.results.empty()) {
        return ok();
    }
    LAB_TRY(auto transaction, begin(ctx, run, entries.books));
    LAB_CHECK(note_attempts(ctx, run, entries.attempts));
    LAB_CHECK(drop_intents(ctx, run, entries.withdrawn, entries.calls_withdrawn));
    for (const Intent& intent : entries.intents) {
        LAB_CHECK(insert_intent(ctx, run, intent));
    }
    // Neighbours in the index are written together: of a large run this saves half the time.
    std::vector<const SampleResult*> order;
    order.reserve(entries.results.size());
    for (const SampleResult& result : entries.results) {
        order.push_back(&result);
    }
    std::ranges::sort(order, {}, &SampleResult::index);
    for (const SampleResult* result : order) {
        LAB_CHECK(insert_result(ctx, run, *result));
    }
    LAB_TRY(auto notes, OutboxNotes::begin(ctx, session_));
    if (notes.kept()) {
        std::vector<std::int64_t> indexes;
        indexes.reserve(order.size());
        std::ranges::transform(order, std::back_inserter(indexes), &SampleResult::index);
        LAB_CHECK(notes.samples(ctx, run, indexes));
    }
    return transaction.commit(ctx);
}

Status Journal::drop_intents(
    const Ctx& ctx, std::int64_t run, std::span<const std::int64_t> samples, std::int64_t calls
) {
    for (const std::int64_t sample : samples) {
        const Value key[] = {run, sample};
        LAB_CHECK(session_.exec(ctx, kDeleteIntent, key));
    }
    if (!samples.empty() && calls > 0) {
        LAB_CHECK(add_carried_calls(ctx, session_, run, calls));
        LAB_TRY(auto notes, OutboxNotes::begin(ctx, session_));
        LAB_CHECK(notes.carried(ctx, run));
    }
    return ok();
}

Status Journal::note_attempts(const Ctx& ctx, std::int64_t run, std::span<const Attempt> attempts) {
    const std::string at = format_rfc3339(ctx.clock().wall());
    for (const Attempt& attempt : attempts) {
        const Value counted[] = {run, attempt.sample, std::int64_t{attempt.attempts}};
        LAB_CHECK(session_.exec(ctx, kSetAttempts, counted));
        if (attempt.doubt) {
            const Value values[] = {
                run,
                attempt.sample,
                cost_value(attempt.doubt->cost),
                tokens_in_bounds(attempt.doubt->tokens),
                std::string_view(at),
            };
            LAB_CHECK(session_.exec(ctx, kInsertUncertain, values));
        }
    }
    return ok();
}

Result<std::int64_t> Journal::reclaim_intents(const Ctx& ctx, std::int64_t run) {
    const std::string at = format_rfc3339(ctx.clock().wall());
    LAB_TRY(auto transaction, begin(ctx, run));
    const Value noted[] = {run, std::string_view(at)};
    LAB_TRY(const std::int64_t count, session_.exec(ctx, kReclaimIntents, noted));
    const Value key[] = {run};
    LAB_CHECK(session_.exec(ctx, kDeleteIntents, key));
    LAB_CHECK(transaction.commit(ctx));
    return count;
}

Result<Ledger> Journal::ledger(const Ctx& ctx, std::int64_t run) {
    Ledger out;
    const Value key[] = {run};
    LAB_CHECK(session_.query(ctx, kCountSamples, key, [&](const Row& row) {
        out.done = row.integer(0);
        out.failed = row.integer(1);
        out.cached = row.integer(2);
        out.unpriced = row.integer(3);
        return ok();
    }));
    LAB_TRY(Paid paid, sum_paid(ctx, session_, run, SampleState::done));
    LAB_TRY(const Paid carried, get_carried(ctx, session_, run));
    paid.add(carried);
    out.calls = paid.calls;
    out.usage = paid.usage;
    out.settled = paid.cost;
    LAB_CHECK(session_.query(ctx, kSumUncertain, key, [&](const Row& row) {
        out.uncertain = row.integer(0);
        out.uncertain_cost = money_of(row.integer(1), row.integer(2));
        out.uncertain_tokens = row.integer(3);
        out.uncertain_unpriced = row.integer(4);
        out.uncertain_calls = row.integer(5);
        return ok();
    }));
    return out;
}

Status Journal::scan_finished(
    const Ctx& ctx, std::int64_t run, const std::function<void(std::int64_t)>& each, bool failed_too
) {
    const Query& query = failed_too ? kScanFinished : kScanDone;
    return for_each_page(ctx, session_, query, run, [&](const Row& row) {
        each(row.integer(0));
        return ok();
    });
}

Result<std::int64_t> Journal::drop_failed(const Ctx& ctx, std::int64_t run) {
    LAB_TRY(auto transaction, begin(ctx, run));
    LAB_TRY(Paid paid, sum_paid(ctx, session_, run, SampleState::failed));
    LAB_TRY(const Paid carried, get_carried(ctx, session_, run));
    paid.add(carried);
    const Value key[] = {run};
    LAB_TRY(auto notes, OutboxNotes::begin(ctx, session_));
    if (notes.kept()) {
        std::vector<std::int64_t> failed;
        LAB_CHECK(session_.query(ctx, kListFailed, key, [&](const Row& row) {
            failed.push_back(row.integer(0));
            return ok();
        }));
        LAB_CHECK(notes.samples(ctx, run, failed));
    }
    LAB_TRY(const std::int64_t count, session_.exec(ctx, kDeleteFailed, key));
    if (count > 0) {
        LAB_CHECK(set_carried(ctx, session_, run, paid));
        LAB_CHECK(notes.carried(ctx, run));
    }
    LAB_CHECK(transaction.commit(ctx));
    return count;
}

Status Journal::scan(
    const Ctx& ctx, std::int64_t run, const std::function<Status(const SampleResult&)>& each
) {
    SampleResult result;
    return for_each_page(ctx, session_, kScanSamples, run, [&](const Row& row) {
        read_sample(row, result);
        return each(result);
    });
}

Status Journal::scan_range(
    const Ctx& ctx,
    std::int64_t run,
    std::int64_t begin,
    std::int64_t end,
    const std::function<Status(const SampleResult&)>& each
) {
    const Value values[] = {run, begin - 1, end - begin};
    SampleResult result;
    // The limit is reached only when no sample of the range is missing.
    return session_.query(ctx, kScanSamples, values, [&](const Row& row) -> Status {
        read_sample(row, result);
        return result.index < end ? each(result) : ok();
    });
}

Result<std::optional<SampleResult>> Journal::find(
    const Ctx& ctx, std::int64_t run, std::int64_t sample
) {
    std::optional<SampleResult> out;
    const Value key[] = {run, sample};
    LAB_CHECK(session_.query(ctx, kFindSample, key, [&](const Row& row) {
        read_sample(row, out.emplace());
        return ok();
    }));
    return out;
}

Result<std::optional<SampleResult>> Journal::find_cached(
    const Ctx& ctx, std::string_view cache_key
) {
    std::optional<SampleResult> out;
    const Value key[] = {Blob{cache_key}};
    LAB_CHECK(session_.query(ctx, kFindCached, key, [&](const Row& row) {
        read_sample(row, out.emplace());
        return ok();
    }));
    return out;
}

}  // namespace lab::storage
