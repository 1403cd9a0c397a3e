#include "base/text.h"
#include "fuzz/fuzz.h"
#include "providers/impl/codec_test_support.h"

#include <array>

namespace {
using namespace lab;
using namespace lab::providers;
using fuzz::require;

constexpr std::string_view kKey = "sk-a-key-of-this-target";

const Codec& codec_of(unsigned choice) {
    static const Endpoint kEndpoint{
        .provider = "p", .base_url = "http://h/v1", .model = "m", .key = std::string(kKey)
    };
    static const Endpoint kCompletions = [] {
        Endpoint out = kEndpoint;
        out.api = "completions";
        return out;
    }();
    static const std::array kCodecs{
        make_openai_codec(kEndpoint),
        make_openai_codec(kCompletions),
        make_anthropic_codec(kEndpoint),
        make_google_codec(kEndpoint),
    };
    return *kCodecs.at(choice % kCodecs.size());
}

void check(const Codec& codec, const CallResult& result, const test::Recorded& answer) {
    require(is_utf8(result.output), "an output is UTF-8");
    require(is_utf8(result.error.message), "a message is UTF-8");
    require(result.output.size() <= 3 * answer.body.size(), "an output is what was sent");
    require(!result.error.message.contains(kKey), "a message does not hold the key");
    // Nor the beginning of one that was cut in two, if a server has not sent just that.
    const std::string_view begin = kKey.substr(0, 12);
    const bool is_sent = answer.body.contains('\\') ||
                         codec.redact(answer.body).find(begin.substr(0, 4)) != std::string::npos;
    require(is_sent || !result.error.message.contains(begin), "a message holds half the key");
    const domain::Usage& usage = result.usage;
    require(
        usage.input >= 0 && usage.cache_read >= 0 && usage.cache_write >= 0 && usage.output >= 0 &&
            usage.reasoning >= 0,
        "counts are counts"
    );
    if (result.outcome == Outcome::ok) {
        require(answer.status == 200, "an error is no answer");
    } else {
        require(!result.error.message.empty(), "a failure says why");
    }
}
}  // namespace

// An answer of a model server means the same whole and in pieces, in every protocol. The first byte
// chooses protocol (its last two bits), stream or not (4), status (8 to 56) and size of a piece; a
// byte 1 in the text stands for our key, which servers echo.
FUZZ_TARGET(provider_stream) {
    static constexpr std::array kStatus{200, 200, 200, 200, 200, 400, 429, 500};
    std::string_view rest = input;
    const unsigned choice = fuzz::take_choice(rest);
    std::string text;
    for (const char c : rest) {
        text += c == 1 ? std::string(kKey) : std::string(1, c);
    }
    const Codec& codec = codec_of(choice);
    const bool is_stream = choice % 8 < 4;
    test::Recorded answer = is_stream ? test::stream_of(text) : test::json_of(text);
    answer.status = kStatus.at(choice / 8 % 8);
    const CallRequest request = test::question("hi", is_stream);
    const CallResult whole = test::read(codec, answer, 1'000'000, request);
    require(
        test::same(whole, test::read(codec, answer, 1 + choice / 64, request)),
        "whole and in pieces are one answer"
    );
    check(codec, whole, answer);
    const test::Recorded broken = test::broken_off(answer, http::TransferFailure::timeout);
    const CallResult rest_missing = test::read(codec, broken, 7, request);
    check(codec, rest_missing, broken);
    // Behind the end that the protocol has, nothing can be missing.
    require(
        rest_missing.outcome != Outcome::ok || test::same(rest_missing, whole),
        "half an answer is none"
    );
}
