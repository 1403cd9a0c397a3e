#include "service/fact_shipper.h"

#include "base/uuid.h"

#include <algorithm>
#include <map>

namespace lab::service {
namespace {

using storage::OutboxEntry;
using Kind = OutboxEntry::Kind;

constexpr std::size_t kKnownMax = 8;
/// Of samples that lie together this many are read in one go.
constexpr std::int64_t kWindow = 256;
constexpr std::size_t kFewInWindow = 8;

}  // namespace

/// One look at the outbox.
struct FactShipper::Round {
    const Ctx& ctx;
    storage::Session& session;
    Shipped& shipped;
    std::vector<std::string> deleted;  ///< experiments
};

/// Samples of one run.
struct FactShipper::Wanted {
    std::vector<std::int64_t> indexes;
    std::int64_t noted_ms = 0;  ///< of the last note
};

FactShipper::FactShipper(const Deps& deps, storage::FactStore& store, Options options)
    : deps_(deps), store_(store), options_(std::move(options)) {}

/// Where there were no tables, everything is to be told, by whoever's turn it is. Two processes may
/// both have found none: what is told twice counts once.
Status FactShipper::begin(const Ctx& ctx, storage::Session& session) {
    if (ready_) {
        return ok();
    }
    LAB_TRY(const bool made, store_.make_tables(ctx));
    if (made) {
        LAB_CHECK(storage::Outbox(session).note_everything(ctx));
    }
    ready_ = true;
    return ok();
}

Status FactShipper::ship(const Ctx& ctx, storage::Session& session, Shipped& shipped) {
    storage::Outbox outbox(session);
    known_.clear();  // what is known of runs may have changed since
    LAB_CHECK(begin(ctx, session));
    for (int i = 0; i < options_.rounds_max; ++i) {
        batch_.clear();
        // Nothing is written while nothing happens.
        LAB_TRY(const auto waiting, outbox.first(ctx, 1));
        if (waiting.empty()) {
            return ok();
        }
        LAB_TRY(const bool ours, outbox.take_turn(ctx, deps_.process_name, options_.turn));
        shipped.waits_for_others = !ours;
        if (!ours) {
            return ok();
        }
        LAB_TRY(const auto entries, outbox.first(ctx, options_.entries_max));
        Round round{.ctx = ctx, .session = session, .shipped = shipped, .deleted = {}};
        std::map<std::int64_t, Wanted> samples;
        for (const OutboxEntry& entry : entries) {
            if (entry.kind == Kind::samples) {
                Wanted& of_run = samples[entry.run];
                of_run.indexes.insert(
                    of_run.indexes.end(), entry.indexes.begin(), entry.indexes.end()
                );
                of_run.noted_ms = std::max(of_run.noted_ms, entry.noted_ms);
            } else {
                LAB_CHECK(tell(round, entry));
            }
        }
        for (auto& [run, wanted] : samples) {
            LAB_CHECK(tell_samples(round, run, std::move(wanted)));
        }
        if (const Status sent = flush(round, 1); !sent) {
            ready_ = sent.error().code == Code::unavailable;  // else: are the tables still there?
            return sent;
        }
        for (const std::string& experiment : round.deleted) {
            LAB_CHECK(store_.forget(ctx, experiment));
        }
        LAB_CHECK(outbox.remove(ctx, entries));
        shipped.entries += std::ssize(entries);
        if (std::ssize(entries) < options_.entries_max) {
            return ok();
        }
    }
    shipped.more = true;
    return ok();
}

void FactShipper::leave(const Ctx& ctx, storage::Session& session) {
    static_cast<void>(storage::Outbox(session).end_turn(ctx, deps_.process_name));
}

Status FactShipper::flush(Round& round, std::size_t bytes_min) {
    if (batch_.bytes() < bytes_min) {
        return ok();
    }
    LAB_CHECK(store_.add(round.ctx, batch_));
    const auto rows = static_cast<std::int64_t>(batch_.rows());
    round.shipped.rows += rows;
    if (options_.told) {
        options_.told(rows);
    }
    batch_.clear();
    return ok();
}

/// nullptr: the run is gone, or none of the service.
Result<const RunFacts*> FactShipper::facts_of(Round& round, std::int64_t run) {
    const auto known =
        std::ranges::find_if(known_, [&](const RunFacts& one) { return one.run().key == run; });
    if (known != known_.end()) {
        return &*known;
    }
    LAB_TRY(auto found, storage::FactRows(round.session).find_run(round.ctx, run));
    std::optional<storage::FactRun>& stored = found;
    if (!stored) {
        return nullptr;
    }
    RunFacts facts(*deps_.vocabulary, *std::move(stored));
    if (!facts.has_place()) {
        return nullptr;
    }
    if (known_.size() == kKnownMax) {
        known_.pop_front();
    }
    return &known_.emplace_back(std::move(facts));
}

Status FactShipper::tell(Round& round, const OutboxEntry& entry) {
    if (entry.kind == Kind::event) {
        return tell_event(round, entry.event);
    }
    LAB_TRY(const RunFacts* const facts, facts_of(round, entry.run));
    if (facts == nullptr) {
        return ok();
    }
    const bool is_of_client = entry.kind == Kind::client_samples || entry.kind == Kind::points;
    if (is_of_client && entry.indexes.empty()) {
        return ok();
    }
    const Ctx& ctx = round.ctx;
    storage::ClientRuns clients(round.session);
    switch (entry.kind) {
        case Kind::client_samples:
            LAB_CHECK(clients.scan_samples(
                ctx,
                entry.run,
                entry.indexes.front(),
                entry.indexes.back(),
                [&](const storage::ClientSample& one) { return facts->client_sample(one, batch_); }
            ));
            break;
        case Kind::points:
            LAB_CHECK(clients.scan_points(
                ctx,
                entry.run,
                entry.indexes.front(),
                entry.indexes.back(),
                [&](const storage::MetricPoint& one) { return facts->point(one, batch_); }
            ));
            break;
        case Kind::carried: {
            LAB_TRY(const auto calls, storage::FactRows(round.session).carried(ctx, entry.run));
            if (calls) {
                LAB_CHECK(facts->carried(*calls, batch_));
            }
            break;
        }
        case Kind::whole_run:
            LAB_CHECK(all_facts(ctx, round.session, *facts, batch_, [&] {
                return flush(round, options_.batch_bytes);
            }));
            tell_history(*facts);
            break;
        default:
            break;
    }
    return flush(round, options_.batch_bytes);
}

/// Those that lie together are read together.
Status FactShipper::tell_samples(Round& round, std::int64_t run, Wanted samples) {
    LAB_TRY(const RunFacts* const facts, facts_of(round, run));
    if (facts == nullptr) {
        return ok();
    }
    std::vector<std::int64_t>& indexes = samples.indexes;
    std::ranges::sort(indexes);
    const auto [same, end] = std::ranges::unique(indexes);
    indexes.erase(same, end);
    storage::FactRows rows(round.session);
    for (auto from = indexes.cbegin(); from != indexes.cend();) {
        const std::int64_t window_end = (*from / kWindow + 1) * kWindow;
        auto to = std::find_if(from, indexes.cend(), [&](std::int64_t index) {
            return index >= window_end;
        });
        if (static_cast<std::size_t>(to - from) < kFewInWindow) {
            to = from + 1;
        }
        auto wanted = from;
        const auto missing = [&](std::int64_t below) -> Status {
            for (; wanted != to && *wanted < below; ++wanted) {
                LAB_CHECK(facts->gone(*wanted, samples.noted_ms, batch_));
            }
            return ok();
        };
        const std::int64_t last = *(to - 1) + 1;
        LAB_CHECK(rows.scan(
            round.ctx,
            run,
            *from,
            last,
            kWindow,
            [&](const storage::StoredCall& call) -> Status {
                LAB_CHECK(missing(call.index));
                if (wanted != to && *wanted == call.index) {
                    ++wanted;
                    return facts->call(call, batch_);
                }
                return ok();
            }
        ));
        LAB_CHECK(missing(last));
        LAB_CHECK(flush(round, options_.batch_bytes));
        from = to;
    }
    return ok();
}

/// What the store still knows of what became of a run.
void FactShipper::tell_history(const RunFacts& facts) {
    const storage::FactRun& run = facts.run();
    const storage::FactPlace place{
        .org_id = run.org_id, .experiment_id = run.experiment_id, .run_id = run.id
    };
    const auto add = [&](std::string_view type, std::string_view at) {
        if (!at.empty()) {
            batch_.event({.place = &place, .type = type, .at = at, .payload = "{}"});
        }
    };
    add("run_created", run.created_at);
    add("run_started", run.started_at);
    add("run_" + run.state, run.completed_at);
}

Status FactShipper::tell_event(Round& round, const OutboxEntry::Event& event) {
    const storage::FactPlace place{
        .org_id = event.org_id, .experiment_id = event.experiment_id, .run_id = event.run_id
    };
    if (!is_uuid(place.org_id) || !is_uuid(place.experiment_id) ||
        (!place.run_id.empty() && !is_uuid(place.run_id))) {
        return ok();
    }
    batch_.event({.place = &place, .type = event.type, .at = event.at, .payload = event.payload});
    if (event.type == "experiment_deleted") {
        round.deleted.push_back(event.experiment_id);
    }
    return ok();
}

}  // namespace lab::service
