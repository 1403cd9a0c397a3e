#pragma once
#include "base/result.h"

#include <memory>
#include <string>
#include <string_view>

namespace lab {

/// Cost of a password hash. Stored hashes carry their own; raising these makes `needs_rehash` true
/// for older ones.
struct PasswordCost {
    std::uint64_t passes = 2;
    std::uint64_t memory_bytes = 64ULL << 20;
};

/// Argon2id (RFC 9106) by libsodium, in PHC text form with its own salt. The default is libsodium's
/// "interactive": two passes over 64 MiB, more than what OWASP asks for (2 passes over 19 MiB).
///
/// hash() and verify() take some 100 ms and the memory of the cost: they belong on a pool with few
/// threads, never on an event loop. Any thread.
class PasswordHasher {
  public:
    static constexpr std::size_t kPasswordBytesMax = 1024;

    /// Makes the hash that unknown users are compared with, so it takes as long as one hash().
    /// Errors: validation when the cost is outside of what libsodium takes, or below 8 KiB or above
    /// 1 GiB; unavailable when there is no memory for it.
    static Result<PasswordHasher> create(PasswordCost cost = {});

    /// Errors: validation when the password is empty or longer than kPasswordBytesMax; unavailable
    /// when there is no memory.
    Result<std::string> hash(std::string_view password) const;

    /// Whether the password belongs to the stored hash. An empty `stored` stands for "no such
    /// user": the same work is done and the answer is no, so that the time says nothing. A stored
    /// text that is no Argon2id hash, or one of absurd cost, belongs to no password.
    bool verify(std::string_view stored, std::string_view password) const;

    /// Whether `stored` was made with another cost (or another algorithm) than new hashes are.
    /// After a successful verify() the caller hashes the password again and stores that.
    bool needs_rehash(std::string_view stored) const;

  private:
    PasswordHasher(PasswordCost cost, std::string nobody)
        : cost_(cost), nobody_(std::move(nobody)) {}
    PasswordCost cost_;
    std::string nobody_;  ///< a hash whose password nobody knows
};

}  // namespace lab
