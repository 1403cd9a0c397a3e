#include "platform/config/impl/weak_secret.h"

#include "base/text.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

namespace lab::config {
namespace {

// Of these, secrets that people type are made. Longer words stand before their parts.
constexpr std::array<std::string_view, 49> kWords{
    "llmresearchlab", "llmresearch", "changethis",  "changeme",    "replacethis",
    "replaceme",      "development", "production",  "placeholder", "passphrase",
    "password",       "passwd",      "supersecret", "topsecret",   "yoursecret",
    "mysecret",       "secret",      "insecure",    "default",     "example",
    "sample",         "testing",     "staging",     "test",        "token",
    "signing",        "private",     "string",      "minimum",     "least",
    "please",         "random",      "value",       "secure",      "super",
    "admin",          "local",       "dummy",       "fixme",       "jwt",
    "hmac",           "hs256",       "256bits",     "256bit",      "bits",
    "bytes",          "long",        "your",        "key"
};
constexpr std::array<std::string_view, 12> kSequences{
    "abcdefghijklmnopqrstuvwxyz",
    "0123456789",
    "1234567890",
    "9876543210",
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "abcdef",
    "fedcba",
    "deadbeef",
    "cafebabe",
    "qwerty"
};

std::string letters_of(std::string_view text) {
    std::string out;
    for (const char c : to_lower(text)) {
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
            static_cast<unsigned char>(c) >= 0x80) {
            out += c;
        }
    }
    return out;
}

void remove_all(std::string& text, std::string_view word) {
    for (std::size_t at = text.find(word); at != text.npos; at = text.find(word, at)) {
        text.erase(at, word.size());
    }
}

/// The shortest text of which `text` is a repetition, the last one perhaps cut.
std::size_t period_of(std::string_view text) {
    // The border array of Knuth, Morris and Pratt.
    std::vector<std::size_t> border(text.size() + 1, 0);
    std::size_t k = 0;
    for (std::size_t i = 1; i < text.size(); ++i) {
        while (k > 0 && text[i] != text[k]) {
            k = border[k];
        }
        k += text[i] == text[k] ? 1 : 0;
        border[i + 1] = k;
    }
    return text.size() - border[text.size()];
}

/// Bits if each byte were drawn as often as it occurs (Shannon 1948).
double entropy_bits(std::string_view text) {
    std::array<double, 256> counts{};
    for (const char c : text) {
        counts[static_cast<unsigned char>(c)] += 1;
    }
    double bits = 0;
    const auto n = static_cast<double>(text.size());
    for (const double count : counts) {
        bits -= count > 0 ? count * std::log2(count / n) : 0;
    }
    return bits;
}

}  // namespace

std::string weakness_of(std::string_view secret, std::size_t bytes_min) {
    if (secret.size() < bytes_min) {
        return "is too short: at least " + std::to_string(bytes_min) + " bytes are needed";
    }
    secret = secret.substr(0, 1024);  // more is not needed to tell
    const double needed_bits = 2.5 * static_cast<double>(bytes_min);
    if (period_of(secret) * 2 <= secret.size() || entropy_bits(secret) < needed_bits) {
        return "is too regular: few characters, or the same again and again";
    }
    std::string rest = letters_of(secret);
    for (const std::string_view sequence : kSequences) {
        remove_all(rest, sequence);
    }
    for (const std::string_view word : kWords) {
        remove_all(rest, word);
    }
    if (rest.size() * 2 < bytes_min) {
        return "is made of well-known words or sequences";
    }
    return "";
}

}  // namespace lab::config
