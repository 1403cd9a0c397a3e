#include "platform/crypto/password.h"

#include <sodium.h>

#include <array>
#include <charconv>
#include <optional>

namespace lab {
namespace {

constexpr std::uint64_t kPassesMax = 16;
constexpr std::uint64_t kMemoryBytesMax = 1ULL << 30;

void start_sodium() {
    // Safe to call again and from several threads; 1 means that it was initialized before.
    LAB_ASSERT(sodium_init() >= 0, "libsodium can be initialized");
}

Result<std::string> make_hash(PasswordCost cost, std::string_view password) {
    std::array<char, crypto_pwhash_argon2id_STRBYTES> out{};
    if (crypto_pwhash_argon2id_str(
            out.data(), password.data(), password.size(), cost.passes, cost.memory_bytes
        ) != 0) {
        return Error(Code::unavailable, "there is not enough memory to hash a password");
    }
    return std::string(out.data());
}

/// The cost a stored hash asks for: "$argon2id$v=19$m=65536,t=2,p=1$salt$hash".
std::optional<PasswordCost> cost_of(std::string_view stored) {
    constexpr std::string_view kStart = "$argon2id$v=19$m=";
    if (!stored.starts_with(kStart) || stored.size() >= crypto_pwhash_argon2id_STRBYTES) {
        return std::nullopt;
    }
    const char* const end = stored.data() + stored.size();
    std::uint64_t kibibytes = 0;
    std::uint64_t passes = 0;
    const auto memory = std::from_chars(stored.data() + kStart.size(), end, kibibytes);
    if (memory.ec != std::errc{} || !std::string_view(memory.ptr, end).starts_with(",t=")) {
        return std::nullopt;
    }
    const auto time = std::from_chars(memory.ptr + 3, end, passes);
    if (time.ec != std::errc{} || !std::string_view(time.ptr, end).starts_with(",p=1$") ||
        kibibytes > kMemoryBytesMax >> 10 || passes > kPassesMax) {
        return std::nullopt;
    }
    return PasswordCost{passes, kibibytes << 10};
}

bool fits(std::string_view stored, std::string_view password) {
    const std::string text(stored);  // libsodium wants the zero behind it
    return crypto_pwhash_argon2id_str_verify(text.c_str(), password.data(), password.size()) == 0;
}

}  // namespace

Result<PasswordHasher> PasswordHasher::create(PasswordCost cost) {
    start_sodium();
    if (cost.passes < crypto_pwhash_argon2id_OPSLIMIT_MIN || cost.passes > kPassesMax ||
        cost.memory_bytes < crypto_pwhash_argon2id_MEMLIMIT_MIN ||
        cost.memory_bytes > kMemoryBytesMax) {
        return Error(Code::validation, "a password hash takes 1 to 16 passes over 8 KiB to 1 GiB");
    }
    std::array<char, 32> secret{};
    randombytes_buf(secret.data(), secret.size());
    LAB_TRY(std::string nobody, make_hash(cost, {secret.data(), secret.size()}));
    return PasswordHasher(cost, std::move(nobody));
}

Result<std::string> PasswordHasher::hash(std::string_view password) const {
    if (password.empty() || password.size() > kPasswordBytesMax) {
        return Error(Code::validation, "a password has 1 to 1024 bytes");
    }
    return make_hash(cost_, password);
}

bool PasswordHasher::verify(std::string_view stored, std::string_view password) const {
    const bool possible =
        cost_of(stored) && !password.empty() && password.size() <= kPasswordBytesMax;
    if (!possible) {
        // The work is what counts; the answer is known.
        static_cast<void>(fits(nobody_, password.substr(0, kPasswordBytesMax)));
        return false;
    }
    return fits(stored, password);
}

bool PasswordHasher::needs_rehash(std::string_view stored) const {
    const std::optional<PasswordCost> cost = cost_of(stored);
    return !cost || cost->passes != cost_.passes || cost->memory_bytes != cost_.memory_bytes;
}

}  // namespace lab
