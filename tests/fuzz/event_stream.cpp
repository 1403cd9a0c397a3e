#include "platform/aws/event_stream.h"

#include "fuzz/fuzz.h"
#include "support/event_stream_writer.h"

#include <string>
#include <vector>

namespace {
constexpr std::size_t kBytesMax = 4096;

struct Read {
    std::vector<std::string> messages;  ///< headers and payload, as they are written
    std::string problem;
    bool operator==(const Read&) const = default;
};

/// Written again as Amazon's services would.
std::string write(const lab::aws::EventMessage& message) {
    std::vector<std::pair<std::string, std::string>> headers;
    for (const auto& [name, value] : message.headers) {
        headers.emplace_back(name, value);
    }
    return lab::test::event_message(headers, message.payload);
}

Read read(std::string_view bytes, std::size_t step) {
    lab::aws::EventStreamParser parser(kBytesMax);
    Read out;
    while (!bytes.empty()) {
        const std::string piece(bytes.substr(0, step));
        bytes.remove_prefix(piece.size());
        parser.feed(piece);
        while (const auto message = parser.next()) {
            lab::fuzz::require(message->payload.size() <= kBytesMax, "messages have a limit");
            out.messages.push_back(write(*message));
        }
    }
    out.problem = parser.problem();
    return out;
}
}  // namespace

// Messages are the same whole, in pieces and written again; what is behind damage is not read. Sums
// are hard to guess, so what stands between bytes 255 is also framed with right ones: headers
// before the first byte 254, payload behind.
FUZZ_TARGET(event_stream) {
    std::string_view rest = input;
    const std::size_t step = 1 + lab::fuzz::take_choice(rest) % 32;
    const bool is_framed = lab::fuzz::take_choice(rest) % 2 == 1;
    std::string bytes;
    while (is_framed && !rest.empty()) {
        std::string_view one = lab::fuzz::take_until(rest, '\xff');
        const std::string_view headers = lab::fuzz::take_until(one, '\xfe');
        bytes += lab::test::event_message_of(headers, one);
    }
    bytes += rest;
    const Read whole = read(bytes, bytes.size() + 1);
    lab::fuzz::require(whole == read(bytes, step), "messages do not depend on cuts");
    std::string again;
    for (const std::string& message : whole.messages) {
        again += message;
    }
    const Read second = read(again, step);
    lab::fuzz::require(second.problem.empty(), "what is written can be read");
    lab::fuzz::require(second.messages == whole.messages, "and is the same");
}
