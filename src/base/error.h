#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lab {

/// Every way an operation of ours can fail. The table in error.cpp gives each its wire name, HTTP
/// status, exit code of the command line and whether a caller may try again.
enum class Code : std::uint8_t {
    bad_request,          ///< cannot be understood: broken syntax, bad identifier
    invalid_state,        ///< understood, but not in this state
    unauthorized,         ///< no valid credential
    forbidden,            ///< a valid credential without the right
    not_found,            ///<
    conflict,             ///< exists already, or is held by somebody else
    precondition_failed,  ///<
    payload_too_large,    ///< a limit on size or count was passed
    unsupported_type,     ///< a body of a type that nothing can be done with here
    validation,           ///< understood and refused; details say which fields and why
    rate_limited,         ///< try again later
    budget_exceeded,      ///< the hard budget of a run does not allow it
    upstream_error,       ///< a provider or another server failed or answered nonsense
    upstream_timeout,     ///< a provider or another server did not answer in time
    unavailable,          ///< we cannot serve now
    io,                   ///< the local disk, a file or a pipe failed
    cancelled,            ///< the caller or the operator gave up
    timed_out,            ///< our own deadline passed
    internal,             ///< our bug
};

struct CodeInfo {
    std::string_view wire_name;
    int http_status;
    int exit_code;
    bool retryable;
};
const CodeInfo& info(Code code);

/// One problem of one field. `field` is a path such as `models[1].limits.concurrency`, empty for
/// the whole; whoever holds the source text turns it into file:line:column.
struct Detail {
    std::string field;
    std::string message;
    bool operator==(const Detail&) const = default;
};

struct Error {
    Code code = Code::internal;
    std::string message;          ///< safe to show to whoever asked
    std::vector<Detail> details;  ///< for Code::validation
    std::string cause;            ///< for our log only
    Error() = default;
    Error(Code c, std::string m) : code(c), message(std::move(m)) {}
    Error(Code c, std::string m, std::vector<Detail> d)
        : code(c), message(std::move(m)), details(std::move(d)) {}
};

/// Prints what is broken and aborts. Behind LAB_ASSERT, also in release builds.
[[noreturn]] void assertion_failed(const char* what, const char* file, int line);

}  // namespace lab

/// For our own bugs, never for what the world does to us. `what` says what is broken.
#define LAB_ASSERT(condition, what)                              \
    do {                                                         \
        if (!(condition)) [[unlikely]] {                         \
            ::lab::assertion_failed((what), __FILE__, __LINE__); \
        }                                                        \
    } while (false)
