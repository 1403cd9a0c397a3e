#include "platform/http/url_guard.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <fstream>

namespace lab::http {
namespace {

std::vector<HostRule> rules(std::initializer_list<std::string_view> texts) {
    std::vector<HostRule> out;
    for (const std::string_view text : texts) {
        auto rule = parse_host_rule(text);
        EXPECT_TRUE(rule) << text;
        if (rule) {
            out.push_back(*std::move(rule));
        }
    }
    return out;
}

UrlGuard guard_of(std::initializer_list<std::string_view> trusted, bool loopback = false) {
    return UrlGuard({
        .trusted = rules(trusted),
        .services = rules({"api.openai.com", "*.openai.azure.com"}),
        .loopback = loopback,
    });
}

std::vector<std::uint8_t> bytes_of(const std::string& text) {
    const bool six = text.find(':') != std::string::npos;
    std::vector<std::uint8_t> out(six ? 16 : 4);
    EXPECT_EQ(::inet_pton(six ? AF_INET6 : AF_INET, text.c_str(), out.data()), 1) << text;
    return out;
}

TEST(UrlGuard, RefusesEveryFormOfTheCorpusForItsReason) {
    std::ifstream file(LAB_SOURCE_DIR "/tests/data/ssrf_forms.txt");
    const UrlGuard guard = guard_of({"models.example.net:8443"});
    int forms = 0;
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with('#')) {
            continue;
        }
        const std::size_t tab = line.rfind('\t');
        ASSERT_NE(tab, std::string::npos) << line;
        const auto form = nlohmann::json::parse(line.substr(0, tab)).get<std::string>();
        const Status status = guard.check(form);
        ++forms;
        ASSERT_FALSE(status) << line;
        EXPECT_EQ(status.error().code, Code::validation);
        EXPECT_NE(status.error().message.find(line.substr(tab + 1)), std::string::npos)
            << line << " -> " << status.error().message;
    }
    EXPECT_GE(forms, 60);
}

TEST(UrlGuard, TakesServicesOverTlsAndWhatTheOperatorNamed) {
    const UrlGuard guard = guard_of({"10.0.0.7:8000", "gpu-1", "*.models.svc.cluster.local"});
    for (const char* good :
         {"https://api.openai.com/v1",
          "https://API.OpenAI.com:443/v1?x=1",
          "https://lab.openai.azure.com",
          "http://10.0.0.7:8000/v1",
          "http://gpu-1:1234",
          "http://a.models.svc.cluster.local/v1"}) {
        EXPECT_TRUE(guard.check(good)) << good;
    }
    for (const char* bad :
         {"http://10.0.0.7:8001/v1",
          "http://10.0.0.7/v1",
          "http://gpu-11/",
          "https://openai.azure.com/",
          "https://evilopenai.azure.com/",
          "http://models.svc.cluster.local/"}) {
        EXPECT_FALSE(guard.check(bad)) << bad;
    }
}

TEST(UrlGuard, TheHostsOfACredentialAreServicesForOneUse) {
    const UrlGuard guard = guard_of({});
    const auto further = rules({"llm.example.net", "eu.example.net:8443"});
    EXPECT_FALSE(guard.check("https://llm.example.net/v1"));
    EXPECT_TRUE(guard.check("https://llm.example.net/v1", further));
    EXPECT_TRUE(guard.check("https://eu.example.net:8443/v1", further));
    EXPECT_FALSE(guard.check("https://eu.example.net/v1", further));
    EXPECT_FALSE(guard.check("http://llm.example.net/v1", further));
    EXPECT_FALSE(guard.check("https://10.0.0.9/v1", rules({"10.0.0.9"})));
}

TEST(UrlGuard, LoopbackIsTakenOnlyWhereItIsAllowedAndOnlyInItsOwnSpelling) {
    const UrlGuard guard = guard_of({}, true);
    EXPECT_TRUE(guard.check("http://127.0.0.1:8080/v1"));
    EXPECT_TRUE(guard.check("http://[::1]:8080/v1"));
    EXPECT_TRUE(guard.check("http://localhost:8080/v1"));
    EXPECT_FALSE(guard.check("http://127.0.0.2:8080/v1"));
    EXPECT_FALSE(guard.check("http://127.1:8080/v1"));
    EXPECT_FALSE(guard.check("http://[::ffff:127.0.0.1]:8080/v1"));
}

