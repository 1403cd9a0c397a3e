#pragma once
#include "base/clock.h"
#include "base/result.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lab::storage {

/// What a fact belongs to; ids are UUIDs.
struct FactPlace {
    std::string org_id;
    std::string experiment_id;
    std::string run_id;
};

/// A value of a metric: a score of a sample, or a point that a client reported. Views live until
/// the sink returns.
struct MetricFact {
    const FactPlace* place = nullptr;
    std::int64_t at_ms = 0;   ///< since 1970
    std::string_view metric;  ///< its name
    double value = 0;         ///< finite
    std::string_view model;
    std::string_view variant;
    std::int64_t number = 0;  ///< tells it from others of the run and the metric
};

/// A finished sample: what its calls took and cost.
struct CallFact {
    const FactPlace* place = nullptr;
    std::int64_t at_ms = 0;
    std::int64_t run_at_ms = 0;  ///< when its run was made
    std::int64_t sample = 0;     ///< kCarried: what was spent on samples that are not stored
    std::string_view model;
    std::string_view variant;
    std::string_view state;  ///< done, failed, carried
    std::string_view error_code;
    int http_status = 0;
    bool answered_here = false;  ///< cached or replayed: nothing was called
    std::int64_t attempts = 0;
    std::optional<std::int64_t> cost_pico;  ///< nullopt = unknown
    std::int64_t input_tokens = 0;          ///< cached ones too
    std::int64_t output_tokens = 0;         ///< reasoning too
    std::int64_t latency_ns = 0;
    std::optional<std::int64_t> first_token_ns;
    std::int64_t version = 0;  ///< the greatest counts
    bool gone = false;         ///< there is no such sample any more
};
inline constexpr std::int64_t kCarried = -1;

/// What happened to a run or an experiment.
struct EventFact {
    const FactPlace* place = nullptr;  ///< without a run: of the experiment
    std::string_view type;
    std::string_view at;       ///< RFC 3339
    std::string_view payload;  ///< JSON object
};

/// Takes facts as they come.
class FactSink {
  public:
    virtual ~FactSink() = default;
    virtual Status metric(const MetricFact& fact) = 0;
    virtual Status call(const CallFact& fact) = 0;
};

}  // namespace lab::storage
