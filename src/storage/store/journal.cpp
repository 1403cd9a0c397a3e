#include "storage/store/journal.h"

#include "storage/store/impl/outbox_notes.h"
#include "storage/store/impl/queries.h"

#include <algorithm>
#include <array>

namespace lab::storage {
namespace {

using domain::SampleResult;
using domain::SampleState;

/// More tokens than any call has; keeps the sums of nine million samples within 64 bits, whatever a
/// provider claims.
constexpr std::int64_t kTokensMax = 1'000'000'000'000;
/// Rows a scan reads under one snapshot.
constexpr std::int64_t kPageRows = 1024;
/// Below every sample's index.
constexpr std::int64_t kBeforeFirst = -1;

// Many at once come as one JSON object, which both databases take apart under the same name:
// {"sample": [cost, tokens], ...}. Whether a sample is stored is looked up one by one: PostgreSQL
// keeps the plan it makes while there are few samples, and a join would read all of them later.
constexpr Query kInsertIntents{"insert_intents", R"sql(
    INSERT INTO intents (run, sample, cost_pico, tokens, fence)
    SELECT CAST($1 AS BIGINT), CAST(e.key AS BIGINT), CAST(e.value ->> 0 AS BIGINT),
           CAST(e.value ->> 1 AS BIGINT), CAST($3 AS BIGINT)
    FROM json_each($2) e
    WHERE (
        SELECT COUNT(*) FROM samples s WHERE s.run = $1 AND s.sample = CAST(e.key AS BIGINT)
    ) = 0
)sql"};
constexpr Query kFindStored{"find_stored", R"sql(
    SELECT sample FROM samples
    WHERE run = $1 AND sample IN (SELECT CAST(e.key AS BIGINT) FROM json_each($2) e) LIMIT 1
)sql"};
// One by one for the same reason: what was deleted is there until it is vacuumed.
constexpr Query kDeleteIntent{"delete_intent", R"sql(
    DELETE FROM intents WHERE run = $1 AND sample = $2
)sql"};
// The columns of read_sample() and values_of(), in their order.
#define LAB_SAMPLE_COLUMNS                                                                \
    "sample, state, variant, item, repetition, cached, replayed, attempts, http_status, " \
    "cost_pico, input_tokens, cache_read_tokens, cache_write_tokens, output_tokens, "     \
    "reasoning_tokens, usage_estimated, latency_ns, first_token_ns, cache_key, item_id, " \
    "finish_reason, error_code, error_message, scores, output, logprobs "

constexpr Query kInsertSample{
    .name = "insert_sample",
    .sql = "INSERT INTO samples (run, " LAB_SAMPLE_COLUMNS
           ", stored_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, "
           "$16, $17, "
           "$18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28)",
    .copy = "COPY samples (run, " LAB_SAMPLE_COLUMNS ", stored_ms) FROM STDIN (FORMAT binary)",
};
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

constexpr const Query* kQueries[] = {
    &kInsertIntents,
    &kFindStored,
    &kDeleteIntent,
    &kInsertSample,
    &kScanSamples,
    &kFindSample,
    &kFindCached,
    &kScanFinished,
    &kScanDone,
    &kReclaimIntents,
    &kInsertUncertain,
    &kSetAttempts,
    &kDeleteIntents,
};

std::int64_t tokens_in_bounds(std::int64_t tokens) {
    return std::clamp<std::int64_t>(tokens, 0, kTokensMax);
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

constexpr std::size_t kSampleColumns = 28;

std::array<Value, kSampleColumns> values_of(
    std::int64_t run, const SampleResult& result, std::int64_t stored_ms
) {
    LAB_ASSERT(result.index > kBeforeFirst, "a sample's index is not negative");
    return {
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
        stored_ms,
    };
}

/// The next member's name of a JSON object: a sample.
void append_member(std::string& object, std::int64_t sample) {
    object += object.empty() ? "{\"" : ",\"";
    object += std::to_string(sample) + "\":";
}

/// One of them, when it is known which.
std::string sample_name(std::int64_t run, std::int64_t sample) {
    return (sample > kBeforeFirst ? "sample " + std::to_string(sample) : "a sample") + " of run " +
           std::to_string(run);
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

Status Journal::insert_intents(const Ctx& ctx, std::int64_t run, std::span<const Intent> intents) {
    if (intents.empty()) {
        return ok();
    }
    std::string listed;
    for (const Intent& intent : intents) {
        append_member(listed, intent.sample);
        listed += '[';
        listed += intent.cost ? std::to_string(intent.cost->pico()) : "null";
        listed += ',' + std::to_string(tokens_in_bounds(intent.tokens)) + ']';
    }
    listed += '}';
    const Value values[] = {
        run, std::string_view(listed), std::int64_t{lease_ ? lease_->fence : 0}
    };
    const auto inserted = session_.exec(ctx, kInsertIntents, values);
    if (inserted && *inserted == std::ssize(intents)) {
        return ok();
    }
    if (!inserted && inserted.error().code != Code::conflict) {
        return inserted.error();
    }
    if (!inserted) {
        Error error(
            Code::internal,
            "a sample of run " + std::to_string(run) +
                " is being called already, or there is no such run"
        );
        error.cause = inserted.error().cause;
        return error;
    }
    std::int64_t stored = kBeforeFirst;
    LAB_CHECK(session_.query(ctx, kFindStored, std::span(values).first(2), [&](const Row& row) {
        stored = row.integer(0);
        return ok();
    }));
    return Error(
        Code::internal,
        sample_name(run, stored) + " is stored already and must not be paid for again"
    );
}

Status Journal::insert_results(
    const Ctx& ctx, std::int64_t run, std::span<const SampleResult* const> results
) {
    const std::int64_t stored_ms = milliseconds_of(ctx.clock().wall());
    std::array<Value, kSampleColumns> values;
    std::vector<std::int64_t> inserted;
    const Status done = session_.exec_many(
        ctx,
        kInsertSample,
        results.size(),
        [&](std::size_t i) {
            values = values_of(run, *results[i], stored_ms);
            return std::span<const Value>(values);
        },
        inserted
    );
    if (done || done.error().code != Code::conflict) {
        return done;
    }
    const std::size_t refused = inserted.size();
    Error error(
        Code::internal,
        sample_name(run, refused < results.size() ? results[refused]->index : kBeforeFirst) +
            " is stored already, or there is no such run"
    );
    error.cause = done.error().cause;
    return error;
}

Status Journal::settle_intents(
    const Ctx& ctx, std::int64_t run, std::span<const std::int64_t> samples
) {
    std::array<Value, 2> key;
    const RowValues values_of = [&](std::size_t i) {
        key = {run, samples[i]};
        return std::span<const Value>(key);
    };
    std::vector<std::int64_t> deleted;
    return session_.exec_many(ctx, kDeleteIntent, samples.size(), values_of, deleted);
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
    LAB_CHECK(insert_intents(ctx, run, entries.intents));
    // Neighbours in the index are written together: of a large run this saves half the time.
    std::vector<const SampleResult*> order;
    order.reserve(entries.results.size());
    for (const SampleResult& result : entries.results) {
        order.push_back(&result);
    }
    std::ranges::sort(order, {}, &SampleResult::index);
    // Replayed outputs and cache hits cost nothing and have no intent.
    std::vector<std::int64_t> settled;
    for (const SampleResult* const result : order) {
        if (!result->replayed && !result->cached) {
            settled.push_back(result->index);
        }
    }
    LAB_CHECK(insert_results(ctx, run, order));
    LAB_CHECK(settle_intents(ctx, run, settled));
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
    LAB_CHECK(settle_intents(ctx, run, samples));
    return !samples.empty() && calls > 0 ? carry_calls(ctx, run, calls) : ok();
}

Status Journal::note_attempts(const Ctx& ctx, std::int64_t run, std::span<const Attempt> attempts) {
    const std::string at = format_rfc3339(ctx.clock().wall());
    std::vector<std::int64_t> changed;
    std::array<Value, 3> counted;
    const RowValues attempt_values = [&](std::size_t i) {
        counted = {run, attempts[i].sample, std::int64_t{attempts[i].attempts}};
        return std::span<const Value>(counted);
    };
    LAB_CHECK(session_.exec_many(ctx, kSetAttempts, attempts.size(), attempt_values, changed));
    std::vector<Intent> doubts;
    for (const Attempt& attempt : attempts) {
        if (attempt.doubt) {
            doubts.push_back(
                {.sample = attempt.sample,
                 .cost = attempt.doubt->cost,
                 .tokens = attempt.doubt->tokens}
            );
        }
    }
    std::array<Value, 5> noted;
    const RowValues doubt_values = [&](std::size_t i) {
        noted = {
            run,
            doubts[i].sample,
            cost_value(doubts[i].cost),
            tokens_in_bounds(doubts[i].tokens),
            std::string_view(at),
        };
        return std::span<const Value>(noted);
    };
    return session_.exec_many(ctx, kInsertUncertain, doubts.size(), doubt_values, changed);
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

Status Journal::scan_finished(
    const Ctx& ctx, std::int64_t run, const std::function<void(std::int64_t)>& each, bool failed_too
) {
    const Query& query = failed_too ? kScanFinished : kScanDone;
    return for_each_page(ctx, session_, query, run, [&](const Row& row) {
        each(row.integer(0));
        return ok();
    });
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
