#include "storage/objects/s3_answers.h"

#include <gtest/gtest.h>

namespace lab::storage {
namespace {

http::Answer answer_of(int status, std::string body) {
    return {.end = {}, .status = status, .headers = {}, .body = std::move(body)};
}

std::string error_body(const std::string& code) {
    return "<?xml version=\"1.0\"?><Error><Code>" + code +
           "</Code><Message>AKIDSECRET was here</Message><Resource>/b/k</Resource></Error>";
}

TEST(S3Answers, AProblemIsNamedByS3sOwnWord) {
    struct Case {
        int status;
        const char* code;
        Code want;
        S3Problem problem;
    };
    for (const Case& one : {
             Case{404, "NoSuchKey", Code::not_found, S3Problem::final},
             Case{404, "NoSuchBucket", Code::upstream_error, S3Problem::final},
             Case{404, "InvalidAccessKeyId", Code::upstream_error, S3Problem::final},
             Case{404, "NoSuchUpload", Code::upstream_error, S3Problem::final},
             Case{403, "AccessDenied", Code::upstream_error, S3Problem::final},
             Case{403, "SignatureDoesNotMatch", Code::upstream_error, S3Problem::final},
             Case{403, "RequestTimeTooSkewed", Code::upstream_error, S3Problem::final},
             Case{400, "ExpiredToken", Code::unavailable, S3Problem::expired},
             Case{400, "XAmzContentSHA256Mismatch", Code::upstream_error, S3Problem::final},
             Case{400, "RequestTimeout", Code::unavailable, S3Problem::passing},
             Case{400, "EntityTooLarge", Code::payload_too_large, S3Problem::final},
             Case{301, "PermanentRedirect", Code::upstream_error, S3Problem::final},
             Case{409, "OperationAborted", Code::unavailable, S3Problem::passing},
             Case{412, "PreconditionFailed", Code::precondition_failed, S3Problem::final},
             Case{416, "InvalidRange", Code::bad_request, S3Problem::final},
             Case{429, "TooManyRequests", Code::unavailable, S3Problem::passing},
             Case{500, "InternalError", Code::unavailable, S3Problem::passing},
             Case{503, "SlowDown", Code::unavailable, S3Problem::passing},
         }) {
        const S3Failure got = read_s3_failure(answer_of(one.status, error_body(one.code)));
        EXPECT_EQ(got.error.code, one.want) << one.code;
        EXPECT_EQ(got.problem, one.problem) << one.code;
        const bool plain = one.want == Code::not_found;
        EXPECT_EQ(got.error.message.find(one.code) == std::string::npos, plain) << one.code;
        EXPECT_EQ(got.error.message.find("AKID"), std::string::npos);
    }
}

TEST(S3Answers, WhatIsNotXmlHasItsStatus) {
    for (const std::string& body :
         {std::string(),
          std::string("<html>gone"),
          error_body("<b>x</b>"),
          error_body("a b\n"),
          std::string(100, '<')}) {
        const S3Failure got = read_s3_failure(answer_of(403, body));
        EXPECT_EQ(got.error.message, "the object store refuses: status 403") << body;
    }
    EXPECT_EQ(
        read_s3_failure(answer_of(502, "bad gateway")).error.message,
        "the object store cannot serve now: status 502"
    );
}

TEST(S3Answers, ATransferThatFailedMaySucceedLater) {
    using http::TransferFailure;
    const auto of = [](TransferFailure failure) {
        http::Answer answer;
        answer.end = {failure, "words of curl", 0};
        return read_s3_failure(answer);
    };
    EXPECT_EQ(of(TransferFailure::connect).problem, S3Problem::silent);
    EXPECT_EQ(of(TransferFailure::timeout).problem, S3Problem::late);
    EXPECT_EQ(of(TransferFailure::closed).problem, S3Problem::silent);
    EXPECT_EQ(of(TransferFailure::too_large).problem, S3Problem::final);
    EXPECT_EQ(of(TransferFailure::connect).error.code, Code::unavailable);
    EXPECT_EQ(of(TransferFailure::connect).error.message, "the object store cannot be reached");
    EXPECT_EQ(of(TransferFailure::connect).error.cause, "s3: words of curl");
}

TEST(S3Answers, AListIsReadPageByPage) {
    const std::string one =
        "<Contents><Key>a&amp;b</Key><Size>7</Size><ETag>&quot;e&quot;</ETag>"
        "<LastModified>2026-01-02T03:04:05.000Z</LastModified></Contents>";
    const auto page = read_s3_page(
        "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">" + one +
        "<IsTruncated>true</IsTruncated><NextContinuationToken>t/1</NextContinuationToken>"
        "</ListBucketResult>"
    );
    ASSERT_TRUE(page) << page.error().message;
    ASSERT_EQ(page->objects.size(), 1U);
    EXPECT_EQ(page->objects[0].key, "a&b");
    EXPECT_EQ(page->objects[0].bytes, 7);
    EXPECT_EQ(page->objects[0].etag, "\"e\"");
    EXPECT_EQ(page->objects[0].modified, "2026-01-02T03:04:05.000Z");
    EXPECT_EQ(page->next, "t/1");
    const auto last = read_s3_page("<ListBucketResult></ListBucketResult>");
    ASSERT_TRUE(last);
    EXPECT_TRUE(last->objects.empty() && last->next.empty());
    for (const std::string& bad :
         {std::string("<ListAllMyBucketsResult/>"),
          std::string("<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>"),
          std::string("<ListBucketResult><Contents><Key>a</Key></Contents></ListBucketResult>"),
          std::string("<ListBucketResult><Contents><Key>a</Key><Size>-1</Size></Contents>"
                      "</ListBucketResult>"),
          std::string("<ListBucketResult><Contents><Size>1</Size></Contents></ListBucketResult>"),
          std::string("no list")}) {
        const auto read = read_s3_page(bad);
        ASSERT_FALSE(read) << bad;
        EXPECT_EQ(read.error().code, Code::upstream_error);
    }
}

TEST(S3Answers, AnUploadIsBegunAndCompleted) {
    const auto id = read_s3_upload(
        "<InitiateMultipartUploadResult><Bucket>b</Bucket><UploadId>u+/1</UploadId>"
        "</InitiateMultipartUploadResult>"
    );
    ASSERT_TRUE(id);
    EXPECT_EQ(*id, "u+/1");
    EXPECT_FALSE(read_s3_upload("<InitiateMultipartUploadResult/>"));
    EXPECT_FALSE(read_s3_upload("<Other><UploadId>u</UploadId></Other>"));
    EXPECT_EQ(
        write_s3_parts({{1, "\"a\""}, {2, "<b>"}}),
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>&quot;a&quot;</ETag></Part>"
        "<Part><PartNumber>2</PartNumber><ETag>&lt;b&gt;</ETag></Part></CompleteMultipartUpload>"
    );
}

TEST(S3Answers, ACompletionOf200MayBeAnErrorAllTheSame) {
    EXPECT_FALSE(read_s3_completion(
        answer_of(200, "  <?xml version=\"1.0\"?><CompleteMultipartUploadResult/>")
    ));
    EXPECT_FALSE(read_s3_completion(answer_of(200, "<CompleteMultipartUploadResult/>")));
    const auto error = read_s3_completion(answer_of(200, error_body("InternalError")));
    ASSERT_TRUE(error);
    EXPECT_EQ(error->problem, S3Problem::passing);
    const auto part = read_s3_completion(answer_of(200, error_body("InvalidPart")));
    ASSERT_TRUE(part);
    EXPECT_EQ(part->problem, S3Problem::final);
    EXPECT_EQ(part->error.message, "the object store refuses: InvalidPart");
    EXPECT_TRUE(read_s3_completion(answer_of(200, "")));
}

TEST(S3Answers, AHeadSaysHowLargeAnObjectIs) {
    const auto read = read_s3_head({{"Content-Length", "12"}, {"ETag", "\"x\""}});
    ASSERT_TRUE(read);
    EXPECT_EQ(read->bytes, 12);
    EXPECT_EQ(read->etag, "\"x\"");
    EXPECT_FALSE(read_s3_head({}));
    EXPECT_FALSE(read_s3_head({{"Content-Length", "12x"}}));
}

}  // namespace
}  // namespace lab::storage
