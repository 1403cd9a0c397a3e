#include "providers/factory.h"

#include "providers/impl/presets.h"
#include "providers/prices.h"
#include "support/manual_clock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace lab::providers {
namespace {

using testing::HasSubstr;

/// Takes requests and never answers.
struct SilentClient final : http::Client {
    http::TransferId start(http::Request request, std::shared_ptr<http::ResponseSink>) override {
        last = std::move(request);
        return 1;
    }
    void cancel(http::TransferId) override {}
    http::Request last;
};

struct FactoryTest : testing::Test {
    std::map<std::string, std::string> variables;
    EnvLookup env = [this](const std::string& name) -> std::optional<std::string> {
        const auto found = variables.find(name);
        return found == variables.end() ? std::nullopt : std::optional(found->second);
    };
    domain::ModelSpec model;
    SilentClient client;
    lab::test::ManualClock clock;

    FactoryTest() {
        model.id = "m";
        model.provider = "openai";
        model.model = "gpt-4o";
        variables["OPENAI_API_KEY"] = "sk-own";
    }
    std::vector<std::string> problems() const {
        std::vector<std::string> out;
        for (const Detail& detail : check_model(model, env, "models[0]")) {
            out.push_back(detail.field + ": " + detail.message);
        }
        return out;
    }
    std::string problem() const {
        const auto all = problems();
        EXPECT_LE(all.size(), 1U);
        return all.empty() ? "" : all.front();
    }
    /// The request that a call of this model makes.
    http::Request request() {
        auto provider = make_provider(model, {.http = &client, .clock = &clock, .env = env});
        EXPECT_TRUE(provider) << provider.error().message;
        if (provider) {
            CallRequest call;
            call.model = model.model;
            call.messages = {{"user", "hi"}};
            (*provider)->start(std::move(call), [](CallResult) {});
        }
        return client.last;
    }
    std::string sent_key() {
        const http::Request sent = request();
        std::string keys;
        for (const char* name : {"authorization", "api-key", "x-api-key", "x-goog-api-key"}) {
            keys += http::find_header(sent.headers, name);
        }
        return keys;
    }
};

TEST_F(FactoryTest, KnowsItsProviders) {
    const auto names = provider_names();
    for (const char* name :
         {"openai",
          "anthropic",
          "google",
          "azure",
          "bedrock",
          "replay",
          "vllm",
          "ollama",
          "llamacpp",
          "mistral",
          "groq",
          "together",
          "openrouter",
          "deepseek",
          "huggingface",
          "cohere"}) {
        EXPECT_THAT(names, testing::Contains(name));
    }
    EXPECT_EQ(default_key_variable("openai"), "OPENAI_API_KEY");
    EXPECT_EQ(default_key_variable("huggingface"), "HF_TOKEN");
    EXPECT_EQ(default_key_variable("replay"), "");
    EXPECT_EQ(default_key_variable("nobody"), "");
    model.provider = "opnai";
    EXPECT_EQ(
        problem(), "models[0].provider: unknown provider \"opnai\", did you mean \"openai\"?"
    );
}

TEST_F(FactoryTest, EveryPresetMakesAProviderAndSendsItsKey) {
    for (const Preset& preset : presets()) {
        if (preset.protocol == Protocol::replay) {
            continue;
        }
        model.provider = preset.name;
        model.base_url = preset.protocol == Protocol::azure     ? "https://res.openai.azure.com/"
                         : preset.protocol == Protocol::bedrock ? bedrock_url("eu-west-1")
                                                                : "";
        variables = {{std::string(preset.key_variable), " key-1\n"}};
        EXPECT_THAT(sent_key(), HasSubstr("key-1")) << preset.name;
        EXPECT_TRUE(client.last.url.starts_with(
            preset.protocol == Protocol::bedrock ? bedrock_url("eu-west-1") + "/model/"
            : preset.base_url.empty()            ? "https://res.openai.azure.com/openai/"
                                                 : std::string(preset.base_url)
        )) << client.last.url;
        variables.clear();
        EXPECT_EQ(problems().size(), preset.needs_key ? 1U : 0U) << preset.name;
    }
}

TEST_F(FactoryTest, AMissingKeyNamesItsVariable) {
    variables.clear();
    EXPECT_EQ(
        problem(),
        "models[0].api_key_env: the environment variable OPENAI_API_KEY is not set: it holds the "
        "key of openai (another can be named with api_key_env)"
    );
    model.api_key_env = "MY_KEY";
    EXPECT_THAT(problem(), HasSubstr("MY_KEY is not set"));
    variables["MY_KEY"] = "  ";
    EXPECT_THAT(problem(), HasSubstr("MY_KEY is not set"));
    variables["MY_KEY"] = "secret\nwith lines";
    EXPECT_THAT(problem(), HasSubstr("holds characters no key has"));
    EXPECT_EQ(problem().find("secret"), std::string::npos);
    const auto made = make_provider(model, {.http = &client, .clock = &clock, .env = env});
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, Code::validation);
}

