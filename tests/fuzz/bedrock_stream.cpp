#include "base/text.h"
#include "fuzz/fuzz.h"
#include "providers/impl/codec_test_support.h"
#include "support/event_stream_writer.h"

namespace {
using namespace lab;
using namespace lab::providers;
using fuzz::require;

const Codec& codec() {
    static const auto kCodec =
        make_bedrock_codec({.provider = "p", .base_url = "http://h", .model = "m"});
    return *kCodec;
}

/// Events between bytes 255, each its type before the first byte 254 and its payload behind; a type
/// that begins with '!' is an exception.
std::string stream_of(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        std::string_view one = fuzz::take_until(text, '\xff');
        const std::string type(fuzz::take_until(one, '\xfe').substr(0, 100));
        out += type.starts_with('!') ? lab::test::exception(type.substr(1), one)
                                     : lab::test::event(type, one);
    }
    return out;
}
}  // namespace

// A stream of Bedrock means the same whole and in pieces; half of it is no answer.
FUZZ_TARGET(bedrock_stream) {
    std::string_view rest = input;
    const std::size_t step = 1 + fuzz::take_choice(rest) % 64;
    const std::string body = stream_of(rest);
    const providers::test::Recorded answer{200, "application/vnd.amazon.eventstream", body};
    const CallResult whole = providers::test::read(codec(), answer);
    require(
        providers::test::same(whole, providers::test::read(codec(), answer, step)),
        "whole and in pieces are one answer"
    );
    require(is_utf8(whole.output) && is_utf8(whole.error.message), "texts are UTF-8");
    require(whole.output.size() <= 3 * body.size(), "an output is what was sent");
    require(whole.usage.input >= 0 && whole.usage.output >= 0, "counts are counts");
    require(whole.outcome == Outcome::ok || !whole.error.message.empty(), "a failure says why");
    const providers::test::Recorded broken =
        providers::test::broken_off(answer, http::TransferFailure::closed);
    const CallResult rest_missing = providers::test::read(codec(), broken, step);
    require(
        rest_missing.outcome != Outcome::ok || providers::test::same(rest_missing, whole),
        "half an answer is none"
    );
}
