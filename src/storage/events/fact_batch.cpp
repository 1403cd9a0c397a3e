#include "storage/events/fact_batch.h"

#include "base/hash.h"
#include "base/time_text.h"
#include "base/uuid.h"

#include <bit>
#include <cmath>

namespace lab::storage {
namespace {

/// Writes the columns of one row, in the order of the statement that it goes with.
class Columns {
  public:
    explicit Columns(std::string& out) : out_(out) {}
    void text(std::string_view value) {
        std::size_t rest = value.size();
        for (; rest >= 0x80; rest >>= 7) {
            out_ += static_cast<char>(rest | 0x80);
        }
        out_ += static_cast<char>(rest);
        out_ += value;
    }
    /// Little-endian, as many bytes as the type has.
    template <typename Number>
    void number(Number value) {
        auto bits = static_cast<std::uint64_t>(value);
        char bytes[sizeof(Number)];
        for (char& byte : bytes) {
            byte = static_cast<char>(bits);
            bits >>= 8;
        }
        out_.append(bytes, sizeof bytes);
    }
    void real(double value) { number(std::bit_cast<std::uint64_t>(value)); }
    void flag(bool value) { out_ += value ? '\1' : '\0'; }
    void maybe(const std::optional<std::int64_t>& value) {
        flag(!value);
        if (value) {
            number(*value);
        }
    }
    void uuid(const UuidHalves& value) {
        number(value.high);
        number(value.low);
    }
    /// An empty one is the UUID of zeros.
    void uuid(std::string_view text) {
        const auto halves = text.empty() ? UuidHalves{} : uuid_halves(text);
        LAB_ASSERT(halves, "ids of facts are UUIDs");
        uuid(*halves);
    }
    void place(const FactPlace& place) {
        uuid(place.org_id);
        uuid(place.experiment_id);
        uuid(place.run_id);
    }

  private:
    std::string& out_;
};

std::int64_t microseconds_of(std::string_view time) {
    return parse_rfc3339(time).value_or(WallTime()).time_since_epoch().count();
}

}  // namespace

Status FactBatch::metric(const MetricFact& fact) {
    LAB_ASSERT(std::isfinite(fact.value), "a metric's value is a number");
    Columns row(metrics_);
    // The run and the number within it: within one metric and moment no two are the same.
    row.uuid(make_uuid(
        fnv1a64(fact.place->run_id) ^ mix64(fnv1a64(fact.metric)),
        mix64(static_cast<std::uint64_t>(fact.number))
    ));
    row.number(fact.at_ms);
    row.place(*fact.place);
    row.text(fact.metric);
    row.real(fact.value);
    row.text(fact.model);
    row.text(fact.variant);
    ++rows_;
    return ok();
}

Status FactBatch::call(const CallFact& given) {
    // Of what is gone nothing counts but that it is.
    const CallFact& fact = given.gone ? CallFact{} : given;
    Columns row(calls_);
    row.number(given.at_ms);
    row.number(given.run_at_ms);
    row.place(*given.place);
    row.number(given.sample);
    row.text(fact.model);
    row.text(fact.variant);
    row.text(fact.state);
    row.text(fact.error_code);
    row.number(static_cast<std::uint16_t>(fact.http_status));
    row.flag(fact.answered_here);
    row.number(static_cast<std::uint32_t>(fact.attempts));
    row.maybe(fact.cost_pico);
    row.number(fact.input_tokens);
    row.number(fact.output_tokens);
    row.number(fact.latency_ns);
    row.maybe(fact.first_token_ns);
    row.number(given.version);
    row.flag(given.gone);
    ++rows_;
    return ok();
}

void FactBatch::event(const EventFact& fact) {
    Columns row(events_);
    const std::string where = fact.place->experiment_id + "|" + fact.place->run_id;
    row.uuid(make_uuid(fnv1a64(where), mix64(fnv1a64(fact.type)) ^ fnv1a64(fact.at)));
    row.number(microseconds_of(fact.at));
    row.uuid(fact.place->org_id);
    row.uuid(fact.place->experiment_id);
    row.flag(fact.place->run_id.empty());
    if (!fact.place->run_id.empty()) {
        row.uuid(fact.place->run_id);
    }
    row.text(fact.type);
    row.text(fact.payload);
    ++rows_;
}

void FactBatch::clear() {
    metrics_.clear();
    calls_.clear();
    events_.clear();
    rows_ = 0;
}

}  // namespace lab::storage