TEST_F(FactoryTest, AKeyNeverFollowsABaseUrlToAForeignServer) {
    for (const char* url :
         {"http://localhost:8000/v1",
          "https://evil.example/v1",
          "https://api.openai.com.evil.example",
          "https://evilapi.openai.com.example/",
          "https://xapi.openai.com/v1",
          "http://api.openai.com/v1"}) {
        model.base_url = url;
        EXPECT_EQ(problem(), "") << url;
        EXPECT_EQ(sent_key(), "") << url;
    }
    for (const char* url :
         {"https://api.openai.com/v1",
          "https://eu.api.openai.com/v1/",
          "https://API.OPENAI.COM:443/v1"}) {
        model.base_url = url;
        EXPECT_EQ(sent_key(), "Bearer sk-own") << url;
    }
    model.base_url = "https://evil.example/v1";
    model.api_key_env = "MY_KEY";
    variables["MY_KEY"] = "mine";
    EXPECT_EQ(sent_key(), "Bearer mine") << "named for this server";

    model.provider = "azure";
    model.api_key_env = "";
    variables["AZURE_OPENAI_API_KEY"] = "az";
    model.base_url = "https://res.openai.azure.com";
    EXPECT_EQ(sent_key(), "az");
    model.base_url = "https://openai.azure.com.evil.example";
    EXPECT_THAT(problem(), HasSubstr("name the environment variable"));
}

TEST_F(FactoryTest, ExplainsAWrongBaseUrl) {
    model.api_key_env = "OPENAI_API_KEY";
    const auto with = [&](const std::string& url) {
        model.base_url = url;
        return problem();
    };
    EXPECT_THAT(with("localhost:8000"), HasSubstr("begins with http:// or https://"));
    EXPECT_THAT(with("ftp://x/"), HasSubstr("begins with http:// or https://"));
    EXPECT_THAT(with("file:///etc/passwd"), HasSubstr("begins with"));
    EXPECT_THAT(with("https://"), HasSubstr("names no host"));
    EXPECT_THAT(with("https://host:port/"), HasSubstr("names no host"));
    EXPECT_THAT(with("https://[::1/"), HasSubstr("names no host"));
    EXPECT_THAT(with("https://a b/"), HasSubstr("no spaces"));
    EXPECT_THAT(with("https://user:pw@host/"), HasSubstr("user name or password"));
    EXPECT_THAT(with("https://host/#x"), HasSubstr("#"));
    EXPECT_THAT(with("https://host/v1?key=x"), HasSubstr("?"));
    EXPECT_THAT(
        with("https://host/v1/chat/completions"), HasSubstr("leave /chat/completions away")
    );
    EXPECT_EQ(with("http://[::1]:8080/v1"), "");
    model.provider = "azure";
    EXPECT_EQ(with("https://res.openai.azure.com/openai?api-version=2024-06-01"), "");
    EXPECT_THAT(
        request().url,
        testing::Eq("https://res.openai.azure.com/openai/deployments/gpt-4o/chat/completions"
                    "?api-version=2024-06-01")
    );
    EXPECT_THAT(with(""), HasSubstr("needs one"));
}

