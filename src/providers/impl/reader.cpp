#include "providers/impl/reader.h"

#include "base/text.h"
#include "providers/impl/json_pull.h"
#include "providers/impl/tokens.h"

#include <algorithm>
#include <array>

namespace lab::providers {
namespace {

/// No model writes a longer answer; what claims to be one is not kept.
constexpr std::size_t kOutputBytesMax = 4U << 20;
constexpr std::size_t kEventBytesMax = 8U << 20;
constexpr std::size_t kErrorBodyBytesMax = 64U << 10;
/// More than a message quotes, so that a key is never cut in two before it is taken out.
constexpr std::size_t kQuotedBytes = 4096;

constexpr std::string_view kTooLarge = "with more than a model can write";

}  // namespace

std::string_view normalise_finish_reason(std::string_view reason) {
    struct Entry {
        std::string_view theirs;
        std::string_view ours;
    };
    static constexpr std::array<Entry, 25> kTable{
        {{"stop", "stop"},
         {"end_turn", "stop"},
         {"stop_sequence", "stop"},
         {"eos", "stop"},
         {"eos_token", "stop"},
         {"COMPLETE", "stop"},
         {"STOP", "stop"},
         {"length", "length"},
         {"max_tokens", "length"},
         {"model_length", "length"},
         {"model_context_window_exceeded", "length"},
         {"MAX_TOKENS", "length"},
         {"content_filter", "content_filter"},
         {"content_filtered", "content_filter"},
         {"guardrail_intervened", "content_filter"},
         {"refusal", "content_filter"},
         {"SAFETY", "content_filter"},
         {"RECITATION", "content_filter"},
         {"BLOCKLIST", "content_filter"},
         {"PROHIBITED_CONTENT", "content_filter"},
         {"SPII", "content_filter"},
         {"IMAGE_SAFETY", "content_filter"},
         {"tool_calls", "tool_calls"},
         {"function_call", "tool_calls"},
         {"tool_use", "tool_calls"}}
    };
    const auto found = std::ranges::find(kTable, reason, &Entry::theirs);
    return found == kTable.end() ? "other" : found->ours;
}

std::string redact_key(std::string text, std::string_view key) {
    if (key.empty()) {
        return text;
    }
    for (std::size_t at = text.find(key); at != std::string::npos; at = text.find(key, at)) {
        text.replace(at, key.size(), "[key]");
        at += 5;
    }
    return text;
}

std::string BaseReader::clean(std::string_view text) const {
    return redact_key(std::string(text), endpoint_.key);
}

void BaseReader::clean(ApiError& error) const {
    error.message = clean(error.message);
    error.type = clean(error.type);
    error.code = clean(error.code);
}

BaseReader::BaseReader(const Endpoint& endpoint, const CallRequest& request)
    : endpoint_(endpoint),
      input_bytes_(input_bytes(request)),
      asked_for_stream_(request.stream),
      events_(kEventBytesMax) {}

void BaseReader::on_head(int status, const http::Headers& headers) {
    status_ = status;
    see_head(headers);
    const std::string type = to_lower(http::find_header(headers, "content-type"));
    const bool whole =
        type.find("json") != std::string::npos || type.find("html") != std::string::npos;
    streaming_ = success() && (type.find("text/event-stream") != std::string::npos ||
                               (asked_for_stream_ && !whole));
}

bool BaseReader::on_data(std::string_view bytes) {
    if (!success()) {
        body_ += bytes.substr(0, kErrorBodyBytesMax - std::min(body_.size(), kErrorBodyBytesMax));
        return true;
    }
    if (!streaming_) {
        body_ += bytes;
        return true;
    }
    // Also behind its first event: what a message quotes does not depend on how the bytes came.
    body_ += bytes.substr(0, kQuotedBytes - std::min(body_.size(), kQuotedBytes));
    return take_events(bytes);
}

std::optional<StreamEvent> BaseReader::next_event() {
    const auto event = events_.next();
    return event ? std::optional(StreamEvent{event->type, event->data}) : std::nullopt;
}

bool BaseReader::take_events(std::string_view bytes) {
    feed_events(bytes);
    while (const auto event = next_event()) {
        if (answer_.complete || answer_.error) {
            continue;  // whatever comes behind the end
        }
        damaged_ = !read_event(event->type, event->data) || damaged_;
        too_large_ = too_large_ || answer_.output.size() > kOutputBytesMax;
    }
    damaged_ = damaged_ || (are_events_broken() && !answer_.complete && !answer_.error);
    too_large_ = too_large_ || events_.overflowed();
    return !too_large_;
}

CallResult BaseReader::finish(const http::TransferEnd& end) {
    CallResult result;
    result.http_status = end.status;
    judge(result, end);
    const bool sent = end.failure != http::TransferFailure::connect &&
                      end.failure != http::TransferFailure::refused;
    const bool reached = end.status == 0 ? sent : end.status >= 200 && end.status < 300;
    result.maybe_billed =
        reached && result.outcome != Outcome::ok && result.outcome != Outcome::cancelled;
    return result;
}

void BaseReader::judge(CallResult& result, const http::TransferEnd& end) {
    using http::TransferFailure;
    if (end.status == 0 || (end.failure == TransferFailure::cancelled && !too_large_)) {
        classify_transfer(result, endpoint_.provider, end, false);
        return;
    }
    if (!success()) {
        read_error_body(result);
        return;
    }
    if (!streaming_ && end.failure == TransferFailure::none) {
        // Some servers stream under the name of JSON.
        const std::string_view start = trim_ascii(body_);
        if (start.starts_with("data:") || start.starts_with("event:")) {
            streaming_ = true;
            take_events(body_);
        }
    }
    if (too_large_ || end.failure == TransferFailure::too_large) {
        classify_nonsense(result, endpoint_.provider, kTooLarge, "");
    } else if (streaming_) {
        judge_stream(result, end);
    } else {
        judge_body(result, end);
    }
}

void BaseReader::judge_stream(CallResult& result, const http::TransferEnd& end) {
    if (answer_.error) {
        clean(*answer_.error);
        classify_error(result, endpoint_.provider, 0, *answer_.error);
    } else if (damaged_ && (answer_.begun || end.failure == http::TransferFailure::none)) {
        classify_nonsense(
            result, endpoint_.provider, "part of its stream cannot be read", clean(body_)
        );
    } else if (answer_.begun && (answer_.complete || !answer_.finish_reason.empty())) {
        accept(result);
    } else if (end.failure != http::TransferFailure::none) {
        classify_transfer(result, endpoint_.provider, end, answer_.begun);
    } else if (answer_.begun) {
        classify_transfer(
            result,
            endpoint_.provider,
            {http::TransferFailure::closed, "the stream has no end", status_},
            true
        );
    } else {
        classify_nonsense(
            result, endpoint_.provider, "not with an event stream of its protocol", clean(body_)
        );
    }
}

void BaseReader::judge_body(CallResult& result, const http::TransferEnd& end) {
    if (end.failure != http::TransferFailure::none) {
        classify_transfer(result, endpoint_.provider, end, !body_.empty());
        return;
    }
    const bool readable = read_body(body_);
    if (answer_.error) {
        clean(*answer_.error);
        classify_error(result, endpoint_.provider, 0, *answer_.error);
    } else if (!readable) {
        classify_nonsense(
            result,
            endpoint_.provider,
            "not with a response of its protocol",
            clean(body_.substr(0, kQuotedBytes))
        );
    } else if (answer_.output.size() > kOutputBytesMax) {
        classify_nonsense(result, endpoint_.provider, kTooLarge, "");
    } else {
        accept(result);
    }
}

void BaseReader::read_error_body(CallResult& result) {
    ApiError error;
    JsonPull in(body_);
    const auto read_object = [&] {
        ApiError plain;  // {"message": ...} without an "error" around it
        in.object([&](std::string_view key) {
            if (key == "error" && in.peek() == JsonPull::Kind::object) {
                error = read_api_error(in);
            } else if (key == "message" || key == "error" || key == "detail" || key == "Message") {
                plain.message = in.scalar_text().value_or(plain.message);
            } else if (key == "type" || key == "__type") {
                plain.type = in.scalar_text().value_or("");
            } else if (key == "code") {
                plain.code = in.scalar_text().value_or("");
            }
        });
        if (error.message.empty() && error.type.empty() && error.code.empty()) {
            error = std::move(plain);
        }
    };
    if (in.peek() == JsonPull::Kind::array) {
        in.array(read_object);  // as Google wraps errors of streams
    } else {
        read_object();
    }
    if (error.message.empty()) {
        error.message = body_.substr(0, kQuotedBytes);
    }
    refine_error(error);
    clean(error);
    classify_error(result, endpoint_.provider, status_, error);
}

void BaseReader::accept(CallResult& result) {
    result.outcome = Outcome::ok;
    result.output = answer_.output.empty() ? std::move(answer_.refusal) : std::move(answer_.output);
    if (!is_utf8(result.output)) {
        result.output = sanitize_utf8(result.output);
    }
    result.finish_reason = answer_.finish_reason.empty() ? "other" : answer_.finish_reason;
    result.model_reported = shorten(sanitize_utf8(answer_.model), 200);
    result.usage = normalise_usage(
        answer_.usage, cached_inside(), reasoning_inside(), input_bytes_, result.output.size()
    );
    if (!answer_.logprobs.empty()) {
        result.logprobs = sanitize_utf8("[" + answer_.logprobs + "]");
    }
}

}  // namespace lab::providers
