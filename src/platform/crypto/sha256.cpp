#include "platform/crypto/sha256.h"

#include "base/error.h"
#include "base/text.h"

#include <openssl/evp.h>

namespace lab {
namespace {

/// Looked up once: doing it each time costs more than the hash of a short text.
const EVP_MD* algorithm() {
    static EVP_MD* const found = EVP_MD_fetch(nullptr, "SHA2-256", nullptr);
    return found;
}

}  // namespace

struct Sha256::Impl {
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    Impl() { start(); }
    ~Impl() { EVP_MD_CTX_free(context); }
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;
    void start() const {
        LAB_ASSERT(EVP_DigestInit_ex(context, algorithm(), nullptr) == 1, "SHA-256 is available");
    }
};

Sha256::Sha256() : impl_(std::make_unique<Impl>()) {}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(std::string_view bytes) {
    LAB_ASSERT(
        EVP_DigestUpdate(impl_->context, bytes.data(), bytes.size()) == 1, "SHA-256 takes bytes"
    );
}

std::string Sha256::finish() {
    std::string digest(32, '\0');
    unsigned int length = 0;
    LAB_ASSERT(
        EVP_DigestFinal_ex(
            impl_->context, reinterpret_cast<unsigned char*>(digest.data()), &length
        ) == 1 &&
            length == 32,
        "SHA-256 gives 32 bytes"
    );
    impl_->start();
    return digest;
}

std::string sha256(std::string_view bytes) {
    Sha256 hash;
    hash.update(bytes);
    return hash.finish();
}

std::string sha256_hex(std::string_view bytes) { return to_hex(sha256(bytes)); }

}  // namespace lab
