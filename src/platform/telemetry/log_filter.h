#pragma once
#include "base/result.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lab {

enum class LogLevel : std::uint8_t { trace, debug, info, warn, error, off };

/// Upper case, as it stands in a line. Not for `off`.
std::string_view name_of(LogLevel level);
/// trace, debug, info, warn (or warning), error, off, in any case.
std::optional<LogLevel> parse_log_level(std::string_view word);

/// Which lines are written: a level, and other levels for some targets.
class LogFilter {
  public:
    /// Lines of `level` and above, whatever their target; INFO without one.
    explicit LogFilter(LogLevel level) : otherwise_(level) {}
    LogFilter() : LogFilter(LogLevel::info) {}

    /// `info,llm_research_api=debug,http=trace`, the way RUST_LOG is written: a directive is a
    /// level, `target=level`, or a target alone for all of its lines. Of the directives that fit a
    /// target the longest counts, of equal ones the last. `otherwise` holds where none fits. At
    /// most 64 directives. Errors: validation, naming the directive's number and not its text.
    static Result<LogFilter> parse(std::string_view text, LogLevel otherwise);

    /// The least level that is written for `target`. A directive fits a target that is it or below
    /// it ("http" fits "http" and "http::server" and "http.server", not "http_client"), with or
    /// without `root` in front of either.
    LogLevel level_for(std::string_view target, std::string_view root) const;

    /// Below this nothing is written, ...
    LogLevel lowest() const;
    /// ... and from this on everything.
    LogLevel highest() const;

  private:
    struct Directive {
        std::string target;  ///< with '.' between its parts
        LogLevel level;
    };
    LogLevel otherwise_;
    std::vector<Directive> directives_;
};

}  // namespace lab
