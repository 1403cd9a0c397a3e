#pragma once
#include "base/result.h"
#include "platform/json/json.h"

#include <nlohmann/json.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace lab::cli {

/// The keyring of the operating system; app injects it. Errors: unavailable, saying why.
class Keyring {
  public:
    virtual ~Keyring() = default;
    virtual Status store(const std::string& account, const std::string& secret) = 0;
    virtual Result<std::optional<std::string>> load(const std::string& account) = 0;
    virtual Status erase(const std::string& account) = 0;
};

/// What `auth login` keeps for one server and profile.
struct Credential {
    std::string server;   ///< the URL it is for, and is sent to alone
    std::string profile;  ///< empty = without one
    std::string api_key;  ///< or the tokens
    std::string email;
    std::string access_token;
    std::string refresh_token;
    std::int64_t expires_at = 0;  ///< of the access token, Unix seconds
    bool in_keyring = false;
};

/// Credentials in a file that only its owner may read (0600), or, for those that were asked to be
/// there, in the keyring, with a mark in the file. The file is replaced as a whole, under a lock,
/// so that two programs never use one refresh token twice.
class CredentialStore {
  public:
    /// `keyring` may be null: then it is unavailable.
    CredentialStore(std::string path, Keyring* keyring);

    /// Errors: validation (broken, or readable by others), io, unavailable (the keyring).
    Result<std::optional<Credential>> find(const std::string& server, const std::string& profile);
    Status save(const Credential& credential);
    Status remove(const std::string& server, const std::string& profile);
    /// All, those of the keyring without their secrets.
    Result<std::vector<Credential>> list();

    /// Held while a credential is renewed; released at its end. Errors: io.
    Result<std::shared_ptr<void>> lock();

  private:
    Result<Json> read() const;
    std::string path_;
    Keyring* keyring_;
};

}  // namespace lab::cli
