#include "storage/store/impl/count_rows.h"
#include "storage/store/impl/outbox_notes.h"
#include "storage/store/impl/queries.h"
#include "storage/store/journal.h"

#include <limits>
#include <memory>

/// What stands in the books of a run.
namespace lab::storage {
namespace {

using domain::SampleState;

constexpr std::int64_t kPicoPerUsd = 1'000'000'000'000;

// Amounts are summed as dollars and the rest of a dollar: a sum of pico-dollars may leave 64 bits.
#define LAB_PAID_SUM(what) \
    "CAST(COALESCE(SUM(" what ") FILTER (WHERE cached = 0 AND replayed = 0), 0) AS BIGINT), "
constexpr Query kSumSamples{
    "sum_samples",
    "SELECT " LAB_PAID_SUM("attempts") LAB_PAID_SUM("cost_pico / 1000000000000"
    ) LAB_PAID_SUM("cost_pico % 1000000000000") LAB_PAID_SUM("input_tokens")
        LAB_PAID_SUM("cache_read_tokens") LAB_PAID_SUM("cache_write_tokens")
            LAB_PAID_SUM("output_tokens") LAB_PAID_SUM("reasoning_tokens"
            ) "COALESCE(MAX(usage_estimated) FILTER (WHERE cached = 0 AND replayed = 0), 0), "
              "COUNT(*) FILTER (WHERE state = 1), COUNT(*) FILTER (WHERE state = 2), "
              "CAST(COALESCE(SUM(cached), 0) AS BIGINT), COUNT(*) FILTER (WHERE cost_pico IS NULL) "
              "FROM samples WHERE run = $1 AND state >= $2"
};
#undef LAB_PAID_SUM
constexpr Query kCountStored{"count_stored_samples", LAB_COUNT_ROWS("FROM samples WHERE run = $1")};
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

// The columns of the books, in the order of read_books().
#define LAB_BOOKS                                                                          \
    "done, failed, cached, unpriced, calls, input_tokens, cache_read_tokens, "             \
    "cache_write_tokens, output_tokens, reasoning_tokens, usage_estimated, settled_pico, " \
    "uncertain, uncertain_pico, uncertain_tokens, uncertain_calls, uncertain_unpriced "
constexpr Query kGetBooks{
    "get_books",
    "SELECT " LAB_BOOKS
    "FROM run_books b JOIN runs r ON r.key = b.run AND r.completed_at = b.completed_at "
    "WHERE b.run = $1 AND r.state = 'completed'"
};
constexpr Query kCloseBooks{
    "close_books",
    "INSERT INTO run_books (run, completed_at, " LAB_BOOKS
    ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, "
    "$19)"
};
constexpr Query kOpenBooks{"open_books", "DELETE FROM run_books WHERE run = $1"};
#undef LAB_BOOKS

constexpr Query kListFailed{
    "list_failed", "SELECT sample FROM samples WHERE run = $1 AND state = 2 ORDER BY sample"
};

constexpr const Query* kQueries[] = {
    &kSumSamples,
    &kCountStored,
    &kSumUncertain,
    &kGetCarried,
    &kSetCarried,
    &kCarryCalls,
    &kDeleteFailed,
    &kListFailed,
    &kGetBooks,
    &kCloseBooks,
    &kOpenBooks,
};

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

struct Sums {
    Paid paid;
    std::int64_t done = 0;
    std::int64_t failed = 0;
    std::int64_t cached = 0;
    std::int64_t unpriced = 0;
};

/// Of the samples in this state and those above.
Result<Sums> sum_samples(const Ctx& ctx, Session& session, std::int64_t run, SampleState from) {
    Sums out;
    const Value values[] = {run, static_cast<std::int64_t>(from)};
    LAB_CHECK(session.query(ctx, kSumSamples, values, [&](const Row& row) {
        out.paid.calls = row.integer(0);
        out.paid.cost = money_of(row.integer(1), row.integer(2));
        out.paid.usage = {
            .input = row.integer(3),
            .cache_read = row.integer(4),
            .cache_write = row.integer(5),
            .output = row.integer(6),
            .reasoning = row.integer(7),
            .estimated = row.integer(8) != 0,
        };
        out.done = row.integer(9);
        out.failed = row.integer(10);
        out.cached = row.integer(11);
        out.unpriced = row.integer(12);
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

Result<Ledger> sum_books(const Ctx& ctx, Session& session, std::int64_t run) {
    LAB_TRY(Sums sums, sum_samples(ctx, session, run, SampleState::done));
    LAB_TRY(const Paid carried, get_carried(ctx, session, run));
    sums.paid.add(carried);
    Ledger out{
        .done = sums.done,
        .failed = sums.failed,
        .cached = sums.cached,
        .unpriced = sums.unpriced,
        .calls = sums.paid.calls,
        .usage = sums.paid.usage,
        .settled = sums.paid.cost,
    };
    const Value key[] = {run};
    LAB_CHECK(session.query(ctx, kSumUncertain, key, [&](const Row& row) {
        out.uncertain = row.integer(0);
        out.uncertain_cost = money_of(row.integer(1), row.integer(2));
        out.uncertain_tokens = row.integer(3);
        out.uncertain_unpriced = row.integer(4);
        out.uncertain_calls = row.integer(5);
        return ok();
    }));
    return out;
}

/// As they were closed; null where they were not, or the run went on since.
Result<std::unique_ptr<Ledger>> get_books(const Ctx& ctx, Session& session, std::int64_t run) {
    std::unique_ptr<Ledger> out;
    const Value key[] = {run};
    LAB_CHECK(session.query(ctx, kGetBooks, key, [&](const Row& row) {
        out = std::make_unique<Ledger>(Ledger{
            .done = row.integer(0),
            .failed = row.integer(1),
            .cached = row.integer(2),
            .unpriced = row.integer(3),
            .calls = row.integer(4),
            .usage =
                {.input = row.integer(5),
                 .cache_read = row.integer(6),
                 .cache_write = row.integer(7),
                 .output = row.integer(8),
                 .reasoning = row.integer(9),
                 .estimated = row.integer(10) != 0},
            .settled = Money::from_pico(row.integer(11)),
            .uncertain = row.integer(12),
            .uncertain_cost = Money::from_pico(row.integer(13)),
            .uncertain_tokens = row.integer(14),
            .uncertain_calls = row.integer(15),
            .uncertain_unpriced = row.integer(16),
        });
        return ok();
    }));
    return out;
}

}  // namespace

std::span<const Query* const> ledger_queries() { return kQueries; }

Result<Ledger> Journal::ledger(const Ctx& ctx, std::int64_t run) {
    LAB_TRY(const auto closed, get_books(ctx, session_, run));
    return closed ? *closed : sum_books(ctx, session_, run);
}

Status Journal::close_books(
    const Ctx& ctx, std::int64_t run, std::string_view completed_at, const Ledger& books
) {
    const Value values[] = {
        run,
        completed_at,
        books.done,
        books.failed,
        books.cached,
        books.unpriced,
        books.calls,
        books.usage.input,
        books.usage.cache_read,
        books.usage.cache_write,
        books.usage.output,
        books.usage.reasoning,
        std::int64_t{books.usage.estimated ? 1 : 0},
        books.settled.pico(),
        books.uncertain,
        books.uncertain_cost.pico(),
        books.uncertain_tokens,
        books.uncertain_calls,
        books.uncertain_unpriced,
    };
    LAB_CHECK(session_.exec(ctx, kOpenBooks, std::span(values).first(1)));
    LAB_CHECK(session_.exec(ctx, kCloseBooks, values));
    return ok();
}

Result<RowCount> Journal::count(const Ctx& ctx, std::int64_t run) {
    LAB_TRY(const auto closed, get_books(ctx, session_, run));
    if (closed) {
        return RowCount{closed->done + closed->failed};
    }
    const Value key[] = {run};
    return count_rows(ctx, session_, kCountStored, key);
}

/// Several may do it at once.
Status Journal::carry_calls(const Ctx& ctx, std::int64_t run, std::int64_t calls) {
    const Value values[] = {run, calls};
    LAB_CHECK(session_.exec(ctx, kCarryCalls, values));
    LAB_TRY(auto notes, OutboxNotes::begin(ctx, session_));
    return notes.carried(ctx, run);
}

Result<std::int64_t> Journal::drop_failed(const Ctx& ctx, std::int64_t run) {
    LAB_TRY(auto transaction, begin(ctx, run));
    LAB_TRY(const Sums forgotten, sum_samples(ctx, session_, run, SampleState::failed));
    LAB_TRY(Paid paid, get_carried(ctx, session_, run));
    paid.add(forgotten.paid);
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

}  // namespace lab::storage
