#include "platform/config/named_secrets.h"

#include "platform/config/impl/test_environment.h"
#include "support/manual_clock.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

namespace lab {
namespace {

using namespace std::chrono_literals;
using test::environment;

const std::string kFirst = "mN4vX2qT8zR6wK0pL5sB7yH1cJ3fD9gU";
const std::string kSecond = "pQ7rT3wY9uI1oP5aS8dF2gH6jK4lZ0xC";
const std::string kThird = "vB6nM2cX8zL4kJ0hG5fD9sA3pO7iU1yT";
constexpr const char* kArn = "arn:aws:secretsmanager:eu-west-1:1:secret:jwt-AbCdEf";

struct NamedSecretsTest : testing::Test {
    NamedSecrets& make(std::map<std::string, std::string> values) {
        secrets = std::make_unique<NamedSecrets>(
            environment(std::move(values)),
            [this](const Ctx&, const std::string& id, SecretStage stage) -> Result<SecretText> {
                asked.push_back(id + (stage == SecretStage::current ? "" : "/previous"));
                if (is_away) {
                    return Error(Code::unavailable, "the secrets service does not answer");
                }
                const auto& from = stage == SecretStage::current ? current : previous;
                const auto found = from.find(id);
                if (found == from.end()) {
                    return Error(Code::not_found, "there is no such secret");
                }
                return SecretText{found->second, "v", made_at};
            },
            clock
        );
        return *secrets;
    }
    /// "ok", or what is wrong, with its fields.
    std::string open(std::map<std::string, std::string> values) {
        const Status opened = make(std::move(values)).open(ctx);
        if (opened) {
            return "ok";
        }
        std::string out = opened.error().message;
        for (const Detail& detail : opened.error().details) {
            out += " | " + detail.field + ": " + detail.message;
        }
        for (const auto& [id, text] : current) {
            EXPECT_EQ(out.find(text), std::string::npos) << out;
        }
        return out;
    }
    std::string value(const std::string& key) {
        return secrets->environment()(key).value_or("(none)");
    }
    std::string pair() {
        const SecretPair got = secrets->pair("JWT_SECRET").value_or(SecretPair{"none", "none"});
        const std::map<std::string, std::string> names{
            {"", "-"}, {kFirst, "1"}, {kSecond, "2"}, {kThird, "3"}, {"none", "none"}
        };
        return names.at(got.used) + names.at(got.other);
    }

