#pragma once
#include "base/money.h"
#include "platform/json/json.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

/// Figures of many values, and of what a client reports of its run.
namespace lab::service {

/// Count, mean, spread and extremes of values that come one by one (Welford 1962). What is not
/// finite is not counted.
class RunningSummary {
  public:
    void add(double value);
    std::int64_t count() const { return count_; }
    double mean() const { return mean_; }
    /// {count, mean, std, min, max}: std with n - 1, absent below two values; the others absent
    /// without any.
    Json shown() const;
    /// To be kept, and read again. What cannot be read is empty.
    Json stored() const;
    static RunningSummary from(const Json& stored);

  private:
    std::int64_t count_ = 0;
    double mean_ = 0;
    double squares_ = 0;  ///< of the deviations from the mean
    double least_ = 0;
    double most_ = 0;
};

/// The same with p50, p95 and p99, by linear interpolation between order statistics (Hyndman and
/// Fan 1996, type 7). Sorts `values`; empty: {count: 0}.
Json summary_of(std::vector<double> values);

/// What the samples that a client reported come to. Kept in the body of its run, so that showing a
/// run does not read its samples.
struct ClientTotals {
    std::int64_t samples = 0;
    std::int64_t failed = 0;  ///< of samples
    std::int64_t tokens = 0;
    Money cost;
    RunningSummary latency_ms;
    std::map<std::string, RunningSummary> scores;  ///< by name, of samples that did not fail

    /// `sample`: as the client sent it, checked. Names beyond kScoresMax are not summed up.
    void add(const Json& sample);
    static constexpr std::size_t kScoresMax = 200;
    Json stored() const;
    /// Out of the body of a run; empty when nothing was reported.
    static ClientTotals from(const Json& body);
    static constexpr const char* kMember = "reported";
};

}  // namespace lab::service
