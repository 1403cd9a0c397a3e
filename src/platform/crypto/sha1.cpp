#include "platform/crypto/sha1.h"

#include "base/error.h"
#include "base/text.h"

#include <openssl/evp.h>

namespace lab {

std::string sha1_hex(std::string_view bytes) {
    std::string digest(20, '\0');
    unsigned int length = 0;
    LAB_ASSERT(
        EVP_Digest(
            bytes.data(),
            bytes.size(),
            reinterpret_cast<unsigned char*>(digest.data()),
            &length,
            EVP_sha1(),
            nullptr
        ) == 1 &&
            length == digest.size(),
        "SHA-1 gives 20 bytes"
    );
    return to_hex(digest);
}

}  // namespace lab
