#include "platform/aws/credential_chain.h"

#include "platform/aws/impl/sources.h"
#include "support/fake_llm_server.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <map>
#include <thread>

namespace lab::aws {
namespace {

using namespace std::chrono_literals;
using test::FakeLlmServer;
using test::respond;
using test::ServerRequest;

/// The system's clock, some time ahead.
class AheadClock final : public Clock {
  public:
    TimePoint now() const override { return real_.now() + ahead(); }
    WallTime wall() const override {
        return real_.wall() + std::chrono::duration_cast<std::chrono::microseconds>(ahead());
    }
    void go_on(Duration by) { ahead_ += by.count(); }

  private:
    Duration ahead() const { return Duration(ahead_.load()); }
    SystemClock real_;
    std::atomic<std::int64_t> ahead_ = 0;
};

std::string sts_answer(const std::string& key, const std::string& end) {
    return "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">"
           "<AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>" +
           key + "</AccessKeyId><SecretAccessKey>secret/" + key +
           "</SecretAccessKey><SessionToken>token==</SessionToken><Expiration>" + end +
           "</Expiration></Credentials></AssumeRoleWithWebIdentityResult>"
           "</AssumeRoleWithWebIdentityResponse>";
}

struct CredentialChainTest : testing::Test {
    CredentialChainTest() {
        std::string name = (std::filesystem::temp_directory_path() / "lab-aws-XXXXXX").string();
        EXPECT_NE(::mkdtemp(name.data()), nullptr);
        folder = name;
    }
    ~CredentialChainTest() override { std::filesystem::remove_all(folder); }

    std::string write(const std::string& name, std::string_view text) const {
        const std::string path = folder + "/" + name;
        std::filesystem::create_directories(std::filesystem::path(path).parent_path());
        std::ofstream(path) << text;
        return path;
    }
    CredentialChain& make() {
        chain = std::make_unique<CredentialChain>(
            clock,
            http,
            ChainOptions{
                .given = given,
                .environment = [this](const std::string& name) -> std::optional<std::string> {
                    const auto found = variables.find(name);
                    return found == variables.end() ? std::nullopt : std::optional(found->second);
                },
                .home_folder = folder,
            }
        );
        return *chain;
    }
    /// The access key that counts, or the problem.
    std::string key() const {
        const auto got = chain->get(ctx);
        return got ? got->access_key_id : got.error().message;
    }
    void use_web_identity(const FakeLlmServer& sts) {
        variables["AWS_WEB_IDENTITY_TOKEN_FILE"] = write("token", "eyJ.a+b/c.sig\n");
        variables["AWS_ROLE_ARN"] = "arn:aws:iam::123456789012:role/lab";
        variables["AWS_ENDPOINT_URL_STS"] = sts.url("/");
    }
    std::string in(Duration life) const {
        return format_rfc3339(
            clock.wall() + std::chrono::duration_cast<std::chrono::microseconds>(life)
        );
    }

