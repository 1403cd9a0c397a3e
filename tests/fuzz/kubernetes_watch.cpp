#include "fuzz/fuzz.h"
#include "platform/kubernetes/config_map_events.h"

#include <algorithm>
#include <string>

namespace {

using lab::kubernetes::ConfigMapValues;
using lab::kubernetes::WatchEvent;
using lab::kubernetes::WatchReader;

constexpr const char* kName = "settings";
constexpr std::size_t kLineBytesMax = 2048;

void check_version(const std::string& version) {
    lab::fuzz::require(!version.empty() && version.size() <= 64, "a version is short");
    lab::fuzz::require(
        version.find_first_of("/&?#%= \r\n") == std::string::npos, "a version fits into a URL"
    );
}

void write(const ConfigMapValues& values, std::string& out) {
    for (const auto& [key, value] : values) {
        out += std::to_string(key.size()) + ":" + key + std::to_string(value.size()) + ":" + value;
    }
}

/// Every event, written; "broken" at the end when the stream breaks.
std::string read(std::string_view text, std::size_t step) {
    WatchReader reader(kName, kLineBytesMax);
    std::string out;
    while (!text.empty()) {
        const std::string piece(text.substr(0, step));
        text.remove_prefix(piece.size());
        reader.feed(piece);
        for (;;) {
            const auto next = reader.next();
            if (!next) {
                lab::fuzz::require(!reader.next(), "a broken stream stays broken");
                return out + "broken";
            }
            if (!*next) {
                break;
            }
            const WatchEvent& event = **next;
            if (event.kind == WatchEvent::Kind::failed) {
                lab::fuzz::require(event.code >= 0 && event.code < 600, "a code is a status");
            } else {
                check_version(event.version);
            }
            lab::fuzz::require(
                event.values.empty() || event.kind == WatchEvent::Kind::changed,
                "only changes have values"
            );
            out += std::to_string(static_cast<int>(event.kind)) + event.version + "," +
                   std::to_string(event.code);
            write(event.values, out);
        }
    }
    return out;
}

}  // namespace

// A stream has the same events whole and in pieces; what is taken from it fits into the next
// request.
FUZZ_TARGET(kubernetes_watch) {
    std::string_view text = input;
    const unsigned choice = lab::fuzz::take_choice(text);
    if (choice == 0xff) {
        if (const auto state = lab::kubernetes::read_config_map_list(text, kName)) {
            check_version(state->version);
        }
        return;
    }
    const std::string whole = read(text, std::max<std::size_t>(1, text.size()));
    lab::fuzz::require(whole == read(text, 1 + choice % 16), "events do not depend on cuts");
}
