#pragma once
#include <memory>
#include <string>
#include <string_view>

namespace lab {

/// Incremental SHA-256 (FIPS 180-4, by OpenSSL). Not shared between threads.
class Sha256 {
  public:
    Sha256();
    ~Sha256();
    Sha256(Sha256&&) noexcept;
    Sha256& operator=(Sha256&&) noexcept;
    void update(std::string_view bytes);
    /// 32 raw bytes; the object starts over.
    std::string finish();

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

/// 32 raw bytes.
std::string sha256(std::string_view bytes);
/// 64 lower-case hexadecimal digits.
std::string sha256_hex(std::string_view bytes);

}  // namespace lab
