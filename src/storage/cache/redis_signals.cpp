#include "storage/cache/redis_signals.h"

#include <algorithm>
#include <array>
#include <utility>

namespace lab::storage {
namespace {

using What = Signal::What;

constexpr std::array<std::pair<What, std::string_view>, 5> kWords{{
    {What::user, "user"},
    {What::key, "key"},
    {What::login, "login"},
    {What::switches, "switches"},
    {What::cache, "cache"},
}};
/// An id is shorter.
constexpr std::size_t kAboutMax = 128;

}  // namespace

RedisSignals::RedisSignals(redis::BlockingClient& client, std::string channel)
    : client_(client), channel_(std::move(channel)) {}

std::string RedisSignals::write(const Signal& signal) {
    const auto* const word =
        std::ranges::find(kWords, signal.what, &decltype(kWords)::value_type::first);
    return std::string(word->second) + " " + signal.about;
}

std::optional<Signal> RedisSignals::read(std::string_view message) {
    const std::size_t blank = message.find(' ');
    const auto* const word =
        std::ranges::find(kWords, message.substr(0, blank), &decltype(kWords)::value_type::second);
    if (blank == std::string_view::npos || word == kWords.end() ||
        message.size() - blank - 1 > kAboutMax) {
        return std::nullopt;
    }
    return Signal{word->first, std::string(message.substr(blank + 1))};
}

void RedisSignals::listen(std::function<void(const Signal*)> heard) {
    client_.listen(
        {channel_},
        [heard = std::move(heard)](const std::string* channel, const std::string* message) {
            if (channel == nullptr) {
                heard(nullptr);
            } else if (const auto signal = read(*message)) {
                heard(&*signal);
            }
        }
    );
}

void RedisSignals::send(const Signal& signal) {
    client_.tell({{"PUBLISH", channel_, write(signal)}, ""});
}

}  // namespace lab::storage
