#include "service/credentials.h"

#include "service/impl/test_platform.h"
#include "service/models.h"

#include <gtest/gtest.h>

namespace lab::service {
namespace {

/// Secrets that are there are those whose reference ends in "there".
class FakeOutbound final : public Outbound {
  public:
    Status check_url(std::string_view url, std::span<const std::string> hosts) const override {
        return reaches(hosts, url) || url.find("open.example") != std::string_view::npos
                   ? ok()
                   : Status(Error(Code::validation, "no way there"));
    }
    Status check_reach(std::span<const std::string> hosts, std::string_view, std::string_view url)
        const override {
        return reaches(hosts, url) ? ok() : Status(Error(Code::validation, "not for that host"));
    }
    Status check_host(std::string_view host) const override {
        return host.find('/') == std::string_view::npos
                   ? ok()
                   : Status(Error(Code::validation, "no host"));
    }
    Status check_reference(std::string_view reference) const override {
        return reference.starts_with("env:") ? ok()
                                             : Status(Error(Code::validation, "no reference"));
    }
    Result<std::string> resolve(std::string_view reference) const override {
        return reference.ends_with("there")
                   ? Result<std::string>(std::string("the secret of ") + std::string(reference))
                   : Error(Code::not_found, "it is not set");
    }
    const std::vector<storage::Credential>& built_in() const override { return built_in_; }
    std::vector<storage::Credential> built_in_;

