#include "platform/crypto/sha384.h"

#include "base/error.h"

#include <openssl/evp.h>

namespace lab {

std::string sha384(std::string_view bytes) {
    std::string digest(48, '\0');
    unsigned int length = 0;
    LAB_ASSERT(
        EVP_Digest(
            bytes.data(),
            bytes.size(),
            reinterpret_cast<unsigned char*>(digest.data()),
            &length,
            EVP_sha384(),
            nullptr
        ) == 1 &&
            length == 48,
        "SHA-384 gives 48 bytes"
    );
    return digest;
}

}  // namespace lab
