#include "base/error.h"

#include <array>
#include <cstdio>
#include <cstdlib>

namespace lab {

const CodeInfo& info(Code code) {
    // In the order of the enumeration. Exit codes: 2 = the input is wrong, 130 = interrupted,
    // 1 = anything else.
    static constexpr std::array<CodeInfo, 19> kTable{{
        {"BAD_REQUEST", 400, 2, false},
        {"INVALID_STATE", 400, 1, false},
        {"UNAUTHORIZED", 401, 1, false},
        {"FORBIDDEN", 403, 1, false},
        {"NOT_FOUND", 404, 2, false},
        {"CONFLICT", 409, 1, false},
        {"PRECONDITION_FAILED", 412, 1, false},
        {"PAYLOAD_TOO_LARGE", 413, 2, false},
        {"UNSUPPORTED_MEDIA_TYPE", 415, 2, false},
        {"VALIDATION_ERROR", 422, 2, false},
        {"RATE_LIMIT_EXCEEDED", 429, 1, true},
        {"BUDGET_EXCEEDED", 429, 1, false},
        {"UPSTREAM_ERROR", 502, 1, true},
        {"UPSTREAM_TIMEOUT", 504, 1, true},
        {"SERVICE_UNAVAILABLE", 503, 1, true},
        {"INTERNAL_ERROR", 500, 1, false},
        {"CANCELLED", 499, 130, false},
        {"REQUEST_TIMEOUT", 408, 1, true},
        {"INTERNAL_ERROR", 500, 1, false},
    }};
    return kTable[static_cast<std::size_t>(code)];
}

void assertion_failed(const char* what, const char* file, int line) {
    std::fprintf(stderr, "llm-research: this is a bug: %s (%s:%d)\n", what, file, line);
    std::abort();
}

}  // namespace lab
