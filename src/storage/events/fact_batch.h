#pragma once
#include "storage/events/facts.h"

namespace lab::storage {

/// Facts as rows of the tables in clickhouse_facts.h, one JSON object a line.
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
