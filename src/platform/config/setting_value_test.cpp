#include "platform/config/impl/setting_value.h"

#include "platform/config/impl/weak_secret.h"

#include <gtest/gtest.h>

namespace lab::config {
namespace {

using namespace std::chrono_literals;

TEST(SettingValue, Durations) {
    const auto parse = [](std::string_view text) { return parse_duration(text, 0, 1LL << 60); };
    EXPECT_EQ(parse("500ms"), 500ms);
    EXPECT_EQ(parse("30s"), 30s);
    EXPECT_EQ(parse("5m"), 5min);
    EXPECT_EQ(parse("2h"), 2h);
    EXPECT_EQ(parse("7d"), 7 * 24h);
    EXPECT_EQ(parse("30"), 30s);
    EXPECT_EQ(parse("0"), 0s);
    EXPECT_EQ(parse("30 s"), 30s);
    for (const char* bad :
         {"",
          "s",
          "-1",
          "+1",
          "1.5s",
          "1e3",
          "30S",
          "1w",
          "1 2s",
          "0x10",
          "5min",
          "30s ms",
          "9223372036854775807",
          "99999999999999999999",
          "106751991168d"}) {
        EXPECT_FALSE(parse(bad)) << bad;
    }
    EXPECT_FALSE(parse_duration("999ms", 1'000, 2'000));
    EXPECT_TRUE(parse_duration("1s", 1'000, 2'000));
    EXPECT_TRUE(parse_duration("2000ms", 1'000, 2'000));
    EXPECT_FALSE(parse_duration("2001ms", 1'000, 2'000));
}

TEST(SettingValue, Sizes) {
    const auto parse = [](std::string_view text) { return parse_size(text, 0, 1LL << 40); };
    EXPECT_EQ(parse("1024"), 1024);
    EXPECT_EQ(parse("1B"), 1);
    EXPECT_EQ(parse("64KiB"), 65'536);
    EXPECT_EQ(parse("2MiB"), 2 << 20);
    EXPECT_EQ(parse("1GiB"), 1 << 30);
    for (const char* bad : {"", "KiB", "1KB", "1k", "-1", "1.5MiB", "9999999999GiB"}) {
        EXPECT_FALSE(parse(bad)) << bad;
    }
}

TEST(SettingValue, NumbersAndBooleans) {
    EXPECT_EQ(parse_integer("0", 0, 9), 0);
    EXPECT_EQ(parse_integer("9", 0, 9), 9);
    for (const char* bad : {"", "10", "-1", "+1", "1.0", "1e1", " 1", "1 ", "0x1", "one"}) {
        EXPECT_FALSE(parse_integer(bad, 0, 9)) << bad;
    }
    EXPECT_EQ(parse_ratio("0.25"), 0.25);
    EXPECT_EQ(parse_ratio("1"), 1.0);
    for (const char* bad : {"", "1.1", "-0.1", "nan", "inf", "50%", "0,5"}) {
        EXPECT_FALSE(parse_ratio(bad)) << bad;
    }
    for (const char* yes : {"true", "1", "TRUE", "True"}) {
        EXPECT_EQ(parse_boolean(yes), true) << yes;
    }
    for (const char* no : {"false", "0", "FALSE"}) {
        EXPECT_EQ(parse_boolean(no), false) << no;
    }
    for (const char* bad : {"", "yes", "no", "on", "off", "2", "t"}) {
        EXPECT_FALSE(parse_boolean(bad)) << bad;
    }
}

TEST(SettingValue, ListsAndChoices) {
    EXPECT_EQ(parse_list(" a, b ,,c "), (std::vector<std::string>{"a", "b", "c"}));
    EXPECT_EQ(parse_list("")->size(), 0U);
    EXPECT_FALSE(
        parse_list(std::string(1000, 'x') + std::string(300, ','))
            .value_or(std::vector<std::string>(999))
            .size() > 1
    );
    std::string many;
    for (int i = 0; i < 257; ++i) {
        many += "x,";
    }
    EXPECT_FALSE(parse_list(many));
    EXPECT_EQ(parse_choice("Json", "json|pretty"), "json");
    EXPECT_EQ(
        parse_choice("xml", "json|pretty|compact").error(), "has to be json, pretty or compact"
    );
    EXPECT_FALSE(parse_choice("", "json|pretty"));
    EXPECT_FALSE(parse_choice("json|pretty", "json|pretty"));
}

TEST(SettingValue, Urls) {
    const auto fits = [](std::string_view text, bool secret = true) {
        return parse_url(text, "postgres|https", secret).has_value();
    };
    EXPECT_TRUE(fits("postgres://u:p@db:5432/lab?sslmode=require"));
    EXPECT_TRUE(fits("https://db"));
    EXPECT_TRUE(fits("HTTPS://[::1]:8443/x"));
    EXPECT_FALSE(fits("https://u:p@db", false));
    EXPECT_TRUE(fits("https://db/a@b", false));
    for (const char* bad :
         {"",
          "db",
          "https:/db",
          "https://",
          "https://:80",
          "https:///x",
          "ftp://db",
          "https://d b",
          "https://db\n",
          "xhttps://db",
          "https://u@",
          "://db"}) {
        EXPECT_FALSE(fits(bad)) << bad;
    }
    EXPECT_FALSE(fits("https://" + std::string(3000, 'x')));
}

TEST(SettingValue, HostsOriginsNetworksBuckets) {
    for (const char* good : {"0.0.0.0", "127.0.0.1", "::1", "::", "localhost", "db-1.internal"}) {
        EXPECT_EQ(check_host(good), "") << good;
    }
    for (const char* bad : {"", "a b", "-a", "a:1", "http://a", "[::1]", "a/b", "*"}) {
        EXPECT_NE(check_host(bad), "") << bad;
    }
    EXPECT_EQ(check_host_port("api.example.org:8443"), "");
    EXPECT_EQ(check_host_port("api.example.org"), "");
    EXPECT_NE(check_host_port("api.example.org:0"), "");
    EXPECT_NE(check_host_port("api.example.org:99999"), "");
    for (const char* good : {"https://lab.example.org", "http://localhost:3000"}) {
        EXPECT_EQ(check_origin(good), "") << good;
    }
    for (const char* bad :
         {"*",
          "null",
          "https://*.example.org",
          "lab.example.org",
          "https://lab.example.org/",
          "https://u@lab.example.org",
          "https://"}) {
        EXPECT_NE(check_origin(bad), "") << bad;
    }
    for (const char* good : {"10.0.0.0/8", "10.1.2.3", "::1", "fd00::/8", "0.0.0.0/0", "::/128"}) {
        EXPECT_EQ(check_network(good), "") << good;
    }
    for (const char* bad :
         {"",
          "10.0.0.0/33",
          "10.0.0/8",
          "fd00::/129",
          "10.0.0.0/",
          "/8",
          "10.0.0.0/-1",
          "localhost",
          "010.0.0.1",
          "10.0.0.0/8/8"}) {
        EXPECT_NE(check_network(bad), "") << bad;
    }
    EXPECT_EQ(check_bucket("llm-research.prod-1"), "");
    for (const char* bad : {"ab", "Upper", "a_b", "-ab", "ab-", "a b"}) {
        EXPECT_NE(check_bucket(bad), "") << bad;
    }
    EXPECT_NE(check_header_text("a b"), "");
    EXPECT_NE(check_header_text("\xc3\xa9"), "");
    EXPECT_EQ(check_header_text("a-b_c/d=="), "");
    EXPECT_TRUE(parse_arn("arn:aws:secretsmanager:us-east-1:123456789:secret:jwt-secret"));
    EXPECT_FALSE(parse_arn("aws:secretsmanager:us-east-1:123456789:secret:x"));
    EXPECT_FALSE(parse_arn("arn:aws:s3"));
}

TEST(SettingValue, BoundsAreDescribedInTheLargestUnit) {
    EXPECT_EQ(describe_duration(500), "500 ms");
    EXPECT_EQ(describe_duration(1'000), "1 s");
    EXPECT_EQ(describe_duration(90'000), "90 s");
    EXPECT_EQ(describe_duration(300'000), "5 min");
    EXPECT_EQ(describe_duration(7 * 86'400'000LL), "7 d");
    EXPECT_EQ(describe_duration(0), "0");
    EXPECT_EQ(describe_size(64 << 20), "64 MiB");
    EXPECT_EQ(describe_size(1000), "1000 B");
}

// --- Secrets -------------------------------------------------------------------------------------

TEST(WeakSecret, FindsWhatPeopleType) {
    for (const char* secret : {
             "",
             "changeme",
             "0123456789abcdef0123456789abcde",
             "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
             "abababababababababababababababababab",
             "changemechangemechangemechangeme",
             "change-me-in-production-please-123",
             "your-256-bit-secret-your-256-bit-secret",
             "a-string-secret-at-least-256-bits-long",
             "this-is-a-very-secret-jwt-key-1234",
             "super-secret-jwt-signing-key-for-development",
             "llm-research-lab-jwt-secret-key-production",
             "passwordpassword12345678901234567890",
             "0123456789abcdef0123456789abcdef",
             "abcdefghijklmnopqrstuvwxyz0123456789",
             "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789",
             "11111111111111111111111111111111111112",
             "qwertyuiopasdfghjklzxcvbnm1234567890",
             "default_insecure_test_secret_value_000",
             "deadbeefdeadbeefdeadbeefdeadbeefcafe",
         }) {
        EXPECT_NE(weakness_of(secret), "") << secret;
        EXPECT_EQ(weakness_of(secret).find("secret"), std::string::npos);
    }
}

// Five each of: openssl rand -hex 16, openssl rand -base64 24, openssl rand -base64 48,
// uuidgen (36 characters), 32 of letters, digits and signs.
TEST(WeakSecret, PassesWhatMachinesMake) {
    for (const char* secret : {
             "25e3e53d1c25d075caf94a85d00ef167",
             "f44fcf470ee9e66373c89366a4389996",
             "3be48e359aa5dffd181b264cbf8a08a5",
             "da7e9d7ba0f09f5da274ca2a65a59429",
             "6c4f9bfedd4a6ba9899225dbdf445e89",
             "YKy1rfEGuWbA91zcctlQeDcU4/XhVeyv",
             "/ABvktfW99TzFVXysSMqER7bWgIKuL3v",
             "zhgn05f5S8TIHGpr8DNiUQHbTi/ny41K",
             "l1lrLDFaDO27MUysJp0ADhPTuQFrWbiI",
             "Gtc9yx20PKskL/5C1AZkY1Aey5gaiPtV",
             "JaSzsbGfoKOzN7DyzaDPLhe1Qec+lvp/3Q/rCxXWVMd4JD0YVzOnqckHSdwcTZ0g",
             "aHe1iuJVCyiB1gRj0Vm3Qctpx41BZhinSdjwvckMlmfd9bwoMR9COG97ngzOcY4h",
             "AAraNBqfhyHPr/cMffJQ7a6XbIMSgksRb9WqNUezHxLJ5okK9PZy+lOjLgNBgF0y",
             "8uHX3AMgs2SnYOnx/cv68D9/qT5aoCcR/5km+mrW9/eZ7rUqv3KhQMe+PC46FDzo",
             "Gn1rxL60iMXrc/Q3XO8/aP+vELSm2SX4Lkye2vyiJjgJJ92kfIMTz+O/F0zWL/Jr",
             "874a8e08-42d5-4bd2-8baa-4b70dcaf7437",
             "766ff850-7a4d-4373-a4eb-7ad0c57cd3aa",
             "2031ccaf-bf51-4cbc-807b-e623dbfe246f",
             "1b4f2358-baca-4c6c-bd25-e057dd0210aa",
             "a35fd6aa-94af-4f6a-a64f-4d7ebdc1006a",
             "E8hg>w.mATy2#Qp^W:D>eO?2ff^@>jHW",
             "3X>0zt6uAx~+>4.*1AyCpFS<S6hkqXP8",
             "~k4nlLjpD!wg_n!-M@cEVJo5yK/T:3mv",
             "k8sdrvOeL3d8_724!tYn#$*m#p&EJFh,",
             "C%H6x2F3~WbQ>*YFt;nZ3fPy+p$QFKrq",
         }) {
        EXPECT_EQ(weakness_of(secret), "") << secret;
    }
    EXPECT_NE(weakness_of("k7Qw9zX3vB5nM1a", 16), "");
    EXPECT_EQ(weakness_of("k7Qw9zX3vB5nM1aS", 16), "");
}

}  // namespace
}  // namespace lab::config
