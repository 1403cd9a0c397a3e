#include "storage/store/client_runs.h"

#include "storage/store/impl/outbox_notes.h"
#include "storage/store/impl/queries.h"

#include <algorithm>
#include <array>
#include <numeric>

namespace lab::storage {
namespace {

constexpr Query kAddClientSample{"add_client_sample", R"sql(
    INSERT INTO client_samples (run, client_id, number, body, created_at)
    SELECT CAST($1 AS BIGINT), CAST($2 AS TEXT), COALESCE(MAX(number), 0) + 1, CAST($3 AS TEXT),
           CAST($4 AS TEXT)
    FROM client_samples WHERE run = $1
    ON CONFLICT (run, client_id) DO NOTHING
)sql"};
constexpr Query kCountClientSamples{
    "count_client_samples",
    "SELECT COALESCE(MAX(number), 0) FROM client_samples WHERE run = $1"  // no number is left out
};
constexpr Query kListClientSamples{"list_client_samples", R"sql(
    SELECT client_id, number, body, created_at FROM client_samples
    WHERE run = $1 AND number > $2 ORDER BY number LIMIT $3
)sql"};
constexpr Query kFindClientSample{"find_client_sample", R"sql(
    SELECT client_id, number, body, created_at FROM client_samples
    WHERE run = $1 AND client_id = $2
)sql"};
constexpr Query kAddMetricPoint{"add_metric_point", R"sql(
    INSERT INTO metric_values (run, name, step, value, timestamp) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (run, name, step, timestamp) DO NOTHING
)sql"};
constexpr Query kAddUntimedPoint{"add_untimed_point", R"sql(
    INSERT INTO metric_values (run, name, step, value, timestamp)
    SELECT $1, $2, $3, $4, $5 WHERE NOT EXISTS (
        SELECT 1 FROM metric_values WHERE run = $1 AND name = $2 AND step = $3 AND value = $4
    )
    ON CONFLICT (run, name, step, timestamp) DO NOTHING
)sql"};
constexpr Query kListMetricPoints{"list_metric_points", R"sql(
    SELECT name, step, value, timestamp FROM metric_values
    WHERE run = $1 ORDER BY name, step, timestamp LIMIT $2
)sql"};

constexpr Query kLastPointKey{"last_point_key", "SELECT COALESCE(MAX(key), 0) FROM metric_values"};
constexpr Query kListPointsBetween{"list_points_between", R"sql(
    SELECT name, step, value, timestamp FROM metric_values
    WHERE key > $2 AND key <= $3 AND run = $1 ORDER BY key
)sql"};
constexpr Query kListSamplesBetween{"list_client_samples_between", R"sql(
    SELECT client_id, number, body, created_at FROM client_samples
    WHERE run = $1 AND number >= $2 AND number <= $3 ORDER BY number
)sql"};

constexpr const Query* kQueries[] = {
    &kAddClientSample,
    &kCountClientSamples,
    &kListClientSamples,
    &kFindClientSample,
    &kAddMetricPoint,
    &kAddUntimedPoint,
    &kListMetricPoints,
    &kLastPointKey,
    &kListPointsBetween,
    &kListSamplesBetween,
};

ClientSample sample_of(const Row& row) {
    return {
        .client_id = std::string(row.text(0)),
        .number = row.integer(1),
        .body = std::string(row.text(2)),
        .created_at = std::string(row.text(3)),
    };
}

Result<std::int64_t> last_point_key(const Ctx& ctx, Session& session) {
    std::int64_t out = 0;
    LAB_CHECK(session.query(ctx, kLastPointKey, {}, [&](const Row& row) {
        out = row.integer(0);
        return ok();
    }));
    return out;
}

MetricPoint point_of(const Row& row) {
    return {
        .name = std::string(row.text(0)),
        .step = row.integer(1),
        .value = row.real(2),
        .timestamp = std::string(row.text(3)),
    };
}

}  // namespace

std::span<const Query* const> client_run_queries() { return kQueries; }

Result<std::int64_t> ClientRuns::add_samples(
    const Ctx& ctx, std::int64_t run, std::span<const ClientSample> samples
) {
    LAB_TRY(auto transaction, Transaction::begin(ctx, session_));
    LAB_TRY(const std::vector<bool> is_new, add_samples_here(ctx, run, samples));
    LAB_CHECK(transaction.commit(ctx));
    return std::ranges::count(is_new, true);
}

Result<std::vector<bool>> ClientRuns::add_samples_here(
    const Ctx& ctx, std::int64_t run, std::span<const ClientSample> samples
) {
    LAB_CHECK(session_.hold(ctx, "client_samples", run));  // the next number is one higher
    std::array<Value, 4> values;
    const RowValues values_of = [&](std::size_t i) {
        values = {
            run,
            std::string_view(samples[i].client_id),
            std::string_view(samples[i].body),
            std::string_view(samples[i].created_at),
        };
        return std::span<const Value>(values);
    };
    LAB_TRY(auto notes, OutboxNotes::begin(ctx, session_));
    std::vector<std::int64_t> added;
    LAB_CHECK(session_.exec_many(ctx, kAddClientSample, samples.size(), values_of, added));
    if (notes.kept()) {
        std::vector<std::int64_t> numbers;
        for (std::size_t i = 0; i < samples.size(); ++i) {
            if (added[i] > 0) {
                LAB_TRY(const auto stored, find_sample(ctx, run, samples[i].client_id));
                numbers.push_back(stored ? stored->number : 0);
            }
        }
        LAB_CHECK(notes.client_samples(ctx, run, numbers));
    }
    LAB_CHECK(notes.commit(ctx));
    return std::vector<bool>(added.begin(), added.end());
}

Result<std::int64_t> ClientRuns::count_samples(const Ctx& ctx, std::int64_t run) {
    std::int64_t out = 0;
    const Value values[] = {run};
    LAB_CHECK(session_.query(ctx, kCountClientSamples, values, [&](const Row& row) {
        out = row.integer(0);
        return ok();
    }));
    return out;
}

Result<std::vector<ClientSample>> ClientRuns::list_samples(
    const Ctx& ctx, std::int64_t run, std::int64_t after, std::int64_t limit
) {
    std::vector<ClientSample> out;
    const Value values[] = {run, after, limit};
    LAB_CHECK(session_.query(ctx, kListClientSamples, values, [&](const Row& row) {
        out.push_back(sample_of(row));
        return ok();
    }));
    return out;
}

Result<std::optional<ClientSample>> ClientRuns::find_sample(
    const Ctx& ctx, std::int64_t run, std::string_view client_id
) {
    std::optional<ClientSample> out;
    const Value values[] = {run, client_id};
    LAB_CHECK(session_.query(ctx, kFindClientSample, values, [&](const Row& row) {
        out = sample_of(row);
        return ok();
    }));
    return out;
}

Result<std::int64_t> ClientRuns::add_points(
    const Ctx& ctx, std::int64_t run, std::span<const MetricPoint> points
) {
    LAB_TRY(auto transaction, Transaction::begin(ctx, session_));
    LAB_TRY(auto notes, OutboxNotes::begin(ctx, session_));
    std::int64_t before = 0;
    if (notes.kept()) {
        LAB_TRY(before, last_point_key(ctx, session_));
    }
    std::int64_t added = 0;
    // In the order they came: one without a time is compared with those before it.
    for (auto begin = points.begin(); begin != points.end();) {
        const bool timed = begin->timed;
        const auto end = std::find_if(begin, points.end(), [&](const MetricPoint& point) {
            return point.timed != timed;
        });
        std::array<Value, 5> values;
        const RowValues values_of = [&](std::size_t i) {
            const MetricPoint& point = begin[static_cast<std::ptrdiff_t>(i)];
            values = {
                run,
                std::string_view(point.name),
                point.step,
                point.value,
                std::string_view(point.timestamp),
            };
            return std::span<const Value>(values);
        };
        std::vector<std::int64_t> changed;
        const auto count = static_cast<std::size_t>(end - begin);
        const Query& query = timed ? kAddMetricPoint : kAddUntimedPoint;
        LAB_CHECK(session_.exec_many(ctx, query, count, values_of, changed));
        added = std::accumulate(changed.begin(), changed.end(), added);
        begin = end;
    }
    if (notes.kept()) {
        LAB_TRY(const std::int64_t last, last_point_key(ctx, session_));
        LAB_CHECK(notes.points(ctx, run, before, last, added));
    }
    LAB_CHECK(transaction.commit(ctx));
    return added;
}

Result<std::vector<MetricPoint>> ClientRuns::list_points(
    const Ctx& ctx, std::int64_t run, std::int64_t limit
) {
    std::vector<MetricPoint> out;
    const Value values[] = {run, limit};
    LAB_CHECK(session_.query(ctx, kListMetricPoints, values, [&](const Row& row) {
        out.push_back(point_of(row));
        return ok();
    }));
    return out;
}

Status ClientRuns::scan_points(
    const Ctx& ctx,
    std::int64_t run,
    std::int64_t after,
    std::int64_t last,
    const std::function<Status(const MetricPoint&)>& each
) {
    const Value values[] = {run, after, last};
    return session_.query(ctx, kListPointsBetween, values, [&](const Row& row) {
        return each(point_of(row));
    });
}

Status ClientRuns::scan_samples(
    const Ctx& ctx,
    std::int64_t run,
    std::int64_t first,
    std::int64_t last,
    const std::function<Status(const ClientSample&)>& each
) {
    const Value values[] = {run, first, last};
    return session_.query(ctx, kListSamplesBetween, values, [&](const Row& row) {
        return each(sample_of(row));
    });
}

}  // namespace lab::storage
