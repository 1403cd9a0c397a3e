#pragma once
#include "base/clock.h"
#include "platform/telemetry/log_filter.h"
#include "platform/telemetry/log_sink.h"

#include <concepts>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

namespace lab {

/// A value of a field. Texts are borrowed for the call.
class LogValue {
  public:
    LogValue(bool value) : value_(value) {}
    LogValue(std::nullptr_t) : value_(nullptr) {}
    LogValue(std::signed_integral auto value) : value_(static_cast<std::int64_t>(value)) {}
    LogValue(std::unsigned_integral auto value) : value_(static_cast<std::uint64_t>(value)) {}
    LogValue(std::floating_point auto value) : value_(static_cast<double>(value)) {}
    LogValue(const char* value) : value_(std::string_view(value)) {}
    LogValue(std::string_view value) : value_(value) {}
    LogValue(const std::string& value) : value_(std::string_view(value)) {}

    using Variant =
        std::variant<std::nullptr_t, bool, std::int64_t, std::uint64_t, double, std::string_view>;
    const Variant& get() const { return value_; }

  private:
    Variant value_;
};

struct LogField {
    std::string_view name;
    LogValue value;
};

/// What a line belongs to. Made once a request or run and handed along; empty members are left out,
/// trace, span and request become null.
struct LogContext {
    std::string trace_id;
    std::string span_id;
    std::string request_id;
    std::string user_id;
    std::string experiment_id;
    std::string run_id;
};
inline const LogContext kNoLogContext;

enum class LogFormat : std::uint8_t { json, pretty, compact };
std::optional<LogFormat> parse_log_format(std::string_view word);

/// The log: one line an event, `{"timestamp", "level", "target", "message", "trace_id", "span_id",
/// "request_id", ..., "fields": {}}`. A field called duration_ms stands beside them, not in fields.
///
/// Every text goes through redact.h, and the values of names that hide theirs do not appear; a line
/// has at most 16 KiB, and what is cut says so. Callers never wait: lines go into a bounded queue
/// that one thread writes. When it is full, lines are dropped and counted, those of ERROR last; the
/// log then tells how many. An ERROR is written at once, with all that stands before it.
///
/// Made in app, travels in Telemetry. Any thread.
class Logger {
  public:
    struct Options {
        LogFormat format = LogFormat::json;
        LogFilter filter;
        std::string root = "llm_research_api";  ///< stands before every target
        std::size_t queue_lines_max = 8192;
        std::size_t queue_bytes_max = 16U << 20;
    };
    static constexpr std::size_t kLineBytesMax = 16U << 10;

    /// `sink` and `clock` outlive the logger.
    Logger(LogSink& sink, const Clock& clock, Options options);
    /// close() with two seconds.
    ~Logger();
    Logger(const Logger&) = delete;
    Logger& operator=(const Logger&) = delete;

    using Fields = std::initializer_list<LogField>;
    void error(
        std::string_view target,
        std::string_view message,
        Fields fields = {},
        const LogContext& context = kNoLogContext
    ) {
        log(LogLevel::error, target, message, fields, context);
    }
    void warn(
        std::string_view target,
        std::string_view message,
        Fields fields = {},
        const LogContext& context = kNoLogContext
    ) {
        log(LogLevel::warn, target, message, fields, context);
    }
    void info(
        std::string_view target,
        std::string_view message,
        Fields fields = {},
        const LogContext& context = kNoLogContext
    ) {
        log(LogLevel::info, target, message, fields, context);
    }
    void debug(
        std::string_view target,
        std::string_view message,
        Fields fields = {},
        const LogContext& context = kNoLogContext
    ) {
        log(LogLevel::debug, target, message, fields, context);
    }
    void trace(
        std::string_view target,
        std::string_view message,
        Fields fields = {},
        const LogContext& context = kNoLogContext
    ) {
        log(LogLevel::trace, target, message, fields, context);
    }
    void log(
        LogLevel level,
        std::string_view target,
        std::string_view message,
        Fields fields = {},
        const LogContext& context = kNoLogContext
    ) {
        log(level, target, message, std::span(fields.begin(), fields.size()), context);
    }
    void log(
        LogLevel level,
        std::string_view target,
        std::string_view message,
        std::span<const LogField> fields,
        const LogContext& context
    );

    /// Whether such a line would be written: for what is expensive to put together.
    bool enabled(LogLevel level, std::string_view target) const;
    /// From the next line on.
    void set_filter(LogFilter filter);

    /// Waits until what was logged before is with the sink; false when it is not within `limit`.
    bool flush(Duration limit);
    /// Takes no more lines, writes those that are there, gives up what the sink has not taken
    /// within `limit`. The second call does nothing.
    void close(Duration limit);

    /// Lines that were lost because the queue was full, the log closed, or the sink gave up.
    std::uint64_t dropped() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace lab
