#include "providers/factory.h"
#include "providers/impl/presets.h"
#include "support/manual_clock.h"

#include <gtest/gtest.h>

namespace lab::providers {
namespace {

/// Takes requests and never answers.
struct SilentClient final : http::Client {
    http::TransferId start(http::Request request, std::shared_ptr<http::ResponseSink>) override {
        last = std::move(request);
        return 1;
    }
    void cancel(http::TransferId) override {}
    http::Request last;
};

domain::ModelSpec model_of(const char* provider, const char* model, const char* base_url) {
    domain::ModelSpec out;
    out.id = "m";
    out.provider = provider;
    out.model = model;
    out.base_url = base_url;
    out.api_key_env = "KEY";
    return out;
}

std::optional<std::string> key_of(const std::string& name) {
    return name == "KEY" ? std::optional<std::string>("secret") : std::nullopt;
}

/// Where a call goes, or what is wrong with the base_url.
std::string target(const char* provider, const char* model, const char* base_url) {
    const domain::ModelSpec spec = model_of(provider, model, base_url);
    const auto problems = check_model(spec, key_of, "");
    if (!problems.empty()) {
        EXPECT_EQ(problems.size(), 1U);
        EXPECT_EQ(problems[0].field, "base_url");
        return problems[0].message;
    }
    SilentClient client;
    lab::test::ManualClock clock;
    auto made = make_provider(spec, {.http = &client, .clock = &clock, .env = key_of});
    EXPECT_TRUE(made) << (made ? "" : made.error().message);
    if (!made) {
        return "";
    }
    CallRequest call;
    call.model = model;
    call.messages = {{"user", "hi"}};
    call.stream = false;
    (*made)->start(std::move(call), [](CallResult) {});
    return client.last.url;
}

TEST(BaseUrl, AHostAloneGetsTheVersionThatTheVendorsSdkAdds) {
    const std::string messages = "https://proxy.example:8443/v1/messages";
    EXPECT_EQ(target("anthropic", "claude", "https://proxy.example:8443"), messages);
    EXPECT_EQ(target("anthropic", "claude", "https://proxy.example:8443/"), messages);
    EXPECT_EQ(target("anthropic", "claude", "https://proxy.example:8443/v1"), messages);
    EXPECT_EQ(
        target("anthropic", "claude", "https://proxy.example/anthropic/v2"),
        "https://proxy.example/anthropic/v2/messages"
    ) << "whoever names a path means it";
    const std::string generate = "https://proxy.example/v1beta/models/gemini:generateContent";
    EXPECT_EQ(target("google", "gemini", "https://proxy.example"), generate);
    EXPECT_EQ(target("google", "gemini", "https://proxy.example/v1beta/"), generate);
    EXPECT_EQ(
        target("google", "gemini", "https://proxy.example/v1"),
        "https://proxy.example/v1/models/gemini:generateContent"
    );
    EXPECT_EQ(
        target("openai", "gpt", "http://localhost:8000"), "http://localhost:8000/chat/completions"
    ) << "OpenAI's own SDK takes base_url as it is";
}

TEST(BaseUrl, WhatAzuresPortalShowsIsUnderstoodOrRefused) {
    const std::string chat =
        "https://res.openai.azure.com/openai/deployments/gpt-4o/chat/completions"
        "?api-version=2024-10-21";
    for (const char* url :
         {"https://res.openai.azure.com",
          "https://res.openai.azure.com/",
          "https://res.openai.azure.com/openai",
          "https://res.openai.azure.com/openai/deployments/gpt-4o",
          "https://res.openai.azure.com/openai/deployments/gpt-4o/"}) {
        EXPECT_EQ(target("azure", "gpt-4o", url), chat) << url;
    }
    EXPECT_EQ(
        target("azure", "gpt-4o", "https://gate.example/eu/openai/deployments/gpt-4o"),
        "https://gate.example/eu/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21"
    );
    EXPECT_EQ(
        target("azure", "gpt-4o", "https://res.openai.azure.com/openai/deployments/mini"),
        "names the deployment \"mini\", but `model` is \"gpt-4o\": write base_url: "
        "https://res.openai.azure.com and the deployment as `model`"
    );
    EXPECT_EQ(
        target("azure", "gpt-4o", "https://res.openai.azure.com/openai/v1/"),
        "write https://res.openai.azure.com (the calls go to its deployments); or keep it with the "
        "provider \"openai\", whose protocol /openai/v1 speaks"
    );
    EXPECT_EQ(
        target("openai", "gpt-4o", "https://res.openai.azure.com/openai/v1"),
        "https://res.openai.azure.com/openai/v1/chat/completions"
    );
}

TEST(BaseUrl, AWholeMethodIsRefusedWithItsName) {
    EXPECT_EQ(
        target(
            "azure",
            "gpt-4o",
            "https://res.openai.azure.com/openai/deployments/gpt-4o/chat/completions"
        ),
        "leave /chat/completions away: it is added"
    );
    EXPECT_EQ(
        target("anthropic", "claude", "https://proxy.example/v1/messages"),
        "leave /messages away: it is added"
    );
}

}  // namespace
}  // namespace lab::providers