TEST_F(FactoryTest, RefusesParametersTheProtocolCannotCarryAllAtOnce) {
    model.parameters = {{"temperature", 1}, {"stream", false}, {"n", 3}, {"model", "x"}};
    EXPECT_EQ(
        problems(),
        (std::vector<std::string>{
            "models[0].parameters.stream: is set by the program, not by parameters",
            "models[0].parameters.n: one call gives one answer; use run.repetitions",
            "models[0].parameters.model: is set by the program, not by parameters",
        })
    );
    model.parameters = {{"n", 1}, {"seed", 1}, {"logprobs", true}, {"anything", Json::array()}};
    EXPECT_EQ(problem(), "");
    model.provider = "anthropic";
    variables["ANTHROPIC_API_KEY"] = "k";
    model.parameters = {{"seed", 1}};
    EXPECT_THAT(problem(), HasSubstr("models[0].parameters.seed: the protocol of anthropic"));
    model.provider = "azure";
    model.base_url = "https://res.openai.azure.com";
    variables["AZURE_OPENAI_API_KEY"] = "k";
    model.parameters = {{"api_version", "2024&x=1"}};
    EXPECT_THAT(problem(), HasSubstr("must be a version"));
}

TEST_F(FactoryTest, SaysOfAnUnknownProviderWhatNoneTakes) {
    model.provider = "opnai";
    model.parameters = {{"n", 2}, {"seed", 1}, {"messages", "x"}};
    model.headers = {{"Authorization", "Bearer x"}};
    EXPECT_EQ(
        problems(),
        (std::vector<std::string>{
            "models[0].provider: unknown provider \"opnai\", did you mean \"openai\"?",
            "models[0].headers.Authorization: Authorization would put a secret into the file; use "
            "api_key_env",
            "models[0].parameters.n: one call gives one answer; use run.repetitions",
            "models[0].parameters.messages: is set by the program, not by parameters",
        })
    );
}

TEST_F(FactoryTest, RefusesHeadersThatCarrySecretsOrBreakTheFrame) {
    model.headers = {
        {"X-Team", "research"},
        {"Authorization", "Bearer x"},
        {"x-api-key", "x"},
        {"Content-Length", "1"},
        {"bad name", "x"},
        {"X-Split", "a\r\nHost: b"}
    };
    const auto all = problems();
    ASSERT_EQ(all.size(), 5U);
    EXPECT_THAT(all[0], HasSubstr("models[0].headers.Authorization: "));
    EXPECT_THAT(all[0], HasSubstr("api_key_env"));
    EXPECT_THAT(all[4], HasSubstr("control characters"));
    model.headers = {{"X-Team", "research"}};
    EXPECT_EQ(http::find_header(request().headers, "X-Team"), "research");
}

TEST_F(FactoryTest, ChecksNamesApisAndReplay) {
    model.model = "";
    EXPECT_THAT(problem(), HasSubstr("models[0].model"));
    model.model = "x";
    model.api = "responses";
    EXPECT_THAT(problem(), HasSubstr("must be chat or completions"));
    model.provider = "google";
    variables["GEMINI_API_KEY"] = "k";
    model.api = "completions";
    EXPECT_THAT(problem(), HasSubstr("has no completions"));
    model.api = "chat";
    for (const char* name : {"../x", "a?b", "a b", "x#y"}) {
        model.model = name;
        EXPECT_THAT(problem(), HasSubstr("becomes part of a URL")) << name;
    }
    model.model = "models/gemini-2.5-flash";
    EXPECT_THAT(request().url, HasSubstr("/v1beta/models/gemini-2.5-flash:stream"));
    model.replay = domain::ReplaySpec{.path = "x"};
    EXPECT_THAT(problem(), HasSubstr("only the provider \"replay\""));
    model.provider = "replay";
    EXPECT_EQ(problem(), "");
    model.replay.reset();
    EXPECT_THAT(problem(), HasSubstr("needs replay"));
}

