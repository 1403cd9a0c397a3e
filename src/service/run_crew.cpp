#include "service/run_crew.h"

#include "base/time_text.h"
#include "storage/store/journal.h"
#include "storage/store/runs.h"

#include <algorithm>

namespace lab::service {
namespace {

using domain::RunState;
using storage::CrewMember;
using storage::CrewStanding;
using storage::MemberBooks;
using storage::RunLease;
using storage::Spending;

Spending spending(const engine::OpeningBalance& balance) {
    return {.cost = balance.cost, .tokens = balance.tokens, .calls = balance.calls};
}

engine::OpeningBalance balance(const Spending& spending) {
    return {.cost = spending.cost, .calls = spending.calls, .tokens = spending.tokens};
}

/// Of one kind of money.
struct Share {
    std::int64_t granted = 0;
    bool is_all = false;
};

Share share(
    std::int64_t limit,
    std::int64_t taken,
    std::int64_t before,
    std::int64_t spent,
    std::int64_t need,
    bool takes_all
) {
    constexpr std::int64_t kPart = 4;
    const std::int64_t free = std::max<std::int64_t>(0, limit - taken);
    const std::int64_t wanted = spent + need;
    if (takes_all) {
        return {.granted = free, .is_all = wanted > free};
    }
    const bool more = need > 0 || before == 0;
    const std::int64_t part =
        before + (more ? std::max<std::int64_t>(0, free - before) / kPart : 0);
    return {.granted = std::min(free, std::max(wanted, part)), .is_all = wanted > free};
}

Spending greater(const Spending& a, const Spending& b) {
    return {
        .cost = std::max(a.cost, b.cost),
        .tokens = std::max(a.tokens, b.tokens),
        .calls = std::max(a.calls, b.calls),
    };
}

void add(Spending& to, const Spending& one) {
    to.cost += one.cost;
    to.tokens += one.tokens;
    to.calls += one.calls;
}

/// What the others keep of the budget: what they were granted, or have spent beyond that.
Spending taken_by_others(const CrewStanding& crew, std::int64_t me) {
    Spending out = crew.gone.spent;
    for (const CrewMember& member : crew.members) {
        if (member.fence != me) {
            add(out, greater(member.granted, member.books.spent));
        }
    }
    return out;
}

const CrewMember* find_member(const CrewStanding& crew, std::int64_t fence) {
    const auto found = std::ranges::find(crew.members, fence, &CrewMember::fence);
    return found == crew.members.end() ? nullptr : &*found;
}

/// Whoever is dead is removed; what he had is the crew's again.
Result<CrewStanding> bury_the_dead(
    const Ctx& ctx, storage::RunCrews& crews, const RunLease& lease
) {
    LAB_TRY(CrewStanding crew, crews.standing(ctx, lease.run));
    bool any = false;
    for (const CrewMember& member : crew.members) {
        if (!member.is_alive && member.fence != lease.fence) {
            LAB_CHECK(crews.remove(ctx, {.run = lease.run, .fence = member.fence}));
            any = true;
        }
    }
    if (any) {
        return crews.standing(ctx, lease.run);
    }
    return crew;
}

/// What the others have done, without what this one has.
engine::Exposure work_of_others(const CrewStanding& crew, std::int64_t me) {
    engine::Exposure out{
        .spent = balance(crew.gone.spent), .done = crew.gone.done, .failed = crew.gone.failed
    };
    for (const CrewMember& member : crew.members) {
        if (member.fence != me) {
            out.spent.cost += member.books.spent.cost;
            out.spent.tokens += member.books.spent.tokens;
            out.spent.calls += member.books.spent.calls;
            out.done += member.books.done;
            out.failed += member.books.failed;
        }
    }
    return out;
}

}  // namespace

BudgetShare share_budget(
    const domain::Budget& budget,
    const Spending& taken,
    const Spending& before,
    const Spending& spent,
    const std::optional<Spending>& need,
    bool takes_all
) {
    BudgetShare out;
    const Spending next = need.value_or(Spending());
    if (budget.max_cost) {
        const Share cost = share(
            budget.max_cost->pico(),
            taken.cost.pico(),
            before.cost.pico(),
            spent.cost.pico(),
            next.cost.pico(),
            takes_all
        );
        out.granted.cost = Money::from_pico(cost.granted);
        out.is_all_of_it = out.is_all_of_it || cost.is_all;
    }
    if (budget.max_tokens) {
        const Share tokens = share(
            *budget.max_tokens, taken.tokens, before.tokens, spent.tokens, next.tokens, takes_all
        );
        out.granted.tokens = tokens.granted;
        out.is_all_of_it = out.is_all_of_it || tokens.is_all;
    }
    if (budget.max_calls) {
        const Share calls =
            share(*budget.max_calls, taken.calls, before.calls, spent.calls, next.calls, takes_all);
        out.granted.calls = calls.granted;
        out.is_all_of_it = out.is_all_of_it || calls.is_all;
    }
    out.is_all_of_it = out.is_all_of_it && need.has_value();
    if (out.is_all_of_it && !takes_all) {
        return share_budget(budget, taken, before, spent, need, true);
    }
    return out;
}

Status RunCrew::open(
    const Ctx& ctx,
    storage::Session& session,
    const RunLease& lease,
    const std::vector<engine::Block>& blocks
) {
    LAB_TRY(auto transaction, storage::Transaction::begin(ctx, session));
    storage::RunCrews crews(session);
    LAB_CHECK(crews.lock(ctx, lease.run));
    LAB_CHECK(storage::RunLeases(session).guard(ctx, lease));
    LAB_TRY(const storage::Ledger ledger, storage::Journal(session).ledger(ctx, lease.run));
    const MemberBooks before{
        .spent =
            {.cost = ledger.settled + ledger.uncertain_cost,
             .tokens = ledger.usage.total() + ledger.uncertain_tokens,
             .calls = ledger.calls + ledger.uncertain_calls},
        .done = ledger.done,
        .failed = ledger.failed,
    };
    std::vector<storage::Shard> shards;
    shards.reserve(blocks.size());
    for (const engine::Block& block : blocks) {
        shards.push_back(
            {.number = block.shard, .lane = block.lane, .first = block.next, .until = block.end}
        );
    }
    LAB_CHECK(crews.deal(ctx, lease, shards, before));
    return transaction.commit(ctx);
}

Result<engine::CrewAnswer> RunCrew::ask(const engine::CrewAsk& ask) {
    LAB_TRY(auto transaction, storage::Transaction::begin(ctx_, session_));
    storage::RunCrews crews(session_);
    LAB_CHECK(crews.lock(ctx_, lease_.run));
    LAB_CHECK(storage::RunLeases(session_).guard(ctx_, lease_));
    for (const int shard : ask.finished) {
        LAB_CHECK(crews.finish(ctx_, lease_, shard));
    }
    for (const auto& [lane, lasts] : ask.pauses) {
        LAB_CHECK(crews.pause(ctx_, lease_.run, lane, lasts));
    }
    LAB_TRY(const CrewStanding crew, bury_the_dead(ctx_, crews, lease_));
    engine::CrewAnswer out;
    bool is_begun = false;
    for (const int lane : ask.lanes) {
        LAB_TRY(const auto shard, crews.claim(ctx_, lease_, lane));
        if (!shard) {
            out.nothing_left.push_back(lane);
            continue;
        }
        is_begun = is_begun || shard->is_begun;
        out.blocks.push_back(
            {.shard = shard->number, .lane = shard->lane, .next = shard->first, .end = shard->until}
        );
    }
    const CrewMember* me = find_member(crew, lease_.fence);
    LAB_ASSERT(me != nullptr, "who is guarded is a member");
    const bool is_alone = crew.members.size() == 1;
    const BudgetShare part = share_budget(
        budget_,
        taken_by_others(crew, lease_.fence),
        me->granted,
        spending(ask.exposure.spent),
        ask.wants_budget ? std::optional(spending(ask.need)) : std::nullopt,
        is_alone && crew.is_short
    );
    if (part.granted != me->granted) {
        LAB_CHECK(crews.grant(ctx_, lease_, part.granted));
    }
    LAB_TRY(out.pauses, crews.pauses(ctx_, lease_.run));
    LAB_CHECK(transaction.commit(ctx_));

    // What is not granted is somebody else's, or nobody's yet.
    out.others_budget = balance(
        {.cost = budget_.max_cost ? *budget_.max_cost - part.granted.cost : Money(),
         .tokens = budget_.max_tokens ? *budget_.max_tokens - part.granted.tokens : 0,
         .calls = budget_.max_calls ? *budget_.max_calls - part.granted.calls : 0}
    );
    out.is_all_of_it = part.is_all_of_it;
    out.members = static_cast<int>(crew.members.size());
    out.is_speaker = crew.members.front().fence == lease_.fence;
    out.others = work_of_others(crew, lease_.fence);
    out.ending = crew.ending;
    if (is_begun) {
        std::vector<bool>& stored = out.stored.emplace(static_cast<std::size_t>(samples_));
        LAB_CHECK(storage::Journal(session_)
                      .scan_finished(ctx_, lease_.run, [&](std::int64_t index) {
                          if (index >= 0 && index < samples_) {
                              stored[static_cast<std::size_t>(index)] = true;
                          }
                      }));
    }
    return out;
}

namespace {

/// How a run stands whose last worker ends like that.
RunCrew::End end_of_run(
    const CrewStanding& crew,
    std::int64_t unfinished,
    const domain::Budget& budget,
    const CrewMember& me,
    const RunCrew::End& end
) {
    if (unfinished == 0) {
        const bool is_done = end.state == RunState::completed;
        return {.state = RunState::completed, .words = is_done ? end.words : std::string()};
    }
    if (!crew.ending.empty()) {
        return {.state = RunState::failed, .words = crew.ending};
    }
    if (end.state == RunState::completed) {
        // What a dead or discouraged member has left came too late for this one.
        return {.state = RunState::interrupted, .words = "its last worker had nothing to do"};
    }
    if (end.state == RunState::budget_exhausted) {
        const BudgetShare all =
            share_budget(budget, crew.gone.spent, me.granted, me.books.spent, std::nullopt, true);
        if (all.granted != me.granted) {
            return {.state = RunState::interrupted, .words = "others have left some of the budget"};
        }
    }
    return end;
}

}  // namespace

Result<std::optional<RunCrew::End>> RunCrew::leave(
    const Ctx& ctx,
    const Deps& deps,
    storage::Session& session,
    const RunLease& lease,
    const domain::Budget& budget,
    const std::vector<int>& finished,
    const End& end,
    bool is_for_all
) {
    LAB_TRY(auto transaction, storage::Transaction::begin(ctx, session));
    storage::RunCrews crews(session);
    LAB_CHECK(crews.lock(ctx, lease.run));
    LAB_CHECK(storage::RunLeases(session).guard(ctx, lease));
    for (const int shard : finished) {
        LAB_CHECK(crews.finish(ctx, lease, shard));
    }
    if (end.state == RunState::budget_exhausted) {
        LAB_CHECK(crews.run_short(ctx, lease.run));
    }
    LAB_TRY(CrewStanding crew, bury_the_dead(ctx, crews, lease));
    const CrewMember* me = find_member(crew, lease.fence);
    LAB_ASSERT(me != nullptr, "who is guarded is a member");
    if (crew.members.size() > 1) {
        if (is_for_all) {
            LAB_CHECK(crews.end(ctx, lease.run, end.words));
        }
        LAB_CHECK(crews.remove(ctx, lease));
        LAB_CHECK(transaction.commit(ctx));
        return std::optional<End>();
    }
    LAB_TRY(const std::int64_t unfinished, crews.count_unfinished(ctx, lease.run));
    End last = end_of_run(crew, unfinished, budget, *me, end);
    LAB_CHECK(crews.close(ctx, lease.run));
    const std::string at = format_rfc3339(deps.clock->wall());
    LAB_CHECK(storage::Runs(session).set_state(ctx, lease.run, last.state, last.words, at));
    LAB_CHECK(transaction.commit(ctx));
    return std::optional(std::move(last));
}

}  // namespace lab::service