TEST(UrlGuard, AddressesAreJudgedWhenTheyAreConnectedTo) {
    const UrlGuard guard = guard_of({"gpu-1", "169.254.169.254"});
    const auto refuse = [&](const char* url, const char* address) {
        return std::string(guard.refuse_address(*parse_outbound_url(url), bytes_of(address)));
    };
    EXPECT_EQ(refuse("https://api.openai.com/", "162.159.140.245"), "");
    EXPECT_EQ(refuse("https://api.openai.com/", "2606:4700::1"), "");
    EXPECT_EQ(refuse("https://api.openai.com/", "127.0.0.1"), "a loopback address");
    EXPECT_EQ(refuse("https://api.openai.com/", "::ffff:10.1.2.3"), "a private address");
    EXPECT_EQ(refuse("https://api.openai.com/", "64:ff9b::a9fe:a9fe"), "a link-local address");
    EXPECT_EQ(refuse("https://api.openai.com/", "2001:0:1::"), "a reserved address");
    // A name that the operator wrote may be private, yet never a metadata service.
    EXPECT_EQ(refuse("http://gpu-1/", "10.1.2.3"), "");
    EXPECT_EQ(refuse("http://gpu-1/", "169.254.169.254"), "a link-local address");
    EXPECT_EQ(refuse("http://gpu-1/", "0.0.0.0"), "a reserved address");
    EXPECT_EQ(refuse("http://169.254.169.254/", "169.254.169.254"), "");
}

TEST(UrlGuard, TheEdgesOfNetworksAreWhereTheyBelong) {
    const auto open = [](const char* address) {
        return address_problem(bytes_of(address)).empty();
    };
    for (const char* address : {"1.0.0.0",       "9.255.255.255",   "11.0.0.0",   "100.63.255.255",
                                "100.128.0.0",   "126.255.255.255", "128.0.0.0",  "169.253.255.255",
                                "169.255.0.0",   "172.15.255.255",  "172.32.0.0", "192.167.255.255",
                                "192.169.0.0",   "198.17.255.255",  "198.20.0.0", "223.255.255.255",
                                "2000::1",       "2001:200::1",     "2606::",     "fbff::1",
                                "2002:808:808::"}) {
        EXPECT_TRUE(open(address)) << address;
    }
    for (const char* address :
         {"10.255.255.255",
          "100.64.0.0",
          "100.127.255.255",
          "172.16.0.0",
          "172.31.255.255",
          "198.19.255.255",
          "224.0.0.0",
          "255.255.255.255",
          "2001:1ff::1",
          "fdff::1",
          "fe80::",
          "febf::1",
          "feff::1",
          "ff00::",
          "64:ff9b:1:ffff::1"}) {
        EXPECT_FALSE(open(address)) << address;
    }
}

TEST(HostRule, SaysWhatItCannotRead) {
    for (const char* bad :
         {"",
          "*",
          "*.org",
          "*.10.0.0.1",
          "a.example.org:",
          "a.example.org:0",
          "http://a.org",
          "a.org/x",
          "[::1",
          "a b",
          "127.1",
          "user@a.org"}) {
        EXPECT_FALSE(parse_host_rule(bad)) << bad;
    }
    using namespace std::string_view_literals;
    for (const std::string_view bad :
         {"::1\0x"sv, "[::1\0x]"sv, "a.org\0"sv, "api.\u212a.org"sv, "\u00e9.org"sv}) {
        EXPECT_FALSE(parse_host_rule(bad)) << bad;
    }
    const HostRule six = *parse_host_rule("::1");
    EXPECT_EQ(six.host, "[::1]");
    EXPECT_EQ(six.port, 0);
    const HostRule with_port = *parse_host_rule("[0::1]:8000");
    EXPECT_EQ(with_port.host, "[::1]");
    EXPECT_EQ(with_port.port, 8000);
    const HostRule below = *parse_host_rule("*.Example.org:8443");
    EXPECT_TRUE(below.below);
    EXPECT_EQ(below.host, ".example.org");
}

}  // namespace
}  // namespace lab::http
