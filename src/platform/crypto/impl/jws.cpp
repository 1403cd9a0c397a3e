#include "platform/crypto/impl/jws.h"

#include "platform/crypto/mac.h"

#include <openssl/bn.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <array>

namespace lab::crypto {
namespace {

constexpr std::size_t kSecretBytesMin = 32;
constexpr std::size_t kPemBytesMax = 64U << 10;
constexpr int kRsaBitsMin = 2048;
constexpr int kRsaBitsMax = 8192;  // larger ones take milliseconds a verification
constexpr int kP256Bytes = 32;

template <auto Free>
struct Freer {
    void operator()(auto* thing) const { Free(thing); }
};
using Bio = std::unique_ptr<BIO, Freer<BIO_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, Freer<EVP_MD_CTX_free>>;
using Signature = std::unique_ptr<ECDSA_SIG, Freer<ECDSA_SIG_free>>;
using Pair = std::shared_ptr<EVP_PKEY>;

const unsigned char* bytes_of(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}

/// OpenSSL would ask a person at the terminal for the password of an encrypted key.
int no_password(char*, int, int, void*) { return 0; }

template <class Read>
Pair read_pem(const std::string& pem, Read read) {
    if (pem.size() > kPemBytesMax) {
        return nullptr;
    }
    const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    LAB_ASSERT(bio != nullptr, "there is memory for a key");
    Pair pair(read(bio.get(), nullptr, no_password, nullptr), EVP_PKEY_free);
    ERR_clear_error();
    return pair;
}

/// JWS has r and s side by side in 32 bytes each (RFC 7518 section 3.4); OpenSSL has DER.
std::string der_to_raw(std::string_view der) {
    const unsigned char* at = bytes_of(der);
    const Signature signature(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size())));
    LAB_ASSERT(signature != nullptr, "OpenSSL reads its own signatures");
    std::array<unsigned char, 2 * kP256Bytes> raw{};
    const bool fits =
        BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), raw.data(), kP256Bytes) == kP256Bytes &&
        BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), raw.data() + kP256Bytes, kP256Bytes) ==
            kP256Bytes;
    LAB_ASSERT(fits, "numbers of P-256 have 32 bytes");
    return {reinterpret_cast<const char*>(raw.data()), raw.size()};
}

/// Empty when `raw` has not 64 bytes.
std::string raw_to_der(std::string_view raw) {
    if (raw.size() != 2 * kP256Bytes) {
        return "";
    }
    const Signature signature(ECDSA_SIG_new());
    BIGNUM* r = BN_bin2bn(bytes_of(raw), kP256Bytes, nullptr);
    BIGNUM* s = BN_bin2bn(bytes_of(raw) + kP256Bytes, kP256Bytes, nullptr);
    LAB_ASSERT(
        signature != nullptr && ECDSA_SIG_set0(signature.get(), r, s) == 1,
        "there is memory for a signature"
    );
    std::string der(static_cast<std::size_t>(i2d_ECDSA_SIG(signature.get(), nullptr)), '\0');
    auto* at = reinterpret_cast<unsigned char*>(der.data());
    i2d_ECDSA_SIG(signature.get(), &at);
    return der;
}

}  // namespace

Result<JwsKey> JwsKey::from_secret(std::string secret) {
    if (secret.size() < kSecretBytesMin) {
        return Error(Code::validation, "a signing secret has at least 32 bytes");
    }
    // A public key as a secret is how an RS256 deployment gets forged HS256 tokens.
    if (secret.starts_with("-----BEGIN")) {
        return Error(Code::validation, "a signing secret is not a PEM file");
    }
    return JwsKey(JwtAlgorithm::hs256, std::move(secret), nullptr);
}

Result<JwsKey> JwsKey::from_private_pem(JwtAlgorithm algorithm, const std::string& pem) {
    Pair pair = read_pem(pem, PEM_read_bio_PrivateKey);
    if (pair == nullptr) {
        return Error(Code::validation, "not a PEM private key without a password");
    }
    return from_pair(algorithm, std::move(pair));
}

Result<JwsKey> JwsKey::from_public_pem(JwtAlgorithm algorithm, const std::string& pem) {
    Pair pair = read_pem(pem, PEM_read_bio_PUBKEY);
    if (pair == nullptr) {
        return Error(Code::validation, "not a PEM public key");
    }
    return from_pair(algorithm, std::move(pair));
}

Result<JwsKey> JwsKey::from_pair(JwtAlgorithm algorithm, Pair pair) {
    if (algorithm == JwtAlgorithm::rs256) {
        const int bits = EVP_PKEY_get_bits(pair.get());
        if (EVP_PKEY_get_base_id(pair.get()) != EVP_PKEY_RSA || bits < kRsaBitsMin ||
            bits > kRsaBitsMax) {
            return Error(Code::validation, "RS256 needs an RSA key of 2048 to 8192 bits");
        }
    } else {
        char curve[32] = {};
        std::size_t length = 0;
        const bool is_ec = EVP_PKEY_get_base_id(pair.get()) == EVP_PKEY_EC &&
                           EVP_PKEY_get_group_name(pair.get(), curve, sizeof curve, &length) == 1;
        if (!is_ec || std::string_view(curve, length) != "prime256v1") {
            return Error(Code::validation, "ES256 needs a key of the curve P-256");
        }
    }
    return JwsKey(algorithm, "", std::move(pair));
}

std::string JwsKey::sign(std::string_view signing_input) const {
    if (algorithm_ == JwtAlgorithm::hs256) {
        return hmac_sha256(secret_, signing_input);
    }
    const DigestContext context(EVP_MD_CTX_new());
    std::size_t length = 0;
    LAB_ASSERT(
        EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, pair_.get()) == 1 &&
            EVP_DigestSign(
                context.get(), nullptr, &length, bytes_of(signing_input), signing_input.size()
            ) == 1,
        "a private key signs"
    );
    std::string signature(length, '\0');
    LAB_ASSERT(
        EVP_DigestSign(
            context.get(),
            reinterpret_cast<unsigned char*>(signature.data()),
            &length,
            bytes_of(signing_input),
            signing_input.size()
        ) == 1,
        "a private key signs"
    );
    signature.resize(length);
    return algorithm_ == JwtAlgorithm::es256 ? der_to_raw(signature) : signature;
}

bool JwsKey::verify(std::string_view signing_input, std::string_view signature) const {
    if (algorithm_ == JwtAlgorithm::hs256) {
        return constant_time_equal(hmac_sha256(secret_, signing_input), signature);
    }
    std::string der;
    if (algorithm_ == JwtAlgorithm::es256) {
        der = raw_to_der(signature);
        if (der.empty()) {
            return false;
        }
        signature = der;
    }
    const DigestContext context(EVP_MD_CTX_new());
    const bool good =
        EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, pair_.get()) == 1 &&
        EVP_DigestVerify(
            context.get(),
            bytes_of(signature),
            signature.size(),
            bytes_of(signing_input),
            signing_input.size()
        ) == 1;
    ERR_clear_error();
    return good;
}

}  // namespace lab::crypto
