#include "storage/store/credentials.h"

#include "storage/store/impl/test_store.h"

#include <gtest/gtest.h>

namespace lab::storage {
namespace {

class CredentialRows : public test::StoreTest {
  protected:
    static Credential named(const std::string& name) {
        return {
            .name = name,
            .provider = "openai",
            .secret_ref = "env:ACME_API_KEY",
            .allowed_hosts = {"llm.example.org", "*.example.net:8443"},
            .created_by = "u-1",
            .created_at = "2026-01-01",
            .updated_at = "2026-01-02",
        };
    }
    Credentials rows_{*session_};
};

TEST_P(CredentialRows, OneComesBackAsItWasAndHasItsNameAlone) {
    ASSERT_TRUE(rows_.create(ctx_, named("acme")));
    const Credential found = *rows_.find(ctx_, 1, "acme").value();
    EXPECT_EQ(found.provider, "openai");
    EXPECT_EQ(found.secret_ref, "env:ACME_API_KEY");
    EXPECT_EQ(found.allowed_hosts, named("acme").allowed_hosts);
    EXPECT_EQ(found.revision, 1);
    EXPECT_EQ(found.created_by, "u-1");
    EXPECT_EQ(found.created_at, "2026-01-01");
    EXPECT_EQ(found.updated_at, "2026-01-02");
    EXPECT_FALSE(rows_.find(ctx_, 1, "other").value());
    EXPECT_FALSE(rows_.find(ctx_, 2, "acme").value()) << "it is another tenant's";
    EXPECT_EQ(rows_.create(ctx_, named("acme")).error().code, Code::conflict);
}

TEST_P(CredentialRows, ChangesAreMadeOverTheRevisionThatWasRead) {
    ASSERT_TRUE(rows_.create(ctx_, named("acme")));
    Credential changed = named("acme");
    changed.allowed_hosts = {};
    changed.updated_at = "2026-01-03";
    EXPECT_TRUE(rows_.update(ctx_, changed).value());
    EXPECT_FALSE(rows_.update(ctx_, changed).value()) << "it is revision 2 by now";
    const Credential found = *rows_.find(ctx_, 1, "acme").value();
    EXPECT_TRUE(found.allowed_hosts.empty());
    EXPECT_EQ(found.revision, 2);
    EXPECT_EQ(found.created_at, "2026-01-01");
    EXPECT_FALSE(rows_.remove(ctx_, 1, "acme", 1).value());
    EXPECT_TRUE(rows_.remove(ctx_, 1, "acme", 2).value());
    EXPECT_FALSE(rows_.find(ctx_, 1, "acme").value());
}

TEST_P(CredentialRows, AreListedByName) {
    for (const char* name : {"b", "c", "a"}) {
        ASSERT_TRUE(rows_.create(ctx_, named(name)));
    }
    std::string names;
    for (const Credential& one : rows_.list(ctx_, 1).value()) {
        names += one.name;
    }
    EXPECT_EQ(names, "abc");
}

LAB_ALL_BACKENDS(CredentialRows);

}  // namespace
}  // namespace lab::storage
