#include "platform/telemetry/redact.h"

#include <gtest/gtest.h>

#include <chrono>
#include <vector>

namespace lab {
namespace {

TEST(SecrecyOfNames, HidesWhatTheContractNames) {
    for (const char* name : {
             "password",
             "Password",
             "user_password",
             "passwd",
             "db.password",
             "new-password",
             "passphrase",
             "secret",
             "client_secret",
             "SECRET",
             "jwt_secret",
             "webhookSecret",
             "token",
             "access_token",
             "refresh_token",
             "accessToken",
             "x-auth-token",
             "x-csrf-token",
             "HF_TOKEN",
             "session_token",
             "key",
             "api_key",
             "apiKey",
             "APIKey",
             "x-api-key",
             "X-Admin-Key",
             "OPENAI_API_KEY",
             "private_key",
             "aws_secret_access_key",
             "sshkey",
             "keyfile",
             "credential",
             "credentials",
             "aws_credentials",
             "authorization",
             "Authorization",
             "proxy-authorization",
             "cookie",
             "set-cookie",
             "Set-Cookie",
             "pepper",
             "pwd",
             "headers.authorization",
             "X-Amz-Signature",
             "signature",
             "sig",
             "X-Amz-Security-Token",
             "X-Amz-Credential",
             "tokenvalue",
             "password_hash",
             "--api-key",
             "passwordChangedBy",
             "secret_id",
             "key_material",
             "token_id",
         }) {
        EXPECT_EQ(secrecy_of(name), Secrecy::hidden) << name;
    }
}

TEST(SecrecyOfNames, ShowsCountsButNoTextsOfTokens) {
    for (const char* name : {
             "tokens",
             "total_tokens",
             "prompt_tokens",
             "completionTokens",
             "max_tokens",
             "tokens_per_second",
             "token_count",
             "token_limit",
             "cost_per_token",
             "time_to_first_token_ms",
             "token_usage",
             "cached_tokens",
             "keys",
         }) {
        EXPECT_EQ(secrecy_of(name), Secrecy::numbers) << name;
    }
}

TEST(SecrecyOfNames, ShowsWhatOnlyLooksAlike) {
    for (const char* name : {
             "",
             "_",
             "key_prefix",
             "key_id",
             "api_key_id",
             "keyPrefix",
             "key_count",
             "keyword",
             "keywords",
             "monkey",
             "primary_key",
             "foreign_key",
             "cache_key",
             "idempotency_key",
             "object_key",
             "public_key",
             "token_type",
             "tokenizer",
             "tokenization",
             "secret_name",
             "credential_name",
             "metric_signature",
             "path",
             "status",
             "user_id",
             "author",
             "authorized",
             "cook",
             "duration_ms",
             "turkey",
         }) {
        EXPECT_EQ(secrecy_of(name), Secrecy::open) << name;
    }
}

TEST(SecrecyOfNames, TheEndOfALongNameCounts) {
    EXPECT_EQ(secrecy_of(std::string(5000, 'x') + "_password"), Secrecy::hidden);
    std::string words;
    for (int i = 0; i < 200; ++i) {
        words += "a_";
    }
    EXPECT_EQ(secrecy_of(words + "token"), Secrecy::hidden);
    EXPECT_EQ(secrecy_of(words + "count"), Secrecy::open);
}

struct Case {
    std::string before;
    std::string after;
};

void expect_all(const std::vector<Case>& cases) {
    for (const Case& c : cases) {
        EXPECT_EQ(redact(c.before), c.after) << c.before;
        EXPECT_EQ(redact(c.after), c.after) << "not the second time: " << c.before;
    }
}

TEST(Redact, LeavesOrdinaryTextAlone) {
    for (const char* text : {
             "",
             "slow query: get_run took query_time_ms=1204",
             "connection pool exhausted, 50 of 50 in use; waited 3.0 s",
             "external_call openai gpt-4o-mini: 200 in 812 ms, 118 tokens",
             "GET /experiments/7b6b4c0a-3b1e-4a52-8a61-0f3f5a2f1c11?limit=20 200",
             "task-force of the risk-averse",
             "author: Ada; keyword: x; status = 200",
             "jwt: header: claim alg",
             "a ratio of 3:1 at 12:30:45.123Z",
             "max_tokens=512 total_tokens: 640, \"tokens\": 12",
             "file:///var/lib/x http://localhost:8080/health https://[::1]:8080/x?y=z",
             "see https://example.com/docs#section-2 for more",
             "3 @ 4, @media, user@localhost, pkg@1.2.3",
             "basic statistics of the sample",
             "\"ssl\": true, \"password_set\": true, \"token\": null",
             "llm_research_api::token::parse failed",
             "llm-research run experiment.yaml",
             "Gr\xc3\xbc\xc3\x9f"
             "e \xe2\x9c\x93 \xf0\x9f\x8e\x89",
         }) {
        EXPECT_EQ(redact(text), text);
    }
}

TEST(Redact, ValuesBehindNames) {
    expect_all({
        {"password=hunter2", "password=[redacted]"},
        {"password = hunter2 next", "password = [redacted] next"},
        {"password: hunter2", "password: [redacted]"},
        {"Password:hunter2", "Password:[redacted]"},
        {"user=bob, password=a,b;c&d host=x", "user=bob, password=[redacted] host=x"},
        {"password=<x>y", "password=[redacted]"},
        {"password='two words' host=x", "password=[redacted] host=x"},
        {R"({"password":"x\"y","user":"bob"})", R"({"password":[redacted],"user":"bob"})"},
        {R"({"api_key": "abc", "n": 1})", R"({"api_key": [redacted], "n": 1})"},
        {R"({\"token\":\"abc\",\"n\":1})", R"({\"token\":[redacted],\"n\":1})"},
        {R"({"tokens":["abc","def"],"n":1})", R"({"tokens":[redacted],"n":1})"},
        {R"({"secret":{"a":{"b":"c"}},"n":1})", R"({"secret":[redacted],"n":1})"},
        {R"(headers["x-api-key"] = "abc")", R"(headers["x-api-key"] = [redacted])"},
        {"{token => \"abc\"}", "{token => [redacted]}"},
        {"GET /x?api_key=abc", "GET /x?api_key=[redacted]"},
        {"?next=%2Fx%3Ftoken%3Dabc", "?next=%2Fx%3Ftoken%3D[redacted]"},
        {"--password hunter2 --verbose", "--password [redacted] --verbose"},
        {"--api-key=abc run", "--api-key=[redacted] run"},
        {"<Secret>abc</Secret>", "<Secret>[redacted]</Secret>"},
        {"OPENAI_API_KEY=abc ./x", "OPENAI_API_KEY=[redacted] ./x"},
        {"token: Bearer", "token: [redacted]"},
        {"token=\"unterminated", "token=[redacted]"},
        {"secret:", "secret:"},
        {"tokens: abc", "tokens: [redacted]"},
    });
}

TEST(Redact, Headers) {
    expect_all({
        {"Authorization: Bearer abc.def\nAccept: */*", "Authorization: [redacted]\nAccept: */*"},
        {"cookie: a=b; c=d e\r\nx: y", "cookie: [redacted]\r\nx: y"},
        {"Set-Cookie: sid=1; Path=/", "Set-Cookie: [redacted]"},
        {"X-Admin-Key: abc", "X-Admin-Key: [redacted]"},
        {"x-auth-token: abc x", "x-auth-token: [redacted] x"},
        {R"({"authorization":"Basic YTpi","a":1})", R"({"authorization":[redacted],"a":1})"},
        {"sent Bearer abc with it", "sent Bearer [redacted] with it"},
        {"bearer   a~b+c/d== x", "bearer   [redacted] x"},
        {"ApiKey llm x", "ApiKey [redacted] x"},
        {"Basic dXNlcjpwYXNz x", "Basic [redacted] x"},
        {"Basic YTpiYzpkZWY= x", "Basic [redacted] x"},
    });
}

TEST(Redact, KeysThatGiveThemselvesAway) {
    const std::string jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1LTEifQ.c2lnbmF0dXJl";
    expect_all({
        {"got " + jwt + ", refused", "got [redacted], refused"},
        {"(" + jwt + ")", "([redacted])"},
        {"cut eyJhbGciOiJIUzI1NiJ9.eyJzdWI", "cut [redacted]"},
        {"llm-research_ab12cd34" + std::string(43, 'x'), "[redacted]"},
        {"key llm-research_ab12cd34X.", "key [redacted]"},
        {"sk-abcdefgh12345", "[redacted]"},
        {"sk-proj-a_b-c1234 x", "[redacted] x"},
        {"x=sk-ant-api03-abcdefgh", "x=[redacted]"},
        {"AIzaSyA1234567890abcdefghijklmnopqrstu", "[redacted]"},
        {"hf_abcdefghijklmnopqrst", "[redacted]"},
        {"AKIAIOSFODNN7EXAMPLE", "[redacted]"},
        {"gsk_abcdefghijklmnopqrst", "[redacted]"},
        {"ghp_abcdefghijklmnopqrst", "[redacted]"},
        {"-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY----- x",
         "[redacted] RSA PRIVATE KEY----- x"},
        {"-----BEGIN PRIVATE KEY-----\nMIIE", "[redacted]"},
    });
    for (const char* text : {
             "sk-learn",
             "hf_datasets_are_here_in_plenty",
             "llm-research_report.html",
             "llm-research_2024",
             "-----BEGIN CERTIFICATE-----",
             "eyJ",
             "mask-abcdefghijk",
         }) {
        EXPECT_EQ(redact(text), text);
    }
}

TEST(Redact, UsersAndPasswordsInUrls) {
    expect_all({
        {"postgres://app:hunter2@db.internal:5432/lab?sslmode=require",
         "postgres://[redacted]@db.internal:5432/lab?sslmode=require"},
        {"postgresql://app@db/lab", "postgresql://[redacted]@db/lab"},
        {"redis://:hunter2@cache:6379/0 lost", "redis://[redacted]@cache:6379/0 lost"},
        {"https://bob:hunter2@example.com/x", "https://[redacted]@example.com/x"},
        {"postgres://app:p@ss@db/lab", "postgres://[redacted]@db/lab"},
        {"postgres://app:p/ss#?@db/lab", "postgres://[redacted]@db/lab"},
        {"postgres://app:p/s@s@db/lab", "postgres://[redacted]@db/lab"},
        {"\"postgres://a:b@c/d\", \"redis://e:f@g\"",
         "\"postgres://[redacted]@c/d\", \"redis://[redacted]@g\""},
        {"jdbc:postgresql://db/lab?user=app&password=x",
         "jdbc:postgresql://db/lab?user=app&password=[redacted]"},
        {"https://b.s3.amazonaws.com/k?X-Amz-Signature=abcd",
         "https://b.s3.amazonaws.com/k?X-Amz-Signature=[redacted]"},
        {"host=db user=app password=x dbname=lab", "host=db user=app password=[redacted] dbname=lab"
        },
    });
}

TEST(Redact, MailAddresses) {
    expect_all({
        {"ada@example.org", "[redacted]"},
        {"to Ada.Lovelace+x@mail.example.org, cc", "to [redacted], cc"},
        {"<ada@example.org>.", "<[redacted]>."},
        {"mailto:ada@example.org?subject=x", "mailto:[redacted]?subject=x"},
        {"/users?email=ada%40example.org&x=1", "/users?[redacted]&x=1"},
        {"j\xc3\xbcrgen@b\xc3\xbc"
         "cher.example",
         "[redacted]"},
        {"a@example.org,b@example.org", "[redacted],[redacted]"},
        {"a@b@example.org", "a@[redacted]"},
        {"https://example.com/u/ada@example.org/x", "https://example.com/u/[redacted]/x"},
    });
}

TEST(Redact, SecretsThatStandTogether) {
    const std::string text =
        "POST /auth/token {\"username\":\"ada@example.org\",\"password\":\"Tr0ub4dor&3\"} "
        "Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.e30.x";
    EXPECT_EQ(
        redact(text),
        "POST /auth/token {\"username\":\"[redacted]\",\"password\":[redacted]} "
        "Authorization: [redacted]"
    );
}

// Whatever stands around it: no secret comes through, and nothing is read that is not there.
TEST(Redact, HoldsAtEveryPositionAndWhenTheTextIsCut) {
    const std::string text =
        "x password=\"hun\\\"ter2\" sk-abcdefgh12345 postgres://u:hunter2@h/d Basic dXNlcjpwYXNz "
        "ada@example.org {\"secret\":[\"hunter2\"]} --token hunter2 %40 :// @ % -----BEGIN x";
    for (std::size_t begin = 0; begin < text.size(); ++begin) {
        for (const std::size_t length : {std::size_t{1}, std::size_t{7}, text.size()}) {
            const std::string piece = text.substr(begin, length);
            // An own allocation of exactly this size, for the sanitizers.
            const std::vector<char> exact(piece.begin(), piece.end());
            EXPECT_LE(redact({exact.data(), exact.size()}).size(), piece.size() * 11);
        }
        const std::string head = redact(text.substr(0, begin));
        EXPECT_EQ(head.find("hunter2\""), head.npos) << head;
    }
    EXPECT_EQ(redact(text).find("hunter2"), std::string::npos) << redact(text);
    EXPECT_EQ(redact(text).find("ter2"), std::string::npos);
}

TEST(Redact, IsLinearWhateverItReads) {
    using Steady = std::chrono::steady_clock;
    const std::vector<std::string> pieces{
        "a",
        "@",
        "a@",
        "a@a.",
        "://",
        "a://",
        "a://a@",
        "a:// ",
        "%40",
        "password=",
        "token:\"",
        "key\\",
        "basic ",
        "bearer ",
        "secret:[",
        "secret={",
        "-----BEGIN PRIVATE KEY-----",
        "-----BEGIN ",
        "eyJ",
        "eyJ.",
        "sk-",
        "hf_",
        "_hf_a",
        "AKIA-",
        "--key ",
        "<key>",
        "'",
        "\xff",
        "\xc3\xbc@",
        "a.",
        "token%3D",
        "llm-research_a",
        "Authorization: x\n",
    };
    for (const std::string& piece : pieces) {
        std::string text;
        while (text.size() < 128U << 10) {
            text += piece;
        }
        const auto start = Steady::now();
        EXPECT_LE(redact(text).size(), 11 * text.size());
        // A quadratic scan takes ten seconds and more, a linear one some milliseconds.
        EXPECT_LT(std::chrono::duration<double>(Steady::now() - start).count(), 1.0) << piece;
    }
}

TEST(InnocentTexts, AreThoseThatNothingIsHiddenIn) {
    for (const char* text :
         {"",
          "GET",
          "/experiments/{id}/runs/{run}",
          "7cf3a0de-8b7e-4c1f-9d55-0a1b2c3d4e5f",
          "http",
          "secret",
          "password"}) {
        EXPECT_TRUE(is_innocent(text)) << text;
        EXPECT_EQ(redact(text), text);
    }
    for (const char* text :
         {"sk-abcdefgh",
          "whsec_abcdefgh",
          "AKIAABCDEFGHIJKL",
          "hf_abcdefghijklmnop",
          "ya29.abcdefghijklmnop",
          "eyJhbGciOiJIUzI1NiJ9.eyJ",
          "password=hunter2",
          "bearer abc",
          "ann@example.org",
          "a\nb",
          "\"quoted\"",
          "gr\xc3\xbc\xc3\x9f"}) {
        EXPECT_FALSE(is_innocent(text)) << text;
    }
}

}  // namespace
}  // namespace lab
