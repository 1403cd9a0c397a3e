#include "platform/crypto/mac.h"

#include "base/error.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <memory>

namespace lab {

namespace {

struct FreeMac {
    void operator()(EVP_MAC_CTX* context) const { EVP_MAC_CTX_free(context); }
};

std::unique_ptr<EVP_MAC_CTX, FreeMac> make_hmac_sha256() {
    const std::unique_ptr<EVP_MAC, decltype(&EVP_MAC_free)> hmac(
        EVP_MAC_fetch(nullptr, "HMAC", nullptr), &EVP_MAC_free
    );
    std::unique_ptr<EVP_MAC_CTX, FreeMac> out(EVP_MAC_CTX_new(hmac.get()));
    char digest[] = "SHA2-256";
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string("digest", digest, 0), OSSL_PARAM_construct_end()
    };
    LAB_ASSERT(
        out && EVP_MAC_CTX_set_params(out.get(), parameters) == 1, "HMAC-SHA-256 is available"
    );
    return out;
}

}  // namespace

std::string hmac_sha256(std::string_view key, std::string_view data) {
    LAB_ASSERT(key.size() <= 1U << 20, "an HMAC key is short");
    // Looking the algorithm up costs several times what a short text does: once a thread.
    thread_local const auto context = make_hmac_sha256();
    // A null pointer would mean "the key of the call before", so an empty key points somewhere.
    const char* const begin = key.empty() ? "" : key.data();
    std::string digest(32, '\0');
    std::size_t length = 0;
    const bool made =
        EVP_MAC_init(
            context.get(), reinterpret_cast<const unsigned char*>(begin), key.size(), nullptr
        ) == 1 &&
        EVP_MAC_update(
            context.get(), reinterpret_cast<const unsigned char*>(data.data()), data.size()
        ) == 1 &&
        EVP_MAC_final(
            context.get(), reinterpret_cast<unsigned char*>(digest.data()), &length, digest.size()
        ) == 1;
    LAB_ASSERT(made && length == digest.size(), "HMAC-SHA-256 gives 32 bytes");
    return digest;
}

bool constant_time_equal(std::string_view a, std::string_view b) {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace lab
