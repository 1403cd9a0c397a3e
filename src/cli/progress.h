#pragma once
#include "cli/console.h"
#include "service/runs.h"

#include <string>

namespace lab::cli {

/// Shows how far a run is: one line that is redrawn on a terminal, a plain line now and then
/// elsewhere. Writes to err only.
class ProgressDisplay {
  public:
    explicit ProgressDisplay(const Console& console) : console_(console) {}
    void show(const service::Progress& progress);
    /// Clears the line (terminal) or prints the last state (elsewhere).
    void finish(const service::Progress& progress);

  private:
    std::string line(const service::Progress& progress) const;
    const Console& console_;
    Duration last_plain_{0};
    bool drawn_ = false;
};

/// "1:05", "2:03:10".
std::string clock_text(double seconds);

}  // namespace lab::cli
