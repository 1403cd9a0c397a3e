#include "platform/aws/secrets_manager.h"

#include "support/fake_llm_server.h"

#include <gtest/gtest.h>

namespace lab::aws {
namespace {

using namespace std::chrono_literals;
using test::FakeLlmServer;
using test::respond;
using test::Script;
using test::ServerHeaders;
using test::ServerRequest;

constexpr const char* kId = "prod/jwt";
constexpr const char* kGood =
    R"({"ARN":"arn:aws:secretsmanager:eu-west-1:1:secret:prod/jwt-AbCdEf","Name":"prod/jwt",)"
    R"("VersionId":"v1","SecretString":"s3cret-of-the-test","VersionStages":["AWSCURRENT"],)"
    R"("CreatedDate":1.795779898E9})";

struct SecretsManagerTest : testing::Test {
    SecretsManager& make(const std::string& endpoint) {
        SecretsManagerOptions options;
        options.region = "eu-west-1";
        options.endpoint = endpoint;
        options.connect_timeout = 2s;
        options.call_timeout = call_timeout;
        options.backoff_first = 1ms;
        options.backoff_max = 2ms;
        manager = std::make_unique<SecretsManager>(options, clock, http, chain, 7);
        return *manager;
    }
    /// What a server that always answers so makes of it: "CODE: words (times asked)".
    std::string failure(Script answer) {
        FakeLlmServer server([&](const ServerRequest&) { return answer; });
        const auto got = make(server.url()).get(ctx, kId, "AWSCURRENT");
        EXPECT_FALSE(got);
        if (got) {
            return "";
        }
        EXPECT_EQ(got.error().message.find("s3cret"), std::string::npos);
        return std::string(info(got.error().code).wire_name) + ": " + got.error().message + " (" +
               std::to_string(server.request_count()) + ")";
    }
    std::string refused(int status, const std::string& type) {
        return failure(respond(status, R"({"__type":")" + type + R"(","Message":"s3cret"})"));
    }

