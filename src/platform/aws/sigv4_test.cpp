#include "platform/aws/sigv4.h"

#include "base/time_text.h"
#include "support/vectors.h"

#include <gtest/gtest.h>

namespace lab::aws {
namespace {

using Text = std::string;

Credentials credentials_of(const nlohmann::json& input) {
    return {
        .access_key_id = input["access_key_id"].get<Text>(),
        .secret_access_key = input["secret_access_key"].get<Text>(),
        .session_token = input["session_token"].get<Text>(),
    };
}

http::Headers headers_of(const nlohmann::json& input) {
    http::Headers out;
    for (const auto& header : input["headers"]) {
        out.emplace_back(header[0].get<Text>(), header[1].get<Text>());
    }
    return out;
}

TEST(SigV4, RequestsAndAddressesAreThoseOfBotocore) {
    int cases = 0;
    test::for_each_vector(
        "sigv4",
        [&](const auto& input, const auto&, const auto& expected, test::VectorCheck& check) {
            ++cases;
            const SigningScope scope{
                input["region"].template get<Text>(), input["service"].template get<Text>()
            };
            const auto now = parse_rfc3339(input["time"].template get<Text>());
            ASSERT_TRUE(now);
            if (input["kind"] == "presign") {
                const Presigned wanted{
                    .method = input["method"].template get<Text>(),
                    .url = input["url"].template get<Text>(),
                    .headers = headers_of(input),
                    .life = std::chrono::seconds(input["life"].template get<int>()),
                    .payload_hash = input["payload_hash"].template get<Text>(),
                };
                check.equal(
                    "url", presign(wanted, scope, credentials_of(input), *now), expected["url"]
                );
                return;
            }
            http::Request request;
            request.method = input["method"].template get<Text>();
            request.url = input["url"].template get<Text>();
            request.headers = headers_of(input);
            sign(
                request,
                scope,
                credentials_of(input),
                *now,
                input["payload_hash"].template get<Text>()
            );
            const auto header = [&](std::string_view name) {
                return Text(http::find_header(request.headers, name));
            };
            check.equal("authorization", header("Authorization"), expected["authorization"]);
            check.equal("date", header("X-Amz-Date"), expected["date"]);
            check.equal("token", header("X-Amz-Security-Token"), input["session_token"]);
            check.equal("hash", header("X-Amz-Content-Sha256"), expected["content_sha256"]);
        }
    );
    EXPECT_GE(cases, 100);
}

TEST(SigV4, SigningAgainReplacesWhatWasSigned) {
    SystemClock clock;
    const Credentials first{"AKIDFIRST", "secret-one", "token-one"};
    const Credentials second{"AKIDSECOND", "secret-two"};
    http::Request once;
    once.method = "GET";
    once.url = "https://bucket.example.com/key";
    http::Request twice = once;
    const WallTime now = clock.wall();
    sign(twice, {"us-east-1", "s3"}, first, now - std::chrono::minutes(5), kUnsignedPayload);
    std::erase_if(twice.headers, [](const auto& header) {
        return header.first == "X-Amz-Security-Token";
    });
    sign(once, {"us-east-1", "s3"}, second, now, kUnsignedPayload);
    sign(twice, {"us-east-1", "s3"}, second, now, kUnsignedPayload);
    EXPECT_EQ(
        http::find_header(once.headers, "authorization"),
        http::find_header(twice.headers, "authorization")
    );
    EXPECT_EQ(once.headers.size(), twice.headers.size());
    for (const auto& [name, value] : once.headers) {
        EXPECT_EQ(value.find("secret"), Text::npos) << name;
    }
}

}  // namespace
}  // namespace lab::aws
