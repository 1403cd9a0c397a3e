#pragma once
#include "platform/crypto/jwt.h"
#include "support/manual_clock.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <string>
#include <string_view>

namespace lab::test {

// Tokens put together by hand, with OpenSSL's base64 and HMAC and nothing of ours.

inline constexpr std::string_view kSecret = "0123456789abcdef0123456789ABCDEF";
inline constexpr std::string_view kOldSecret = "fedcba9876543210FEDCBA9876543210";
inline constexpr std::string_view kHeader = R"({"alg":"HS256","typ":"JWT"})";

inline std::string encode(std::string_view bytes) {
    std::string out(bytes.size() / 3 * 4 + 5, '\0');
    const int length = EVP_EncodeBlock(
        reinterpret_cast<unsigned char*>(out.data()),
        reinterpret_cast<const unsigned char*>(bytes.data()),
        static_cast<int>(bytes.size())
    );
    out.resize(static_cast<std::size_t>(length));
    while (out.ends_with('=')) {
        out.pop_back();
    }
    for (char& c : out) {
        c = c == '+' ? '-' : c == '/' ? '_' : c;
    }
    return out;
}

inline std::string hmac(std::string_view secret, std::string_view input) {
    unsigned char digest[32];
    unsigned int length = 0;
    HMAC(
        EVP_sha256(),
        secret.data(),
        static_cast<int>(secret.size()),
        reinterpret_cast<const unsigned char*>(input.data()),
        input.size(),
        digest,
        &length
    );
    return {reinterpret_cast<const char*>(digest), length};
}

/// The parts as given, signed with HS256.
inline std::string seal(
    std::string_view header, std::string_view payload, std::string_view secret = kSecret
) {
    const std::string input = std::string(header) + "." + std::string(payload);
    return input + "." + encode(hmac(secret, input));
}

inline std::string token(
    std::string_view header, std::string_view payload, std::string_view secret = kSecret
) {
    return seal(encode(header), encode(payload), secret);
}

/// Seconds since 1970 when the clock of the tests stands still.
inline constexpr std::int64_t kNow = 1'700'000'001;

/// A good payload in which `replaced` (a member's text, with quotes) has been exchanged.
inline std::string payload(std::string_view replaced = "", std::string_view by = "") {
    std::string text =
        R"({"iss":"llm-research-api","aud":"llm-research-users","sub":"u-1","user_id":"u-1",)"
        R"("email":"ada@example.org","roles":["Researcher","Viewer"],"token_type":"access",)"
        R"("jti":"t-1","family":"f-1","org_id":"o-1","iat":1700000000,"nbf":1700000000,)"
        R"("exp":1700003600})";
    if (!replaced.empty()) {
        const std::size_t at = text.find(replaced);
        LAB_ASSERT(at != std::string::npos, "the test names what is there");
        text.replace(at, replaced.size(), by);
    }
    return text;
}

inline JwtConfig config() {
    JwtConfig out;
    out.secret = kSecret;
    out.issuer = "llm-research-api";
    out.audience = "llm-research-users";
    return out;
}

inline Claims claims() {
    Claims out;
    out.subject = "u-1";
    out.email = "ada@example.org";
    out.roles = {"Researcher", "Viewer"};
    out.jti = "t-1";
    out.family = "f-1";
    out.org = "o-1";
    out.issued_at = WallTime(std::chrono::seconds(1'700'000'000));
    out.expires_at = WallTime(std::chrono::seconds(1'700'003'600));
    return out;
}

}  // namespace lab::test
