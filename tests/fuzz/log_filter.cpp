#include "platform/telemetry/log_filter.h"

#include "fuzz/fuzz.h"

// RUST_LOG as somebody set it.
FUZZ_TARGET(log_filter) {
    using namespace lab;
    const auto filter = LogFilter::parse(input, LogLevel::info);
    if (!filter) {
        fuzz::require(!filter.error().message.empty(), "a refusal says why");
        return;
    }
    for (const char* target : {"http.server", "api", "engine.journal", ""}) {
        const LogLevel level = filter->level_for(target, "llm_research");
        fuzz::require(level >= filter->lowest() && level <= filter->highest(), "levels are bounds");
    }
}
