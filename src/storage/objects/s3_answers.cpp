#include "storage/objects/s3_answers.h"

#include "base/text.h"
#include "platform/aws/xml.h"

#include <algorithm>
#include <charconv>

namespace lab::storage {
namespace {

constexpr std::string_view kStore = "the object store";

Error nonsense(std::string_view what) {
    return {Code::upstream_error, std::string(kStore) + " answers without " + std::string(what)};
}

/// S3's own word for a problem, such as NoSuchKey; empty when it has none that can be shown.
std::string code_of(const aws::XmlElement& root) {
    const std::string code(root.name == "Error" ? root.text_of("Code") : "");
    const bool is_word = std::ranges::all_of(code, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '.' || c == '_';
    });
    return is_word && code.size() <= 64 ? code : "";
}

std::string code_of(const http::Answer& answer) {
    const auto read = aws::parse_xml(answer.body);
    return read ? code_of(*read) : "";
}

S3Failure failed(S3Problem problem, Code code, std::string words) {
    return {problem, Error(code, std::string(kStore) + " " + std::move(words))};
}

S3Failure of_transfer(const http::TransferEnd& end) {
    using http::TransferFailure;
    S3Failure out = [&] {
        switch (end.failure) {
            case TransferFailure::connect:
                return failed(S3Problem::silent, Code::unavailable, "cannot be reached");
            case TransferFailure::timeout:
                return failed(S3Problem::late, Code::unavailable, "did not answer in time");
            case TransferFailure::too_large:
                return failed(S3Problem::final, Code::upstream_error, "answers with too much");
            case TransferFailure::refused:
                return failed(S3Problem::final, Code::unavailable, "may not be called");
            default:
                return failed(
                    end.status == 0 ? S3Problem::silent : S3Problem::passing,
                    Code::unavailable,
                    "broke off its answer"
                );
        }
    }();
    out.error.cause = "s3: " + end.message;
    return out;
}

bool is_expired(std::string_view code) {
    return code == "ExpiredToken" || code == "ExpiredTokenException" ||
           code == "TokenRefreshRequired";
}

bool is_passing(int status, std::string_view code) {
    return status >= 500 || status == 429 || code == "SlowDown" || code == "RequestTimeout" ||
           code == "OperationAborted" || code == "ConditionalRequestConflict";
}

/// What to mend, for the mistakes that operators make.
std::string hint_of(std::string_view code) {
    if (code == "NoSuchBucket") {
        return ": S3_BUCKET names a bucket that is not there";
    }
    if (code == "InvalidAccessKeyId" || code == "SignatureDoesNotMatch") {
        return ": its credentials are not right";
    }
    if (code == "AccessDenied") {
        return ": its role needs s3:GetObject, PutObject, DeleteObject, ListBucket and "
               "AbortMultipartUpload";
    }
    if (code == "AuthorizationHeaderMalformed" || code == "PermanentRedirect" ||
        code == "IllegalLocationConstraintException") {
        return ": S3_REGION is not the region of the bucket";
    }
    return code == "RequestTimeTooSkewed" ? ": the clock of this machine is wrong" : "";
}

std::int64_t number_of(std::string_view text) {
    std::int64_t out = -1;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), out);
    return problem == std::errc() && end == text.data() + text.size() && out >= 0 ? out : -1;
}

S3Failure of_status(int status, const std::string& code) {
    const std::string word = code.empty() ? "status " + std::to_string(status) : code;
    if (is_expired(code)) {
        return failed(S3Problem::expired, Code::unavailable, "refuses: " + word);
    }
    if (is_passing(status, code)) {
        return failed(S3Problem::passing, Code::unavailable, "cannot serve now: " + word);
    }
    // The answer to a HEAD has no body, and so no code.
    if (status == 404 && (code.empty() || code == "NoSuchKey" || code == "NoSuchVersion")) {
        return failed(S3Problem::final, Code::not_found, "has no such object");
    }
    if (status == 412) {
        return failed(
            S3Problem::final, Code::precondition_failed, "has another object there: " + word
        );
    }
    if (status == 416) {
        return failed(S3Problem::final, Code::bad_request, "has no such bytes: " + word);
    }
    if (status == 413 || code == "EntityTooLarge") {
        return failed(
            S3Problem::final, Code::payload_too_large, "takes no object so large: " + word
        );
    }
    return failed(S3Problem::final, Code::upstream_error, "refuses: " + word + hint_of(code));
}

}  // namespace

S3Failure read_s3_failure(const http::Answer& answer) {
    if (answer.end.failure != http::TransferFailure::none) {
        return of_transfer(answer.end);
    }
    return of_status(answer.status, code_of(answer));
}

Result<S3Page> read_s3_page(std::string_view body) {
    LAB_TRY(const aws::XmlElement root, aws::parse_xml(body));
    if (root.name != "ListBucketResult") {
        return nonsense("the list it was asked for");
    }
    S3Page out;
    for (const aws::XmlElement& child : root.children) {
        if (child.name != "Contents") {
            continue;
        }
        S3Listed& one = out.objects.emplace_back();
        one.key = child.text_of("Key");
        one.bytes = number_of(child.text_of("Size"));
        one.etag = child.text_of("ETag");
        one.modified = child.text_of("LastModified");
        if (one.key.empty() || one.bytes < 0) {
            return nonsense("keys and sizes in its list");
        }
    }
    if (root.text_of("IsTruncated") == "true") {
        out.next = root.text_of("NextContinuationToken");
        if (out.next.empty()) {
            return nonsense("a way to the rest of its list");
        }
    }
    return out;
}

Result<std::string> read_s3_upload(std::string_view body) {
    LAB_TRY(const aws::XmlElement root, aws::parse_xml(body));
    std::string id(root.text_of("UploadId"));
    if (root.name != "InitiateMultipartUploadResult" || id.empty() || id.size() > 1024) {
        return nonsense("the id of an upload");
    }
    return id;
}

std::optional<S3Failure> read_s3_completion(const http::Answer& answer) {
    // Spaces keep the connection alive while a server puts the parts together.
    const auto read = aws::parse_xml(trim_ascii(answer.body));
    if (read && read->name == "CompleteMultipartUploadResult") {
        return std::nullopt;
    }
    if (read && read->name == "Error") {
        const std::string code = code_of(*read);
        // Which status it would have had, the code says: InternalError is the usual one.
        return of_status(code == "InternalError" || code.empty() ? 500 : 400, code);
    }
    return S3Failure{S3Problem::passing, nonsense("saying that the upload is complete")};
}

std::string write_s3_parts(const std::vector<S3Part>& parts) {
    std::string out = "<CompleteMultipartUpload>";
    for (const S3Part& part : parts) {
        out += "<Part><PartNumber>" + std::to_string(part.number) + "</PartNumber><ETag>" +
               aws::xml_escape(part.etag) + "</ETag></Part>";
    }
    return out + "</CompleteMultipartUpload>";
}

Result<S3Object> read_s3_head(const http::Headers& headers) {
    S3Object out;
    out.bytes = number_of(http::find_header(headers, "content-length"));
    out.etag = http::find_header(headers, "etag");
    out.content_type = http::find_header(headers, "content-type");
    if (out.bytes < 0) {
        return nonsense("the length of an object");
    }
    return out;
}

}  // namespace lab::storage