    AheadClock clock;
    SystemClock system_clock;
    Ctx ctx = Ctx(system_clock).within(30s);
    http::BlockingClient http{system_clock, {}};
    std::string folder;
    std::map<std::string, std::string> variables;
    Credentials given;
    std::unique_ptr<CredentialChain> chain;
};

TEST_F(CredentialChainTest, TheFirstSourceThatHasAnyCounts) {
    write(
        ".aws/credentials",
        "[default]\naws_access_key_id=D\naws_secret_access_key=d\n"
        "[lab]\naws_access_key_id=L\naws_secret_access_key=l\n"
    );
    make();
    EXPECT_EQ(key(), "D");
    EXPECT_EQ(chain->source(), "profile default");
    variables["AWS_PROFILE"] = "lab";
    make();
    EXPECT_EQ(key(), "L");
    variables["AWS_ACCESS_KEY_ID"] = "E";
    make();
    EXPECT_EQ(key(), "AWS_SECRET_ACCESS_KEY is missing, but AWS_ACCESS_KEY_ID is set");
    variables["AWS_SECRET_ACCESS_KEY"] = "e";
    variables["AWS_SESSION_TOKEN"] = "t";
    make();
    EXPECT_EQ(key(), "E");
    EXPECT_EQ(chain->get(ctx)->session_token, "t");
    given = {"G", "g"};
    make();
    EXPECT_EQ(key(), "G");
}

TEST_F(CredentialChainTest, WithoutAnySourceItSaysWhatThereCouldBe) {
    make();
    const auto got = chain->get(ctx);
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, Code::unavailable);
    for (const char* name :
         {"AWS_ACCESS_KEY_ID",
          "AWS_PROFILE",
          "AWS_WEB_IDENTITY_TOKEN_FILE",
          "AWS_CONTAINER_CREDENTIALS_FULL_URI"}) {
        EXPECT_NE(got.error().message.find(name), std::string::npos) << name;
    }
    variables["AWS_PROFILE"] = "gone";
    write(".aws/credentials", "[default]\n");
    make();
    EXPECT_EQ(key(), "AWS_PROFILE names a profile that is not in the file");
    variables["AWS_SHARED_CREDENTIALS_FILE"] = folder + "/none";
    make();
    EXPECT_EQ(key(), "AWS_SHARED_CREDENTIALS_FILE names a file that cannot be read");
}

TEST_F(CredentialChainTest, AChangedFileIsReadAgain) {
    write(".aws/credentials", "[default]\naws_access_key_id=A\naws_secret_access_key=a\n");
    make();
    EXPECT_EQ(key(), "A");
    write(".aws/credentials", "[default]\naws_access_key_id=B\naws_secret_access_key=b\n");
    EXPECT_EQ(key(), "A");
    clock.go_on(61s);
    EXPECT_EQ(key(), "B");
    // While it is being written, what was read last counts.
    write(".aws/credentials", "");
    clock.go_on(61s);
    EXPECT_EQ(key(), "B");
}

TEST_F(CredentialChainTest, ARoleIsAssumedWithAWebIdentityAndRenewedBeforeItEnds) {
    FakeLlmServer sts([this](const ServerRequest& request) {
        return respond(200, sts_answer("K" + std::to_string(request.number), in(1h)));
    });
    use_web_identity(sts);
    make();
    EXPECT_EQ(key(), "K1");
    EXPECT_EQ(chain->get(ctx)->secret_access_key, "secret/K1");
    EXPECT_EQ(chain->get(ctx)->session_token, "token==");
    EXPECT_EQ(chain->source(), "web identity");
    EXPECT_EQ(sts.request_count(), 1);
    EXPECT_EQ(
        sts.requests().at(0).body,
        "Action=AssumeRoleWithWebIdentity&Version=2011-06-15"
        "&RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Flab&RoleSessionName=llm-research"
        "&WebIdentityToken=eyJ.a%2Bb%2Fc.sig"
    );
    EXPECT_EQ(sts.requests().at(0).header("authorization"), "");
    clock.go_on(54min);
    EXPECT_EQ(key(), "K1");
    clock.go_on(2min);
    EXPECT_EQ(key(), "K2");
    // A service says that they have expired.
    chain->forget({"K1", "secret/K1", "token=="});
    EXPECT_EQ(key(), "K2");
    chain->forget({"K2", "secret/K2", "token=="});
    EXPECT_EQ(key(), "K3");
}

TEST_F(CredentialChainTest, WhatStillHoldsIsUsedWhileTheServiceIsAway) {
    std::atomic<bool> away = false;
    FakeLlmServer sts([&](const ServerRequest&) {
        return away ? respond(
                          403,
                          "<ErrorResponse><Error><Code>ExpiredTokenException</Code>"
                          "<Message>Token eyJ.a+b/c.sig</Message></Error></ErrorResponse>"
                      )
                    : respond(200, sts_answer("K", in(1h)));
    });
    use_web_identity(sts);
    make();
    EXPECT_EQ(key(), "K");
    away = true;
    clock.go_on(57min);
    EXPECT_EQ(key(), "K");
    EXPECT_EQ(key(), "K");
    EXPECT_EQ(sts.request_count(), 2) << "it is not asked by every call";
    clock.go_on(4min);
    EXPECT_EQ(key(), "STS refuses the web identity: ExpiredTokenException");
    away = false;
    EXPECT_EQ(key(), "STS refuses the web identity: ExpiredTokenException") << "for two seconds";
    clock.go_on(3s);
    EXPECT_EQ(key(), "K");
}

TEST_F(CredentialChainTest, AnswersOfStsThatAreNoneAreRefused) {
    for (const std::string& body :
         {std::string("no xml"),
          std::string("<a/>"),
          sts_answer("", in(1h)),
          sts_answer("K", "soon"),
          sts_answer("K\nX-Injected: 1", in(1h))}) {
        FakeLlmServer sts([&](const ServerRequest&) { return respond(200, body); });
        use_web_identity(sts);
        make();
        const auto got = chain->get(ctx);
        ASSERT_FALSE(got) << body;
        EXPECT_EQ(got.error().code, Code::unavailable);
        EXPECT_EQ(got.error().message.find("secret/"), std::string::npos);
    }
}

TEST_F(CredentialChainTest, ManyWhoAskAtOnceAreOneCall) {
    FakeLlmServer sts([this](const ServerRequest&) {
        return test::Script{test::wait_for(100ms)} + respond(200, sts_answer("K", in(1h)));
    });
    use_web_identity(sts);
    make();
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i) {
        threads.emplace_back([this] { EXPECT_EQ(key(), "K"); });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    EXPECT_EQ(sts.request_count(), 1);
}

TEST_F(CredentialChainTest, AServiceThatHangsEndsWithTheContext) {
    FakeLlmServer sts([](const ServerRequest&) { return test::Script{test::hang()}; });
    use_web_identity(sts);
    make();
    const auto got = chain->get(ctx.within(200ms));
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, Code::timed_out);
}

