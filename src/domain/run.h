#pragma once
#include "base/clock.h"
#include "platform/json/json.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace lab::domain {

/// Of the service, a run waits as `queued` for a worker and goes back to it when the worker stops;
/// `timed_out` is said by clients of their own runs.
/// pending -> running -> completed | failed | cancelled | budget_exhausted; an interrupted or
/// killed run stays `running` and may be resumed. The last four are terminal, except that cancelled
/// and budget_exhausted and failed may be resumed (with a larger budget, after an outage).
enum class RunState : std::uint8_t {
    pending,
    running,
    completed,
    failed,
    interrupted,
    budget_exhausted,
    cancelled,
    queued,
    timed_out,
};
std::string_view to_string(RunState state);
std::optional<RunState> run_state_from(std::string_view text);

struct Run {
    std::int64_t key = 0;  ///< the store's own number
    std::string id;        ///< UUID
    std::string experiment_id;
    std::string experiment_name;
    std::int64_t number = 0;  ///< 1.. per experiment
    RunState state = RunState::pending;
    std::string stop_reason;  ///< one sentence, for people
    std::string spec;         ///< JSON as written
    std::string manifest;     ///< JSON: hashes, versions, seeds: what reproduces it
    std::string dataset_hash;
    std::string created_at;
    std::string started_at;
    std::string completed_at;
    std::int64_t planned = 0;  ///< samples
    // Of the service.
    std::string name;
    std::string origin = "engine";  ///< "client": somebody else carries it out and reports here
    std::string created_by;         ///< user id
    std::string body = "{}";        ///< JSON object: config, environment, error
};

/// A dataset's immutable version.
struct DatasetVersion {
    std::string dataset_id;
    std::string name;
    std::int64_t version = 0;  ///< 1.. per dataset
    std::string content_hash;  ///< SHA-256 over canonical rows, hexadecimal
    std::int64_t rows = 0;
    std::int64_t bytes = 0;
    std::vector<std::string> fields;  ///< union of the rows' members, in order of appearance
    std::string source;               ///< file name it came from
    std::string created_at;
};

}  // namespace lab::domain
