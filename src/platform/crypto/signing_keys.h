#pragma once
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace lab {

/// Keys for what is given out and comes back: cursors, addresses, logins under way. They are made
/// of a secret that all replicas share, so each takes what another gave out, also when the secret
/// is replaced while they run: the one before still counts. Thread-safe.
class SigningKeys {
  public:
    using Keys = std::vector<std::string>;

    /// `previous` may be empty.
    explicit SigningKeys(std::string_view secret, std::string_view previous = {});
    /// Other secrets, from now on.
    void use(std::string_view secret, std::string_view previous);

    /// HMAC-SHA-256 with the newest key: 32 bytes.
    std::string sign(std::string_view text) const;
    /// Whether `mac` is the beginning, of at least 16 bytes, of what one of the keys makes of the
    /// text.
    bool accept(std::string_view text, std::string_view mac) const;
    /// The newest first, for what more than one value hangs on.
    std::shared_ptr<const Keys> keys() const;

  private:
    mutable std::mutex mutex_;
    std::shared_ptr<const Keys> keys_;
};

}  // namespace lab
