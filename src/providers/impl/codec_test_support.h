#pragma once
#include "providers/codec.h"

#include <functional>
#include <string>
#include <vector>

/// For the tests of this room.
namespace lab::providers::test {

inline CallRequest question(std::string text = "hi", bool stream = true) {
    CallRequest request;
    request.model = "m-1";
    request.messages = {{"user", std::move(text)}};
    request.stream = stream;
    return request;
}

/// One recorded response.
struct Recorded {
    int status = 200;
    std::string type = "application/json";
    std::string body;
    http::TransferFailure failure = http::TransferFailure::none;
};

inline Recorded stream_of(std::string body) { return {200, "text/event-stream", std::move(body)}; }
inline Recorded json_of(std::string body) { return {200, "application/json", std::move(body)}; }
inline Recorded broken_off(Recorded recorded, http::TransferFailure how) {
    recorded.failure = how;
    return recorded;
}

/// Gives a response to the codec in pieces of `step` bytes and returns what it makes of it.
inline CallResult read(
    const Codec& codec,
    const Recorded& recorded,
    std::size_t step = 1'000'000,
    const CallRequest& request = question()
) {
    const auto reader = codec.make_reader(request);
    reader->on_head(recorded.status, {{"Content-Type", recorded.type}});
    std::string_view rest = recorded.body;
    while (!rest.empty()) {
        const std::string piece(rest.substr(0, step));
        rest.remove_prefix(piece.size());
        if (!reader->on_data(piece)) {
            return reader->finish(
                {http::TransferFailure::cancelled, "the rest was not wanted", recorded.status}
            );
        }
    }
    return reader->finish({recorded.failure, "", recorded.status});
}

inline bool same(const CallResult& a, const CallResult& b) {
    return a.outcome == b.outcome && a.output == b.output && a.finish_reason == b.finish_reason &&
           a.usage == b.usage && a.model_reported == b.model_reported && a.logprobs == b.logprobs &&
           a.error.message == b.error.message;
}

/// What recorded responses the tests and the mutation test share.
struct Case {
    std::string name;
    std::function<std::unique_ptr<Codec>()> codec;
    Recorded recorded;
};
std::vector<Case> recorded_cases();

}  // namespace lab::providers::test
