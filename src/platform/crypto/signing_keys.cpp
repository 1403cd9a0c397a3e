#include "platform/crypto/signing_keys.h"

#include "platform/crypto/mac.h"

#include <algorithm>
#include <utility>

namespace lab {
namespace {

constexpr std::size_t kMacBytesMin = 16;
/// Nothing that the secret itself signs serves as something of ours, nor the other way round.
constexpr std::string_view kPurpose = "llm-research cursors and addresses";

std::shared_ptr<const SigningKeys::Keys> make_keys(
    std::string_view secret, std::string_view previous
) {
    auto out = std::make_shared<SigningKeys::Keys>();
    out->push_back(hmac_sha256(secret, kPurpose));
    if (!previous.empty() && previous != secret) {
        out->push_back(hmac_sha256(previous, kPurpose));
    }
    return out;
}

}  // namespace

SigningKeys::SigningKeys(std::string_view secret, std::string_view previous)
    : keys_(make_keys(secret, previous)) {}

void SigningKeys::use(std::string_view secret, std::string_view previous) {
    auto made = make_keys(secret, previous);
    const std::scoped_lock lock(mutex_);
    keys_ = std::move(made);
}

std::shared_ptr<const SigningKeys::Keys> SigningKeys::keys() const {
    const std::scoped_lock lock(mutex_);
    return keys_;
}

std::string SigningKeys::sign(std::string_view text) const {
    return hmac_sha256(keys()->front(), text);
}

bool SigningKeys::accept(std::string_view text, std::string_view mac) const {
    const auto all = keys();
    return mac.size() >= kMacBytesMin && std::ranges::any_of(*all, [&](const std::string& key) {
               const std::string expected = hmac_sha256(key, text);
               return constant_time_equal(std::string_view(expected).substr(0, mac.size()), mac);
           });
}

}  // namespace lab