  private:
    static bool reaches(std::span<const std::string> hosts, std::string_view url) {
        return std::ranges::any_of(hosts, [&](const std::string& host) {
            return url.find(host) != std::string_view::npos;
        });
    }
};

class ServiceCredentials : public test::PlatformTest {
  protected:
    ServiceCredentials() { deps_.outbound = &outbound_; }
    static Json body(const std::string& name) {
        return {{"name", name}, {"secret_ref", "env:there"}, {"allowed_hosts", {"a.example"}}};
    }
    domain::ModelSpec model(const std::string& variable, const std::string& url) {
        domain::ModelSpec out;
        out.id = "m";
        out.api_key_env = variable;
        out.base_url = url;
        return out;
    }
    std::string run_refusal(const domain::ModelSpec& spec) {
        return refusal(Result<int>([&]() -> Result<int> {
            LAB_CHECK(check_credential_of_run(ctx_, outbound_, *session_, spec));
            return 0;
        }()));
    }
    FakeOutbound outbound_;
};

TEST_F(ServiceCredentials, AreShownWithoutTheirSecret) {
    const auto made = create_credential(as(root_), body("acme-eu"));
    ASSERT_TRUE(made) << words(made.error());
    EXPECT_EQ(made->json["resolves"], true);
    EXPECT_EQ(made->json["created_by"], root_.user_id);
    EXPECT_EQ(dump_json(made->json).find("the secret of"), std::string::npos);
    Json absent = body("absent");
    absent["secret_ref"] = "env:gone";
    EXPECT_EQ(create_credential(as(root_), absent)->json["problem"], "it is not set");
    EXPECT_EQ(code_of(create_credential(as(root_), body("acme-eu"))), Code::conflict);
    EXPECT_EQ(list_credentials(as(root_))->size(), 2U);
}

TEST_F(ServiceCredentials, SayAllThatIsWrongWithThem) {
    EXPECT_EQ(
        refusal(create_credential(
            as(root_), {{"name", "x"}, {"secret_ref", "sk-1"}, {"allowed_hosts", {"a", "b/c"}}}
        )),
        "VALIDATION_ERROR: the credential cannot be as given | secret_ref: no reference | "
        "allowed_hosts[1]: no host"
    );
}

TEST_F(ServiceCredentials, AreOfTheirTenantAlone) {
    ASSERT_TRUE(create_credential(as(root_), body("acme")));
    EXPECT_EQ(code_of(get_credential(as(eve_), "acme")), Code::not_found);
    EXPECT_TRUE(list_credentials(as(eve_))->empty());
    EXPECT_EQ(code_of(remove_credential(as(eve_), "acme", std::nullopt)), Code::not_found);
    EXPECT_EQ(
        run_refusal(model(credential_variable(2, "acme"), "https://a.example")),
        "VALIDATION_ERROR: the credential of the model \"m\" is not there any more"
    );
}

TEST_F(ServiceCredentials, AreChangedOverTheRevisionThatWasRead) {
    ASSERT_TRUE(create_credential(as(root_), body("acme")));
    const Json changes = {{"allowed_hosts", {"b.example"}}};
    EXPECT_EQ(code_of(update_credential(as(root_), "acme", changes, 7)), Code::precondition_failed);
    const auto changed = update_credential(as(root_), "acme", changes, 1);
    ASSERT_TRUE(changed);
    EXPECT_EQ(changed->revision, 2);
    EXPECT_EQ(changed->json["secret_ref"], "env:there");
    EXPECT_EQ((*changed->before)["allowed_hosts"][0], "a.example");
    EXPECT_EQ(code_of(remove_credential(as(root_), "acme", 1)), Code::precondition_failed);
    EXPECT_TRUE(remove_credential(as(root_), "acme", 2));
}

TEST_F(ServiceCredentials, OfTheEnvironmentAreNotChangedHere) {
    outbound_.built_in_.push_back({.name = "openai", .secret_ref = "env:there"});
    EXPECT_EQ(get_credential(as(ann_), "openai")->json["built_in"], true);
    EXPECT_EQ(code_of(remove_credential(as(root_), "openai", std::nullopt)), Code::invalid_state);
    EXPECT_EQ(code_of(create_credential(as(root_), body("openai"))), Code::conflict);
}

TEST_F(ServiceCredentials, AModelNamesOneThatReachesItsServer) {
    ASSERT_TRUE(create_credential(as(root_), body("acme")));
    const auto problems = [&](const Json& config) {
        std::string out;
        for (const Detail& detail : check_way_out(as(ann_), "custom", config)) {
            out += detail.field + ": " + detail.message + ";";
        }
        return out;
    };
    EXPECT_EQ(problems({{"base_url", "https://a.example"}, {"credential", "acme"}}), "");
    EXPECT_EQ(
        problems({{"base_url", "https://open.example"}, {"credential", "acme"}}),
        "config.credential: not for that host;"
    );
    EXPECT_EQ(problems({{"base_url", "https://a.example"}}), "config.base_url: no way there;");
    EXPECT_NE(
        problems({{"credential", "nobody"}}).find("no credential of this name"), std::string::npos
    );
    EXPECT_NE(problems({{"credential", 7}}).find("no credential of this name"), std::string::npos);
    EXPECT_EQ(problems({{"base_url", 7}}), "config.base_url: must be a URL, a text;");
}

TEST_F(ServiceCredentials, ARunFindsItsOwnAndFailsWithoutIt) {
    ASSERT_TRUE(create_credential(as(root_), body("acme-eu")));
    const std::string variable = credential_variable(1, "acme-eu");
    EXPECT_EQ(variable, "LAB_CREDENTIAL_1_ACME_EU");
    EXPECT_TRUE(is_credential_variable(variable));
    EXPECT_FALSE(is_credential_variable("OPENAI_API_KEY"));
    const auto spec = model(variable, "https://a.example");
    EXPECT_TRUE(check_credential_of_run(ctx_, outbound_, *session_, spec));
    EXPECT_EQ(
        *secret_of_variable(ctx_, outbound_, *session_, variable).value(), "the secret of env:there"
    );
    EXPECT_EQ(
        run_refusal(model(variable, "https://open.example")),
        "VALIDATION_ERROR: the credential of the model \"m\": not for that host"
    );
    ASSERT_TRUE(update_credential(as(root_), "acme-eu", {{"secret_ref", "env:gone"}}, 1));
    EXPECT_EQ(
        run_refusal(spec), "VALIDATION_ERROR: the credential of the model \"m\": it is not set"
    );
    ASSERT_TRUE(remove_credential(as(root_), "acme-eu", std::nullopt));
    EXPECT_EQ(
        run_refusal(spec),
        "VALIDATION_ERROR: the credential of the model \"m\" is not there any more"
    );
    EXPECT_FALSE(secret_of_variable(ctx_, outbound_, *session_, variable).value());
    EXPECT_FALSE(secret_of_variable(ctx_, outbound_, *session_, "LAB_CREDENTIAL_x").value());
}

}  // namespace
}  // namespace lab::service
