#include "platform/kubernetes/account.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace lab::kubernetes {
namespace {

namespace fs = std::filesystem;

struct AccountTest : testing::Test {
    AccountTest()
        : folder(fs::path(testing::TempDir()) / ("account" + std::to_string(::getpid()))) {
        fs::remove_all(folder);
        fs::create_directories(folder);
    }
    ~AccountTest() override { fs::remove_all(folder); }
    void write(const char* name, const std::string& text) const {
        std::ofstream(folder / name, std::ios::binary) << text;
    }
    fs::path folder;
};

TEST_F(AccountTest, ReadsWhatTheKubeletMountsEachTimeAnew) {
    const Account account(folder.string());
    write("token", "one\n");
    write("namespace", "llm-research");
    write("ca.crt", "pem");
    EXPECT_EQ(account.token().value(), "one");
    EXPECT_EQ(account.pod_namespace().value(), "llm-research");
    EXPECT_EQ(account.authority_file().value(), (folder / "ca.crt").string());
    write("token", "two");
    EXPECT_EQ(account.token().value(), "two");
}

TEST_F(AccountTest, SaysWhichFileIsMissingOrWrongAndNotWhatItHolds) {
    const Account account(folder.string());
    EXPECT_EQ(
        account.token().error().message,
        "there is no service account: " + (folder / "token").string() +
            " cannot be read or is empty"
    );
    EXPECT_EQ(account.authority_file().error().code, Code::not_found);
    for (const std::string& bad : {std::string("a\r\nX-Evil: 1"), std::string(70'000, 'x')}) {
        write("token", bad);
        const auto token = account.token();
        ASSERT_FALSE(token);
        EXPECT_EQ(token.error().code, Code::not_found);
        EXPECT_EQ(token.error().message.find("Evil"), std::string::npos);
    }
    for (const std::string& bad : {std::string("a/b"), std::string("?"), std::string(64, 'a')}) {
        write("namespace", bad);
        EXPECT_FALSE(account.pod_namespace()) << bad;
    }
}

TEST(ApiServer, HasAnAddressOfEitherKind) {
    EXPECT_EQ(api_server_url("10.96.0.1", 443), "https://10.96.0.1:443");
    EXPECT_EQ(api_server_url("fd00::1", 6443), "https://[fd00::1]:6443");
    EXPECT_EQ(api_server_url("kubernetes.default", 443), "https://kubernetes.default:443");
}

}  // namespace
}  // namespace lab::kubernetes