TEST_F(FactoryTest, TheEndpointHasNoSecretAndNoQuery) {
    const auto provider = make_provider(model, {.http = &client, .clock = &clock, .env = env});
    ASSERT_TRUE(provider);
    EXPECT_EQ((*provider)->endpoint(), "https://api.openai.com/v1/chat/completions");
    EXPECT_FALSE((*provider)->is_replay());
    CallRequest call;
    EXPECT_EQ((*provider)->worst_case(call).output, 16'384) << "gpt-4o's limit";
}

struct PricesTest : FactoryTest {
    std::string input_price(const std::string& name) {
        model.model = name;
        const auto pricing = find_pricing(model);
        return pricing ? pricing->input.value_or(Money()).exact() : "none";
    }
};

TEST_F(PricesTest, FindsNamesAndTheirDates) {
    EXPECT_EQ(input_price("gpt-4o"), "2.5");
    EXPECT_EQ(input_price("gpt-4o-2024-08-06"), "2.5");
    EXPECT_EQ(input_price("gpt-4o-2024-05-13"), "5") << "a date with a price of its own";
    EXPECT_EQ(input_price("gpt-4o-mini-2024-07-18"), "0.15");
    EXPECT_EQ(input_price("gpt-3.5-turbo-0125"), "0.5");
    EXPECT_EQ(input_price("gpt-4o-audio-preview"), "none");
    EXPECT_EQ(input_price("gpt-4.5"), "none");
    EXPECT_EQ(input_price("gpt"), "none");
    EXPECT_EQ(input_price(""), "none");
    model.provider = "anthropic";
    EXPECT_EQ(input_price("claude-sonnet-4-20250514"), "3");
    EXPECT_EQ(input_price("claude-opus-4-1-20250805"), "15");
    EXPECT_EQ(input_price("claude-opus-4-5-20251101"), "5");
    EXPECT_EQ(input_price("claude-opus-4-7-20260301"), "none") << "another model, not a date";
    EXPECT_EQ(input_price("gpt-4o"), "none") << "not theirs";
    model.provider = "google";
    EXPECT_EQ(input_price("models/gemini-2.0-flash-001"), "0.1");
}

TEST_F(PricesTest, AForeignServerHasNoKnownPrice) {
    model.base_url = "http://localhost:8000/v1";
    EXPECT_EQ(input_price("gpt-4o"), "none");
    model.provider = "vllm";
    model.base_url = "";
    EXPECT_EQ(input_price("gpt-4o"), "none");
}

TEST_F(PricesTest, TheSpecsOwnPricingWinsAndReplayIsFree) {
    model.pricing = domain::Pricing{.input = Money::parse("7").value()};
    EXPECT_EQ(input_price("gpt-4o"), "7");
    EXPECT_EQ(find_pricing(model)->output, std::nullopt);
    model.provider = "replay";
    const domain::Usage usage{.input = 10, .cache_read = 2, .output = 5, .reasoning = 1};
    EXPECT_EQ(domain::cost_of(usage, *find_pricing(model)), Money());
    EXPECT_FALSE(kPriceTableVersion.empty());
}

TEST_F(PricesTest, KnowsWhatCachedTokensCost) {
    model.model = "gpt-4o";
    const auto pricing = find_pricing(model);
    ASSERT_TRUE(pricing);
    const domain::Usage usage{.input = 1'000'000, .cache_read = 1'000'000, .output = 1'000'000};
    EXPECT_EQ(domain::cost_of(usage, *pricing)->exact(), "13.75");
}

}  // namespace
}  // namespace lab::providers
