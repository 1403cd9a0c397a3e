#pragma once
#include "platform/crypto/base64url.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include <memory>
#include <string>

/// For tests alone: somebody else's RS256, by OpenSSL and nothing of ours.
namespace lab::test {

/// A fresh pair of 2048 bits. All texts are base64url.
class RsaKey {
  public:
    RsaKey() : key_(EVP_RSA_gen(2048), EVP_PKEY_free) {}
    std::string modulus() const { return number(OSSL_PKEY_PARAM_RSA_N); }
    std::string exponent() const { return number(OSSL_PKEY_PARAM_RSA_E); }
    /// RSASSA-PKCS1-v1_5 with SHA-256; empty when OpenSSL fails.
    std::string sign(const std::string& text) const {
        const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(
            EVP_MD_CTX_new(), EVP_MD_CTX_free
        );
        std::string out(256, '\0');
        std::size_t size = out.size();
        const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
        auto* to = reinterpret_cast<unsigned char*>(out.data());
        EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key_.get());
        const bool good = EVP_DigestSign(context.get(), to, &size, bytes, text.size()) == 1;
        return good ? base64url_encode(out) : "";
    }

  private:
    std::string number(const char* name) const {
        BIGNUM* value = nullptr;
        if (EVP_PKEY_get_bn_param(key_.get(), name, &value) != 1) {
            return "";
        }
        std::string bytes(static_cast<std::size_t>(BN_num_bytes(value)), '\0');
        BN_bn2bin(value, reinterpret_cast<unsigned char*>(bytes.data()));
        BN_free(value);
        return base64url_encode(bytes);
    }
    std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key_;
};

inline const RsaKey& the_rsa_key() {
    static const RsaKey kKey;
    return kKey;
}

}  // namespace lab::test