TEST_F(CredentialChainTest, APodHasItsRoleFromTheAgentBesideIt) {
    FakeLlmServer agent([this](const ServerRequest& request) {
        return respond(
            request.header("authorization") == "pod-token" ? 200 : 401,
            R"({"AccessKeyId":"P","SecretAccessKey":"p","Token":"t","AccountId":"1","Expiration":")" +
                in(6h) + "\"}"
        );
    });
    variables["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = agent.url("/v1/credentials");
    make();
    EXPECT_EQ(key(), "the agent for the container's credentials answers with status 401");
    variables["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = "not-this-one";
    variables["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = write("pod", "pod-token\n");
    make();
    EXPECT_EQ(key(), "P");
    EXPECT_EQ(chain->get(ctx)->session_token, "t");
    EXPECT_EQ(chain->source(), "container");
    EXPECT_EQ(agent.requests().back().target, "/v1/credentials");
}

TEST_F(CredentialChainTest, TheTokenOfAPodGoesToNobodyElse) {
    variables["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = "pod-token";
    for (const char* url :
         {"http://10.0.0.1/x",
          "http://169.254.169.254/latest",
          "http://example.com/",
          "ftp://a/",
          "http://169.254.170.2.example.com/",
          "http://127.0.0.1@example.com/",
          ""}) {
        variables["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = url;
        make();
        const auto got = chain->get(ctx.within(2s));
        ASSERT_FALSE(got) << url;
        EXPECT_EQ(got.error().code, Code::unavailable) << url;
        EXPECT_EQ(got.error().message.find("pod-token"), std::string::npos);
    }
}

TEST(Sts, IsTheOneOfTheRegion) {
    EXPECT_EQ(sts_endpoint("eu-west-1"), "https://sts.eu-west-1.amazonaws.com/");
    EXPECT_EQ(sts_endpoint("cn-north-1"), "https://sts.cn-north-1.amazonaws.com.cn/");
}

}  // namespace
}  // namespace lab::aws
