#include "fuzz/fuzz.h"
#include "platform/otlp/impl/verdict.h"
#include "platform/otlp/impl/wire.h"
#include "platform/otlp/messages.h"

namespace {

constexpr std::size_t kProblemMax = 400;

void check(const lab::otlp::Answer& answer) {
    using End = lab::otlp::Answer::End;
    lab::fuzz::require(
        (answer.end == End::taken) == answer.problem.empty(), "what went wrong has words"
    );
    lab::fuzz::require(answer.problem.size() <= kProblemMax, "words have a limit");
    lab::fuzz::require(
        !answer.retry_after || *answer.retry_after <= std::chrono::minutes(5), "pauses have a limit"
    );
}

/// Lines "name: value" up to an empty one; the rest is the body.
lab::otlp::Reply reply_of(std::string_view text) {
    lab::otlp::Reply out;
    while (!text.empty()) {
        const std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(text.size(), line.size() + 1));
        const std::size_t colon = line.find(": ");
        if (colon == line.npos) {
            break;
        }
        out.headers.emplace_back(line.substr(0, colon), line.substr(colon + 2));
    }
    out.body = text;
    return out;
}

}  // namespace

// What a collector answers, as a message and as a whole reply: read to its end within limits, and
// fields that were read are written again.
FUZZ_TARGET(otlp_answer) {
    std::string_view text = input;
    const unsigned choice = lab::fuzz::take_choice(text);
    lab::otlp::Reader reader(text);
    std::size_t bytes = 0;
    while (const auto field = reader.next()) {
        lab::fuzz::require(field->number > 0, "fields have a number");
        bytes += field->bytes.size();
        lab::otlp::Message again;
        again.bytes(field->number, field->bytes);
        lab::otlp::Reader read(again.str());
        const auto back = read.next();
        lab::fuzz::require(
            field->bytes.empty() ? !back : back && back->bytes == field->bytes, "written and read"
        );
    }
    lab::fuzz::require(bytes <= text.size(), "no byte is read twice");
    lab::fuzz::require(
        lab::otlp::decode_partial_success(text).message.size() <= kProblemMax, "words have a limit"
    );
    lab::fuzz::require(
        lab::otlp::decode_status_message(text).size() <= kProblemMax, "words have a limit"
    );
    lab::otlp::Reply reply = reply_of(text);
    reply.status = static_cast<int>(200 + choice * 2);
    reply.broken = choice % 5 == 4 ? "broken off" : "";
    check(lab::otlp::grpc_verdict(reply));
    check(lab::otlp::http_verdict(reply));
}
