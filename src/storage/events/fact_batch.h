#pragma once
#include "storage/events/facts.h"

namespace lab::storage {

/// The statements that rows of a FactBatch go with: their columns, in the order of the bytes.
inline constexpr std::string_view kInsertMetrics =
    "INSERT INTO experiment_metrics (event_id, timestamp, org_id, experiment_id, run_id, "
    "metric_name, metric_value, model, variant) FORMAT RowBinary";
inline constexpr std::string_view kInsertCalls =
    "INSERT INTO experiment_calls (timestamp, run_at, org_id, experiment_id, run_id, sample, "
    "model, variant, state, error_code, http_status, answered_here, attempts, cost_pico, "
    "input_tokens, output_tokens, latency_ns, first_token_ns, version, gone) FORMAT RowBinary";
inline constexpr std::string_view kInsertEvents =
    "INSERT INTO experiment_events (event_id, timestamp, org_id, experiment_id, run_id, "
    "event_type, payload) FORMAT RowBinary";

/// Facts as rows of the tables in clickhouse_facts.cpp, in ClickHouse's RowBinary: numbers are
/// little-endian, a text has its length before it (LEB128), what may be null a byte that says so, a
/// UUID is its high half and its low one. Source: clickhouse.com/docs/interfaces/formats/RowBinary.
/// A row of JSON costs both sides several times as much.
class FactBatch final : public FactSink {
  public:
    Status metric(const MetricFact& fact) override;
    Status call(const CallFact& fact) override;
    void event(const EventFact& fact);

    const std::string& metrics() const { return metrics_; }
    const std::string& calls() const { return calls_; }
    const std::string& events() const { return events_; }
    std::size_t rows() const { return rows_; }
    std::size_t bytes() const { return metrics_.size() + calls_.size() + events_.size(); }
    void clear();

  private:
    std::string metrics_;
    std::string calls_;
    std::string events_;
    std::size_t rows_ = 0;
};

}  // namespace lab::storage
