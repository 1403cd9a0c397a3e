#include "platform/http/sse.h"

#include "fuzz/fuzz.h"

#include <algorithm>
#include <string>
#include <vector>

namespace {
constexpr std::size_t kBytesMax = 4096;

struct Event {
    std::string type;
    std::string data;
    std::string id;
    bool operator==(const Event&) const = default;
};

std::vector<Event> events(std::string_view text, std::size_t step, bool& overflowed) {
    lab::http::SseParser parser(kBytesMax);
    std::vector<Event> out;
    while (!text.empty()) {
        const std::string piece(text.substr(0, step));
        text.remove_prefix(piece.size());
        parser.feed(piece);
        while (const auto event = parser.next()) {
            out.push_back(
                {std::string(event->type), std::string(event->data), std::string(event->id)}
            );
            lab::fuzz::require(event->data.size() <= kBytesMax, "events have a limit");
        }
    }
    overflowed = parser.overflowed();
    return out;
}

/// As a server writes them (WHATWG HTML, 9.2.5).
std::string write(const std::vector<Event>& all) {
    std::string out;
    for (const Event& event : all) {
        out += "id: " + event.id + "\nevent: " + event.type + "\n";
        std::string_view data = event.data;
        do {
            out += "data: " + std::string(lab::fuzz::take_until(data, '\n')) + "\n";
        } while (!data.empty());
        if (event.data.ends_with('\n')) {
            out += "data: \n";
        }
        out += "\n";
    }
    return out;
}
}  // namespace

// A stream has the same events whole, in pieces, and when it is written out again.
FUZZ_TARGET(sse) {
    std::string_view text = input;
    const std::size_t step = 1 + lab::fuzz::take_choice(text) % 16;
    bool whole_overflowed = false;
    bool pieces_overflowed = false;
    const auto whole = events(text, std::max<std::size_t>(1, text.size()), whole_overflowed);
    const auto pieces = events(text, step, pieces_overflowed);
    lab::fuzz::require(whole_overflowed == pieces_overflowed, "limits do not depend on cuts");
    lab::fuzz::require(whole == pieces, "events do not depend on cuts");
    if (!whole_overflowed && text.size() < kBytesMax / 2) {
        bool again_overflowed = false;
        const auto again = events(write(whole), step, again_overflowed);
        lab::fuzz::require(again == whole, "what is written has the same events");
    }
}
