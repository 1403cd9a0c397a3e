#include "platform/telemetry/redact.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

namespace lab {
namespace {

using Words = std::span<const std::string_view>;

constexpr bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
constexpr bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

// In any of these places the value is a secret, whatever stands around.
constexpr std::array<std::string_view, 13> kAlways{
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "pwd",
    "secret",
    "credential",
    "authorization",
    "cookie",
    "pepper",
    "bearer",
    "apikey",
    "privkey"
};

// ... unless the next word says that the value is only about it.
constexpr std::array<std::string_view, 6> kAbout{
    "name", "names", "count", "type", "version", "age"
};

constexpr std::array<std::string_view, 20> kAboutKey{
    "prefix",  "prefixes", "id",   "ids",   "name",  "names", "count",  "counts", "type", "types",
    "version", "versions", "size", "sizes", "bytes", "bits",  "length", "format", "kind", "usage"
};
// Keys that open nothing.
constexpr std::array<std::string_view, 24> kOpenKeys{
    "primary",   "foreign", "cache",   "idempotency", "object",  "s3",     "partition", "sort",
    "group",     "row",     "order",   "config",      "setting", "label",  "routing",   "lock",
    "duplicate", "unknown", "missing", "repeated",    "json",    "member", "map",       "public"
};
constexpr std::array<std::string_view, 14> kNoKeys{
    "keyword",
    "keywords",
    "keyboard",
    "keynote",
    "keyspace",
    "keyspaces",
    "keyframe",
    "keypoint",
    "keypoints",
    "keyed",
    "monkey",
    "turkey",
    "donkey",
    "whiskey"
};

// `token_type` is "access"; the others are numbers.
constexpr std::array<std::string_view, 19> kAboutToken{
    "count",
    "counts",
    "limit",
    "limits",
    "budget",
    "usage",
    "rate",
    "cost",
    "price",
    "latency",
    "ms",
    "seconds",
    "ttl",
    "length",
    "index",
    "position",
    "total",
    "number",
    "bucket"
};
constexpr std::array<std::string_view, 5> kBeforeToken{"first", "per", "next", "last", "each"};

bool among(std::span<const std::string_view> list, std::string_view word) {
    return std::ranges::find(list, word) != list.end();
}

std::string_view neighbour(Words words, std::size_t i, int step) {
    const auto j = static_cast<std::ptrdiff_t>(i) + step;
    return j < 0 || j >= std::ssize(words) ? std::string_view()
                                           : words[static_cast<std::size_t>(j)];
}

Secrecy of_key(Words words, std::size_t i) {
    if (words[i] != "key" && words[i] != "keys") {
        return among(kNoKeys, words[i]) ? Secrecy::open : Secrecy::hidden;
    }
    if (among(kAboutKey, neighbour(words, i, 1)) || among(kOpenKeys, neighbour(words, i, -1))) {
        return Secrecy::open;
    }
    return words[i] == "keys" ? Secrecy::numbers : Secrecy::hidden;
}

Secrecy of_token(Words words, std::size_t i) {
    if (words[i].starts_with("tokeniz") || words[i].starts_with("tokenis")) {
        return Secrecy::open;
    }
    const std::string_view next = neighbour(words, i, 1);
    if (words[i] == "tokens") {
        return Secrecy::numbers;
    }
    if (words[i] != "token") {
        return Secrecy::hidden;
    }
    if (next == "type" || next == "name") {
        return Secrecy::open;
    }
    const bool counts = among(kAboutToken, next) || among(kBeforeToken, neighbour(words, i, -1));
    return counts ? Secrecy::numbers : Secrecy::hidden;
}

/// `Signature` and `X-Amz-Signature` of a presigned URL, `X-Hub-Signature-256` of a webhook; not
/// the signature of a metric.
bool is_signature(Words words) {
    constexpr std::array<std::string_view, 8> kParts{
        "signature", "x", "amz", "goog", "hub", "webhook", "256", "sig"
    };
    return (among(words, "signature") || (words.size() == 1 && words[0] == "sig")) &&
           std::ranges::all_of(words, [&](std::string_view w) { return among(kParts, w); });
}

Secrecy of_word(Words words, std::size_t i) {
    const std::string_view word = words[i];
    const auto has = [&](std::string_view stem) { return word.find(stem) != word.npos; };
    if (std::ranges::any_of(kAlways, has)) {
        return among(kAbout, neighbour(words, i, 1)) ? Secrecy::open : Secrecy::hidden;
    }
    if (has("token")) {
        return of_token(words, i);
    }
    return has("key") ? of_key(words, i) : Secrecy::open;
}

constexpr std::uint32_t three_letters(char a, char b, char c) {
    const auto lower = [](char x) { return static_cast<unsigned char>(is_upper(x) ? x + 32 : x); };
    return (static_cast<std::uint32_t>(lower(a)) << 16U) |
           (static_cast<std::uint32_t>(lower(b)) << 8U) | lower(c);
}

/// Most names hold nothing that begins like one of the words above; this is how they are told fast.
bool may_hide(std::string_view name) {
    constexpr std::array kStarts{
        three_letters('p', 'a', 's'),
        three_letters('p', 'w', 'd'),
        three_letters('s', 'e', 'c'),
        three_letters('c', 'r', 'e'),
        three_letters('a', 'u', 't'),
        three_letters('c', 'o', 'o'),
        three_letters('p', 'e', 'p'),
        three_letters('b', 'e', 'a'),
        three_letters('a', 'p', 'i'),
        three_letters('p', 'r', 'i'),
        three_letters('k', 'e', 'y'),
        three_letters('t', 'o', 'k'),
        three_letters('s', 'i', 'g'),
    };
    for (std::size_t i = 0; i + 2 < name.size(); ++i) {
        const std::uint32_t here = three_letters(name[i], name[i + 1], name[i + 2]);
        bool starts = false;  // all of them: a few comparisons at once, and no branch
        for (const std::uint32_t start : kStarts) {
            starts |= here == start;
        }
        if (starts) {
            return true;
        }
    }
    return false;
}

}  // namespace

Secrecy secrecy_of(std::string_view name) {
    constexpr std::size_t kNameMax = 96;
    constexpr std::size_t kWordsMax = kNameMax / 2;
    // The end of a long name is what it is a name of.
    name = name.substr(name.size() - std::min(name.size(), kNameMax));
    if (!may_hide(name)) {
        return Secrecy::open;
    }
    std::array<char, kNameMax> lower{};
    std::array<std::string_view, kWordsMax> words;
    std::size_t count = 0;
    std::size_t begin = 0;
    const auto end_word = [&](std::size_t end) {
        if (end > begin && count < kWordsMax) {
            words[count++] = std::string_view(lower.data() + begin, end - begin);
        }
    };
    for (std::size_t i = 0; i < name.size(); ++i) {
        const char c = name[i];
        lower[i] = is_upper(c) ? static_cast<char>(c + 32) : c;
        const bool letter = is_upper(c) || is_lower(c) || is_digit(c);
        const bool humps =
            i > begin && is_upper(c) &&
            (!is_upper(name[i - 1]) || (i + 1 < name.size() && is_lower(name[i + 1])));
        if (!letter || humps) {
            end_word(i);
            begin = letter ? i : i + 1;
        }
    }
    end_word(name.size());
    const Words all(words.data(), count);
    Secrecy secrecy = is_signature(all) ? Secrecy::hidden : Secrecy::open;
    for (std::size_t i = 0; i < count; ++i) {
        secrecy = std::max(secrecy, of_word(all, i));
    }
    return secrecy;
}

}  // namespace lab
