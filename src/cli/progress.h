#pragma once
#include "cli/console.h"
#include "service/runs.h"

#include <optional>
#include <string>

namespace lab::cli {

/// Shows how far a run is: one line that is redrawn on a terminal, elsewhere a plain line now and
/// then and when a model begins to wait for something. Writes to err only.
class ProgressDisplay {
  public:
    explicit ProgressDisplay(const Console& console) : console_(console) {}
    void show(const service::Progress& progress);
    /// A line of its own; what was drawn is drawn again below it.
    void say(std::string_view line);
    /// Clears the line (terminal) or prints the last state (elsewhere).
    void finish(const service::Progress& progress);

  private:
    const Console& console_;
    std::optional<Duration> last_plain_;
    std::string last_reason_;
    bool said_stopping_ = false;
    bool drawn_ = false;
};

struct ProgressStyle {
    int columns = 0;     ///< what is less important is left out to fit; 0 = no limit
    bool bar = false;    ///< with a bar
    bool ended = false;  ///< nothing is to be expected any more
};
/// "42 % 8/20  3/s  ETA 0:04  m answers 500; next try in 57 s": one line, nothing in it that a
/// terminal obeys.
std::string progress_line(const service::Progress& progress, const ProgressStyle& style);

/// "1:05", "2:03:10".
std::string clock_text(double seconds);

}  // namespace lab::cli
