#include "storage/events/clickhouse_answers.h"

#include "base/text.h"

#include <algorithm>
#include <charconv>

namespace lab::storage {
namespace {

constexpr std::string_view kWho = "ClickHouse";
constexpr std::size_t kCauseBytesMax = 500;

Error failed(Code code, std::string words) {
    return {code, std::string(kWho) + " " + std::move(words)};
}

Error of_transfer(const http::TransferEnd& end) {
    using http::TransferFailure;
    Error out = [&] {
        switch (end.failure) {
            case TransferFailure::connect:
                return failed(Code::unavailable, "cannot be reached");
            case TransferFailure::timeout:
                return failed(Code::unavailable, "did not answer in time");
            case TransferFailure::too_large:
                return failed(Code::upstream_error, "answers with too much");
            default:
                return failed(Code::unavailable, "broke off its answer");
        }
    }();
    out.cause = "clickhouse: " + end.message;
    return out;
}

int read_number(std::string_view text) {
    int out = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), out);
    return read.ec == std::errc() && out > 0 ? out : 0;
}

/// REQUIRED_PASSWORD, UNKNOWN_USER, WRONG_PASSWORD, AUTHENTICATION_FAILED.
bool is_login(int exception) {
    return exception == 192 || exception == 193 || exception == 194 || exception == 516;
}

/// TIMEOUT_EXCEEDED, TOO_MANY_SIMULTANEOUS_QUERIES, NO_FREE_CONNECTION, SOCKET_TIMEOUT,
/// NETWORK_ERROR, MEMORY_LIMIT_EXCEEDED, TOO_MANY_PARTS, ...: later it may do.
bool is_passing(int status, int exception) {
    constexpr int kPassing[] = {159, 202, 203, 209, 210, 225, 241, 242, 252, 319, 999};
    return status == 408 || status == 429 || (status >= 502 && status <= 504) ||
           std::ranges::find(kPassing, exception) != std::end(kPassing);
}

}  // namespace

std::string clickhouse_exception_name(std::string_view body) {
    const auto is_letter = [](char c) { return (c >= 'A' && c <= 'Z') || c == '_'; };
    for (std::size_t at = body.rfind('('); at != std::string_view::npos && at > 0;
         at = body.rfind('(', at - 1)) {
        const std::string_view rest = body.substr(at + 1);
        const std::string_view word = rest.substr(0, std::min(rest.find(')'), rest.size()));
        if (!word.empty() && word.size() <= 64 && std::ranges::all_of(word, is_letter)) {
            return std::string(word);
        }
    }
    return {};
}

int clickhouse_exception(const http::Answer& answer) {
    const int said = read_number(http::find_header(answer.headers, "x-clickhouse-exception-code"));
    constexpr std::string_view kCode = "Code: ";
    if (said != 0 || !answer.body.starts_with(kCode)) {
        return said;
    }
    return read_number(std::string_view(answer.body).substr(kCode.size()));
}

std::optional<Error> clickhouse_error(const http::Answer& answer) {
    if (answer.end.failure != http::TransferFailure::none) {
        return of_transfer(answer.end);
    }
    const int exception = clickhouse_exception(answer);
    if (answer.status >= 200 && answer.status < 300 && exception == 0) {
        return std::nullopt;
    }
    const std::string name = clickhouse_exception_name(answer.body);
    const std::string word = !name.empty()    ? name
                             : exception != 0 ? "code " + std::to_string(exception)
                                              : "status " + std::to_string(answer.status);
    Error out = is_login(exception) || answer.status == 401 || answer.status == 403
                    ? failed(
                          Code::unavailable,
                          "does not let us in: CLICKHOUSE_USER and CLICKHOUSE_PASSWORD are not "
                          "right, or may not do this"
                      )
                : is_passing(answer.status, exception)
                    ? failed(Code::unavailable, "cannot serve now: " + word)
                    : failed(Code::upstream_error, "refuses a statement: " + word);
    out.cause = "clickhouse: status " + std::to_string(answer.status) + ": " +
                shorten(sanitize_utf8(answer.body), kCauseBytesMax);
    return out;
}

}  // namespace lab::storage
