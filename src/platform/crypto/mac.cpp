#include "platform/crypto/mac.h"

#include "base/error.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

namespace lab {

std::string hmac_sha256(std::string_view key, std::string_view data) {
    LAB_ASSERT(key.size() <= 1U << 20, "an HMAC key is short");
    std::string digest(32, '\0');
    unsigned int length = 0;
    // A null pointer would mean "the key of the call before", so an empty key points somewhere.
    const unsigned char* made = HMAC(
        EVP_sha256(),
        key.empty() ? "" : key.data(),
        static_cast<int>(key.size()),
        reinterpret_cast<const unsigned char*>(data.data()),
        data.size(),
        reinterpret_cast<unsigned char*>(digest.data()),
        &length
    );
    LAB_ASSERT(made != nullptr && length == digest.size(), "HMAC-SHA-256 gives 32 bytes");
    return digest;
}

bool constant_time_equal(std::string_view a, std::string_view b) {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace lab
