#pragma once
#include "base/result.h"
#include "platform/http/blocking.h"

#include <cstdint>
#include <optional>

/// What servers that speak S3 answer: pure readers.
namespace lab::storage {

/// What a problem means for the call.
enum class S3Problem : std::uint8_t {
    final,    ///< the same call would end the same way
    passing,  ///< worth another try in a moment
    silent,   ///< the same, and the server did not answer at all
    late,     ///< the same, and it took its time not to answer
    expired,  ///< with newer credentials
};

/// Why a call has no good answer. `error`: of the code that fits, with S3's own code in words and
/// never a header, an address or a secret; not_found, precondition_failed, payload_too_large and
/// bad_request are about the object, upstream_error (S3 refuses or answers nonsense) and
/// unavailable (it does not answer, or not now) about the store.
struct S3Failure {
    S3Problem problem = S3Problem::final;
    Error error;
};
/// `answer`: of any status that is no success, or of a transfer that failed.
S3Failure read_s3_failure(const http::Answer& answer);

struct S3Listed {
    std::string key;
    std::int64_t bytes = 0;
    std::string etag;
    std::string modified;  ///< RFC 3339
};
/// A page of a list.
struct S3Page {
    std::vector<S3Listed> objects;
    std::string next;  ///< continues the list; empty = this was the last page
};
/// Of ListObjectsV2. Errors: upstream_error.
Result<S3Page> read_s3_page(std::string_view body);

/// The id of CreateMultipartUpload. Errors: upstream_error.
Result<std::string> read_s3_upload(std::string_view body);

/// CompleteMultipartUpload may say 200 and bring an error all the same: that error, else nothing.
std::optional<S3Failure> read_s3_completion(const http::Answer& answer);

struct S3Part {
    int number = 0;
    std::string etag;
};
/// The body of CompleteMultipartUpload.
std::string write_s3_parts(const std::vector<S3Part>& parts);

struct S3Object {
    std::int64_t bytes = 0;
    std::string etag;
    std::string content_type;
};
/// Of a head. Errors: upstream_error when it says no length.
Result<S3Object> read_s3_head(const http::Headers& headers);

}  // namespace lab::storage
