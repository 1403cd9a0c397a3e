#pragma once
#include "storage/store/session.h"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace lab::storage {

/// A sample that a client reports of its own run; `body` is a JSON object.
struct ClientSample {
    std::string client_id;    ///< the client's own name for it, unique in the run
    std::int64_t number = 0;  ///< in the order they came, from 1
    std::string body;
    std::string created_at;
};

/// A point of a metric that a client reports.
struct MetricPoint {
    std::string name;
    std::int64_t step = 0;
    double value = 0;
    std::string timestamp;
    bool timed = true;  ///< false: the client gave no time, and `timestamp` is when it came
};

/// What clients report of runs that they carry out themselves. Borrows the session; same thread
/// rule.
class ClientRuns {
  public:
    explicit ClientRuns(Session& session) : session_(session) {}
    /// Those whose client_id is there already change nothing. Gives how many are new. One
    /// transaction.
    Result<std::int64_t> add_samples(
        const Ctx& ctx, std::int64_t run, std::span<const ClientSample> samples
    );
    /// The same in the caller's transaction: of each of them, whether it is new.
    Result<std::vector<bool>> add_samples_here(
        const Ctx& ctx, std::int64_t run, std::span<const ClientSample> samples
    );
    Result<std::int64_t> count_samples(const Ctx& ctx, std::int64_t run);
    /// In the order they came, behind number `after`.
    Result<std::vector<ClientSample>> list_samples(
        const Ctx& ctx, std::int64_t run, std::int64_t after, std::int64_t limit
    );
    /// nullopt when the client reported none of this id.
    Result<std::optional<ClientSample>> find_sample(
        const Ctx& ctx, std::int64_t run, std::string_view client_id
    );
    /// The same point again changes nothing: one of the same name, step and time, or without a time
    /// of the same value. Gives how many are new. One transaction.
    Result<std::int64_t> add_points(
        const Ctx& ctx, std::int64_t run, std::span<const MetricPoint> points
    );
    /// By name, then step.
    Result<std::vector<MetricPoint>> list_points(
        const Ctx& ctx, std::int64_t run, std::int64_t limit
    );
    /// Points whose keys in the store are above `after` and not above `last`, in that order.
    Status scan_points(
        const Ctx& ctx,
        std::int64_t run,
        std::int64_t after,
        std::int64_t last,
        const std::function<Status(const MetricPoint&)>& each
    );
    /// Samples with first <= number <= last, in that order.
    Status scan_samples(
        const Ctx& ctx,
        std::int64_t run,
        std::int64_t first,
        std::int64_t last,
        const std::function<Status(const ClientSample&)>& each
    );

  private:
    Session& session_;
};

}  // namespace lab::storage
