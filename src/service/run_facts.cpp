#include "service/run_facts.h"

#include "base/hash.h"
#include "base/money.h"
#include "base/time_text.h"
#include "base/uuid.h"
#include "engine/score.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

namespace lab::service {
namespace {

using storage::CallFact;
using storage::FactSink;
using storage::MetricFact;

constexpr std::int64_t kPageRows = 1024;
/// A sample that has an output keeps it: whatever clocks say, that is its last word.
constexpr std::int64_t kDoneVersion = std::int64_t{1} << 62;
constexpr std::int64_t kAll = std::numeric_limits<std::int64_t>::max();

std::int64_t integer_or_zero(const Json& object, const char* member) {
    const auto found = object.find(member);
    return found != object.end() && found->is_number_integer() ? found->get<std::int64_t>() : 0;
}

std::string text_or_empty(const Json& object, const char* member) {
    const auto found = object.find(member);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

}  // namespace

std::int64_t milliseconds_of(std::string_view rfc3339) {
    const auto time = parse_rfc3339(rfc3339);
    return time ? milliseconds_of(*time) : 0;
}

std::int64_t milliseconds_of(WallTime time) {
    return std::chrono::floor<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

RunFacts::RunFacts(const domain::SpecVocabulary& vocabulary, storage::FactRun run)
    : run_(std::move(run)),
      place_{.org_id = run_.org_id, .experiment_id = run_.experiment_id, .run_id = run_.id},
      created_ms_(milliseconds_of(run_.created_at)),
      begun_ms_(run_.started_at.empty() ? created_ms_ : milliseconds_of(run_.started_at)) {
    const auto source = parse_json(run_.spec);
    if (run_.origin != "engine" || !source) {
        return;
    }
    auto spec = domain::parse_spec(*source, vocabulary);
    if (!spec) {
        return;
    }
    spec_ = *std::move(spec);
    if (auto book = engine::ScoreBook::make(spec_)) {
        book_ = std::make_unique<engine::ScoreBook>(*std::move(book));
    }
}

RunFacts::~RunFacts() = default;
RunFacts::RunFacts(RunFacts&&) noexcept = default;

bool RunFacts::has_place() const {
    return is_uuid(place_.org_id) && is_uuid(place_.experiment_id) && is_uuid(place_.run_id);
}

CallFact RunFacts::begin(std::int64_t at_ms, std::int64_t sample) const {
    CallFact out;
    out.place = &place_;
    out.at_ms = at_ms;
    out.run_at_ms = created_ms_;
    out.sample = sample;
    out.version = at_ms;
    return out;
}

void RunFacts::name_variant(std::int64_t variant, CallFact& fact) const {
    const auto index = static_cast<std::size_t>(variant);
    if (index < spec_.variants.size()) {
        fact.variant = spec_.variants[index].id;
        const domain::ModelSpec& model = spec_.models.at(spec_.variants[index].model);
        fact.model = model.model.empty() ? model.id : model.model;
    }
}

Status RunFacts::call(const storage::StoredCall& call, FactSink& to) const {
    CallFact fact = begin(call.stored_ms.value_or(begun_ms_), call.index);
    name_variant(call.variant, fact);
    fact.state = call.failed ? "failed" : "done";
    fact.version += call.failed ? 0 : kDoneVersion;
    fact.error_code = call.error_code;
    fact.http_status = static_cast<int>(std::clamp<std::int64_t>(call.http_status, 0, 999));
    fact.answered_here = call.cached || call.replayed;
    fact.attempts = call.attempts;
    fact.cost_pico = call.cost_pico;
    fact.input_tokens = call.input_tokens;
    fact.output_tokens = call.output_tokens;
    fact.latency_ns = call.latency_ns;
    fact.first_token_ns = call.first_token_ns;
    LAB_CHECK(to.call(fact));
    if (call.failed || !book_) {
        return ok();
    }
    const auto scores = engine::decode_scores(call.scores, *book_);
    if (!scores) {
        return ok();  // as its report, which says so
    }
    for (std::size_t slot = 0; slot < scores->values.size(); ++slot) {
        if (std::isfinite(scores->values[slot])) {
            LAB_CHECK(to.metric({
                .place = &place_,
                .at_ms = fact.at_ms,
                .metric = book_->slots()[slot].info.name,
                .value = scores->values[slot],
                .model = fact.model,
                .variant = fact.variant,
                .number = call.index,
            }));
        }
    }
    return ok();
}

Status RunFacts::gone(std::int64_t index, std::int64_t at_ms, FactSink& to) const {
    CallFact fact = begin(at_ms, index);
    fact.gone = true;
    return to.call(fact);
}

Status RunFacts::carried(const storage::CarriedCalls& calls, FactSink& to) const {
    CallFact fact = begin(created_ms_, storage::kCarried);
    fact.state = "carried";
    fact.attempts = calls.calls;
    fact.cost_pico = calls.cost_pico;
    fact.input_tokens = calls.input_tokens;
    fact.output_tokens = calls.output_tokens;
    fact.version = calls.calls;  // they only grow
    return to.call(fact);
}

Status RunFacts::client_sample(const storage::ClientSample& sample, FactSink& to) const {
    const auto body = parse_json(sample.body);
    if (!body || !body->is_object()) {
        return ok();
    }
    CallFact fact = begin(milliseconds_of(sample.created_at), sample.number);
    const std::string variant = text_or_empty(*body, "variant");
    fact.model = fact.variant = variant;
    fact.state = text_or_empty(*body, "status") == "failed" ? "failed" : "done";
    fact.attempts = 1;
    const auto cost = Money::parse(text_or_empty(*body, "cost"));
    fact.cost_pico = cost ? std::optional(cost->pico()) : std::nullopt;
    if (const auto usage = body->find("usage"); usage != body->end() && usage->is_object()) {
        fact.input_tokens = integer_or_zero(*usage, "input_tokens") +
                            integer_or_zero(*usage, "cache_read_tokens") +
                            integer_or_zero(*usage, "cache_write_tokens");
        fact.output_tokens =
            integer_or_zero(*usage, "output_tokens") + integer_or_zero(*usage, "reasoning_tokens");
    }
    if (const auto took = body->find("latency_ms"); took != body->end() && took->is_number()) {
        fact.latency_ns = std::llround(std::min(took->get<double>(), 1e9) * 1e6);
    }
    LAB_CHECK(to.call(fact));
    const auto scores = body->find("scores");
    if (scores == body->end() || !scores->is_object()) {
        return ok();
    }
    for (const auto& [name, value] : scores->items()) {
        const bool is_score = value.is_number() || value.is_boolean();
        const double number = value.is_boolean() ? (value.get<bool>() ? 1.0 : 0.0)
                              : is_score         ? value.get<double>()
                                                 : 0.0;
        if (is_score && std::isfinite(number)) {
            LAB_CHECK(to.metric({
                .place = &place_,
                .at_ms = fact.at_ms,
                .metric = name,
                .value = number,
                .model = fact.model,
                .variant = fact.variant,
                .number = sample.number,
            }));
        }
    }
    return ok();
}

Status RunFacts::point(const storage::MetricPoint& point, FactSink& to) const {
    if (!std::isfinite(point.value)) {
        return ok();
    }
    // No two points of a run have the same name, step and time; samples have small numbers.
    const std::uint64_t number =
        mix64(static_cast<std::uint64_t>(point.step)) ^ fnv1a64(point.timestamp);
    return to.metric({
        .place = &place_,
        .at_ms = milliseconds_of(point.timestamp),
        .metric = point.name,
        .value = point.value,
        .number = static_cast<std::int64_t>(number),
    });
}

Status all_facts(
    const Ctx& ctx,
    storage::Session& session,
    const RunFacts& facts,
    FactSink& to,
    const std::function<Status()>& between
) {
    const std::int64_t run = facts.run().key;
    storage::FactRows rows(session);
    storage::ClientRuns clients(session);
    for (std::int64_t next = 0, seen = kPageRows; seen == kPageRows;) {
        seen = 0;
        LAB_CHECK(rows.scan(ctx, run, next, kAll, kPageRows, [&](const storage::StoredCall& call) {
            ++seen;
            next = call.index + 1;
            return facts.call(call, to);
        }));
        LAB_CHECK(between());
    }
    LAB_TRY(const auto carried, rows.carried(ctx, run));
    if (carried) {
        LAB_CHECK(facts.carried(*carried, to));
    }
    if (facts.run().origin != "client") {
        return ok();
    }
    for (std::int64_t last = 0, seen = kPageRows; seen == kPageRows;) {
        LAB_TRY(const auto some, clients.list_samples(ctx, run, last, kPageRows));
        seen = std::ssize(some);
        for (const storage::ClientSample& sample : some) {
            last = sample.number;
            LAB_CHECK(facts.client_sample(sample, to));
        }
        LAB_CHECK(between());
    }
    return clients.scan_points(ctx, run, 0, kAll, [&](const storage::MetricPoint& point) {
        return facts.point(point, to);
    });
}

}  // namespace lab::service
