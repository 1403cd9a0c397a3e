#include "storage/events/fact_batch.h"

#include "base/hash.h"
#include "base/uuid.h"
#include "platform/json/json.h"

#include <charconv>
#include <cmath>

namespace lab::storage {
namespace {

/// Builds one line; the names of members are constants of ours.
class Line {
  public:
    explicit Line(std::string& out) : out_(out) { out_ += '{'; }
    void text(std::string_view name, std::string_view value) {
        begin(name);
        append_json_string(out_, value);
    }
    /// What needs no escapes: ids, words of ours.
    void plain(std::string_view name, std::string_view value) {
        begin(name);
        out_ += '"';
        out_ += value;
        out_ += '"';
    }
    void integer(std::string_view name, std::int64_t value) {
        begin(name);
        char digits[24];
        const auto end = std::to_chars(digits, digits + sizeof digits, value);
        out_.append(digits, end.ptr);
    }
    void maybe(std::string_view name, const std::optional<std::int64_t>& value) {
        if (value) {
            integer(name, *value);
        }
    }
    void real(std::string_view name, double value) {
        begin(name);
        char digits[32];
        const auto end = std::to_chars(digits, digits + sizeof digits, value);
        out_.append(digits, end.ptr);
    }
    /// As the server reads it best: seconds since 1970 with a fraction.
    void time(std::string_view name, std::int64_t milliseconds) {
        integer(name, milliseconds / 1000);
        const auto rest = static_cast<int>(milliseconds % 1000);
        out_ += '.';
        out_ += static_cast<char>('0' + rest / 100);
        out_ += static_cast<char>('0' + rest / 10 % 10);
        out_ += static_cast<char>('0' + rest % 10);
    }
    void place(const FactPlace& place) {
        plain("org_id", place.org_id);
        plain("experiment_id", place.experiment_id);
        if (!place.run_id.empty()) {
            plain("run_id", place.run_id);
        }
    }
    void end() { out_ += "}\n"; }

  private:
    void begin(std::string_view name) {
        if (!first_) {
            out_ += ',';
        }
        first_ = false;
        out_ += '"';
        out_ += name;
        out_ += "\":";
    }
    std::string& out_;
    bool first_ = true;
};

}  // namespace

Status FactBatch::metric(const MetricFact& fact) {
    LAB_ASSERT(std::isfinite(fact.value), "a metric's value is a number");
    Line line(metrics_);
    // The run and the number within it: within one metric and moment no two are the same.
    line.plain(
        "event_id",
        make_uuid(
            fnv1a64(fact.place->run_id) ^ mix64(fnv1a64(fact.metric)),
            mix64(static_cast<std::uint64_t>(fact.number))
        )
    );
    line.time("timestamp", fact.at_ms);
    line.place(*fact.place);
    line.text("metric_name", fact.metric);
    line.real("metric_value", fact.value);
    line.text("model", fact.model);
    line.text("variant", fact.variant);
    line.end();
    ++rows_;
    return ok();
}

Status FactBatch::call(const CallFact& fact) {
    Line line(calls_);
    line.time("timestamp", fact.at_ms);
    line.time("run_at", fact.run_at_ms);
    line.place(*fact.place);
    line.integer("sample", fact.sample);
    line.integer("version", fact.version);
    if (fact.gone) {
        line.integer("gone", 1);
    } else {
        line.text("model", fact.model);
        line.text("variant", fact.variant);
        line.plain("state", fact.state);
        line.plain("error_code", fact.error_code);
        line.integer("http_status", fact.http_status);
        line.integer("answered_here", fact.answered_here ? 1 : 0);
        line.integer("attempts", fact.attempts);
        line.maybe("cost_pico", fact.cost_pico);
        line.integer("input_tokens", fact.input_tokens);
        line.integer("output_tokens", fact.output_tokens);
        line.integer("latency_ns", fact.latency_ns);
        line.maybe("first_token_ns", fact.first_token_ns);
    }
    line.end();
    ++rows_;
    return ok();
}

void FactBatch::event(const EventFact& fact) {
    Line line(events_);
    const std::string where = fact.place->experiment_id + "|" + fact.place->run_id;
    line.plain("event_id", make_uuid(fnv1a64(where), mix64(fnv1a64(fact.type)) ^ fnv1a64(fact.at)));
    line.text("timestamp", fact.at);
    line.place(*fact.place);
    line.plain("event_type", fact.type);
    line.text("payload", fact.payload);
    line.end();
    ++rows_;
}

void FactBatch::clear() {
    metrics_.clear();
    calls_.clear();
    events_.clear();
    rows_ = 0;
}

}  // namespace lab::storage
