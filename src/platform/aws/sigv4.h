#pragma once
#include "base/clock.h"
#include "platform/http/client.h"

#include <string>
#include <string_view>

/// Signature version 4, by Amazon's "AWS Signature Version 4 for API requests"; equal to botocore
/// 1.43 (tests/vectors/sigv4.json).
namespace lab::aws {

/// Never printed.
struct Credentials {
    std::string access_key_id;
    std::string secret_access_key;
    std::string session_token = {};  ///< of temporary ones, else empty
};

/// What a signature is good for.
struct SigningScope {
    std::string region;   ///< "us-east-1"
    std::string service;  ///< "s3", "bedrock"
};

/// In place of the hash of a body that is not part of the signature.
inline constexpr std::string_view kUnsignedPayload = "UNSIGNED-PAYLOAD";

/// Adds X-Amz-Date, with temporary credentials X-Amz-Security-Token, for S3 X-Amz-Content-Sha256,
/// and Authorization; those that are there already are replaced. All headers are signed but those
/// that are of a connection (RFC 9110, section 7.6.1), User-Agent and Authorization.
/// `request.url`: absolute, path and query as they are sent. `payload_hash`: SHA-256 of the body in
/// lower-case hexadecimal, or one of the constants that services define.
void sign(
    http::Request& request,
    const SigningScope& scope,
    const Credentials& credentials,
    WallTime now,
    std::string_view payload_hash
);

/// What an address allows.
struct Presigned {
    std::string method = "GET";
    std::string url;             ///< absolute, path and query as they are sent
    http::Headers headers = {};  ///< whoever uses the address has to send these
    std::chrono::seconds life{3600};
    std::string payload_hash = std::string(kUnsignedPayload);
};
/// The address with the signature in its query.
std::string presign(
    const Presigned& wanted, const SigningScope& scope, const Credentials& credentials, WallTime now
);

}  // namespace lab::aws
