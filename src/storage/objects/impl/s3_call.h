#pragma once
#include "platform/crypto/sha256.h"
#include "storage/objects/s3_client.h"

/// What s3_client.cpp and s3_upload.cpp share.
namespace lab::storage {

/// The SHA-256 of nothing, which a request without a body is signed with.
inline const std::string& empty_hash() {
    static const std::string hash = sha256_hex("");
    return hash;
}

/// One call, however often it is tried.
struct S3Client::Call {
    std::string method;
    std::string key = {};  ///< empty = the bucket
    S3Query query = {};
    http::Headers headers = {};
    std::string body = {};
    std::shared_ptr<http::BodySource> source = {};  ///< instead of `body`
    std::string payload_hash = empty_hash();
    /// Says what this attempt asks for.
    std::function<void(http::Headers& headers)> prepare = {};
    http::BlockingClient::Sink sink = {};
    /// Looks at an answer of 200 that may still be none.
    std::function<std::optional<S3Failure>(const http::Answer& answer)> check = {};

    Duration patience{0};  ///< beyond what any call takes

    int late = 0;                    ///< attempts that ran out of time
    std::int64_t progress = 0;       ///< an attempt that got on counts as the first
    std::optional<Error> stop = {};  ///< ends it without another attempt
};

inline http::Headers headers_of(const S3PutOptions& options) {
    http::Headers out = {{"Content-Type", options.content_type}};
    if (options.only_if_absent) {
        out.emplace_back("If-None-Match", "*");
    }
    return out;
}

}  // namespace lab::storage