    test::ManualClock clock;
    Ctx ctx{clock};
    std::map<std::string, std::string> current, previous;
    std::optional<WallTime> made_at;
    bool is_away = false;
    std::vector<std::string> asked;
    std::unique_ptr<NamedSecrets> secrets;
};

TEST(SecretName, IsANameOrAnArnAndMayHaveAMember) {
    EXPECT_EQ(parse_secret_name("prod/db").value(), (SecretName{"prod/db", ""}));
    EXPECT_EQ(parse_secret_name("prod/db#url").value(), (SecretName{"prod/db", "url"}));
    EXPECT_EQ(parse_secret_name(std::string(kArn) + "#k").value(), (SecretName{kArn, "k"}));
    for (const char* bad :
         {"",
          "#k",
          "a#",
          "a#b#c",
          "a b",
          "arn:aws:s3:::bucket",
          "arn:aws",
          "arn:aws:secretsmanager::1:secret:x"}) {
        EXPECT_FALSE(parse_secret_name(bad)) << bad;
    }
    EXPECT_FALSE(parse_secret_name(std::string(3000, 'a')));
}

TEST(SecretName, AMemberIsATextOrANumber) {
    const char* json = R"({"url":" redis://h ","port":6379,"deep":{"x":1},"no":null})";
    EXPECT_EQ(pick_member({"s", ""}, " plain\n").value(), "plain");
    EXPECT_EQ(pick_member({"s", "url"}, json).value(), "redis://h");
    EXPECT_EQ(pick_member({"s", "port"}, json).value(), "6379");
    for (const char* member : {"deep", "no", "other"}) {
        EXPECT_FALSE(pick_member({"s", member}, json)) << member;
    }
    EXPECT_FALSE(pick_member({"s", "url"}, "no json"));
}

TEST_F(NamedSecretsTest, NothingIsAskedWhenNothingIsNamed) {
    EXPECT_EQ(
        open({{"JWT_SECRET", kFirst}, {"JWT_SECRET_ARN", kArn}, {"APP_NAME", "aws-sm://x"}}), "ok"
    );
    EXPECT_TRUE(secrets->empty());
    EXPECT_TRUE(asked.empty());
    EXPECT_EQ(value("JWT_SECRET"), kFirst);
}

TEST_F(NamedSecretsTest, ValuesStandInThePlacesOfNames) {
    current = {
        {kArn, kFirst},
        {"prod/all", R"({"db":"postgres://u:p@h/d","redis":"redis://h"})"},
        {"openai", "sk-1"}
    };
    EXPECT_EQ(
        open({
            {"JWT_SECRET_ARN", kArn},
            {"DATABASE_URL", "aws-sm://prod/all#db"},
            {"REDIS_URL", "aws-sm://prod/all#redis"},
            {"OPENAI_API_KEY", "aws-sm://openai"},
        }),
        "ok"
    );
    EXPECT_EQ(std::ranges::count(asked, "prod/all"), 1);
    const ServerSettings settings = load_server_settings(secrets->environment()).value();
    EXPECT_EQ(settings.auth.jwt_secret, kFirst);
    EXPECT_EQ(settings.database.url, "postgres://u:p@h/d");
    EXPECT_EQ(settings.cache.redis_url, "redis://h");
    EXPECT_EQ(settings.providers.keys.at("OPENAI_API_KEY"), "sk-1");
    EXPECT_FALSE(settings.embedded());
}

TEST_F(NamedSecretsTest, RowsSayWhereValuesCameFromAndNotWhatTheyAre) {
    current = {{kArn, kFirst}};
    ASSERT_EQ(open({{"JWT_SECRET_ARN", kArn}}), "ok");
    ServerSettings settings = load_server_settings(secrets->environment()).value();
    secrets->explain(settings);
    const auto row = std::ranges::find(settings.rows, "JWT_SECRET", &SettingRow::key);
    EXPECT_EQ(row->from, "secrets service, by JWT_SECRET_ARN");
    EXPECT_EQ(row->value, "[set]");
}

TEST_F(NamedSecretsTest, AStartThatFailsNamesTheSetting) {
    EXPECT_EQ(open({{"JWT_SECRET_ARN", kArn}}), "JWT_SECRET_ARN: there is no such secret");
    current = {{"db", "s3cret-in-no-json"}};
    EXPECT_EQ(
        open({{"DATABASE_URL", "aws-sm://db#url"}}),
        "DATABASE_URL: the secret is no JSON object, so it has no member url"
    );
    is_away = true;
    EXPECT_EQ(
        open({{"ADMIN_KEY", "aws-sm://k"}}), "ADMIN_KEY: the secrets service does not answer"
    );
    EXPECT_EQ(
        open({{"AWS_SECRET_ACCESS_KEY", "aws-sm://k"}}),
        "the configuration is not right | AWS_SECRET_ACCESS_KEY: cannot be kept in the service "
        "that it opens"
    );
}

TEST_F(NamedSecretsTest, ARotatedSecretIsAcceptedAtOnceAndUsedLater) {
    current = {{kArn, kFirst}};
    ASSERT_EQ(open({{"JWT_SECRET_ARN", kArn}}), "ok");
    EXPECT_EQ(pair(), "1-");
    current[kArn] = kSecond;
    EXPECT_EQ(secrets->refresh(ctx, 60s).keys, std::vector<std::string>{"JWT_SECRET"});
    EXPECT_EQ(pair(), "12");
    EXPECT_EQ(value("JWT_SECRET"), kSecond);
    clock.advance(60s);
    EXPECT_EQ(pair(), "21");
    EXPECT_TRUE(secrets->refresh(ctx, 60s).keys.empty());
    current[kArn] = kThird;
    secrets->refresh(ctx, 0s);
    EXPECT_EQ(pair(), "32");
}

TEST_F(NamedSecretsTest, APreviousVersionIsAcceptedFromTheStart) {
    current = {{kArn, kSecond}};
    previous = {{kArn, kFirst}};
    ASSERT_EQ(open({{"JWT_SECRET_ARN", kArn}}), "ok");
    secrets->set_settle(60s);
    EXPECT_EQ(pair(), "21");
    // Made just now, so others may not know it yet.
    made_at = clock.wall() - 20s;
    ASSERT_EQ(open({{"JWT_SECRET_ARN", kArn}}), "ok");
    secrets->set_settle(60s);
    EXPECT_EQ(pair(), "12");
    clock.advance(40s);
    EXPECT_EQ(pair(), "21");
    previous = {{kArn, "short"}};
    ASSERT_EQ(open({{"JWT_SECRET_ARN", kArn}}), "ok");
    EXPECT_EQ(pair(), "2-");
}

TEST_F(NamedSecretsTest, TheLastGoodValueStaysWhenTheServiceIsAway) {
    current = {{kArn, kFirst}, {"k", "key-1"}};
    ASSERT_EQ(open({{"JWT_SECRET_ARN", kArn}, {"OPENAI_API_KEY", "aws-sm://k"}}), "ok");
    is_away = true;
    const auto changes = secrets->refresh(ctx, 0s);
    EXPECT_TRUE(changes.keys.empty());
    ASSERT_EQ(changes.problems.size(), 2U);
    EXPECT_EQ(value("OPENAI_API_KEY"), "key-1");
    EXPECT_EQ(pair(), "1-");
    is_away = false;
    current["k"] = "key-2";
    EXPECT_EQ(secrets->refresh(ctx, 0s).keys, std::vector<std::string>{"OPENAI_API_KEY"});
    EXPECT_EQ(value("OPENAI_API_KEY"), "key-2");
}

TEST_F(NamedSecretsTest, AValueThatItsSettingCannotHaveIsNotTaken) {
    current = {{kArn, kFirst}, {"k", "key-1"}};
    ASSERT_EQ(open({{"JWT_SECRET_ARN", kArn}, {"OPENAI_API_KEY", "aws-sm://k"}}), "ok");
    current = {{kArn, "too short"}, {"k", "key 2\n\x01"}};
    const auto changes = secrets->refresh(ctx, 0s);
    EXPECT_TRUE(changes.keys.empty());
    ASSERT_EQ(changes.problems.size(), 2U);
    const Detail expected{"JWT_SECRET_ARN", "its new value cannot be used"};
    EXPECT_TRUE(std::ranges::find(changes.problems, expected) != changes.problems.end());
    EXPECT_EQ(pair(), "1-");
    current.clear();
    EXPECT_EQ(secrets->refresh(ctx, 0s).problems.size(), 2U);
    EXPECT_EQ(value("OPENAI_API_KEY"), "key-1");
}

}  // namespace
}  // namespace lab
