#include "providers/impl/answer.h"

#include "base/text.h"
#include "platform/http/client.h"
#include "platform/json/json.h"
#include "providers/impl/hints.h"
#include "providers/impl/json_pull.h"
#include "providers/impl/tokens.h"

namespace lab::providers {
namespace {

/// More than any model reads or writes in one call: a count above is a mistake.
constexpr std::int64_t kTokensMax = 20'000'000;
constexpr std::size_t kQuotedBytesMax = 500;

bool contains_any(std::string_view text, std::initializer_list<std::string_view> words) {
    for (const std::string_view word : words) {
        if (text.find(word) != std::string_view::npos) {
            return true;
        }
    }
    return false;
}

/// The HTTP status that an error object inside a stream stands for.
int status_of(const ApiError& error) {
    if (error.code.size() == 3 && error.code[0] >= '4' && error.code[0] <= '5') {
        return std::atoi(error.code.c_str());
    }
    const std::string kind = to_lower(error.type + " " + error.code);
    if (contains_any(kind, {"rate_limit", "resource_exhausted", "too_many_requests", "throttl"})) {
        return 429;
    }
    if (contains_any(kind, {"overloaded"})) {
        return 529;
    }
    if (contains_any(
            kind,
            {"invalid",
             "authentication",
             "permission",
             "not_found",
             "content_filter",
             "content_policy",
             "failed_precondition",
             "insufficient_quota",
             "billing"}
        )) {
        return 400;
    }
    return 500;
}

std::string describe(const ApiError& error) {
    std::string text = shorten(sanitize_utf8(trim_ascii(error.message)), kQuotedBytesMax);
    std::string kind = error.type;
    if (!error.code.empty() && error.code != error.type) {
        kind += kind.empty() ? error.code : ", " + error.code;
    }
    if (!kind.empty()) {
        text += text.empty() ? "" : " ";
        text += "(" + shorten(sanitize_utf8(kind), 100) + ")";
    }
    return text;
}

Code code_of(Outcome outcome) {
    switch (outcome) {
        case Outcome::rate_limited:
            return Code::rate_limited;
        case Outcome::cancelled:
            return Code::cancelled;
        default:
            return Code::upstream_error;
    }
}

}  // namespace

void RawUsage::read(JsonPull& in, std::optional<std::int64_t>& count) {
    if (in.peek() == JsonPull::Kind::null) {
        in.skip();
        return;
    }
    const std::optional<std::int64_t> value = in.integer();
    if (!value || *value < 0 || *value > kTokensMax) {
        broken = true;
        return;
    }
    count = value;
}

void append_logprob(
    std::string& out, std::string_view token, std::string_view logprob, std::string_view top
) {
    if (!out.empty()) {
        out += ',';
    }
    out += "{\"token\":";
    append_json_string(out, token);
    out += ",\"logprob\":";
    out += logprob.empty() ? "null" : logprob;
    if (!top.empty()) {
        out += ",\"top\":[";
        out += top;
        out += ']';
    }
    out += '}';
}

void append_top_logprob(std::string& top, std::string_view token, std::string_view logprob) {
    if (!top.empty()) {
        top += ',';
    }
    top += '[';
    append_json_string(top, token);
    top += ',';
    top += logprob.empty() ? "null" : logprob;
    top += ']';
}

ApiError read_api_error(JsonPull& in) {
    ApiError error;
    if (in.peek() == JsonPull::Kind::string) {
        error.message = in.string().value_or("");
        return error;
    }
    in.object([&](std::string_view key) {
        if (key == "message" || key == "error" || key == "detail") {
            error.message = in.scalar_text().value_or(error.message);
        } else if (key == "type" || key == "status") {
            error.type = in.scalar_text().value_or(error.type);
        } else if (key == "code") {
            error.code = in.scalar_text().value_or("");
        } else if (key == "details") {
            // google.rpc.RetryInfo: {"retryDelay": "27s"}
            in.array([&] {
                in.object([&](std::string_view detail) {
                    if (detail == "retryDelay") {
                        error.retry_after = parse_duration(in.string().value_or(""));
                    }
                });
            });
        }
    });
    return error;
}

domain::Usage normalise_usage(
    const RawUsage& raw,
    bool cached_inside,
    bool reasoning_inside,
    std::size_t input_bytes,
    std::size_t output_bytes
) {
    domain::Usage usage;
    const auto estimate = [&] {
        return domain::Usage{
            .input = estimate_tokens(input_bytes),
            .output = estimate_tokens(output_bytes),
            .estimated = true
        };
    };
    if (raw.broken || !raw.input || !raw.output) {
        return estimate();
    }
    usage.cache_read = raw.cache_read.value_or(0);
    usage.cache_write = raw.cache_write.value_or(0);
    usage.input = *raw.input;
    if (cached_inside) {
        usage.input -= usage.cache_read + usage.cache_write;
    }
    usage.reasoning = raw.reasoning.value_or(0);
    usage.output = *raw.output;
    // Some servers that include the reasoning by their protocol count it apart all the same; the
    // total tells.
    const bool apart = raw.total && usage.reasoning > 0 &&
                       *raw.total == *raw.input + *raw.output + usage.reasoning;
    if (reasoning_inside && !apart) {
        usage.output -= usage.reasoning;
    }
    if (usage.input < 0 || usage.output < 0) {
        return estimate();
    }
    return usage;
}

void classify_error(
    CallResult& result, std::string_view provider, int status, const ApiError& error
) {
    const bool inside = status == 0;
    const int meant = error.meant.value_or(inside ? status_of(error) : status);
    // Waiting does not fill an account: this 429 is a refusal.
    const bool no_money = contains_any(error.type + " " + error.code, {"insufficient_quota"});
    if (meant == 429 && !no_money) {
        result.outcome = Outcome::rate_limited;
    } else if (meant >= 500 || meant == 408 || meant == 409) {
        result.outcome = Outcome::overloaded;
        result.counts_for_breaker = meant >= 500;
    } else {
        result.outcome = Outcome::refused;
    }
    std::string message(provider);
    message += inside ? " reported an error" : " answered " + std::to_string(status);
    const std::string words = describe(error);
    result.error = Error(code_of(result.outcome), message + (words.empty() ? "" : ": " + words));
    if (error.retry_after) {
        result.hints.retry_after = error.retry_after;
    }
}

void classify_transfer(
    CallResult& result, std::string_view provider, const http::TransferEnd& end, bool begun
) {
    using http::TransferFailure;
    if (end.failure == TransferFailure::cancelled) {
        result.outcome = Outcome::cancelled;
        result.error = Error(Code::cancelled, "the call was cancelled");
        return;
    }
    if (end.failure == TransferFailure::refused) {
        result.outcome = Outcome::refused;
        result.error =
            Error(Code::upstream_error, std::string(provider) + " was not called: " + end.message);
        return;
    }
    result.outcome = Outcome::network;
    result.counts_for_breaker = true;
    const bool timeout = end.failure == TransferFailure::timeout;
    std::string message(provider);
    if (timeout) {
        message += begun ? " did not finish its answer in time" : " did not answer in time";
    } else if (end.failure == TransferFailure::connect) {
        message += " cannot be reached";
    } else if (end.failure == TransferFailure::protocol) {
        message += " does not speak HTTP";
    } else {
        message += begun ? " closed the connection in the middle of its answer"
                         : " closed the connection without an answer";
    }
    if (!end.message.empty()) {
        message += ": " + end.message;
    }
    result.error = Error(timeout ? Code::upstream_timeout : Code::upstream_error, message);
}

void classify_nonsense(
    CallResult& result, std::string_view provider, std::string_view why, std::string_view body
) {
    result.outcome = Outcome::nonsense;
    std::string message(provider);
    message += " answered, but ";
    message += why;
    const std::string_view quoted = trim_ascii(body);
    if (!quoted.empty()) {
        message += ": " + shorten(sanitize_utf8(quoted.substr(0, 600)), kQuotedBytesMax);
    }
    result.error = Error(Code::upstream_error, message);
}

}  // namespace lab::providers
