#pragma once
#include "platform/telemetry/log.h"

namespace lab::telemetry {

struct LogRecord {
    WallTime time;
    LogLevel level;
    std::string_view root;
    std::string_view target;
    std::string_view message;
    std::span<const LogField> fields;
    const LogContext& context;
};

/// One line without its end, at most Logger::kLineBytesMax bytes of valid UTF-8 without control
/// characters, nothing secret in it.
std::string format_line(LogFormat format, const LogRecord& record);

}  // namespace lab::telemetry
