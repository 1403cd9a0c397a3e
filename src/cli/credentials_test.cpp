#include "cli/credentials.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

namespace lab::cli {
namespace {

class FakeKeyring final : public Keyring {
  public:
    Status store(const std::string& account, const std::string& secret) override {
        secrets[account] = secret;
        return ok();
    }
    Result<std::optional<std::string>> load(const std::string& account) override {
        const auto found = secrets.find(account);
        return found == secrets.end() ? std::optional<std::string>() : std::optional(found->second);
    }
    Status erase(const std::string& account) override {
        secrets.erase(account);
        return ok();
    }
    std::map<std::string, std::string> secrets;
};

class StoredCredentials : public testing::Test {
  protected:
    void SetUp() override { std::filesystem::remove_all(folder_); }
    void TearDown() override { std::filesystem::remove_all(folder_); }
    std::string text() const {
        std::ifstream file(path_);
        std::ostringstream out;
        out << file.rdbuf();
        return out.str();
    }
    static Credential key(const std::string& server, const std::string& secret) {
        Credential out;
        out.server = server;
        out.api_key = secret;
        return out;
    }
    std::string folder_ = testing::TempDir() + "lab_credentials";
    std::string path_ = folder_ + "/credentials.json";
    FakeKeyring keyring_;
};

TEST_F(StoredCredentials, AreInAFileOfTheOwnerAlone) {
    CredentialStore store(path_, nullptr);
    ASSERT_TRUE(store.save(key("http://a", "secret-a")));
    struct stat found{};
    ASSERT_EQ(::stat(path_.c_str(), &found), 0);
    EXPECT_EQ(found.st_mode & 0777U, 0600U);
    EXPECT_EQ(store.find("http://a", "").value()->api_key, "secret-a");
    EXPECT_FALSE(store.find("http://b", "").value());
    EXPECT_FALSE(store.find("http://a", "ci").value());
}

TEST_F(StoredCredentials, AFileThatOthersMayReadIsNotBelieved) {
    CredentialStore store(path_, nullptr);
    ASSERT_TRUE(store.save(key("http://a", "secret-a")));
    ASSERT_EQ(::chmod(path_.c_str(), 0640), 0);
    const auto found = store.find("http://a", "");
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().code, Code::validation);
}

TEST_F(StoredCredentials, OfTheKeyringLeaveOnlyAMarkInTheFile) {
    CredentialStore store(path_, &keyring_);
    Credential one = key("http://a", "secret-a");
    one.in_keyring = true;
    ASSERT_TRUE(store.save(one));
    EXPECT_EQ(text().find("secret-a"), std::string::npos);
    EXPECT_EQ(store.find("http://a", "").value()->api_key, "secret-a");
    EXPECT_TRUE(store.list().value().front().api_key.empty());
    ASSERT_TRUE(store.remove("http://a", ""));
    EXPECT_TRUE(keyring_.secrets.empty());
    EXPECT_TRUE(store.list().value().empty());
}

TEST_F(StoredCredentials, WithoutAKeyringItIsSaid) {
    CredentialStore store(path_, nullptr);
    Credential one = key("http://a", "secret-a");
    one.in_keyring = true;
    const Status saved = store.save(one);
    ASSERT_FALSE(saved);
    EXPECT_EQ(saved.error().code, Code::unavailable);
    EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(StoredCredentials, ABrokenFileIsNamed) {
    CredentialStore store(path_, nullptr);
    ASSERT_TRUE(store.save(key("http://a", "x")));
    std::ofstream(path_) << "{";
    const auto found = store.find("http://a", "");
    ASSERT_FALSE(found);
    EXPECT_NE(found.error().message.find(path_), std::string::npos);
}

}  // namespace
}  // namespace lab::cli
