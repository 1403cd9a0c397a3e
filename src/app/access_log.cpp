#include "app/access_log.h"

namespace lab::app {

void log_request(Logger& log, const api::Served& served) {
    // An ERROR is written at once: of what was refused to stay alive there are too many for that.
    const LogLevel level = served.shed            ? LogLevel::warn
                           : served.status >= 500 ? LogLevel::error
                           : served.status >= 400 ? LogLevel::warn
                                                  : LogLevel::info;
    if (!log.enabled(level, "http")) {
        return;
    }
    const LogContext context{
        .trace_id = std::string(served.trace_id),
        .span_id = std::string(served.span_id),
        .request_id = std::string(served.request_id),
        .user_id = std::string(served.user_id),
        .experiment_id = {},
        .run_id = {},
    };
    const double took = std::chrono::duration<double, std::milli>(served.duration).count();
    if (served.cause.empty()) {
        log.log(
            level,
            "http",
            "request served",
            {{"method", served.method},
             {"path", served.path},
             {"status", served.status},
             {"duration_ms", took},
             {"bytes_out", served.bytes_out}},
            context
        );
    } else {
        log.log(
            level,
            "http",
            "request refused",
            {{"method", served.method},
             {"path", served.path},
             {"status", served.status},
             {"duration_ms", took},
             {"cause", served.cause}},
            context
        );
    }
}

}  // namespace lab::app
