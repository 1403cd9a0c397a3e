#pragma once
#include "base/result.h"
#include "platform/crypto/jwt.h"

#include <memory>
#include <string>
#include <string_view>

struct evp_pkey_st;

namespace lab::crypto {

/// One key of one algorithm (RFC 7518 section 3). Any thread; copies share the key.
class JwsKey {
  public:
    /// Errors: validation.
    static Result<JwsKey> from_secret(std::string secret);
    static Result<JwsKey> from_private_pem(JwtAlgorithm algorithm, const std::string& pem);
    static Result<JwsKey> from_public_pem(JwtAlgorithm algorithm, const std::string& pem);

    /// The raw bytes of the third part. Not for a key from a public PEM.
    std::string sign(std::string_view signing_input) const;
    bool verify(std::string_view signing_input, std::string_view signature) const;

  private:
    JwsKey(JwtAlgorithm algorithm, std::string secret, std::shared_ptr<evp_pkey_st> pair)
        : algorithm_(algorithm), secret_(std::move(secret)), pair_(std::move(pair)) {}
    static Result<JwsKey> from_pair(JwtAlgorithm algorithm, std::shared_ptr<evp_pkey_st> pair);

    JwtAlgorithm algorithm_;
    std::string secret_;
    std::shared_ptr<evp_pkey_st> pair_;
};

}  // namespace lab::crypto
