#pragma once
#include "report/model.h"
#include "report/sink.h"

#include <string>
#include <vector>

namespace lab::report {

struct TerminalOptions {
    int width = 80;  ///< columns; below 40 it is taken as 40
    bool color = false;
    std::vector<std::string> saved;  ///< where the full reports are
    std::size_t comparisons_max = 30;
};

/// What a run prints at its end. Text of models and providers cannot steer the terminal: control
/// characters are shown as U+FFFD. Symbols and words carry the meaning, colour only repeats it.
Status write_terminal(const Report& report, const TerminalOptions& options, const Sink& sink);

/// One line per variant, comparison and gate, for grep and small screens.
Status write_compact(const Report& report, const Sink& sink);

/// One line without anything a terminal obeys: control characters, escape sequences' first bytes
/// and direction overrides become U+FFFD; line breaks and tabs become a space.
std::string printable(std::string_view utf8);

}  // namespace lab::report