    SystemClock clock;
    Ctx ctx = Ctx(clock).within(30s);
    Duration call_timeout = 5s;
    http::BlockingClient http{clock, {}};
    CredentialChain chain{clock, http, {.given = {"AKID", "secret", "token"}}};
    std::unique_ptr<SecretsManager> manager;
};

TEST_F(SecretsManagerTest, AsksAsTheReferenceSaysAndSigns) {
    FakeLlmServer server([](const ServerRequest&) { return respond(200, kGood); });
    const Secret secret = make(server.url()).get(ctx, kId, "AWSCURRENT").value();
    EXPECT_EQ(secret.text, "s3cret-of-the-test");
    EXPECT_EQ(secret.version, "v1");
    EXPECT_EQ(secret.made_at, WallTime(1'795'779'898s));
    const ServerRequest asked = server.requests().at(0);
    EXPECT_EQ(asked.method + " " + asked.target, "POST /");
    EXPECT_EQ(asked.header("x-amz-target"), "secretsmanager.GetSecretValue");
    EXPECT_EQ(asked.header("content-type"), "application/x-amz-json-1.1");
    EXPECT_EQ(asked.header("x-amz-security-token"), "token");
    EXPECT_EQ(asked.body, R"({"SecretId":"prod/jwt","VersionStage":"AWSCURRENT"})");
    const std::string signature(asked.header("authorization"));
    EXPECT_NE(signature.find("/eu-west-1/secretsmanager/aws4_request"), std::string::npos);
}

TEST_F(SecretsManagerTest, AnArnSaysTheRegion) {
    FakeLlmServer server([](const ServerRequest&) { return respond(200, kGood); });
    const char* arn = "arn:aws:secretsmanager:ap-south-1:1:secret:x-AbCdEf";
    EXPECT_TRUE(make(server.url()).get(ctx, arn, "AWSCURRENT"));
    const std::string signature(server.requests().at(0).header("authorization"));
    EXPECT_NE(signature.find("/ap-south-1/secretsmanager/"), std::string::npos);
}

TEST_F(SecretsManagerTest, ABinarySecretIsItsBytes) {
    FakeLlmServer server([](const ServerRequest&) {
        return respond(200, R"({"SecretBinary":"/+8gYQ==","VersionId":"v"})");
    });
    EXPECT_EQ(make(server.url()).get(ctx, kId, "AWSCURRENT").value().text, "\xff\xef a");
}

TEST_F(SecretsManagerTest, WhatCannotPassIsSaidAtOnce) {
    EXPECT_EQ(
        refused(400, "ResourceNotFoundException"),
        "NOT_FOUND: there is no such secret: ResourceNotFoundException (1)"
    );
    EXPECT_EQ(
        refused(400, "com.amazon.coral#AccessDeniedException:http://x/"),
        "FORBIDDEN: the secrets service refuses access: AccessDeniedException (1)"
    );
    EXPECT_EQ(
        refused(400, "DecryptionFailure"),
        "UPSTREAM_ERROR: the secrets service refuses the request: DecryptionFailure (1)"
    );
    EXPECT_EQ(
        failure(respond(
            403,
            "<ErrorResponse><Errors><Error><Code>SignatureDoesNotMatch</Code><Message>s3cret"
            "</Message></Error></Errors></ErrorResponse>"
        )),
        "FORBIDDEN: the secrets service refuses access: SignatureDoesNotMatch (1)"
    );
    EXPECT_EQ(
        failure(respond(403, "<html>s3cret")),
        "FORBIDDEN: the secrets service refuses access: status 403 (1)"
    );
    EXPECT_EQ(
        refused(400, "s3cret of my own"),
        "UPSTREAM_ERROR: the secrets service refuses the request: status 400 (1)"
    );
}

TEST_F(SecretsManagerTest, WhatMayPassIsTriedFourTimes) {
    EXPECT_EQ(
        refused(400, "ThrottlingException"),
        "SERVICE_UNAVAILABLE: the secrets service takes no more requests: ThrottlingException (4)"
    );
    EXPECT_EQ(
        refused(500, "InternalServiceError"),
        "SERVICE_UNAVAILABLE: the secrets service has trouble: InternalServiceError (4)"
    );
    EXPECT_EQ(
        failure(Script{test::reset_connection()}),
        "SERVICE_UNAVAILABLE: the secrets service does not answer (4)"
    );
    call_timeout = 30ms;
    EXPECT_EQ(
        failure(Script{test::hang()}),
        "SERVICE_UNAVAILABLE: the secrets service does not answer in time (4)"
    );
}

TEST_F(SecretsManagerTest, ABlackHoleTakesNoLongerThanItsCaller) {
    FakeLlmServer server([](const ServerRequest&) { return Script{test::hang()}; });
    const TimePoint begun = clock.now();
    const auto got = make(server.url()).get(Ctx(clock).within(100ms), kId, "AWSCURRENT");
    EXPECT_EQ(got.error().message, "the secrets service does not answer in time");
    EXPECT_LT(clock.now() - begun, 4s);
}

TEST_F(SecretsManagerTest, TroubleThatPassesIsNotTold) {
    FakeLlmServer server([](const ServerRequest& request) {
        return request.number < 3 ? respond(503, "") : respond(200, kGood);
    });
    EXPECT_EQ(make(server.url()).get(ctx, kId, "AWSCURRENT").value().version, "v1");
}

TEST_F(SecretsManagerTest, WhatIsNoSecretIsRefused) {
    for (const char* body :
         {"", "[]", "{}", R"({"SecretString":7})", R"({"SecretBinary":"!"})", "{\"SecretString"}) {
        EXPECT_EQ(
            failure(respond(200, body)),
            "UPSTREAM_ERROR: the secrets service answers without a secret (1)"
        ) << body;
    }
    EXPECT_EQ(
        failure(respond(200, std::string(300'000, 'x'))),
        "UPSTREAM_ERROR: the secrets service answers with too much (1)"
    );
}

TEST_F(SecretsManagerTest, CredentialsThatJustEndedAreFetchedAnew) {
    FakeLlmServer server([](const ServerRequest& request) {
        return request.number == 1 ? respond(400, R"({"__type":"ExpiredTokenException"})")
                                   : respond(200, kGood);
    });
    EXPECT_TRUE(make(server.url()).get(ctx, kId, "AWSCURRENT"));
    EXPECT_EQ(server.request_count(), 2);
}

}  // namespace
}  // namespace lab::aws
